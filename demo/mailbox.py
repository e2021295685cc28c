"""The demo's mailbox: the letters that the panel would have sent, at `http://mailbox.localhost:<apps port>`.

It reads the folder where the panel leaves them, and knows nothing else of it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

from litestar import Litestar, Request, Response, get
from litestar.datastructures import MutableScopeHeaders
from litestar.exceptions import HTTPException, NotFoundException
from litestar.plugins.jinja import JinjaTemplateEngine
from litestar.response import Template
from litestar.template.config import TemplateConfig
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from demo.pages import ICON, STYLE_URL, style

TEMPLATES = Path(__file__).parent / "templates"
NAME = re.compile(r"\d{8}-\d{6}-\d{1,19}")
"""How the panel calls a letter; nothing else is a letter, and nothing else is opened."""
NEWEST = 100
APP = {"client_id": "mailbox", "title": "Mailbox"}
HUE = "25"

PAGE = (
    "default-src 'none'; style-src 'self'; img-src 'self'; frame-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
# The letter itself: nothing is fetched and nothing runs; a link that is clicked takes the whole window along.
LETTER = (
    "sandbox allow-top-navigation-by-user-activation; default-src 'none'; style-src 'unsafe-inline'; "
    "frame-ancestors 'self'"
)


@dataclass(frozen=True)
class Letter:
    """One letter of the folder."""

    name: str
    message: EmailMessage

    @property
    def subject(self) -> str:
        """What it is about."""
        return str(self.message["Subject"] or "")

    @property
    def to(self) -> str:
        """To whom."""
        return str(self.message["To"] or "")

    @property
    def sender(self) -> str:
        """From whom."""
        return str(self.message["From"] or "")

    @property
    def date(self) -> datetime | None:
        """When it was sent."""
        header: Any = self.message["Date"]
        found: datetime | None = getattr(header, "datetime", None)
        return found

    def part(self, kind: str) -> str:
        """The plain or the HTML part; empty where there is none."""
        body = self.message.get_body((kind,))
        return str(body.get_content()) if body is not None else ""


def read_letter(folder: Path, name: str) -> Letter | None:
    """The letter of that name, if there is one."""
    if NAME.fullmatch(name) is None:
        return None
    try:
        content = (folder / f"{name}.eml").read_bytes()
    except OSError:
        return None
    message: Any = message_from_bytes(content, policy=default)
    return Letter(name, message)


def newest(folder: Path) -> list[Letter]:
    """The newest letters, newest first. The folder is there once the first was sent."""
    numbered = ((path.stem, int(path.stem.rpartition("-")[2])) for path in folder.glob("*.eml") if _is_letter(path))
    names = [name for name, _ in sorted(numbered, key=lambda each: (each[0][:15], each[1]), reverse=True)]
    return [letter for name in names[:NEWEST] if (letter := read_letter(folder, name)) is not None]


def _is_letter(path: Path) -> bool:
    return NAME.fullmatch(path.stem) is not None


@get("/", sync_to_thread=True)
def every(request: Request[Any, Any, Any]) -> Template:
    """The list of letters."""
    return _page("mailbox.html", letters=newest(request.app.state.folder))


@get("/letters/{name:str}", sync_to_thread=True)
def one(request: Request[Any, Any, Any], name: str) -> Template:
    """One letter: its plain part with links, and its HTML in a frame."""
    return _page("letter.html", letter=_found(request, name))


@get("/letters/{name:str}/html", sync_to_thread=True)
def as_html(request: Request[Any, Any, Any], name: str) -> Response[str]:
    """The HTML part as it is, but for where its links open."""
    html = _found(request, name).part("html").replace("<head>", '<head><base target="_top">', 1)
    return Response(html, media_type="text/html", headers={"Content-Security-Policy": LETTER})


@get("/icon.svg", media_type="image/svg+xml", sync_to_thread=False)
def icon() -> str:
    """The icon in the mailbox's colour."""
    return ICON.replace("HUE", HUE)


def _found(request: Request[Any, Any, Any], name: str) -> Letter:
    letter = read_letter(request.app.state.folder, name)
    if letter is None:
        raise NotFoundException("There is no such letter.")
    return letter


def _page(template: str, status: int = 200, **context: Any) -> Template:
    headers = {"Content-Security-Policy": PAGE}
    return Template(template, context={"app": APP, **context}, status_code=status, headers=headers)


def _problem(_: Request[Any, Any, Any], raised: HTTPException) -> Template:
    return _page("no_letter.html", raised.status_code, sentence=raised.detail)


async def _strict(message: Message, _: Scope) -> None:
    if message["type"] == "http.response.start":
        sent = MutableScopeHeaders.from_message(message)
        sent.update({"Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff"})
        sent.setdefault("Content-Security-Policy", PAGE)
        sent.setdefault("Cache-Control", "no-store")


def make_mailbox(folder: Path) -> Litestar:
    """The server of the mailbox over `folder`."""

    def name_style(engine: JinjaTemplateEngine) -> None:
        engine.engine.globals["style_url"] = STYLE_URL

    served = Litestar(
        route_handlers=[every, one, as_html, icon, style],
        exception_handlers={HTTPException: _problem},
        template_config=TemplateConfig(directory=TEMPLATES, engine=JinjaTemplateEngine, engine_callback=name_style),
        before_send=[_strict],
        openapi_config=None,
        logging_config=None,
    )
    served.state.folder = folder
    return served


def by_host(hosts: Mapping[str, ASGIApp], otherwise: ASGIApp) -> ASGIApp:
    """Each request to the server of its Host header; all others, and what is no request, to `otherwise`."""

    async def choose(scope: Scope, receive: Receive, send: Send) -> None:
        host = dict(scope.get("headers", ())).get(b"host", b"").decode("latin-1")
        await hosts.get(host, otherwise)(scope, receive, send)

    return choose
