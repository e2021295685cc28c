"""The scene of the intent: everybody with a key and a browser, two companies' records, and nothing that lasts."""

import asyncio
import re
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from typing import cast as cast_type

import httpx
import sqlalchemy as sa
from litestar import Litestar
from litestar.handlers.http_handlers import HTTPRouteHandler
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from webauthn.helpers import bytes_to_base64url

from bindings.app_consents import AppConsent
from bindings.apps import App
from bindings.impersonation import Asked, Impersonation
from bindings.keys import KeyRing
from bindings.webhooks import Webhook
from control.house import House
from control.rate_limits import Quotas
from control.settings import Settings
from control.streams import Streams
from control.visitor import Visitor
from tenants.actor import Actor
from tenants.api_keys import SCOPES, ApiKey
from tenants.break_glasses import BreakGlass
from tenants.consents import Consent
from tenants.fence import FencedSession
from tenants.invitations import Invitation
from tenants.letters import Addressee, Letter, LetterKind
from tenants.numbers import InboundNumber
from tenants.passkeys import Passkey
from tenants.people import User, find_membership
from tenants.phones import Extension, Licence, find_phone_system
from tenants.playbooks import Playbook
from tenants.reach import Reach
from tenants.roles import Role
from tenants.service_accounts import ServiceAccount
from tenants.sign_in import SignIn
from tenants.store import Store
from tenants.teams import Team
from tenants.trail import Entry, record
from tenants.tree import Scope, Suspension, Tenant
from tenants.verbs import Verb
from tests.cast import NOW, ORIGIN, Cast, bind, house_work, work_as
from tests.intent import EVERYBODY, STRANGER, Line
from tests.one_app import app_for

PANEL = "http://localhost:8000"

RECORDS = {
    "tenant_id": "tenant",
    "user_id": "user",
    "membership_id": "member",
    "extension_id": "extension",
    "system_id": "phone_system",
    "licence_id": "licence",
    "number_id": "number",
    "recording_id": "recording",
    "team_id": "team",
    "playbook_id": "playbook",
    "entry_id": "entry",
    "app_id": "app",
    "binding_id": "binding",
    "impersonation_id": "impersonation",
    "suspension_id": "suspension",
    "consent_id": "consent",
    "glass_id": "glass",
    "invitation_id": "invitation",
    "letter_id": "letter",
    "key_id": "key",
    "sign_in_id": "sign_in",
    "passkey_id": "passkey",
    "account_id": "account",
    "webhook_id": "webhook",
    "delivery_id": "delivery",
    "app_consent_id": "app_consent",
}
"""Which record of a place stands in an address."""

STARS = {
    "Bakery": ("Olaf", "Bea", "201", "Amos", "Opal", "Boris", "Oak"),
    "Dairy": ("Pia", "Dan", "101", "Dina", "Paul", "Pia", "Pine"),
}
"""Who suspends, the subject and their number, a colleague, who stands in for the subject, an admin, the parent."""


class _TakenBack(AbstractAsyncContextManager[AsyncSession]):
    """A session inside a transaction that is never committed."""

    def __init__(self, store: "Rehearsal", engine: AsyncEngine, **said: Any) -> None:
        self.store, self.connection, self.said = store, engine.connect(), said

    async def __aenter__(self) -> AsyncSession:
        # A request that is refused meanwhile gives up waiting; half a connection could never be given back.
        self.opening = asyncio.create_task(self._open())
        self.store.going.append(self)
        return await asyncio.shield(self.opening)

    async def _open(self) -> AsyncSession:
        await self.connection.start()
        await self.connection.begin()
        self.session = AsyncSession(self.connection, join_transaction_mode="create_savepoint", **self.said)
        self.begun = await self.session.begin()
        return self.session

    async def __aexit__(self, *error: Any) -> None:
        await self.opening
        if self in self.store.going:
            self.store.going.remove(self)
            try:
                await self.begun.__aexit__(*error)
            finally:
                await self.session.close()
                await self.connection.close()


class Rehearsal(Store):
    """A store whose work is done in full, entries and refusals included, and then taken back."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.going: list[_TakenBack] = []

    def work(
        self, actor: Actor, reach: Reach, now: datetime, *, writes: bool = True
    ) -> AbstractAsyncContextManager[AsyncSession]:
        """As in the store itself, inside a transaction that is never committed."""
        return _TakenBack(
            self,
            self.writer if writes else self.reader,
            sync_session_class=FencedSession,
            expire_on_commit=False,
            autoflush=writes,
            info={"actor": actor, "reach": reach, "now": now},
        )

    async def tidy(self) -> None:
        """Close what a request has left, which was refused while its session was got ready: nothing was done there."""
        for left in list(self.going):
            await left.__aexit__(None, None, None)


@dataclass(frozen=True)
class Who:
    """Somebody with a key for the API and a browser at the pages, or a stranger with neither."""

    user_id: int = 0
    key: str | None = None
    cookie: str | None = None
    csrf: str = ""
    acting: str = ""
    """What forms say of as whom their page was drawn, where that is somebody else."""


@dataclass
class Scene:
    """The app over the rehearsal, who is there, and what belongs to the places."""

    app: Litestar
    client: httpx.AsyncClient
    house: House
    people: dict[str, Who]
    places: dict[str, dict[str, int]]

    @property
    def settings(self) -> Settings:
        """What the house goes by."""
        return self.house.settings

    def routes(self) -> dict[str, HTTPRouteHandler]:
        """Every door of the app: `GET /users/{user_id}`."""
        found: dict[str, HTTPRouteHandler] = {}
        for route in self.app.routes:
            for handler in getattr(route, "route_handlers", []):
                if "may" in handler.opt:
                    path = re.sub(r"{(\w+):\w+}", r"{\1}", route.path)
                    found |= {f"{method} {path}": handler for method in handler.http_methods}
        return found

    async def knock(self, name: str, route: str, line: Line, records: dict[str, int]) -> httpx.Response:
        """Somebody at a door, with these records."""
        who = self.people.get(name, Who())
        values = {**records, "me": who.user_id}
        method, _, path = route.partition(" ")
        names = {part: line.path.get(part, f"${RECORDS.get(part, part)}") for part in re.findall(r"{(\w+)}", path)}
        for part, value in names.items():
            path = path.replace(f"{{{part}}}", str(meant(value, values)))
        sent = {key: meant(value, values) for key, value in line.sent.items()}
        query = re.sub(r"\$(\w+)", lambda found: str(values[found[1]]), line.query)
        return await self._send(who, method, f"{path}?{query}" if query else path, sent)

    async def _send(self, who: Who, method: str, path: str, sent: dict[str, Any]) -> httpx.Response:
        self.app.state.house = self.house  # another scene may have been played meanwhile: there is one app for all
        programs = path.startswith(("/api/", "/scim/", "/metrics"))
        headers = {"Accept": "application/json" if programs else "text/html"}
        if programs:
            headers |= {"Authorization": f"Bearer {who.key}"} if who.key else {}
            return await self.client.request(method, path, headers=headers, json=sent or None)
        self.client.cookies.clear()
        if who.cookie:
            headers["Cookie"] = f"{self.settings.cookie('sign-in')}={who.cookie}"
        form = {key: str(value) for key, value in sent.items()} | {"_csrf_token": who.csrf}
        form |= {"_acting": who.acting} if who.acting else {}
        return await self.client.request(method, path, headers=headers, data=form if method == "POST" else None)


def meant(value: Any, values: dict[str, int]) -> Any:
    """The number that `$extension` stands for; anything else is what it is."""
    return values.get(value[1:], value) if isinstance(value, str) and value.startswith("$") else value


def records_named(route: str, line: Line) -> set[str]:
    """Which records of a place a route speaks of, by their names in the place."""
    parts = re.findall(r"{(\w+)}", route)
    named = {line.path.get(part, f"${RECORDS.get(part, 'me')}") for part in parts}
    named |= {value for value in line.sent.values() if isinstance(value, str)}
    named |= set(re.findall(r"\$\w+", line.query))
    return {name[1:] for name in named if name.startswith("$")} - {"me"}


async def set_scene(url: str, cast: Cast, settings: Settings) -> tuple[Scene, Rehearsal]:
    """Everybody signed in and with a key, and the records of both places."""
    store = Store(url)
    places = {place: await _records(store, cast, place) for place in STARS}
    places = {place: found | await _webhook(store, settings, found["tenant"]) for place, found in places.items()}
    people = {STRANGER: Who()} | {name: await _person(store, cast, name, settings) for name in sorted(EVERYBODY)}
    await KeyRing(store, settings.secret_key).signer("ES256", NOW)
    await store.close()
    rehearsal = Rehearsal(url)
    # More is asked in this one minute than anybody may.
    settings = replace(settings, quotas=Quotas(0, 0, 0))
    house = House(settings, rehearsal, lambda: NOW, streams=Streams(ticks=0))
    app = app_for(house)
    transport = httpx.ASGITransport(cast_type(Any, app))
    return Scene(app, httpx.AsyncClient(transport=transport, base_url=PANEL), house, people, places), rehearsal


async def _person(store: Store, cast: Cast, name: str, settings: Settings) -> Who:
    identity = cast.identity(name)
    async with work_as(store, cast.actor(name)) as session:
        membership = await find_membership(session, identity.membership_id)
        _, secret = await ApiKey.make(session, membership, "the intent", list(SCOPES), 90, NOW)
    async with house_work(store) as session:
        sign_in, cookie = await SignIn.start(session, identity, ORIGIN, "a browser", NOW)
        visitor = Visitor(ORIGIN, NOW, csrf_seed=sign_in.csrf_secret)
    return Who(identity.user_id, secret, cookie, visitor.csrf(settings))


async def _records(store: Store, cast: Cast, place: str) -> dict[str, int]:
    """One record of each kind that belongs to the place."""
    closer, subject, number, colleague, bound, admin, parent = STARS[place]
    tenant_id, member = cast.tenant(place).id, cast.membership_id(subject, at=place)
    records = {
        "tenant": tenant_id,
        "parent": cast.tenant(parent).id,
        "user": cast.user(subject).id,
        "member": member,
        "colleague": cast.membership_id(colleague, at=place),
        "extension": cast.extension(place, number).id,
        "phone_system": cast.phone_system_id(place),
        "recording": cast.recordings[f"{place.lower()}-1"],
        "binding": await bind(store, cast, bound, place, number),
    }
    async with house_work(store) as session:
        first = sa.select(sa.func.min(Licence.id)).where(Licence.extension_id == records["extension"])
        records["licence"] = (await session.execute(first)).scalar_one()
        told = sa.select(sa.func.min(Entry.id)).where(Entry.tenant_id == tenant_id, Entry.actor_user_id.is_(None))
        records["entry"] = (await session.execute(told)).scalar_one()
        subject_there = await find_membership(session, member)
        records["key"] = (await ApiKey.make(session, subject_there, "theirs", ["read"], 90, NOW))[0].id
        owner = await session.get_one(User, subject_there.user_id)
        device = bytes_to_base64url(place.encode())
        proved = {"credential_id": device, "public_key": "key", "sign_count": 0, "transports": ["internal"]}
        records["passkey"] = (await Passkey.add(session, owner, name="theirs", now=NOW, **proved)).id
        to, new = Addressee("x@y.example", "X"), {"email": "z@y.example"}
        letter = await Letter.put(session, b"k" * 32, LetterKind.EMAIL_CHANGED, to, tenant_id, NOW, **new)
        letter.tries, letter.error = 1, "busy 451"
        records["letter"] = letter.id
        opened = {"tenant_id": tenant_id, "created_at": NOW}
        window = Consent(**opened, membership_id=member, to_tenant_id=records["parent"], granted_by_id=member)
        window.ends_at = NOW + timedelta(days=1)
        glass = BreakGlass(**opened, subject_membership_id=member, asked_by_id=cast.membership_id(closer))
        glass.reason = "their calls do not ring"
        known = AppConsent(**opened, user_id=owner.id, app_id=cast.app_id("softphone"), scopes="openid")
        for name, row, verb in (
            ("app_consent", known, Verb.APP_AGREED),
            ("consent", window, Verb.CONSENT_GRANTED),
            ("glass", glass, Verb.BREAK_GLASS_ASKED),
        ):
            session.add(row)
            record(session, verb, row)
            await session.flush()
            records[name] = row.id
        records["sign_in"] = (await SignIn.start(session, cast.identity(subject), ORIGIN, "theirs", NOW))[0].id
    async with work_as(store, cast.actor(bound)) as session:
        asked = Asked.of("their calls do not ring")
        stood_in = await find_membership(session, member)
        stand = await Impersonation.start(session, cast.actor(bound), stood_in, asked, NOW)
        records["impersonation"] = stand.id
    async with work_as(store, cast.actor(admin)) as session:
        records |= await _made_by_an_admin(session, cast.actor(admin), tenant_id, records["phone_system"])
        team = await session.get_one(Team, records["team"])
        await team.add(session, cast.actor(admin), await find_membership(session, member))
    async with work_as(store, cast.actor(closer)) as session:
        tenant = await session.get_one(Tenant, tenant_id)
        suspension = await tenant.suspend(session, cast.actor(closer), Scope.STAFF, "over long ago", NOW)
        await suspension.lift(session, cast.actor(closer), NOW)
        records["suspension"] = suspension.id
        assert isinstance(suspension, Suspension)
    return records


async def _webhook(store: Store, settings: Settings, tenant_id: int) -> dict[str, int]:
    """A webhook of the place, and what was given up on its way to it."""
    async with house_work(store) as session:
        tenant, url = await session.get_one(Tenant, tenant_id), "https://theirs.example/hook"
        webhook, _ = await Webhook.make(session, settings.secret_key, tenant, url, ["binding.made"], NOW)
        delivery = await webhook.test(session, NOW)
        delivery.done_at, delivery.try_at, delivery.error = NOW, None, "time"
    return {"webhook": webhook.id, "delivery": delivery.id}


async def _made_by_an_admin(session: AsyncSession, actor: Actor, tenant_id: int, system_id: int) -> dict[str, int]:
    tenant = await session.get_one(Tenant, tenant_id)
    app, _ = await App.register(
        session, actor, tenant, name="Theirs", redirect_uris=["https://theirs.example/"], now=NOW
    )
    team = await Team.create(session, tenant, "Theirs", NOW)
    spare = await Extension.create(session, await find_phone_system(session, system_id), "298", NOW)
    invitation = await Invitation.prepare(session, actor, tenant.id, "x@y.example", "X", Role.MEMBER, NOW)
    number = await InboundNumber.add(session, tenant, "+442079460123", NOW, extension=spare)
    playbook = await Playbook.write(session, actor, tenant, "When it is dark", "Call the night desk.", "", NOW)
    made: dict[str, Any] = {"app": app, "team": team, "spare": spare, "invitation": invitation, "number": number}
    made["playbook"] = playbook
    made["account"], _ = await ServiceAccount.make(session, actor, tenant, "Theirs", Role.MEMBER, ["read"], NOW)
    return {name: record.id for name, record in made.items()}
