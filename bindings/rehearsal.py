"""Rehearsals: what a stand-in or a login would come to now, without doing it."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.apps import App
from bindings.facts import Found, fetch_facts
from bindings.guard import Act, Facts, Party, Refused, judge
from bindings.impersonation import LONGEST, Impersonation, live_ones
from bindings.resolving import Granted, Notice, Step, resolve
from tenants.actor import Actor, Identity
from tenants.identities import live_identities
from tenants.people import Membership, User
from tenants.policy import Policy
from tenants.reach import Reach
from tenants.refusals import NotPermitted, OutOfReach
from tenants.roles import RIGHTS, Permission, Role
from tenants.teams import Team, TeamMember
from tenants.text import REASON_LEAST
from tenants.tree import Tenant


@dataclass(frozen=True, slots=True)
class Explained:
    """What the guard says of an actor and a subject, and what standing in would change of the actor's rights."""

    refused: Refused | None
    gains: list[Permission]
    loses: list[Permission]


async def explain(
    session: AsyncSession,
    actor: Membership,
    subject: Membership,
    act: Act,
    *,
    reason: str | None = None,
    ticket: str | None = None,
    mode: str = "full",
) -> Explained:
    """Ask the guard, as if the stand-in began now. For a subject without an extension too."""
    found: Found | None = await fetch_facts(
        session, act, actor.id, subject_membership_id=subject.id, reason=reason, ticket=ticket, mode=mode
    )
    if found is None:
        raise OutOfReach
    return Explained(judge(found.facts), *exchanged(Role(actor.role), Role(subject.role)))


def exchanged(actor: Role, subject: Role) -> tuple[list[Permission], list[Permission]]:
    """What the actor gains and loses while standing in: the subject's rights, within what the actor may lend."""
    then, now = held(actor, subject), RIGHTS[actor].may
    return sorted(then - now), sorted(now - then)


def held(actor: Role, subject: Role) -> frozenset[Permission]:
    """What an actor may do while standing in: the subject's rights, within what the actor's role may lend."""
    return RIGHTS[subject].may & RIGHTS[actor].lends


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """An impersonation before it starts: what the rules ask for, what refuses it whatever is typed, what it ends."""

    refused: Refused | None
    """The rule that refuses however the form is filled in; None where it can be begun."""
    by_consent: bool
    """It is refused, and would not be with the subject's consent."""
    closed: bool
    """The subject's organization is suspended: there is nothing to be done there but to look."""
    policy: Policy
    holds: list[Permission]
    """What the actor will be able to do: the subject's rights, within what the actor may lend."""
    loses: list[Permission]
    replaces: Impersonation | None
    """The actor's own live one, which this one would end."""
    minutes: int


async def rehearse(session: AsyncSession, actor: Actor, subject: Membership, now: datetime) -> Rehearsed:
    """Ask the guard as the start will, with everything given that a form can give. Raises OutOfReach."""
    who = actor.true
    if who is None:
        raise OutOfReach
    found = await fetch_facts(
        session,
        Act.IMPERSONATE,
        who.membership_id,
        subject_membership_id=subject.id,
        reason="x" * REASON_LEAST,
        ticket="x",
        mode="look",
        standing_in=actor.standing_in,
        strong=actor.strong,
    )
    if found is None:
        raise OutOfReach
    own = live_ones(now).where(Impersonation.user_id == who.user_id, Impersonation.kind == "impersonation")
    policy, longest = found.facts.policy, int(LONGEST.total_seconds() // 60)
    refused = judge(found.facts)
    return Rehearsed(
        refused,
        refused is not None and judge(replace(found.facts, consented=True)) is None,
        found.facts.subject is not None and found.facts.subject.closed,
        policy,
        sorted(held(who.role, Role(subject.role))),
        exchanged(who.role, Role(subject.role))[1],
        (await session.scalars(own)).one_or_none(),
        longest if policy.minutes is None else min(longest, policy.minutes),
    )


Somebody = tuple[Membership, User, Tenant]
"""A membership with its person and its place, as a list has them at hand."""


async def at_first_sight(session: AsyncSession, actor: Actor, people: Collection[Somebody]) -> dict[int, Refused]:
    """Who of a list cannot be impersonated, by membership: the guard's own rules on what the list has at hand.

    What it has not (suspensions, sponsors, rules of the company) is asked when one begins, and in the question before.
    """
    who = actor.true
    if who is None:
        return {}
    led = await _led_by(session, who, [membership.id for membership, _, _ in people])
    found = {}
    for membership, user, tenant in people:
        party = _party(membership, user, tenant)
        facts = Facts(
            Act.IMPERSONATE,
            _party_of(who),
            party,
            place_path=tenant.path,
            place_id=tenant.id,
            standing_in=actor.standing_in,
            leads=membership.id in led,
        )
        refused = judge(facts)
        if refused is not None:
            found[membership.id] = refused
    return found


async def _led_by(session: AsyncSession, who: Identity, membership_ids: Collection[int]) -> set[int]:
    """Those in a team that a supervisor leads; of nobody else it is asked."""
    if who.role is not Role.SUPERVISOR or not membership_ids:
        return set()
    mine = sa.select(TeamMember.team_id).where(
        TeamMember.membership_id == who.membership_id, TeamMember.lead.is_(True), TeamMember.left_at.is_(None)
    )
    theirs = (
        sa.select(TeamMember.membership_id)
        .join(Team, Team.id == TeamMember.team_id)
        .where(TeamMember.membership_id.in_(membership_ids), TeamMember.left_at.is_(None))
        .where(Team.discarded_at.is_(None), TeamMember.team_id.in_(mine))
    )
    return set(await session.scalars(theirs))


def _party(membership: Membership, user: User, tenant: Tenant) -> Party:
    return Party(
        membership.id,
        user.id,
        user.name,
        Role(membership.role),
        tenant.id,
        tenant.name,
        tenant.kind,
        tenant.path,
        live=membership.discarded_at is None and user.discarded_at is None,
        closed=tenant.discarded_at is not None,
        service=user.service,
    )


def _party_of(who: Identity) -> Party:
    """The actor, whom the door has found to be live."""
    place = (who.tenant_id, who.tenant_name, who.tenant_kind, who.path)
    return Party(who.membership_id, who.user_id, who.name, who.role, *place, True, False, who.sponsor is not None)


async def rehearse_login(
    session: AsyncSession, reach: Reach, user: User, app: App, now: datetime
) -> tuple[Granted | Notice, list[Step]]:
    """Whom the app would see, and how that was decided. It names places, so all that the person has must be in reach.

    NotPermitted otherwise, in the one sentence that does not say where else they are.
    """
    identities = await live_identities(session, user_id=user.id)
    if not all(reach.holds(identity.path) for identity in identities):
        raise NotPermitted("This must be done by the person or by their home organization.", rule="rank")
    steps: list[Step] = []
    return await resolve(session, user.id, app, now, steps=steps), steps
