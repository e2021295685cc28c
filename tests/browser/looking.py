"""How a page is looked at: by axe's rules, by its width on a phone, and in pictures for people."""

from pathlib import Path
from typing import Any, Literal

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, ViewportSize

Scheme = Literal["light", "dark"]

AXE = Axe()
EVERY = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
COLOURS = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
RULES: dict[Scheme, dict[str, Any]] = {"light": EVERY, "dark": COLOURS}
"""In the dark a page has other colours and nothing else: tests/control/test_contrast.py holds the style to that."""
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
SIZES = (ViewportSize(width=1280, height=800), ViewportSize(width=375, height=740))


async def faults(page: Page) -> list[str]:
    """What axe finds on a page in light and in dark, on a desk and on a phone."""
    found = []
    await page.evaluate(AXE.axe_script)
    for size in SIZES:
        await page.set_viewport_size(size)
        for scheme in SCHEMES:
            await page.emulate_media(color_scheme=scheme)
            options = {"runOnly": RULES[scheme], "resultTypes": ["violations"]}
            violations = await page.evaluate("options => axe.run(options).then(found => found.violations)", options)
            found += [
                f"{scheme}, {size['width']} px: {fault['id']}: {node['target']} {node['html'][:200]}"
                for fault in violations
                for node in fault["nodes"]
            ]
    return found


async def overflow(page: Page) -> int:
    """By how many pixels the page is wider than a phone's screen."""
    await page.set_viewport_size(SIZES[1])
    return int(await page.evaluate("() => document.documentElement.scrollWidth - innerWidth"))


async def photograph(page: Page, folder: Path | None, name: str) -> None:
    """For people to look at, where a folder is named."""
    if folder is None:
        return
    for size in SIZES:
        await page.set_viewport_size(size)
        for scheme in SCHEMES:
            await page.emulate_media(color_scheme=scheme)
            file = folder / f"{name.replace(' ', '-')}-{scheme}-{size['width']}.png"
            await page.screenshot(path=file, full_page=True)
