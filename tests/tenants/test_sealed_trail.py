"""The sealed trail: nothing is missed, nothing has a gap, and whatever is changed afterwards is found."""

import asyncio
import contextlib
import sqlite3
from typing import Any

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tenants import sealed_trail
from tenants.merkle import Frontier, Tree, leaf_hash
from tenants.reach import ROOT
from tenants.sealed_trail import Sealer, newest_checkpoint, oldest_pending, trail_key
from tenants.signed_notes import Checkpoint, NoteKey, signed
from tenants.store import Store
from tenants.trail import Entry, record, write_entries
from tenants.trail_bundle import bundle, check_bundle
from tenants.trail_check import NotAsSealed, Sound, check_trail
from tenants.verbs import Verb
from tests.cast import NOW, Cast, house_work, work_as

SECRET = b"a house's secret key, 32 bytes ok"
NAME = "localhost:8000/trail"


class Killed(BaseException):
    """The process ends here, and cleans nothing up."""


@pytest.fixture
def sealer(store: Store) -> Sealer:
    return Sealer.of(store, SECRET, "http://localhost:8000")


async def said(store: Store, count: int = 1) -> None:
    """So many entries more."""
    async with house_work(store) as session:
        for number in range(count):
            record(session, Verb.REFUSED, named=("tenants", str(number), f"Story {number}"), place=1)


async def column(store: Store, statement: str) -> list[Any]:
    async with store.reader.connect() as connection:
        return list((await connection.execute(sa.text(statement))).scalars())


async def sound(store: Store, secret: bytes = SECRET) -> Sound:
    async with house_work(store) as session:
        return await check_trail(session, secret)


# Sealing


async def test_what_was_there_before_waits_and_is_sealed(store: Store, sealer: Sealer) -> None:
    entries = await column(store, "SELECT id FROM entries ORDER BY id")
    assert await column(store, "SELECT id FROM pending_entries ORDER BY id") == entries
    assert await sealer.seal_some(NOW) == len(entries)
    assert await column(store, "SELECT id FROM leaves ORDER BY number") == entries
    assert await column(store, "SELECT number FROM leaves ORDER BY number") == list(range(len(entries)))
    # Making the first key is an entry too, which waits for the next look.
    assert await sealer.seal_all(NOW) == 1
    assert await column(store, "SELECT id FROM pending_entries") == []
    assert await sealer.seal_all(NOW) == 0
    assert await sound(store) == Sound(len(entries) + 1, 0, 2)


async def test_the_checkpoint_is_that_of_the_entries(store: Store, sealer: Sealer) -> None:
    await sealer.seal_all(NOW)
    leaves = await column(store, "SELECT leaf FROM entries ORDER BY id")
    async with house_work(store) as session:
        newest, key = await newest_checkpoint(session), await trail_key(session)
    assert newest is not None
    assert key is not None
    checkpoint = key.verifier.open(newest.note)
    assert (checkpoint.origin, checkpoint.size) == (NAME, len(leaves))
    assert checkpoint.root == newest.root == Tree(leaf_hash(leaf) for leaf in leaves).root()


async def test_it_goes_on_from_the_last_checkpoint_in_small_steps(store: Store, sealer: Sealer) -> None:
    while await sealer.seal_some(NOW, at_once=7):
        pass
    sizes = await column(store, "SELECT size FROM checkpoints ORDER BY size")
    assert sizes[:3] == [7, 14, 21]
    assert (await sound(store)).checkpoints == len(sizes)


async def test_a_taken_back_entry_does_not_wait(store: Store, sealer: Sealer) -> None:
    await sealer.seal_all(NOW)
    async with house_work(store) as session:
        record(session, Verb.REFUSED, named=("tenants", "1", "Acme"), place=1)
        await session.run_sync(write_entries)
        await session.rollback()
    assert await column(store, "SELECT id FROM pending_entries") == []


async def test_how_long_the_oldest_waits(store: Store, sealer: Sealer) -> None:
    await sealer.seal_all(NOW)
    async with store.reader.connect() as connection:
        assert await oldest_pending(connection) is None
    await said(store)
    async with store.reader.connect() as connection:
        assert await oldest_pending(connection) == NOW


@pytest.mark.parametrize("where", ["leaf_hash", "signed"])
async def test_killed_in_the_middle_nothing_is_lost_and_no_number_left_out(
    store: Store, sealer: Sealer, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    await sealer.seal_all(NOW)
    await said(store, 20)
    done, honest = 0, getattr(sealed_trail, where)

    def dies(*given: Any) -> Any:
        nonlocal done
        done += 1
        if where == "signed" or done > 10:
            raise Killed
        return honest(*given)

    with monkeypatch.context() as patched:
        patched.setattr(sealed_trail, where, dies)
        with pytest.raises(Killed):
            await sealer.seal_all(NOW)
    assert len(await column(store, "SELECT id FROM pending_entries")) == 20
    assert await sealer.seal_all(NOW) == 20
    numbers = await column(store, "SELECT number FROM leaves ORDER BY number")
    assert numbers == list(range(len(numbers)))
    assert (await sound(store)).pending == 0


async def test_sixteen_write_while_two_seal_and_none_is_missed(store: Store, sealer: Sealer) -> None:
    """On PostgreSQL transactions end out of order: an entry with a lower id may appear after one with a higher."""
    writing = True

    async def seals() -> None:
        while writing:
            await sealer.seal_some(NOW, at_once=5)
            await asyncio.sleep(0)

    async def writes() -> None:
        for _ in range(6):
            await said(store, 2)

    sealers = [asyncio.create_task(seals()) for _ in range(2)]
    await asyncio.gather(*(writes() for _ in range(16)))
    writing = False
    await asyncio.gather(*sealers)
    await sealer.seal_all(NOW)
    entries = await column(store, "SELECT id FROM entries")
    assert len(entries) > 16 * 12
    assert sorted(await column(store, "SELECT id FROM leaves")) == sorted(entries)
    assert await column(store, "SELECT number FROM leaves ORDER BY number") == list(range(len(entries)))
    await sound(store)


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
async def test_an_entry_that_is_committed_late_is_sealed_behind_the_others(store: Store, sealer: Sealer) -> None:
    await sealer.seal_all(NOW)
    async with house_work(store) as slow:
        record(slow, Verb.REFUSED, named=("tenants", "1", "slow"), place=1)
        await slow.run_sync(write_entries)
        await said(store)
        assert await sealer.seal_all(NOW) == 1
    assert await sealer.seal_all(NOW) == 1
    order = await column(store, "SELECT id FROM leaves ORDER BY number")
    assert order[-1] == order[-2] - 1
    await sound(store)


async def test_a_key_under_another_secret_is_found(store: Store, sealer: Sealer) -> None:
    await sealer.seal_all(NOW)
    with pytest.raises(NotAsSealed, match="not one that this house has made"):
        await sound(store, b"another house's secret key")


# What is changed afterwards, by somebody who took the triggers away


@pytest.fixture
async def robbed(store: Store, sealer: Sealer) -> Store:
    """The sealed house, its guards gone."""
    while await sealer.seal_some(NOW, at_once=20):
        pass
    await said(store)
    await _without_triggers(store)
    return store


async def rob(store: Store, statement: str, **values: Any) -> None:
    """By a connection that asks no foreign key: somebody with the file, or the owner of the tables."""
    if store.embedded:
        with contextlib.closing(sqlite3.connect(str(store.url.database))) as connection, connection:
            connection.execute(statement, values)
        return
    async with store.writer.begin() as connection:
        await connection.execute(sa.text(statement), values)


async def _without_triggers(store: Store) -> None:
    if store.embedded:
        for name in await column(store, "SELECT name FROM sqlite_master WHERE type = 'trigger'"):
            await rob(store, f"DROP TRIGGER {name}")
        return
    for table in ("entries", "leaves", "checkpoints", "trail_keys"):
        await rob(store, f"ALTER TABLE {table} DISABLE TRIGGER ALL")


DONE = {
    "an entry's reason": ("UPDATE entries SET reason = 'mended' WHERE id = 9", "Entry 9 was changed"),
    "an entry's time": (
        "UPDATE entries SET occurred_at = (SELECT MAX(occurred_at) FROM entries) WHERE id = 9",
        "Entry 9",
    ),
    "a waiting entry": ("UPDATE entries SET reason = 'x' WHERE id = (SELECT MAX(id) FROM entries)", "was changed"),
    "an entry's bytes": ("UPDATE entries SET leaf = (SELECT leaf FROM entries WHERE id = 8) WHERE id = 9", "Entry 9"),
    "an entry is gone": ("DELETE FROM entries WHERE id = 9", "Entry 9 is missing"),
    "a waiting entry is gone": ("DELETE FROM entries WHERE id = (SELECT MAX(id) FROM entries)", "is missing"),
    "a leaf": ("UPDATE leaves SET hash = (SELECT hash FROM leaves WHERE number = 1) WHERE number = 3", "as leaf 3"),
    "a leaf is gone": ("DELETE FROM leaves WHERE number = 3", "Leaf 3 is missing"),
    "the end is gone": ("DELETE FROM leaves WHERE number > 30", "only 31 are there"),
    "the last checkpoints are gone": ("DELETE FROM checkpoints WHERE size > 20", "never signed for"),
    "a checkpoint's root": (
        "UPDATE checkpoints SET root = (SELECT hash FROM leaves WHERE number = 1) WHERE size = 20",
        "size 20",
    ),
    "a checkpoint's frontier": ("UPDATE checkpoints SET frontier = root WHERE size = 20", "size 20"),
    "a checkpoint's note": ("UPDATE checkpoints SET note = REPLACE(note, '20', '21') WHERE size = 20", "not signed"),
    "another's note": (
        "UPDATE checkpoints SET note = (SELECT note FROM checkpoints WHERE size = 40) WHERE size = 20",
        "size 20 is not that",
    ),
    "an entry no longer waits": ("DELETE FROM pending_entries", "neither sealed nor waiting"),
}


@pytest.mark.parametrize("how", DONE)
async def test_what_was_changed_is_found(robbed: Store, how: str) -> None:
    """T57: in the database itself, its guards taken away."""
    statement, words = DONE[how]
    await rob(robbed, statement)
    with pytest.raises(NotAsSealed, match=words):
        await sound(robbed)


async def test_a_forger_who_makes_everything_fit_cannot_sign(robbed: Store) -> None:
    """T57: the last entry goes, with its leaf; roots fit again, but nobody can sign for them."""
    leaves = await column(robbed, "SELECT hash FROM leaves ORDER BY number LIMIT 20")
    forged = Frontier()
    for hash_ in [*leaves[:-1], leaf_hash(b"another")]:
        forged.append(hash_)
    key = await column(robbed, "SELECT public FROM trail_keys")
    checkpoint = Checkpoint(NAME, 20, forged.root())
    note = signed(checkpoint, NoteKey(NAME, key[0]), Ed25519PrivateKey.generate())
    fit = "UPDATE checkpoints SET root = :root, frontier = :frontier, note = :note WHERE size = 20"
    await rob(robbed, fit, root=forged.root(), frontier=bytes(forged), note=note)
    with pytest.raises(NotAsSealed, match="size 20 is not signed by the key of this house"):
        await sound(robbed)


# Bundles


async def lines_of(store: Store, path: str | None = None) -> list[bytes]:
    async with house_work(store) as session:
        return [f"{line}\n".encode() async for line in bundle(session, path)]


async def test_a_bundle_proves_the_whole_trail(store: Store, sealer: Sealer) -> None:
    await sealer.seal_all(NOW)
    lines = await lines_of(store)
    checked = check_bundle(lines)
    assert (checked.whole, checked.leaves) == (True, len(lines) - 1)
    assert check_bundle(lines, str(checked.key)) == checked
    assert await lines_of(store, ROOT) != lines


async def test_a_part_proves_each_of_its_entries(store: Store, sealer: Sealer, cast: Cast) -> None:
    await sealer.seal_all(NOW)
    lines = await lines_of(store, cast.tenant("Bakery").path)
    checked = check_bundle(lines)
    assert not checked.whole
    assert 0 < checked.leaves < checked.size
    assert check_bundle(lines[:1] + lines[2:]).leaves == checked.leaves - 1
    async with work_as(store, cast.actor("Boris")) as session:
        assert checked.leaves == await session.scalar(sa.select(sa.func.count(Entry.id)))


async def test_nothing_sealed_is_nothing_to_export(store: Store) -> None:
    with pytest.raises(NotAsSealed, match="Nothing is sealed"):
        await lines_of(store)


def swapped(lines: list[bytes]) -> list[bytes]:
    return [lines[1], lines[0], *lines[2:]]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda lines: lines[:-1], "without its checkpoint"),
        (lambda lines: lines[1:], "leaf 0 is missing"),
        (lambda lines: lines[:5] + lines[6:], "leaf 5 is missing"),
        (lambda lines: lines[:-2] + lines[-1:], "leaves were signed for"),
        (lambda lines: [*lines[:-1], lines[-1].replace(b"trail\\n", b"trial\\n")], "not signed"),
        (lambda lines: [*lines[:-1], b'{"checkpoint": "", "key": ""}'], "no verifier key"),
        (lambda lines: [*lines, lines[0]], "comes last"),
        (lambda lines: [b"no json", *lines], "Line 1 is no JSON object"),
        (lambda lines: [b"[1]", *lines], "Line 1 is no JSON object"),
        (lambda lines: [b'{"index": 0, "leaf": 7}', *lines], "Line 1 is no leaf"),
        (lambda lines: [b'{"index": "0", "leaf": ""}', *lines], "Line 1 is no leaf"),
        (lambda lines: [b'{"index": 0, "leaf": "", "proof": 1}', *lines], "Line 1 is no leaf"),
        (lambda lines: [b'{"index": 0, "leaf": ""}', *lines[1:]], "not those that were signed for"),
        (lambda lines: [b'{"index": 0, "leaf": "", "proof": []}', *lines], "some without"),
        (swapped, "leaf 0 is missing"),
    ],
)
async def test_a_bundle_that_was_changed_is_refused(store: Store, sealer: Sealer, change: Any, words: str) -> None:
    await sealer.seal_all(NOW)
    with pytest.raises(NotAsSealed, match=words):
        check_bundle(change(await lines_of(store)))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (swapped, "twice, or too late"),
        (lambda lines: [lines[0], *lines], "twice, or too late"),
        (lambda lines: [lines[0].replace(b'"leaf": "', b'"leaf": "AAAA'), *lines[1:]], "not what was sealed"),
        (lambda lines: [lines[0].replace(b'"proof": [', b'"proof": ["AAAA", '), *lines[1:]], "not what was sealed"),
        (lambda lines: lines[-1:], "leaves were signed for"),
    ],
)
async def test_a_part_that_was_changed_is_refused(
    store: Store, sealer: Sealer, cast: Cast, change: Any, words: str
) -> None:
    await sealer.seal_all(NOW)
    with pytest.raises(NotAsSealed, match=words):
        check_bundle(change(await lines_of(store, cast.tenant("Bakery").path)))


async def test_a_bundle_of_another_house_is_refused_by_the_key_one_was_given(store: Store, sealer: Sealer) -> None:
    await sealer.seal_all(NOW)
    lines = await lines_of(store)
    given = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    with pytest.raises(NotAsSealed, match="signed by another key"):
        check_bundle(lines, given)
