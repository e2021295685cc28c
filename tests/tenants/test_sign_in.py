"""Signing in: a spell with an end, and what holds back guessing without locking anybody out."""

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from tenants.credentials import digest
from tenants.people import User
from tenants.refusals import TooMany
from tenants.sign_in import (
    FAILURES_OF_ACCOUNT,
    FAILURES_OF_CODE,
    FAILURES_OF_NETWORK,
    FAILURES_OF_PAIR,
    FRESH,
    IDLE,
    LONGEST,
    Attempt,
    Failure,
    SignIn,
    count_failure,
    end_all_sign_ins,
    find_by_email,
    hold_back,
    network_of,
)
from tenants.store import Store
from tenants.trail import Entry
from tests.cast import NOW, ORIGIN, Cast, Clock, house_work, work_as

STRANGER = "198.51.100.9"


async def start(store: Store, cast: Cast, name: str, now: datetime = NOW) -> tuple[SignIn, str]:
    async with house_work(store, now) as session:
        return await SignIn.start(session, cast.identity(name), ORIGIN, "Firefox", now)


class Guesser:
    """Somebody who does not know the password."""

    def __init__(self, store: Store, cast: Cast, clock: Clock) -> None:
        self.store, self.cast, self.clock = store, cast, clock

    async def fails(self, name: str, address: str = STRANGER, times: int = 1) -> None:
        email = self.cast.people[name].email if name in self.cast.people else name
        async with house_work(self.store, self.clock.now) as session:
            user = await find_by_email(session, email)
            for _ in range(times):
                await count_failure(session, Attempt.of(email, address), user, self.clock.now)

    async def held_back(self, name: str, address: str = STRANGER) -> bool:
        email = self.cast.people[name].email if name in self.cast.people else name
        async with house_work(self.store, self.clock.now) as session:
            user = await find_by_email(session, email)
            try:
                await hold_back(session, Attempt.of(email, address), self.clock.now, user)
            except TooMany:
                return True
            return False

    async def entries(self) -> list[tuple[str, dict[str, object]]]:
        async with house_work(self.store) as session:
            rows = sa.select(Entry).where(Entry.verb.in_(["sign_in.failed", "sign_in.throttled"])).order_by(Entry.id)
            return [(entry.verb, entry.details) for entry in await session.scalars(rows)]


@pytest.fixture
def guesser(store: Store, cast: Cast, clock: Clock) -> Guesser:
    return Guesser(store, cast, clock)


# A spell


async def test_a_sign_in_keeps_references_and_a_hash(store: Store, cast: Cast) -> None:
    """T30: no copy of the user, and not the cookie itself."""
    row, secret = await start(store, cast, "Pia")
    assert (row.user_id, row.membership_id) == (cast.user("Pia").id, cast.membership_id("Pia"))
    assert row.token_hash == digest(secret)
    assert row.network == ORIGIN.address
    assert secret not in {row.token_hash, row.csrf_secret}


async def test_every_sign_in_has_a_cookie_of_its_own(store: Store, cast: Cast) -> None:
    spells = [await start(store, cast, "Pia") for _ in range(3)]
    assert len({secret for _, secret in spells}) == 3


async def test_it_is_written_down_at_the_persons_place(store: Store, cast: Cast) -> None:
    await start(store, cast, "Pia")
    async with work_as(store, cast.actor("Pia")) as session:
        entry = (await session.scalars(sa.select(Entry).where(Entry.verb == "sign_in.started"))).one()
    assert (entry.actor_name, entry.tenant_id, entry.address) == ("Pia Pine", cast.tenant("Pine").id, ORIGIN.address)


async def test_when_somebody_last_signed_in_is_kept_on_the_person(store: Store, cast: Cast) -> None:
    await start(store, cast, "Pia")
    async with house_work(store) as session:
        assert (await session.get_one(User, cast.user("Pia").id)).last_sign_in_at == NOW


async def test_it_ends_after_half_a_day_of_silence_and_after_a_month(store: Store, cast: Cast) -> None:
    row, _ = await start(store, cast, "Pia")
    assert row.alive(NOW + IDLE - timedelta(seconds=1))
    assert not row.alive(NOW + IDLE)
    row.last_seen_at = NOW + LONGEST - timedelta(hours=1)
    assert row.alive(NOW + LONGEST - timedelta(seconds=1))
    assert not row.alive(NOW + LONGEST)


async def test_a_proof_is_fresh_for_a_quarter_of_an_hour(store: Store, cast: Cast) -> None:
    """T11."""
    row, _ = await start(store, cast, "Pia")
    assert row.fresh(NOW + FRESH - timedelta(seconds=1))
    assert not row.fresh(NOW + FRESH)


async def test_signing_out_ends_this_browser_only(store: Store, cast: Cast) -> None:
    one, _ = await start(store, cast, "Pia")
    other, _ = await start(store, cast, "Pia")
    pia = cast.actor("Pia")
    async with work_as(store, pia) as session:
        mine = await session.get_one(SignIn, one.id)
        await mine.end(session, cast.identity("Pia"), "signed_out", NOW)
        assert not mine.alive(NOW)
        assert (await session.get_one(SignIn, other.id)).alive(NOW)


async def test_signing_out_everywhere_ends_all_of_ones_own_and_nobody_elses(store: Store, cast: Cast) -> None:
    """B10."""
    for name in ("Pia", "Pia", "Dan"):
        await start(store, cast, name)
    async with house_work(store) as session:
        await end_all_sign_ins(session, cast.user("Pia").id, "everywhere", NOW)
    async with house_work(store) as session:
        rows = await session.execute(sa.select(SignIn.user_id, SignIn.ended_cause).order_by(SignIn.id))
        pia, dan = cast.user("Pia").id, cast.user("Dan").id
        assert [tuple(row) for row in rows] == [(pia, "everywhere"), (pia, "everywhere"), (dan, None)]


async def test_nobody_sees_anothers_sign_ins_not_even_an_admin(store: Store, cast: Cast) -> None:
    await start(store, cast, "Dan")
    for name, count in (("Dan", 1), ("Pia", 0), ("Ada", 0)):
        async with work_as(store, cast.actor(name)) as session:
            assert await session.scalar(sa.select(sa.func.count(SignIn.id))) == count


# Who it is


@pytest.mark.parametrize("typed", ["pia@pine.example", " Pia@Pine.Example ", "ＰＩＡ@pine.example"])
async def test_an_address_is_known_however_it_is_typed(store: Store, cast: Cast, typed: str) -> None:
    async with house_work(store) as session:
        found = await find_by_email(session, typed)
    assert found is not None
    assert found.id == cast.user("Pia").id


@pytest.mark.parametrize("typed", ["", "pia", "nobody@pine.example", "pia@pine.example'--", "x" * 10_000, "\x00"])
async def test_anything_else_is_nobody(store: Store, typed: str) -> None:
    async with house_work(store) as session:
        assert await find_by_email(session, typed) is None


# Guessing


async def test_ten_failures_of_one_account_from_one_network_are_enough(guesser: Guesser) -> None:
    await guesser.fails("Bea", times=FAILURES_OF_PAIR - 1)
    assert not await guesser.held_back("Bea")
    await guesser.fails("Bea")
    assert await guesser.held_back("Bea")
    assert not await guesser.held_back("Ben")
    assert not await guesser.held_back("Bea", "203.0.113.5")


def test_who_is_held_back_is_told_when_to_come_again() -> None:
    refusal = TooMany("Wait.", retry_after=900)
    assert (refusal.status, refusal.rule, refusal.retry_after) == (429, "throttled", 900)


async def test_a_quarter_of_an_hour_later_one_may_try_again(guesser: Guesser, clock: Clock) -> None:
    await guesser.fails("Bea", times=FAILURES_OF_PAIR)
    clock.pass_(minutes=14)
    assert await guesser.held_back("Bea")
    clock.pass_(minutes=2)
    assert not await guesser.held_back("Bea")


async def test_an_unknown_address_is_held_back_just_the_same(guesser: Guesser) -> None:
    """T65: being held back does not tell who exists."""
    await guesser.fails("nobody@bakery.example", times=FAILURES_OF_PAIR)
    assert await guesser.held_back("nobody@bakery.example")
    assert await guesser.held_back("NOBODY@bakery.example ")


async def test_a_network_that_tries_many_accounts_is_held_back(guesser: Guesser) -> None:
    for number in range(FAILURES_OF_NETWORK // 5):
        await guesser.fails(f"n{number}@bakery.example", times=5)
    assert await guesser.held_back("Bea")
    assert not await guesser.held_back("Bea", "203.0.113.5")


async def test_an_attack_on_an_address_does_not_lock_its_person_out(guesser: Guesser, store: Store, cast: Cast) -> None:
    """C25: strangers everywhere guess at Bea; from where she has signed in before she still can."""
    await start(store, cast, "Bea")
    for number in range(FAILURES_OF_ACCOUNT // 5):
        await guesser.fails("Bea", f"198.51.100.{number}", times=5)
    assert await guesser.held_back("Bea", "203.0.113.5")
    assert not await guesser.held_back("Bea", ORIGIN.address)
    # Not so for somebody else who sits there.
    assert not await guesser.held_back("Ben", ORIGIN.address)


async def test_a_flood_leaves_few_entries(guesser: Guesser, clock: Clock) -> None:
    """C25: the first, the threshold and the sum; counted per account, network and minute."""
    await guesser.fails("Bea", times=50)
    clock.pass_(minutes=1)
    await guesser.fails("Bea")
    said = await guesser.entries()
    assert [verb for verb, _ in said] == [
        "sign_in.failed",
        "sign_in.throttled",
        "sign_in.failed",
        "sign_in.failed",
    ]
    sums = [details for _, details in said if "times" in details]
    assert [each["times"] for each in sums] == [50]


async def test_the_threshold_is_told_however_slowly_somebody_guesses(guesser: Guesser, clock: Clock) -> None:
    for _ in range(FAILURES_OF_PAIR):
        await guesser.fails("Bea")
        clock.pass_(minutes=1)
    assert [verb for verb, _ in await guesser.entries()].count("sign_in.throttled") == 1


async def test_wrong_codes_of_strangers_are_held_back_sooner(guesser: Guesser, store: Store, cast: Cast) -> None:
    """Whoever gets to the second step knows the password: twenty codes from everywhere are enough."""
    bea = cast.user("Bea").id
    async with house_work(store) as session:
        for number in range(FAILURES_OF_CODE):
            await count_failure(session, Attempt.of_code(bea, f"198.51.100.{number}"), None, NOW)
        with pytest.raises(TooMany):
            await hold_back(session, Attempt.of_code(bea, "203.0.113.5"), NOW)
    assert not await guesser.held_back("Bea", "203.0.113.5")


async def test_a_sum_is_told_once(guesser: Guesser, clock: Clock) -> None:
    await guesser.fails("Bea", times=5)
    for _ in range(3):
        clock.pass_(minutes=1)
        await guesser.fails("Bea")
    assert [details["times"] for _, details in await guesser.entries() if "times" in details] == [5]


async def test_a_failure_keeps_no_address_that_somebody_typed(guesser: Guesser, store: Store) -> None:
    """People type passwords into the wrong field: what was typed is kept as a hash alone."""
    await guesser.fails("my secret password")
    async with house_work(store) as session:
        failure = (await session.scalars(sa.select(Failure))).one()
        assert failure.account == digest("my secret password")
        entry = (await session.scalars(sa.select(Entry).where(Entry.verb == "sign_in.failed"))).one()
    assert b"my secret" not in entry.leaf
    assert entry.record_name is None


async def test_a_failure_of_somebody_is_their_home_admins_to_read(guesser: Guesser, store: Store, cast: Cast) -> None:
    await guesser.fails("Bea")
    for name, count in (("Boris", 1), ("Olaf", 1), ("Clara", 0), ("Elsa", 0)):
        async with work_as(store, cast.actor(name)) as session:
            failed = sa.select(sa.func.count(Entry.id)).where(Entry.verb == "sign_in.failed")
            assert await session.scalar(failed) == count


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("", "unknown"),
        ("unix:", "unknown"),
        ("192.0.2.7, 10.0.0.1", "unknown"),
    ],
)
def test_what_counts_as_one_network(address: str, network: str) -> None:
    assert network_of(address) == network
