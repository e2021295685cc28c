"""An authorization request as it came: which app asks what, through whose browser, and how it is told no."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from litestar import Request, Response
from litestar.response import Redirect

from bindings.apps import App, known_client
from bindings.clients import Rejected, plain
from bindings.impersonation import Impersonation
from bindings.oauth import AuthorizationRequest, RejectedRequest, check_authorization
from bindings.pushed_requests import PREFIX, Pushed, take_up
from control.house import House
from control.openid.answering import Answer, answer_to, send
from control.openid.issuer import house_of, with_fields
from control.shell import page
from control.speech import speech
from control.visitor import Visitor
from tenants.actor import Actor, Identity

AUTHORIZE = "/oauth/authorize"
OURS = frozenset({"choice", "agreed_as", "_csrf_token", "_acting"})
"""Fields of our own form: in an app's address they mean nothing."""
PROVED_SINCE = "proved_since"
"""Our own field: when a fresh proof was asked for, so that coming back with it is not asked again."""
EXTENSION = "extension"
"""Our own field: the own extension picked in the chooser."""
PROFILE = "profile"
"""Our own field: the own membership without an extension picked in the chooser."""
ON_THE_WAY = (PROVED_SINCE, EXTENSION, PROFILE)
"""What the panel adds to a request's address as the person answers its pages."""

Asked = Request[Visitor, Any, Any]


@dataclass(frozen=True)
class Asking:
    """One authorization request that passed its checks: which app asks what, through whose browser.

    `fields` are those of its address, to come back to; `said` is what the app asked, which of a pushed request
    (RFC 9126) stands in none.
    """

    request: Asked
    app: App
    asked: AuthorizationRequest
    fields: dict[str, str]
    said: dict[str, str]
    pushed: Pushed | None = None

    @property
    def visitor(self) -> Visitor:
        """Who sits at the browser."""
        return self.request.user

    @property
    def now(self) -> datetime:
        """The request's one time."""
        return self.request.user.now

    def again(self, without: tuple[str, ...] = (), **more: str) -> str:
        """This very request as an address of ours, to come back to."""
        kept = {name: value for name, value in self.fields.items() if name not in without}
        return with_fields(AUTHORIZE, kept | more)

    def back(self, **said: str) -> Answer:
        """What the app is told, in the way that it asked for."""
        asked = self.asked
        return answer_to(self.request, asked.redirect_uri, asked.state, said, by_form=asked.by_form)

    def go(self, address: str) -> Response[Any]:
        """Lead the browser on; after a form it goes and looks."""
        return Redirect(address, status_code=302 if self.request.method == "GET" else 303)

    def refuse(self, error: str, sentence: str) -> Response[Any]:
        """Tell the app no."""
        return send(self.request, self.back(error=error, error_description=plain_ascii(sentence)))


@dataclass(frozen=True, slots=True)
class Party:
    """Who logs in: the person as themselves, with their own profiles, and what they chose to be seen through."""

    actor: Actor
    identities: list[Identity]
    through: Impersonation | None = None


async def asking_of(request: Asked, fields: dict[str, str]) -> Asking:
    """The request, when it passes its checks. Raises Rejected; RejectedRequest once the app is known."""
    fields = {name: value for name, value in fields.items() if name not in OURS}
    app = await _asking_app(house_of(request), fields)
    if not fields.get("request_uri", "").startswith(PREFIX):
        return Asking(request, app, check_authorization(app, fields), fields, fields)
    pushed = await _pushed(request, app, fields["request_uri"])
    # What else an app writes beside the name of a pushed request means nothing (RFC 9126 section 4).
    kept = {name: fields[name] for name in ("client_id", "request_uri", *ON_THE_WAY) if name in fields}
    return Asking(request, app, check_authorization(app, pushed.fields), kept, pushed.fields, pushed)


def asked_by_an_app(fields: Mapping[str, str]) -> dict[str, str]:
    """A request's fields without those that are ours to add."""
    return {name: value for name, value in fields.items() if name not in OURS and name not in ON_THE_WAY}


async def _pushed(request: Asked, app: App, uri: str) -> Pushed:
    async with house_of(request).store.writer.begin() as connection:
        pushed = await take_up(connection, uri, app.id, request.user.now)
    if pushed is None:
        raise spent()
    return pushed


def spent() -> Rejected:
    """A pushed request that is none, too old, another app's, or was used up by another tab."""
    return Rejected("invalid_request_uri", "This login was used already, or has waited too long. Begin it again.")


async def _asking_app(house: House, fields: Mapping[str, str]) -> App:
    client_id = fields.get("client_id", "")
    if not plain(client_id):
        raise unknown_app()
    async with house.store.hot.connect() as connection:
        app = await known_client(connection, client_id)
    if app is None:
        raise unknown_app()
    return app


def unknown_app() -> Rejected:
    """Nobody is sent anywhere for an app that is not registered."""
    return Rejected("invalid_client", "The app that sent you here is not registered.")


def rejected(request: Asked, refusal: Rejected) -> Response[Any]:
    """An error goes to the app where its address is proven; else a page, and nobody is sent anywhere."""
    if not isinstance(refusal, RejectedRequest) or refusal.redirect_uri is None:
        return _no_way_back(request, refusal.sentence)
    said = {"error": refusal.error, "error_description": plain_ascii(refusal.sentence)}
    return send(request, answer_to(request, refusal.redirect_uri, refusal.state, said, by_form=refusal.by_form))


def _no_way_back(request: Asked, sentence: str) -> Response[Any]:
    _ = speech(request)
    heading = _("This login cannot be begun")
    return page(request, "login/refused.html", status=400, title=heading, sentence=sentence)


def plain_ascii(sentence: str) -> str:
    """A sentence as an `error_description` may hold it (RFC 6749 section 4.1.2.1)."""
    kept = sentence.replace('"', "'").replace("\\", "/").encode("ascii", "replace").decode()
    return "".join(letter if letter.isprintable() else " " for letter in kept)
