"""Somebody at a browser: what they do at the panel and at the apps, and what they see there."""

import re
from dataclasses import dataclass, field

from playwright.async_api import BrowserContext, ConsoleMessage, Locator, Page, expect

from control.cast import PASSWORD, PLACES
from tests.browser.demo_process import Demo

EMAILS = {person.first: person.email(place.name) for place in PLACES for person in place.people}
NAMES = {person.first: person.name for place in PLACES for person in place.people}

# Chromium notes each page that is answered with an error; the stories look at those pages themselves.
EXPECTED = "Failed to load resource: the server responded with a status of 4"


@dataclass
class Person:
    """One of the cast with a browser profile of their own: a tab for the panel, a tab for each app."""

    first: str
    demo: Demo
    context: BrowserContext
    scripts: bool = True
    """Whether their browser runs any."""
    complaints: list[str] = field(default_factory=list)
    """What the pages complained of: refused by the security policy, or broken script."""
    called: str | None = None
    """Their whole name, when they are not of the cast."""
    address: str | None = None
    """What they sign in with, when they are not of the cast."""
    panel: Page = field(init=False)
    tabs: dict[str, Page] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """As the panel and the apps show it."""
        return self.called or NAMES[self.first]

    @property
    def email(self) -> str:
        """What they sign in with."""
        return self.address or EMAILS[self.first]

    async def sit_down(self) -> None:
        """Open the browser, at nothing yet."""
        self.context.on("console", self._listen)
        self.context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        self.context.set_default_timeout(15_000)
        self.panel = await self.context.new_page()

    def _listen(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not message.text.startswith(EXPECTED):
            self.complaints.append(f"{message.page.url if message.page else ''}: {message.text}")

    async def sign_in(self, page: Page | None = None, password: str = PASSWORD) -> None:
        """Fill in the sign-in page, at the panel or where an app led to it."""
        if page is None:
            page = self.panel
            await page.goto("/sign-in")
        await page.locator("[name=email]").fill(self.email)
        await page.locator("[name=password]").fill(password)
        await page.get_by_role("button", name="Sign in", exact=True).click()
        await page.wait_for_url(lambda url: "/sign-in" not in url)

    async def open_own_bindings(self) -> None:
        """Users -> one's own name -> User Bindings, by the links that are there."""
        page = self.panel
        await page.goto("/")
        await page.get_by_role("link", name="Users", exact=True).click()
        await page.get_by_role("link", name=self.name).first.click()
        await page.get_by_role("link", name="User Bindings").click()

    async def bind(self, phone_system: str, number: str) -> None:
        """Users -> oneself -> User Bindings -> phone system -> extension -> Save."""
        await self.open_own_bindings()
        await self.choose(phone_system, number)
        await self.panel.get_by_role("button", name="Save").click()
        await expect(self.bar(self.panel)).to_be_visible()

    async def choose(self, phone_system: str, number: str) -> None:
        """Pick a phone system, whose extensions are shown then, and one of them."""
        await choose_by_start(self.panel, "phone_system", phone_system)
        if not self.scripts:
            await self.panel.get_by_role("button", name="Show its extensions").click()
        await choose_by_start(self.panel, "extension", number)

    async def release(self) -> None:
        """The button in the amber bar."""
        await self.bar(self.panel).get_by_role("button", name="Remove binding").click()
        await expect(self.bar(self.panel)).to_have_count(0)

    def bar(self, page: Page) -> Locator:
        """The bar that says whom one's app logins open as."""
        return page.locator("[data-stand-in=binding]")

    async def tab(self, client_id: str) -> Page:
        """The tab of an app, opened when it is first asked for."""
        if client_id not in self.tabs:
            self.tabs[client_id] = await self.context.new_page()
        return self.tabs[client_id]

    async def log_in(self, client_id: str) -> Page:
        """Press "Log in" at an app; returns its tab wherever that leads."""
        page = await self.tab(client_id)
        await page.goto(self.demo.app(client_id))
        await page.get_by_role("link", name="Log in").click()
        return page

    async def look_at(self, client_id: str) -> Page:
        """Load an app's page (again)."""
        page = await self.tab(client_id)
        await page.goto(self.demo.app(client_id))
        return page


async def choose_by_start(page: Page, name: str, start: str) -> None:
    """Choose the option of a list whose words begin so: "101" finds "101 Dan Dale"."""
    options = page.locator(f"select[name={name}] option")
    chosen = options.filter(has_text=re.compile(rf"^\s*{re.escape(start)}\b")).first
    await expect(chosen).to_be_attached()
    await page.locator(f"select[name={name}]").select_option(await chosen.get_attribute("value"))


async def expect_seen(page: Page, *, name: str, extension: str, tenant: str, acting: str | None = None) -> None:
    """The app shows that it sees this person, and who acts if somebody does."""
    await expect(page.locator("#who")).to_have_text(name)
    await expect(page.locator("#extension")).to_have_text(extension)
    await expect(page.locator("#tenant")).to_have_text(tenant)
    if acting is None:
        await expect(page.locator("#acting")).to_have_count(0)
    else:
        await expect(page.locator("#acting")).to_have_text(f"acting: {acting}")
