"""Orphans: whatever goes first, what is left of it is found by whoever reaches it, and mended with its entry. (B27)"""

from collections.abc import Awaitable, Callable

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from bindings import endings
from bindings.apps import App
from bindings.binding import find_binding, live_binding, staleness
from bindings.orphans import KINDS, how_many, mend, some_of
from bindings.resolving import Granted, Notice, resolve
from tenants.invitations import Invitation
from tenants.numbers import InboundNumber
from tenants.people import Membership, User
from tenants.phone_endings import discard_extension, discard_phone_system
from tenants.phones import Extension, Licence, PhoneSystem
from tenants.refusals import Conflict
from tenants.roles import Role
from tenants.store import Store
from tenants.trail import Entry, record
from tenants.verbs import Verb
from tests.cast import NOW, Cast, bind, house_work, work_as


@pytest.fixture(params=["sqlite"])
def backend(request: pytest.FixtureRequest) -> str:
    """One database does, except where a story asks for another."""
    return str(request.param)


Step = Callable[[AsyncSession, Cast], Awaitable[None]]


async def beas_line(session: AsyncSession, cast: Cast) -> Extension:
    return await session.get_one(Extension, cast.extension("Bakery", "201").id)


async def user_goes(session: AsyncSession, cast: Cast) -> None:
    bea = await session.get_one(User, cast.user("Bea").id)
    await endings.discard_user(session, cast.actor("Olaf"), bea, NOW)


async def membership_goes(session: AsyncSession, cast: Cast) -> None:
    beas = await session.get_one(Membership, cast.membership_id("Bea"))
    await endings.discard_membership(session, cast.actor("Olaf"), beas, NOW)


async def extension_goes(session: AsyncSession, cast: Cast) -> None:
    line = await beas_line(session, cast)
    if line.discarded_at is None:
        await discard_extension(session, line, NOW)


async def system_goes(session: AsyncSession, cast: Cast) -> None:
    system = await session.get_one(PhoneSystem, cast.phone_system_id("Bakery"))
    await discard_phone_system(session, system, NOW, with_extensions=True)


async def counts(session: AsyncSession) -> dict[str, int]:
    """The kinds of which there are any, and how many."""
    found = {name: await how_many(session, kind) for name, kind in KINDS.items()}
    return {name: count for name, count in found.items() if count}


async def mend_all(session: AsyncSession) -> None:
    for kind in KINDS.values():
        if await how_many(session, kind):
            await mend(session, kind, NOW)


async def test_a_house_in_order_has_none(store: Store, cast: Cast) -> None:
    await bind(store, cast, "Olaf", "Bakery", "201")
    async with work_as(store, cast.actor("Ada")) as session:
        assert await counts(session) == {}


ORDERS: list[tuple[list[Step], dict[str, int]]] = [
    ([user_goes], {"held-extensions": 1, "team-places": 1, "bindings": 1}),
    ([membership_goes], {"held-extensions": 1, "team-places": 1, "bindings": 1}),
    ([extension_goes], {"bindings": 1}),
    ([system_goes], {"bindings": 1}),
    ([user_goes, extension_goes], {"team-places": 1, "bindings": 1}),
    ([extension_goes, user_goes], {"team-places": 1, "bindings": 1}),
    ([membership_goes, system_goes], {"team-places": 1, "bindings": 1}),
    ([system_goes, membership_goes], {"team-places": 1, "bindings": 1}),
    ([membership_goes, extension_goes, system_goes], {"team-places": 1, "bindings": 1}),
    ([extension_goes, system_goes, user_goes], {"team-places": 1, "bindings": 1}),
]


@pytest.mark.parametrize(("steps", "left"), ORDERS)
async def test_in_every_order_what_is_left_is_found_and_mended(
    store: Store, cast: Cast, steps: list[Step], left: dict[str, int]
) -> None:
    """The binding says why it no longer works, a login is oneself, and mending leaves nothing behind."""
    binding_id = await bind(store, cast, "Olaf", "Bakery", "201")
    for step in steps:
        async with work_as(store, cast.actor("Olaf")) as session:
            await step(session, cast)
    async with work_as(store, cast.actor("Olaf")) as session:
        assert await counts(session) == left
        stale = await staleness(session, await find_binding(session, binding_id), NOW)
        assert stale is not None
        assert stale.sentence
    async with work_as(store, cast.actor("Boris")) as session:
        await mend_all(session)
        assert await counts(session) == {}
        ended = await find_binding(session, binding_id)
        assert ended.ended_at is not None
        assert (ended.ended_cause or "").startswith("stale_")
        assert await live_binding(session, cast.user("Olaf").id, None) is None


async def test_a_number_used_again_by_somebody_new_is_not_what_was_bound(store: Store, cast: Cast) -> None:
    """B27: the binding to 201 is of that extension and of Bea, whoever has the number next."""
    binding_id = await bind(store, cast, "Olaf", "Bakery", "201")
    async with work_as(store, cast.actor("Boris")) as session:
        await extension_goes(session, cast)
        system = await session.get_one(PhoneSystem, cast.phone_system_id("Bakery"))
        amos = await session.get_one(Membership, cast.membership_id("Amos"))
        await Extension.create(session, system, "201", NOW, membership=amos)
    async with work_as(store, cast.actor("Olaf")) as session:
        stale = await staleness(session, await find_binding(session, binding_id), NOW)
        assert stale is not None
        assert stale.rule == "extension"
        await mend(session, KINDS["bindings"], NOW)
        assert (await find_binding(session, binding_id)).ended_cause == "stale_extension"


@pytest.mark.parametrize("backend", ["sqlite", "postgresql"], indirect=True)
async def test_what_others_left_behind_is_found_too(store: Store, cast: Cast) -> None:
    """Bare discards, as an older version or another program did them: licences, routes and numbers hang on."""
    boris = cast.actor("Boris")
    async with work_as(store, boris) as session:
        await (await beas_line(session, cast)).discard(session, NOW)
        assert await counts(session) == {"numbers": 1, "licences": 2}
        await mend_all(session)
        number = await session.get_one(InboundNumber, cast.numbers["+442079460101"])
        live = sa.select(Licence.id).where(Licence.discarded_at.is_(None))
        held = live.where(Licence.extension_id == cast.extension("Bakery", "201").id)
        assert (number.extension_id, list(await session.scalars(held))) == (None, [])
    async with work_as(store, cast.actor("Amos")) as session:
        mine = Entry.actor_membership_id == boris.standing.membership_id
        told = sa.select(Entry.verb).where(mine, Entry.occurred_at == NOW)
        assert set(await session.scalars(told)) == {"extension.discarded", "number.changed", "licence.withdrawn"}


async def test_extensions_left_on_a_phone_system_that_is_gone(store: Store, cast: Cast) -> None:
    async with house_work(store) as session:
        await system_goes(session, cast)
        shop = await session.get_one(Extension, cast.extension("Bakery", "203").id)
        shop.discarded_at = None
        record(session, Verb.EXTENSION_CHANGED, shop)
    async with work_as(store, cast.actor("Boris")) as session:
        assert (await counts(session))["stranded-extensions"] == 1
        await mend_all(session)
        assert await counts(session) == {}


async def test_after_mending_a_login_is_oneself(store: Store, cast: Cast) -> None:
    """Pia is bound to Dan until his extension goes; she has one of her own."""
    pia = cast.user("Pia").id
    await bind(store, cast, "Pia", "Dairy", "101")
    async with work_as(store, cast.actor("Pia")) as session:
        await discard_extension(session, await session.get_one(Extension, cast.extension("Dairy", "101").id), NOW)
    async with house_work(store) as session:
        softphone = await session.get_one(App, cast.app_id("softphone"))
        met = await resolve(session, pia, softphone, NOW)
        assert isinstance(met, Notice)
        assert met.rule == "extension"
    async with work_as(store, cast.actor("Pia")) as session:
        await mend(session, KINDS["bindings"], NOW)
    async with house_work(store) as session:
        granted = await resolve(session, pia, softphone, NOW)
        assert isinstance(granted, Granted)
        assert (granted.because, granted.subject.membership_id) == ("own", cast.membership_id("Pia"))


async def test_an_invitation_for_an_extension_that_is_taken_forgets_it(store: Store, cast: Cast) -> None:
    boris = cast.actor("Boris")
    async with work_as(store, boris) as session:
        spare = await session.get_one(Extension, cast.extension("Bakery", "203").id)
        here = cast.tenant("Bakery").id
        invited = await Invitation.prepare(
            session, boris, here, "bo@new.example", "Bo", Role.MEMBER, NOW, extension_id=spare.id
        )
        assert await counts(session) == {}
        await spare.change(session, membership=await session.get_one(Membership, cast.membership_id("Amos")))
        assert await counts(session) == {"invitations": 1}
        await mend_all(session)
        assert (invited.extension_id, invited.open) == (None, True)


async def test_orphans_elsewhere_are_not_ones_business(store: Store, cast: Cast) -> None:
    async with work_as(store, cast.actor("Boris")) as session:
        await membership_goes_by_boris(session, cast)
    async with work_as(store, cast.actor("Elsa")) as session:
        assert await counts(session) == {}
        for kind in KINDS.values():
            with pytest.raises(Conflict):
                await mend(session, kind, NOW)
    async with work_as(store, cast.actor("Boris")) as session:
        held = await some_of(session, KINDS["held-extensions"], 10)
        assert [each.number for each in held] == ["201"]
        with pytest.raises(Conflict):
            await mend(session, KINDS["held-extensions"], NOW, only=cast.extension("Bakery", "202").id)
        assert await mend(session, KINDS["held-extensions"], NOW, only=held[0].id) == 1


async def membership_goes_by_boris(session: AsyncSession, cast: Cast) -> None:
    beas = await session.get_one(Membership, cast.membership_id("Bea"))
    await endings.discard_membership(session, cast.actor("Boris"), beas, NOW)
