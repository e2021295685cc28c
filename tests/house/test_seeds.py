"""The five documents, statement by statement: each names the test that shows it, why not, or the issue it waits for."""

import ast
import csv
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
LIST = TESTS / "seeds.csv"
DOCUMENTS = ("000", "001", "002", "003", "004")
LATER = {"issue 4", "issue 5"}
"""What a statement may wait for: impersonation; tokens and provisioning."""
LEAST_REASON = 20
"""Characters: a reason that is shorter says nothing."""

Line = tuple[str, str, str]


def lines() -> list[Line]:
    with LIST.open(encoding="utf-8", newline="") as file:
        return [(row["document"], row["statement"], row["shown by"]) for row in csv.DictReader(file)]


def faults(of: list[Line]) -> list[str]:
    """What is wrong: documents that say nothing, statements twice or without anything to show for them."""
    found = [f"nothing of document {each}" for each in DOCUMENTS if each not in {line[0] for line in of}]
    seen: set[tuple[str, str]] = set()
    for document, statement, shown in of:
        if document not in DOCUMENTS or not statement or (document, statement) in seen:
            found.append(f"{document} “{statement}” stands twice, or is none")
        seen.add((document, statement))
        if (fault := missing(shown)) is not None:
            found.append(f"{document} “{statement}”: {fault}")
    return found


def missing(shown: str) -> str | None:
    """Why this shows nothing; None when it is a test that exists, a reason or an issue still to come."""
    if shown in LATER:
        return None
    if shown.startswith("reason: "):
        return None if len(shown) > LEAST_REASON else "no reason"
    file, _, test = shown.partition("::")
    return None if test in known_in(file) else f"no test {test} in {file}"


@cache
def known_in(file: str) -> frozenset[str]:
    path = TESTS / file
    if not file.endswith(".py") or not path.is_file():
        return frozenset()
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, kinds))


def test_every_statement_of_the_documents_is_answered() -> None:
    assert faults(lines()) == []


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (("000", "something new", ""), "no test"),
        (("000", "something new", "browser/test_binding.py::test_that_is_not_there"), "no test"),
        (("000", "something new", "issue 9"), "no test"),
        (("000", "something new", "reason: no"), "no reason"),
        (("005", "a document that is none", "issue 4"), "stands twice, or is none"),
        (("000", "the User Bindings tab", "issue 4"), "stands twice, or is none"),
    ],
)
def test_a_line_without_anything_to_show_is_seen(line: Line, fault: str) -> None:
    before = faults(lines())
    new = [each for each in faults([*lines(), line]) if each not in before]
    assert len(new) == 1
    assert fault in new[0]
