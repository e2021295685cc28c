"""Bindings: made, pinned, replaced, released, gone stale, and never revived by themselves."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.apps import App
from bindings.binding import UNUSED, Binding, BindingApp, find_binding, live_binding, open_bindings, staleness
from bindings.login import Login, start_login
from bindings.resolving import Granted, resolve
from tenants.actor import Actor, Via
from tenants.identities import live_identities
from tenants.people import Membership, User
from tenants.phones import Extension, Licence
from tenants.policy import StandIns
from tenants.refusals import Conflict, NotPermitted, Refusal
from tenants.roles import Role
from tenants.sign_in import SignIn
from tenants.store import Store
from tenants.trail import Entry, record
from tenants.tree import Scope, Suspension, Tenant
from tenants.verbs import Verb
from tests.cast import NOW, ORIGIN, Cast, bind, house_work, work_as
from tests.fold import misfits

REASON = "Bea's headset does not ring"


class Story:
    """What happens to a binding, told by names."""

    def __init__(self, store: Store, cast: Cast) -> None:
        self.store, self.cast = store, cast

    async def rule(self, deed: Any) -> str | None:
        """The rule that refused, or None."""
        try:
            await deed
        except Refusal as refusal:
            return refusal.rule
        return None

    async def row(self, number: int) -> Binding:
        async with house_work(self.store) as session:
            return await session.get_one(Binding, number)

    async def holds(self, name: str, app: str | None = None) -> int | None:
        """The binding that somebody's next login at an app (or any) would go by."""
        async with house_work(self.store) as session:
            found = await live_binding(
                session, self.cast.user(name).id, self.cast.app_id(app) if app is not None else None
            )
            return found.id if found else None

    async def stale(self, number: int, now: datetime = NOW) -> str | None:
        """Why a binding no longer holds, by the rule's name."""
        async with house_work(self.store, now) as session:
            found = await staleness(session, await session.get_one(Binding, number), now)
            return found.rule if found else None

    async def meet(self, number: int, now: datetime = NOW) -> str | None:
        """A login meets the binding: if it is stale it ends for good, as at the door."""
        async with house_work(self.store, now) as session:
            binding = await session.get_one(Binding, number)
            found = await staleness(session, binding, now)
            if found is not None:
                await binding.end(session, f"stale_{found.rule}", now)
            return found.rule if found else None

    async def release(self, by: str, number: int, *, at: str | None = None) -> None:
        actor = self.cast.actor(by, at=at)
        async with work_as(self.store, actor) as session:
            await (await find_binding(session, number)).release(session, actor, NOW)

    async def log_in(self, name: str, app: str, now: datetime = NOW) -> str:
        """Somebody logs in to an app; returns the sid."""
        async with house_work(self.store, now) as session:
            sign_in, _ = await SignIn.start(session, self.cast.identity(name), ORIGIN, "Firefox", now)
            client = await session.get_one(App, self.cast.app_id(app))
            granted = await resolve(session, self.cast.user(name).id, client, now)
            assert isinstance(granted, Granted), granted
            return (await start_login(session, granted, client, sign_in, "openid", now)).id

    async def login(self, sid: str) -> Login:
        async with house_work(self.store) as session:
            return await session.get_one(Login, sid)

    async def assign(self, tenant: str, number: str, to: str | None) -> None:
        """The extension goes to somebody else, or to nobody."""
        async with house_work(self.store) as session:
            line = await session.get_one(Extension, self.cast.extension(tenant, number).id)
            member = await session.get_one(Membership, self.cast.membership_id(to)) if to else None
            await line.change(session, membership=member)

    async def discard(self, kind: type[Any], number: int) -> None:
        async with house_work(self.store) as session:
            row = await session.get_one(kind, number)
            row.discarded_at = NOW
            record(session, Verb.REFUSED, row)


@pytest.fixture
def story(store: Store, cast: Cast) -> Story:
    return Story(store, cast)


# Making one


@pytest.mark.parametrize(
    ("name", "tenant", "number", "rule"),
    [
        ("Pia", "Dairy", "101", None),
        ("Pia", "Pine", "101", None),  # Pete, flat under her own tenant
        ("Paul", "Dairy", "102", None),
        ("Olaf", "Bakery", "201", None),
        ("Olaf", "Clinic", "301", None),
        ("Nora", "Bakery", "202", None),
        ("Ada", "Dairy", "101", None),
        ("Boris", "Bakery", "201", None),
        ("Elsa", "Zoo", "201", "layer"),
        ("Sven", "Zoo", "201", "layer"),
        ("Olaf", "Bakery", "203", "unassigned"),
        ("Pia", "Pine", "100", "self"),
        ("Paul", "Pine", "100", "rank"),
        ("Bruno", "Bakery", "201", "permission"),
        ("Amos", "Bakery", "201", "permission"),
        ("Olaf", "Zoo", "201", "reach"),
        ("Clara", "Bakery", "201", "reach"),
        ("Bea", "Bakery", "202", "reach"),
    ],
)
async def test_who_may_bind_to_what(
    story: Story, store: Store, cast: Cast, name: str, tenant: str, number: str, rule: str | None
) -> None:
    assert await story.rule(bind(store, cast, name, tenant, number)) == rule
    assert (await story.holds(name) is None) is (rule is not None)


async def test_a_refused_binding_leaves_nothing(story: Story, store: Store, cast: Cast) -> None:
    await story.rule(bind(store, cast, "Elsa", "Zoo", "201"))
    async with house_work(store) as session:
        assert await session.scalar(sa.select(sa.func.count(Binding.id))) == 0


async def test_a_binding_pins_extension_and_both_memberships(story: Story, store: Store, cast: Cast) -> None:
    row = await story.row(await bind(store, cast, "Pia", "Dairy", "101", reason=REASON))
    assert (row.user_id, row.membership_id) == (cast.user("Pia").id, cast.membership_id("Pia"))
    assert row.subject_membership_id == cast.membership_id("Dan")
    assert row.extension_id == cast.extension("Dairy", "101").id
    assert (row.label, row.reason) == ("Dan Dale, ext 101 at Dairy", REASON)


async def test_its_entry_names_both(store: Store, cast: Cast) -> None:
    number = await bind(store, cast, "Pia", "Dairy", "101", reason=REASON)
    async with house_work(store) as session:
        entry = (await session.scalars(sa.select(Entry).where(Entry.verb == "binding.made"))).one()
    assert (entry.actor_name, entry.subject_name, entry.stand_in_id) == ("Pia Pine", "Dan Dale", number)
    assert (entry.tenant_id, entry.reason, entry.record_name) == (
        cast.tenant("Dairy").id,
        REASON,
        "Dan Dale, ext 101 at Dairy",
    )


async def test_nobody_sets_a_colleagues_binding(store: Store, cast: Cast) -> None:
    """T50: not yet, and never as if the colleague had."""
    pia = cast.actor("Pia")
    async with work_as(store, pia) as session:
        paul = await session.get_one(User, cast.user("Paul").id)
        line = await session.get_one(Extension, cast.extension("Dairy", "101").id)
        with pytest.raises(NotPermitted):
            await Binding.make(session, pia, paul, line, NOW)


async def test_nobody_binds_from_within_a_stand_in(story: Story, store: Store, cast: Cast) -> None:
    """T28: Olaf, who appears as Opal, binds himself: not from there."""
    acting = replace(cast.actor("Olaf"), apparent=cast.identity("Opal"), via=Via.IMPERSONATION)

    async def from_within() -> None:
        async with work_as(store, acting) as session:
            olaf = await session.get_one(User, cast.user("Olaf").id)
            line = await session.get_one(Extension, cast.extension("Bakery", "201").id)
            await Binding.make(session, acting, olaf, line, NOW)

    assert await story.rule(from_within()) == "nested"
    assert await story.holds("Olaf") is None


async def test_a_company_may_ask_for_more(story: Story, store: Store, cast: Cast) -> None:
    """C18: what holds for impersonation holds for bindings."""
    async with house_work(store) as session:
        await (await session.get_one(Tenant, cast.tenant("Bakery").id)).change(session, policy_reason=1)
        await (await session.get_one(Tenant, cast.tenant("Clinic").id)).change(
            session, policy_stand_ins=StandIns.NEVER.value
        )
    assert await story.rule(bind(store, cast, "Olaf", "Bakery", "201")) == "policy"
    assert await story.rule(bind(store, cast, "Olaf", "Bakery", "201", reason="short")) == "policy"
    assert await story.rule(bind(store, cast, "Olaf", "Bakery", "201", reason=REASON)) is None
    assert await story.rule(bind(store, cast, "Olaf", "Clinic", "301", reason=REASON)) == "policy"


async def test_an_end_in_the_past_is_refused_and_a_cap_shortens(story: Story, store: Store, cast: Cast) -> None:
    assert await story.rule(bind(store, cast, "Olaf", "Bakery", "201", ends_at=NOW)) == "invalid"
    async with house_work(store) as session:
        await (await session.get_one(Tenant, cast.tenant("Bakery").id)).change(session, policy_binding_days=7)
    for asked, given in (
        (None, timedelta(days=7)),
        (timedelta(days=30), timedelta(days=7)),
        (timedelta(hours=1), timedelta(hours=1)),
    ):
        ends_at = NOW + asked if asked else None
        row = await story.row(await bind(store, cast, "Olaf", "Bakery", "201", ends_at=ends_at))
        assert row.ends_at == NOW + given


# Which membership is pinned


async def second_membership(store: Store, cast: Cast, name: str, tenant: str, role: Role) -> None:
    async with house_work(store) as session:
        user = await session.get_one(User, cast.user(name).id)
        place = await session.get_one(Tenant, cast.tenant(tenant).id)
        await Membership.create(session, Actor.house("the story"), user, place, role, NOW)


async def membership_at(store: Store, cast: Cast, name: str, tenant: str) -> int:
    async with house_work(store) as session:
        found = await live_identities(session, user_id=cast.user(name).id)
        return next(each.membership_id for each in found if each.tenant_name == tenant)


async def test_the_current_profile_is_asked_first(story: Story, store: Store, cast: Cast) -> None:
    await second_membership(store, cast, "Opal", "North", Role.OPERATOR)
    row = await story.row(await bind(store, cast, "Opal", "Bakery", "201"))
    assert row.membership_id == cast.membership_id("Opal")


async def test_the_first_membership_that_may_is_pinned(story: Story, store: Store, cast: Cast) -> None:
    """Nora is made an auditor at Oak, and acts as that: what binds her is her own North."""
    await second_membership(store, cast, "Nora", "Oak", Role.AUDITOR)
    async with house_work(store) as session:
        identities = await live_identities(session, user_id=cast.user("Nora").id)
    auditor = next(each for each in identities if each.role is Role.AUDITOR)
    actor = Actor.of(auditor, ORIGIN)
    async with work_as(store, actor) as session:
        user = await session.get_one(User, cast.user("Nora").id)
        line = await session.get_one(Extension, cast.extension("Bakery", "201").id)
        binding = await Binding.make(session, actor, user, line, NOW)
    assert binding.membership_id == cast.membership_id("Nora")
    assert binding.made_by_id == auditor.membership_id


async def test_the_pinned_membership_alone_counts(story: Story, store: Store, cast: Cast) -> None:
    """C20: Opal's operator role goes; that she could still from North does not matter."""
    await second_membership(store, cast, "Opal", "North", Role.OPERATOR)
    number = await bind(store, cast, "Opal", "Bakery", "201")
    assert await story.stale(number) is None
    olaf = cast.actor("Olaf")
    async with work_as(store, olaf) as session:
        row = await session.get_one(Membership, cast.membership_id("Opal"))
        await row.change_role(session, olaf, Role.MEMBER, NOW)
    assert await story.stale(number) == "reach"


# One live per app


async def test_a_new_one_for_every_app_takes_everything(story: Story, store: Store, cast: Cast) -> None:
    first = await bind(store, cast, "Olaf", "Bakery", "201")
    second = await bind(store, cast, "Olaf", "Clinic", "301")
    assert await story.holds("Olaf") == second
    old = await story.row(first)
    assert (old.ended_at, old.ended_cause) == (NOW, "replaced")


async def test_a_chosen_app_beats_every_app(story: Story, store: Store, cast: Cast) -> None:
    every = await bind(store, cast, "Olaf", "Bakery", "201")
    chosen = await bind(store, cast, "Olaf", "Clinic", "301", apps=["softphone"])
    assert await story.holds("Olaf", "softphone") == chosen
    assert await story.holds("Olaf", "desk-client") == every
    assert (await story.row(every)).ended_at is None


async def test_a_new_one_takes_only_its_apps(story: Story, store: Store, cast: Cast) -> None:
    first = await bind(store, cast, "Olaf", "Bakery", "201", apps=["softphone", "desk-client"])
    second = await bind(store, cast, "Olaf", "Clinic", "301", apps=["softphone"])
    assert await story.holds("Olaf", "softphone") == second
    assert await story.holds("Olaf", "desk-client") == first
    assert await story.holds("Olaf", "desk-admin") is None
    third = await bind(store, cast, "Olaf", "Bakery", "202", apps=["desk-client"])
    assert (await story.row(first)).ended_cause == "replaced"
    assert await story.holds("Olaf", "desk-client") == third


async def test_what_had_run_out_is_not_called_replaced(story: Story, store: Store, cast: Cast) -> None:
    first = await bind(store, cast, "Olaf", "Bakery", "201", NOW, ends_at=NOW + timedelta(hours=1))
    await bind(store, cast, "Olaf", "Clinic", "301", NOW + timedelta(hours=2))
    assert (await story.row(first)).ended_cause == "expired"


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
async def test_of_ten_at_once_one_stays_live(story: Story, store: Store, cast: Cast) -> None:
    lines = [("Bakery", "201"), ("Bakery", "202"), ("Clinic", "301")]
    await asyncio.gather(*(bind(store, cast, "Olaf", *lines[number % 3]) for number in range(10)))
    async with house_work(store) as session:
        live = await open_bindings(session, cast.user("Olaf").id)
        held = sa.select(sa.func.count(BindingApp.id)).where(BindingApp.live.is_(True))
        assert (len(live), await session.scalar(held)) == (1, 1)
        assert await session.scalar(sa.select(sa.func.count(Binding.id))) == 10
        assert await misfits(session) == []


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
async def test_two_people_at_once_do_not_wait_for_each_other_or_mix(story: Story, store: Store, cast: Cast) -> None:
    numbers = await asyncio.gather(
        *(bind(store, cast, name, "Bakery", "201") for name in ("Olaf", "Opal", "Nora", "Boris"))
    )
    assert [await story.holds(name) for name in ("Olaf", "Opal", "Nora", "Boris")] == numbers


async def test_the_database_itself_holds_one_live_per_person_and_app(store: Store, cast: Cast) -> None:
    number = await bind(store, cast, "Olaf", "Bakery", "201")
    with pytest.raises(sa.exc.IntegrityError):
        async with house_work(store) as session:
            session.add(BindingApp(binding_id=number, user_id=cast.user("Olaf").id, app_id=0, live=True))


# Releasing


@pytest.mark.parametrize(
    ("by", "cause"),
    [
        ("Opal", "released"),
        ("Bea", "ended_by_subject"),
        ("Boris", "ended_by_admin"),
        ("Olaf", "ended_by_admin"),
        ("Nora", "ended_by_admin"),
        ("Ada", "ended_by_admin"),
    ],
)
async def test_who_may_end_opals_binding_to_bea(story: Story, store: Store, cast: Cast, by: str, cause: str) -> None:
    number = await bind(store, cast, "Opal", "Bakery", "201")
    await story.release(by, number)
    row = await story.row(number)
    assert (row.ended_at, row.ended_cause) == (NOW, cause)
    assert await story.holds("Opal") is None
    assert await story.stale(number) == cause


@pytest.mark.parametrize(
    ("by", "rule"),
    [
        ("Amos", "permission"),
        ("Bruno", "permission"),
        ("Axel", "permission"),
        ("Ben", "reach"),
        ("Clara", "reach"),
        ("Elsa", "reach"),
        ("Pia", "reach"),
    ],
)
async def test_who_may_not_end_it(story: Story, store: Store, cast: Cast, by: str, rule: str) -> None:
    """B6, B12."""
    number = await bind(store, cast, "Opal", "Bakery", "201")
    assert await story.rule(story.release(by, number)) == rule
    assert await story.holds("Opal") == number


async def test_an_operator_ends_a_fellow_operators_and_not_an_admins(story: Story, store: Store, cast: Cast) -> None:
    async with house_work(store) as session:
        place = await session.get_one(Tenant, cast.tenant("Oak").id)
        user = await User.create(session, place, "Otto Old", "otto@oak.example", NOW)
        row = await Membership.create(session, Actor.house("the story"), user, place, Role.OPERATOR, NOW)
        [otto] = await live_identities(session, membership_id=row.id)
    opals, olafs = await bind(store, cast, "Opal", "Bakery", "201"), await bind(store, cast, "Olaf", "Bakery", "202")
    actor = Actor.of(otto, ORIGIN)

    async def end(number: int) -> None:
        async with work_as(store, actor) as session:
            await (await find_binding(session, number)).release(session, actor, NOW)

    assert await story.rule(end(opals)) is None
    assert await story.rule(end(olafs)) == "permission"


async def test_it_is_ended_once(story: Story, store: Store, cast: Cast) -> None:
    number = await bind(store, cast, "Pia", "Dairy", "101")
    await story.release("Pia", number)
    assert await story.rule(story.release("Pia", number)) == "conflict"


async def test_releasing_ends_the_logins_made_through_it_and_no_others(story: Story, store: Store, cast: Cast) -> None:
    """T48."""
    before = await story.log_in("Pia", "softphone")
    number = await bind(store, cast, "Pia", "Dairy", "101")
    through = await story.log_in("Pia", "softphone")
    assert (await story.login(before)).ended_at is None  # binding ends nothing that was there
    await story.release("Pia", number)
    ended = await story.login(through)
    assert (ended.because, ended.ended_at, ended.ended_cause) == ("binding", NOW, "binding_released")
    assert (await story.login(before)).ended_at is None


async def test_taking_one_app_ends_the_logins_at_that_app(story: Story, store: Store, cast: Cast) -> None:
    await bind(store, cast, "Olaf", "Bakery", "201", apps=["softphone", "desk-client"])
    phone, desk = await story.log_in("Olaf", "softphone"), await story.log_in("Olaf", "desk-client")
    await bind(store, cast, "Olaf", "Clinic", "301", apps=["softphone"])
    assert (await story.login(phone)).ended_cause == "binding_replaced"
    assert (await story.login(desk)).ended_at is None


# Time


async def test_it_holds_until_its_end(story: Story, store: Store, cast: Cast) -> None:
    number = await bind(store, cast, "Pia", "Dairy", "101", ends_at=NOW + timedelta(hours=1))
    assert await story.stale(number, NOW + timedelta(minutes=59)) is None
    assert await story.stale(number, NOW + timedelta(hours=1)) == "expired"


async def test_it_ends_when_nobody_used_it_for_ninety_days(story: Story, store: Store, cast: Cast) -> None:
    number = await bind(store, cast, "Pia", "Dairy", "101")
    assert await story.stale(number, NOW + UNUSED - timedelta(seconds=1)) is None
    assert await story.stale(number, NOW + UNUSED) == "unused"
    await story.log_in("Pia", "softphone", NOW + timedelta(days=80))
    assert await story.stale(number, NOW + UNUSED) is None
    assert await story.stale(number, NOW + timedelta(days=80) + UNUSED) == "unused"


# Stale


async def test_an_extension_that_went_to_somebody_else_is_no_silent_new_target(
    story: Story, store: Store, cast: Cast
) -> None:
    """T44, B27."""
    number = await bind(store, cast, "Olaf", "Bakery", "201")
    await story.assign("Bakery", "201", "Ben")
    assert await story.stale(number) == "reassigned"
    await story.assign("Bakery", "201", None)
    assert await story.stale(number) == "reassigned"


async def test_bea_ben_bea_before_any_login_nobody_noticed(story: Story, store: Store, cast: Cast) -> None:
    number = await bind(store, cast, "Olaf", "Bakery", "201")
    await story.assign("Bakery", "201", "Ben")
    await story.assign("Bakery", "201", "Bea")
    assert await story.meet(number) is None


async def test_bea_ben_bea_once_a_login_met_it_stays_final(story: Story, store: Store, cast: Cast) -> None:
    """C17."""
    number = await bind(store, cast, "Olaf", "Bakery", "201")
    await story.assign("Bakery", "201", "Ben")
    assert await story.meet(number) == "reassigned"
    await story.assign("Bakery", "201", "Bea")
    assert await story.stale(number) == "stale_reassigned"
    assert await story.holds("Olaf") is None
    assert (await story.row(number)).ended_cause == "stale_reassigned"


async def test_a_number_used_again_is_another_extension(story: Story, store: Store, cast: Cast) -> None:
    """B27: 201 is discarded and made anew for Ben; the binding does not follow the number."""
    number = await bind(store, cast, "Olaf", "Bakery", "201")
    await story.discard(Extension, cast.extension("Bakery", "201").id)
    assert await story.stale(number) == "extension"


async def actor_goes(story: Story, cast: Cast) -> None:
    await story.discard(Membership, cast.membership_id("Opal"))


async def actors_user_goes(story: Story, cast: Cast) -> None:
    await story.discard(User, cast.user("Opal").id)


async def actor_is_demoted(story: Story, cast: Cast) -> None:
    """B5: T22."""
    olaf = cast.actor("Olaf")
    async with work_as(story.store, olaf) as session:
        row = await session.get_one(Membership, cast.membership_id("Opal"))
        await row.change_role(session, olaf, Role.AUDITOR, NOW)


async def subject_goes(story: Story, cast: Cast) -> None:
    await story.discard(Membership, cast.membership_id("Bea"))


async def subjects_user_goes(story: Story, cast: Cast) -> None:
    await story.discard(User, cast.user("Bea").id)


async def subject_is_raised(story: Story, cast: Cast) -> None:
    """Nothing is stale by it: whoever is strictly below may be stood in for, whatever they are there."""
    boris = cast.actor("Boris")
    async with work_as(story.store, boris) as session:
        row = await session.get_one(Membership, cast.membership_id("Bea"))
        await row.change_role(session, boris, Role.ADMIN, NOW)


async def company_is_suspended(story: Story, cast: Cast) -> None:
    nora = cast.actor("Nora")
    async with work_as(story.store, nora) as session:
        await (await session.get_one(Tenant, cast.tenant("Bakery").id)).suspend(session, nora, Scope.ALL, "unpaid", NOW)


async def reseller_is_suspended(story: Story, cast: Cast) -> None:
    nora = cast.actor("Nora")
    async with work_as(story.store, nora) as session:
        await (await session.get_one(Tenant, cast.tenant("Oak").id)).suspend(session, nora, Scope.STAFF, "unpaid", NOW)


async def company_says_never(story: Story, cast: Cast) -> None:
    boris = cast.actor("Boris")
    async with work_as(story.store, boris) as session:
        bakery = await session.get_one(Tenant, cast.tenant("Bakery").id)
        await bakery.change(session, policy_stand_ins=StandIns.NEVER.value)


async def layer_is_asked_above(story: Story, cast: Cast) -> None:
    nora = cast.actor("Nora")
    async with work_as(story.store, nora) as session:
        await (await session.get_one(Tenant, cast.tenant("North").id)).change(session, policy_binding_reach=1)


async def company_moves_away(story: Story, cast: Cast) -> None:
    """T43: Bakery goes to Elm."""
    async with house_work(story.store) as session:
        bakery = await session.get_one(Tenant, cast.tenant("Bakery").id)
        bakery.parent_id, bakery.path = cast.tenant("Elm").id, f"{cast.tenant('Elm').path}{bakery.id}/"
        record(session, Verb.TENANT_CHANGED, bakery)


@pytest.mark.parametrize(
    ("event", "rule"),
    [
        (actor_goes, "live"),
        (actors_user_goes, "live"),
        (actor_is_demoted, "permission"),
        (subject_goes, "live"),
        (subjects_user_goes, "live"),
        (subject_is_raised, None),
        (company_is_suspended, "live"),
        (reseller_is_suspended, "live"),
        (company_says_never, "policy"),
        (layer_is_asked_above, "layer"),
        (company_moves_away, "reach"),
    ],
)
async def test_the_guard_is_asked_at_each_use(
    story: Story, store: Store, cast: Cast, event: Any, rule: str | None
) -> None:
    """T43, B5: what was allowed when the binding was made is asked again, now."""
    number = await bind(store, cast, "Opal", "Bakery", "201")
    await event(story, cast)
    assert await story.stale(number) == rule


async def test_a_suspension_that_is_lifted_before_a_login_leaves_it_as_it_was(
    story: Story, store: Store, cast: Cast
) -> None:
    number = await bind(store, cast, "Opal", "Bakery", "201")
    await company_is_suspended(story, cast)
    nora = cast.actor("Nora")
    async with work_as(store, nora) as session:
        await (await session.scalars(sa.select(Suspension))).one().lift(session, nora, NOW)
    assert await story.meet(number) is None


async def test_a_subjects_own_binding_is_not_followed(story: Story, store: Store, cast: Cast) -> None:
    """T45: Pia is bound to Dan; whoever is bound to Pia becomes Pia."""
    await bind(store, cast, "Pia", "Dairy", "101")
    number = await bind(store, cast, "Ada", "Pine", "100")
    row = await story.row(number)
    assert row.subject_membership_id == cast.membership_id("Pia")


async def test_two_may_be_bound_crosswise_to_a_third_but_not_to_each_other(
    story: Story, store: Store, cast: Cast
) -> None:
    """T45: A -> B -> A is refused by rank: nobody is above whom they are below."""
    await bind(store, cast, "Olaf", "Bakery", "201")
    assert await story.rule(bind(store, cast, "Boris", "Bakery", "201")) is None
    assert await story.rule(bind(store, cast, "Bea", "Bakery", "202")) == "reach"


async def test_a_licence_is_not_the_bindings_business(story: Story, store: Store, cast: Cast) -> None:
    """It uses no licence seat, and outlives the subject's: an app says so at the login."""
    number = await bind(store, cast, "Olaf", "Bakery", "201")
    async with house_work(store) as session:
        before = await session.scalar(sa.select(sa.func.count(Licence.id)))
        for licence in await session.scalars(sa.select(Licence).where(Licence.tenant_id == cast.tenant("Bakery").id)):
            await licence.withdraw(session, NOW)
        assert await session.scalar(sa.select(sa.func.count(Licence.id))) == before
    assert await story.stale(number) is None


async def test_it_can_be_asked_without_a_session(store: Store, cast: Cast) -> None:
    number = await bind(store, cast, "Olaf", "Bakery", "201")
    async with house_work(store) as session:
        binding = await session.get_one(Binding, number)
    async with store.hot.connect() as connection:
        assert await staleness(connection, binding, NOW) is None


async def test_who_sees_a_binding(store: Store, cast: Cast) -> None:
    """B14: whoever made it, its subject, and whose reach holds the subject; nobody else."""
    number = await bind(store, cast, "Opal", "Bakery", "201")
    seen = set()
    for name in cast.people:
        async with work_as(store, cast.actor(name)) as session:
            if await session.get(Binding, number) is not None:
                seen.add(name)
    assert seen == {"Ada", "Axel", "Nora", "Olaf", "Opal", "Boris", "Bruno", "Amos", "Bea"}


async def apps_of(session: AsyncSession, number: int) -> list[int]:
    return list(await session.scalars(sa.select(BindingApp.app_id).where(BindingApp.binding_id == number)))


async def test_every_app_is_one_row_and_chosen_apps_are_one_each(store: Store, cast: Cast) -> None:
    every = await bind(store, cast, "Olaf", "Bakery", "201")
    chosen = await bind(store, cast, "Opal", "Bakery", "201", apps=["softphone", "desk-client"])
    async with house_work(store) as session:
        assert await apps_of(session, every) == [0]
        assert sorted(await apps_of(session, chosen)) == sorted([cast.app_id("softphone"), cast.app_id("desk-client")])


async def test_an_ended_one_is_refused_twice_over(story: Story, store: Store, cast: Cast) -> None:
    number = await bind(store, cast, "Olaf", "Bakery", "201")
    async with house_work(store) as session:
        binding = await session.get_one(Binding, number)
        await binding.end(session, "cut", NOW)
        with pytest.raises(Conflict):
            await binding.end(session, "cut", NOW)
