"""Orphans: links that were broken because what they lead to is out of use, found by kind and mended by its own verb.

Each kind is one query, driven from what is discarded or waits, which is little beside what is in use. Mending never
makes or widens anything: it lets go of what leads nowhere.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from bindings.binding import Binding, staleness
from bindings.unfit_logins import change_extension, discard_extension, withdraw_licence
from tenants.invitations import Invitation
from tenants.numbers import InboundNumber
from tenants.people import Membership, User
from tenants.phones import Extension, Licence, PhoneSystem
from tenants.refusals import Conflict
from tenants.teams import TeamMember

COUNTED = 1000
"""How many of a kind are counted; beyond that there are "more than"."""
AT_ONCE = 200
"""How many are mended in one transaction."""

Mend = Callable[[AsyncSession, Any, datetime], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Orphans:
    """One kind of broken link: how it is found, and what mends one of them."""

    name: str
    broken: Callable[[], sa.Select[Any]]
    mend: Mend


def _gone_people() -> sa.CompoundSelect[int]:
    """Memberships that ended, themselves or with their person."""
    ended = sa.select(Membership.id).where(Membership.discarded_at.is_not(None))
    theirs = sa.select(Membership.id).join(User, User.id == Membership.user_id).where(User.discarded_at.is_not(None))
    return sa.union(ended, theirs)


def _gone_extensions() -> sa.Select[int]:
    return sa.select(Extension.id).where(Extension.discarded_at.is_not(None))


def stranded_extensions() -> sa.Select[Extension]:
    """In use, on a phone system that is not."""
    gone = sa.select(PhoneSystem.id).where(PhoneSystem.discarded_at.is_not(None))
    return sa.select(Extension).where(Extension.discarded_at.is_(None), Extension.phone_system_id.in_(gone))


def held_by_the_gone() -> sa.Select[Extension]:
    """In use, and somebody's who has left."""
    return sa.select(Extension).where(Extension.discarded_at.is_(None), Extension.membership_id.in_(_gone_people()))


def silent_numbers() -> sa.Select[InboundNumber]:
    """Numbers that ring at an extension out of use."""
    return sa.select(InboundNumber).where(
        InboundNumber.discarded_at.is_(None), InboundNumber.extension_id.in_(_gone_extensions())
    )


def lost_licences() -> sa.Select[Licence]:
    """Licences that take a seat for an extension out of use."""
    return (
        sa.select(Licence)
        .where(Licence.discarded_at.is_(None), Licence.extension_id.in_(_gone_extensions()))
        .options(joinedload(Licence.product))
    )


def empty_places() -> sa.Select[TeamMember]:
    """Places in teams of people who have left."""
    return sa.select(TeamMember).where(TeamMember.left_at.is_(None), TeamMember.membership_id.in_(_gone_people()))


def dead_bindings() -> sa.Select[Binding]:
    """Open bindings whose extension is out of use or somebody else's by now, or whose subject has left."""
    return (
        sa.select(Binding)
        .join(Extension, Extension.id == Binding.extension_id)
        .where(
            Binding.ended_at.is_(None),
            sa.or_(
                Extension.discarded_at.is_not(None),
                Extension.membership_id.is_distinct_from(Binding.subject_membership_id),
                Binding.subject_membership_id.in_(_gone_people()),
            ),
        )
    )


def void_invitations() -> sa.Select[Invitation]:
    """Waiting invitations with an extension that nobody will get by them."""
    return (
        sa.select(Invitation)
        .join(Extension, Extension.id == Invitation.extension_id)
        .where(
            Invitation.accepted_at.is_(None),
            Invitation.revoked_at.is_(None),
            sa.or_(Extension.discarded_at.is_not(None), Extension.membership_id.is_not(None)),
        )
    )


async def _release(session: AsyncSession, extension: Extension, now: datetime) -> None:
    await change_extension(session, extension, now, membership=None)


async def _silence(session: AsyncSession, number: InboundNumber, now: datetime) -> None:
    await number.change(session, extension=None)


async def _withdraw(session: AsyncSession, licence: Licence, now: datetime) -> None:
    await withdraw_licence(session, licence, now)


async def _leave(session: AsyncSession, place: TeamMember, now: datetime) -> None:
    await place.leave(session, now)


async def _end(session: AsyncSession, binding: Binding, now: datetime) -> None:
    stale = await staleness(session, binding, now)
    await binding.end(session, f"stale_{stale.rule}" if stale else "stale_extension", now)


async def _forget(session: AsyncSession, invitation: Invitation, now: datetime) -> None:
    await invitation.forget_extension(session)


KINDS = {
    kind.name: kind
    for kind in (
        Orphans("stranded-extensions", stranded_extensions, discard_extension),
        Orphans("held-extensions", held_by_the_gone, _release),
        Orphans("numbers", silent_numbers, _silence),
        Orphans("licences", lost_licences, _withdraw),
        Orphans("team-places", empty_places, _leave),
        Orphans("bindings", dead_bindings, _end),
        Orphans("invitations", void_invitations, _forget),
    )
}
"""Every kind by its name, those first whose mending mends others."""


async def how_many(session: AsyncSession, kind: Orphans) -> int:
    """How many there are in reach; at most COUNTED + 1 are counted."""
    statement = kind.broken()
    entity = statement.column_descriptions[0]["entity"]
    found = statement.with_only_columns(entity.id).options().limit(COUNTED + 1).subquery()
    return await session.scalar(sa.select(sa.func.count()).select_from(found)) or 0


async def some_of(session: AsyncSession, kind: Orphans, limit: int, *, only: int | None = None) -> list[Any]:
    """The first of a kind in reach; with `only` that one, when it is broken still."""
    statement = kind.broken()
    entity = statement.column_descriptions[0]["entity"]
    if only is not None:
        statement = statement.where(entity.id == only)
    return list(await session.scalars(statement.order_by(entity.id).limit(limit)))


async def mend(session: AsyncSession, kind: Orphans, now: datetime, *, only: int | None = None) -> int:
    """Mend one of a kind, or the first AT_ONCE of them; gives how many. Conflict when there is nothing to mend."""
    found = await some_of(session, kind, AT_ONCE, only=only)
    if not found:
        raise Conflict("There is nothing to mend here any more.")
    for thing in found:
        await kind.mend(session, thing, now)
    return len(found)
