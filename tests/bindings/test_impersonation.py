"""Impersonation: twenty minutes, one at a time, and an end that is told exactly once, whatever brings it."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from bindings import endings
from bindings.guard import Refused
from bindings.impersonation import LONGEST, Asked, Impersonation
from bindings.moving import move_tenant
from bindings.reaping import ask_again, reap
from bindings.resets import reset_access
from bindings.role_change import change_role
from control.pages.parts.leaving import end_everywhere, end_logins_from
from tenants.actor import Actor
from tenants.people import Membership, User, find_membership
from tenants.protections import tighten
from tenants.refusals import Invalid, NotPermitted, OutOfReach
from tenants.roles import Role
from tenants.sign_in import SignIn
from tenants.store import Store
from tenants.trail import Entry
from tenants.tree import Scope, Tenant
from tenants.verbs import Verb
from tests.cast import NOW, ORIGIN, WHY, Cast, house_work, impersonate, work_as

STARTED = Verb.IMPERSONATION_STARTED
OVER = (Verb.IMPERSONATION_STOPPED, Verb.IMPERSONATION_ENDED)


async def row(store: Store, number: int, now: datetime = NOW) -> Impersonation:
    async with house_work(store, now) as session:
        return await session.get_one(Impersonation, number)


async def lines(store: Store, number: int) -> list[Entry]:
    """What history says of one: how it began and how it ended."""
    async with house_work(store) as session:
        wanted = sa.select(Entry).where(Entry.verb.in_([STARTED, *OVER]), Entry.record_id == str(number))
        return list(await session.scalars(wanted.order_by(Entry.id)))


async def set_rules(store: Store, cast: Cast, place: str, now: datetime = NOW, **rules: str | bool | int) -> None:
    async with house_work(store, now) as session:
        await tighten(session, await session.get_one(Tenant, cast.tenant(place).id), rules)


async def test_olaf_starts_and_both_names_are_written(store: Store, cast: Cast) -> None:
    number = await impersonate(store, cast, "Olaf", "Bea")
    [begun] = await lines(store, number)
    assert (begun.actor_name, begun.subject_name, begun.reason) == ("Olaf Olsen", "Bea Bell", WHY)
    assert (begun.tenant_id, begun.stand_in_id) == (cast.tenant("Bakery").id, number)
    started = await row(store, number)
    assert (started.ends_at, started.over(NOW)) == (NOW + LONGEST, None)


async def test_it_lasts_twenty_minutes_to_the_second(store: Store, cast: Cast) -> None:
    started = await row(store, await impersonate(store, cast, "Olaf", "Bea"))
    assert started.over(NOW + LONGEST - timedelta(seconds=1)) is None
    assert started.over(NOW + LONGEST) == ("expired", NOW + LONGEST)


async def test_a_company_may_make_it_shorter_and_never_longer(store: Store, cast: Cast) -> None:
    await set_rules(store, cast, "Bakery", minutes=5)
    assert (await row(store, await impersonate(store, cast, "Olaf", "Bea"))).ends_at == NOW + timedelta(minutes=5)


@pytest.mark.parametrize("reason", [None, "", "   ", "too short", "x" * 1001])
def test_t12_a_reason_is_always_asked_for(reason: str | None) -> None:
    with pytest.raises(Invalid):
        Asked.of(reason)


@pytest.mark.parametrize(
    ("actor", "subject", "at", "rule"),
    [
        ("Olaf", "Zoe", None, None),
        ("Olaf", "Olaf", None, "self"),
        ("Boris", "Boris", None, "self"),
        ("Boris", "Olaf", None, None),
        ("Bea", "Ben", "Bakery", None),
        ("Amos", "Bea", None, "permission"),
        ("Bruno", "Amos", None, "permission"),
        ("Nora", "Ada", None, None),
    ],
)
async def test_who_cannot(store: Store, cast: Cast, actor: str, subject: str, at: str | None, rule: str | None) -> None:
    """T1, T2, T3: out of reach nothing exists; within it the rule is named."""
    with pytest.raises((Refused, OutOfReach, sa.exc.NoResultFound)) as refused:
        await impersonate(store, cast, actor, subject, at=at)
    if rule is not None:
        assert isinstance(refused.value, Refused)
        assert refused.value.rule == rule
    async with house_work(store) as session:
        assert (await session.scalars(sa.select(Impersonation))).all() == []


async def test_a_new_start_ends_the_old_one_in_the_same_transaction(store: Store, cast: Cast) -> None:
    """T20: never two, never none in between."""
    first = await impersonate(store, cast, "Olaf", "Bea")
    second = await impersonate(store, cast, "Olaf", "Ben", NOW + timedelta(minutes=3), at="Bakery")
    assert (await row(store, first)).ended_cause == "replaced"
    assert (await row(store, second)).ended_at is None
    assert [entry.details.get("seconds") for entry in await lines(store, first)] == [None, 180]


async def test_t19_of_ten_starts_at_once_one_stays_live(store: Store, cast: Cast) -> None:
    people = ["Bea", "Ben", "Bruno", "Amos", "Boris"]

    async def begin(name: str) -> int:
        return await impersonate(store, cast, "Olaf", name, at="Bakery")

    numbers = await asyncio.gather(*(begin(name) for name in people * 2))
    live = [number for number in numbers if (await row(store, number)).ended_at is None]
    assert len(live) == 1
    for number in numbers:
        told = [entry.verb for entry in await lines(store, number)]
        assert told == ([STARTED] if number in live else [STARTED, Verb.IMPERSONATION_ENDED])


async def test_stopped_by_ten_at_once_it_is_told_once(store: Store, cast: Cast) -> None:
    number = await impersonate(store, cast, "Olaf", "Bea")

    async def stop(name: str) -> None:
        async with work_as(store, cast.actor(name)) as session:
            await (await session.get_one(Impersonation, number)).stop(session, cast.actor(name), NOW)

    await asyncio.gather(*(stop(name) for name in ["Olaf", "Boris", "Nora", "Ada", "Bea"] * 2))
    assert len(await lines(store, number)) == 2


Ending = Callable[[AsyncSession, Cast, datetime], Awaitable[None]]


async def everywhere(name: str, session: AsyncSession, cast: Cast, now: datetime) -> None:
    await end_everywhere(session, await session.get_one(User, cast.user(name).id), now)


async def signs_out(session: AsyncSession, cast: Cast, now: datetime) -> None:
    wanted = sa.select(SignIn.id).where(SignIn.user_id == cast.user("Opal").id).order_by(SignIn.id.desc())
    await end_logins_from(session, (await session.scalars(wanted)).first() or 0, now)


async def reset(name: str, session: AsyncSession, cast: Cast, now: datetime) -> None:
    await reset_access(session, await session.get_one(User, cast.user(name).id), "password_reset", now)


async def discards(name: str, session: AsyncSession, cast: Cast, now: datetime) -> None:
    session.sync_session.info["actor"] = cast.actor("Ada")
    await endings.discard_user(session, cast.actor("Ada"), await session.get_one(User, cast.user(name).id), now)


async def leaves(name: str, session: AsyncSession, cast: Cast, now: datetime) -> None:
    session.sync_session.info["actor"] = cast.actor("Ada")
    membership = await find_membership(session, cast.membership_id(name))
    await endings.discard_membership(session, cast.actor("Ada"), membership, now)


async def demotes(session: AsyncSession, cast: Cast, now: datetime) -> None:
    session.sync_session.info["actor"] = cast.actor("Olaf")
    wanted = sa.select(Membership).where(Membership.id == cast.membership_id("Opal"))
    membership = (await session.scalars(wanted.options(sa.orm.joinedload(Membership.tenant)))).one()
    await change_role(session, cast.actor("Olaf"), membership, Role.AUDITOR, now)


async def suspends(place: str, session: AsyncSession, cast: Cast, now: datetime) -> None:
    session.sync_session.info["actor"] = cast.actor("Ada")
    tenant = await session.get_one(Tenant, cast.tenant(place).id)
    await endings.suspend_tenant(session, cast.actor("Ada"), tenant, Scope.ALL, "they did not pay", now)


async def runs_out(session: AsyncSession, cast: Cast, now: datetime) -> None:
    await reap(session, now + LONGEST)


async def is_forbidden(session: AsyncSession, cast: Cast, now: datetime) -> None:
    await tighten(session, await session.get_one(Tenant, cast.tenant("Bakery").id), {"stand_ins": "never"})
    await ask_again(session, now)


async def moves(session: AsyncSession, cast: Cast, now: datetime) -> None:
    session.sync_session.info["actor"] = cast.actor("Ada")
    bakery = await session.get_one(Tenant, cast.tenant("Bakery").id)
    elm = await session.get_one(Tenant, cast.tenant("Elm").id)
    await move_tenant(session, cast.actor("Ada"), bakery, elm, now)


def of(act: Callable[[str, AsyncSession, Cast, datetime], Awaitable[None]], name: str) -> Ending:
    async def ending(session: AsyncSession, cast: Cast, now: datetime) -> None:
        await act(name, session, cast, now)

    return ending


ENDINGS: dict[str, tuple[Ending, str]] = {
    "Opal signs out": (signs_out, "signed_out"),
    "Opal signs out everywhere": (of(everywhere, "Opal"), "signed_out_everywhere"),
    "Bea signs out everywhere": (of(everywhere, "Bea"), "signed_out_everywhere"),
    "Opal's password is reset": (of(reset, "Opal"), "password_reset"),
    "Bea's password is reset": (of(reset, "Bea"), "password_reset"),
    "Opal is discarded": (of(discards, "Opal"), "user_discarded"),
    "Bea is discarded": (of(discards, "Bea"), "user_discarded"),
    "Opal's membership ends": (of(leaves, "Opal"), "membership_discarded"),
    "Bea's membership ends": (of(leaves, "Bea"), "membership_discarded"),
    "Opal is an auditor now": (demotes, "rights_lost"),
    "Oak is suspended": (of(suspends, "Oak"), "tenant_suspended"),
    "Bakery is suspended": (of(suspends, "Bakery"), "tenant_suspended"),
    "Bakery says never": (is_forbidden, "policy"),
    "Bakery moves to Elm": (moves, "tenant_moved"),
    "its time is over": (runs_out, "expired"),
}


@pytest.mark.parametrize("what", ENDINGS)
async def test_each_end_is_told_once_with_its_cause(store: Store, cast: Cast, what: str) -> None:
    """T22, T23: whoever's side it comes from, in the transaction of what ended it."""
    ending, cause = ENDINGS[what]
    async with house_work(store) as session:
        sign_in, _ = await SignIn.start(session, cast.identity("Opal"), ORIGIN, "a browser", NOW)
    opal = Actor.of(cast.identity("Opal"), ORIGIN, sign_in_id=sign_in.id)
    number = await impersonate(store, cast, "Opal", "Bea", actor=opal)
    later = NOW + timedelta(minutes=2)
    async with house_work(store, later) as session:
        await ending(session, cast, later)
    over = await row(store, number, later)
    assert over.ended_cause == cause
    [begun, told] = await lines(store, number)
    assert (told.details["cause"], told.details["actor"], told.subject_name) == (cause, "Opal Orr", "Bea Bell")
    assert told.details["seconds"] == (1200 if cause == "expired" else 120)
    assert begun.verb == STARTED
    async with house_work(store, later + LONGEST) as session:
        assert await reap(session, later + LONGEST) == 0
    assert len(await lines(store, number)) == 2


async def test_late_reaping_tells_when_it_really_ended(store: Store, cast: Cast) -> None:
    """As after a crash: nobody looked for an hour."""
    number = await impersonate(store, cast, "Olaf", "Bea")
    late = NOW + timedelta(hours=1)
    async with house_work(store, late) as session:
        assert await reap(session, late) == 1
    over = await row(store, number, late)
    assert (over.ended_at, over.ended_cause) == (NOW + LONGEST, "expired")
    assert (await lines(store, number))[-1].details["seconds"] == 1200


async def test_two_reapers_at_once_tell_it_once(store: Store, cast: Cast) -> None:
    number = await impersonate(store, cast, "Olaf", "Bea")
    late = NOW + timedelta(hours=1)

    async def look() -> None:
        async with house_work(store, late) as session:
            await reap(session, late)

    await asyncio.gather(*(look() for _ in range(6)))
    assert len(await lines(store, number)) == 2


@pytest.mark.parametrize(
    ("signs", "ends"),
    [
        ({}, 150),
        ({"seen_at": 0}, None),
        ({"seen_at": 0, "beat_at": 60}, 210),
        ({"seen_at": 0, "beat_at": 60, "goodbye_at": 70}, 80),
    ],
)
async def test_a_tab_that_is_closed_or_never_opened_ends_it(
    store: Store, cast: Cast, signs: dict[str, int], ends: int | None
) -> None:
    """At an app: a goodbye and ten seconds, or 150 seconds of silence."""
    number = await impersonate(store, cast, "Olaf", "Bea", app="softphone")
    values = {name: NOW + timedelta(seconds=seconds) for name, seconds in signs.items()}
    if values:
        async with house_work(store) as session:
            rows = Impersonation.__table__
            await session.execute(sa.update(rows).where(rows.c.id == number).values(**values))
    started = await row(store, number)
    if ends is None:
        assert started.over(NOW + LONGEST - timedelta(seconds=1)) is None
        return
    at = NOW + timedelta(seconds=ends)
    assert started.over(at - timedelta(seconds=1)) is None
    assert started.over(at) == ("tab_closed", at)
    async with house_work(store, at) as session:
        await reap(session, at)
    assert (await row(store, number)).ended_cause == "tab_closed"


@pytest.mark.parametrize(
    ("who", "cause"),
    [("Olaf", "stopped"), ("Bea", "ended_by_subject"), ("Boris", "ended_by_admin"), ("Nora", "ended_by_admin")],
)
async def test_who_may_end_olafs(store: Store, cast: Cast, who: str, cause: str) -> None:
    number = await impersonate(store, cast, "Olaf", "Bea")
    async with work_as(store, cast.actor(who)) as session:
        await (await session.get_one(Impersonation, number)).stop(session, cast.actor(who), NOW)
    assert (await row(store, number)).ended_cause == cause


@pytest.mark.parametrize(("who", "refusal"), [("Amos", NotPermitted), ("Opal", NotPermitted)])
async def test_who_may_not(store: Store, cast: Cast, who: str, refusal: type[Exception]) -> None:
    """An auditor ends nothing; an operator not what an admin does."""
    number = await impersonate(store, cast, "Olaf", "Bea")
    async with work_as(store, cast.actor(who)) as session:
        with pytest.raises(refusal):
            await (await session.get_one(Impersonation, number)).stop(session, cast.actor(who), NOW)
    assert (await row(store, number)).ended_at is None


@pytest.mark.parametrize("who", ["Clara", "Sven", "Pia", "Ben"])
async def test_for_others_it_is_not_there(store: Store, cast: Cast, who: str) -> None:
    number = await impersonate(store, cast, "Olaf", "Bea")
    async with work_as(store, cast.actor(who)) as session:
        assert await session.get(Impersonation, number) is None


async def falls_over(store: Store, cast: Cast) -> None:
    async with work_as(store, cast.actor("Olaf")) as session:
        there = await find_membership(session, cast.membership_id("Bea"))
        await Impersonation.start(session, cast.actor("Olaf"), there, Asked.of(WHY), NOW)
        raise RuntimeError


async def test_if_its_line_cannot_be_written_it_does_not_start(store: Store, cast: Cast) -> None:
    """T57: nothing is begun that is not told."""
    with pytest.raises(RuntimeError):
        await falls_over(store, cast)
    async with house_work(store) as session:
        assert (await session.scalars(sa.select(Impersonation))).all() == []
