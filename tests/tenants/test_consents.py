"""Consent: who may say yes, to whom, for how long; and six digits, good once and for one, that nobody guesses."""

import asyncio
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from bindings.consenting import WrongDigits, redeem_digits
from tenants.actor import Actor, Via
from tenants.consents import LONGEST, TRIES, WRONG_AN_HOUR, Consent, may_be_let_in, spoken
from tenants.people import Membership, find_membership
from tenants.policy import StandIns
from tenants.protections import tighten
from tenants.refusals import Conflict, Invalid, NotPermitted, OutOfReach, Refusal, TooMany
from tenants.roles import Role
from tenants.store import Store
from tenants.trail import Entry
from tenants.tree import Tenant
from tenants.verbs import Verb
from tests.cast import NOW, Cast, Clock, house_work, work_as

KEY = b"the secret key of a story, 32 bytes and more"
TOMORROW = NOW + timedelta(days=1)


class Windows:
    """Who lets whom in, in a house where Bakery asks for consent."""

    def __init__(self, store: Store, cast: Cast, clock: Clock) -> None:
        self.store, self.cast, self.clock = store, cast, clock

    async def grant(
        self, by: str, to: str, until: datetime = TOMORROW, *, of: str | None = None, place: str = "Bakery"
    ) -> int:
        """`of` names the one it is for; the whole company without."""
        actor = self.cast.actor(by)
        whom = self.cast.membership_id(of) if of else None
        async with work_as(self.store, actor, self.clock.now) as session:
            tenant = await session.get(Tenant, self.cast.tenant(place).id)
            if tenant is None:
                raise OutOfReach
            to_id = self.cast.tenant(to).id
            return (await Consent.grant(session, actor, tenant, whom, to_id, until, self.clock.now)).id

    async def digits(self, by: str = "Bea") -> str:
        actor = self.cast.actor(by)
        async with work_as(self.store, actor, self.clock.now) as session:
            return await Consent.offer(session, KEY, actor, self.clock.now)

    async def say(self, by: str, digits: str, *, of: str = "Bea") -> bool:
        """Somebody says digits; whatever comes of it is kept, as at a door."""
        actor = self.cast.actor(by)
        async with work_as(self.store, actor, self.clock.now) as session:
            subject = await find_membership(session, self.cast.membership_id(of))
            return await redeem_digits(session, KEY, actor, subject, digits, self.clock.now)

    async def row(self, number: int | None = None) -> Consent:
        async with house_work(self.store, self.clock.now) as session:
            wanted = sa.select(Consent).order_by(Consent.id.desc()).limit(1)
            return (await session.scalars(wanted if number is None else wanted.where(Consent.id == number))).one()

    async def told(self, verb: Verb) -> list[Entry]:
        async with house_work(self.store, self.clock.now) as session:
            return list(await session.scalars(sa.select(Entry).where(Entry.verb == verb).order_by(Entry.id)))


@pytest.fixture
async def windows(store: Store, cast: Cast, clock: Clock) -> Windows:
    async with house_work(store) as session:
        bakery = await session.get_one(Tenant, cast.tenant("Bakery").id)
        await tighten(session, bakery, {"stand_ins": StandIns.CONSENT.name.lower()})
    return Windows(store, cast, clock)


def wrong(digits: str) -> str:
    """Other digits than these."""
    return f"{(int(digits) + 1) % 10**6:06}"


# Windows


async def test_bea_lets_oak_in_for_a_day(windows: Windows) -> None:
    row = await windows.row(await windows.grant("Bea", "Oak", of="Bea"))
    assert (row.membership_id, row.to_tenant_id) == (
        windows.cast.membership_id("Bea"),
        windows.cast.tenant("Oak").id,
    )
    [entry] = await windows.told(Verb.CONSENT_GRANTED)
    assert (entry.actor_name, entry.record_name, entry.details["to"]) == ("Bea Bell", "Bea Bell", "Oak")


async def test_boris_lets_oak_in_to_everybody_at_bakery(windows: Windows) -> None:
    assert (await windows.row(await windows.grant("Boris", "Oak"))).membership_id is None


@pytest.mark.parametrize(
    ("by", "of", "refusal"),
    [
        ("Ben", "Bea", NotPermitted),  # a colleague
        ("Boris", "Bea", NotPermitted),  # her admin says yes for the company, not for her
        ("Olaf", "Bea", NotPermitted),
        ("Bea", None, NotPermitted),  # not for the company
        ("Olaf", None, NotPermitted),  # from above, rules are only tightened
        ("Nora", None, NotPermitted),
        ("Elsa", None, OutOfReach),
    ],
)
async def test_who_cannot_say_yes(windows: Windows, by: str, of: str | None, refusal: type[Refusal]) -> None:
    with pytest.raises(refusal):
        await windows.grant(by, "Oak", of=of)


async def test_c6_a_fresh_admin_from_above_cannot_say_yes(windows: Windows) -> None:
    """Olaf makes Bruno admin of Bakery, and Bruno would let Oak in: not for thirty days."""
    store, olaf = windows.store, windows.cast.actor("Olaf")
    async with work_as(store, olaf) as session:
        row = await session.get_one(Membership, windows.cast.membership_id("Bruno"))
        await row.change_role(session, olaf, Role.ADMIN, NOW)
    bruno = windows.cast.identity("Bruno")
    fresh = Actor.of(type(bruno)(**{**{name: getattr(bruno, name) for name in bruno.__slots__}, "role": Role.ADMIN}))
    async with work_as(store, fresh) as session:
        bakery = await session.get_one(Tenant, windows.cast.tenant("Bakery").id)
        with pytest.raises(NotPermitted, match="own admins") as refused:
            await Consent.grant(session, fresh, bakery, None, windows.cast.tenant("Oak").id, TOMORROW, NOW)
    assert refused.value.rule == "policy"


async def test_nobody_says_yes_in_anothers_name(windows: Windows) -> None:
    """T51: Olaf as Bea opens no window, and makes no digits."""
    cast = windows.cast
    stand_in = Actor(cast.identity("Olaf"), cast.identity("Bea"), Via.IMPERSONATION, stand_in_id=1)
    async with work_as(windows.store, stand_in) as session:
        bakery = await session.get_one(Tenant, cast.tenant("Bakery").id)
        with pytest.raises(NotPermitted, match="Stop impersonating"):
            await Consent.grant(
                session, stand_in, bakery, cast.membership_id("Bea"), cast.tenant("Oak").id, TOMORROW, NOW
            )
        with pytest.raises(NotPermitted, match="Stop impersonating"):
            await Consent.offer(session, KEY, stand_in, NOW)


@pytest.mark.parametrize("to", ["Elm", "South", "Pine", "Clinic", "Zoo"])
async def test_only_those_above_are_let_in(windows: Windows, to: str) -> None:
    with pytest.raises(Invalid) as refused:
        await windows.grant("Bea", to, of="Bea")
    assert refused.value.field == "to"


async def test_whom_bea_can_choose(windows: Windows) -> None:
    """The nearest above comes first; her own company, for its supervisors, last."""
    async with work_as(windows.store, windows.cast.actor("Bea")) as session:
        bakery = await session.get_one(Tenant, windows.cast.tenant("Bakery").id)
        assert [each.name for each in await may_be_let_in(session, bakery)] == ["Oak", "North", "Acme", "Bakery"]


@pytest.mark.parametrize("until", [NOW, NOW - timedelta(hours=1), NOW + LONGEST + timedelta(seconds=1)])
async def test_a_window_ends_within_thirty_days(windows: Windows, until: datetime) -> None:
    with pytest.raises(Invalid) as refused:
        await windows.grant("Bea", "Oak", until, of="Bea")
    assert refused.value.field == "ends_at"


async def test_who_sees_and_takes_back_which_windows(windows: Windows) -> None:
    """Bea sees her own and the company's; she takes back hers. Boris takes back both; Elsa sees nothing."""
    hers, everybodys = await windows.grant("Bea", "Oak", of="Bea"), await windows.grant("Boris", "Oak")
    seen = {}
    for name in ("Bea", "Ben", "Boris", "Olaf", "Elsa"):
        async with work_as(windows.store, windows.cast.actor(name)) as session:
            seen[name] = set(await session.scalars(sa.select(Consent.id)))
    assert seen == {
        "Bea": {hers, everybodys},
        "Ben": {everybodys},
        "Boris": {hers, everybodys},
        "Olaf": {hers, everybodys},
        "Elsa": set(),
    }
    for name, number, allowed in (("Bea", everybodys, False), ("Boris", hers, True), ("Boris", everybodys, True)):
        actor = windows.cast.actor(name)
        async with work_as(windows.store, actor) as session:
            row = await session.get_one(Consent, number)
            if allowed:
                await row.revoke(session, actor, NOW)
            else:
                with pytest.raises(NotPermitted):
                    await row.revoke(session, actor, NOW)
    assert [entry.record_name for entry in await windows.told(Verb.CONSENT_REVOKED)] == ["Bea Bell", "Bakery"]
    boris = windows.cast.actor("Boris")
    async with work_as(windows.store, boris) as session:
        with pytest.raises(Conflict):
            await (await session.get_one(Consent, hers)).revoke(session, boris, NOW)


# Spoken digits


async def test_bea_speaks_six_digits_and_olaf_alone_has_an_hour(windows: Windows) -> None:
    digits = await windows.digits()
    assert len(digits) == 6
    assert digits.isdigit()
    windows.clock.pass_(minutes=59)
    assert await windows.say("Olaf", f" {digits[:3]} {digits[3:]} ")
    row = await windows.row()
    assert (row.operator_id, row.digits) == (windows.cast.membership_id("Olaf"), None)
    assert row.ends_at == windows.clock.now + timedelta(hours=1)
    [entry] = await windows.told(Verb.CONSENT_REDEEMED)
    assert (entry.actor_name, entry.record_name) == ("Olaf Olsen", "Bea Bell")
    assert entry.changes["digits"] == "changed"


async def test_what_is_kept_of_digits_tells_nobody_what_they_are(windows: Windows) -> None:
    digits = await windows.digits()
    row = await windows.row()
    assert digits not in (row.digits or "")
    async with house_work(windows.store) as session:
        for entry in await session.scalars(sa.select(Entry)):
            assert digits not in str(entry.changes) + str(entry.details)


async def test_digits_open_nothing_before_somebody_says_them(windows: Windows) -> None:
    await windows.digits()
    row = await windows.row()
    assert row.waits
    assert row.to_tenant_id is None


async def test_digits_are_good_once(windows: Windows) -> None:
    digits = await windows.digits()
    assert await windows.say("Olaf", digits)
    assert not await windows.say("Opal", digits)
    assert (await windows.row()).operator_id == windows.cast.membership_id("Olaf")


async def test_digits_are_good_for_an_hour(windows: Windows) -> None:
    digits = await windows.digits()
    windows.clock.pass_(hours=1)
    assert not await windows.say("Olaf", digits)


async def test_new_digits_take_the_place_of_the_old(windows: Windows) -> None:
    old, new = await windows.digits(), await windows.digits()
    if old != new:
        assert not await windows.say("Olaf", old)
    assert await windows.say("Olaf", new)
    assert len(await windows.told(Verb.CONSENT_REVOKED)) == 1


async def test_five_wrong_tries_and_the_right_ones_are_good_for_nothing(windows: Windows) -> None:
    digits = await windows.digits()
    for _ in range(TRIES):
        assert not await windows.say("Olaf", wrong(digits))
    assert not await windows.say("Opal", digits)
    refused = [entry for entry in await windows.told(Verb.REFUSED) if entry.details.get("rule") == "digits"]
    assert len(refused) == TRIES + 1
    assert {entry.tenant_id for entry in refused} == {windows.cast.tenant("Bakery").id}
    assert "tries" not in str(refused[-1].details)


async def test_ten_wrong_ones_and_the_operator_is_held_back(windows: Windows) -> None:
    """Whoever Bea gives new digits to all the time: nobody guesses on and on."""
    for _ in range(WRONG_AN_HOUR):
        assert not await windows.say("Olaf", "000000", of="Ben")
    digits = await windows.digits()
    with pytest.raises(TooMany):
        await windows.say("Olaf", digits)
    assert await windows.say("Opal", digits)


async def test_ben_without_digits_and_bea_with_wrong_ones_are_told_alike(windows: Windows) -> None:
    digits = await windows.digits()
    assert await windows.say("Olaf", wrong(digits)) is await windows.say("Olaf", digits, of="Ben") is False
    assert "hour ago" in WrongDigits().sentence


@pytest.mark.parametrize("typed", ["", "12345", "1234567", "12345a", "١٢٣٤٥٦"])
async def test_what_is_no_digits_uses_up_no_try(windows: Windows, typed: str) -> None:
    await windows.digits()
    with pytest.raises(Invalid):
        await windows.say("Olaf", typed)
    assert (await windows.row()).tries == 0


def test_digits_are_typed_as_they_were_written_down() -> None:
    assert spoken("12 34-56") == "123456"


async def test_somebody_out_of_reach_is_not_there_and_nothing_is_counted(windows: Windows) -> None:
    digits = await windows.digits()
    with pytest.raises(OutOfReach):
        await windows.say("Elsa", digits)
    assert (await windows.row()).tries == 0


async def test_what_the_guard_has_against_it_anyhow_comes_first(windows: Windows) -> None:
    """Bruno leads Bea but not Amos, and an auditor stands in for nobody: no digits help, and none are used up."""
    digits = await windows.digits()
    with pytest.raises(Refusal) as refused:
        await windows.say("Amos", digits)
    assert refused.value.rule == "permission"
    assert (await windows.row()).waits
    assert await windows.say("Bruno", digits)


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
async def test_of_ten_who_say_the_same_at_once_one_is_let_in(windows: Windows) -> None:
    digits = await windows.digits()
    names = ["Olaf", "Opal", "Nora", "Ada", "Bruno"] * 2
    said = await asyncio.gather(*(windows.say(name, digits) for name in names))
    # Who was let in and comes a second time finds the door open.
    row = await windows.row()
    in_ = next(name for name in set(names) if windows.cast.membership_id(name) == row.operator_id)
    assert {name for name, each in zip(names, said, strict=True) if each} == {in_}
    assert len(await windows.told(Verb.CONSENT_REDEEMED)) == 1


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
async def test_wrong_ones_at_once_are_all_counted(windows: Windows) -> None:
    digits = await windows.digits()
    await asyncio.gather(*(windows.say(name, wrong(digits)) for name in ("Olaf", "Opal", "Nora", "Ada", "Bruno")))
    assert (await windows.row()).tries == TRIES
    assert not await windows.say("Olaf", digits)


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
async def test_of_digits_made_twice_at_once_one_is_good(windows: Windows) -> None:
    made = await asyncio.gather(*(windows.digits() for _ in range(4)))
    async with house_work(windows.store) as session:
        waiting = sa.select(sa.func.count(Consent.id)).where(Consent.open_at(NOW))
        assert await session.scalar(waiting) == 1
    assert sum([await windows.say("Olaf", each) for each in set(made)]) >= 1
