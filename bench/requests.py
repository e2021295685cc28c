"""Processor time per request of the kinds that people and programs send most: `python -m bench.requests`.

In one process, without a socket: the time is the product's and the client's of the test, on SQLite the database's too.
"""

import argparse
import asyncio
import itertools
import logging
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import httpx
import structlog

from bench.house import Database, database, opened
from bench.server import UNHELD
from control.app import create_app
from control.seed import seed_cast
from control.settings import Settings
from tenants.api_keys import SCOPES, ApiKey
from tenants.people import find_membership
from tenants.schema import migrate
from tests.cast import Clock, bind, read_cast, work_as
from tests.control.openid.story import ISSUER, Client, Panel

Ask = Callable[[], Awaitable[httpx.Response]]


async def measured(at: Database, only: list[str], rounds: int, count: int) -> None:
    """A page, a list, a creation, a login and an introspection, each warmed up before it counts."""
    async with opened(at.url) as store:
        now = datetime.now(UTC)
        await migrate(store.writer)
        cast = await read_cast(store, await seed_cast(store, now))
        named = {"UNDERSTUDY_DATA_DIR": str(at.folder), "UNDERSTUDY_PUBLIC_URL": ISSUER, **UNHELD}
        settings = Settings.load(named)
        panel = Panel(create_app(settings, clock=lambda: now, store=store), store, cast, Clock(now))
        address = "http://softphone.localhost:8001/callback"
        softphone = Client(panel, "softphone", panel.browser(), cast.secrets["softphone"], address)
        await bind(store, cast, "Olaf", "Bakery", "201", now)
        browser, olaf = await panel.sign_in("Olaf"), cast.actor("Olaf")
        async with work_as(store, olaf, now) as session:
            membership = await find_membership(session, olaf.standing.membership_id)
            _, key = await ApiKey.make(session, membership, "bench", list(SCOPES), 1, now)
        bearer, numbers = {"Authorization": f"Bearer {key}"}, itertools.count(1)
        token = (await softphone.redeem(await softphone.code(browser))).json()["access_token"]
        system = cast.phone_system_id("Bakery")

        def extension() -> Awaitable[httpx.Response]:
            new = {"phone_system": system, "number": str(70000 + next(numbers)), "name": "New"}
            return browser.post("/api/v1/extensions", headers=bearer, json=new)

        kinds: dict[str, Ask] = {
            "page /users": lambda: browser.get("/users", headers={"Accept": "text/html"}),
            "page /account": lambda: browser.get("/account", headers={"Accept": "text/html"}),
            "API /users": lambda: browser.get("/api/v1/users", headers=bearer),
            "API /me": lambda: browser.get("/api/v1/me", headers=bearer),
            "API POST /extensions": extension,
            "authorize": lambda: softphone.ask(browser),
            "introspect": lambda: softphone.post("/oauth/introspect", token=token),
        }
        for name, ask in kinds.items():
            if not only or any(word in name for word in only):
                print(f"  {name:22} {await _milliseconds(ask, rounds, count):6.2f} ms")


async def _milliseconds(ask: Ask, rounds: int, count: int) -> float:
    """The least of the rounds: what else the machine does only ever adds to it."""
    for _ in range(5):
        answer = await ask()
        assert answer.status_code < 400, answer.text
    took = []
    for _ in range(rounds):
        begun = time.process_time()
        for _ in range(count):
            await ask()
        took.append((time.process_time() - begun) * 1000 / count)
    return min(took)


def main() -> None:
    """On both databases, unless one is named."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("only", nargs="*", help="parts of the names of what to ask for")
    words.add_argument("--database", choices=["sqlite", "postgresql"], action="append")
    words.add_argument("--rounds", type=int, default=10)
    words.add_argument("--count", type=int, default=10)
    said = words.parse_args()
    # Lines are written as in production, to nobody.
    with Path("/dev/null").open("w", encoding="utf-8") as nowhere:
        factory = structlog.PrintLoggerFactory(nowhere)
        structlog.configure(
            processors=[structlog.processors.TimeStamper(fmt="iso", utc=True), structlog.processors.JSONRenderer()],
            wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
            logger_factory=factory,
            cache_logger_on_first_use=True,
        )
        for kind in said.database or ("sqlite", "postgresql"):
            with database(kind) as at:
                sys.stdout.write(f"{kind}\n")
                asyncio.run(measured(at, said.only, said.rounds, said.count))


if __name__ == "__main__":
    main()
