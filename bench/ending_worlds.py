"""A small world for one ending: a reseller with its people, a company below it, and somebody there with a softphone."""

import itertools
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from tenants.actor import Actor, Identity
from tenants.identities import live_identities
from tenants.people import Membership, User
from tenants.phones import Extension, Licence, PhoneSystem, Product
from tenants.roles import Role
from tenants.store import Store
from tenants.tree import Kind, Tenant, find_tenant
from tests.cast import Cast, house_work

SETTLED = timedelta(days=60)
"""So long ago everybody got their role."""
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class World:
    """Whom the causes speak of. `operator` stands in for `subject`; `elsewhere` is another reseller's id."""

    reseller: int
    elsewhere: int
    company: int
    extension: int
    admin: Identity
    operator: Identity
    boss: Identity
    subject: Identity

    @classmethod
    async def make(cls, store: Store, cast: Cast) -> "World":
        """A new one under North, which has no other."""
        number, then = next(_numbers), datetime.now(UTC) - SETTLED
        house = Actor.house("bench")
        async with house_work(store, then) as session:
            north = await find_tenant(session, cast.tenant("North").id)
            reseller = await Tenant.found(session, north, Kind.RESELLER, f"Reseller {number}", None, then)
            elsewhere = await Tenant.found(session, north, Kind.RESELLER, f"Elsewhere {number}", None, then)
            company = await Tenant.found(session, reseller, Kind.CUSTOMER, f"Company {number}", None, then)

            async def person(name: str, at: Tenant, role: Role) -> Membership:
                user = await User.create(session, at, f"{name} {number}", f"{name}-{number}@bench.example", then)
                return await Membership.create(session, house, user, at, role, then)

            people = [
                await person("Admin", reseller, Role.ADMIN),
                await person("Operator", reseller, Role.OPERATOR),
                await person("Boss", company, Role.ADMIN),
                await person("Subject", company, Role.MEMBER),
            ]
            extension = await _phone(session, company, people[-1], then)
            places = reseller.id, elsewhere.id, company.id, extension.id
        async with house_work(store, then) as session:
            found = [(await live_identities(session, membership_id=each.id))[0] for each in people]
        return cls(*places, *found)


async def _phone(session: AsyncSession, company: Tenant, holder: Membership, then: datetime) -> Extension:
    system = await PhoneSystem.create(session, company, "PBX", "pbx.bench.example", then)
    extension = await Extension.create(session, system, "101", then, membership=holder)
    softphone = (await session.scalars(sa.select(Product).where(Product.name == "Softphone"))).one()
    await Licence.grant(session, extension, softphone, then)
    return extension
