"""Passwords are argon2id, take the same road for a stranger, and grow stronger when the parameters do."""

import asyncio

import pytest
from passlib.context import CryptContext

from tenants.credentials import LEAST, MOST, check_strength, digest, hash_password, new_secret, verify_password
from tenants.refusals import Invalid

WORDS = "understudy-demo"
WEAKER = CryptContext(schemes=["argon2"], argon2__memory_cost=8192, argon2__time_cost=1, argon2__parallelism=1)


async def test_the_right_password_is_known_and_a_wrong_one_is_not() -> None:
    stored = await hash_password(WORDS)
    assert stored.startswith("$argon2id$")
    assert await verify_password(WORDS, stored) == (True, None)
    assert await verify_password(WORDS + " ", stored) == (False, None)


async def test_nobody_is_let_in_without_a_stored_password() -> None:
    assert await verify_password("", None) == (False, None)
    assert await verify_password(WORDS, None) == (False, None)


async def test_a_hash_of_weaker_parameters_comes_back_stronger() -> None:
    weak = WEAKER.hash(WORDS)
    known, renewed = await verify_password(WORDS, weak)
    assert known
    assert renewed is not None
    assert renewed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert (await verify_password("wrong password", weak))[1] is None


async def test_the_same_password_is_never_stored_alike() -> None:
    assert await hash_password(WORDS) != await hash_password(WORDS)


async def test_a_stranger_costs_a_hash_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """Same work for an unknown user: told by the work that is done, since a stopwatch lies on a busy machine."""
    done: list[str] = []
    context = "tenants.credentials._context"
    monkeypatch.setattr(f"{context}.dummy_verify", lambda: done.append("dummy"))
    await verify_password(WORDS, None)
    assert done == ["dummy"]


async def test_the_house_stays_awake_while_it_hashes() -> None:
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    ticking = asyncio.create_task(tick())
    await hash_password(WORDS)
    ticking.cancel()
    assert ticks > 1


@pytest.mark.parametrize("password", ["", "x" * (LEAST - 1), "x" * (MOST + 1)])
def test_a_password_has_a_length(password: str) -> None:
    with pytest.raises(Invalid):
        check_strength(password)


@pytest.mark.parametrize("password", ["x" * LEAST, "x" * MOST, "päßwörter aller Art", "спасибо большое"])
def test_length_is_all_that_is_asked(password: str) -> None:
    check_strength(password)


async def test_an_endless_password_is_not_hashed_for_long() -> None:
    assert await verify_password("x" * 10_000_000, await hash_password(WORDS)) == (False, None)


def test_secrets_are_long_and_stored_only_as_their_hash() -> None:
    secrets = {new_secret("understudy_") for _ in range(100)}
    assert len(secrets) == 100
    for secret in secrets:
        assert secret.startswith("understudy_")
        assert len(secret) >= 43
        assert secret not in digest(secret)
        assert len(digest(secret)) == 64
