"""Endings: what suspending and discarding take along, and what they leave alone."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from bindings import endings
from bindings.apps import App
from bindings.facts import fetch_facts
from bindings.guard import Act, judge
from bindings.impersonation import Impersonation
from bindings.login import Login, start_login
from bindings.resolving import Because, Granted, Seen
from tenants.api_keys import ApiKey
from tenants.people import User, find_membership, find_user
from tenants.sign_in import SignIn
from tenants.store import Store
from tenants.trail import Entry
from tenants.tree import Scope, find_tenant
from tenants.verbs import Verb
from tests.cast import ORIGIN, Cast, house_work, impersonate, work_as

Ending = Callable[[AsyncSession, Cast, datetime], Awaitable[None]]


async def suspend_bakery(session: AsyncSession, cast: Cast, now: datetime) -> None:
    tenant = await find_tenant(session, cast.tenant("Bakery").id)
    await endings.suspend_tenant(session, cast.actor("Olaf"), tenant, Scope.STAFF, "unpaid", now)


async def suspend_north(session: AsyncSession, cast: Cast, now: datetime) -> None:
    tenant = await find_tenant(session, cast.tenant("North").id)
    await endings.suspend_tenant(session, cast.actor("Ada"), tenant, Scope.ALL, "unpaid", now)


async def suspend_norths_staff(session: AsyncSession, cast: Cast, now: datetime) -> None:
    tenant = await find_tenant(session, cast.tenant("North").id)
    await endings.suspend_tenant(session, cast.actor("Ada"), tenant, Scope.STAFF, "unpaid", now)


async def discard_bea(session: AsyncSession, cast: Cast, now: datetime) -> None:
    await endings.discard_user(session, cast.actor("Boris"), await find_user(session, cast.user("Bea").id), now)


async def end_beas_membership(session: AsyncSession, cast: Cast, now: datetime) -> None:
    membership = await find_membership(session, cast.membership_id("Bea"))
    await endings.discard_membership(session, cast.actor("Boris"), membership, now)


async def open_everything(store: Store, cast: Cast, name: str, now: datetime) -> tuple[int, str, int]:
    """A sign-in, a login to the softphone and an API key of somebody."""
    identity = cast.identity(name)
    async with house_work(store, now) as session:
        sign_in, _ = await SignIn.start(session, identity, ORIGIN, "a browser", now)
        seen = Seen(
            identity.membership_id, identity.user_id, identity.name, identity.tenant_id, identity.tenant_name,
            identity.path,
        )  # fmt: skip
        app = await session.get_one(App, cast.app_id("softphone"))
        login = await start_login(
            session, Granted(identity, seen, Because.OWN, None, None), app, sign_in, "openid", now
        )
        membership = await find_membership(session, identity.membership_id)
        key, _ = await ApiKey.make(session, membership, "story", ["read"], 90, now)
        return sign_in.id, login.id, key.id


@pytest.mark.parametrize(
    ("who", "ending", "acts", "ends"),
    [
        ("Ada", suspend_north, "Bea", True),
        ("Ada", suspend_north, "Opal", True),
        ("Ada", suspend_north, "Pia", False),
        ("Ada", suspend_norths_staff, "Nora", True),
        ("Ada", suspend_norths_staff, "Olaf", False),
        ("Olaf", suspend_bakery, "Bea", True),
        ("Olaf", suspend_bakery, "Cora", False),
        ("Boris", discard_bea, "Bea", True),
        ("Boris", discard_bea, "Ben", False),
        ("Boris", end_beas_membership, "Bea", True),
        ("Boris", end_beas_membership, "Boris", False),
    ],
)
async def test_sign_ins_logins_and_keys_end_with_it_and_nobody_elses(
    store: Store, cast: Cast, now: datetime, who: str, ending: Ending, acts: str, ends: bool
) -> None:
    sign_in, login, key = await open_everything(store, cast, acts, now)
    async with work_as(store, cast.actor(who), now) as session:
        await ending(session, cast, now)
    async with house_work(store, now) as session:
        over = [
            (await session.get_one(SignIn, sign_in)).ended_at,
            (await session.get_one(Login, login)).ended_at,
            (await session.get_one(ApiKey, key)).revoked_at,
        ]
    assert over == ([now, now, now] if ends else [None, None, None])


async def test_what_fails_ends_nothing(store: Store, cast: Cast, now: datetime) -> None:
    sign_in, _, _ = await open_everything(store, cast, "Bea", now)

    async def fall_over() -> None:
        async with work_as(store, cast.actor("Boris"), now) as session:
            await discard_bea(session, cast, now)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fall_over()
    async with house_work(store, now) as session:
        assert (await session.get_one(SignIn, sign_in)).ended_at is None
        assert (await session.get_one(User, cast.user("Bea").id)).discarded_at is None


async def stand_in(store: Store, cast: Cast, actor: str, subject: str, now: datetime) -> int:
    """Somebody impersonates somebody, and has the softphone open as them."""
    there = cast.identity(subject)
    number = await impersonate(store, cast, actor, subject, now, app="softphone")
    async with house_work(store, now) as session:
        row = await session.get_one(Impersonation, number)
        app = await session.get_one(App, cast.app_id("softphone"))
        seen = Seen(
            there.membership_id, there.user_id, there.name, there.tenant_id, there.tenant_name, there.path
        )  # fmt: skip
        sign_in, _ = await SignIn.start(session, cast.identity(actor), ORIGIN, "a browser", now)
        granted = Granted(cast.identity(actor), seen, Because.IMPERSONATION, None, row.ends_at, row)
        await start_login(session, granted, app, sign_in, "openid", now)
    return number


@pytest.mark.parametrize(
    ("actor", "subject", "ends"), [("Opal", "Bea", True), ("Boris", "Bea", True), ("Opal", "Cora", False)]
)
async def test_impersonations_end_with_a_suspension_on_either_side(
    store: Store, cast: Cast, now: datetime, actor: str, subject: str, ends: bool
) -> None:
    """With its entry, and with the logins made through it."""
    number = await stand_in(store, cast, actor, subject, now)
    async with work_as(store, cast.actor("Olaf"), now) as session:
        await suspend_bakery(session, cast, now)
    async with house_work(store, now) as session:
        row = await session.get_one(Impersonation, number)
        [login] = list(await session.scalars(sa.select(Login).where(Login.impersonation_id == number)))
        told = list(await session.scalars(sa.select(Entry).where(Entry.verb == Verb.IMPERSONATION_ENDED)))
    assert (row.ended_cause, login.ended_at) == (("tenant_suspended", now) if ends else (None, None))
    assert [(each.record_name, each.subject_name, each.stand_in_id) for each in told] == (
        [(row.label, "Bea Bell", number)] if ends else []
    )


async def test_an_impersonation_that_has_run_out_is_not_ended_again(store: Store, cast: Cast, now: datetime) -> None:
    number = await stand_in(store, cast, "Opal", "Bea", now - timedelta(hours=1))
    async with work_as(store, cast.actor("Olaf"), now) as session:
        await suspend_bakery(session, cast, now)
    async with house_work(store, now) as session:
        assert (await session.get_one(Impersonation, number)).ended_at is None


async def test_who_is_above_may_still_look_into_what_is_closed(store: Store, cast: Cast, now: datetime) -> None:
    """Opal of Oak may look, and not act; Boris, of the closed company itself, is nobody."""
    async with work_as(store, cast.actor("Olaf"), now) as session:
        await suspend_bakery(session, cast, now)

    async def rule(actor: str, mode: str, act: Act = Act.IMPERSONATE) -> str | None:
        async with house_work(store, now) as session:
            subject = cast.membership_id("Bea")
            found = await fetch_facts(session, act, cast.membership_id(actor), subject_membership_id=subject, mode=mode)
        assert found is not None
        refused = judge(found.facts)
        return refused.rule if refused else None

    assert [await rule(*each) for each in (("Opal", "look"), ("Opal", "full"), ("Boris", "look"))] == [
        None,
        "live",
        "live",
    ]
    assert await rule("Opal", "look", Act.BIND) == "live"


async def test_what_stops_is_what_then_has_stopped(store: Store, cast: Cast, now: datetime) -> None:
    await open_everything(store, cast, "Bea", now)
    await stand_in(store, cast, "Opal", "Bea", now)
    async with work_as(store, cast.actor("Olaf"), now) as session:
        bakery = await find_tenant(session, cast.tenant("Bakery").id)
        told = await endings.what_stops(session, cast.actor("Olaf"), bakery, Scope.STAFF, now)
        assert told == endings.Stops(
            people=5, tenants=0, sign_ins=1, logins=2, api_keys=1, impersonations=1, bindings=0
        )
        await suspend_bakery(session, cast, now)
        after = await endings.what_stops(session, cast.actor("Olaf"), bakery, Scope.STAFF, now)
    assert after == endings.Stops(people=5, tenants=0, sign_ins=0, logins=0, api_keys=0, impersonations=0, bindings=0)
