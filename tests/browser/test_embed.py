"""The banner in an app of somebody else's, whose page does its best to hide it; as the documentation has it pasted."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from playwright.async_api import Browser, Frame, Page, expect

from tests.browser.demo_process import Demo
from tests.browser.foreign import Foreign, serving, state
from tests.cast import Cast

pytestmark = pytest.mark.browser

HOSTILE = """
*, *::before { box-sizing: content-box }
header { position: fixed; inset: 0 0 auto 0; height: 60px; z-index: 2147483000; background: navy; color: white }
button, a, p, div, b { all: unset !important; display: none !important }
acting-banner, acting-banner * { display: none !important; visibility: hidden !important; opacity: 0 !important }
body { position: relative; z-index: 0; opacity: .99; overflow: hidden }
dialog { width: 300px; transform: rotate(0deg); overflow: hidden }
"""
STRICT = (
    "default-src 'none'; script-src 'self' {panel}; style-src 'self'; connect-src 'self' {panel}; base-uri 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)


@pytest.fixture(scope="module")
async def foreign(demo: Demo, cast: Cast) -> AsyncIterator[Foreign]:
    """The app, known to the panel."""
    with serving(demo, cast) as app:
        await app.register()
        app.serve("/hostile.css", HOSTILE, kind="text/css")
        yield app
        await app.leave()


@pytest.fixture
async def tab(chromium: Browser, demo: Demo) -> AsyncIterator[Page]:
    """A tab of a browser that knows nothing yet."""
    context = await chromium.new_context(base_url=demo.panel, viewport={"width": 1200, "height": 700})
    context.set_default_timeout(15_000)
    yield await context.new_page()
    await context.close()


def strict(foreign: Foreign) -> str:
    """The policy of an app that trusts the panel and nobody else."""
    return STRICT.format(panel=foreign.demo.panel)


def page_with(head: str, body: str = "") -> str:
    """A page whose own style does what it can against the banner."""
    return (
        f'<!doctype html><title>Calls</title><link rel="stylesheet" href="/hostile.css">{head}'
        f"<header>Webclient</header><main><h1>Calls</h1><button>App button</button>{body}</main>"
    )


async def words(page: Page, frame: Frame | None = None) -> str:
    """What somebody hears who has the page read out: the banner's insides are closed to scripts."""
    session = await page.context.new_cdp_session(frame or page)
    nodes = (await session.send("Accessibility.getFullAXTree"))["nodes"]
    await session.detach()
    spoken = (node for node in nodes if not node["ignored"] and node["role"]["value"] == "StaticText")
    return " ".join("".join(str(node["name"]["value"]) for node in spoken).split())


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(15):
        while not await holds():  # noqa: ASYNC110 - what is waited for is another program
            await asyncio.sleep(0.05)


async def hears(page: Page, *parts: str, frame: Frame | None = None) -> None:
    """Wait until the page says all of this."""

    async def said() -> bool:
        heard = await words(page, frame)
        return all(part in heard for part in parts)

    await until(said)


async def on_top(page: Page) -> bool:
    """Whether the banner is what one sees and presses, from its left to its right end."""
    found = await page.evaluate(
        "[[20, 12], [600, 12], [1150, 20]].map(([x, y]) => document.elementFromPoint(x, y)?.localName)"
    )
    return bool(found == ["acting-banner"] * 3)


async def press_stop(page: Page) -> None:
    """At the right end of the banner."""
    await page.mouse.click(1150, 20)


async def seen(foreign: Foreign) -> bool:
    """The panel knows that the banner was shown."""
    return (await foreign.row()).banner_at is not None


async def test_the_script_shows_the_banner_on_a_page_that_hides_it(foreign: Foreign, tab: Page) -> None:
    await foreign.open_as("Pia", "Dan")
    dialog = "<dialog id=box><p>Sure?</p></dialog>"
    address = foreign.serve("/level-1", page_with(foreign.documented(0), dialog), policy=strict(foreign))
    complaints: list[str] = []
    tab.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    await tab.goto(address)
    await hears(
        tab, "Pia Pine is signed in as Dan Dale. What is done here is recorded under both names.", " left", "Stop"
    )
    assert await on_top(tab)
    assert await tab.title() == "(as Dan Dale) Calls"
    # The app's fixed header moved below it, and the height is told.
    height = await tab.evaluate("parseFloat(getComputedStyle(document.documentElement).getPropertyValue('--acting-h'))")
    assert height > 30
    assert await tab.evaluate("document.querySelector('header').getBoundingClientRect().top") == height
    await until(lambda: seen(foreign))

    # A modal dialog makes everything outside it inert: the banner moves into it, and back.
    await tab.evaluate("document.querySelector('#box').showModal()")
    await until(lambda: on_top(tab))
    assert await tab.evaluate("document.querySelector('acting-banner').parentNode.id") == "box"
    await tab.evaluate("document.querySelector('#box').close()")
    assert await tab.evaluate("document.querySelector('acting-banner').parentNode.localName") == "body"
    assert await on_top(tab)

    # Another popover opens later, the element is taken away: it is on top again.
    await tab.evaluate(
        "document.body.append(Object.assign(document.createElement('section'), {popover: 'manual', id: 'pop'}));"
        "document.querySelector('#pop').showPopover(); document.querySelector('acting-banner').remove()"
    )
    await until(lambda: on_top(tab))
    assert [each for each in complaints if "status of 40" not in each] == []

    # Stop leads the tab to the panel, which asks.
    await press_stop(tab)
    await expect(tab.get_by_role("heading", name="Stop impersonating Dan Dale?")).to_be_visible()
    assert (await foreign.row()).ended_at is None
    await tab.get_by_role("button", name="Stop impersonating").click()
    await expect(tab.get_by_role("heading", name="This impersonation has ended")).to_be_visible()
    assert (await foreign.row()).ended_cause == "stopped"


async def test_with_a_token_of_the_tab_stop_is_one_press_and_a_copied_tab_is_refused(
    foreign: Foreign, tab: Page
) -> None:
    token = await foreign.open_as("Pia", "Dan")
    keep = foreign.serve("/keep", "<!doctype html><title>keeps the token</title>")
    address = foreign.serve("/token", page_with(foreign.documented(1)), policy=strict(foreign))
    await tab.goto(keep)
    await tab.evaluate("token => sessionStorage.setItem('access_token', token)", token)
    await tab.goto(address)
    await hears(tab, "Pia Pine is signed in as Dan Dale")
    await until(lambda: seen(foreign))
    first = (await foreign.row()).document

    # Loaded again: goodbye and welcome, under another name.
    await tab.reload()
    await hears(tab, "Pia Pine is signed in as Dan Dale")

    async def renamed() -> bool:
        row = await foreign.row()
        return row.document not in {None, first} and row.goodbye_at is None

    await until(renamed)

    copy = await tab.context.new_page()
    await copy.clock.install()
    await copy.goto(keep)
    await copy.evaluate("token => sessionStorage.setItem('access_token', token)", token)
    await copy.goto(address)
    for _ in range(6):
        async with copy.expect_response("**/oauth/acting", timeout=5000):
            await copy.clock.run_for(2000)
        if "This tab is a copy" in await words(copy):
            break
    await hears(copy, "This tab is a copy. Go on in the first one.")
    await copy.close()

    await press_stop(tab)
    await hears(tab, "Stopped. You can close this tab.")
    assert await tab.title() == "Calls"
    row = await foreign.row()
    assert row.ended_cause == "stopped"


async def test_when_it_ends_elsewhere_the_banner_says_so(foreign: Foreign, tab: Page) -> None:
    await foreign.open_as("Pia", "Dan")
    await tab.goto(foreign.serve("/level-1", page_with(foreign.documented(0)), policy=strict(foreign)))
    await hears(tab, "Pia Pine is signed in as Dan Dale")
    before = foreign.token
    await foreign.open_as("Pia", "Dina")
    foreign.token = before
    await tab.evaluate("document.querySelector('acting-banner').ask()")
    await hears(tab, "This has ended. Nothing more is done under this name.")
    assert await tab.title() == "Calls"
    assert await on_top(tab)


async def test_the_frame_shows_it_where_no_script_may_run(foreign: Foreign, tab: Page) -> None:
    await foreign.open_as("Pia", "Dan")
    address = foreign.serve("/level-2", framed(foreign), policy=no_scripts(foreign))
    await tab.goto(address)
    frame = await banner_frame(tab)
    await hears(tab, "Pia Pine is signed in as Dan Dale", " left", frame=frame)
    await until(lambda: seen(foreign))
    assert "#" not in await frame.evaluate("location.href")
    assert await frame.evaluate("document.cookie") == ""
    await press_stop(tab)
    await expect(tab.get_by_role("heading", name="Stop impersonating Dan Dale?")).to_be_visible()
    assert tab.url.startswith(f"{foreign.demo.panel}/stop/")


async def test_the_frame_tells_the_page_its_height_and_no_other_origin_shows_it(foreign: Foreign, tab: Page) -> None:
    await foreign.open_as("Pia", "Dan")
    foreign.serve("/height.js", foreign.documented(1, "js"), kind="text/javascript")
    listening = framed(foreign).replace("<title>", '<script src="/height.js"></script><title>')
    await tab.set_viewport_size({"width": 320, "height": 600})
    await tab.goto(foreign.serve("/level-2", listening.replace('width="100%"', 'width="300"')))
    await hears(tab, "Pia Pine is signed in as Dan Dale", frame=await banner_frame(tab))

    async def grown() -> bool:
        return bool(await tab.evaluate("Number(document.querySelector('iframe').height) > 60"))

    await until(grown)

    # The same page at another origin: the browser shows nothing of the frame.
    await tab.goto(f"http://evil.localhost:{foreign.port}/level-2")
    await until(lambda: blocked(tab))


async def blocked(page: Page) -> bool:
    """The frame holds the browser's own error."""
    return any(frame.url.startswith("chrome-error:") for frame in page.frames)


def framed(foreign: Foreign) -> str:
    """A page as its server renders it, with what the panel says of the one who is there."""
    said = said_of(foreign)
    return f"<!doctype html><title>Calls</title>{foreign.documented(2)}<h1>Calls</h1>".replace(
        "{{ frame_url }}", said["frame_url"]
    )


def said_of(foreign: Foreign) -> dict[str, str]:
    """What the panel says."""
    status, body = foreign.ask()
    assert status == 200
    return dict(json.loads(body))


def no_scripts(foreign: Foreign) -> str:
    """The policy of an app that takes no script at all."""
    return f"default-src 'none'; script-src 'none'; style-src 'unsafe-inline'; frame-src {foreign.demo.panel}"


async def banner_frame(page: Page) -> Frame:
    """The panel's frame in the page."""

    async def there() -> bool:
        return any("/embed/frame" in frame.url for frame in page.frames)

    await until(there)
    return next(frame for frame in page.frames if "/embed/frame" in frame.url)


async def test_t63_whatever_a_name_holds_it_is_text(foreign: Foreign, tab: Page) -> None:
    name = "<img src=x onerror=alert(1)>"
    said = state(subject={"sub": "1", "name": name}, actor={"sub": "2", "name": name}, stop_url="javascript:alert(2)")
    foreign.serve("/fake", said, kind="application/json")
    script = foreign.documented(0).replace("/my/acting", "/fake")
    alerts: list[str] = []
    tab.on("dialog", lambda dialog: alerts.append(dialog.message))
    await tab.goto(foreign.serve("/named", page_with(script)))
    await hears(tab, f"{name} is signed in as {name}")
    assert await tab.evaluate("document.images.length") == 0
    await press_stop(tab)
    # An address that is no page's leads nowhere.
    assert tab.url.endswith("/named")
    assert alerts == []
    assert await tab.title() == f"(as {name}) Calls"


async def test_minutes_are_counted_and_spoken_twice(foreign: Foreign, tab: Page) -> None:
    await tab.clock.install()
    foreign.serve("/fake", state(seconds_left=301), kind="application/json")
    script = foreign.documented(0).replace("/my/acting", "/fake")
    await tab.goto(foreign.serve("/counted", page_with(script)))
    await hears(tab, "5:01 left")
    # Its backend is away: what is known stays shown.
    del foreign.pages["/fake"]
    await tab.clock.run_for(3000)
    await hears(tab, "4:58 left", "5 minutes left.")
    await tab.clock.run_for(180_000)
    await hears(tab, "1:58 left", "2 minutes left.")
