"""Joining: what becomes of invitations when their letter's link, or a person who is signed in, takes them up.

The guard is asked as whoever sent them, as they are now: an invitation is worth what its sender may still do.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from bindings.endings import undiscard_membership
from bindings.resets import reset_access
from tenants.actor import Actor
from tenants.email_changes import release_address
from tenants.factors import factors_of, reset_factors
from tenants.identities import live_identities
from tenants.invitations import Invitation
from tenants.people import Membership, User
from tenants.phones import Extension
from tenants.refusals import NotPermitted
from tenants.roles import Role
from tenants.teams import Team, TeamMember
from tenants.text import named
from tenants.trail import record
from tenants.verbs import Verb


@dataclass(slots=True)
class Joined:
    """What came of a letter's invitations."""

    memberships: list[Membership] = field(default_factory=list)
    void: list[Invitation] = field(default_factory=list)
    """Nobody stands behind these any more."""
    extensions_gone: list[str] = field(default_factory=list)
    """Numbers that were meant for the joiner and that somebody else has by now."""


async def holding(session: AsyncSession, invitations: Sequence[Invitation]) -> list[Invitation]:
    """Those that somebody still stands behind."""
    return [each for each in invitations if await each.voucher(session) is not None]


async def join(session: AsyncSession, invitations: Sequence[Invitation], user: User, now: datetime) -> Joined:
    """Take up those that hold. For a session of the house, which holds the rows of the invitations."""
    joined = Joined()
    for invitation in invitations:
        voucher = await invitation.voucher(session)
        membership = await _place(session, invitation, user, voucher, now) if voucher is not None else None
        if membership is None:
            joined.void.append(invitation)
            continue
        await _speak_as(session, membership)
        gone = await _give_extension(session, invitation, membership)
        await _as_provisioned(session, invitation, membership)
        joined.extensions_gone += [gone] if gone else []
        await invitation.accept(session, membership.id, now, not_given=gone)
        joined.memberships.append(membership)
    return joined


async def reader_of(session: AsyncSession, email: str) -> User | None:
    """The person who has verified this address, discarded or not: it is theirs and nobody else's."""
    user = await _holder(session, email)
    return user if user is not None and user.email_verified_at is not None else None


async def newcomer(session: AsyncSession, invitation: Invitation, name: str, password_hash: str, now: datetime) -> User:
    """The person who reads the letters of an invitation's address, with the password that they chose.

    Somebody may have made a record with that address before without ever proving it, or have had no place for long:
    the record is its reader's, and whatever was used to get in until now ends.
    """
    user = await _holder(session, invitation.email)
    if user is not None and user.discarded_at is not None:
        await release_address(session, user)
        user = None
    if user is None:
        user = await User.create(session, invitation.tenant, name, invitation.email, now)
    else:
        await reset_access(session, user, "address_proved", now)
        if user.email_verified_at is None and (await factors_of(session, user.id)).count:
            await reset_factors(session, user, None, now)
    user.name, user.password_hash, user.email_verified_at = named(name), password_hash, now
    record(session, Verb.EMAIL_VERIFIED, user)
    await session.flush()
    return user


async def _speak_as(session: AsyncSession, membership: Membership) -> None:
    """From here on a newcomer acts under their own name, where the house let them in."""
    actor: Actor = session.sync_session.info["actor"]
    if actor.true is None:
        for identity in await live_identities(session, membership_id=membership.id):
            session.sync_session.info["actor"] = Actor.of(identity, actor.origin)


async def _holder(session: AsyncSession, email: str) -> User | None:
    return (await session.scalars(sa.select(User).where(User.email == email))).one_or_none()


async def _place(
    session: AsyncSession, invitation: Invitation, user: User, voucher: Actor, now: datetime
) -> Membership | None:
    """Their membership there, as the invitation says; None where whoever sent it may not bring back one that ended."""
    role = Role(invitation.role)
    pair = sa.select(Membership).where(Membership.user_id == user.id, Membership.tenant_id == invitation.tenant_id)
    both = (joinedload(Membership.user), joinedload(Membership.tenant))
    there = (await session.scalars(pair.options(*both))).one_or_none()
    if there is None:
        kept = invitation.membership_number
        return await Membership.create(session, voucher, user, invitation.tenant, role, now, number=kept)
    if there.discarded_at is None:
        return there
    try:
        await undiscard_membership(session, voucher, there, now)
    except NotPermitted:
        return None
    if role is not Role.MEMBER:
        await there.change_role(session, voucher, role, now)
    return there


async def _as_provisioned(session: AsyncSession, invitation: Invitation, membership: Membership) -> None:
    """What a system that provisions people has said of them while they had not joined."""
    if invitation.membership_number is None:
        return
    await membership.keep_external_id(session, invitation.external_id)
    meant = sa.select(Team).where(
        Team.id.in_(invitation.teams), Team.tenant_id == membership.tenant_id, Team.discarded_at.is_(None)
    )
    inside = sa.select(TeamMember.team_id).where(
        TeamMember.membership_id == membership.id, TeamMember.left_at.is_(None)
    )
    there = set(await session.scalars(inside))
    for team in (await session.scalars(meant.order_by(Team.id))).all():
        if team.id not in there:
            await team.add(session, session.sync_session.info["actor"], membership)


async def _give_extension(session: AsyncSession, invitation: Invitation, membership: Membership) -> str | None:
    """Give them the extension that was meant for them; returns its number when it is not to be had any more."""
    if invitation.extension_id is None:
        return None
    wanted = sa.select(Extension).where(Extension.id == invitation.extension_id).with_for_update()
    extension = (await session.scalars(wanted)).one_or_none()
    if extension is None or extension.membership_id == membership.id:
        return None
    taken = extension.membership_id is not None or extension.discarded_at is not None
    if taken or extension.tenant_id != membership.tenant_id:
        return extension.number
    await extension.change(session, membership=membership)
    return None
