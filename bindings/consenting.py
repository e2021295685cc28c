"""Consenting: a window opened by digits, and what becomes of those who stand in when a window or a glass is closed."""

from dataclasses import replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from bindings.facts import fetch_facts
from bindings.guard import Act, judge
from bindings.recheck import recheck
from tenants.actor import Actor
from tenants.break_glasses import BreakGlass
from tenants.consents import Consent, spoken
from tenants.people import Membership
from tenants.policy import StandIns
from tenants.refusals import Invalid, OutOfReach
from tenants.text import REASON_LEAST
from tenants.tree import Tenant


class WrongDigits(Invalid):
    """They opened nothing. What was wrong is not said."""

    def __init__(self) -> None:
        super().__init__(
            "These digits do not open it. Ask for new ones if they were made more than an hour ago, or said wrong "
            "too often.",
            field="digits",
            rule="digits",
        )


async def redeem_digits(
    session: AsyncSession, secret_key: bytes, actor: Actor, subject: Membership, typed: str, now: datetime
) -> bool:
    """Open somebody's window with the digits that they spoke, for this operator alone and an hour.

    In a transaction of its own, before the start: False for wrong ones, whose try then has to be committed before
    WrongDigits is raised. Whatever else the guard has against it is raised first, so that nobody uses up a try for
    somebody whom they could not be anyhow. Nothing happens where consent is not asked for, or given.
    """
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
    refused = judge(replace(found.facts, consented=True))
    if refused is not None:
        raise refused
    facts = found.facts
    if facts.policy.stand_ins is not StandIns.CONSENT or facts.consented or facts.broken_glass:
        return True
    return await Consent.take(session, secret_key, subject, actor, spoken(typed), now) is not None


async def revoke_consent(session: AsyncSession, actor: Actor, consent: Consent, now: datetime) -> None:
    """Take a window back; whoever stands in by it does so no longer."""
    await consent.revoke(session, actor, now)
    tenant = await session.get_one(Tenant, consent.tenant_id)
    await recheck(session, tenant, now)


async def end_glass(session: AsyncSession, actor: Actor, glass: BreakGlass, now: datetime) -> None:
    """Close a broken glass; whoever stands in by it does so no longer."""
    await glass.end(session, actor, now)
    tenant = await session.get_one(Tenant, glass.tenant_id)
    await recheck(session, tenant, now)
