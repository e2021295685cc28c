"""A directory fills a company and empties it again over SCIM. `python -m bench.scim --users 1000 --database sqlite`.

One request each, one after the other, told to the app in this process: invited, taken up (not timed), renamed, then
deactivated, which ends everything that a person has open.
"""

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, cast

import httpx
import sqlalchemy as sa
import structlog
from sqlalchemy.orm import joinedload

from bench.house import database, opened
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
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
Send = Callable[[str, str, dict[str, Any]], Awaitable[httpx.Response]]


async def measure(url: str, users: int) -> None:
    """Elsa's directory and Zoo's people."""
    now = datetime.now(UTC)
    async with opened(url) as store:
        await migrate(store.writer)
        cast_of = await read_cast(store, await seed_cast(store, now))
        key = await _key(store, cast_of, now)
        with tempfile.TemporaryDirectory() as folder:
            settings = Settings.load({"UNDERSTUDY_DATABASE_URL": url, "UNDERSTUDY_DATA_DIR": folder})
            app = create_app(settings, store=store)
            transport = httpx.ASGITransport(cast(Any, app))
            headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/scim+json"}
            async with httpx.AsyncClient(transport=transport, base_url=settings.public_url, headers=headers) as client:

                async def send(method: str, path: str, body: dict[str, Any]) -> httpx.Response:
                    answer = await client.request(method, f"/scim/v2{path}", content=json.dumps(body))
                    if answer.status_code not in {200, 201}:
                        raise SystemExit(f"{method} {path}: {answer.status_code} {answer.text}")
                    return answer

                seconds = await _stages(store, send, users)
        kind = "sqlite" if store.embedded else "postgresql"
        told = ", ".join(f"{stage} {took:.1f} s" for stage, took in seconds.items())
        print(f"{kind}: {users} users, {told}, together {sum(seconds.values()):.1f} s")


async def _stages(store: Store, send: Send, users: int) -> dict[str, float]:
    ids: list[str] = []
    start = time.perf_counter()
    for number in range(users):
        person = {"schemas": [USER], "userName": f"u{number}@zoo.example", "displayName": f"User {number}"}
        ids.append((await send("POST", "/Users", person | {"externalId": str(number)})).json()["id"])
    seconds = {"created": time.perf_counter() - start}
    await _take_up(store)
    for stage, path, value in (("changed", "displayName", "Renamed"), ("deactivated", "active", False)):
        start = time.perf_counter()
        for each in ids:
            change = {"op": "replace", "path": path, "value": value}
            answer = await send("PATCH", f"/Users/{each}", {"schemas": [PATCH], "Operations": [change]})
            if answer.json()[path] != value:
                raise SystemExit(f"{each} is not {stage}.")
        seconds[stage] = time.perf_counter() - start
    return seconds


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
    # Two thousand lines of log are none of what is measured.
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    for kind in (given.database,) if given.database else ("sqlite", "postgresql"):
        with database(kind) as at:
            asyncio.run(measure(at.url, given.users))


if __name__ == "__main__":
    main()
