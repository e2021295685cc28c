"""Endings: what suspending and discarding take along, and what they leave alone."""

from collections.abc import Awaitable, Callable
from datetime import datetime

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from bindings import endings
from bindings.apps import App
from bindings.login import Because, Granted, Login, Seen, start_login
from tenants.api_keys import ApiKey
from tenants.people import User, find_membership, find_user
from tenants.sign_in import SignIn
from tenants.store import Store
from tenants.tree import Scope, find_tenant
from tests.cast import ORIGIN, Cast, house_work, work_as

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
