"""Ending many stand-ins at once: those of one person, those into a company, and the whole world."""

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from bindings.binding import Binding
from bindings.ending_all import end_by_hand, live_into, live_of, stop_the_world, what_the_world_holds
from bindings.impersonation import Impersonation, goes_on
from bindings.login import Login
from bindings.resolving import Because
from tenants.refusals import NotPermitted
from tenants.store import Store
from tenants.trail import Entry
from tenants.tree import find_tenant
from tenants.verbs import Verb
from tests.bindings.test_login import Stage
from tests.cast import NOW, Cast, bind, house_work, impersonate, work_as

WHY = "a laptop with open sign-ins was stolen"


async def causes(store: Store) -> dict[str, str | None]:
    """How each impersonation ended, by who stood in; None for those that go on."""
    async with house_work(store) as session:
        rows = await session.scalars(sa.select(Impersonation).order_by(Impersonation.id))
        return {row.actor_name.split()[0]: row.ended_cause for row in rows}


async def told(store: Store, verb: Verb) -> list[Entry]:
    async with house_work(store) as session:
        return list(await session.scalars(sa.select(Entry).where(Entry.verb == verb).order_by(Entry.id)))


async def busy(store: Store, cast: Cast) -> None:
    """Olaf and Opal are somebody at Bakery, Boris is Ben there, Pia is Dan."""
    for name, subject, at in [
        ("Olaf", "Bea", "Bakery"),
        ("Opal", "Ben", "Bakery"),
        ("Boris", "Ben", "Bakery"),
        ("Pia", "Dan", "Dairy"),
    ]:
        await impersonate(store, cast, name, subject, at=at)


async def test_nora_ends_all_of_opals_and_no_others(store: Store, cast: Cast) -> None:
    await busy(store, cast)
    nora = cast.actor("Nora")
    async with work_as(store, nora) as session:
        ended = await end_by_hand(session, nora, await live_of(session, cast.user("Opal").id, NOW), NOW)
    assert (ended.done, ended.left) == (1, 0)
    assert await causes(store) == {"Olaf": None, "Opal": "ended_by_admin", "Boris": None, "Pia": None}
    [entry] = await told(store, Verb.IMPERSONATION_ENDED)
    assert (entry.actor_name, entry.details["cause"]) == ("Nora Nash", "ended_by_admin")
    assert entry.details["actor"] == "Opal Orr"


async def test_boris_ends_all_into_bakery(store: Store, cast: Cast) -> None:
    await busy(store, cast)
    boris = cast.actor("Boris")
    async with work_as(store, boris) as session:
        bakery = await find_tenant(session, cast.tenant("Bakery").id)
        ended = await end_by_hand(session, boris, await live_into(session, bakery, NOW), NOW)
    assert (ended.done, ended.left) == (3, 0)
    assert await causes(store) == {"Olaf": "ended_by_admin", "Opal": "ended_by_admin", "Boris": "stopped", "Pia": None}


async def test_opal_ends_her_own_and_leaves_what_is_not_hers_to_end(store: Store, cast: Cast) -> None:
    await busy(store, cast)
    opal = cast.actor("Opal")
    async with work_as(store, opal) as session:
        oak = await find_tenant(session, cast.tenant("Oak").id)
        ended = await end_by_hand(session, opal, await live_into(session, oak, NOW), NOW)
    assert (ended.done, ended.left) == (1, 2)
    assert await causes(store) == {"Olaf": None, "Opal": "stopped", "Boris": None, "Pia": None}


async def test_sven_reaches_none_of_them(store: Store, cast: Cast) -> None:
    await busy(store, cast)
    sven = cast.actor("Sven")
    async with work_as(store, sven) as session:
        assert await live_of(session, cast.user("Olaf").id, NOW) == []


async def test_ada_stops_the_world_and_the_bindings_stay(store: Store, cast: Cast) -> None:
    await busy(store, cast)
    ada, stage = cast.actor("Ada"), Stage(store, cast)
    await bind(store, cast, "Paul", "Dairy", "101")
    for name in ("Paul", "Dan"):
        await stage.log_in(name, "softphone")
    async with work_as(store, ada) as session:
        before = await what_the_world_holds(session, ada, NOW)
    async with work_as(store, ada) as session:
        stopped = await stop_the_world(session, ada, WHY, NOW)
    assert (stopped.impersonations, stopped.logins) == (before.impersonations, before.logins) == (4, 1)
    assert set((await causes(store)).values()) == {"ended_by_admin"}
    assert len(await told(store, Verb.IMPERSONATION_ENDED)) == 4
    [entry] = await told(store, Verb.WORLD_STOPPED)
    assert (entry.actor_name, entry.reason, entry.details) == (
        "Ada Ash", WHY, {"impersonations": 4, "logins": 1}
    )  # fmt: skip
    async with house_work(store) as session:
        logins = {login.because: login.ended_cause for login in await session.scalars(sa.select(Login))}
        assert logins == {Because.BINDING: "world_stopped", Because.OWN: None}
        assert (await session.scalars(sa.select(Binding))).one().ended_at is None
    # The binding holds for the next login, as it was set.
    assert await stage.seen("Paul", "softphone") == ("Dan", "101", "binding")


@pytest.mark.parametrize("name", ["Nora", "Axel", "Opal", "Pia"])
async def test_only_an_admin_of_the_platform_stops_the_world(store: Store, cast: Cast, name: str) -> None:
    await busy(store, cast)
    actor = cast.actor(name)
    with pytest.raises(NotPermitted):
        async with work_as(store, actor) as session:
            await stop_the_world(session, actor, WHY, NOW)
    assert set((await causes(store)).values()) == {None}


@pytest.mark.parametrize("app", ["softphone", None])
@pytest.mark.parametrize(
    "marks",
    [
        {},
        {"seen_at": 0},
        {"seen_at": 60, "beat_at": 60},
        {"beat_at": 40},
        {"goodbye_at": 100},
        {"seen_at": 5, "beat_at": 100, "goodbye_at": 90},
    ],
)
async def test_b14_lists_and_the_row_itself_agree_on_what_goes_on(
    store: Store, cast: Cast, app: str | None, marks: dict[str, int]
) -> None:
    """At every moment at which one of its limits is met, and just before."""
    number = await impersonate(store, cast, "Olaf", "Bea", at="Bakery", app=app)
    rows = Impersonation.__table__
    set_to: dict[str, datetime | None] = {"seen_at": None}
    set_to |= {name: NOW + timedelta(seconds=seconds) for name, seconds in marks.items()}
    async with store.writer.begin() as connection:
        await connection.execute(sa.update(rows).where(rows.c.id == number).values(**set_to))
    limits = {seconds + spare for seconds in (0, *marks.values()) for spare in (10, 150)} | {1200}
    async with house_work(store) as session:
        row = await session.get_one(Impersonation, number)
        for seconds in sorted({0} | limits | {limit - 1 for limit in limits}):
            now = NOW + timedelta(seconds=seconds)
            listed = await session.scalar(sa.select(Impersonation.id).where(goes_on(now)))
            assert (listed is not None) == (row.over(now) is None), seconds
        await row.end(session, "stopped", NOW)
        assert await session.scalar(sa.select(Impersonation.id).where(goes_on(NOW))) is None
