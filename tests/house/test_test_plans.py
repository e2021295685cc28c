"""The list of the OpenID Foundation's test modules names only tests that are there, and reasons where it names none."""

import re

import pytest

from tests.house.test_failures import NAMED, TESTS, known_in

LIST = TESTS / "test_plans.md"
LINE = re.compile(r"^\| (oidcc-[a-z0-9-]+) \| (.+) \|$")
PLANS = ("Basic OP", "Form Post OP", "Config OP", "RP-initiated logout OP", "Back-channel logout OP")


def faults(text: str) -> list[str]:
    """What is wrong with the list: modules that stand twice or show nothing, tests that are not."""
    found, seen = [f"{plan} is missing" for plan in PLANS if f"## {plan} " not in text], set[str]()
    for row in text.splitlines():
        line = LINE.match(row)
        if line is None:
            continue
        module, shown = line[1], line[2]
        found += [f"{module} stands twice"] if module in seen else []
        seen.add(module)
        tests = NAMED.findall(shown)
        if not tests and not shown.startswith("no test: "):
            found.append(f"{module} names neither a test nor a reason")
        found += [f"{module}: no {test} in {file}" for file, test in tests if test not in known_in(file)]
    return found if len(seen) > 50 else [*found, "modules are missing"]


def test_every_module_has_its_test_or_its_reason() -> None:
    assert faults(LIST.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("| oidcc-login-hint |", "| oidcc-ui-locales |", "oidcc-ui-locales stands twice"),
        ("test_a_hint_signs_nobody_in", "test_no", "oidcc-login-hint: no test_no in control/openid/test_basic_plan.py"),
        ("| no test: an ID", "| an ID", "oidcc-idtoken-unsigned names neither"),
        ("## Config OP", "## Configured", "Config OP is missing"),
    ],
)
def test_what_is_wrong_with_it_is_seen(old: str, new: str, fault: str) -> None:
    text = LIST.read_text(encoding="utf-8")
    assert old in text
    assert any(each.startswith(fault) for each in faults(text.replace(old, new)))
