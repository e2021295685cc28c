"""A passkey and an authenticator app, from the first to the last, in a real browser with a device of its own."""

import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from passlib.totp import TOTP
from playwright.async_api import Page, expect

from control.cast import PASSWORD
from tests.browser.conftest import Opening
from tests.browser.looking import faults, overflow, photograph
from tests.browser.person import Person

pytestmark = pytest.mark.browser

Check = Callable[[Page, str], Awaitable[None]]
DEVICE = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@pytest.fixture
def expect_usable(screenshots: Path | None) -> Check:
    """Takes pictures and asks axe."""

    async def check(page: Page, name: str) -> None:
        await photograph(page, screenshots, name)
        assert await faults(page) == []
        assert await overflow(page) <= 0

    return check


async def sign_out(cora: Person) -> None:
    await cora.context.clear_cookies()


async def with_a_device(cora: Person) -> None:
    """Her machine keeps passkeys and knows that it is her. It says yes to everything: nothing is offered unasked."""
    await cora.context.add_init_script("PublicKeyCredential.isConditionalMediationAvailable = async () => false")
    machine = await cora.context.new_cdp_session(cora.panel)
    await machine.send("WebAuthn.enable", {"enableUI": False})
    await machine.send("WebAuthn.addVirtualAuthenticator", {"options": DEVICE})


async def test_cora_uses_a_passkey_and_an_app_and_loses_both(somebody: Opening, expect_usable: Check) -> None:
    cora = await somebody("Cora")
    await with_a_device(cora)
    page = cora.panel
    await cora.sign_in()
    await page.goto("/account")
    await page.get_by_role("link", name="Second factor").click()
    await expect_usable(page, "second factor none")
    await page.get_by_role("link", name="Add or remove passkeys").click()
    await page.get_by_label("Name").fill("Clinic desk")
    await expect_usable(page, "passkey new")
    await page.get_by_role("button", name="Add a passkey").click()
    await expect(page.get_by_role("heading", name="Ten codes, each good once")).to_be_visible()
    await expect_usable(page, "recovery codes")
    await page.get_by_role("link", name="I have kept them").click()
    await expect(page.get_by_label("Name of the passkey Clinic desk")).to_be_visible()
    await expect_usable(page, "passkeys one")
    await signs_in_by_passkey(cora)
    key = await sets_up_an_app(cora, expect_usable)
    await sign_out(cora)
    await signs_in_by_code(cora, key, expect_usable)
    await looks_at_removing(cora, expect_usable)
    clara = await somebody("Clara")
    await lets_her_back_in(clara, cora, expect_usable)
    await is_asked_to_set_up_another(cora)


async def signs_in_by_passkey(cora: Person) -> None:
    page = cora.panel
    await sign_out(cora)
    await page.goto("/sign-in")
    await page.get_by_role("button", name="Sign in with a passkey").click()
    await page.wait_for_url("**/home")
    await expect(page.get_by_text(f"{cora.name} at Clinic")).to_be_visible()


async def sets_up_an_app(cora: Person, expect_usable: Check) -> str:
    page = cora.panel
    await page.goto("/account/second-factor")
    await page.get_by_role("button", name="Set up an authenticator app").click()
    key = (await page.get_by_label("Key", exact=True).input_value()).replace(" ", "")
    await expect_usable(page, "authenticator app")
    await page.get_by_role("textbox", name="Code").fill(code(key))
    await page.get_by_role("button", name="Turn it on").click()
    await expect(page.get_by_role("link", name="Remove the authenticator app")).to_be_visible()
    await expect_usable(page, "second factor")
    return key


def code(key: str, later: int = 0) -> str:
    """What the app shows, or will show in a moment: a code is taken once."""
    return str(TOTP(key=key, format="base32").generate(time=int(time.time()) + later).token)


async def signs_in_by_code(cora: Person, key: str, expect_usable: Check) -> None:
    page = cora.panel
    await page.goto("/sign-in?other=1")
    await page.locator("[name=email]").fill(cora.email)
    await page.locator("[name=password]").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await expect(page.get_by_role("heading", name="One more step")).to_be_visible()
    await expect_usable(page, "second step")
    await page.get_by_role("textbox", name="Code").fill(code(key, 30))
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await page.wait_for_url("**/home")


async def looks_at_removing(cora: Person, expect_usable: Check) -> None:
    page = cora.panel
    await page.goto("/account/second-factor/app/remove")
    await expect_usable(page, "remove the app")
    await page.goto("/account/passkeys")
    await page.get_by_role("link", name="Remove the passkey Clinic desk").click()
    await expect(page.get_by_role("heading", name="Remove the passkey Clinic desk?")).to_be_visible()
    await expect_usable(page, "remove a passkey")


async def lets_her_back_in(clara: Person, cora: Person, expect_usable: Check) -> None:
    """Cora lost phone and laptop, and called. Clara knows her voice."""
    page = clara.panel
    await clara.sign_in()
    await page.goto("/users?q=cora")
    await page.get_by_role("link", name=cora.name).first.click()
    await page.get_by_role("link", name="Security", exact=True).click()
    await expect_usable(page, "user security on")
    await page.get_by_role("link", name="Disable 2FA").click()
    await expect(page.get_by_role("heading", name=f"Disable the second factors of {cora.name}?")).to_be_visible()
    await expect_usable(page, "disable 2FA")
    await page.get_by_label("I checked who is asking by another way than e-mail.").check()
    await page.get_by_label("How you checked").fill("She called, I know her voice")
    await page.get_by_label("Their address, typed").fill(cora.email)
    await page.get_by_role("button", name="Disable 2FA").click()
    await expect(page.get_by_text("the next sign-in asks to set up new ones")).to_be_visible()


async def is_asked_to_set_up_another(cora: Person) -> None:
    page = cora.panel
    await page.goto("/account")
    assert "/sign-in" in page.url, "she is signed out everywhere"
    await cora.sign_in()
    await expect(page.get_by_text("Your second factors were taken away")).to_be_visible()
    await page.get_by_role("button", name="Not now").click()
    await page.wait_for_url("**/home")
