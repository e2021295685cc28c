"""One's own account: profile, API keys, sign-ins, and the apps one agreed to. Nobody who stands in comes in here.

What asks for a proof of who is there, which no key can give, is done in the panel: a new key, a password, a factor.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import sqlalchemy as sa
from litestar.params import JSONBody
from msgspec import UNSET, Struct, UnsetType
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.app_consents import AppConsent, consents_of, own_consent
from control.api.doors import Asked, Session, acting, alters, reads, removes
from control.api.lists import Asking, page
from control.api.shapes import Listed, Named, PathId, Sent, Text, given
from control.pages.parts.account_page import ZONES
from control.pages.parts.leaving import end_logins_from
from tenants.api_keys import ApiKey
from tenants.people import User
from tenants.refusals import Conflict, Invalid, NotPermitted, OutOfReach
from tenants.roles import Permission
from tenants.sign_in import IDLE, LONGEST, SignIn

OWN = Permission.OWN_ACCOUNT
MOST_AGREEMENTS = 1000
"""Apps that somebody agreed to tell who they are; nobody has so many."""


class AccountShape(Struct):
    """How somebody is called, and how the panel looks to them."""

    name: str
    email: str
    zone: str
    """The time zone of dates on pages, as the IANA calls it."""
    theme: str
    keys_on: bool
    """Whether single letters do something on pages."""
    notices_muted: bool
    """No letters about who stood in for them."""


class AccountChange(Sent):
    """What changes of it. The address and the password have ways of their own."""

    name: Text | UnsetType = UNSET
    zone: Text | UnsetType = UNSET
    theme: Literal["system", "light", "dark"] | UnsetType = UNSET
    keys_on: bool | UnsetType = UNSET
    notices_muted: bool | UnsetType = UNSET


class KeyShape(Struct):
    """An API key, never its secret."""

    id: int
    name: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


class SignInShape(Struct):
    """One browser's signed-in spell."""

    id: int
    browser: str
    network: str
    created_at: datetime
    last_seen_at: datetime


class AgreementShape(Struct):
    """What somebody agreed to tell an app that is not of their own organizations."""

    id: int
    app: Named
    scopes: list[str]
    created_at: datetime


@reads("/me/account", may=OWN, summary="Show one's own account", outlives=True)
async def show_account(request: Asked, session: Session) -> AccountShape:
    """Of whose key this is."""
    return _account(await _myself(request, session))


@alters("/me/account", may=OWN, outlives=True, summary="Change one's own account")
async def change_account(request: Asked, session: Session, data: JSONBody[AccountChange]) -> AccountShape:
    """Another name, zone or look; and whether letters come about who stood in."""
    user, fields = await _myself(request, session), given(data)
    if fields.get("zone", user.zone) not in {*ZONES, user.zone}:
        raise Invalid("This is no time zone, such as Europe/London.", field="zone")
    muted = fields.pop("notices_muted", user.notices_muted)
    await user.change(session, **fields)
    await user.mute_notices(session, acting(request), muted=muted)
    return _account(user)


@reads("/me/keys", may=OWN, summary="List one's own API keys", outlives=True)
async def list_keys(request: Asked, session: Session, listing: Asking) -> Listed[KeyShape]:
    """The newest first; with `discarded`, the revoked ones."""
    user = await _myself(request, session)
    wanted = sa.select(ApiKey).where(
        ApiKey.user_id == user.id, listing.like(ApiKey.name), listing.still_there(ApiKey.revoked_at)
    )

    async def shaped(keys: Sequence[ApiKey]) -> list[KeyShape]:
        return [shape_key(key) for key in keys]

    return await page(session, wanted, {"id": ApiKey.id, "name": ApiKey.name}, listing, shaped, sort="-id")


@removes("/me/keys/{key_id:int}", may=OWN, outlives=True, kept_open=True, summary="Revoke one's own API key")
async def revoke_key(request: Asked, session: Session, key_id: PathId) -> None:
    """It ends at once, also the very one that asks."""
    user, key = await _myself(request, session), await session.get(ApiKey, key_id)
    if key is None or key.user_id != user.id:
        raise OutOfReach
    await key.revoke(session, request.user.now)


@reads("/me/sign-ins", may=OWN, summary="List the browsers one is signed in at", outlives=True)
async def list_sign_ins(request: Asked, session: Session, listing: Asking) -> Listed[SignInShape]:
    """The newest first."""
    user, now = await _myself(request, session), request.user.now
    wanted = sa.select(SignIn).where(
        SignIn.user_id == user.id,
        SignIn.ended_at.is_(None),
        SignIn.last_seen_at > now - IDLE,
        SignIn.created_at > now - LONGEST,
        listing.like(SignIn.user_agent, SignIn.network),
    )

    async def shaped(rows: Sequence[SignIn]) -> list[SignInShape]:
        return [SignInShape(row.id, row.user_agent, row.network, row.created_at, row.last_seen_at) for row in rows]

    return await page(session, wanted, {"id": SignIn.id}, listing, shaped, sort="-id")


@removes("/me/sign-ins/{sign_in_id:int}", may=OWN, outlives=True, kept_open=True, summary="Sign out at a browser")
async def end_own_sign_in(request: Asked, session: Session, sign_in_id: PathId) -> None:
    """And out of the apps that were logged in to from there."""
    await _myself(request, session)
    row, now = await session.get(SignIn, sign_in_id), request.user.now
    if row is None:
        raise OutOfReach
    if not row.alive(now):
        raise Conflict("This sign-in has ended already.")
    await row.end(session, acting(request).standing, "ended_by_owner", now)
    await end_logins_from(session, row.id, now)


@reads("/me/agreements", may=OWN, summary="List what one agreed to tell apps", outlives=True)
async def list_agreements(request: Asked, session: Session, listing: Asking) -> Listed[AgreementShape]:
    """Apps of others ask before they are told who somebody is; the newest first."""
    user = await _myself(request, session)
    wanted = sa.select(AppConsent).where(AppConsent.user_id == user.id, AppConsent.revoked_at.is_(None))

    async def shaped(rows: Sequence[AppConsent]) -> list[AgreementShape]:
        # An app that somebody agreed to has a name for them, wherever its owner is.
        names = {row.id: name for row, name in await consents_of(session, user.id, MOST_AGREEMENTS)}
        return [
            AgreementShape(row.id, Named(row.app_id, names.get(row.id, "")), row.scopes.split(), row.created_at)
            for row in rows
        ]

    return await page(session, wanted, {"id": AppConsent.id}, listing, shaped, sort="-id")


@removes("/me/agreements/{app_consent_id:int}", may=OWN, outlives=True, summary="Take back what one agreed to")
async def take_back_agreement(request: Asked, session: Session, app_consent_id: PathId) -> None:
    """The app's logins end, and it asks the next time."""
    user = await _myself(request, session)
    consent, name = await own_consent(session, user.id, app_consent_id)
    await consent.take_back(session, name, request.user.now)


async def _myself(request: Asked, session: AsyncSession) -> User:
    """The person whose key this is; NotPermitted for a service account, which has no account of a person's."""
    user = await session.get_one(User, acting(request).standing.user_id)
    if user.service:
        raise NotPermitted("A service account has no account of a person's.")
    return user


def _account(user: User) -> AccountShape:
    return AccountShape(user.name, user.email, user.zone, user.theme, user.keys_on, user.notices_muted)


def shape_key(key: ApiKey) -> KeyShape:
    """A key as the API shows it."""
    return KeyShape(
        key.id, key.name, key.scopes.split(), key.created_at, key.expires_at, key.last_used_at, key.revoked_at
    )


ROUTES = [
    show_account,
    change_account,
    list_keys,
    revoke_key,
    list_sign_ins,
    end_own_sign_in,
    list_agreements,
    take_back_agreement,
]
