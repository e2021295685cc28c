"""Windows of consent and broken glass as pages show them: to the person, to the company, and to the platform."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from control.pages.parts.fields import Fields
from tenants.actor import Actor
from tenants.break_glasses import BreakGlass
from tenants.consents import Consent, may_be_let_in
from tenants.names import names_of_members, names_of_tenants
from tenants.policy import StandIns
from tenants.refusals import Invalid
from tenants.roles import Permission
from tenants.tree import Tenant, effective_policy

SHOWN = 50
"""How many of one place are listed, newest first."""
HOURS = (1, 24, 7 * 24, 30 * 24)
"""How long a window may be given for, as the form offers it."""
KEPT = ("to", "hours")
"""What the form keeps of what was chosen, when a proof comes between."""


@dataclass(frozen=True, slots=True)
class ShownWindow:
    """A window: `whom` None for everybody at the company, `to` None while nobody has said its digits."""

    id: int
    whom: str | None
    to: str | None
    to_person: bool
    given_by: str
    created_at: datetime
    ends_at: datetime
    revoked_at: datetime | None
    open: bool
    revocable: bool


@dataclass(frozen=True, slots=True)
class ShownGlass:
    """A broken glass, or one that is asked for; `state` as the record has it."""

    id: int
    subject: str
    subject_tenant: str
    asker: str
    approver: str | None
    reason: str
    created_at: datetime
    ends_at: datetime | None
    ended_at: datetime | None
    state: str
    endable: bool


@dataclass(frozen=True, slots=True)
class Own:
    """What a person reads of consent at home: what the rules say, who may come in, and whom they can let in."""

    rule: str
    tenant_name: str
    windows: list[ShownWindow]
    glasses: list[ShownGlass]
    offered: list[tuple[int, str]]
    """Whom they can let in; nobody where consent is not asked for, or while somebody stands in."""


async def own_consents(session: AsyncSession, actor: Actor, now: datetime) -> Own:
    """Of whoever reads it, at the place where they are."""
    who = actor.standing
    tenant = await session.get_one(Tenant, who.tenant_id)
    rule = (await effective_policy(session, tenant.path)).stand_ins
    concerned = sa.or_(
        Consent.membership_id == who.membership_id,
        sa.and_(Consent.membership_id.is_(None), Consent.tenant_id == who.tenant_id),
    )
    windows = sa.select(Consent).where(concerned, Consent.open_at(now)).order_by(Consent.id.desc()).limit(SHOWN)
    glasses = sa.select(BreakGlass).where(
        BreakGlass.subject_membership_id == who.membership_id, BreakGlass.ended_at.is_(None), BreakGlass.ends_at > now
    )
    asked = rule is StandIns.CONSENT and not actor.standing_in
    return Own(
        rule.name.lower(),
        tenant.name,
        await shown_windows(session, actor, list(await session.scalars(windows)), now),
        await shown_glasses(session, actor, list(await session.scalars(glasses)), now),
        [(each.id, each.name) for each in await may_be_let_in(session, tenant)] if asked else [],
    )


async def shown_windows(
    session: AsyncSession, actor: Actor, rows: Sequence[Consent], now: datetime
) -> list[ShownWindow]:
    """These windows with their names."""
    people = await names_of_members(
        session, [number for row in rows for number in (row.membership_id, row.operator_id, row.granted_by_id)]
    )
    places = await names_of_tenants(session, [row.to_tenant_id for row in rows])
    keeps = actor.may(Permission.MANAGE_POLICY)
    found = []
    for row in rows:
        operator = people.get(row.operator_id)
        own = row.membership_id == actor.standing.membership_id
        whom = people.get(row.membership_id)
        found.append(
            ShownWindow(
                row.id,
                whom.name if whom else None,
                f"{operator.name} ({operator.tenant_name})" if operator else places.get(row.to_tenant_id),
                operator is not None,
                people[row.granted_by_id].name,
                row.created_at,
                row.ends_at,
                row.revoked_at,
                row.open(now),
                row.open(now) and (own or keeps) and not actor.standing_in,
            )
        )
    return found


async def shown_glasses(
    session: AsyncSession, actor: Actor, rows: Sequence[BreakGlass], now: datetime
) -> list[ShownGlass]:
    """These broken glasses with their names."""
    numbers = [number for row in rows for number in (row.subject_membership_id, row.asked_by_id, row.approved_by_id)]
    people = await names_of_members(session, numbers)
    keeps = actor.may(Permission.MANAGE_POLICY)
    found = []
    for row in rows:
        subject, approver, state = people[row.subject_membership_id], people.get(row.approved_by_id), row.state(now)
        own = row.subject_membership_id == actor.standing.membership_id
        found.append(
            ShownGlass(
                row.id,
                subject.name,
                subject.tenant_name,
                people[row.asked_by_id].name,
                approver.name if approver else None,
                row.reason,
                row.created_at,
                row.ends_at,
                row.ended_at,
                state,
                state in {"waits", "open"} and (own or keeps) and not actor.standing_in,
            )
        )
    return found


def chosen_end(fields: Fields, now: datetime) -> datetime:
    """When a window ends, as the form says it. Raises Invalid."""
    hours = fields.number("hours")
    if hours not in HOURS:
        raise Invalid("Choose for how long.", field="hours")
    return now + timedelta(hours=hours)


def chosen_organization(fields: Fields) -> int:
    """Whom it is given to. Raises Invalid."""
    number = fields.number("to")
    if number is None:
        raise Invalid("Choose whom you let in.", field="to")
    return number
