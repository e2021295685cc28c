"""Searching the history: every way of walking it finds what a plain look through all of it finds, in the same order."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from tenants import history
from tenants.actor import Actor
from tenants.history import Position, Search, every, newest, newest_id
from tenants.store import Store
from tenants.trail import Entry, record
from tenants.tree import Tenant
from tenants.verbs import Verb
from tests.cast import NOW, SEEDED, Cast, house_work, work_as
from tests.furnished import furnish

READERS = ("Ada", "Olaf", "Boris")


@pytest.fixture
async def lived_in(store: Store, cast: Cast) -> Store:
    """A house where every kind of record has a row, and names changed hour by hour."""
    await furnish(store, cast)
    for hour, (name, tenant) in enumerate((("Boris", "Bakery"), ("Olaf", "Clinic"), ("Elsa", "Zoo"), ("Nora", "Oak"))):
        async with work_as(store, cast.actor(name), NOW + timedelta(hours=hour)) as session:
            await (await session.get_one(Tenant, cast.tenant(tenant).id)).change(session, name=f"{tenant} {hour}")
    return store


def searches(cast: Cast) -> list[Search]:
    """One of each way to ask, and some together."""
    bakery, olaf, bea = cast.tenant("Bakery"), cast.membership_id("Olaf"), cast.membership_id("Bea")
    return [
        Search(),
        Search(kinds=("tenants", "licences")),
        Search(verb=Verb.TENANT_CHANGED.value),
        Search(field="name"),
        Search(field="name", kinds=("tenants", "users", "phone_systems")),
        Search(field="password_hash"),
        Search(via="direct"),
        Search(via="binding"),
        Search(members=(olaf, bea)),
        Search(actors=(olaf,)),
        Search(subjects=(bea,)),
        Search(record=("tenants", str(bakery.id))),
        Search(under=bakery.path),
        Search(under=cast.tenant("Oak").path, kinds=("tenants",)),
        Search(under="/1/", via="system"),
        Search(narrowed=(Entry.actor_name.icontains("olaf"),)),
        Search(since=NOW, until=NOW + timedelta(hours=2)),
        Search(until=NOW, field="name"),
        Search(since=SEEDED + timedelta(days=1)),
    ]


async def all_in_reach(session: AsyncSession) -> tuple[list[Entry], dict[int, str]]:
    """Every entry the reader may see, newest first, and where the tenants are."""
    entries = await session.scalars(sa.select(Entry).order_by(Entry.occurred_at.desc(), Entry.id.desc()))
    return list(entries), {tenant.id: tenant.path for tenant in await session.scalars(sa.select(Tenant))}


def plainly(entries: list[Entry], paths: dict[int, str], search: Search) -> list[int]:
    """What the search is for, asked of each entry in turn."""
    return [
        entry.id
        for entry in entries
        if (search.verb in {None, entry.verb})
        and (not search.kinds or entry.record_type in search.kinds)
        and (search.field is None or search.field in entry.changes)
        and (search.via in {None, entry.via})
        and (not search.members or {entry.actor_membership_id, entry.subject_membership_id} & {*search.members})
        and (not search.actors or entry.actor_membership_id in search.actors)
        and (not search.subjects or entry.subject_membership_id in search.subjects)
        and (search.record in {None, (entry.record_type, entry.record_id)})
        and (search.under is None or paths.get(entry.tenant_id or 0, "").startswith(search.under))
        and (search.since is None or entry.occurred_at >= search.since)
        and (search.until is None or entry.occurred_at < search.until)
        and (not search.narrowed or "olaf" in entry.actor_name.lower())
    ]


async def paged(session: AsyncSession, search: Search, limit: int) -> list[int]:
    """All pages of a search, one after the other."""
    found, before = [], None
    for _ in range(2000):
        page = await newest(session, search, before, limit)
        found += [entry.id for entry in page.entries]
        if page.next is None:
            return found
        assert before is None or page.next < before
        before = page.next
    raise AssertionError("it does not end")


@pytest.mark.parametrize(("looked_at", "few"), [(20_000, 1000), (20_000, 0), (60, 1000), (40, 0)])
async def test_every_walk_finds_what_a_plain_look_finds(
    lived_in: Store, cast: Cast, monkeypatch: pytest.MonkeyPatch, looked_at: int, few: int
) -> None:
    monkeypatch.setattr(history, "LOOKED_AT", looked_at)
    monkeypatch.setattr(history, "FEW", few)
    for name in READERS:
        async with work_as(lived_in, cast.actor(name), writes=False) as session:
            entries, paths = await all_in_reach(session)
            for search in searches(cast):
                assert await paged(session, search, 50) == plainly(entries, paths, search), f"{name}: {search}"


async def test_an_export_takes_all_of_it_and_nothing_newer_than_its_beginning(lived_in: Store, cast: Cast) -> None:
    async with work_as(lived_in, cast.actor("Olaf")) as session:
        search = Search(last_id=await newest_id(session))
        everything = [entry.id for entry in (await all_in_reach(session))[0]]
        record(session, Verb.HISTORY_EXPORTED, None, place=cast.tenant("Oak").id)
    async with work_as(lived_in, cast.actor("Olaf"), writes=False) as session:
        found = [[entry.id for entry in entries] async for entries in every(session, search, at_once=30)]
    assert [number for page in found for number in page] == everything
    assert len(found) > 1


async def test_what_was_looked_through_is_said_and_the_next_page_goes_on(
    lived_in: Store, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "LOOKED_AT", 10)
    async with work_as(lived_in, cast.actor("Ada"), writes=False) as session:
        first = await newest(session, Search(field="password_hash"))
        assert first.entries == []
        assert first.next is not None
        assert first.back_to == first.next[0]
        monkeypatch.setattr(history, "LOOKED_AT", 20_000)
        rest = await newest(session, Search(field="password_hash"), first.next)
        assert rest.entries
        assert rest.back_to is None


async def test_days_long_past_are_found_without_walking_back_to_them(
    lived_in: Store, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bound counts from the last day that is asked for, not from today."""
    monkeypatch.setattr(history, "LOOKED_AT", 150)
    async with work_as(lived_in, cast.actor("Ada"), writes=False) as session:
        found = await newest(session, Search(field="name", until=SEEDED + timedelta(seconds=1)))
        assert found.entries
        assert {entry.occurred_at for entry in found.entries} == {SEEDED}


async def test_the_reach_holds_whatever_is_asked(lived_in: Store, cast: Cast) -> None:
    """C-line: a foreign company, person or record by number finds nothing, not even how far back one looked."""
    zoo, zoe = cast.tenant("Zoo"), cast.membership_id("Zoe")
    async with work_as(lived_in, cast.actor("Olaf"), writes=False) as session:
        for foreign in (
            Search(under=zoo.path),
            Search(members=(zoe,)),
            Search(record=("tenants", str(zoo.id))),
            Search(under=cast.tenant("South").path, field="name"),
        ):
            found = await newest(session, foreign)
            assert (found.entries, found.next, found.back_to) == ([], None, None)


@pytest.fixture
async def asked(lived_in: Store) -> AsyncIterator[list[str]]:
    """The statements that a search asks."""
    told: list[str] = []

    def listen(connection: sa.Connection, cursor: object, statement: str, parameters: object, *rest: object) -> None:
        if statement.startswith("SELECT") and "entries" in statement:
            told.append(statement)

    sa.event.listen(lived_in.reader.sync_engine, "before_cursor_execute", listen)
    yield told
    sa.event.remove(lived_in.reader.sync_engine, "before_cursor_execute", listen)


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
async def test_on_postgresql_a_small_reach_is_walked_tenant_by_tenant(
    lived_in: Store, cast: Cast, asked: list[str]
) -> None:
    async with work_as(lived_in, cast.actor("Olaf"), writes=False) as session:
        await newest(session, Search())
    assert len([statement for statement in asked if "LATERAL" in statement]) == 2
    asked.clear()
    async with work_as(lived_in, cast.actor("Ada"), writes=False) as session:
        await newest(session, Search())
    assert not any("LATERAL" in statement or "EXISTS" in statement for statement in asked)


async def test_the_house_itself_and_nobody_ask_too(lived_in: Store) -> None:
    async with house_work(lived_in) as session:
        assert (await newest(session, Search(), limit=5)).entries
    stranger = Actor.house("stranger")
    async with lived_in.work(stranger, stranger.reach(), NOW, writes=False) as session:
        assert (await newest(session, Search())).entries == []


def test_a_position_is_a_moment_and_an_id() -> None:
    here: Position = (NOW, 2)
    assert (NOW, 1) < here < (NOW + timedelta(seconds=1), 1)
