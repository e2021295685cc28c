"""Somebody's second factors in a story: an authenticator app, a passkey, recovery codes."""

import re
from datetime import datetime
from html import unescape

from passlib.totp import TOTP

from control.cast import PASSWORD
from tests.authenticator import Device
from tests.control.pages.visit import Panel, Visit, words

OWN = "/account/second-factor"


def code_of(key: str, now: datetime) -> str:
    """What the app shows at this moment."""
    return str(TOTP(key=key, format="base32").generate(time=int(now.timestamp())).token)


async def set_up_app(visit: Visit) -> tuple[str, list[str]]:
    """Somebody signed in sets up an authenticator app; returns its key and the recovery codes."""
    await visit.open(OWN)
    await visit.follow(await visit.send(f"{OWN}/app"))
    shown = re.search(r'id="totp-key" readonly value="([^"]+)"', visit.shown.text)
    assert shown is not None, words(visit.shown)
    key = shown[1].replace(" ", "")
    answer = await visit.send(f"{OWN}/app/confirm", {"code": code_of(key, visit.panel.clock.now)})
    assert answer.status_code in {200, 303}, words(answer)
    return key, re.findall(r'<code class="mono">([^<]+)</code>', answer.text)


def options_of(visit: Visit, action: str) -> str:
    """What a page asks the browser for, at the form with this action."""
    found = re.search(rf'action="{action}" data-passkey="\w+" data-options="([^"]+)"', visit.shown.text)
    assert found is not None, words(visit.shown)
    return unescape(found[1])


async def add_passkey(visit: Visit, device: Device, name: str = "Laptop") -> None:
    """Somebody signed in adds a passkey."""
    await visit.open("/account/passkeys")
    credential = device.create(options_of(visit, "/account/passkeys"))
    answer = await visit.send("/account/passkeys", {"credential": credential, "name": name})
    assert answer.status_code in {200, 303}, words(answer)


async def half_way(panel: Panel, email: str, wanted: str = "") -> Visit:
    """Somebody's browser after the right password, at the second step."""
    browser = panel.stranger()
    answer = await browser.sign_in(email, PASSWORD, wanted)
    assert answer.headers["location"].startswith("/sign-in/second-factor"), answer.headers
    await browser.follow(answer)
    return browser


def another_code(panel: Panel, key: str) -> str:
    """A code of a later half-minute: time goes by."""
    return code_of(key, panel.clock.pass_(seconds=60))
