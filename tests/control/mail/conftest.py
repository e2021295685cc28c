"""A house whose letters go to the story's own mail server."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar

from control.house import House
from control.mail.sender import Sender
from control.settings import Settings
from tenants.letters import REQUIRED, Addressee, Letter, LetterKind
from tenants.store import Store
from tests.cast import Cast, Clock, house_work
from tests.control.mail.post_office import PostOffice, post_office
from tests.control.pages.visit import PANEL as ORIGIN
from tests.control.pages.visit import Panel
from tests.one_app import app_for, made

PANEL = "https://panel.voip.example"
WORDS = {
    "address": "hooks.bakery.example",
    "cause": "gone",
    "link": f"{PANEL}/join/secret-of-the-link",
    "cancel_link": f"{PANEL}/email/cancel/secret-of-the-other",
    "inviter": "Olaf Oak",
    "who": "Olaf Oak",
    "tenant": "Bakery",
    "role": "member",
    "until": "2026-11-28T09:00:00+00:00",
    "extension": "201, Bakery PBX",
    "email": "bea@new.example",
    "what": "totp",
    "count": "10",
    "app": "Softphone",
    "approver": "Axel Arden",
    "subject": "Ben Bond",
    "organization": "Oak Telecom",
    "accesses": '[{"who": "Olaf Oak", "organization": "Oak Telecom", "via": "impersonation", "at": '
    '"2026-11-28T09:00:00+00:00", "reason": null}]',
    "rules": '[{"name": "stand_ins", "before": "never", "after": "allowed"}]',
}


@dataclass
class Outbox:
    """The letters of a story, and the house that sends them."""

    house: House
    cast: Cast
    clock: Clock

    @property
    def sender(self) -> Sender:
        """A sender of this house."""
        return Sender(self.house)

    async def put(
        self,
        kind: LetterKind = LetterKind.INVITATION,
        *,
        to: str = "new@bakery.example",
        name: str = "Nina New",
        tenant: str = "Bakery",
        locale: str = "en",
        user: str | None = None,
        expires_at: datetime | None = None,
        **words: str,
    ) -> int:
        """Put a letter, with the story's words where no others are given; returns its id."""
        said = {word: WORDS[word] for word in REQUIRED[kind]} | words
        reader = Addressee(to, name, locale, self.cast.user(user).id if user else None)
        async with house_work(self.house.store, self.clock.now) as session:
            place = self.cast.tenant(tenant).id
            letter = await self.house.letter(
                session, kind, reader, place, self.clock.now, expires_at=expires_at, **said
            )
            return letter.id

    async def send(self) -> int:
        """One round, now."""
        return await self.sender.round(self.clock.now)

    async def letter(self, letter_id: int) -> Letter:
        """How a letter stands."""
        async with house_work(self.house.store, self.clock.now) as session:
            return await session.get_one(Letter, letter_id)

    def with_(self, **settings: Any) -> "Outbox":
        """The same house under other settings."""
        changed = replace(self.house.settings, **settings)
        return Outbox(House(changed, self.house.store, self.house.clock), self.cast, self.clock)


@pytest.fixture
async def office() -> AsyncIterator[PostOffice]:
    """A mail server that takes everything."""
    async with post_office() as office:
        yield office


@pytest.fixture
def outbox(office: PostOffice, store: Store, cast: Cast, clock: Clock, tmp_path: Path) -> Outbox:
    settings = Settings(
        database_url=str(store.url),
        migration_url=str(store.url),
        data_dir=tmp_path,
        public_url=PANEL,
        secret_key=b"the secret key of a story, 32 bytes and more",
        smtp_url=f"smtp://127.0.0.1:{office.port}",
    )
    return Outbox(House(settings, store, lambda: clock.now), cast, clock)


@pytest.fixture(scope="session")
def app() -> Litestar:
    """The app, built once: each test gives it a house of its own."""
    return made(ORIGIN)


@pytest.fixture
def panel(app: Litestar, outbox: Outbox) -> Panel:
    """The panel over the house whose letters go to the story's mail server."""
    outbox.house = outbox.with_(public_url=ORIGIN).house
    app_for(outbox.house)
    return Panel(app, outbox.house.store, outbox.cast, outbox.clock)
