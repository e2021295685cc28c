"""examples/smallest-app, as somebody starts it from its README, with Pia bound to Dan before it."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest

from tenants.store import Store
from tests.cast import Cast
from tests.postgres import reserved_port
from tests.relying_parties.browser import Browser
from tests.relying_parties.conftest import Bound
from tests.relying_parties.registering import register

APP = Path(__file__).resolve().parents[2] / "examples" / "smallest-app" / "app.py"
PATIENCE = 30.0
"""Seconds until it has been told of a logout."""


@dataclass(frozen=True)
class Smallest:
    """The app, listening."""

    address: str
    issuer: str

    def read(self, browser: Browser) -> str:
        """What its page says."""
        page = browser.http.get(self.address)
        assert page.status_code == 200, page.text
        return " ".join(unescape(re.sub(r"<[^>]+>", " ", page.text)).split())

    def log_in(self, browser: Browser) -> str:
        """Log in; what its page says then."""
        onward = browser.go(f"{self.address}/login", f"{self.address}/callback")
        assert browser.http.get(onward).headers.get("location") == "/"
        return self.read(browser)

    def until_nobody_is_logged_in(self, browser: Browser) -> None:
        """By the panel's word: its own question is not waited for."""
        deadline = time.monotonic() + PATIENCE
        while "Nobody is logged in." not in self.read(browser):
            assert time.monotonic() < deadline, "the app does not learn that the login is over"
            time.sleep(0.1)


@pytest.fixture
def backend() -> str:
    """One database is enough: the protocol is told on both elsewhere."""
    return "sqlite"


@pytest.fixture
async def secret(store: Store, cast: Cast, address: str) -> str:
    return await register(
        store,
        cast,
        "smallest-app",
        callback=f"{address}/callback",
        after_logout=f"{address}/",
        backchannel=f"{address}/backchannel-logout",
    )


@pytest.fixture
def address() -> Iterator[str]:
    with reserved_port() as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def smallest(issuer: str, address: str, secret: str) -> Iterator[Smallest]:
    """The app as a program of its own, that goes with the test."""
    told = {"PANEL": issuer, "ADDRESS": address, "CLIENT_SECRET": secret, "PATH": os.environ["PATH"]}
    with subprocess.Popen([sys.executable, str(APP)], env=told, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == f"ready {address}\n"
            yield Smallest(address, issuer)
        finally:
            child.terminate()
            child.wait(PATIENCE)


async def test_it_says_whom_it_sees_and_who_acts(smallest: Smallest, bound: Bound, pias_browser: Browser) -> None:
    assert "Nobody is logged in." in smallest.read(pias_browser)
    said = smallest.log_in(pias_browser)
    assert "You are seen as Dan Dale , extension 101 at Dairy." in said
    assert "Really acting: Pia Pine ." in said


async def test_released_pia_is_out_and_then_herself(smallest: Smallest, bound: Bound, pias_browser: Browser) -> None:
    smallest.log_in(pias_browser)
    await bound.release()
    smallest.until_nobody_is_logged_in(pias_browser)
    said = smallest.log_in(pias_browser)
    assert "You are seen as Pia Pine" in said
    assert "Really acting" not in said


async def test_logging_out_ends_the_login_at_the_panel_too(
    smallest: Smallest, bound: Bound, pias_browser: Browser
) -> None:
    smallest.log_in(pias_browser)
    answer = pias_browser.http.post(f"{smallest.address}/logout")
    assert answer.headers["location"].startswith(f"{smallest.issuer}/oauth/logout?")
    back = pias_browser.http.get(answer.headers["location"])
    assert back.headers["location"] == f"{smallest.address}/"
    assert "Nobody is logged in." in smallest.read(pias_browser)


async def test_what_is_no_logout_token_is_refused(smallest: Smallest, pias_browser: Browser) -> None:
    for token in ("", "made up", "a.b.c"):
        answer = pias_browser.http.post(f"{smallest.address}/backchannel-logout", data={"logout_token": token})
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_an_answer_of_another_browsers_login_is_refused(
    smallest: Smallest, bound: Bound, pias_browser: Browser
) -> None:
    onward = pias_browser.go(f"{smallest.address}/login", f"{smallest.address}/callback")
    async with httpx.AsyncClient(trust_env=False) as another:
        answer = await another.get(urljoin(smallest.address, onward))
    assert answer.status_code == 400
    assert "This login was not begun here." in answer.text
    assert "set-cookie" not in answer.headers
