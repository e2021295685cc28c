"""Seats: how many licences of a product a tenant and all below it may hold. Limits narrow downward, never widen."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from tenants.actor import Actor
from tenants.products import Product
from tenants.reach import ROOT, Extent, Reach, below
from tenants.records import Audited, Number, Record
from tenants.refusals import Conflict, Invalid, NotPermitted
from tenants.trail import record
from tenants.tree import Kind, Tenant
from tenants.verbs import Verb

MOST = 1_000_000
"""The largest limit that means anything."""


class SeatLimit(Record, Audited):
    """The most licences of one product in a tenant's subtree; None where the limit was taken away again."""

    __tablename__ = "seat_limits"
    noun = "seat limit"
    __table_args__ = (sa.UniqueConstraint("tenant_id", "product_id"),)

    tenant_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("tenants.id"))
    product_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("products.id"))
    seats: Mapped[int | None]
    created_at: Mapped[datetime]

    about = ""

    @property
    def label(self) -> str:
        """Which product where."""
        return self.about or f"seat limit {self.id}"

    @classmethod
    def within(cls, reach: Reach) -> sa.ColumnElement[bool]:
        """Where its tenant is; nothing for members."""
        return sa.false() if reach.extent is Extent.SELF else reach.tenants(cls.tenant_id)

    def touches(self, reach: Reach) -> set[int] | None:
        """Its tenant."""
        return None if reach.extent is Extent.SELF else {self.tenant_id}

    @classmethod
    async def set(
        cls, session: AsyncSession, actor: Actor, tenant: Tenant, product: Product, seats: int | None, now: datetime
    ) -> "SeatLimit":
        """Limit `tenant` and all below it to so many seats of `product`, or lift its limit (None).

        A tenant's own admins may only lower theirs; who stands above sets it freely, up to what is set for
        themselves. A limit below what is used takes nobody's licence: nothing more is given until enough came back.
        """
        if seats is not None and not 0 <= seats <= MOST:
            raise Invalid(f"A limit is a number from 0 to {MOST}.", field="seats")
        # The tenant's row is the lock: of two who set its first limit the second changes the first one's.
        await session.execute(sa.select(Tenant.id).where(Tenant.id == tenant.id).with_for_update())
        own = sa.select(cls).where(cls.tenant_id == tenant.id, cls.product_id == product.id)
        limit = (await session.scalars(own, execution_options={"populate_existing": True})).one_or_none()
        _require_may_set(actor, tenant, limit.seats if limit else None, seats)
        await _require_within(session, tenant, product.id, seats)
        if limit is None:
            limit = cls(tenant_id=tenant.id, product_id=product.id, created_at=now)
            session.add(limit)
        elif limit.seats == seats:
            return limit
        limit.seats = seats
        limit.about = f"{product.name} at {tenant.name}"
        record(session, Verb.SEAT_LIMIT_CHANGED, limit)
        await session.flush()
        return limit


def _require_may_set(actor: Actor, tenant: Tenant, before: int | None, seats: int | None) -> None:
    who = actor.apparent
    if actor.true is None or who is None or who.tenant_kind == Kind.PLATFORM:
        return
    if tenant.path != who.path and tenant.path.startswith(who.path):
        return
    if seats is None or (before is not None and seats > before):
        raise NotPermitted("You can lower your own limit; only somebody above you can raise it.", rule="level")


async def _require_within(session: AsyncSession, tenant: Tenant, product_id: int, seats: int | None) -> None:
    above = [limit for limit in await limits_over(session, tenant.path, product_id) if limit.tenant_id != tenant.id]
    if seats is None or not above:
        return
    least = min(above, key=lambda limit: limit.seats)
    if seats > least.seats:
        reach: Reach = session.sync_session.info["reach"]
        if reach.holds(least.path):
            raise Invalid(f"{least.name} has {least.seats} seats in all.", field="seats")
        raise Invalid("This is more than is set above you.", field="seats")


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit in force somewhere on the line from the root to a tenant."""

    tenant_id: int
    name: str
    path: str
    seats: int


async def limits_over(session: AsyncSession, path: str, product_id: int, *, hold: bool = False) -> list[Limit]:
    """The limits of a product at `path` and above it, root first, whether in reach or not.

    With `hold` they are locked in that order, so that whoever takes a seat waits for whoever is taking one.
    """
    limits, tree = SeatLimit.__table__, Tenant.__table__
    wanted = (
        sa.select(limits.c.tenant_id, tree.c.name, tree.c.path, limits.c.seats)
        .join(tree, tree.c.id == limits.c.tenant_id)
        .where(
            tree.c.path.in_(Reach.ancestors_of(path)), limits.c.product_id == product_id, limits.c.seats.is_not(None)
        )
        .order_by(tree.c.depth)
    )
    if hold:
        wanted = wanted.with_for_update(of=limits)
    return [Limit(row.tenant_id, row.name, row.path, row.seats) for row in await session.execute(wanted)]


async def seats_used(session: AsyncSession, path: str, product_ids: Iterable[int]) -> dict[int, int]:
    """How many live licences of these products there are at `path` and below it."""
    tree, licences = Tenant.__table__, Record.metadata.tables["licences"]
    counted = (
        sa.select(licences.c.product_id, sa.func.count())
        .where(licences.c.product_id.in_(list(product_ids)), licences.c.discarded_at.is_(None))
        .group_by(licences.c.product_id)
    )
    if path != ROOT:
        counted = counted.join(tree, tree.c.id == licences.c.tenant_id).where(below(tree.c.path, path))
    return {row[0]: row[1] for row in await session.execute(counted)}


async def reserve_seat(session: AsyncSession, tenant_id: int, product: Product) -> None:
    """Hold every limit that a new licence at this tenant counts against; Conflict (rule `seats`) where one is full."""
    tree = Tenant.__table__
    path = (await session.execute(sa.select(tree.c.path).where(tree.c.id == tenant_id))).scalar_one()
    for limit in await limits_over(session, path, product.id, hold=True):
        # Counted after the lock, by a statement of its own: it sees what the one before has committed.
        used = (await seats_used(session, limit.path, [product.id])).get(product.id, 0)
        if used >= limit.seats:
            raise Conflict(_full(session, limit, product.name, used), rule="seats")


def _full(session: AsyncSession, limit: Limit, product: str, used: int) -> str:
    """Which limit it was, only as far as the reader reaches: what is above them keeps its name and its numbers."""
    reach: Reach = session.sync_session.info["reach"]
    if reach.extent is Extent.SELF or not reach.holds(limit.path):
        return f"No seat of {product} is left: the limit is set above you. Ask them for more."
    return f"No seat of {product} is left: {limit.name} has {limit.seats}, and {used} are in use."


@dataclass(frozen=True, slots=True)
class Seats:
    """The seats of one product at a tenant, as somebody may know them."""

    product: Product
    used_here: int
    used: int
    """Here and everywhere below."""
    own: int | None
    """The tenant's own limit."""
    limit: Limit | None
    """The limit in reach that leaves the fewest."""
    left: int | None
    """Until that one is full."""
    limited_above: bool
    """A limit stands above the reader, with a name and numbers that are not theirs to know."""


async def seats_of(session: AsyncSession, tenant: Tenant) -> list[Seats]:
    """The seats of every product at a tenant, by the product's name; of limits only those in reach are told."""
    products = list(await session.scalars(sa.select(Product).order_by(Product.name)))
    ids = [product.id for product in products]
    licences = Record.metadata.tables["licences"]
    own = (
        sa.select(licences.c.product_id, sa.func.count())
        .where(licences.c.tenant_id == tenant.id, licences.c.discarded_at.is_(None))
        .group_by(licences.c.product_id)
    )
    here = {row[0]: row[1] for row in await session.execute(own)}
    used = await seats_used(session, tenant.path, ids)
    return [await _seats(session, tenant, each, here.get(each.id, 0), used.get(each.id, 0)) for each in products]


async def _seats(session: AsyncSession, tenant: Tenant, product: Product, here: int, used: int) -> Seats:
    reach: Reach = session.sync_session.info["reach"]
    limits = await limits_over(session, tenant.path, product.id)
    known = [limit for limit in limits if reach.holds(limit.path)]
    left = {limit: limit.seats - await _used_at(session, limit, tenant, product.id, used) for limit in known}
    tightest = min(known, key=lambda limit: left[limit], default=None)
    return Seats(
        product,
        here,
        used,
        next((limit.seats for limit in known if limit.tenant_id == tenant.id), None),
        tightest,
        max(0, left[tightest]) if tightest else None,
        len(known) < len(limits),
    )


async def _used_at(session: AsyncSession, limit: Limit, tenant: Tenant, product_id: int, used: int) -> int:
    if limit.tenant_id == tenant.id:
        return used
    return (await seats_used(session, limit.path, [product_id])).get(product_id, 0)


async def most_used(session: AsyncSession, product_id: int, limit: int) -> list[tuple[Tenant, int]]:
    """The tenants in reach with the most seats of a product in use themselves, and how many."""
    licences, reach = Record.metadata.tables["licences"], session.sync_session.info["reach"]
    used = (
        sa.select(licences.c.tenant_id, sa.func.count().label("seats"))
        .where(
            licences.c.product_id == product_id,
            licences.c.discarded_at.is_(None),
            reach.tenants(licences.c.tenant_id),
        )
        .group_by(licences.c.tenant_id)
        .subquery()
    )
    rows = (
        sa.select(Tenant, used.c.seats)
        .join(used, used.c.tenant_id == Tenant.id)
        .order_by(used.c.seats.desc(), Tenant.name, Tenant.id)
        .limit(limit)
    )
    return [(row[0], row[1]) for row in await session.execute(rows)]
