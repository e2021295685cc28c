"""A small part of tests/fuzz.py: every operation, with every person and every tenant in turn."""

import shutil
from pathlib import Path

from tests.canaries import unplanted
from tests.conftest import Template
from tests.fuzz import Plan, Run, ready

NOT_EVERYWHERE = {"entries.subject_name", "mints.reason", "security_events.claims"}
"""Texts that not every tenant has: whom somebody stood in for, why a token was minted, what the house tells apps."""
SMALL = Plan(examples=1, bounds=False, each=1, places=3, told_to=1)


async def test_no_made_up_request_is_our_fault_or_tells_what_is_not_theirs_to_know(
    sqlite_template: Template, tmp_path: Path
) -> None:
    url = f"sqlite:///{shutil.copyfile(sqlite_template.name, tmp_path / 'understudy.db')}"
    async with ready(url, sqlite_template.cast, tmp_path) as house:
        assert await unplanted(house.rehearsal) == NOT_EVERYWHERE
        going = Run(house, SMALL)
        for operation in house.operations():
            await going.operation(operation)
    assert [str(finding) for finding in going.findings.values()] == []
    assert {200, 201, 204, 401, 403, 404, 409, 422} <= going.statuses.keys(), "they are let in, and they are refused"
