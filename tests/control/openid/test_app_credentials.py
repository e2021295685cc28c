"""An app changes how it proves itself, with no moment in which nobody can log in: secrets, keys, scopes, bound keys."""

import asyncio
from datetime import timedelta

import httpx
import pytest

from bindings.app_credentials import LONGEST, end_old_secret, register_keys, rotate_secret
from bindings.apps import App
from tenants.refusals import Conflict, Invalid
from tests.cast import house_work
from tests.control.openid.story import Client, Panel
from tests.control.openid.test_client_proofs import KEY, Prover, public

DAY = timedelta(days=1)


async def rotated(softphone: Client, keep: timedelta) -> str:
    """A new secret for the softphone; the old one stays good as long as said."""
    panel = softphone.panel
    async with house_work(panel.store, panel.clock.now) as session:
        app = await session.get_one(App, panel.cast.app_id("softphone"))
        return await rotate_secret(session, app, panel.clock.now, keep)


async def asks(client: Client, secret: str | None) -> int:
    """Whether the panel takes it for the app with this secret."""
    return (
        await client.http.post("/oauth/introspect", data={"token": "x"}, auth=("softphone", secret or ""))
    ).status_code


async def test_the_old_secret_stays_good_for_as_long_as_was_chosen(panel: Panel, softphone: Client) -> None:
    old, new = softphone.secret, await rotated(softphone, DAY)
    assert (await asks(softphone, old), await asks(softphone, new), await asks(softphone, "made up")) == (200, 200, 401)
    panel.clock.pass_(hours=23, minutes=59, seconds=59)
    assert await asks(softphone, old) == 200
    panel.clock.pass_(seconds=1)
    assert (await asks(softphone, old), await asks(softphone, new)) == (401, 200)


async def test_it_logs_people_in_by_both_meanwhile(panel: Panel, softphone: Client) -> None:
    pia = await panel.sign_in("Pia")
    softphone.secret, old = await rotated(softphone, DAY), softphone.secret
    tokens = await softphone.log_in(pia)
    softphone.secret = old
    assert (await softphone.renew(tokens.refresh)).status_code == 200


async def test_at_once_means_at_once_and_a_second_change_ends_the_first_secret(panel: Panel, softphone: Client) -> None:
    first, second = softphone.secret, await rotated(softphone, DAY)
    third = await rotated(softphone, DAY)
    assert [await asks(softphone, each) for each in (first, second, third)] == [401, 200, 200]
    fourth = await rotated(softphone, timedelta(0))
    assert [await asks(softphone, each) for each in (second, third, fourth)] == [401, 401, 200]


async def test_of_two_who_change_it_at_once_both_have_a_secret_that_is_good(softphone: Client) -> None:
    first, second = await asyncio.gather(rotated(softphone, DAY), rotated(softphone, DAY))
    assert [await asks(softphone, each) for each in (softphone.secret, first, second)] == [401, 200, 200]


async def test_an_old_secret_that_leaked_is_ended_now(panel: Panel, softphone: Client) -> None:
    old, new, now = softphone.secret, await rotated(softphone, DAY), panel.clock.now
    async with house_work(panel.store, now) as session:
        app = await session.get_one(App, panel.cast.app_id("softphone"))
        await end_old_secret(session, app, now)
        with pytest.raises(Conflict):
            await end_old_secret(session, app, now)
    assert (await asks(softphone, old), await asks(softphone, new)) == (401, 200)


@pytest.mark.parametrize("keep", [timedelta(seconds=-1), LONGEST + timedelta(seconds=1)])
async def test_no_old_secret_is_kept_for_longer_than_a_week(softphone: Client, keep: timedelta) -> None:
    with pytest.raises(Invalid):
        await rotated(softphone, keep)


async def test_an_app_goes_over_to_keys_and_back_with_no_door_shut_in_between(panel: Panel, softphone: Client) -> None:
    old, prover = softphone.secret, Prover(panel, softphone)

    async def by_key() -> httpx.Response:
        return await prover.post("/oauth/introspect", token="x")

    assert (await by_key()).status_code == 401
    async with house_work(panel.store, panel.clock.now) as session:
        app = await session.get_one(App, panel.cast.app_id("softphone"))
        await register_keys(session, app, public(KEY), panel.clock.now, DAY)
    assert ((await by_key()).status_code, await asks(softphone, old)) == (200, 200)
    panel.clock.pass_(days=1)
    assert ((await by_key()).status_code, await asks(softphone, old)) == (200, 401)
    nameless = await softphone.http.post("/oauth/introspect", data={"client_id": "softphone", "token": "x"})
    assert nameless.status_code == 401
    new = await rotated(softphone, DAY)
    assert ((await by_key()).status_code, await asks(softphone, new), await asks(softphone, old)) == (401, 200, 401)


async def test_a_scope_that_was_taken_from_an_app_is_given_no_more(panel: Panel, softphone: Client) -> None:
    pia = await panel.sign_in("Pia")
    before = await softphone.log_in(pia)
    assert before.claims["email"] == "pia@pine.example"
    async with house_work(panel.store, panel.clock.now) as session:
        await (await session.get_one(App, panel.cast.app_id("softphone"))).change(session, scopes=["profile"])
    renewed = (await softphone.renew(before.refresh)).json()
    assert renewed["scope"] == "openid profile"
    claims = (await softphone.log_in(pia)).claims
    assert (claims["name"], "email" in claims) == ("Pia Pine", False)


async def test_an_app_whose_tokens_are_bound_gets_none_without_a_key(panel: Panel, softphone: Client) -> None:
    async with house_work(panel.store, panel.clock.now) as session:
        await (await session.get_one(App, panel.cast.app_id("softphone"))).change(session, dpop=True)
    answer = await softphone.redeem(await softphone.code(await panel.sign_in("Pia")))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_dpop_proof")
