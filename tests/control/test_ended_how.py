"""Whatever ends a stand-in is told in words, not by the name that its row keeps."""

import pytest

from bindings.impersonation import STOPPED
from control.pages.parts.ended_how import causes, ended_how
from tests.bindings.test_impersonation import ENDINGS

BY_ITSELF = {"tab_closed", "replaced", "profile", "replay"}
BY_HAND = {STOPPED, "ended_by_admin", "ended_by_subject"}
BY_A_FACTOR = {"factor_reset", "factor_added"}
RULES = {"policy"}
"""What the guard found is told by the rule's name."""


@pytest.mark.parametrize(
    "cause", sorted({cause for _, cause in ENDINGS.values()} - RULES | BY_ITSELF | BY_HAND | BY_A_FACTOR)
)
def test_each_cause_has_its_words(cause: str) -> None:
    assert cause in causes("en")
    assert "No longer allowed" not in ended_how(cause, "en")


def test_a_rule_is_named() -> None:
    assert ended_how("rank", "en") == "No longer allowed (rank)"
