"""Loosening: a tenant's own admins give up a protection; told to all its admins, in force a day later.

Only what the tenant set for itself is given up: what is asked for above stays in force. Whoever tightened a rule while
a loosening of it waited is not overruled by it.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, joinedload, mapped_column

from tenants.actor import Actor
from tenants.own_admins import require_own_admin
from tenants.people import Membership, User
from tenants.protections import Rule, Word, columns_of, in_words, rules_of
from tenants.reach import Extent, Reach
from tenants.records import Audited, Json, Number, Record
from tenants.refusals import Conflict, Invalid, NotPermitted
from tenants.roles import Role
from tenants.trail import record
from tenants.tree import Tenant
from tenants.verbs import Verb

WAIT = timedelta(hours=24)
"""How long every admin of the tenant has to cancel it."""
AT_ONCE = 50
"""How many are put in force in one transaction."""


class Loosening(Record, Audited):
    """The rules as they are wanted. One waits at a time in each tenant; until it is applied it can be cancelled."""

    __tablename__ = "loosenings"
    noun = "loosening"

    tenant_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("tenants.id"))
    wanted: Mapped[dict[str, list[Word]]] = mapped_column(Json)
    """Rule -> what it was when it was asked for, what it is to be."""
    asked_by_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("memberships.id"))
    created_at: Mapped[datetime]
    takes_effect_at: Mapped[datetime]
    cancelled_at: Mapped[datetime | None]
    applied_at: Mapped[datetime | None]

    about = ""

    @property
    def label(self) -> str:
        """The name of the tenant whose rules they are."""
        return self.about or f"loosening {self.id}"

    @classmethod
    def within(cls, reach: Reach) -> sa.ColumnElement[bool]:
        """Where the tenant is."""
        return sa.false() if reach.extent is Extent.SELF else reach.tenants(cls.tenant_id)

    def touches(self, reach: Reach) -> set[int] | None:
        """Its tenant."""
        return None if reach.extent is Extent.SELF else {self.tenant_id}

    @classmethod
    async def ask(
        cls, session: AsyncSession, actor: Actor, tenant: Tenant, wanted: Mapping[str, Word], now: datetime
    ) -> "Loosening":
        """Ask for looser rules. Whoever calls this has the letters about it written in the same transaction.

        NotPermitted (rule `policy`) for who is no own admin, and for what is asked for above. Conflict (rule
        `loosening`) while another one waits.
        """
        await require_own_admin(session, actor, tenant, now)
        if tenant.discarded_at is not None:
            raise Conflict(f"{tenant.name} is discarded.")
        # Held, so that nobody tightens between the look and the note of what is to change.
        await session.refresh(tenant, list(columns_of(wanted)) or None, with_for_update=True)
        changes = _really_looser(actor, tenant, await rules_of(session, tenant), wanted)
        if await waiting_in(session, tenant.id) is not None:
            raise Conflict("Looser rules wait already. Cancel those first.", rule="loosening")
        row = cls(
            tenant_id=tenant.id,
            wanted=changes,
            asked_by_id=actor.standing.membership_id,
            created_at=now,
            takes_effect_at=now + WAIT,
        )
        row.about = tenant.name
        session.add(row)
        record(session, Verb.LOOSENING_ASKED, row)
        await session.flush()
        return row

    @classmethod
    def waiting(cls) -> sa.ColumnElement[bool]:
        """Neither in force nor cancelled."""
        return sa.and_(cls.cancelled_at.is_(None), cls.applied_at.is_(None))

    @classmethod
    def due(cls, now: datetime) -> sa.ColumnElement[bool]:
        """The day in which it could be cancelled is over."""
        return sa.and_(cls.waiting(), cls.takes_effect_at <= now)

    @classmethod
    async def any_due(cls, session: AsyncSession, now: datetime) -> bool:
        """Whether `apply_due` would find any."""
        return (await session.scalars(sa.select(cls.id).where(cls.due(now)).limit(1))).first() is not None

    async def cancel(self, session: AsyncSession, now: datetime, **details: Any) -> None:
        """It never takes effect: by whoever manages the rules there or above, as long as it is not in force."""
        await session.refresh(self, ["cancelled_at", "applied_at"], with_for_update=True)
        if self.cancelled_at is not None or self.applied_at is not None:
            raise Conflict("This loosening is over.", rule="loosening")
        self.about = (await session.get_one(Tenant, self.tenant_id)).name
        self.cancelled_at = now
        record(session, Verb.LOOSENING_CANCELLED, self, **details)
        await session.flush()

    async def apply(self, session: AsyncSession, now: datetime) -> dict[str, list[Word]]:
        """Put in force what nobody has tightened meanwhile; returns that, and nothing where it was cancelled instead.

        By the house itself, which holds the row. Whoever asked must still be an admin there.
        """
        tenant = await session.get_one(Tenant, self.tenant_id)
        await session.refresh(tenant, with_for_update=True)
        own = in_words(tenant)
        still = {name: change for name, change in self.wanted.items() if own[name] == change[0]}
        cause = await self._spoiled(session, tenant) or (None if still else "tightened")
        if cause is not None:
            await self.cancel(session, now, cause=cause)
            return {}
        await tenant.change(session, **columns_of({name: after for name, (_, after) in still.items()}))
        self.about, self.applied_at = tenant.name, now
        record(session, Verb.LOOSENING_APPLIED, self)
        await session.flush()
        return still

    async def _spoiled(self, session: AsyncSession, tenant: Tenant) -> str | None:
        """Why nobody stands behind it any more."""
        if tenant.discarded_at is not None:
            return "tenant_discarded"
        asker = await session.get_one(Membership, self.asked_by_id, options=[joinedload(Membership.user)])
        live = asker.discarded_at is None and asker.user.discarded_at is None and asker.role == Role.ADMIN
        return None if live else "rights_lost"


async def waiting_in(session: AsyncSession, tenant_id: int) -> Loosening | None:
    """What waits in a tenant, as far as the session reaches."""
    wanted = sa.select(Loosening).where(Loosening.tenant_id == tenant_id, Loosening.waiting())
    return (await session.scalars(wanted)).one_or_none()


async def apply_due(session: AsyncSession, now: datetime) -> list[tuple[Loosening, dict[str, list[Word]]]]:
    """Put in force those whose day is over, each once however many processes look; returns them with what they changed.

    For the house itself, at any time: until then the tighter rules hold.
    """
    due = sa.select(Loosening).where(Loosening.due(now)).order_by(Loosening.id).limit(AT_ONCE)
    applied = []
    for row in (await session.scalars(due.with_for_update(skip_locked=True))).all():
        changed = await row.apply(session, now)
        if changed:
            applied.append((row, changed))
    return applied


async def admins_of(session: AsyncSession, tenant_id: int) -> list[User]:
    """The admins of a tenant, to be told."""
    wanted = (
        sa.select(User)
        .join(Membership, Membership.user_id == User.id)
        .where(
            Membership.tenant_id == tenant_id,
            Membership.role == Role.ADMIN.value,
            Membership.discarded_at.is_(None),
            User.discarded_at.is_(None),
            ~User.service,
        )
    )
    return list(await session.scalars(wanted.order_by(User.id)))


def _really_looser(
    actor: Actor, tenant: Tenant, rules: list[Rule], wanted: Mapping[str, Word]
) -> dict[str, list[Word]]:
    """What changes. Invalid for what would not be looser, or for nothing at all."""
    changes = {}
    for rule in rules:
        if rule.name not in wanted:
            continue
        value = wanted[rule.name]
        if rule.loosened_by(value):
            changes[rule.name] = [rule.own, value]
        elif rule.overruled(value) and rule.source is not None:
            known = actor.reach().holds(rule.source.path)
            whose = rule.source.name if known else "An organization above"
            raise NotPermitted(f"{whose} asks for this, so that only they can loosen it.", rule="policy")
        else:
            raise Invalid("This is not looser than it is.", field=rule.name)
    if not changes:
        raise Invalid("Nothing was chosen: every rule stays as it is.")
    return changes
