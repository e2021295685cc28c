"""How many statements an authorization, a code and an introspection send: `python -m bench.statements`."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
import structlog

from bench.house import BINDERS, Database, database, opened
from control.app import create_app
from control.seed import seed_cast
from control.settings import Settings
from tenants.schema import migrate
from tests.cast import Clock, bind, read_cast
from tests.control.openid.story import ISSUER, Client, Panel


@contextmanager
def heard() -> Iterator[list[str]]:
    """Every statement that any engine sends, but for the ends and beginnings of transactions."""
    said: list[str] = []

    def hear(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if not statement.startswith("BEGIN"):
            said.append(" ".join(statement.split()))

    sa.event.listen(sa.Engine, "before_cursor_execute", hear)
    try:
        yield said
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", hear)


async def count(at: Database) -> None:
    """Each step twice, so that what is read once per process is not counted; as oneself, then bound."""
    async with opened(at.url) as store:
        now = datetime.now(UTC)
        await migrate(store.writer)
        cast = await read_cast(store, await seed_cast(store, now))
        settings = Settings.load({"UNDERSTUDY_DATA_DIR": str(at.folder), "UNDERSTUDY_PUBLIC_URL": ISSUER})
        panel = Panel(create_app(settings, clock=lambda: now, store=store), store, cast, Clock(now))
        address = "http://softphone.localhost:8001/callback"
        app = Client(panel, "softphone", panel.browser(), cast.secrets["softphone"], address)
        await steps(app, "Dan", "as oneself")
        name, tenant, number = BINDERS[1]
        await bind(store, cast, name, tenant, number, now)
        await steps(app, name, "bound")


async def steps(app: Client, name: str, how: str) -> None:
    """One login with its introspection; the second time is printed."""
    browser = await app.panel.sign_in(name)
    for shown in (False, True):
        with heard() as authorize:
            code = await app.code(browser)
        with heard() as token:
            answer = await app.redeem(code)
        with heard() as question:
            said = await app.introspect(answer.json()["access_token"])
        assert said["active"], said
        if shown:
            for step, statements in (("authorize", authorize), ("token", token), ("introspect", question)):
                print(f"  {how}, {step}: {len(statements)} statements ({', '.join(shapes(statements))})")


def shapes(statements: list[str]) -> list[str]:
    """The first word of each, and of a plain one its table."""
    return [kind_of(statement.split()) for statement in statements]


def kind_of(words: list[str]) -> str:
    """WITH, or "INSERT entries", or "SELECT tokens"."""
    before = {"INSERT": "INTO", "SELECT": "FROM", "DELETE": "FROM", "UPDATE": "UPDATE"}.get(words[0])
    return f"{words[0]} {words[words.index(before) + 1]}" if before in words else words[0]


def main() -> None:
    """On both databases."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    for kind in ("sqlite", "postgresql"):
        with database(kind) as at:
            print(kind)
            asyncio.run(count(at))


if __name__ == "__main__":
    main()
