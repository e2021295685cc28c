"""An app of somebody else's at an origin of its own, with pages that the stories write and a backend of few words."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import sqlalchemy as sa

from bindings.apps import App
from bindings.handoff import hand_off
from bindings.impersonation import Asked, Impersonation
from tenants.actor import Actor
from tenants.people import find_membership
from tenants.store import Store
from tenants.tree import Tenant
from tests.browser.demo_process import REPOSITORY, Demo
from tests.cast import WHY, Cast, house_work

CLIENT_ID = "foreign"
DOC = REPOSITORY / "docs" / "show-the-banner.md"


@dataclass
class Foreign:
    """The app: its pages by path with the policy of each, and the token of who is there."""

    demo: Demo
    cast: Cast
    port: int
    secret: str = ""
    pages: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    """path: (content type, security policy, body)"""
    token: str | None = None
    stand_id: int = 0

    @property
    def origin(self) -> str:
        """Where its pages are."""
        return f"http://foreign.localhost:{self.port}"

    def serve(self, path: str, body: str, *, policy: str = "", kind: str = "text/html") -> str:
        """A page of its own; returns its address."""
        self.pages[path] = (kind, policy, body)
        return f"{self.origin}{path}"

    def documented(self, number: int, language: str = "html") -> str:
        """What the documentation has developers paste, for this panel."""
        blocks = re.findall(rf"```{language}\n(.*?)```", Path(DOC).read_text(), flags=re.S)
        return str(blocks[number]).replace("https://panel.example", self.demo.panel)

    async def register(self) -> None:
        """Known to the panel, as an app of the platform's."""
        store, now = Store(self.demo.database), datetime.now(UTC)
        try:
            async with house_work(store, now) as session:
                owner = await session.get_one(Tenant, self.cast.tenant("Acme").id)
                _, secret = await App.register(
                    session,
                    Actor.house("the story"),
                    owner,
                    name="Foreign",
                    client_id=CLIENT_ID,
                    redirect_uris=[f"{self.origin}/callback"],
                    handoff_uri=f"{self.origin}/open",
                    # Nobody has to agree to it first: that is another story.
                    first_party=True,
                    now=now,
                )
        finally:
            await store.close()
        self.secret = secret or ""

    async def leave(self) -> None:
        """Nobody is signed in there any more, and the panel offers it to no story that follows."""
        store, now = Store(self.demo.database), datetime.now(UTC)
        try:
            async with house_work(store, now) as session:
                app = (await session.scalars(sa.select(App).where(App.client_id == CLIENT_ID))).one()
                open_ones = sa.select(Impersonation).where(
                    Impersonation.app_id == app.id, Impersonation.ended_at.is_(None)
                )
                for stand in (await session.scalars(open_ones)).all():
                    await stand.end(session, "stopped", now)
                await app.discard(session, now)
        finally:
            await store.close()

    async def open_as(self, name: str, subject: str) -> str:
        """Somebody is somebody else at this app, from the panel's start to its access token."""
        store, now, actor = Store(self.demo.database), datetime.now(UTC), self.cast.actor(name)
        try:
            async with store.work(actor, actor.reach(), now) as session:
                app = (await session.scalars(sa.select(App).where(App.client_id == CLIENT_ID))).one()
                there = await find_membership(session, self.cast.membership_id(subject))
                stand = await Impersonation.start(session, actor, there, Asked.of(WHY, app_id=app.id), now)
                address = await hand_off(session, actor, stand, app, None, now)
        finally:
            await store.close()
        form = {"grant_type": "urn:understudy:handoff", "handoff": address.partition("#handoff=")[2]}
        async with httpx.AsyncClient(trust_env=False) as http:
            answer = await http.post(f"{self.demo.panel}/oauth/token", data=form, auth=(CLIENT_ID, self.secret))
        assert answer.status_code == 200, answer.text
        self.stand_id, self.token = stand.id, str(answer.json()["access_token"])
        return self.token

    async def row(self) -> Impersonation:
        """How the last one stands."""
        store, now = Store(self.demo.database), datetime.now(UTC)
        try:
            async with house_work(store, now) as session:
                return await session.get_one(Impersonation, self.stand_id)
        finally:
            await store.close()

    def ask(self, form: bytes | None = None) -> tuple[int, bytes]:
        """What the panel says of who is there: as its backend passes it on."""
        if self.token is None:
            return 204, b""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/x-www-form-urlencoded"}
        method = "POST" if form is not None else "GET"
        with httpx.Client(trust_env=False) as http:
            answer = http.request(method, f"{self.demo.panel}/oauth/acting", content=form, headers=headers)
        return answer.status_code, answer.content


@contextmanager
def serving(demo: Demo, cast: Cast) -> Iterator[Foreign]:
    """The app's server, gone afterwards."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    foreign = Foreign(demo, cast, server.server_address[1])
    server.app = foreign  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield foreign
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    """Serves the pages of a story, and `/my/acting` as the documentation has it."""

    def do_GET(self) -> None:
        self._serve(None)

    def do_POST(self) -> None:
        self._serve(self.rfile.read(int(self.headers.get("Content-Length", "0"))))

    def _serve(self, form: bytes | None) -> None:
        path = urlsplit(self.path).path
        if path == "/my/acting":
            self._answer(*self._app.ask(form), "application/json")
        elif path in self._app.pages:
            kind, policy, body = self._app.pages[path]
            self._answer(200, body.encode(), kind, policy)
        else:
            self._answer(404, b"", "text/plain")

    @property
    def _app(self) -> Foreign:
        app: Foreign = self.server.app  # type: ignore[attr-defined]
        return app

    def _answer(self, status: int, body: bytes, kind: str, policy: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        if policy:
            self.send_header("Content-Security-Policy", policy)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *said: Any) -> None:
        """Quiet."""


def state(**more: Any) -> str:
    """What a backend of somebody else's could say."""
    said = {
        "kind": "impersonation",
        "subject": {"sub": "1", "name": "Dan Dale"},
        "actor": {"sub": "2", "name": "Pia Pine"},
        "reason": "none",
        "ends_at": "2099-01-01T00:00:00+00:00",
        "seconds_left": 600,
        "stop_url": "https://panel.example/stop/1.2",
    }
    return json.dumps(said | more)
