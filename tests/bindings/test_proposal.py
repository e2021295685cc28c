"""A colleague's binding: both guards, rank over them, and nothing in force before they say yes."""

import asyncio

import pytest

from bindings.apps import App
from bindings.binding import Binding, live_binding, open_bindings
from bindings.guard import Refused
from bindings.proposal import accept, decline, propose, waiting_for
from bindings.resolving import Granted, Notice, resolve
from tenants.people import Membership, User
from tenants.phones import find_extension
from tenants.refusals import Conflict, Invalid, NotPermitted, OutOfReach
from tenants.roles import Role
from tenants.store import Store
from tenants.tree import Tenant
from tests.cast import NOW, Cast, bind, house_work, work_as

REASON = "Bea cannot hear her callers"


async def proposed(store: Store, cast: Cast, proposer: str, to: str, tenant: str, number: str) -> int:
    """`proposer` proposes to `to` to become whoever has that extension; returns the binding's id."""
    actor = cast.actor(proposer)
    async with work_as(store, actor) as session:
        user = await session.get(User, cast.user(to).id)
        if user is None:
            raise OutOfReach
        extension = await find_extension(session, cast.extension(tenant, number).id)
        return (await propose(session, actor, user, extension, NOW, reason=REASON)).id


async def softphone_of(store: Store, cast: Cast, name: str) -> Granted | Notice:
    async with house_work(store) as session:
        app = await session.get_one(App, cast.app_id("softphone"))
        return await resolve(session, cast.user(name).id, app, NOW)


async def test_opal_is_asked_and_nothing_changes_before_she_answers(store: Store, cast: Cast) -> None:
    await proposed(store, cast, "Olaf", "Opal", "Bakery", "201")
    outcome = await softphone_of(store, cast, "Opal")
    assert isinstance(outcome, Notice)
    assert outcome.kind == "proposed"
    assert outcome.error == "interaction_required"
    async with house_work(store) as session:
        assert await open_bindings(session, cast.user("Opal").id) == []
        assert len(await waiting_for(session, cast.user("Opal").id)) == 1


async def test_opal_accepts_and_is_bea_from_her_next_login_on(store: Store, cast: Cast) -> None:
    number = await proposed(store, cast, "Olaf", "Opal", "Bakery", "201")
    opal = cast.actor("Opal")
    async with work_as(store, opal) as session:
        await accept(session, opal, await session.get_one(Binding, number), NOW)
    outcome = await softphone_of(store, cast, "Opal")
    assert isinstance(outcome, Granted)
    assert outcome.subject.name.startswith("Bea")
    assert outcome.actor.name.startswith("Opal")


async def test_accept_pressed_twice_at_once_leaves_one_live_binding(store: Store, cast: Cast) -> None:
    number = await proposed(store, cast, "Olaf", "Opal", "Bakery", "201")
    opal = cast.actor("Opal")

    async def press() -> bool:
        async with work_as(store, opal) as session:
            await accept(session, opal, await session.get_one(Binding, number), NOW)
        return True

    pressed = await asyncio.gather(*(press() for _ in range(5)), return_exceptions=True)
    assert pressed.count(True) == 1
    assert all(isinstance(each, Conflict) for each in pressed if each is not True)
    async with house_work(store) as session:
        assert [each.number for each in await open_bindings(session, opal.standing.user_id)] == ["201"]


async def test_accepting_takes_the_place_of_what_she_had_set_herself(store: Store, cast: Cast) -> None:
    await bind(store, cast, "Opal", "Bakery", "202", reason="Ben's headset is silent")
    number = await proposed(store, cast, "Olaf", "Opal", "Bakery", "201")
    async with house_work(store) as session:
        mine = await open_bindings(session, cast.user("Opal").id)
        assert [each.number for each in mine] == ["202"]
    opal = cast.actor("Opal")
    async with work_as(store, opal) as session:
        await accept(session, opal, await session.get_one(Binding, number), NOW)
        assert [each.number for each in await open_bindings(session, opal.standing.user_id)] == ["201"]


async def test_opal_declines_and_stays_herself(store: Store, cast: Cast) -> None:
    number = await proposed(store, cast, "Olaf", "Opal", "Bakery", "201")
    opal = cast.actor("Opal")
    async with work_as(store, opal) as session:
        await decline(session, opal, await session.get_one(Binding, number), NOW)
    async with work_as(store, opal) as session:
        binding = await session.get_one(Binding, number)
        assert (binding.ended_cause, binding.accepted_at) == ("declined", None)
        assert await live_binding(session, opal.standing.user_id, None) is None
        with pytest.raises(Conflict):
            await accept(session, opal, binding, NOW)


async def test_nobody_answers_for_opal(store: Store, cast: Cast) -> None:
    number = await proposed(store, cast, "Olaf", "Opal", "Bakery", "201")
    olaf = cast.actor("Olaf")
    async with work_as(store, olaf) as session:
        with pytest.raises(NotPermitted):
            await accept(session, olaf, await session.get_one(Binding, number), NOW)


async def test_a_newer_proposal_takes_the_place_of_one_that_waits(store: Store, cast: Cast) -> None:
    first = await proposed(store, cast, "Olaf", "Opal", "Bakery", "201")
    second = await proposed(store, cast, "Olaf", "Opal", "Bakery", "202")
    async with house_work(store) as session:
        assert [each.id for each in await waiting_for(session, cast.user("Opal").id)] == [second]
        assert (await session.get_one(Binding, first)).ended_cause == "replaced"


@pytest.mark.parametrize(
    ("proposer", "to", "tenant", "number", "rule"),
    [
        ("Opal", "Olaf", "Bakery", "201", "rank"),  # an operator is not above her admin
        ("Nora", "Olaf", "Zoo", "201", "reach"),  # the extension is another branch's
        ("Boris", "Ben", "Bakery", "201", "permission"),  # a member has no Admin Access
    ],
)
async def test_who_may_not_propose_what(
    store: Store, cast: Cast, proposer: str, to: str, tenant: str, number: str, rule: str
) -> None:
    with pytest.raises((NotPermitted, Refused, OutOfReach)) as refused:
        await proposed(store, cast, proposer, to, tenant, number)
    assert refused.value.rule == rule


async def test_the_layer_rule_holds_for_proposals_as_well(store: Store, cast: Cast) -> None:
    """Sven above Elsa may not, since South allows only the layer itself; and she holds no place there."""
    with pytest.raises(Refused) as refused:
        await proposed(store, cast, "Sven", "Elsa", "Zoo", "201")
    assert refused.value.rule == "layer"


async def test_a_proposal_that_no_longer_holds_is_not_accepted(store: Store, cast: Cast) -> None:
    """Opal's operator role went in between: she cannot accept what she may no longer do."""
    number = await proposed(store, cast, "Olaf", "Opal", "Bakery", "201")
    olaf, opal = cast.actor("Olaf"), cast.actor("Opal")
    async with work_as(store, olaf) as session:
        hers = await session.get_one(Membership, cast.membership_id("Opal"))
        await hers.change_role(session, olaf, Role.MEMBER, NOW)
    async with house_work(store) as session:
        with pytest.raises(Conflict) as refused:
            await accept(session, opal, await session.get_one(Binding, number), NOW)
    assert refused.value.rule == "reach"


# Sponsored profiles


async def test_elsa_meets_layer_makes_her_profile_in_zoo_and_is_zoe(store: Store, cast: Cast) -> None:
    with pytest.raises(Refused) as refused:
        await bind(store, cast, "Elsa", "Zoo", "201", reason="Zoe hears an echo")
    assert refused.value.rule == "layer"
    elsa = cast.actor("Elsa")
    async with work_as(store, elsa) as session:
        zoo = await session.get_one(Tenant, cast.tenant("Zoo").id)
        profile = await Membership.sponsor(session, elsa, zoo, NOW)
        assert (profile.role, profile.sponsor_id) == ("operator", elsa.standing.membership_id)
    await bind(store, cast, "Elsa", "Zoo", "201", reason="Zoe hears an echo")
    outcome = await softphone_of(store, cast, "Elsa")
    assert isinstance(outcome, Granted)
    assert outcome.subject.name.startswith("Zoe")
    assert outcome.actor.shown_name == f"{cast.user('Elsa').name} (Elm)"


@pytest.mark.parametrize(("name", "tenant"), [("Elsa", "Elm"), ("Boris", "Bakery"), ("Nora", "Oak")])
async def test_a_profile_is_made_in_a_company_below(store: Store, cast: Cast, name: str, tenant: str) -> None:
    actor = cast.actor(name)
    async with work_as(store, actor) as session:
        place = await session.get_one(Tenant, cast.tenant(tenant).id)
        with pytest.raises(Invalid):
            await Membership.sponsor(session, actor, place, NOW)


@pytest.mark.parametrize("name", ["Bruno", "Amos", "Axel"])
async def test_who_manages_nothing_above_makes_no_profile(store: Store, cast: Cast, name: str) -> None:
    actor = cast.actor(name)
    async with work_as(store, actor) as session:
        bakery = await session.get_one(Tenant, cast.tenant("Bakery").id)
        with pytest.raises(NotPermitted):
            await Membership.sponsor(session, actor, bakery, NOW)


async def test_zoos_admin_ends_elsas_profile_and_elsa_may_come_again(store: Store, cast: Cast) -> None:
    elsa = cast.actor("Elsa")
    async with work_as(store, elsa) as session:
        zoo = await session.get_one(Tenant, cast.tenant("Zoo").id)
        profile = await Membership.sponsor(session, elsa, zoo, NOW)
        with pytest.raises(Conflict):
            await Membership.sponsor(session, elsa, zoo, NOW)
    async with work_as(store, elsa) as session:
        mine = await session.get_one(Membership, profile.id)
        await mine.discard(session, elsa, NOW)
    async with work_as(store, elsa) as session:
        zoo = await session.get_one(Tenant, cast.tenant("Zoo").id)
        assert (await Membership.sponsor(session, elsa, zoo, NOW)).id == profile.id
