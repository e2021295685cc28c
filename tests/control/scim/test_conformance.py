"""scim2-tester walks over the service: what it finds wrong is wrong (RFC 7643, 7644)."""

import asyncio
from typing import Any

import httpx
import pytest
import scim2_tester.filling
from scim2_client.client import BaseSyncSCIMClient
from scim2_tester import Status, check_server

from tests.control.scim.conftest import ROOT, Directory, Scim


class OverLoopback(BaseSyncSCIMClient):
    """The tester's client, told to the app in its own loop: the tester waits in a thread."""

    def __init__(self, directory: Directory, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self.directory, self.loop = directory, loop

    def _stays_under_base_url(self, endpoint: str) -> bool:
        return True

    def _parse_json(self, response: Any) -> Any:
        return response.json()

    def request(self, method: str, url: str, **more: Any) -> httpx.Response:
        headers = {**more.pop("headers", {}), "Authorization": f"Bearer {self.directory.secret}"}
        where = url if url.startswith("http") else ROOT + "/" + url.lstrip("/")
        asked = self.directory.client.request(method, where, headers=headers, **more)
        return asyncio.run_coroutine_threadsafe(asked, self.loop).result(30)


@pytest.fixture
def addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tester makes up user names of any shape; here one is an address, which no schema can say."""
    made_up = scim2_tester.filling.generate_random_value

    def one(context: Any, path: Any, *rest: Any, **more: Any) -> Any:
        value = made_up(context, path, *rest, **more)
        named = str(path).rpartition(":")[2].lower() == "username"
        return f"{value}@northwind.example" if named and value is not None else value

    monkeypatch.setattr(scim2_tester.filling, "generate_random_value", one)


@pytest.mark.usefixtures("addresses")
async def test_the_tester_finds_nothing_wrong(scim: Scim) -> None:
    """At a reseller, where every role can be given."""
    directory = await scim.of("Olaf")
    client = OverLoopback(directory, asyncio.get_running_loop())
    results = await asyncio.to_thread(check_server, client)
    wrong = [f"{each.title}: {each.status} {each.reason}" for each in results if each.status not in FINE]
    assert not wrong, "\n".join(wrong)
    assert sum(each.status is Status.SUCCESS for each in results) > 30
    skipped = {each.title for each in results if each.status is Status.SKIPPED}
    assert skipped <= {"search_with_attributes"}, "searching both kinds at once is not done, which is allowed"


FINE = {Status.SUCCESS, Status.COMPLIANT, Status.ACCEPTABLE, Status.SKIPPED}
