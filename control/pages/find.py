"""Find: one search box over extensions, people and companies in reach, as a page or as the palette's results."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from litestar import Request, Response, get
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from control.doors import SIGNED_IN
from control.pages.parts.asked import matching, words_in
from control.pages.parts.becoming import Becoming, best_of
from control.pages.parts.extension_rows import becoming_users
from control.pages.parts.session import Session
from control.pages.parts.shown_bindings import may_bind
from control.pages.parts.user_rows import becoming_people, memberships_of
from control.shell import page
from control.speech import speech
from control.visitor import Visitor
from tenants.actor import Actor
from tenants.people import Membership, User
from tenants.phones import Extension, PhoneSystem
from tenants.refusals import OutOfReach
from tenants.roles import Permission
from tenants.tree import Tenant

MOST = 7
"""Hits of each kind: the sought one is among the first, or one more word finds it."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One thing that was found."""

    href: str
    label: str
    sub: str
    icon: str
    bind_href: str | None = None
    as_href: str | None = None


@get("/find", may=SIGNED_IN, outlives=False, include_in_schema=False)
async def find(request: Request[Visitor, Any, Any], session: Session) -> Response[Any]:
    """What holds every word that was typed; what lies out of reach is as if it were not there."""
    actor, sought = request.user.actor, words_in(request.query_params, "q")
    if actor is None:
        raise OutOfReach
    _ = speech(request)
    groups: list[tuple[str, list[Hit]]] = []
    if sought:
        if actor.may(Permission.SEE_PHONES):
            groups.append((_("Extensions"), await extensions(session, actor, sought)))
        if actor.may(Permission.SEE_PEOPLE):
            groups.append((_("Users"), await people(session, actor, sought)))
        if actor.may(Permission.SEE_TENANTS):
            groups.append((_("Companies and organizations"), await places(session, sought)))
    found = [(label, hits) for label, hits in groups if hits]
    return page(request, "find.html", title=_("Find"), sought=sought, groups=found)


async def extensions(session: AsyncSession, actor: Actor, sought: str) -> list[Hit]:
    """By number, user, company or phone system; the exact number first, then the shortest that begins with it."""
    first = sought.split()[0]
    wanted = (
        sa.select(Extension)
        .join(Tenant, Tenant.id == Extension.tenant_id)
        .join(PhoneSystem, PhoneSystem.id == Extension.phone_system_id)
        .outerjoin(Membership, Membership.id == Extension.membership_id)
        .outerjoin(User, User.id == Membership.user_id)
        .where(Extension.discarded_at.is_(None), PhoneSystem.discarded_at.is_(None), Tenant.discarded_at.is_(None))
        .options(
            joinedload(Extension.tenant),
            joinedload(Extension.phone_system),
            joinedload(Extension.membership).joinedload(Membership.user),
        )
        .order_by(Extension.number != first, sa.func.length(Extension.number), Extension.number, Tenant.name)
        .limit(MOST)
    )
    for word in sought.split()[:8]:
        named = matching(word, Tenant.name, PhoneSystem.name, *_blank(User.name, User.email, Extension.name))
        # A number is looked for from its beginning: nobody knows the middle of one.
        wanted = wanted.where(sa.or_(Extension.number.startswith(word, autoescape=True), named))
    found = list(await session.scalars(wanted))
    as_whom = await becoming_users(session, actor, found)
    return [_extension_hit(actor, each, as_whom.get(each.id)) for each in found]


def _blank(*columns: Any) -> list[sa.ColumnElement[str]]:
    """Columns that may be empty, as text that can be compared."""
    return [sa.func.coalesce(column, "") for column in columns]


def _extension_hit(actor: Actor, extension: Extension, become: Becoming | None) -> Hit:
    user = extension.membership.user if extension.membership else None
    bindable = user is not None and may_bind(actor) and user.id != actor.standing.user_id
    tab = f"/users/{actor.standing.user_id}/bindings"
    return Hit(
        href=f"/extensions/{extension.id}",
        label=f"{extension.number} {user.name}" if user else extension.number,
        sub=f"{extension.tenant.name}, {extension.phone_system.name}",
        icon="phone",
        bind_href=f"{tab}?phone_system={extension.phone_system_id}&extension={extension.id}" if bindable else None,
        as_href=opens(become),
    )


def opens(become: Becoming | None) -> str | None:
    """The question, which comes back to the page it was asked from; None where a rule is known to refuse."""
    return become.href if become is not None and become.barred is None else None


async def people(session: AsyncSession, actor: Actor, sought: str) -> list[Hit]:
    """By name or address; who begins with what was typed comes first."""
    wanted = (
        sa.select(User)
        .where(User.discarded_at.is_(None), ~User.service, matching(sought, User.name, User.email))
        .order_by(sa.not_(User.name.istartswith(sought, autoescape=True)), User.name, User.id)
        .limit(MOST)
    )
    found = list(await session.scalars(wanted))
    places = await memberships_of(session, [user.id for user in found])
    as_whom = await becoming_people(session, actor, found, places)
    return [
        Hit(
            f"/users/{user.id}",
            user.name,
            user.email,
            "user",
            as_href=opens(best_of(as_whom.get(user.id, []))),
        )
        for user in found
    ]


async def places(session: AsyncSession, sought: str) -> list[Hit]:
    """By name or short name; who begins with what was typed comes first."""
    wanted = (
        sa.select(Tenant)
        .where(Tenant.discarded_at.is_(None), matching(sought, Tenant.name, Tenant.slug))
        .order_by(sa.not_(Tenant.name.istartswith(sought, autoescape=True)), Tenant.name, Tenant.id)
        .limit(MOST)
    )
    return [
        Hit(f"/companies/{tenant.id}", tenant.name, tenant.slug, "building-2")
        for tenant in await session.scalars(wanted)
    ]


ROUTES = [find]
