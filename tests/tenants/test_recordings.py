"""Call recordings: taken in once, noted by the company, and private ones nobody's business above it."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from tenants.actor import Actor, Via
from tenants.phones import Extension
from tenants.recordings import Direction, Disposition, Recording, find_recording, readable
from tenants.refusals import Conflict, Invalid, NotPermitted, OutOfReach
from tenants.store import Store
from tenants.trail import Entry
from tenants.tree import Tenant
from tests.cast import NOW, ORIGIN, Cast, house_work, work_as

PRIVATE, OPEN = "bakery-2", "bakery-1"
WHY = "asked me what was noted"


@pytest.fixture(params=["sqlite"])
def backend(request: pytest.FixtureRequest) -> str:
    """One database does, except where a story asks for another."""
    return str(request.param)


async def take_in(session: AsyncSession, cast: Cast, **other: Any) -> Recording:
    call: dict[str, Any] = {
        "external_id": "call-7",
        "direction": Direction.IN,
        "party": "+44 20 7946 0999",
        "started_at": NOW,
        "seconds": 61,
    }
    tenant = await session.get_one(Tenant, cast.tenant("Bakery").id)
    return await Recording.take_in(session, tenant, NOW, **call | other)


def standing_in(cast: Cast, name: str, subject: str) -> Actor:
    """Somebody who appears as somebody else."""
    return Actor(cast.identity(name), cast.identity(subject), Via.IMPERSONATION, ORIGIN, stand_in_id=1)


# Taking in


async def test_a_recording_is_whoever_has_the_extension(store: Store, cast: Cast) -> None:
    async with work_as(store, cast.actor("Boris")) as session:
        line = await session.get_one(Extension, cast.extension("Bakery", "201").id)
        made = await take_in(session, cast, extension=line)
        assert (made.membership_id, made.private, made.notes) == (cast.membership_id("Bea"), False, None)
        await line.change(session, membership=None)
        assert (await find_recording(session, made.id)).membership_id == cast.membership_id("Bea")


async def test_the_same_call_is_taken_in_once(store: Store, cast: Cast) -> None:
    async with work_as(store, cast.actor("Boris")) as session:
        first = await take_in(session, cast)
        assert (await take_in(session, cast, seconds=99)).id == first.id
        assert first.seconds == 61


@pytest.mark.parametrize("backend", ["sqlite", "postgresql"], indirect=True)
async def test_told_many_times_at_once_it_is_taken_in_once(store: Store, cast: Cast) -> None:
    async def tell() -> int:
        async with work_as(store, cast.actor("Boris")) as session:
            return (await take_in(session, cast)).id

    assert len(set(await asyncio.gather(*(tell() for _ in range(6))))) == 1
    async with house_work(store) as session:
        told = sa.select(sa.func.count(Entry.id)).where(
            Entry.verb == "recording.created", Entry.actor_membership_id == cast.membership_id("Boris")
        )
        assert await session.scalar(told) == 1


@pytest.mark.parametrize(
    "wrong", [{"external_id": ""}, {"external_id": "x" * 101}, {"party": "a\x00b"}, {"seconds": -1}, {"seconds": 10**9}]
)
async def test_what_no_phone_system_tells(store: Store, cast: Cast, wrong: dict[str, Any]) -> None:
    async with work_as(store, cast.actor("Boris")) as session:
        with pytest.raises(Invalid):
            await take_in(session, cast, **wrong)


async def test_it_is_of_an_extension_of_the_same_company(store: Store, cast: Cast) -> None:
    async with work_as(store, cast.actor("Olaf")) as session:
        coras = await session.get_one(Extension, cast.extension("Clinic", "301").id)
        with pytest.raises(Invalid):
            await take_in(session, cast, extension=coras)


# Who sees which


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("Bea", {"bakery-1", "bakery-2"}),
        ("Ben", {"bakery-3"}),
        ("Bruno", {"bakery-1", "bakery-2", "bakery-3"}),
        ("Olaf", {"bakery-1", "bakery-2", "bakery-3"}),
        ("Pia", {"dairy-1"}),
        ("Zoe", set()),
        ("Axel", {"bakery-1", "bakery-2", "bakery-3", "dairy-1"}),
    ],
)
async def test_everybody_finds_what_lies_in_their_reach(store: Store, cast: Cast, name: str, seen: set[str]) -> None:
    async with work_as(store, cast.actor(name)) as session:
        assert set(await session.scalars(sa.select(Recording.external_id))) == seen


async def test_who_may_know_all_of_beas_private_call(store: Store, cast: Cast) -> None:
    """Its member and those who run the very company; nobody above, no operator or auditor, and no stand-in."""
    may = {"Bea": True, "Boris": True, "Bruno": True}
    may |= dict.fromkeys(("Amos", "Olaf", "Opal", "Nora", "Ada", "Axel"), False)
    for name, expected in may.items():
        actor = cast.actor(name)
        async with work_as(store, actor) as session:
            call = await find_recording(session, cast.recordings[PRIVATE])
            found = sa.select(Recording.id).where(Recording.id == call.id, readable(actor))
            assert (call.readable_by(actor), (await session.scalar(found)) is not None) == (expected, expected), name
    for actor in (standing_in(cast, "Opal", "Bea"), standing_in(cast, "Olaf", "Boris")):
        async with work_as(store, actor) as session:
            call = await find_recording(session, cast.recordings[PRIVATE])
            found = sa.select(Recording.id).where(Recording.id == call.id, readable(actor))
            assert (call.readable_by(actor), await session.scalar(found)) == (False, None)


# Notes, dispositions and privacy


async def test_bruno_notes_and_history_tells_that_it_changed_and_not_what_it_says(store: Store, cast: Cast) -> None:
    bruno, number = cast.actor("Bruno"), cast.recordings[OPEN]
    async with work_as(store, bruno) as session:
        call = await find_recording(session, number)
        await call.change(session, bruno, notes=" Wants a refund.\r\nCall back ", disposition="follow_up")
        assert (call.notes, call.disposition) == ("Wants a refund.\nCall back", Disposition.FOLLOW_UP)
        await call.change(session, bruno, disposition="")
        await call.change(session, bruno, disposition=None)
        with pytest.raises(Invalid):
            await call.change(session, bruno, disposition="nonsense")
        with pytest.raises(Invalid):
            await call.change(session, bruno, notes="x" * 4001)
    async with work_as(store, cast.actor("Amos")) as session:
        about = sa.select(Entry).where(Entry.record_type == "recordings", Entry.record_id == str(number))
        entries = list(await session.scalars(about.order_by(Entry.id)))
    assert entries[1].changes == {"notes": "changed", "disposition": [None, "follow_up"]}
    assert entries[2].changes == {"disposition": ["follow_up", None]}
    for entry in entries:
        assert b"refund" not in entry.leaf
        assert b"79460901" not in entry.leaf


async def test_who_marks_it_private_and_who_opens_it_again(store: Store, cast: Cast) -> None:
    bea, olaf = cast.actor("Bea"), cast.actor("Olaf")
    async with work_as(store, bea) as session:
        await (await find_recording(session, cast.recordings[OPEN])).set_private(session, bea, True)
    async with work_as(store, olaf) as session:
        call = await find_recording(session, cast.recordings[OPEN])
        for private in (True, False):
            with pytest.raises(NotPermitted) as refused:
                await call.set_private(session, olaf, private)
            assert refused.value.rule == "private"
        with pytest.raises(NotPermitted):
            await call.change(session, olaf, notes="Looked at it")
        with pytest.raises(NotPermitted):
            await call.discard(session, olaf, NOW)
    async with work_as(store, cast.actor("Bruno")) as session:
        await (await find_recording(session, cast.recordings[OPEN])).set_private(session, cast.actor("Bruno"), False)


async def test_a_member_reaches_only_their_own(store: Store, cast: Cast) -> None:
    async with work_as(store, cast.actor("Ben")) as session:
        with pytest.raises(OutOfReach):
            await find_recording(session, cast.recordings[OPEN])


async def test_looking_into_a_private_one_is_written_down_first(store: Store, cast: Cast) -> None:
    olaf = cast.actor("Olaf")
    async with work_as(store, olaf) as session:
        await (await find_recording(session, cast.recordings[PRIVATE])).reveal(session, olaf)
        with pytest.raises(Conflict):
            await (await find_recording(session, cast.recordings[OPEN])).reveal(session, olaf)
    async with work_as(store, cast.actor("Amos")) as session:
        told = sa.select(Entry.actor_name).where(Entry.verb == "recording.revealed")
        assert list(await session.scalars(told)) == ["Olaf Olsen"]


@pytest.mark.parametrize(
    ("who", "as_whom"), [("Olaf", "Boris"), ("Opal", "Boris"), ("Bruno", "Bea"), ("Olaf", "Bea")], ids=str
)
async def test_t55_who_stands_in_confirms_each_one_and_both_names_are_told(
    store: Store, cast: Cast, who: str, as_whom: str
) -> None:
    """Why, and that the person asked for it: without either, nothing is shown. Whose it is, decide they never."""
    actor = standing_in(cast, who, as_whom)
    async with work_as(store, actor) as session:
        call = await find_recording(session, cast.recordings[PRIVATE])
        assert not call.readable_by(actor)
        for reason, requested, field in ((None, True, "reason"), ("short", True, "reason"), (WHY, False, "requested")):
            with pytest.raises(Invalid) as missing:
                await call.reveal(session, actor, reason, requested=requested)
            assert missing.value.field == field
        with pytest.raises(NotPermitted):
            await call.set_private(session, actor, False)
        await call.reveal(session, actor, WHY, requested=True)
        assert not call.readable_by(actor)
    async with work_as(store, cast.actor("Boris")) as session:
        told = (await session.scalars(sa.select(Entry).where(Entry.verb == "recording.revealed"))).one()
        names = (cast.identity(who).name, cast.identity(as_whom).name)
        assert (told.actor_name, told.subject_name, told.reason, told.stand_in_id) == (*names, WHY, 1)


async def test_t55_nobody_looks_into_a_colleagues_as_somebody_who_could_not(store: Store, cast: Cast) -> None:
    actor = standing_in(cast, "Olaf", "Amos")
    async with work_as(store, actor) as session:
        call = await find_recording(session, cast.recordings[PRIVATE])
        with pytest.raises(NotPermitted):
            await call.reveal(session, actor, WHY, requested=True)


async def test_t54_t55_who_only_looks_never_looks_into_a_private_one(store: Store, cast: Cast) -> None:
    actor = replace(standing_in(cast, "Olaf", "Bea"), look=True)
    async with work_as(store, actor) as session:
        call = await find_recording(session, cast.recordings[PRIVATE])
        with pytest.raises(NotPermitted):
            await call.reveal(session, actor, WHY, requested=True)


async def test_a_discarded_one_changes_no_more(store: Store, cast: Cast) -> None:
    boris = cast.actor("Boris")
    async with work_as(store, boris) as session:
        call = await find_recording(session, cast.recordings[OPEN])
        await call.discard(session, boris, NOW)
        with pytest.raises(Conflict):
            await call.discard(session, boris, NOW)
        with pytest.raises(Conflict):
            await call.change(session, boris, notes="Too late")
