"""What the post brought in a story: the letters of the outbox, as who reads the mailbox sees them."""

from urllib.parse import urlsplit

import sqlalchemy as sa

from control.house import House
from tenants.letters import Letter, LetterKind
from tests.cast import house_work
from tests.control.pages.visit import Panel


async def letters_to(panel: Panel, address: str) -> list[tuple[LetterKind, dict[str, str]]]:
    """Everything that was written to an address, oldest first: what it is about, and its words."""
    house: House = panel.app.state.house
    async with house_work(panel.store) as session:
        found = await session.scalars(sa.select(Letter).where(Letter.address == address).order_by(Letter.id))
        return [(LetterKind(each.kind), each.words(house.settings.secret_key)) for each in found]


async def newest_to(panel: Panel, address: str, kind: LetterKind) -> dict[str, str]:
    """The words of the newest letter of a kind."""
    return [words for each, words in await letters_to(panel, address) if each is kind][-1]


async def link_to(panel: Panel, address: str, kind: LetterKind) -> str:
    """The path of its link."""
    return urlsplit((await newest_to(panel, address, kind))["link"]).path
