"""What the panel publishes about the security events it pushes, and where an app looks after its stream of them.

OpenID Shared Signals Framework 1.0 sections 7.1 and 8.1, as far as there is anything to say: an app has one stream, of
everybody it signs in. Where it leads is no matter for a secret alone, and stays with the app's page.
"""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec
import sqlalchemy as sa
from litestar import Request, Response, delete, get, patch, post
from msgspec import UNSET, Struct, UnsetType
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.apps import App
from bindings.clients import Credentials, Rejected, confidential, no_such_client
from bindings.signal_streams import PUSH, change_stream, configuration, end_stream, set_status, verify
from bindings.signals import ask_for_signals
from bindings.standing import client_of
from control.doors import ANYONE
from control.openid.by_client import by_client
from control.openid.issuer import fields_of, house_of, issuer_of
from control.visitor import Visitor
from tenants.actor import Actor
from tenants.reach import Reach
from tenants.refusals import Conflict, Invalid

KEPT = {"Cache-Control": "public, max-age=60"}
STREAM, STATUS, VERIFY = "/ssf/stream", "/ssf/status", "/ssf/verify"
BASIC = "urn:ietf:rfc:7617"
BEARER = "Bearer "

Asked = Request[Visitor, Any, Any]
Act = Callable[[AsyncSession, App], Awaitable[Any]]
Wanted = TypeVar("Wanted")


class Delivery(Struct):
    """How it is told; without a header, the token there is stays."""

    method: str
    endpoint_url: str | UnsetType = UNSET
    authorization_header: str | UnsetType = UNSET


class StreamChange(Struct):
    """What changes of a stream. What the panel says of it may come along as it was read."""

    stream_id: str
    events_requested: list[str] | UnsetType = UNSET
    description: str | UnsetType = UNSET
    delivery: Delivery | UnsetType = UNSET
    iss: Any = UNSET
    aud: Any = UNSET
    events_supported: Any = UNSET
    events_delivered: Any = UNSET
    min_verification_interval: Any = UNSET


class StatusChange(Struct):
    """How a stream goes on; the reason is the receiver's own."""

    stream_id: str
    status: str
    reason: str | UnsetType = UNSET


class Verification(Struct):
    """A verification event that is asked for."""

    stream_id: str
    state: str | UnsetType = UNSET


@get("/.well-known/ssf-configuration", may=ANYONE, outlives=False, credential="none", include_in_schema=False)
async def ssf_configuration(request: Asked) -> Response[dict[str, Any]]:
    """Events are pushed, of everybody. No endpoint makes a stream or chooses people, so none is named for that."""
    issuer = issuer_of(request).url
    known: dict[str, Any] = {
        "spec_version": "1_0",
        "issuer": issuer,
        "jwks_uri": f"{issuer}/oauth/jwks",
        "delivery_methods_supported": [PUSH],
        "configuration_endpoint": f"{issuer}{STREAM}",
        "status_endpoint": f"{issuer}{STATUS}",
        "verification_endpoint": f"{issuer}{VERIFY}",
        "authorization_schemes": [{"spec_urn": BASIC}],
        "default_subjects": "ALL",
    }
    return Response(known, headers=KEPT)


@get(STREAM, may=ANYONE, outlives=False, credential="none", quota="app", include_in_schema=False)
async def show_stream(request: Asked) -> Response[Any]:
    """The app's stream by its id, or without one the list of those it has (section 8.1.1.2)."""

    async def show(session: AsyncSession, app: App) -> Any:
        there = [configuration(app, issuer_of(request).url)] if app.signals_uri is not None else []
        named = fields_of(request.url.query).get("stream_id")
        return there if named is None else configuration(_stream(app, named), issuer_of(request).url)

    return await _by_app(request, show)


@patch(STREAM, may=ANYONE, outlives=False, credential="none", quota="app", include_in_schema=False)
async def change(request: Asked) -> Response[Any]:
    """Other events, another description, another token (section 8.1.1.3). Another address is refused."""

    async def make(session: AsyncSession, app: App) -> dict[str, Any]:
        wanted = await _read(request, StreamChange)
        _stream(app, wanted.stream_id)
        issuer = issuer_of(request).url
        _require_same(wanted, configuration(app, issuer))
        if isinstance(wanted.delivery, Delivery):
            await _change_delivery(request, session, app, wanted.delivery)
        requested = wanted.events_requested if isinstance(wanted.events_requested, list) else None
        about = wanted.description if isinstance(wanted.description, str) else None
        await change_stream(session, app, requested=requested, about=about)
        return configuration(app, issuer)

    return await _by_app(request, make)


@delete(STREAM, may=ANYONE, outlives=False, credential="none", quota="app", status_code=200, include_in_schema=False)
async def remove(request: Asked) -> Response[Any]:
    """The app wants to be told no more (section 8.1.1.5)."""

    async def end(session: AsyncSession, app: App) -> None:
        await end_stream(session, _stream(app, fields_of(request.url.query).get("stream_id")))

    return await _by_app(request, end, 204)


@get(STATUS, may=ANYONE, outlives=False, credential="none", quota="app", include_in_schema=False)
async def show_status(request: Asked) -> Response[Any]:
    """Whether it goes on (section 8.1.2.1)."""

    async def show(session: AsyncSession, app: App) -> dict[str, str]:
        return _status(_stream(app, fields_of(request.url.query).get("stream_id")))

    return await _by_app(request, show)


@post(STATUS, may=ANYONE, outlives=False, credential="none", quota="app", status_code=200, include_in_schema=False)
async def change_status(request: Asked) -> Response[Any]:
    """Enable, pause or disable it (section 8.1.2.2)."""

    async def make(session: AsyncSession, app: App) -> dict[str, str]:
        wanted = await _read(request, StatusChange)
        await set_status(session, _stream(app, wanted.stream_id), wanted.status)
        return _status(app)

    return await _by_app(request, make)


@post(VERIFY, may=ANYONE, outlives=False, credential="none", quota="app", status_code=200, include_in_schema=False)
async def ask_verification(request: Asked) -> Response[Any]:
    """Push an event that says nothing but that this works (section 8.1.4.2)."""

    async def ask(session: AsyncSession, app: App) -> None:
        wanted = await _read(request, Verification)
        state = wanted.state if isinstance(wanted.state, str) else None
        await verify(session, _stream(app, wanted.stream_id), state, request.user.now)

    return await _by_app(request, ask, 204)


async def _by_app(request: Asked, act: Act, status: int = 200) -> Response[Any]:
    """What `act` answers an app that shows its secret (RFC 7617), in a transaction of the app's own."""

    async def told(request: Asked, credentials: Credentials, _: Any) -> Any:
        house, now = house_of(request), request.user.now
        actor = Actor.house(f"app {credentials.client_id}", request.user.origin)
        async with house.store.work(actor, Reach.everywhere("stream of security events"), now) as session:
            app = await _proven(session, request, credentials)
            try:
                return await act(session, app)
            except (Invalid, Conflict) as refusal:
                raise Rejected("invalid_request", str(refusal), 400 if isinstance(refusal, Invalid) else 409) from None

    return await by_client(request, told, {}, status, form=False)


async def _proven(session: AsyncSession, request: Asked, credentials: Credentials) -> App:
    wanted = sa.select(App).where(App.client_id == credentials.client_id, App.discarded_at.is_(None))
    app = (await session.scalars(wanted)).one_or_none()
    if app is None:
        raise no_such_client()
    client = client_of(app, request.user.now)
    credentials.prove_client(client)
    if not confidential(client):
        # Whoever knows its id could say that it is this app.
        raise no_such_client()
    return app


def _stream(app: App, named: str | None) -> App:
    """The app, whose stream is named so. Others' are as unknown as none at all."""
    if named is None:
        raise Rejected("invalid_request", "The stream_id is missing.")
    if app.signals_uri is None or named != app.client_id:
        raise Rejected("invalid_request", "There is no such stream.", 404)
    return app


def _status(app: App) -> dict[str, str]:
    return {"stream_id": app.client_id, "status": app.signals_status}


async def _read(request: Asked, kind: type[Wanted]) -> Wanted:
    try:
        return msgspec.json.decode(await request.body(), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as wrong:
        raise Rejected("invalid_request", f"The body cannot be read: {wrong}"[:200]) from None


def _require_same(wanted: StreamChange, known: dict[str, Any]) -> None:
    """What the panel says of a stream is not the receiver's to change."""
    ours = ("iss", "aud", "events_supported", "events_delivered", "min_verification_interval")
    for name in ours:
        if getattr(wanted, name) not in (UNSET, known[name]):
            raise Rejected("invalid_request", f"{name} is not yours to change.")


async def _change_delivery(request: Asked, session: AsyncSession, app: App, wanted: Delivery) -> None:
    if wanted.method != PUSH:
        raise Rejected("invalid_request", f"Events are delivered by {PUSH}.")
    if wanted.endpoint_url not in (UNSET, app.signals_uri):
        raise Rejected("access_denied", "The address of a stream is changed on the app's page in the panel.", 403)
    header = wanted.authorization_header
    if not isinstance(header, str):
        return
    if not header.startswith(BEARER) or header == BEARER:
        raise Rejected("invalid_request", "The authorization_header is Bearer and a token.")
    key = house_of(request).settings.secret_key
    await ask_for_signals(session, key, app, app.signals_uri, header.removeprefix(BEARER))


ROUTES = [
    ssf_configuration,
    show_stream,
    change,
    remove,
    show_status,
    change_status,
    ask_verification,
]
