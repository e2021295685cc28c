"""Apache's mod_auth_openidc in front of a page, with the configuration that docs/connect-behind-apache.md shows."""

import html
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tenants.store import Store
from tests.cast import Cast
from tests.postgres import quick_place, reserved_port
from tests.relying_parties.browser import Browser
from tests.relying_parties.conftest import Bound
from tests.relying_parties.registering import register

APACHE = shutil.which("apache2") or "/usr/sbin/apache2"
MODULES = Path("/usr/lib/apache2/modules")
PAGE = Path(__file__).resolve().parents[2] / "docs" / "connect-behind-apache.md"
PATIENCE = 30.0
"""Seconds until Apache listens, and until a logout has been told."""
LOADED = ("mpm_event", "authn_core", "authz_core", "authz_user", "mime", "include", "auth_openidc")

pytestmark = pytest.mark.skipif(
    not (Path(APACHE).exists() and (MODULES / "mod_auth_openidc.so").exists()),
    reason="needs Debian's apache2-bin and libapache2-mod-auth-openidc",
)

FRAME = """
ServerRoot "{folder}"
ServerName 127.0.0.1
PidFile "{folder}/apache.pid"
DefaultRuntimeDir "{folder}"
Mutex file:{folder}
TypesConfig /dev/null
ErrorLog "{folder}/error.log"
LogLevel warn auth_openidc:info
User nobody
Group nogroup
{modules}
Listen 127.0.0.1:{port}
DocumentRoot "{folder}/site"
<Directory "{folder}/site">
    Options +Includes
    <Files "*.html">
        ForceType text/html
        SetOutputFilter INCLUDES
    </Files>
</Directory>
{site}
"""
"""What every Debian has around a site: here without anything of the system's."""


def in_docs(kind: str) -> str:
    """The blocks of this kind on the page."""
    found = re.findall(rf"```{kind}\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert found, f"the page shows no {kind}"
    return "".join(found)


@dataclass(frozen=True)
class Site:
    """A site behind Apache, and where its log is."""

    address: str
    folder: Path

    @property
    def callback(self) -> str:
        return f"{self.address}/oidc/callback"

    def here(self, text: str, issuer: str, secret: str) -> str:
        """What the page says, with the addresses of this machine."""
        return (
            text.replace("https://panel.example", issuer)
            .replace("https://report.example", self.address)
            .replace("the-client-secret", secret)
        )

    def log(self) -> str:
        return (self.folder / "error.log").read_text("utf-8", "replace")


@pytest.fixture
def backend() -> str:
    """One database is enough: the protocol is told on both elsewhere."""
    return "sqlite"


@pytest.fixture
def site() -> Iterator[Site]:
    """A place for a site. Apache's own user has to read it, so it does not lie in a folder of the test's user."""
    with reserved_port() as port, tempfile.TemporaryDirectory(prefix="understudy-apache-", dir=quick_place()) as made:
        folder = Path(made)
        folder.chmod(0o777)
        (folder / "site").mkdir()
        yield Site(f"http://127.0.0.1:{port}", folder)


@pytest.fixture
async def secret(site: Site, store: Store, cast: Cast) -> str:
    """The site is registered as the page says."""
    return await register(
        store,
        cast,
        "report",
        callback=site.callback,
        after_logout=f"{site.address}/goodbye.html",
        backchannel=f"{site.callback}?logout=backchannel",
    )


@pytest.fixture
def running(issuer: str, site: Site, secret: str) -> Iterator[Site]:
    """Apache with the page's configuration, as a child that goes with the test."""
    pages = {"index.html": in_docs("html"), "goodbye.html": "<p>Goodbye.</p>\n", "personal.html": "<p>Mine.</p>\n"}
    for name, page in pages.items():
        file = site.folder / "site" / name
        file.write_text(site.here(page, issuer, secret))
        file.chmod(0o644)
    config = site.folder / "apache.conf"
    port = site.address.rpartition(":")[2]
    modules = "\n".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in LOADED)
    told = site.here(in_docs("apache"), issuer, secret)
    config.write_text(FRAME.format(folder=site.folder, port=port, modules=modules, site=told))
    with subprocess.Popen([APACHE, "-f", str(config), "-DFOREGROUND"], env={"PATH": os.environ["PATH"]}) as child:
        try:
            until_it_listens(child, site)
            yield site
        finally:
            child.terminate()
            child.wait(PATIENCE)


def until_it_listens(child: subprocess.Popen[bytes], site: Site) -> None:
    """Apache writes its number down once its port is open. A knock could be answered by the knocking socket itself."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        assert child.poll() is None, f"Apache does not start: {site.log()}"
        if (site.folder / "apache.pid").exists():
            return
        time.sleep(0.05)
    raise AssertionError(f"Apache does not listen: {site.log()}")


def open_page(browser: Browser, site: Site) -> httpx.Response:
    """The site's page, by way of the panel where Apache leads there."""
    address = f"{site.address}/index.html"
    onward = browser.http.get(address)
    if onward.is_redirect:
        answer = browser.http.get(browser.go(address, site.callback))
        assert answer.headers.get("location") == address, f"{answer.status_code}: {answer.text} {site.log()}"
        onward = browser.http.get(address)
    return onward


def shown(page: httpx.Response) -> dict[str, str]:
    """What the page shows of who it is, by the ids of its marks."""
    assert page.status_code == 200, page.text
    return {name: html.unescape(text) for name, text in re.findall(r'<b id="(\w+)">(.*?)</b>', page.text)}


def until_apache_asks_again(browser: Browser, site: Site) -> None:
    """The panel tells of a logout within seconds: from then on the page leads to a login."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if browser.http.get(f"{site.address}/index.html").is_redirect:
            return
        time.sleep(0.1)
    raise AssertionError(f"Apache was not told: {site.log()}")


async def test_a_page_behind_apache_sees_dan_and_that_pia_acts(
    running: Site, bound: Bound, cast: Cast, pias_browser: Browser
) -> None:
    seen = shown(open_page(pias_browser, running))
    assert (seen["name"], seen["user"]) == ("Dan Dale", str(cast.membership_id("Dan")))
    assert (seen["extension"], seen["app_admin"]) == ("101", "0"), "the report belongs to no product"
    assert json.loads(seen["act"]) == {"sub": str(cast.membership_id("Pia")), "name": "Pia Pine"}


async def test_nobody_reads_the_page_without_a_login(running: Site, issuer: str, pias_browser: Browser) -> None:
    answer = pias_browser.http.get(f"{running.address}/index.html")
    assert answer.status_code == 302
    assert answer.headers["location"].startswith(f"{issuer}/oauth/authorize?")
    assert "code_challenge_method=S256" in answer.headers["location"]


async def test_headers_of_the_browser_say_nothing(running: Site, bound: Bound, pias_browser: Browser) -> None:
    open_page(pias_browser, running)
    forged = {"OIDC_CLAIM_name": "Ada Acme", "OIDC-CLAIM-name": "Ada Acme", "Remote-User": "1"}
    page = pias_browser.http.get(f"{running.address}/index.html", headers=forged)
    assert shown(page)["name"] == "Dan Dale"


async def test_released_pia_is_herself_at_the_next_page(running: Site, bound: Bound, pias_browser: Browser) -> None:
    assert shown(open_page(pias_browser, running))["name"] == "Dan Dale"
    await bound.release()
    until_apache_asks_again(pias_browser, running)
    seen = shown(open_page(pias_browser, running))
    assert seen["name"] == "Pia Pine"
    assert "act" not in seen


async def test_logging_out_at_the_site_ends_the_login_there_too(
    running: Site, issuer: str, bound: Bound, store: Store, pias_browser: Browser
) -> None:
    open_page(pias_browser, running)
    leave = html.unescape(
        re.findall(r'<a href="(.*?)"', pias_browser.http.get(f"{running.address}/index.html").text)[0]
    )
    answer = pias_browser.http.get(running.address + leave)
    assert answer.headers["location"].startswith(f"{issuer}/oauth/logout?")
    answer = pias_browser.http.get(answer.headers["location"])
    assert answer.headers["location"].startswith(f"{running.address}/goodbye.html")
    assert pias_browser.http.get(answer.headers["location"]).text == "<p>Goodbye.</p>\n"
    assert pias_browser.http.get(f"{running.address}/index.html").is_redirect


async def test_a_page_for_the_person_alone_is_closed_to_who_stands_in(
    running: Site, bound: Bound, pias_browser: Browser
) -> None:
    def status() -> int:
        return pias_browser.http.get(f"{running.address}/personal.html").status_code

    open_page(pias_browser, running)
    assert status() == 401
    await bound.release()
    until_apache_asks_again(pias_browser, running)
    open_page(pias_browser, running)
    assert status() == 200
