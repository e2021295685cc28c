"""What the panel said "done" to: the list that the database is held against."""

import asyncio
from dataclasses import dataclass


@dataclass(frozen=True)
class Bound:
    """201 to a binding."""

    binding_id: int
    user_id: int
    extension_id: int


@dataclass(frozen=True)
class Released:
    """204 to its end."""

    binding_id: int


@dataclass(frozen=True)
class LoggedIn:
    """200 to a code: a login with its first tokens."""

    sid: str
    subject_id: int
    actor_id: int
    binding_id: int | None
    refresh_hash: str


@dataclass(frozen=True)
class Refreshed:
    """200 to a refresh token: it is spent, and another is there."""

    sid: str
    spent_hash: str
    fresh_hash: str


Ack = Bound | Released | LoggedIn | Refreshed


class Ledger:
    """All acknowledgements, in the order in which they were heard."""

    def __init__(self) -> None:
        self.acks: list[Ack] = []
        self._heard = asyncio.Event()

    def note(self, ack: Ack) -> None:
        """The panel has just said so."""
        self.acks.append(ack)
        self._heard.set()

    async def hear(self, count: int) -> None:
        """Wait for so many more."""
        wanted = len(self.acks) + count
        while len(self.acks) < wanted:
            self._heard.clear()
            await self._heard.wait()
