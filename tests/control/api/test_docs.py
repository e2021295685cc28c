"""What docs/api.md says is so: its commands do what they are there for, its nouns and settings are all there."""

import re
import shlex
from pathlib import Path
from typing import Any

import httpx
import pytest

from control.rate_limits import Quotas
from tests.control.api.conftest import Api

TEXT = (Path(__file__).parents[3] / "docs" / "api.md").read_text(encoding="utf-8")
COMMANDS = [
    command.replace("\\\n", " ")
    for command in re.findall(r"^    (curl (?:.*\\\n)*.*)$", TEXT, flags=re.MULTILINE)
    if "$CLIENT_ID" not in command and "$token" not in command
]
"""But for those that hold what only an answer gives."""


async def run(api: Api, command: str, key: str) -> httpx.Response:
    """What curl would send: its address, method, headers and body."""
    words, method, body, headers = iter(shlex.split(command)[1:]), "GET", None, {}
    address = ""
    for word in words:
        if word == "-X":
            method = next(words)
        elif word == "-d":
            body = next(words)
        elif word == "-H":
            name, _, value = next(words).partition(": ")
            headers[name] = value.replace("$KEY", key)
        elif not word.startswith("-"):
            address = word.removeprefix("$PANEL")
    return await api.client.request(method, address, content=body, headers=headers)


@pytest.mark.parametrize("command", COMMANDS)
async def test_each_command_does_what_it_is_there_for(api: Api, command: str) -> None:
    """Pia binds herself to Dan's line, and stands in for him; the numbers of the page stand for theirs."""
    cast = api.cast
    ids = {
        '"user": 17': f'"user": {cast.user("Pia").id}',
        "user=17": f"user={cast.user('Dan').id}",
        '"extension": 9': f'"extension": {cast.extension("Dairy", "101").id}',
        '"membership": 41': f'"membership": {cast.membership_id("Dan")}',
        "actor=12": f"actor={cast.membership_id('Pia')}",
        "subject=41": f"subject={cast.membership_id('Dan')}",
    }
    for theirs, ours in ids.items():
        command = command.replace(theirs, ours)
    answer = await run(api, command, (await api.as_("Pia")).secret or "")
    assert answer.status_code in {200, 201}, answer.text


def test_there_are_commands() -> None:
    assert len(COMMANDS) == 5


def test_each_noun_has_its_line(api: Api) -> None:
    described: dict[str, Any] = api.app.openapi_schema.to_schema()
    nouns = {path.split("/")[3] for path in described["paths"] if path.startswith("/api/v1/")}
    assert [noun for noun in sorted(nouns) if f"| `{noun}" not in TEXT] == []
    token_api = [path for path in described["paths"] if not path.startswith("/api/v1/")]
    assert [path for path in token_api if path.replace("coworker_id", "id") not in TEXT] == []


def test_the_limits_are_those_we_set() -> None:
    usual = Quotas()
    for policy, quota in (("key", usual.key), ("app", usual.app), ("network", usual.network)):
        assert re.search(rf"^\| `{policy}` \|.*\| {quota} \| `UNDERSTUDY_RATE_LIMIT", TEXT, flags=re.MULTILINE)
