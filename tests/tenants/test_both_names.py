"""Who stands in is written down under both names, or nothing is done; and does nothing there that outlives it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from tenants.actor import Actor, Via
from tenants.api_keys import ApiKey
from tenants.numbers import InboundNumber
from tenants.people import Membership, User, find_membership
from tenants.phones import Extension, PhoneSystem, find_extension, find_phone_system
from tenants.playbooks import Playbook
from tenants.refusals import NotPermitted
from tenants.roles import Role
from tenants.store import Store
from tenants.teams import Team
from tenants.trail import Entry, record
from tenants.tree import Tenant
from tenants.verbs import Verb
from tests.cast import NOW, ORIGIN, Cast, work_as


@pytest.fixture(params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest) -> str:
    """Each database refuses in its own way."""
    return str(request.param)


@pytest.fixture
def olaf_as_boris(cast: Cast) -> Actor:
    """Olaf at the panel as Bakery's admin."""
    return Actor(cast.identity("Olaf"), cast.identity("Boris"), Via.IMPERSONATION, ORIGIN, stand_in_id=7)


@pytest.mark.parametrize("via", [Via.BINDING, Via.IMPERSONATION, Via.TOKEN])
@pytest.mark.parametrize("missing", ["actor", "subject", "stand_in_id"])
async def test_t56_the_database_refuses_a_stand_in_that_is_not_named(
    store: Store, cast: Cast, olaf_as_boris: Actor, via: Via, missing: str
) -> None:
    without = {"actor": {"true": None}, "subject": {"apparent": cast.identity("Olaf")}, "stand_in_id": {}}[missing]
    unnamed = {"stand_in_id": None} if missing == "stand_in_id" else {}
    actor = replace(olaf_as_boris, via=via, **without, **unnamed)
    with pytest.raises(IntegrityError):
        async with store.work(actor, olaf_as_boris.reach(), NOW) as session:
            record(session, Verb.USERS_EXPORTED, None, place=cast.tenant("Bakery").id)


async def test_t56_every_line_of_a_stand_in_has_both_names_and_its_number(
    store: Store, cast: Cast, olaf_as_boris: Actor
) -> None:
    async with work_as(store, olaf_as_boris) as session:
        await (await find_extension(session, cast.extension("Bakery", "201").id)).change(session, name="Front")
        tenant = await session.get_one(Tenant, cast.tenant("Bakery").id)
        await Playbook.write(session, olaf_as_boris, tenant, "When it is dark", "Call Bea.", "", NOW)
        record(session, Verb.USERS_EXPORTED, None, place=tenant.id)
    async with work_as(store, cast.actor("Boris")) as session:
        told = (await session.scalars(sa.select(Entry).where(Entry.via == Via.IMPERSONATION.value))).all()
    named = {(line.actor_name, line.subject_name, line.actor_user_id, line.stand_in_id) for line in told}
    assert (len(told), named) == (3, {("Olaf Olsen", "Boris Birch", cast.user("Olaf").id, 7)})


# What outlives it, whichever door somebody came by


async def test_what_is_lent_may_be_changed_and_what_is_there_may_be_ended(
    store: Store, cast: Cast, olaf_as_boris: Actor
) -> None:
    async with work_as(store, olaf_as_boris) as session:
        tenant = await session.get_one(Tenant, cast.tenant("Bakery").id)
        await tenant.change(session, name="Bakery & Sons", zone="Europe/Paris")
        team = await Team.create(session, tenant, "Back", NOW)
        await team.rename(session, "Rear")
        await team.discard(session, NOW)
        extension = await find_extension(session, cast.extension("Bakery", "203").id)
        await extension.change(session, name="Spare")
        await extension.discard(session, NOW)
        line = await find_extension(session, cast.extension("Bakery", "202").id)
        await line.change(session, membership=None)
        member = await find_membership(session, cast.membership_id("Ben", at="Bakery"))
        await member.discard(session, olaf_as_boris, NOW)


@dataclass(frozen=True)
class Bakery:
    """What an admin of Bakery has at hand."""

    session: AsyncSession
    actor: Actor
    tenant: Tenant
    system: PhoneSystem
    line: Extension
    boris: Membership
    bea: Membership
    ben: Membership
    front: Team

    async def changes(self, user: User, verb: Verb, **fields: Any) -> None:
        """What only the person themselves sets."""
        for name, value in fields.items():
            setattr(user, name, value)
        record(self.session, verb, user)
        await self.session.flush()


LASTING: dict[str, Callable[[Bakery], Awaitable[Any]]] = {
    "a key": lambda at: ApiKey.make(at.session, at.boris, "mine", ["read"], 90, NOW),
    "a role": lambda at: at.bea.change_role(at.session, at.actor, Role.ADMIN, NOW),
    "a password": lambda at: at.changes(at.bea.user, Verb.PASSWORD_CHANGED, password_hash="mine"),
    "no letters about stand-ins": lambda at: at.changes(at.bea.user, Verb.NOTICES_MUTED, notices_muted=True),
    "an extension": lambda at: Extension.create(at.session, at.system, "299", NOW),
    "who answers": lambda at: at.line.change(at.session, membership=at.ben),
    "a host": lambda at: at.system.change(at.session, host="elsewhere.example"),
    "a phone system": lambda at: PhoneSystem.create(at.session, at.tenant, "New", "new.example", NOW),
    "a number": lambda at: InboundNumber.add(at.session, at.tenant, "+442079460555", NOW, extension=at.line),
    "an address": lambda at: at.tenant.change(at.session, slug="elsewhere"),
    "a place in a team": lambda at: at.front.add(at.session, at.actor, at.boris),
}


@pytest.mark.parametrize("what", sorted(LASTING))
async def test_c8_t51_five_minutes_as_an_admin_leave_nothing_behind(
    store: Store, cast: Cast, olaf_as_boris: Actor, what: str
) -> None:
    """Asked of the records themselves, past every door."""
    async with store.work(olaf_as_boris, olaf_as_boris.reach(), NOW) as session:
        at = Bakery(
            session,
            olaf_as_boris,
            await session.get_one(Tenant, cast.tenant("Bakery").id),
            await find_phone_system(session, cast.phone_system_id("Bakery")),
            await find_extension(session, cast.extension("Bakery", "201").id),
            await find_membership(session, cast.membership_id("Boris")),
            await find_membership(session, cast.membership_id("Bea")),
            await find_membership(session, cast.membership_id("Ben", at="Bakery")),
            await session.get_one(Team, cast.teams["Front"]),
        )
        with pytest.raises(NotPermitted) as refused:
            await LASTING[what](at)
        await session.rollback()
    assert refused.value.rule == "outlives"


async def test_what_was_ended_is_not_brought_back(store: Store, cast: Cast, olaf_as_boris: Actor) -> None:
    async with work_as(store, cast.actor("Boris")) as session:
        await (await session.get_one(Team, cast.teams["Front"])).discard(session, NOW)
    with pytest.raises(NotPermitted, match="Stop impersonating first"):
        async with work_as(store, olaf_as_boris) as session:
            await (await session.get_one(Team, cast.teams["Front"])).undiscard(session, olaf_as_boris)


async def test_t54_who_only_looks_changes_nothing_at_the_records_either(
    store: Store, cast: Cast, olaf_as_boris: Actor
) -> None:
    looking = replace(olaf_as_boris, look=True)
    async with work_as(store, looking) as session:
        line = await find_extension(session, cast.extension("Bakery", "201").id)
        with pytest.raises(NotPermitted) as refused:
            await line.change(session, name="Front")
        await session.rollback()
    assert refused.value.rule == "look"
    with pytest.raises(NotPermitted, match="look only"):
        async with work_as(store, looking) as session:
            record(session, Verb.USERS_EXPORTED, None, place=cast.tenant("Bakery").id)
    async with work_as(store, cast.actor("Boris")) as session:
        told = sa.select(sa.func.count(Entry.id)).where(Entry.via == Via.IMPERSONATION.value)
        assert (await session.execute(told)).scalar_one() == 0
