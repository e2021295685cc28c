"""Somebody's browser in a story: opens pages, fills in their forms, and is led on."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import unescape
from typing import Any

import httpx
from litestar import Litestar

from control.cast import PASSWORD
from tenants.sign_in import SignIn
from tenants.store import Store
from tests.cast import ORIGIN, Cast, Clock, house_work

PANEL = "http://localhost:8000"
ADDRESS = ORIGIN.address
DOMAIN = "localhost.local"
"""How httpx keeps the cookies of a host without a dot."""


@dataclass
class Visit:
    """One browser at the panel; `page` is what it shows."""

    http: httpx.AsyncClient
    panel: "Panel"
    page: httpx.Response | None = None

    @property
    def shown(self) -> httpx.Response:
        """What the browser shows; there must be something."""
        assert self.page is not None
        return self.page

    async def open(self, path: str, **params: str) -> httpx.Response:
        """Go to a page by its address."""
        self.page = await self.http.get(path, params=params or None, headers={"Accept": "text/html"})
        return self.page

    async def send(
        self, path: str, fields: Mapping[str, str | Sequence[str]] | None = None, **headers: str
    ) -> httpx.Response:
        """Send a form of the page that is open, with the hidden fields that it carries."""
        hidden = {name: self.hidden(name) for name in ("_csrf_token", "_acting")}
        said = {name: value for name, value in hidden.items() if value} | dict(fields or {})
        sent = {"Accept": "text/html"} | {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.post(path, data=said, headers=sent)

    async def follow(self, answer: httpx.Response) -> httpx.Response:
        """Go where an answer leads."""
        assert answer.status_code == 303, answer.text
        return await self.open(answer.headers["location"])

    def hidden(self, name: str) -> str:
        """A hidden field of the page that is open."""
        found = re.search(rf'name="{name}" value="([^"]*)"', self.shown.text)
        return unescape(found[1]) if found else ""

    async def sign_in(self, email: str, password: str = PASSWORD, wanted: str = "") -> httpx.Response:
        """Fill in the sign-in page."""
        await self.open("/sign-in", **({"next": wanted} if wanted else {}))
        return await self.send("/sign-in", {"email": email, "password": password, "next": wanted})

    @property
    def secret(self) -> str | None:
        """The cookie of the sign-in."""
        return self.http.cookies.get(self.panel.cookie, domain=DOMAIN)

    @secret.setter
    def secret(self, secret: str) -> None:
        self.http.cookies.set(self.panel.cookie, secret, domain=DOMAIN)


@dataclass
class Panel:
    """The product over the story's house."""

    app: Litestar
    store: Store
    cast: Cast
    clock: Clock

    @property
    def cookie(self) -> str:
        """The name of the sign-in's cookie."""
        return str(self.app.state.house.settings.cookie("sign-in"))

    def stranger(self, address: str = ADDRESS) -> Visit:
        """A browser that nobody is signed in with."""
        # Litestar types its messages more narrowly than httpx does.
        app: Any = self.app
        return Visit(
            httpx.AsyncClient(transport=httpx.ASGITransport(app, client=(address, 40000)), base_url=PANEL), self
        )

    async def visit(self, name: str, path: str = "/account", *, at: str | None = None) -> Visit:
        """Somebody who signed in a moment ago, with a page open."""
        visit = self.stranger()
        async with house_work(self.store, self.clock.now) as session:
            identity = self.cast.identity(name, at=at)
            _, secret = await SignIn.start(session, identity, ORIGIN, "a browser", self.clock.now)
        visit.secret = secret
        await visit.open(path)
        return visit


def words(answer: httpx.Response) -> str:
    """The text of a page as one reads it."""
    body = re.sub(r"<(script|style|svg)\b.*?</\1>", "", answer.text, flags=re.S)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


def choices(answer: httpx.Response, name: str) -> list[str]:
    """What a list of a form offers."""
    found = re.search(rf'<select[^>]*name="{name}".*?</select>', answer.text, flags=re.S)
    return [unescape(each.strip()) for each in re.findall(r"<option[^>]*>([^<]*)", found[0])] if found else []
