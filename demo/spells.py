"""What an app remembers of a browser, on the server's side: the browser holds a random name for it alone."""

import asyncio
import secrets
from dataclasses import dataclass, field

from demo.relying_party import ATTEMPT_LIVES, Attempt, Login

IDLE = 12 * 3600.0
"""Seconds after which a spell that nobody used is forgotten."""

MOST_SPELLS = 10_000
MOST_ATTEMPTS = 5


@dataclass
class Spell:
    """One browser's time at one app. `lock` keeps two tabs from spending one refresh token twice."""

    used_at: float
    login: Login | None = None
    ended: bool = False
    """Whether the last login was ended by the panel, which the next page says."""
    notice: tuple[str, str] | None = None
    """A sentence to show once, and what the panel said with it."""
    logout_state: str | None = None
    attempts: dict[str, Attempt] = field(default_factory=dict)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def remember(self, attempt: Attempt) -> None:
        """Keeps a login under way; one for each of a few tabs."""
        fresh = [a for a in self.attempts.values() if attempt.started_at - a.started_at < ATTEMPT_LIVES]
        self.attempts = {a.state: a for a in [*fresh[1 - MOST_ATTEMPTS :], attempt]}

    def take(self, state: str) -> Attempt | None:
        """The login under way that `state` belongs to, once."""
        return self.attempts.pop(state, None)

    def open(self, login: Login) -> Login | None:
        """Puts `login` in; gives the one that it replaces."""
        replaced, self.login, self.ended, self.notice = self.login, login, False, None
        return replaced

    def end(self) -> None:
        """The panel ended the login."""
        self.login, self.ended = None, True

    def close(self) -> Login | None:
        """The person logged out; gives the login that was. What was under way is not to bring it back."""
        self.attempts.clear()
        closed, self.login, self.ended, self.notice = self.login, None, False, None
        return closed


class Spells:
    """All spells of one app, in memory: they end with the process, as befits a demo."""

    def __init__(self) -> None:
        self._spells: dict[str, Spell] = {}

    def find(self, name: str | None, now: float) -> Spell | None:
        """The spell of that name, if there is one and it is not too old."""
        spell = self._spells.get(name or "")
        if spell is None or now - spell.used_at > IDLE:
            return None
        spell.used_at = now
        return spell

    def add(self, spell: Spell) -> str:
        """Keeps a spell under a new random name, and forgets the oldest when there are too many."""
        while len(self._spells) >= MOST_SPELLS:
            del self._spells[next(iter(self._spells))]
        name = secrets.token_urlsafe(32)
        self._spells[name] = spell
        return name

    def end_login(self, sid: str) -> None:
        """The panel ended this login, in whichever browser it is."""
        for spell in self._spells.values():
            if spell.login is not None and spell.login.sid == sid:
                spell.end()

    def rename(self, name: str, spell: Spell) -> str:
        """A new name for a spell that now means more: a name planted before the login is worth nothing."""
        self._spells.pop(name, None)
        return self.add(spell)
