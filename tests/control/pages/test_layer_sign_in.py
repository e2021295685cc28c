"""A layer's own sign-in page: its brand, only its people, and no hint of what else there is."""

import re

import httpx
import pytest
import sqlalchemy as sa

from control.cast import PASSWORD
from tenants.brands import set_brand
from tenants.layers import layer_name
from tenants.sign_in import SignIn
from tenants.tree import Kind, Scope, Tenant
from tests.authenticator import Device
from tests.cast import house_work, work_as
from tests.control.pages.factors import add_passkey, another_code, options_of, set_up_app
from tests.control.pages.visit import Panel, Visit, words

pytestmark = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)

REFUSED = "That e-mail and password do not belong together."


async def address(panel: Panel, name: str) -> str:
    async with house_work(panel.store) as session:
        return f"/sign-in/{layer_name(await session.get_one(Tenant, panel.cast.tenant(name).id))}"


async def sign_in_at(visit: Visit, path: str, email: str, password: str = PASSWORD, wanted: str = "") -> httpx.Response:
    """Fill in the page as it stands there, with its hidden fields."""
    await visit.open(path, **({"next": wanted} if wanted else {}))
    said = {"email": email, "password": password, "next": visit.hidden("next"), "layer": visit.hidden("layer")}
    return await visit.send("/sign-in", said)


def plain(page: str) -> str:
    """A page without what is another each time: the form's token, the passkey's challenge, the request's number."""
    page = re.sub(r'name="_csrf_token" value="[^"]*"', "", page)
    return re.sub(r'data-options="[^"]*"', "", page)


async def profile(panel: Panel, name: str) -> int:
    async with house_work(panel.store) as session:
        mine = sa.select(SignIn.membership_id).where(SignIn.user_id == panel.cast.user(name).id)
        return (await session.scalars(mine.order_by(SignIn.id.desc()).limit(1))).one()


async def test_bakerys_own_page_carries_its_brand_and_lets_bea_in(panel: Panel) -> None:
    async with house_work(panel.store) as session:
        bakery = await session.get_one(Tenant, panel.cast.tenant("Bakery").id)
        await set_brand(session, bakery, {"name": "Brot & Co", "hue": 20, "support": "+44 20 7946 0000"})
    bea = panel.stranger()
    page = await bea.open(await address(panel, "Bakery"))
    assert "Brot & Co" in words(page)
    assert 'href="tel:+442079460000"' in page.text
    assert re.search(r'rel="stylesheet" href="/brand/[0-9a-f]{16}\.css"', page.text)
    answer = await sign_in_at(bea, await address(panel, "Bakery"), "bea@bakery.example")
    assert (answer.status_code, answer.headers["location"]) == (303, "/home")


async def test_zoe_is_refused_there_in_the_words_of_a_wrong_password(panel: Panel) -> None:
    path, browser = await address(panel, "Bakery"), panel.stranger()
    elsewhere = await sign_in_at(browser, path, "zoe@zoo.example")
    wrong = await sign_in_at(browser, path, "zoe@zoo.example", "not her password")
    assert (elsewhere.status_code, wrong.status_code) == (422, 422)
    assert REFUSED in words(elsewhere)
    assert plain(elsewhere.text) == plain(wrong.text)
    assert browser.secret is None
    assert browser.page is not None
    browser.page = elsewhere
    assert browser.hidden("layer") == path.removeprefix("/sign-in/")


async def test_who_stands_above_is_not_of_that_layer_but_may_use_their_own(panel: Panel) -> None:
    olaf = panel.stranger()
    assert (await sign_in_at(olaf, await address(panel, "Bakery"), "olaf@oak.example")).status_code == 422
    assert (await sign_in_at(olaf, await address(panel, "Oak"), "olaf@oak.example")).status_code == 303
    assert (await sign_in_at(panel.stranger(), await address(panel, "Oak"), "bea@bakery.example")).status_code == 303


async def test_the_profile_chosen_is_one_of_that_layer(panel: Panel) -> None:
    ben = panel.stranger()
    assert (await sign_in_at(ben, await address(panel, "Clinic"), "ben@bakery.example")).status_code == 303
    assert await profile(panel, "Ben") == panel.cast.membership_id("Ben", at="Clinic")
    ben = panel.stranger()
    assert (await sign_in_at(ben, await address(panel, "Bakery"), "ben@bakery.example")).status_code == 303
    assert await profile(panel, "Ben") == panel.cast.membership_id("Ben", at="Bakery")


async def test_any_other_name_shows_the_house_page_to_the_letter(panel: Panel) -> None:
    suspended, olaf = panel.cast.tenant("Clinic").id, panel.cast.actor("Olaf")
    clinic = await address(panel, "Clinic")
    zoo = (await address(panel, "Zoo")).rpartition(".")[2]
    async with work_as(panel.store, olaf) as session:
        tenant = await session.get_one(Tenant, suspended)
        await tenant.suspend(session, olaf, Scope.ALL, "An open bill", panel.clock.now)
    stranger = panel.stranger()
    house = plain((await stranger.open("/sign-in")).text)
    for name in (
        "nobody",
        f"nobody.{zoo}",
        "zoo.999999",
        "zoo.",
        ".",
        "zoo.x",
        "x" * 300,
        "Ω",
        clinic[len("/sign-in/") :],
    ):
        page = await stranger.open(f"/sign-in/{name}")
        assert page.status_code == 200, name
        assert plain(page.text) == house, name


async def test_a_discarded_tenants_page_is_the_house_page(panel: Panel) -> None:
    path, olaf = await address(panel, "Bakery"), panel.cast.actor("Olaf")
    async with work_as(panel.store, olaf) as session:
        bakery = await session.get_one(Tenant, panel.cast.tenant("Bakery").id)
        await bakery.discard(session, olaf, panel.clock.now)
    stranger = panel.stranger()
    house = plain((await stranger.open("/sign-in")).text)
    assert plain((await stranger.open(path)).text) == house
    assert plain((await stranger.open("/sign-in/bakery")).text) == house


async def test_a_short_name_alone_works_while_it_is_the_only_one(panel: Panel) -> None:
    browser = panel.stranger()
    assert (await sign_in_at(browser, "/sign-in/bakery", "zoe@zoo.example")).status_code == 422
    assert (await sign_in_at(browser, "/sign-in/bakery", "bea@bakery.example")).status_code == 303
    async with house_work(panel.store) as session:
        elm = await session.get_one(Tenant, panel.cast.tenant("Elm").id)
        await Tenant.found(session, elm, Kind.CUSTOMER, "Bakery", None, panel.clock.now)
    stranger = panel.stranger()
    house = plain((await stranger.open("/sign-in")).text)
    assert plain((await stranger.open("/sign-in/bakery")).text) == house
    await stranger.open(await address(panel, "Bakery"))
    assert stranger.hidden("layer") == f"bakery.{panel.cast.tenant('Bakery').id}"


async def test_the_second_step_is_held_to_the_layer_too(panel: Panel) -> None:
    pia = await panel.visit("Pia", "/account")
    key, _ = await set_up_app(pia)
    browser = panel.stranger()
    assert (await sign_in_at(browser, await address(panel, "Oak"), "pia@pine.example")).status_code == 422
    led = await sign_in_at(browser, await address(panel, "Pine"), "pia@pine.example", wanted="/users")
    assert led.headers["location"].startswith("/sign-in/second-factor")
    await browser.follow(led)
    answer = await browser.send("/sign-in/second-factor", {"code": another_code(panel, key), "next": "/users"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/users")


async def test_a_login_to_an_app_goes_on_from_there(panel: Panel) -> None:
    wanted = "/oauth/authorize?client_id=softphone&scope=openid"
    bea = panel.stranger()
    answer = await sign_in_at(bea, await address(panel, "Bakery"), "bea@bakery.example", wanted=wanted)
    assert answer.headers["location"] == wanted


async def test_who_is_signed_in_goes_on_unless_they_are_of_another_place(panel: Panel) -> None:
    path = await address(panel, "Bakery")
    bea = await panel.visit("Bea", "/home")
    assert (await bea.open(path)).headers["location"] == "/home"
    zoe = await panel.visit("Zoe", "/home")
    assert (await zoe.open(path)).status_code == 200
    assert (await zoe.open("/sign-in/nobody")).headers["location"] == "/home"


async def test_the_branding_page_gives_the_address_and_nothing_of_those_above(panel: Panel) -> None:
    boris = await panel.visit("Boris", f"/companies/{panel.cast.tenant('Bakery').id}/branding")
    path = await address(panel, "Bakery")
    assert f'href="http://localhost:8000{path}"' in boris.shown.text
    assert "oak" not in path
    assert "north" not in path


async def test_a_passkey_is_held_to_the_layer_too(panel: Panel) -> None:
    pia, device = await panel.visit("Pia", "/account"), Device()
    await add_passkey(pia, device)
    for place, status in (("Oak", 422), ("Pine", 303)):
        browser = panel.stranger()
        await browser.open(await address(panel, place))
        credential = device.get(options_of(browser, "/sign-in/passkey"))
        said = {"credential": credential, "layer": browser.hidden("layer")}
        assert (await browser.send("/sign-in/passkey", said)).status_code == status
