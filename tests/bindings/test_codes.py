"""Codes: good once, for one app, for a minute, whoever comes first."""

import asyncio

import sqlalchemy as sa

from bindings.apps import find_client
from bindings.codes import AUTHORIZATION, LIVES, Code, consume
from bindings.login import start_login
from bindings.resolving import Granted, resolve
from tenants.credentials import digest
from tenants.sign_in import SignIn
from tenants.store import Store
from tests.cast import NOW, ORIGIN, Cast, house_work


async def issued(store: Store, cast: Cast) -> tuple[str, int]:
    """A code that Pia was given at the softphone, and the app's id."""
    async with house_work(store) as session:
        sign_in, _ = await SignIn.start(session, cast.identity("Pia"), ORIGIN, "a browser", NOW)
        app = await find_client(session, "softphone")
        assert app is not None
        granted = await resolve(session, cast.user("Pia").id, app, NOW)
        assert isinstance(granted, Granted)
        login = await start_login(session, granted, app, sign_in, "openid", NOW)
        _, secret = await Code.issue(
            session, login, redirect_uri=app.redirect_uris[0], nonce=None, code_challenge="c" * 43, now=NOW
        )
    return secret, app.id


async def test_only_the_hash_of_a_code_is_stored(store: Store, cast: Cast) -> None:
    secret, _ = await issued(store, cast)
    async with house_work(store) as session:
        code = (await session.scalars(sa.select(Code))).one()
    assert code.code_hash == digest(secret)
    assert secret not in str(code.to_dict())


async def test_of_twenty_that_come_at_once_one_is_first(store: Store, cast: Cast) -> None:
    secret, app_id = await issued(store, cast)

    async def come() -> bool:
        async with store.writer.begin() as connection:
            return await consume(connection, secret, AUTHORIZATION, app_id, NOW)

    assert sorted(await asyncio.gather(*(come() for _ in range(20)))) == [*[False] * 19, True]


async def test_a_transaction_that_fails_gives_the_code_back(store: Store, cast: Cast) -> None:
    secret, app_id = await issued(store, cast)
    async with store.writer.connect() as connection:
        assert await consume(connection, secret, AUTHORIZATION, app_id, NOW)
        await connection.rollback()
    async with store.writer.begin() as connection:
        assert await consume(connection, secret, AUTHORIZATION, app_id, NOW)


async def test_a_code_is_for_its_app_its_purpose_and_its_minute(store: Store, cast: Cast) -> None:
    secret, app_id = await issued(store, cast)
    async with store.writer.begin() as connection:
        assert not await consume(connection, secret, AUTHORIZATION, cast.app_id("desk-client"), NOW)
        assert not await consume(connection, secret, "handoff", app_id, NOW)
        assert not await consume(connection, secret + "x", AUTHORIZATION, app_id, NOW)
        assert not await consume(connection, secret, AUTHORIZATION, app_id, NOW + LIVES)
        assert await consume(connection, secret, AUTHORIZATION, app_id, NOW)
