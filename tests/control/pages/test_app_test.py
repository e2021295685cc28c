"""The page for an app's developers: a test login, and what the panel has seen the app do about it."""

import re

import httpx
import sqlalchemy as sa

from bindings.apps import App
from bindings.handoff import hand_off
from bindings.impersonation import Asked, Impersonation
from bindings.login import Login
from tenants.people import find_membership
from tests.cast import WHY, house_work
from tests.control.visits import House, Reader


async def begin(pages: House, name: str = "Ada") -> str:
    """Somebody is Bea at the softphone: the code of its new tab."""
    actor, now = pages.cast.actor(name), pages.clock.now
    async with pages.store.work(actor, actor.reach(), now) as session:
        bea = await find_membership(session, pages.cast.membership_id("Bea", at="Bakery"))
        asked = Asked.of(WHY, app_id=pages.cast.app_id("softphone"))
        stand = await Impersonation.start(session, actor, bea, asked, now)
        app = await session.get_one(App, pages.cast.app_id("softphone"))
        return (await hand_off(session, actor, stand, app, None, now)).partition("#handoff=")[2]


async def as_app(pages: House, path: str, token: str | None = None, **form: str) -> httpx.Response:
    """What the app sends."""
    http = pages.panel.stranger().http
    if token is not None:
        return await http.post(path, data=form, headers={"Authorization": f"Bearer {token}"})
    return await http.post(path, data=form, auth=("softphone", pages.cast.secrets["softphone"]))


async def take(pages: House, code: str) -> str:
    answer = await as_app(pages, "/oauth/token", grant_type="urn:understudy:handoff", handoff=code)
    return str(answer.json()["access_token"])


def where(pages: House) -> str:
    return f"/apps/{pages.cast.app_id('softphone')}/test"


async def states(pages: House, ada: Reader) -> list[str]:
    """How each thing stands, from the hand-off to the logout."""
    return re.findall(r'data-check="(\w+)"', await ada.get(where(pages)))


async def test_ada_sees_step_by_step_what_the_softphone_does(pages: House) -> None:
    ada = await pages.visit("Ada")
    assert await states(pages, ada) == []
    code = await begin(pages)
    assert await states(pages, ada) == ["wait", "wait", "wait", "ok", "turn"]
    assert (await ada.ask(where(pages))).headers["refresh"] == "5"
    token = await take(pages, code)
    assert await states(pages, ada) == ["ok", "wait", "wait", "ok", "turn"]
    await as_app(pages, "/oauth/acting", token, event="seen", document="one")
    assert await states(pages, ada) == ["ok", "wait", "ok", "ok", "turn"]
    await as_app(pages, "/oauth/acting", token, event="seen", document="one", banner="shown")
    assert await states(pages, ada) == ["ok", "ok", "ok", "ok", "turn"]
    assert "refresh" not in (await ada.ask(where(pages))).headers

    answer = await ada.post(f"{where(pages)}/end", at=where(pages))
    assert answer.headers["location"] == where(pages)
    assert (await as_app(pages, "/oauth/acting", token, event="seen")).status_code == 401
    assert await states(pages, ada) == ["ok", "ok", "ok", "ok", "wait"]
    async with house_work(pages.store, pages.clock.now) as session:
        told = {"told_at": pages.clock.now, "tell_tries": 1}
        await session.execute(sa.update(Login.__table__).values(**told))
    page = await ada.read(where(pages))
    assert "The app acknowledged that it has ended." in page
    assert "Begin another test" in page


async def test_what_an_app_does_not_do_is_failed_once_it_is_over(pages: House) -> None:
    ada = await pages.visit("Ada")
    await begin(pages)
    pages.clock.pass_(seconds=150)
    assert (await states(pages, ada))[:4] == ["bad", "bad", "off", "ok"]
    page = await ada.read(where(pages))
    assert "The app did not exchange the code" in page
    assert "End it now" not in page
    assert (await ada.post(f"{where(pages)}/end", at=where(pages))).status_code == 303


async def test_a_logout_that_fails_says_why(pages: House) -> None:
    ada = await pages.visit("Ada")
    await take(pages, await begin(pages))
    await ada.post(f"{where(pages)}/end", at=where(pages))
    async with house_work(pages.store, pages.clock.now) as session:
        await session.execute(sa.update(Login.__table__).values(tell_tries=1, tell_error="status 500"))
    assert (await states(pages, ada))[4] == "bad"
    assert "The app did not acknowledge it: status 500." in await ada.read(where(pages))


async def test_an_app_without_the_addresses_is_told_what_is_missing(pages: House) -> None:
    async with house_work(pages.store, pages.clock.now) as session:
        app = await session.get_one(App, pages.cast.app_id("softphone"))
        await app.change(session, backchannel_logout_uri=None)
    ada = await pages.visit("Ada")
    await begin(pages)
    assert (await states(pages, ada))[4] == "off"
    async with house_work(pages.store, pages.clock.now) as session:
        app = await session.get_one(App, pages.cast.app_id("softphone"))
        await app.change(session, handoff_uri=None)
    assert "no address for a hand-off" in await ada.read(where(pages))


async def test_it_is_ones_own_test_and_the_people_of_ones_own_reach(pages: House) -> None:
    ada = await pages.visit("Ada")
    await begin(pages, "Olaf")
    page = await ada.get(where(pages))
    assert "data-check" not in page
    assert "Bea Bell, Bakery" in page
    assert "Ada" not in re.findall(r"<option[^>]*>([^<]*)", page)
    assert 'action="/impersonations/new"' in page
    await ada.post(f"{where(pages)}/end", at=where(pages))
    async with house_work(pages.store, pages.clock.now) as session:
        (row,) = await session.scalars(sa.select(Impersonation))
        assert row.ended_at is None


async def test_only_who_manages_the_app_tests_it(pages: House) -> None:
    for name, status in (("Olaf", 403), ("Opal", 403), ("Axel", 403), ("Boris", 403), ("Bea", 403)):
        reader = await pages.visit(name)
        await reader.get(where(pages), status=status)
