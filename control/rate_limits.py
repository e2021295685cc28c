"""Rate limits: how much one credential may ask of this process in a minute, and how often a network may be wrong.

Counted in memory, in windows that begin with somebody's first request: no statement, some microseconds. Each worker
counts for itself, so a quota is one worker's share. Whoever shows a credential that is not known to be right is counted
with their network, and only what was answered with a refusal: nobody who is right waits for strangers beside them.
The headers are those of draft-ietf-httpapi-ratelimit-headers.
"""

import math
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta

from tenants.credentials import digest
from tenants.refusals import TooMany
from tenants.sign_in import network_of

WINDOW = timedelta(minutes=1)
SECONDS = int(WINDOW.total_seconds())
MOST = 50_000
"""How many credentials, or networks, are kept in mind: beyond that the oldest is forgotten, to its own good."""

Header = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Quotas:
    """Requests a minute in each worker; 0 is no limit."""

    key: int = 6_000
    """Of one API key, service account or stand-in: a hundred a second, more than a directory sends."""
    app: int = 30_000
    """Of one OAuth client, which may introspect at each request of its own."""
    network: int = 600
    """Refusals of one network whose credentials are unknown."""


@dataclass(frozen=True, slots=True)
class Count:
    """How far somebody is; `resets` is in seconds."""

    policy: str
    quota: int
    used: int
    resets: int

    def headers(self) -> list[Header]:
        """The policy, and what is left of it."""
        left = max(0, self.quota - self.used)
        return [
            (b"ratelimit-policy", f'"{self.policy}";q={self.quota};w={SECONDS}'.encode()),
            (b"ratelimit", f'"{self.policy}";r={left};t={self.resets}'.encode()),
        ]


@dataclass(slots=True)
class _Window:
    began: float
    used: int = 0


class Windows:
    """What each of many used of one quota."""

    def __init__(self, policy: str, quota: int) -> None:
        self.policy, self.quota = policy, quota
        # In the order in which they began, so that those that are over stand in front.
        self._open: OrderedDict[str, _Window] = OrderedDict()

    def take(self, who: str, now: datetime) -> Count | None:
        """One more; None where there is no limit."""
        if not self.quota:
            return None
        moment = now.timestamp()
        window = self._still_open(who, moment) or self._begin(who, moment)
        window.used += 1
        return self._counted(window, moment)

    def look(self, who: str, now: datetime) -> Count | None:
        """Where somebody stands; None where nothing was taken."""
        window = self._still_open(who, now.timestamp())
        return self._counted(window, now.timestamp()) if window is not None else None

    def _still_open(self, who: str, moment: float) -> _Window | None:
        window = self._open.get(who)
        return window if window is not None and 0 <= moment - window.began < SECONDS else None

    def _begin(self, who: str, moment: float) -> _Window:
        self._open.pop(who, None)
        while self._open and (len(self._open) >= MOST or moment - self._oldest().began >= SECONDS):
            self._open.popitem(last=False)
        self._open[who] = _Window(moment)
        return self._open[who]

    def _oldest(self) -> _Window:
        return next(iter(self._open.values()))

    def _counted(self, window: _Window, moment: float) -> Count:
        return Count(self.policy, self.quota, window.used, math.ceil(window.began + SECONDS - moment))


class RateLimits:
    """What this process counts, and whose the credentials are that it found right."""

    def __init__(self, quotas: Quotas) -> None:
        self.of = {"key": Windows("key", quotas.key), "app": Windows("app", quotas.app)}
        self.networks = Windows("network", quotas.network)
        self._known: OrderedDict[str, str] = OrderedDict()

    def known(self, shown: str) -> str | None:
        """Whose it is, when it was right before. Only its hash is kept."""
        return self._known.get(digest(shown))

    def learn(self, shown: str, who: str) -> None:
        """It was right."""
        while len(self._known) >= MOST:
            self._known.popitem(last=False)
        self._known[digest(shown)] = who

    def forget(self, shown: str) -> None:
        """It is not right any more."""
        self._known.pop(digest(shown), None)

    def meter(self, policy: str, address: str, now: datetime, *, kept_open: bool = False) -> "Meter":
        """For one request. With `kept_open` it is counted apart: whoever asked too much can still stop something."""
        return Meter(self, self.of.get(policy, self.networks), address, now, " stops" if kept_open else "")


class Meter:
    """One request: for whom it counts."""

    def __init__(self, limits: RateLimits, windows: Windows, address: str, now: datetime, lane: str) -> None:
        self._limits, self._windows, self._address, self._now, self._lane = limits, windows, address, now, lane
        self._shown: str | None = None
        self._who: str | None = None
        self._expected: str | None = None
        self._count: Count | None = None

    @property
    def network(self) -> str:
        """Where it comes from."""
        return network_of(self._address)

    def admit(self, shown: str | None) -> None:
        """Before anything is looked up. Raises TooMany, for whose it is or else for the network."""
        self._shown = shown
        who = self._limits.known(shown) if shown else None
        if who is not None:
            self._take(who)
            return
        failed = self._limits.networks.look(self.network + self._lane, self._now)
        if failed is not None and failed.used >= failed.quota:
            self._count = failed
            raise TooMany("Too many requests were refused here. Wait a little.", retry_after=failed.resets)

    def count_for(self, who: str, *, anybodys: bool = False) -> None:
        """Whose it is was found out. Raises TooMany when that was too much.

        What is `anybodys` proves nobody, so it is not remembered.
        """
        if self._who is not None:
            return
        if self._shown and not anybodys:
            self._limits.learn(self._shown, who)
        self._take(who)

    def expect(self, who: str) -> None:
        """Whose it is, if it is not refused."""
        self._expected = who

    def answered(self, status: int) -> list[Header]:
        """What became of it; returns the headers that say what is left."""
        refused = status >= 400
        if self._who is None and not refused and self._expected is not None:
            if self._shown:
                self._limits.learn(self._shown, self._expected)
            self._count = self._windows.take(self._expected + self._lane, self._now)
        elif refused and status != 429 and (self._who is None or status == 401):
            if self._shown:
                self._limits.forget(self._shown)
            self._count = self._limits.networks.take(self.network + self._lane, self._now)
        return self._count.headers() if self._count is not None else []

    def _take(self, who: str) -> None:
        self._who = who
        self._count = self._windows.take(who + self._lane, self._now)
        if self._count is not None and self._count.used > self._count.quota:
            raise TooMany("That is more than one may ask in a minute. Wait a little.", retry_after=self._count.resets)
