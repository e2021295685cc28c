"""Shapes of what goes in and out: references, lists, problems, and the kinds of value a body may hold."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar

import msgspec
import sqlalchemy as sa
from litestar.params import PathParameter
from msgspec import UNSET, Meta, Struct
from sqlalchemy.ext.asyncio import AsyncSession

from control.paging import LARGEST
from tenants.people import Membership, User
from tenants.phones import PhoneSystem, Product
from tenants.refusals import Invalid
from tenants.tree import Tenant

T = TypeVar("T")

LAST_YEAR = 2200

PathId = Annotated[int, PathParameter(ge=1, le=LARGEST)]
Id = Annotated[int, Meta(ge=1, le=LARGEST, description="The id of a record in reach.")]
Text = Annotated[str, Meta(max_length=1000)]
Address = Annotated[str, Meta(max_length=2000)]
Moment = Annotated[datetime, Meta(tz=True, description="RFC 3339, with its offset.")]


class Sent(Struct, forbid_unknown_fields=True, kw_only=True):
    """A body. A field that nobody knows is refused: a misspelt one would be lost without a word."""


def given(body: Sent) -> dict[str, Any]:
    """The fields that a PATCH really sent."""
    pairs = ((name, getattr(body, name)) for name in body.__struct_fields__)
    return {name: value for name, value in pairs if value is not UNSET}


class Named(Struct):
    """A reference to a record."""

    id: int
    name: str


class PersonNamed(Struct):
    """A reference to a user. Without the address where the person themselves is out of reach."""

    id: int
    name: str
    email: str | None


class Problem(Struct):
    """An error, as RFC 9457 has it."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    rule: str | None = None
    errors: list[dict[str, str]] = msgspec.field(default_factory=list)


class Listed(Struct, Generic[T]):
    """One page of a list; `next` is the cursor of the following one, null on the last."""

    items: list[T]
    next: str | None


def refer(record: Tenant | PhoneSystem | Product) -> Named:
    """The reference to a record that has a name."""
    return Named(record.id, record.name)


def refer_person(user: User) -> PersonNamed:
    """The reference to a user."""
    return PersonNamed(user.id, user.name, user.email)


async def tenants_named(session: AsyncSession, ids: Iterable[int | None]) -> dict[int | None, Named]:
    """References to those of these tenants that lie in reach."""
    wanted = {number for number in ids if number is not None}
    rows = await session.execute(sa.select(Tenant.id, Tenant.name).where(Tenant.id.in_(wanted)))
    return {row.id: Named(row.id, row.name) for row in rows}


async def people_reached(session: AsyncSession, ids: Iterable[int]) -> dict[int, PersonNamed]:
    """References to those of these users that lie in reach."""
    rows = await session.execute(sa.select(User.id, User.name, User.email).where(User.id.in_(set(ids))))
    return {row.id: PersonNamed(row.id, row.name, row.email) for row in rows}


async def memberships_of(session: AsyncSession, user_ids: Iterable[int]) -> dict[int, list[Membership]]:
    """The memberships in reach of these users, with their tenants, oldest first."""
    wanted = (
        sa.select(Membership)
        .where(Membership.user_id.in_(set(user_ids)))
        .options(sa.orm.joinedload(Membership.tenant))
        .order_by(Membership.id)
    )
    found: dict[int, list[Membership]] = {}
    for membership in await session.scalars(wanted):
        found.setdefault(membership.user_id, []).append(membership)
    return found


def utc(moment: datetime | None, field: str) -> datetime | None:
    """A moment in UTC. Invalid beyond what a calendar of either database can hold after the change of zone."""
    if moment is None:
        return None
    if not 1970 < moment.year < LAST_YEAR:
        raise Invalid(f"A moment lies between 1971 and {LAST_YEAR}.", field=field)
    return moment.astimezone(UTC)
