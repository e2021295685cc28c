"""Signing keys: sealed at rest, made once, rotated without breaking what they signed."""

import asyncio
import json
from datetime import timedelta

import pytest
import sqlalchemy as sa

from bindings.keys import KeyRing, SigningKey, read_header, rotate
from tenants.sealing import Sealed
from tenants.store import Store
from tenants.trail import Entry
from tests.cast import NOW, house_work

SECRET = b"the secret key of a story, 32 bytes and more"


async def test_two_that_start_at_once_make_one_key(store: Store) -> None:
    first, second = KeyRing(store, SECRET), KeyRing(store, SECRET)
    signers = await asyncio.gather(first.signer("ES256", NOW), second.signer("ES256", NOW))
    assert signers[0].kid == signers[1].kid
    async with house_work(store) as session:
        assert len(list(await session.scalars(sa.select(SigningKey)))) == 1


async def test_the_private_half_is_sealed_under_the_secret_key(store: Store) -> None:
    await KeyRing(store, SECRET).signer("ES256", NOW)
    async with house_work(store) as session:
        key = (await session.scalars(sa.select(SigningKey))).one()
    assert "d" not in key.public_jwk
    private = json.dumps(key.signer(SECRET).pair.as_dict(private=True)["d"])
    assert private.strip('"') not in key.private_sealed
    with pytest.raises(Sealed, match="another UNDERSTUDY_SECRET_KEY"):
        key.signer(b"some other secret key of 32 bytes and more")
    other = await stored_copy(store, key)
    with pytest.raises(Sealed):
        other.signer(SECRET)


async def test_a_rotation_signs_with_the_new_key_and_still_verifies_the_old(store: Store) -> None:
    ring = KeyRing(store, SECRET)
    old = (await ring.signer("ES256", NOW)).sign({"sub": "1"})
    async with house_work(store) as session:
        made = await rotate(session, SECRET, NOW)
    assert [key.alg for key in made] == ["ES256"]
    ring.forget()
    new = (await ring.signer("ES256", NOW)).sign({"sub": "1"})
    assert read_header(new)["kid"] == made[0].kid != read_header(old)["kid"]
    assert await ring.verify(old, NOW, "JWT") == await ring.verify(new, NOW, "JWT") == {"sub": "1"}
    later = NOW + timedelta(hours=2)
    assert await ring.verify(old, later, "JWT") is None
    assert await ring.verify(new, later, "JWT") == {"sub": "1"}


async def test_another_process_learns_of_a_rotation_within_a_minute(store: Store) -> None:
    here, there = KeyRing(store, SECRET), KeyRing(store, SECRET)
    before = await there.signer("ES256", NOW)
    async with house_work(store) as session:
        await rotate(session, SECRET, NOW)
    signed = (await here.signer("ES256", NOW)).sign({"sub": "1"})
    assert (await there.signer("ES256", NOW + timedelta(seconds=59))).kid == before.kid
    # What it is shown it looks up at once.
    assert await there.verify(signed, NOW + timedelta(seconds=59), "JWT") == {"sub": "1"}
    assert (await there.signer("ES256", NOW + timedelta(minutes=2))).kid != before.kid


async def test_rotating_is_written_down(store: Store) -> None:
    async with house_work(store) as session:
        await rotate(session, SECRET, NOW)
    async with house_work(store) as session:
        entry = (await session.scalars(sa.select(Entry).where(Entry.verb == "keys.rotated"))).one()
    assert (entry.record_type, entry.details) == ("signing_keys", {"alg": "ES256"})


async def test_what_is_no_token_is_refused_quietly(store: Store) -> None:
    ring = KeyRing(store, SECRET)
    signed = (await ring.signer("ES256", NOW)).sign({"sub": "1"}, "at+jwt")
    assert await ring.verify(signed, NOW, "JWT") is None
    for nonsense in ("", ".", "..", "é.é.é", "e30.e30.", "bnVsbA.e30.x", "[" * 9000, signed[:-3], signed + "A"):
        assert await ring.verify(nonsense, NOW, "at+jwt") is None


def test_a_header_that_is_no_json_says_nothing() -> None:
    assert read_header("bm90IGpzb24.x.y") == {}


async def stored_copy(store: Store, key: SigningKey) -> SigningKey:
    """The same sealed half under another key's id: as if somebody had swapped rows."""
    async with house_work(store) as session:
        other = await SigningKey.make(session, SECRET, "ES256", NOW)
    other.private_sealed = key.private_sealed
    return other
