"""Impersonations as pages show them: who is whom and where, why, how long still, and how it ended.

Names are those that the row keeps. Only what lies in the reader's reach besides becomes a link.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.apps import App
from bindings.impersonation import Impersonation, goes_on
from control.pages.parts.asked import id_in, matching, one_of
from control.pages.parts.ended_how import causes, ended_how
from control.pages.parts.history import THROUGH_ONE
from control.pages.parts.shown_bindings import fellow_operators
from tenants.actor import Actor
from tenants.people import Membership
from tenants.reach import below
from tenants.roles import Permission, Role
from tenants.trail import Entry
from tenants.tree import Tenant, find_tenant

PAST = "past"
FILTERS = ("q", "state", "where", "cause", "company", "person", "sort")
SORTS = {
    "id": Impersonation.id,
    "started": Impersonation.id,
    "who": Impersonation.actor_name,
    "whom": Impersonation.subject_name,
}
CONFIRMED = timedelta(seconds=60)
"""An app that has said for so long nothing of its banner may show none."""


class Where(StrEnum):
    """Where somebody appears as somebody else."""

    PANEL = "panel"
    APP = "app"
    PROGRAM = "program"


@dataclass(frozen=True, slots=True)
class ShownImpersonation:
    """One row of a list of impersonations."""

    id: int
    user_id: int
    tenant_id: int
    kind: str
    where: Where
    app: str | None
    """The app's name, where the reader sees the app."""
    actor_name: str
    actor_href: str | None
    subject_name: str
    subject_email: str
    subject_href: str | None
    tenant_name: str
    tenant_href: str | None
    number: str | None
    mode: str
    reason: str | None
    ticket: str | None
    created_at: datetime
    ends_at: datetime
    seen_at: datetime | None
    banner_at: datetime | None
    """When the app last said that it shows the banner; None once that is too long ago."""
    ended_at: datetime | None
    ended_how: str | None
    """How it ended, in words; None while it goes on."""
    seconds: int
    """How long it has been going on, or went on."""
    changes: int
    own: bool
    endable: bool
    """Whether to offer the button; the verb itself decides when it is pressed."""


@dataclass(frozen=True, slots=True)
class Around:
    """What the reader sees of what some rows point at, read once for all of them."""

    apps: dict[int, str]
    people: dict[int, int]
    """Users in reach, by membership."""
    tenants: set[int]
    fellows: set[int]
    changes: dict[int, int]


async def impersonations_asked(
    session: AsyncSession, params: Mapping[str, Any], now: datetime
) -> sa.Select[Impersonation]:
    """What an address asks of the list: those that go on, or with `state=past` those that are over.

    Invalid for what is no filter; OutOfReach for a company that is none.
    """
    row = Impersonation
    live = goes_on(now)
    wanted = sa.select(row).where(sa.not_(live) if one_of(params, "state", PAST) else live)
    text = (row.actor_name, row.subject_name, row.subject_email, row.tenant_name)
    more = (row.number, row.reason, row.ticket)
    wanted = wanted.where(matching(params.get("q", ""), *text, *(sa.func.coalesce(each, "") for each in more)))
    where, cause = one_of(params, "where", *Where), one_of(params, "cause", *causes("en"))
    if where:
        wanted = wanted.where(_at(Where(where)))
    if cause:
        wanted = wanted.where(row.ended_cause == cause)
    if (company := id_in(params, "company")) is not None:
        place = await find_tenant(session, company)
        wanted = wanted.where(row.tenant_id.in_(sa.select(Tenant.id).where(below(Tenant.path, place.path))))
    if (person := id_in(params, "person")) is not None:
        wanted = wanted.where(row.user_id == person)
    return wanted


def _at(where: Where) -> sa.ColumnElement[bool]:
    row = Impersonation
    if where is Where.PROGRAM:
        return row.kind == "token"
    return sa.and_(row.kind != "token", row.app_id.is_not(None) if where is Where.APP else row.app_id.is_(None))


async def shown_impersonations(
    session: AsyncSession, rows: Sequence[Impersonation], actor: Actor, now: datetime, locale: str
) -> list[ShownImpersonation]:
    """These impersonations, in as many statements however many they are."""
    around = await _around(session, rows, actor)
    return [_shown(row, around, actor, now, locale) for row in rows]


def _shown(row: Impersonation, around: Around, actor: Actor, now: datetime, locale: str) -> ShownImpersonation:
    cause, ended_at = row.over(now) or (None, None)
    confirmed = row.banner_at is not None and now - row.banner_at <= CONFIRMED
    own = actor.true is not None and actor.true.user_id == row.user_id
    sees = actor.may(Permission.SEE_PEOPLE)
    return ShownImpersonation(
        id=row.id,
        user_id=row.user_id,
        tenant_id=row.tenant_id,
        kind=row.kind,
        where=_where(row),
        app=around.apps.get(row.app_id or 0),
        actor_name=row.actor_name,
        actor_href=_link("/users/", around.people.get(row.actor_membership_id) if sees else None),
        subject_name=row.subject_name,
        subject_email=row.subject_email,
        subject_href=_link("/users/", around.people.get(row.subject_membership_id) if sees else None),
        tenant_name=row.tenant_name,
        tenant_href=_link("/companies/", row.tenant_id if sees and row.tenant_id in around.tenants else None),
        number=row.number,
        mode=row.mode,
        reason=row.reason,
        ticket=row.ticket,
        created_at=row.created_at,
        ends_at=row.ends_at,
        seen_at=row.seen_at,
        banner_at=row.banner_at if confirmed else None,
        ended_at=ended_at,
        ended_how=ended_how(cause, locale) if ended_at else None,
        seconds=max(0, int(((ended_at or now) - row.created_at).total_seconds())),
        changes=around.changes.get(row.id, 0),
        own=own,
        endable=ended_at is None and not actor.look and (own or _endable(row, around, actor)),
    )


def _where(row: Impersonation) -> Where:
    if row.kind == "token":
        return Where.PROGRAM
    return Where.APP if row.app_id is not None else Where.PANEL


def _link(place: str, number: int | None) -> str | None:
    return f"{place}{number}" if number is not None else None


def _endable(row: Impersonation, around: Around, actor: Actor) -> bool:
    if actor.standing.membership_id == row.subject_membership_id:
        return True
    admin = actor.standing.role is Role.ADMIN
    return actor.may(Permission.END_STAND_INS) and (admin or row.actor_membership_id in around.fellows)


async def _around(session: AsyncSession, rows: Sequence[Impersonation], actor: Actor) -> Around:
    actors = {row.actor_membership_id for row in rows}
    members = actors | {row.subject_membership_id for row in rows}
    apps = sa.select(App.id, App.name).where(App.id.in_({row.app_id for row in rows}))
    people = sa.select(Membership.id, Membership.user_id).where(Membership.id.in_(members))
    tenants = sa.select(Tenant.id).where(Tenant.id.in_({row.tenant_id for row in rows}))
    return Around(
        {each.id: each.name for each in await session.execute(apps)},
        {each.id: each.user_id for each in await session.execute(people)},
        set(await session.scalars(tenants)),
        await fellow_operators(session, actors, actor),
        await _changes(session, rows),
    )


async def _changes(session: AsyncSession, rows: Sequence[Impersonation]) -> dict[int, int]:
    """How much was changed through each: the entries that say what was something else before."""
    wanted = (
        sa.select(Entry.stand_in_id, sa.func.count())
        .where(
            Entry.subject_membership_id.in_({row.subject_membership_id for row in rows}),
            Entry.stand_in_id.in_({row.id for row in rows}),
            through_one(),
            Entry.record_type != Impersonation.__tablename__,
            sa.cast(Entry.changes, sa.String()) != "{}",
        )
        .group_by(Entry.stand_in_id)
    )
    return {int(number or 0): count for number, count in await session.execute(wanted)}


def through_one() -> sa.ColumnElement[bool]:
    """What was done through an impersonation or an exchanged token."""
    return Entry.via.in_(sorted(THROUGH_ONE))


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest of those that go on, and how many there are."""

    rows: list[ShownImpersonation]
    total: int


async def newest_live(session: AsyncSession, actor: Actor, now: datetime, locale: str, limit: int = 8) -> Newest:
    """Those that go on, in brief."""
    live = sa.select(Impersonation).where(goes_on(now))
    rows = list(await session.scalars(live.order_by(Impersonation.id.desc()).limit(limit)))
    total = (await session.execute(sa.select(sa.func.count()).select_from(live.subquery()))).scalar_one()
    return Newest(await shown_impersonations(session, rows, actor, now, locale), total)
