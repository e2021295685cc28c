"""How an app proves itself, and where it is told of security events, through the API."""

from datetime import timedelta
from typing import Annotated

from litestar.params import JSONBody
from msgspec import Meta

from bindings.app_credentials import LONGEST, end_old_secret, register_keys, rotate_secret
from bindings.signals import ask_for_signals
from control.api.apps import MANAGE, AppShape, Keys, app_shape, own_app
from control.api.doors import Asked, Session, acting, creates, removes, sets
from control.api.shapes import Address, PathId, Sent, Text
from control.writing.apps import require_sendable, tell_app_changed
from tenants.refusals import NotPermitted

Overlap = Annotated[
    int,
    Meta(ge=0, le=int(LONGEST.total_seconds()), description="How many seconds the old secret stays good; 0: it ends."),
]


class NewSecret(Sent):
    """What becomes of the old secret: it ends at once, unless it is given some time."""

    old_secret_seconds: Overlap = 0


class NewKeys(Sent):
    """Public keys in place of a secret, or in place of the keys there are."""

    jwks: Keys
    old_secret_seconds: Overlap = 0


class Signals(Sent):
    """Where security events are pushed, null for nowhere, and the bearer token that is asked for there, if any."""

    signals_uri: Address | None
    signals_token: Text | None = None


@creates("/apps/{app_id:int}/secret", may=MANAGE, outlives=True, summary="Make a new client secret")
async def rotate_app_secret(
    request: Asked, session: Session, app_id: PathId, data: JSONBody[NewSecret | None] = None
) -> AppShape:
    """The new secret, shown once. Without `old_secret_seconds` the old one ends at once; keys end in any case."""
    app = await own_app(session, app_id)
    keep = timedelta(seconds=data.old_secret_seconds if data else 0)
    return await app_shape(request, session, app, await rotate_secret(session, app, request.user.now, keep))


@removes("/apps/{app_id:int}/old-secret", may=MANAGE, outlives=True, summary="End the old client secret now")
async def end_old_app_secret(request: Asked, session: Session, app_id: PathId) -> None:
    """The one of before the last change opens nothing from now on."""
    await end_old_secret(session, await own_app(session, app_id), request.user.now)


@sets("/apps/{app_id:int}/keys", may=MANAGE, outlives=True, summary="Register public keys in place of a secret")
async def set_app_keys(request: Asked, session: Session, app_id: PathId, data: JSONBody[NewKeys]) -> AppShape:
    """The app proves itself by them from now on (`private_key_jwt`); its secret ends, or stays good as long as said."""
    app = await own_app(session, app_id)
    await register_keys(session, app, data.jwks, request.user.now, timedelta(seconds=data.old_secret_seconds))
    return await app_shape(request, session, app)


@sets("/apps/{app_id:int}/signals", may=MANAGE, outlives=True, summary="Say where an app is told of security events")
async def set_app_signals(request: Asked, session: Session, app_id: PathId, data: JSONBody[Signals]) -> AppShape:
    """Where none is told yet, a key may say so. Another address asks for a fresh proof, which no key can give."""
    app, house = await own_app(session, app_id), request.app.state.house
    before = app.signals_uri
    if before is not None and data.signals_uri != before:
        raise NotPermitted(
            "A key cannot change signals_uri: that asks for a fresh sign-in. Do it on the app's page.", rule="proof"
        )
    if data.signals_uri is not None:
        require_sendable(house.settings, data.signals_uri, "signals_uri")
    await ask_for_signals(session, house.settings.secret_key, app, data.signals_uri, data.signals_token)
    if app.signals_uri != before:
        await tell_app_changed(house, session, acting(request), app, ["signals_uri"], request.user.now)
    return await app_shape(request, session, app)


ROUTES = [rotate_app_secret, end_old_app_secret, set_app_keys, set_app_signals]
