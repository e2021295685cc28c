"""Newcomers: people of a story's own, so that nobody of the cast is changed for the stories that follow."""

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count

from tenants.actor import Actor
from tenants.people import Membership, User
from tenants.phones import Extension, Licence, PhoneSystem, Product
from tenants.roles import Role
from tenants.store import Store
from tenants.trail import record
from tenants.tree import Tenant
from tenants.verbs import Verb
from tests.cast import Cast, house_work

NUMBERS = count(900)
"""Extensions that nobody of the cast has."""


@dataclass(frozen=True)
class Newcomer:
    """Somebody with a place in a company, who signs in with the demo's password."""

    name: str
    email: str
    user_id: int
    membership_id: int
    company: str
    number: str | None

    @property
    def first(self) -> str:
        """How the story calls them."""
        return self.name.split()[0]


async def settle(
    store: Store, cast: Cast, name: str, company: str, role: Role = Role.MEMBER, *, phone: bool
) -> Newcomer:
    """Make them in the demo's database, through the domain's own verbs."""
    now = datetime.now(UTC)
    async with house_work(store, now) as session:
        tenant = await session.get_one(Tenant, cast.tenant(company).id)
        bea = await session.get_one(User, cast.user("Bea").id)
        user = await User.create(session, tenant, name, f"{name.split()[0]}@{company}.example".lower(), now)
        user.password_hash, user.email_verified_at, user.zone = bea.password_hash, now, bea.zone
        record(session, Verb.PASSWORD_CHANGED, user)
        await session.flush()
        place = await Membership.create(session, Actor.house("the story"), user, tenant, role, now)
        number = str(next(NUMBERS)) if phone else None
        if number is not None:
            system = await session.get_one(PhoneSystem, cast.phone_system_id(company))
            extension = await Extension.create(session, system, number, now, name=name, membership=place)
            softphone = await session.get_one(Product, cast.product_id("Softphone"))
            await Licence.grant(session, extension, softphone, now)
        return Newcomer(name, user.email, user.id, place.id, company, number)
