"""The list of failures that others had is complete, and every test that it names is there."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
LIST = TESTS / "failures.md"
IDS = [f"T{n}" for n in range(1, 66)] + [f"B{n}" for n in range(1, 36)] + [f"C{n}" for n in range(1, 27)]
LATER = {"3", "4", "5"}
"""The issues that a line may wait for: people and companies, impersonation, tokens and provisioning."""

LINE = re.compile(r"^\| ([TBC][0-9]+) \| (.+?) \| (.+) \|$")
NAMED = re.compile(r"`([^`]+\.py)::(test_\w+)`")
WAITS = re.compile(r"issues? ([0-9])(?: and ([0-9]))?")


def lines(text: str) -> list[tuple[str, str, str]]:
    return [(found[1], found[2], found[3]) for row in text.splitlines() if (found := LINE.match(row))]


def faults(text: str) -> list[str]:
    """What is wrong with the list: ids that are missing or stand twice, lines that show nothing, tests that are not."""
    found = [f"{name} stands nowhere" for name in IDS if name not in [each[0] for each in lines(text)]]
    seen: set[str] = set()
    for name, _, shown in lines(text):
        if name in seen or name not in IDS:
            found.append(f"{name} stands twice, or is none")
        seen.add(name)
        tests, waits = NAMED.findall(shown), {issue for pair in WAITS.findall(shown) for issue in pair if issue}
        if not tests and not waits:
            found.append(f"{name} names neither a test nor an issue")
        found += [f"{name} waits for {issue}" for issue in sorted(waits - LATER)]
        found += [f"{name}: no {test} in {file}" for file, test in tests if test not in known_in(file)]
    return found


@cache
def known_in(file: str) -> frozenset[str]:
    path = TESTS / file
    if not path.is_file():
        return frozenset()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, kinds))


def test_the_list_is_whole_and_names_only_what_is_there() -> None:
    assert faults(LIST.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("", "T3 stands nowhere"),
        ("| T99 | somebody is themselves | `bindings/test_guard.py::test_rank` |", "T3 stands nowhere"),
        ("| T4 | somebody is themselves | `bindings/test_guard.py::test_rank` |", "T4 stands twice, or is none"),
        ("| T3 | somebody is themselves | `bindings/test_guard.py::test_no` |", "T3: no test_no in bindings"),
        ("| T3 | somebody is themselves | soon |", "T3 names neither"),
        ("| T3 | somebody is themselves | issue 9 |", "T3 waits for 9"),
    ],
)
def test_what_is_wrong_with_it_is_seen(line: str, fault: str) -> None:
    rows = LIST.read_text(encoding="utf-8").splitlines()
    text = "\n".join(line if row.startswith("| T3 |") else row for row in rows)
    assert any(each.startswith(fault) for each in faults(text))


def test_every_test_that_names_an_id_names_a_real_one() -> None:
    """`C25:` in a docstring is a promise that the list can keep."""
    named = re.compile(r"\b([TBC][0-9]{1,2})[:,.]")
    for file in sorted(TESTS.rglob("test_*.py")):
        if file == Path(__file__):
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                assert set(named.findall(ast.get_docstring(node) or "")) <= set(IDS), f"{file.name}: {node.name}"
