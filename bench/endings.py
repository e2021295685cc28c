"""How soon an ending arrives: `python -m bench.endings [--database postgresql] [--count 200] [--only "stopped" ...]`.

The product's own server on a seeded house, and a receiver for the logouts of an app. For each cause a stand-in is
begun, opened at the app over HTTP, and ended by the functions that the panel's doors call. Then the app asks: the
token has to be inactive every time. And it waits to be told: the logout token has to arrive and hold, and what is
measured is the time from the commit of the ending to its arrival. One that does not ends the run.
"""

import argparse
import asyncio
import base64
import contextlib
import json
import statistics
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import httpx
from joserfc import jwt
from joserfc.jwk import KeySet

from bench.ending_causes import CAUSES, WHY, Cause, Open
from bench.ending_worlds import World
from bench.flows import CHALLENGE, VERIFIER
from bench.house import House, database, opened, published_keys, seeded
from bench.load import BadAnswer
from bindings.apps import App, find_client
from bindings.binding import Binding
from bindings.grants import HANDOFF_GRANT
from bindings.handoff import hand_off
from bindings.impersonation import Asked, Impersonation
from bindings.logout_tokens import EVENT
from control.settings import Settings
from tenants.actor import Actor
from tenants.people import Membership, User
from tenants.phones import find_extension
from tenants.sign_in import SignIn
from tenants.store import Store
from tests.cast import ORIGIN, house_work
from tests.control.receiver import Came, Receiver, listening

APP = "softphone"
LANES = 6
FRESH = httpx.Limits(max_keepalive_connections=0)
"""A connection for each question: a kept one may be closed by the server at the moment it is used."""
PATIENCE = 30.0
"""Seconds until a logout has to have arrived."""


@dataclass
class Inbox(Receiver):
    """What the app is told, by login: each with when it came."""

    waiting: dict[str, asyncio.Future[tuple[datetime, str]]] = field(default_factory=dict)

    def keep(self, came: Came) -> None:
        """Keep when a token came, for who waits for that login."""
        now, token = datetime.now(UTC), came.form["logout_token"]
        told = self.waiting.setdefault(claims_unread(token)["sid"], asyncio.get_running_loop().create_future())
        if not told.done():
            told.set_result((now, token))

    def of(self, sid: str) -> asyncio.Future[tuple[datetime, str]]:
        """When and how this login is told of."""
        return self.waiting.setdefault(sid, asyncio.get_running_loop().create_future())


@dataclass(frozen=True, slots=True)
class Measured:
    """What came of one cause; `late` are seconds from the commit to the arrival."""

    name: str
    inactive: int
    late: Sequence[float]
    seconds: float

    def __str__(self) -> str:
        middle, worst = statistics.median(self.late), max(self.late)
        return (
            f"{self.name:32} {len(self.late):5} ended {self.inactive:5} inactive {len(self.late):5} arrived"
            f"   median {middle:5.2f} s   worst {worst:5.2f} s   ({self.seconds:.0f} s in all)"
        )


@dataclass
class Bench:
    """One house, its app and its receiver."""

    house: House
    store: Store
    http: httpx.AsyncClient
    inbox: Inbox
    keys: KeySet
    settings: Settings
    at_once: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(LANES))
    """Room for what is set up: many may wait for their end at the same time, but not for a connection."""

    async def measure(self, cause: Cause, count: int, lanes: int) -> Measured:
        """End so many, a few at a time."""
        late: list[float] = []
        left = iter(range(count))
        begun = time.perf_counter()

        async def lane() -> None:
            world: World | None = None
            for _ in left:
                if world is None or cause.spoils:
                    async with self.at_once:
                        world = await World.make(self.store, self.house.cast)
                late.append(await self.once(cause, world))

        async with asyncio.TaskGroup() as group:
            for _ in range(min(count, cause.lanes or lanes)):
                group.create_task(lane())
        return Measured(cause.name, len(late), late, time.perf_counter() - begun)

    async def once(self, cause: Cause, world: World) -> float:
        """Begin, open, end, ask, and be told. Seconds from the commit to the arrival. Raises BadAnswer."""
        async with self.at_once:
            if cause.before is not None:
                await cause.before(self.store, world)
            it = await (self.log_in_bound(cause, world) if cause.bound else self.become(cause, world))
        if not await self.active(it.token):
            raise BadAnswer(f"{cause.name}: not active before it ended")
        told = self.inbox.of(it.sid)
        if told.done():
            raise BadAnswer(f"{cause.name}: told before it ended")
        moment = await cause.act(it)
        ended = moment or datetime.now(UTC)
        if await self.active(it.token):
            raise BadAnswer(f"{cause.name}: active after it ended")
        try:
            came, token = await asyncio.wait_for(told, PATIENCE)
        except TimeoutError:
            raise BadAnswer(f"{cause.name}: the app was not told of {it.sid}") from None
        self.verify(token, it)
        return max(0.0, (came - ended).total_seconds())

    async def become(self, cause: Cause, world: World) -> Open:
        """The operator stands in for the subject, in a new tab of the app."""
        now, sign_in_id, _ = await self.sign_in(world)
        actor = Actor.of(world.operator, ORIGIN, sign_in_id=sign_in_id)
        began = now - cause.ago
        async with self.store.work(actor, actor.reach(), began) as session:
            app = await find_client(session, APP)
            subject = await session.get_one(Membership, world.subject.membership_id)
            if app is None:
                raise BadAnswer("no app")
            stand = await Impersonation.start(session, actor, subject, Asked.of(WHY, app_id=app.id), began)
            row = await session.get_one(SignIn, sign_in_id)
            address = await hand_off(session, actor, stand, app, row, now)
            if cause.ago:
                # Opened in time, as far as the row can tell: nobody waits for twenty minutes here.
                stand.seen_at = stand.beat_at = now
        form = {"grant_type": HANDOFF_GRANT, "handoff": address.partition("#handoff=")[2]}
        return self.opened(world, stand.id, await self.token(form), sign_in_id, stand.ends_at)

    async def log_in_bound(self, cause: Cause, world: World) -> Open:
        """The operator is bound to the subject, and logs in to the app."""
        now, sign_in_id, cookie = await self.sign_in(world)
        actor = Actor.of(world.operator, ORIGIN, sign_in_id=sign_in_id)
        until = now + cause.lasts if cause.lasts else None
        async with self.store.work(actor, actor.reach(), now) as session:
            user = await session.get_one(User, world.operator.user_id)
            extension = await find_extension(session, world.extension)
            binding = await Binding.make(session, actor, user, extension, now, reason=WHY, ends_at=until)
        question = {
            "response_type": "code",
            "client_id": APP,
            "redirect_uri": "http://softphone.localhost:8001/callback",
            "scope": "openid",
            "state": "the-state",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
        }
        answer = await self.http.get("/oauth/authorize", params=question, headers={"Cookie": cookie})
        said = parse_qs(urlsplit(answer.headers.get("location", "")).query)
        if "code" not in said:
            raise BadAnswer(f"no code: {answer.status_code} {answer.text[:300]}")
        form = {"grant_type": "authorization_code", "code": said["code"][0], "code_verifier": VERIFIER}
        form["redirect_uri"] = question["redirect_uri"]
        return self.opened(world, binding.id, await self.token(form), sign_in_id, until)

    def opened(self, world: World, number: int, token: str, sign_in_id: int, ends_at: datetime | None) -> Open:
        """What a cause needs to know of it."""
        sid, key = claims_unread(token)["sid"], self.settings.secret_key
        return Open(self.store, self.house.cast, key, world, number, sid, token, sign_in_id, ends_at, self.tell)

    async def sign_in(self, world: World) -> tuple[datetime, int, str]:
        """A sign-in of the operator, as of now; with its cookie."""
        now = datetime.now(UTC)
        async with house_work(self.store, now) as session:
            row, secret = await SignIn.start(session, world.operator, ORIGIN, "bench", now)
        return now, row.id, f"{self.settings.cookie('sign-in')}={secret}"

    async def token(self, form: dict[str, str]) -> str:
        """What the token endpoint gives the app."""
        answer = await self.http.post("/oauth/token", data=form, auth=(APP, self.house.cast.secrets[APP]))
        if answer.status_code != 200:
            raise BadAnswer(f"no token: {answer.status_code} {answer.text[:300]}")
        return str(answer.json()["access_token"])

    async def active(self, token: str) -> bool:
        """What the app is told of its token."""
        secret = self.house.cast.secrets[APP]
        answer = await self.http.post("/oauth/introspect", data={"token": token}, auth=(APP, secret))
        if answer.status_code != 200:
            raise BadAnswer(f"introspection: {answer.status_code}")
        return bool(answer.json()["active"])

    async def tell(self, it: Open, event: str) -> None:
        """What a page of the app tells of itself."""
        bearer = {"Authorization": f"Bearer {it.token}"}
        answer = await self.http.post("/oauth/acting", data={"event": event, "document": "page"}, headers=bearer)
        if answer.status_code not in {200, 204}:
            raise BadAnswer(f"{event}: {answer.status_code}")

    def verify(self, token: str, it: Open) -> None:
        """The logout token is the panel's, for this app and login, and tells of a logout. Raises BadAnswer."""
        read = jwt.decode(token, self.keys, algorithms=["ES256"])
        said = read.claims
        right = (said["aud"], said["sid"], said["sub"], said["events"], read.header["typ"], "nonce" in said)
        subject = str(it.world.subject.membership_id)
        if right != (APP, it.sid, subject, {EVENT: {}}, "logout+jwt", False):
            raise BadAnswer(f"a logout token said {said}")


def claims_unread(token: str) -> dict[str, str]:
    """What a token says, before anything is believed: only to find whom it concerns."""
    body = token.split(".")[1]
    said: dict[str, str] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return said


@contextlib.asynccontextmanager
async def benched(house: House) -> AsyncIterator[Bench]:
    """The app told at a receiver of ours; the server has to run."""
    settings = Settings.load(house.environment)
    inbox = Inbox()
    async with (
        listening(receiver=inbox),
        opened(house.database.url) as store,
        httpx.AsyncClient(base_url=settings.public_url, trust_env=False, timeout=30.0, limits=FRESH) as http,
    ):
        async with house_work(store, datetime.now(UTC)) as session:
            app = await session.get_one(App, house.cast.app_id(APP))
            await app.change(session, backchannel_logout_uri=inbox.address)
        keys = await asyncio.to_thread(published_keys, house.port)
        yield Bench(house, store, http, inbox, keys, settings)


async def run(house: House, causes: Sequence[Cause], count: int, lanes: int) -> list[Measured]:
    """One cause after the other, each with its line."""
    done: list[Measured] = []
    async with benched(house) as bench:
        for cause in causes:
            done.append(await bench.measure(cause, count, lanes))
            print(done[-1], flush=True)
    return done


def main() -> None:
    """The causes that were asked for, on one database."""
    asked = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    asked.add_argument("--database", choices=("sqlite", "postgresql"), default="postgresql")
    asked.add_argument("--count", type=int, default=200)
    asked.add_argument("--lanes", type=int, default=LANES)
    asked.add_argument("--only", nargs="*", choices=[cause.name for cause in CAUSES])
    given = asked.parse_args()
    causes = [cause for cause in CAUSES if given.only is None or cause.name in given.only]
    with database(given.database) as at, seeded(at) as house, house.served():
        print(f"{given.database}, {given.count} of each, at most {given.lanes} at once", flush=True)
        asyncio.run(run(house, causes, given.count, given.lanes))


if __name__ == "__main__":
    main()
