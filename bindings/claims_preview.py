"""What an ID token would say of a login before anybody logs in: by the function that makes tokens, and never signed."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from bindings.apps import App
from bindings.claims import LoginFacts, Phone, StandIn, id_token_claims
from bindings.resolving import Granted, licence_of
from bindings.tokens import ACCESS_LIVES
from tenants.people import Membership, User
from tenants.phones import Extension, PhoneSystem
from tenants.tree import Tenant

AT_THE_LOGIN = "made at the login"
"""In the place of the `sid`."""
PASSWORD = ("pwd",)
"""How the person would have proved who they are, for all that is known beforehand."""

_members, _people, _tree = Membership.__table__, User.__table__, Tenant.__table__
_phones, _systems = Extension.__table__, PhoneSystem.__table__


async def preview_claims(
    session: AsyncSession | AsyncConnection, issuer: str, app: App, granted: Granted, now: datetime
) -> dict[str, Any]:
    """The claims of a login that was resolved as granted, if it began now, with every scope that the app may ask for.

    A token has `nonce` and `at_hash` besides, which are of the request and of the access token with it.
    """
    until = now + ACCESS_LIVES
    return id_token_claims(
        await _facts(session, app, granted, now),
        issuer=issuer,
        client_id=app.client_id,
        scope=" ".join(app.may_ask),
        now=now,
        until=until if granted.ends_at is None else min(until, granted.ends_at),
        nonce=None,
    )


async def _facts(session: AsyncSession | AsyncConnection, app: App, granted: Granted, now: datetime) -> LoginFacts:
    actor, subject, binding = granted.actor, granted.subject, granted.binding
    wanted = (
        sa.select(_people.c.email, _people.c.email_verified_at, _tree.c.kind)
        .select_from(_members)
        .join(_people, _people.c.id == _members.c.user_id)
        .join(_tree, _tree.c.id == _members.c.tenant_id)
        .where(_members.c.id == subject.membership_id)
    )
    person = (await session.execute(wanted)).one()
    phone = None
    if subject.extension_id is not None:
        on = sa.select(_systems.c.id, _systems.c.name, _systems.c.host)
        on = on.join(_phones, _phones.c.phone_system_id == _systems.c.id).where(_phones.c.id == subject.extension_id)
        phone = Phone(*(await session.execute(on)).one())
    licence = await licence_of(session, app, subject)
    return LoginFacts(
        sid=AT_THE_LOGIN,
        auth_time=now,
        methods=PASSWORD,
        subject_id=subject.membership_id,
        subject_name=subject.name,
        email=person.email,
        email_verified=person.email_verified_at is not None,
        tenant_id=subject.tenant_id,
        tenant_name=subject.tenant_name,
        tenant_kind=person.kind,
        extension=subject.number if phone else None,
        phone=phone,
        app_admin=licence is not None and bool(licence.app_admin),
        actor_id=actor.membership_id,
        actor_name=actor.shown_name,
        actor_role=actor.role,
        stand_in=StandIn(granted.because, binding.id, granted.ends_at, binding.mode) if binding else None,
    )
