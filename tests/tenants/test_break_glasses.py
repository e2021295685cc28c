"""Breaking the glass: two admins of the platform who are independent of each other, one subject, one hour."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.consenting import end_glass
from bindings.guard import Refused
from bindings.impersonation import Asked, Impersonation
from bindings.reaping import ask_again
from tenants.actor import Actor, Via
from tenants.break_glasses import OPEN, WAITS, BreakGlass
from tenants.email_changes import EmailChange
from tenants.factors import reset_factors
from tenants.identities import live_identities
from tenants.own_admins import SETTLED
from tenants.password_resets import ask_reset
from tenants.people import Membership, User, find_membership
from tenants.protections import tighten
from tenants.refusals import Conflict, Invalid, NotPermitted, OutOfReach, Refusal
from tenants.roles import Role
from tenants.store import Store
from tenants.trail import Entry, record
from tenants.tree import Tenant
from tenants.verbs import Verb
from tests.cast import NOW, ORIGIN, SEEDED, WHY, Cast, Clock, bind, house_work, impersonate, work_as

REASON = "the oven calls the fire brigade"


class Glass:
    """Bakery lets nobody stand in; Axel is an admin of the platform beside Ada, made by neither of them."""

    def __init__(self, store: Store, cast: Cast, clock: Clock) -> None:
        self.store, self.cast, self.clock = store, cast, clock

    async def actor(self, name: str) -> Actor:
        async with house_work(self.store, self.clock.now) as session:
            [identity] = await live_identities(session, membership_id=self.cast.membership_id(name))
        return Actor.of(identity, ORIGIN)

    async def ask(self, by: str = "Ada", subject: str = "Bea", reason: str = REASON) -> int:
        actor = await self.actor(by)
        async with work_as(self.store, actor, self.clock.now) as session:
            whom = await find_membership(session, self.cast.membership_id(subject))
            return (await BreakGlass.ask(session, actor, whom, reason, self.clock.now)).id

    async def approve(self, number: int, by: str = "Axel") -> None:
        actor = await self.actor(by)
        async with work_as(self.store, actor, self.clock.now) as session:
            row = await session.get(BreakGlass, number)
            if row is None:
                raise OutOfReach
            await row.approve(session, actor, self.clock.now)

    async def end(self, number: int, by: str) -> None:
        actor = await self.actor(by)
        async with work_as(self.store, actor, self.clock.now) as session:
            row = await session.get(BreakGlass, number)
            if row is None:
                raise OutOfReach
            await end_glass(session, actor, row, self.clock.now)

    async def row(self, number: int) -> BreakGlass:
        async with house_work(self.store, self.clock.now) as session:
            return await session.get_one(BreakGlass, number)

    async def start(self, name: str = "Ada", subject: str = "Bea") -> int:
        return await impersonate(self.store, self.cast, name, subject, self.clock.now, actor=await self.actor(name))

    async def told(self, *verbs: Verb) -> list[Entry]:
        async with house_work(self.store, self.clock.now) as session:
            return list(await session.scalars(sa.select(Entry).where(Entry.verb.in_(verbs)).order_by(Entry.id)))


@pytest.fixture
async def glass(store: Store, cast: Cast, clock: Clock) -> Glass:
    async with house_work(store, SEEDED) as session:
        axel = await session.get_one(Membership, cast.membership_id("Axel"))
        await axel.change_role(session, Actor.house("a story"), Role.ADMIN, SEEDED)
    async with house_work(store) as session:
        await tighten(session, await session.get_one(Tenant, cast.tenant("Bakery").id), {"stand_ins": "never"})
    return Glass(store, cast, clock)


async def test_ada_asks_axel_approves_and_ada_is_bea_for_an_hour(glass: Glass) -> None:
    with pytest.raises(Refused) as refused:
        await glass.start()
    assert refused.value.rule == "policy"
    number = await glass.ask()
    with pytest.raises(Refused):
        await glass.start()
    await glass.approve(number)
    stand = await glass.start()
    async with house_work(glass.store) as session:
        assert (await session.get_one(Impersonation, stand)).over(NOW) is None
    [started] = await glass.told(Verb.IMPERSONATION_STARTED)
    assert started.details["broken_glass"] is True
    asked, approved = await glass.told(Verb.BREAK_GLASS_ASKED, Verb.BREAK_GLASS_APPROVED)
    assert (asked.actor_name, asked.record_name, asked.reason) == ("Ada Ash", "Bea Bell", REASON)
    assert (approved.actor_name, approved.tenant_id) == ("Axel Arden", glass.cast.tenant("Bakery").id)
    glass.clock.pass_(hours=1)
    with pytest.raises(Refused):
        await glass.start()


async def test_it_is_for_that_asker_and_that_subject_and_opens_no_binding(glass: Glass) -> None:
    await glass.approve(await glass.ask())
    for name, subject in (("Axel", "Bea"), ("Nora", "Bea"), ("Ada", "Ben")):
        with pytest.raises(Refused) as refused:
            await glass.start(name, subject)
        assert refused.value.rule == "policy"
    with pytest.raises(Refused):
        await bind(glass.store, glass.cast, "Ada", "Bakery", "201")
    ada = await glass.actor("Ada")
    async with work_as(glass.store, ada) as session:
        bea = await find_membership(session, glass.cast.membership_id("Bea"))
        with pytest.raises(Refused):
            await Impersonation.start(session, ada, bea, Asked.of(WHY), NOW, kind="token", jti="a story")


async def test_it_does_not_go_past_what_is_no_protection_of_bakerys(glass: Glass) -> None:
    """A ticket, looking only: it is asked for as ever."""
    async with house_work(glass.store) as session:
        bakery = await session.get_one(Tenant, glass.cast.tenant("Bakery").id)
        await tighten(session, bakery, {"ticket": True})
    await glass.approve(await glass.ask())
    with pytest.raises(Refused, match="ticket"):
        await glass.start()


async def test_who_stands_in_by_it_is_out_when_its_hour_is_over(glass: Glass) -> None:
    """Started in the last minute: it ends with the hour, not twenty minutes after the start."""
    number = await glass.ask()
    await glass.approve(number)
    glass.clock.pass_(minutes=59)
    stand = await glass.start()
    late = glass.clock.pass_(minutes=1)
    assert (await glass.row(number)).state(late) == "over"
    async with house_work(glass.store, late) as session:
        row = await session.get_one(Impersonation, stand)
        assert row.over(late) is None
        refused, _ = await row.refused(session, late)
        assert refused is not None
        assert refused.rule == "policy"
        await ask_again(session, late)
    assert len(await glass.told(Verb.IMPERSONATION_ENDED)) == 1


@pytest.mark.parametrize("by", ["Bea", "Boris", "Ada", "Axel", "Nora", "Olaf"])
async def test_the_subject_and_her_admins_end_it_and_who_stands_in_is_out_at_once(glass: Glass, by: str) -> None:
    number = await glass.ask()
    await glass.approve(number)
    stand = await glass.start()
    glass.clock.pass_(minutes=5)
    await glass.end(number, by)
    async with house_work(glass.store) as session:
        row = await session.get_one(Impersonation, stand)
    assert (row.ended_cause, row.ended_at) == ("policy", glass.clock.now)
    [ended] = await glass.told(Verb.IMPERSONATION_ENDED)
    assert ended.details["cause"] == "policy"
    with pytest.raises(Conflict):
        await glass.end(number, "Ada")


@pytest.mark.parametrize(("by", "refusal"), [("Ben", OutOfReach), ("Bruno", NotPermitted), ("Elsa", OutOfReach)])
async def test_others_do_not_end_it(glass: Glass, by: str, refusal: type[Refusal]) -> None:
    number = await glass.ask()
    await glass.approve(number)
    with pytest.raises(refusal):
        await glass.end(number, by)


@pytest.mark.parametrize("by", ["Nora", "Olaf", "Boris", "Bea"])
async def test_only_the_platforms_admins_ask(glass: Glass, by: str) -> None:
    with pytest.raises(NotPermitted):
        await glass.ask(by)


async def test_ada_as_somebody_else_does_not_ask(glass: Glass) -> None:
    stand_in = Actor(glass.cast.identity("Ada"), glass.cast.identity("Boris"), Via.IMPERSONATION, stand_in_id=1)
    async with work_as(glass.store, stand_in) as session:
        bea = await find_membership(session, glass.cast.membership_id("Bea"))
        with pytest.raises(NotPermitted):
            await BreakGlass.ask(session, stand_in, bea, REASON, NOW)


async def test_a_reason_is_asked_for_and_one_request_waits_at_a_time(glass: Glass) -> None:
    with pytest.raises(Invalid):
        await glass.ask(reason="fire")
    await glass.ask()
    with pytest.raises(Conflict):
        await glass.ask()
    assert await glass.ask(subject="Ben")


# The second person


async def test_nobody_approves_what_they_asked_for(glass: Glass) -> None:
    number = await glass.ask()
    with pytest.raises(NotPermitted) as refused:
        await glass.approve(number, "Ada")
    assert refused.value.rule == "second_person"


@pytest.mark.parametrize(("by", "refusal"), [("Nora", NotPermitted), ("Boris", NotPermitted), ("Elsa", OutOfReach)])
async def test_only_the_platforms_admins_approve(glass: Glass, by: str, refusal: type[Refusal]) -> None:
    number = await glass.ask()
    with pytest.raises(refusal):
        await glass.approve(number, by)


Hand = Callable[[AsyncSession, Actor, User], Awaitable[object]]


async def make_admin(session: AsyncSession, actor: Actor, user: User) -> None:
    membership = (await session.scalars(sa.select(Membership).where(Membership.user_id == user.id))).one()
    await membership.change_role(session, Actor.house("a story"), Role.AUDITOR, NOW)
    await membership.change_role(session, actor, Role.ADMIN, NOW)


async def send_reset(session: AsyncSession, actor: Actor, user: User) -> None:
    await ask_reset(session, user, NOW)


async def take_factors(session: AsyncSession, actor: Actor, user: User) -> None:
    await reset_factors(session, user, "they are locked out", NOW)


async def change_address(session: AsyncSession, actor: Actor, user: User) -> None:
    change = EmailChange(
        user_id=user.id,
        tenant_id=user.home_tenant_id,
        email="new@acme.example",
        asked_by_id=actor.standing.membership_id,
        own=False,
        created_at=NOW,
        expires_at=NOW,
    )
    session.add(change)
    record(session, Verb.EMAIL_CHANGE_ASKED, change)
    await session.flush()


@pytest.mark.parametrize("hand", [make_admin, send_reset, take_factors, change_address])
@pytest.mark.parametrize(("first", "second"), [("Ada", "Axel"), ("Axel", "Ada")], ids=["her of him", "him of her"])
async def test_who_made_or_reset_the_other_is_no_second_person_for_thirty_days(
    glass: Glass, hand: Hand, first: str, second: str
) -> None:
    """C6: or Ada would sign in as Axel and say yes to herself."""
    actor = await glass.actor(first)
    async with glass.store.work(actor, actor.reach(), NOW) as session:
        await hand(session, actor, await session.get_one(User, glass.cast.user(second).id))
    number = await glass.ask()
    with pytest.raises(NotPermitted) as refused:
        await glass.approve(number)
    assert refused.value.rule == "second_person"
    glass.clock.pass_(days=SETTLED.days)
    await glass.approve(await glass.ask())


async def test_nor_whom_somebody_made_who_was_made_by_the_first(glass: Glass) -> None:
    """Ada makes Anna, Anna makes Axel: Axel is Ada's all the same."""
    async with house_work(glass.store) as session:
        acme = await session.get_one(Tenant, glass.cast.tenant("Acme").id)
        user = await User.create(session, acme, "Anna New", "anna@acme.example", NOW)
        anna = await Membership.create(session, Actor.house("a story"), user, acme, Role.ADMIN, NOW)
    ada = await glass.actor("Ada")
    async with house_work(glass.store) as session:
        row = await session.get_one(Membership, anna.id)
        row.role_given_by_id = ada.standing.membership_id
        record(session, Verb.MEMBERSHIP_CHANGED, row)
        axel = await session.get_one(Membership, glass.cast.membership_id("Axel"))
        axel.role_given_by_id, axel.role_given_at = anna.id, NOW
        record(session, Verb.MEMBERSHIP_CHANGED, axel)
    number = await glass.ask()
    with pytest.raises(NotPermitted) as refused:
        await glass.approve(number)
    assert refused.value.rule == "second_person"


async def test_who_asked_and_is_no_admin_any_more_gets_nothing(glass: Glass) -> None:
    number = await glass.ask()
    async with house_work(glass.store) as session:
        row = await session.get_one(Membership, glass.cast.membership_id("Ada"))
        await row.change_role(session, Actor.house("a story"), Role.OPERATOR, NOW)
    with pytest.raises(Conflict):
        await glass.approve(number)


async def test_who_is_no_admin_any_more_has_no_broken_glass_either(glass: Glass) -> None:
    await glass.approve(await glass.ask())
    async with house_work(glass.store) as session:
        row = await session.get_one(Membership, glass.cast.membership_id("Ada"))
        await row.change_role(session, Actor.house("a story"), Role.OPERATOR, NOW)
    with pytest.raises(Refused) as refused:
        await glass.start()
    assert refused.value.rule == "policy"


async def test_a_request_of_yesterday_is_asked_anew(glass: Glass) -> None:
    number = await glass.ask()
    glass.clock.pass_(hours=WAITS.total_seconds() / 3600)
    assert (await glass.row(number)).state(glass.clock.now) == "lapsed"
    with pytest.raises(Conflict):
        await glass.approve(number)
    assert await glass.ask()


async def test_what_was_said_no_to_is_not_approved(glass: Glass) -> None:
    number = await glass.ask()
    await glass.end(number, "Boris")
    with pytest.raises(Conflict):
        await glass.approve(number)


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
async def test_approved_twice_at_once_it_is_open_for_one_hour(glass: Glass) -> None:
    number = await glass.ask()
    said = await asyncio.gather(*(glass.approve(number) for _ in range(4)), return_exceptions=True)
    assert sorted(type(each).__name__ for each in said) == ["Conflict", "Conflict", "Conflict", "NoneType"]
    assert (await glass.row(number)).ends_at == NOW + OPEN
    assert len(await glass.told(Verb.BREAK_GLASS_APPROVED)) == 1


async def test_it_is_written_where_bakery_reads_it(glass: Glass) -> None:
    number = await glass.ask()
    for name, seen in (("Boris", True), ("Bea", True), ("Ben", False), ("Elsa", False)):
        async with work_as(glass.store, glass.cast.actor(name)) as session:
            assert (await session.get(BreakGlass, number) is not None) is seen
