"""Visits: somebody of the cast at the panel's pages, as a browser brings them."""

import re
from dataclasses import dataclass
from html import unescape
from typing import Any
from typing import cast as cast_type

import httpx
from litestar import Litestar

from control.app import create_app
from control.settings import Settings
from tenants.actor import Actor
from tenants.reach import Reach
from tenants.sign_in import SignIn
from tenants.store import Store
from tests.cast import ORIGIN, Cast, Clock

PANEL = "http://localhost:8000"


@dataclass
class Visit:
    """One person's browser at the panel."""

    client: httpx.AsyncClient

    async def get(self, path: str, *, status: int = 200) -> str:
        """The page's HTML; the story says which status it expects."""
        answer = await self.client.get(path)
        assert answer.status_code == status, f"{path}: {answer.status_code}\n{words_of(answer.text)[:600]}"
        return answer.text

    async def read(self, path: str, *, status: int = 200) -> str:
        """The words of the page's main part, without markup."""
        return words_of(await self.get(path, status=status))

    async def post(self, path: str, *, at: str, status: int = 303, **fields: Any) -> httpx.Response:
        """Fill in and send the form that stands on the page `at`, with the hidden fields it gave."""
        page = await self.get(at)
        hidden = {name: found[1] for name in ("_csrf_token", "_acting") if (found := _hidden(page, name))}
        answer = await self.client.post(path, data=hidden | fields)
        assert answer.status_code == status, f"{path}: {answer.status_code}\n{words_of(answer.text)[:600]}"
        return answer


@dataclass
class House:
    """The panel over one story's database."""

    app: Litestar
    settings: Settings
    store: Store
    cast: Cast
    clock: Clock

    async def visit(self, name: str, *, at: str | None = None) -> Visit:
        """Somebody of the cast, signed in."""
        identity = self.cast.identity(name, at=at)
        why = "the story signs somebody in"
        async with self.store.work(Actor.house(why), Reach.everywhere(why), self.clock.now) as session:
            _, secret = await SignIn.start(session, identity, ORIGIN, "a story's browser", self.clock.now)
        transport = httpx.ASGITransport(cast_type(Any, self.app), raise_app_exceptions=True)
        client = httpx.AsyncClient(transport=transport, base_url=PANEL, headers={"accept": "text/html"})
        client.cookies.set(self.settings.cookie("sign-in"), secret)
        return Visit(client)


def open_house(store: Store, cast: Cast, clock: Clock, settings: Settings) -> House:
    """The product itself, at the story's time."""
    return House(create_app(settings, clock=lambda: clock.now, store=store), settings, store, cast, clock)


def words_of(html: str) -> str:
    """What a page says, markup and white space folded away; its main part where it has one."""
    main = re.search(r"<main.*?</main>", html, re.DOTALL)
    text = re.sub(r"<(script|style|svg)\b.*?</\1>", " ", main[0] if main else html, flags=re.DOTALL)
    return unescape(" ".join(re.sub(r"<[^>]+>", " ", text).split()))


def _hidden(page: str, name: str) -> re.Match[str] | None:
    return re.search(rf'name="{name}" value="([^"]*)"', page)
