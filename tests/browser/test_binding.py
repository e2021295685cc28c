"""The main job, as people do it: bind an extension, log in to an app as its user, release it, be oneself again."""

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Opening
from tests.browser.person import expect_seen
from tests.cast import Cast

pytestmark = pytest.mark.browser


async def test_pia_binds_to_dan_and_is_dan_at_the_softphone(somebody: Opening) -> None:
    pia = await somebody("Pia")
    await pia.sign_in()
    await pia.bind("Dairy PBX", "101")
    await expect(pia.bar(pia.panel)).to_contain_text("Your app logins open as Dan Dale, ext 101 at Dairy")

    softphone = await pia.log_in("softphone")
    await expect_seen(softphone, name="Dan Dale", extension="101", tenant="Dairy", acting="Pia Pine")


async def test_after_the_release_pia_is_herself_again(somebody: Opening) -> None:
    pia = await somebody("Pia")
    await pia.sign_in()
    await pia.bind("Dairy PBX", "101")
    softphone = await pia.log_in("softphone")
    await expect_seen(softphone, name="Dan Dale", extension="101", tenant="Dairy", acting="Pia Pine")

    await pia.release()
    await pia.look_at("softphone")
    await expect(softphone.locator("#signed-out")).to_be_visible()
    await pia.log_in("softphone")
    await expect_seen(softphone, name="Pia Pine", extension="100", tenant="Pine")


async def test_a_login_begun_at_the_app_comes_back_to_it(somebody: Opening) -> None:
    pia = await somebody("Pia")
    softphone = await pia.log_in("softphone")
    await pia.sign_in(softphone)
    await expect_seen(softphone, name="Pia Pine", extension="100", tenant="Pine")


async def test_desk_admin_opens_for_olaf_bound_to_bea(somebody: Opening) -> None:
    olaf = await somebody("Olaf")
    await olaf.sign_in()
    await olaf.bind("Bakery PBX", "201")
    desk_admin = await olaf.log_in("desk-admin")
    await expect_seen(desk_admin, name="Bea Bell", extension="201", tenant="Bakery", acting="Olaf Olsen")
    await expect(desk_admin.locator("#app-admin")).to_have_text("yes")


async def test_desk_admin_names_bea_to_olaf_bound_to_ben_and_leads_on(somebody: Opening) -> None:
    olaf = await somebody("Olaf")
    await olaf.sign_in()
    await olaf.bind("Bakery PBX", "202")
    page = await olaf.log_in("desk-admin")
    notice = page.locator("[data-notice=not_admin]")
    await expect(notice).to_contain_text("Ben Bond at Bakery is not one of them")
    await expect(notice).to_contain_text("Bea Bell, extension 201")

    await notice.get_by_role("link", name="Continue in Desk Client").click()
    await page.wait_for_url(f"{olaf.demo.app('desk-client')}/**")
    await expect_seen(page, name="Ben Bond", extension="202", tenant="Bakery", acting="Olaf Olsen")


async def test_elsa_meets_layer_at_zoe(somebody: Opening) -> None:
    elsa = await somebody("Elsa")
    await elsa.sign_in()
    await elsa.open_own_bindings()
    await elsa.choose("Zoo PBX", "201")
    async with elsa.panel.expect_response(lambda answer: answer.request.method == "POST") as refused:
        await elsa.panel.get_by_role("button", name="Save").click()
    assert (await refused.value).status == 403
    await expect(elsa.panel.get_by_role("alert")).to_contain_text("Zoo")
    await expect(elsa.panel.get_by_role("button", name="Create my profile in Zoo")).to_be_visible()
    await expect(elsa.bar(elsa.panel)).to_have_count(0)


async def test_a_neighbours_extension_does_not_exist_for_olaf(somebody: Opening, cast: Cast) -> None:
    zoes = f"/extensions/{cast.extension('Zoo', '201').id}"
    olaf, elsa = await somebody("Olaf"), await somebody("Elsa")
    await olaf.sign_in()
    await elsa.sign_in()

    pages = []
    for address in (zoes, "/extensions/999999999", "/nowhere"):
        answer = await olaf.panel.goto(address)
        assert answer is not None
        assert answer.status == 404
        words = await olaf.panel.get_by_role("main").inner_text()
        pages.append(words.partition("Request number")[0])
    assert pages[0] == pages[1] == pages[2]
    assert "Zoe" not in pages[0]

    answer = await elsa.panel.goto(zoes)
    assert answer is not None
    assert answer.status == 200
    await expect(elsa.panel.get_by_role("main")).to_contain_text("Zoe Zeller")


async def test_one_browser_does_not_see_the_others_binding(somebody: Opening) -> None:
    pia, paul = await somebody("Pia"), await somebody("Paul")
    await pia.sign_in()
    await pia.bind("Dairy PBX", "101")
    await paul.sign_in()
    await expect(paul.bar(paul.panel)).to_have_count(0)
    await paul.panel.goto("/bindings")
    await expect(paul.panel.get_by_role("main")).to_contain_text("Dan Dale")
