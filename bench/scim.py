"""A directory fills a company and empties it again over SCIM. `python -m bench.scim --users 1000 --database sqlite`.

One request each, one after the other, told to the app in this process: invited, taken up (not timed), renamed, then
deactivated, which ends everything that a person has open; then as many invited again, a hundred in each request.
Processor time is this process's, the directory's part included, and then the database server's.
"""

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

import httpx
import sqlalchemy as sa
import structlog
from sqlalchemy.orm import joinedload

from bench.house import Database, database, opened
from bench.processes import cpu_seconds
from bench.server import UNHELD
from bench.statements import heard
from bindings.joining import join, newcomer
from control.app import create_app
from control.seed import seed_cast
from control.settings import Settings
from tenants.api_keys import ApiKey
from tenants.invitations import Invitation
from tenants.people import find_membership
from tenants.schema import migrate
from tenants.store import Store
from tenants.tree import find_tenant
from tests.cast import Cast, house_work, read_cast, work_as

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
BULK = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
TOGETHER = 100
"""Operations in one bulk request."""
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
Send = Callable[[str, str, dict[str, Any]], Awaitable[httpx.Response]]


async def measure(at: Database, users: int) -> None:
    """Elsa's directory and Zoo's people."""
    url = at.url
    now = datetime.now(UTC)
    async with opened(url) as store:
        await migrate(store.writer)
        cast_of = await read_cast(store, await seed_cast(store, now))
        key = await _key(store, cast_of, now)
        with tempfile.TemporaryDirectory() as folder:
            settings = Settings.load({"UNDERSTUDY_DATABASE_URL": url, "UNDERSTUDY_DATA_DIR": folder, **UNHELD})
            app = create_app(settings, store=store)
            transport = httpx.ASGITransport(cast(Any, app))
            headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/scim+json"}
            async with httpx.AsyncClient(transport=transport, base_url=settings.public_url, headers=headers) as client:

                async def send(method: str, path: str, body: dict[str, Any]) -> httpx.Response:
                    answer = await client.request(method, f"/scim/v2{path}", content=json.dumps(body))
                    if answer.status_code not in {200, 201}:
                        raise SystemExit(f"{method} {path}: {answer.status_code} {answer.text}")
                    return answer

                stages = await _stages(store, send, users, at.pid)
        print(f"{'sqlite' if store.embedded else 'postgresql'}: {users} users")
        print(*stages, sep="\n")


@dataclass
class Stage:
    """What one kind of change cost."""

    name: str
    changes: int
    seconds: float = 0.0
    own: float = 0.0
    """Processor seconds of this process."""
    servers: float = 0.0
    """Those of the database server."""
    statements: int = 0

    def __str__(self) -> str:
        own, servers = (f"{1000 * each / self.changes:.1f}" for each in (self.own, self.servers))
        statements = f"{self.statements / self.changes:.0f} statements"
        return f"{self.name:12} {self.seconds:7.1f} s, each {own} + {servers} ms of processor time, {statements}"

    @contextmanager
    def timed(self, pid: int | None) -> Iterator[None]:
        """What is done meanwhile."""
        start, own, servers = time.perf_counter(), time.process_time(), cpu_seconds(pid)
        with heard() as said:
            yield
        self.seconds, self.own = time.perf_counter() - start, time.process_time() - own
        self.servers, self.statements = cpu_seconds(pid) - servers, len(said)


async def _stages(store: Store, send: Send, users: int, pid: int | None) -> list[Stage]:
    stages = [Stage(name, users) for name in ("created", "changed", "deactivated", "in bulk")]
    with stages[0].timed(pid):
        ids = [(await send("POST", "/Users", _person(f"u{number}"))).json()["id"] for number in range(users)]
    await _take_up(store)
    for stage, path, value in ((stages[1], "displayName", "Renamed"), (stages[2], "active", False)):
        with stage.timed(pid):
            for each in ids:
                change = {"op": "replace", "path": path, "value": value}
                answer = await send("PATCH", f"/Users/{each}", {"schemas": [PATCH], "Operations": [change]})
                if answer.json()[path] != value:
                    raise SystemExit(f"{each} is not {stage.name}.")
    with stages[3].timed(pid):
        for start in range(0, users, TOGETHER):
            names = [f"b{number}" for number in range(start, min(start + TOGETHER, users))]
            made = [{"method": "POST", "path": "/Users", "bulkId": each, "data": _person(each)} for each in names]
            answer = await send("POST", "/Bulk", {"schemas": [BULK], "Operations": made})
            if any(each["status"] != "201" for each in answer.json()["Operations"]):
                raise SystemExit(answer.text)
    return stages


def _person(name: str) -> dict[str, Any]:
    return {"schemas": [USER], "userName": f"{name}@zoo.example", "displayName": f"User {name}", "externalId": name}


async def _take_up(store: Store) -> None:
    """Everybody opens their letter."""
    now = datetime.now(UTC)
    async with house_work(store, now) as session:
        waiting = sa.select(Invitation.id).where(Invitation.waiting(), Invitation.membership_number.is_not(None))
        numbers = list(await session.scalars(waiting))
    for number in numbers:
        async with house_work(store, now) as session:
            wanted = sa.select(Invitation).where(Invitation.id == number).options(joinedload(Invitation.tenant))
            invitation = (await session.scalars(wanted)).one()
            user = await newcomer(session, invitation, invitation.name, "hash", now)
            await join(session, [invitation], user, now)


async def _key(store: Store, cast_of: Cast, now: datetime) -> str:
    elsa = cast_of.actor("Elsa")
    async with work_as(store, elsa, now) as session:
        membership = await find_membership(session, elsa.standing.membership_id)
        zoo = await find_tenant(session, cast_of.tenant("Zoo").id)
        _, key = await ApiKey.provision(session, membership, zoo, "bench", 1, now)
    return key


def main() -> None:
    """One database or both, one after the other."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--users", type=int, default=1_000)
    asked.add_argument("--database", choices=("sqlite", "postgresql"))
    given = asked.parse_args()
    # Three thousand lines of log are none of what is measured.
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    for kind in (given.database,) if given.database else ("sqlite", "postgresql"):
        with database(kind) as at:
            asyncio.run(measure(at, given.users))


if __name__ == "__main__":
    main()
