"""The demo's mailbox shows the letters of its folder, to its own origin alone, and runs nothing that they hold."""

from collections.abc import AsyncIterator
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Any

import httpx
import pytest
from litestar import Litestar, get

from demo.mailbox import NEWEST, by_host, make_mailbox

MAILBOX = "http://mailbox.localhost:8001"
LINK = "http://localhost:8000/join/abc-def_1"
NAME = "20261121-090000-7"


def keep(folder: Path, name: str = NAME, subject: str = "Olaf invites you", plain: str = "", html: str = "") -> None:
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"] = "Oak Telecom <no-reply@localhost>", "Nina New <new@bakery.example>"
    message["Subject"], message["Date"] = subject, "Sat, 21 Nov 2026 09:00:00 +0000"
    message.set_content(plain or f"Accept the invitation:\n{LINK}\n")
    message.add_alternative(
        html or f'<html><head></head><body><a href="{LINK}">Accept</a></body></html>', subtype="html"
    )
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.eml").write_bytes(bytes(message))


@get("/")
async def an_app() -> str:
    return "an app"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "letters"


@pytest.fixture
async def browser(folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    served: Any = by_host({"mailbox.localhost:8001": make_mailbox(folder)}, Litestar([an_app], openapi_config=None))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(served), base_url=MAILBOX) as client:
        yield client


async def test_before_the_first_letter_it_says_so(browser: httpx.AsyncClient) -> None:
    assert 'id="no-letters"' in (await browser.get("/")).text


async def test_the_newest_letter_comes_first(browser: httpx.AsyncClient, folder: Path) -> None:
    keep(folder, "20261121-090000-9", subject="earlier")
    keep(folder, "20261121-090000-10", subject="later")
    keep(folder, "20261120-235959-11", subject="the day before")
    page = (await browser.get("/")).text
    assert page.index("later") < page.index("earlier") < page.index("the day before")
    assert "Nina New &lt;new@bakery.example&gt;" in page


async def test_a_letter_is_read_and_its_link_opens_the_panel(browser: httpx.AsyncClient, folder: Path) -> None:
    keep(folder)
    page = (await browser.get(f"/letters/{NAME}")).text
    assert '<h1 id="subject">Olaf invites you</h1>' in page
    assert f'<a href="{LINK}" rel="noopener noreferrer">{LINK}</a>' in page
    assert f'src="/letters/{NAME}/html" sandbox="allow-top-navigation-by-user-activation"' in page


async def test_the_html_runs_nothing_and_its_links_take_the_window_along(
    browser: httpx.AsyncClient, folder: Path
) -> None:
    keep(folder, html="<html><head></head><body><script>alert(1)</script><img src=x></body></html>")
    answer = await browser.get(f"/letters/{NAME}/html")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("sandbox allow-top-navigation-by-user-activation; default-src 'none';")
    assert "allow-scripts" not in policy
    assert "frame-ancestors 'self'" in policy
    assert '<base target="_top">' in answer.text


async def test_what_a_letter_holds_is_text_on_the_page(browser: httpx.AsyncClient, folder: Path) -> None:
    keep(folder, subject="<script>alert(1)</script>", plain="<img src=x onerror=alert(1)>\njavascript:alert(1)\n")
    for path in ("/", f"/letters/{NAME}"):
        page = (await browser.get(path)).text
        assert "<script" not in page
        assert "<img src=x" not in page
        assert 'href="javascript:' not in page


@pytest.mark.parametrize(
    "name", ["20261121-090000-8", "..%2f..%2fsecret.key", "secret", "20261121-090000-7.eml", "%2e%2e", "a" * 5000]
)
async def test_nothing_but_letters_is_opened(browser: httpx.AsyncClient, folder: Path, name: str) -> None:
    keep(folder)
    (folder.parent / "secret.key").write_text("secret")
    (folder / "secret.eml").write_text("Subject: secret\n\nsecret")
    for path in (f"/letters/{name}", f"/letters/{name}/html"):
        answer = await browser.get(path)
        assert answer.status_code == 404
        assert "secret.key" not in answer.text


async def test_a_folder_of_thousands_shows_the_newest(browser: httpx.AsyncClient, folder: Path) -> None:
    for number in range(NEWEST + 5):
        keep(folder, f"20261121-090000-{number}")
    assert (await browser.get("/")).text.count('<a href="/letters/') == NEWEST


@pytest.mark.parametrize("host", ["softphone.localhost:8001", "localhost:8001", "evil.example"])
async def test_only_its_own_name_shows_letters(browser: httpx.AsyncClient, host: str) -> None:
    assert (await browser.get("/", headers={"Host": host})).text == "an app"


async def test_every_answer_is_strict_and_not_kept(browser: httpx.AsyncClient, folder: Path) -> None:
    keep(folder)
    for path in ("/", f"/letters/{NAME}", "/letters/none", "/icon.svg"):
        headers = (await browser.get(path)).headers
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["cache-control"] == "no-store"
