"""Bakery brings its extension list along: what a dry run says, what is done, and what is never told."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession

from tenants.extension_import import ENDED, Line, Outcome, Plan, apply, plan
from tenants.extension_list import Reason, Row, read_extension_list
from tenants.invitations import Invitation
from tenants.people import find_membership
from tenants.phones import Extension, PhoneSystem, find_phone_system
from tenants.refusals import Conflict, NotPermitted, OutOfReach
from tenants.store import Store
from tenants.trail import Entry, canonical, record
from tenants.verbs import Verb
from tests.cast import NOW, Cast, house_work, work_as
from tests.fold import misfits

SAMPLES = Path(__file__).parents[1] / "samples"


@asynccontextmanager
async def as_boris(store: Store, cast: Cast) -> AsyncIterator[tuple[AsyncSession, PhoneSystem]]:
    """Boris of Bakery at work on Bakery PBX."""
    async with work_as(store, cast.actor("Boris")) as session:
        yield session, await find_phone_system(session, cast.phone_system_id("Bakery"))


async def bring(store: Store, cast: Cast, rows: Any) -> Plan:
    """Boris imports a list for good."""
    async with as_boris(store, cast) as (session, system):
        planned = await plan(session, system, rows, to_apply=True)
        await apply(session, planned, NOW, source="list.csv")
    return planned


async def dry_run(store: Store, cast: Cast, rows: Any) -> Plan:
    """Boris looks at what a list would do."""
    async with as_boris(store, cast) as (session, system):
        return await plan(session, system, rows)


async def bakery(store: Store, cast: Cast) -> dict[str, tuple[str | None, int | None]]:
    """Number -> name and membership of what is on Bakery PBX."""
    async with house_work(store) as session:
        rows = await session.execute(
            sa.select(Extension.number, Extension.name, Extension.membership_id).where(
                Extension.phone_system_id == cast.phone_system_id("Bakery"), Extension.discarded_at.is_(None)
            )
        )
        return {number: (name, membership_id) for number, name, membership_id in rows}


async def invited(store: Store) -> list[str]:
    async with house_work(store) as session:
        return list(await session.scalars(sa.select(Invitation.email).order_by(Invitation.id)))


async def count(store: Store, kind: type[Any]) -> int:
    async with house_work(store) as session:
        return (await session.execute(sa.select(sa.func.count()).select_from(kind))).scalar_one()


def row(number: str, name: str | None = None, email: str | None = None, line: int = 2) -> Row:
    return Row(line, number, name, email)


# The lists that people have


@pytest.mark.parametrize("sample", ["freepbx-20.csv", "3cx-20.csv"])
async def test_a_list_is_brought_in_whole_and_a_second_run_changes_nothing(
    store: Store, cast: Cast, sample: str
) -> None:
    before = await count(store, Entry)
    first = await bring(store, cast, read_extension_list(SAMPLES / sample))

    assert first.count(Outcome.ADDED) == 20
    assert len(await bakery(store, cast)) == 20 + len(["201", "202", "203"])
    assert len(await invited(store)) == first.invitations > 0
    assert await count(store, Entry) == before + first.entries + 1

    again = await bring(store, cast, read_extension_list(SAMPLES / sample))
    assert again.count(Outcome.UNCHANGED) == 20
    assert await count(store, Entry) == before + first.entries + 1


async def test_a_dry_run_writes_nothing(store: Store, cast: Cast) -> None:
    before = await count(store, Entry)
    planned = await dry_run(store, cast, read_extension_list(SAMPLES / "freepbx-20.csv"))
    assert planned.count(Outcome.ADDED) == 20
    assert await count(store, Entry) == before
    assert set(await bakery(store, cast)) == {"201", "202", "203"}


async def test_what_is_wrong_with_a_line_is_named_and_the_others_go_in(
    store: Store, cast: Cast, tmp_path: Path
) -> None:
    path = tmp_path / "list.csv"
    path.write_text("extension,name,email\n301,Rolls,\n301,Buns,\n302,=cmd(),\n303,Cakes,\n")
    done = await bring(store, cast, read_extension_list(path))

    assert [(line.line, line.outcome, line.why) for line in done.lines] == [
        (2, Outcome.ADDED, ""),
        (3, Outcome.REFUSED, Reason.DUPLICATE.sentence),
        (4, Outcome.REFUSED, Reason.FORMULA.sentence),
        (5, Outcome.ADDED, ""),
    ]
    assert {"301": ("Rolls", None), "303": ("Cakes", None)}.items() <= (await bakery(store, cast)).items()
    assert "302" not in await bakery(store, cast)


# Who an extension goes to


async def test_the_address_of_a_colleague_links_the_extension(store: Store, cast: Cast) -> None:
    done = await bring(store, cast, [row("203", "Counter", "ben@bakery.example")])
    assert (done.lines[0].outcome, done.lines[0].person) == (Outcome.CHANGED, "Ben Bond")
    assert (await bakery(store, cast))["203"] == ("Counter", cast.membership_id("Ben", at="Bakery"))
    assert await invited(store) == []


@pytest.mark.parametrize(
    "address",
    [
        pytest.param("ada@acme.example", id="above"),
        pytest.param("cora@clinic.example", id="a sibling's"),
        pytest.param("nobody@nowhere.example", id="nobody's"),
    ],
)
async def test_an_address_from_elsewhere_is_invited_and_never_linked(store: Store, cast: Cast, address: str) -> None:
    done = await bring(store, cast, [row("203", None, address)])
    assert done.lines == [
        Line(2, "203", Outcome.INVITED, extension_id=cast.extension("Bakery", "203").id, invites=address)
    ]
    assert (await bakery(store, cast))["203"] == (None, None)
    assert await invited(store) == [address]


async def test_a_known_address_costs_the_same_work_as_an_unknown_one(store: Store, cast: Cast) -> None:
    with statements(store) as known:
        await bring(store, cast, [row("301", None, "ada@acme.example")])
    with statements(store) as unknown:
        await bring(store, cast, [row("302", None, "nobody@nowhere.example")])
    assert known == unknown


@contextmanager
def statements(store: Store) -> Iterator[list[str]]:
    """What is sent to the database meanwhile."""
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        sent.append(statement)

    event.listen(store.writer.sync_engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(store.writer.sync_engine, "before_cursor_execute", note)


async def test_even_olaf_who_sees_both_companies_invites_rather_than_links(store: Store, cast: Cast) -> None:
    async with work_as(store, cast.actor("Olaf")) as session:
        system = await find_phone_system(session, cast.phone_system_id("Bakery"))
        planned = await plan(session, system, [row("203", None, "cora@clinic.example")])
    assert planned.lines[0].invites == "cora@clinic.example"


async def test_one_person_may_have_two_numbers_and_is_invited_once(store: Store, cast: Cast) -> None:
    rows = [row("301", "Desk", "bo@bakery.example", 2), row("302", "Shop", "bo@bakery.example", 3)]
    assert (await bring(store, cast, rows)).invitations == 1
    assert await invited(store) == ["bo@bakery.example"]

    both = [row("203", None, "bea@bakery.example"), row("202", None, "bea@bakery.example", 3)]
    await bring(store, cast, both)
    bea = cast.membership_id("Bea")
    assert {membership for _, membership in (await bakery(store, cast)).values() if membership} == {bea}


async def test_whose_invitation_was_withdrawn_is_invited_again(store: Store, cast: Cast) -> None:
    await bring(store, cast, [row("203", None, "bo@bakery.example")])
    async with house_work(store) as session:
        invitation = (await session.scalars(sa.select(Invitation))).one()
        invitation.revoked_at = NOW
        record(session, Verb.INVITATION_PREPARED, invitation)
    assert (await bring(store, cast, [row("203", None, "bo@bakery.example")])).invitations == 1
    assert await invited(store) == ["bo@bakery.example"] * 2


async def test_an_empty_cell_takes_nothing_away(store: Store, cast: Cast) -> None:
    before = await bakery(store, cast)
    done = await bring(store, cast, [row("201"), row("202", None, None, 3)])
    assert done.count(Outcome.UNCHANGED) == 2
    assert await bakery(store, cast) == before


async def test_somebody_not_yet_here_takes_no_number_from_who_has_it(store: Store, cast: Cast) -> None:
    done = await bring(store, cast, [row("201", None, "bo@bakery.example")])
    assert done.lines[0].outcome is Outcome.INVITED
    assert (await bakery(store, cast))["201"][1] == cast.membership_id("Bea")


async def test_an_ended_membership_is_named_and_not_invited_anew(store: Store, cast: Cast) -> None:
    async with work_as(store, cast.actor("Boris")) as session:
        ben = await find_membership(session, cast.membership_id("Ben", at="Bakery"))
        await ben.discard(session, cast.actor("Boris"), NOW)
    done = await bring(store, cast, [row("203", None, "ben@bakery.example")])
    assert (done.lines[0].outcome, done.lines[0].why) == (Outcome.REFUSED, ENDED)
    assert await invited(store) == []


# What is written down


async def test_an_imported_extension_tells_the_same_story_as_one_made_by_hand(store: Store, cast: Cast) -> None:
    bea = "bea@bakery.example"
    await bring(store, cast, [row("301", "Ovens", bea)])
    async with as_boris(store, cast) as (session, system):
        membership = await find_membership(session, cast.membership_id("Bea"))
        await Extension.create(session, system, "302", NOW, name="Ovens", membership=membership)
    async with house_work(store) as session:
        made = sa.select(Entry).where(Entry.verb == Verb.EXTENSION_CREATED, Entry.occurred_at == NOW)
        imported, by_hand = await session.scalars(made.order_by(Entry.id))
    assert imported.changes == by_hand.changes | {"number": [None, "301"]}
    for field in ("actor_name", "tenant_id", "tenant_path", "via", "record_type", "request_id", "address"):
        assert getattr(imported, field) == getattr(by_hand, field)
    assert imported.actor_name == "Boris Birch"


async def test_a_change_tells_what_was_before(store: Store, cast: Cast) -> None:
    await bring(store, cast, [row("202", "Till", "bea@bakery.example")])
    async with house_work(store) as session:
        assert await misfits(session) == []
        told = (await session.scalars(sa.select(Entry).where(Entry.verb == Verb.EXTENSION_CHANGED))).one()
        summed = (await session.scalars(sa.select(Entry).where(Entry.verb == Verb.EXTENSIONS_IMPORTED))).one()
    ben, bea = cast.membership_id("Ben", at="Bakery"), cast.membership_id("Bea")
    assert told.changes == {"name": ["Ben Bond", "Till"], "membership_id": [ben, bea]}
    assert summed.details == {"source": "list.csv", "added": 0, "changed": 1, "invited": 0, "refused": 0}
    assert summed.record_name == "Bakery PBX"


async def test_thousands_of_lines_are_as_many_rows_and_entries(store: Store, cast: Cast) -> None:
    rows = [row(str(10_000 + n), f"Oven {n}", f"baker{n}@bakery.example", n + 2) for n in range(2500)]
    before = await count(store, Entry)
    done: list[int] = []
    async with as_boris(store, cast) as (session, system):
        planned = await plan(session, system, rows, to_apply=True)
        await apply(session, planned, NOW, source="list.csv", advance=done.append)
    assert sum(done) == 2500
    assert len(await bakery(store, cast)) == 2503
    assert await count(store, Entry) == before + 2500 + 2500 + 1
    async with house_work(store) as session:
        told = (await session.scalars(sa.select(Entry).where(Entry.record_name == "baker7@bakery.example"))).one()
        invitation = await session.get_one(Invitation, int(told.record_id or ""))
        assert await misfits(session) == []
        fields = {column.key: getattr(told, column.key) for column in sa.inspect(Entry).column_attrs}
    assert (invitation.last_entry_id, invitation.role, invitation.name) == (told.id, "member", "Oven 7")
    assert told.leaf == canonical(fields)
    assert (await dry_run(store, cast, rows)).entries == 0


# When it cannot be done


async def test_one_failure_midway_leaves_nothing_behind(store: Store, cast: Cast) -> None:
    rows = [row(str(10_000 + n), None, None, n + 2) for n in range(2500)]
    planned = await dry_run(store, cast, rows)
    async with as_boris(store, cast) as (session, system):
        await Extension.create(session, system, "12499", NOW)
    before = await count(store, Entry), await bakery(store, cast)

    with pytest.raises(Conflict, match="Nothing was imported"):
        async with as_boris(store, cast) as (session, _):
            await apply(session, planned, NOW, source="list.csv")
    assert (await count(store, Entry), await bakery(store, cast)) == before


async def test_nobody_imports_into_a_phone_system_out_of_reach(store: Store, cast: Cast) -> None:
    planned = await dry_run(store, cast, [row("301")])
    for stranger in ("Clara", "Elsa", "Bea"):
        async with work_as(store, cast.actor(stranger)) as session:
            with pytest.raises(OutOfReach):
                await apply(session, planned, NOW, source="list.csv")
    assert "301" not in await bakery(store, cast)


async def test_who_may_invite_nobody_plans_no_invitation(store: Store, cast: Cast) -> None:
    planned = await dry_run(store, cast, [row("301", None, "bo@bakery.example")])
    async with work_as(store, cast.actor("Opal")) as session:
        with pytest.raises(NotPermitted):
            await apply(session, planned, NOW, source="list.csv")
    assert await invited(store) == []


async def test_nothing_is_imported_into_a_discarded_phone_system(store: Store, cast: Cast) -> None:
    gone = PhoneSystem(name="Old PBX", discarded_at=NOW)
    async with as_boris(store, cast) as (session, _):
        with pytest.raises(Conflict):
            await plan(session, gone, [row("301")])
