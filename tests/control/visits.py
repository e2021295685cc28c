"""Somebody of the cast at the panel's pages, in the few words that the stories of places need."""

from dataclasses import dataclass
from typing import Any

import httpx

from tenants.store import Store
from tests.cast import Cast, Clock
from tests.control.pages.visit import Panel, Visit, words


@dataclass
class Reader:
    """Somebody with a browser, who says beforehand how a page will answer."""

    visit: Visit

    async def ask(self, path: str) -> httpx.Response:
        """Whatever a page answers."""
        return await self.visit.open(path)

    async def get(self, path: str, *, status: int = 200) -> str:
        """The page's HTML."""
        return _expected(await self.visit.open(path), path, status).text

    async def read(self, path: str, *, status: int = 200) -> str:
        """The words of the page, without the frame around it."""
        return words_of(await self.get(path, status=status))

    async def post(self, path: str, *, at: str, status: int = 303, **fields: str) -> httpx.Response:
        """Fill in and send the form that stands on the page `at`, with the hidden fields it gave."""
        await self.visit.open(at)
        return _expected(await self.visit.send(path, fields), path, status)


@dataclass
class House:
    """The panel over one story's database, and its readers."""

    panel: Panel

    @property
    def store(self) -> Store:
        """The story's database."""
        return self.panel.store

    @property
    def cast(self) -> Cast:
        """Who is who."""
        return self.panel.cast

    @property
    def clock(self) -> Clock:
        """The story's time."""
        return self.panel.clock

    async def visit(self, name: str, *, at: str | None = None) -> Reader:
        """Somebody of the cast, signed in a moment ago."""
        return Reader(await self.panel.visit(name, at=at))


def main_of(html: str) -> str:
    """A page without the frame around it; the whole of what is no page."""
    return html[html.index("<main") : html.index("</main>")] if "<main" in html else html


def words_of(html: str) -> str:
    """What a page says, without markup and frame."""
    return words(httpx.Response(200, text=main_of(html)))


def _expected(answer: httpx.Response, path: str, status: int) -> httpx.Response:
    assert answer.status_code == status, f"{path}: {answer.status_code}\n{words_of(answer.text)[:600]}"
    return answer


Form = dict[str, Any]
"""Fields of a form that several posts share."""
