"""A house full of canaries: every text that somebody could have typed says of which tenant it is.

`plant` gives each tenant of the cast a row of every kind and then writes `canary-zoo-teams.name-7` over every text of
its rows, what history tells of them included. A new column is planted by itself; what only the house writes (kinds,
hashes, sealed texts) stands in CODED. `heard` finds them again in an answer.
"""

import json
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from operator import attrgetter
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from bindings.app_consents import AppConsent
from bindings.apps import App
from bindings.binding import Binding
from bindings.impersonation import Impersonation
from bindings.notices import AccessNotice
from bindings.webhooks import Webhook
from control.settings import Settings
from tenants.api_keys import ApiKey
from tenants.break_glasses import BreakGlass
from tenants.consents import Consent
from tenants.email_changes import EmailChange
from tenants.invitations import Invitation
from tenants.letters import Addressee, Letter, LetterKind
from tenants.loosenings import Loosening
from tenants.numbers import InboundNumber
from tenants.passkeys import Passkey
from tenants.people import Membership, User
from tenants.phones import Extension, Licence, PhoneSystem, Product
from tenants.playbooks import Playbook
from tenants.recordings import Direction, Recording
from tenants.records import Record
from tenants.roles import Role
from tenants.seats import SeatLimit
from tenants.service_accounts import ServiceAccount
from tenants.sign_in import SignIn
from tenants.store import Store
from tenants.teams import Team
from tenants.trail import Entry, record
from tenants.tree import Scope, Suspension, Tenant
from tenants.verbs import Verb
from tests.cast import NOW, ORIGIN, Cast, house_work

_CODED = """
kind type slug path tenant_path zone locale theme role scope scopes via verb record_type record_id mode event events
purpose direction disposition ended_cause because methods alg id_token_alg kid request_id network csrf_secret jkt jwks
document team_ids digits key wanted credential_id public_key public_jwk transports sealed private_sealed brand_logo
signals_token login_id error tell_error nonce code_challenge client_id e164
signals_status signals_requested signals_about
"""
CODED = frozenset(_CODED.split())
"""Columns that hold what the house writes by itself, or one of its own words. A client id is given at the start, since
tokens name it."""
HASHED = ("_hash", "hash")
_HOUSE = """
products signing_keys trail_keys checkpoints leaves pending_entries logos idempotent_answers logins codes tokens
pushed_requests seen_proofs sign_in_failures
"""
HOUSE = frozenset(_HOUSE.split())
"""Tables of the house: none of their rows is a tenant's, or no text of theirs was typed."""

CANARY = re.compile(r"canary-([a-z]+)(?:-([a-z_]+)\.([a-z_]+))?-(\d+)", re.IGNORECASE)
SHORT = 60
"""A column with fewer characters than this names the tenant and the row alone."""
SHORTEST = 20
"""One with fewer than this holds a code."""


@dataclass(frozen=True, order=True)
class Canary:
    """Whose text it is: the tenant in small letters, the table and column (nothing where it was short), the row."""

    place: str
    table: str
    column: str
    row: int


def heard(text: str) -> set[Canary]:
    """The canaries in a text."""
    return {
        Canary(place.lower(), (table or "").lower(), (column or "").lower(), int(row))
        for place, table, column, row in CANARY.findall(text)
    }


async def plant(store: Store, cast: Cast, settings: Settings) -> dict[str, dict[str, int]]:
    """Rows of every kind in every tenant, and a canary in every text. Returns the records by place, as a scene has."""
    places = {}
    for number, place in enumerate(sorted(cast.places)):
        async with house_work(store) as session:
            places[place] = await _Furnishing(session, cast, place, number).everything(settings)
    async with store.writer.connect() as connection, connection.begin():
        await _paint(connection, {each.id: place.lower() for place, each in cast.places.items()})
    return places


class _Furnishing:
    """One tenant's rows, made by the platform's admin: a record of each kind that the API speaks of."""

    def __init__(self, session: AsyncSession, cast: Cast, place: str, number: int) -> None:
        self.session, self.actor, self.number = session, cast.actor("Ada"), number
        self.home = cast.tenant(place)
        names = [name for name in cast.people if name in cast.identities and cast.home(name) == place]
        self.people = sorted((cast.identity(name) for name in names), key=attrgetter("membership_id"))
        self.here: dict[str, Any] = {"tenant_id": self.home.id, "created_at": NOW}
        self.app_id = cast.app_id("softphone")

    async def everything(self, settings: Settings) -> dict[str, int]:
        """A row of every kind; returns their ids by the names that tests/control/scene.py gives them."""
        session = self.session
        self.tenant = await session.get_one(Tenant, self.home.id)
        first, last = self.people[0], self.people[-1]
        self.member = await session.get_one(Membership, last.membership_id)
        self.user = await session.get_one(User, last.user_id)
        parent = await session.get_one(Tenant, self.home.parent_id) if self.home.parent_id else self.tenant
        made: dict[str, Any] = {"tenant": self.tenant, "parent": parent, "user": self.user, "me": self.user}
        made |= {"member": self.member, "colleague": await session.get_one(Membership, first.membership_id)}
        made |= await self._phones()
        made |= await self._company()
        made |= await self._programs(settings)
        made |= await self._stand_ins(made["extension"])
        made["sign_in"] = (await SignIn.start(session, last, ORIGIN, "a browser", NOW))[0]
        entries = Entry.__table__.c
        newest = sa.select(sa.func.max(entries.id)).where(entries.tenant_id == self.tenant.id)
        return {name: row.id for name, row in made.items()} | {"entry": (await session.execute(newest)).scalar_one()}

    async def _phones(self) -> dict[str, Any]:
        session, tenant = self.session, self.tenant
        system = await PhoneSystem.create(session, tenant, "Second", f"{tenant.slug}-2.pbx.example", NOW)
        extension = await Extension.create(session, system, "901", NOW, name="theirs", membership=self.member)
        spare = await Extension.create(session, system, "902", NOW, name="nobody's")
        product = (await session.scalars(sa.select(Product).order_by(Product.id))).first()
        assert product is not None
        limit = SeatLimit(**self.here, product_id=product.id, seats=50)
        call = {"external_id": "call-1", "direction": Direction.IN, "party": "+442079460998", "seconds": 60}
        return {
            "phone_system": system,
            "extension": extension,
            "spare": spare,
            "licence": await Licence.grant(session, extension, product, NOW),
            "number": await InboundNumber.add(session, tenant, f"+4420794602{50 + self.number}", NOW, extension=spare),
            "recording": await Recording.take_in(
                session, tenant, NOW, started_at=NOW - timedelta(hours=1), extension=extension, private=False, **call
            ),
            "seats": await self._told(Verb.SEAT_LIMIT_CHANGED, limit),
        }

    async def _company(self) -> dict[str, Any]:
        session, tenant, actor = self.session, self.tenant, self.actor
        email = f"guest@{tenant.slug}.example"
        team = await Team.create(session, tenant, "Theirs", NOW)
        await team.add(session, actor, self.member)
        over = Suspension(**self.here, scope=Scope.STAFF.value, reason="over", level_id=tenant.id, lifted_at=NOW)
        wish = EmailChange(
            user_id=self.user.id,
            email=email,
            asked_by_id=self.member.id,
            own=True,
            expires_at=NOW + timedelta(days=7),
            **self.here,
        )
        addressee = Addressee(email, "Guest", user_id=self.user.id)
        letter = await Letter.put(session, b"k" * 32, LetterKind.EMAIL_CHANGED, addressee, tenant.id, NOW, email=email)
        letter.tries, letter.error = 1, "busy 451"
        return {
            "team": team,
            "playbook": await Playbook.write(session, actor, tenant, "When it is dark", "Call.", "first", NOW),
            "invitation": await Invitation.prepare(session, actor, tenant.id, email, "Guest", Role.MEMBER, NOW),
            "letter": letter,
            "suspension": await self._told(Verb.TENANT_SUSPENDED, over),
            "email_change": await self._told(Verb.EMAIL_CHANGE_ASKED, wish),
        }

    async def _programs(self, settings: Settings) -> dict[str, Any]:
        session, tenant, actor = self.session, self.tenant, self.actor
        own = {"redirect_uris": ["https://theirs.example/"], "post_logout_redirect_uris": ["https://theirs.example/"]}
        client_id = f"canary-{self.home.name.lower()}-{self.number}"
        app, _ = await App.register(session, actor, tenant, name="Theirs", client_id=client_id, now=NOW, **own)
        account, _ = await ServiceAccount.make(session, actor, tenant, "Theirs", Role.MEMBER, ["read"], NOW)
        webhook, _ = await Webhook.make(
            session, settings.secret_key, tenant, "https://theirs.example/hook", ["tenant.moved"], NOW
        )
        delivery = await webhook.test(session, NOW)
        delivery.done_at, delivery.try_at, delivery.error = NOW, None, "time"
        key, _ = await ApiKey.make(session, self.member, "theirs", ["read"], 90, NOW)
        agreed = AppConsent(**self.here, user_id=self.user.id, app_id=app.id, scopes="openid")
        device = Passkey(
            **self.here, user_id=self.user.id, credential_id=client_id, public_key="k", name="Phone", transports=[]
        )
        return {
            "app": app,
            "account": account,
            "webhook": webhook,
            "delivery": delivery,
            "key": key,
            "app_consent": await self._told(Verb.APP_AGREED, agreed),
            "passkey": await self._told(Verb.PASSKEY_ADDED, device),
        }

    async def _stand_ins(self, extension: Extension) -> dict[str, Any]:
        """Somebody of the platform stands in for the member, in every way there is."""
        actor, subject, here = self.actor.standing, self.member.id, self.here
        until = {"ends_at": NOW + timedelta(minutes=20)}
        names = {"reason": "why", "ticket": "T-1", "actor_name": "A", "subject_name": "S", "tenant_name": "T"}
        whom = {"user_id": actor.user_id, "subject_membership_id": subject, "mode": "full"}
        bound = {"membership_id": actor.membership_id, "extension_id": extension.id, "number": "901"}
        binding = Binding(**here, **whom, **names, **bound, made_by_id=actor.membership_id, accepted_at=NOW, **until)
        by = {"actor_membership_id": actor.membership_id, "actor_tenant_id": actor.tenant_id, "kind": "impersonation"}
        stand = Impersonation(**here, **whom, **names, **by, **until, subject_email="s@s.example", ended_at=NOW)
        window = Consent(**here, membership_id=subject, to_tenant_id=actor.tenant_id, granted_by_id=subject, **until)
        glass = BreakGlass(**here, subject_membership_id=subject, asked_by_id=actor.membership_id, reason="why")
        wanted = {"stand_ins": ["never", "allowed"]}
        looser = Loosening(**here, wanted=wanted, asked_by_id=subject, takes_effect_at=NOW + timedelta(days=1))
        self.session.add(
            AccessNotice(
                **here,
                subject_membership_id=subject,
                actor_membership_id=actor.membership_id,
                actor_name="A",
                actor_tenant_name="T",
                via="impersonation",
                stand_in_id=1,
                at_once=False,
            )
        )
        return {
            "binding": await self._told(Verb.BOUND, binding),
            "impersonation": await self._told(Verb.IMPERSONATION_STARTED, stand),
            "consent": await self._told(Verb.CONSENT_GRANTED, window),
            "glass": await self._told(Verb.BREAK_GLASS_ASKED, glass),
            "loosening": await self._told(Verb.LOOSENING_ASKED, looser),
        }

    async def _told(self, verb: Verb, row: Any) -> Any:
        """The row, with its entry."""
        self.session.add(row)
        record(self.session, verb, row)
        await self.session.flush()
        return row


async def _paint(connection: AsyncConnection, places: dict[int, str]) -> None:
    """Every text of every row that belongs to a tenant becomes a canary. What keeps the trail looks away meanwhile."""
    async with _unwatched(connection):
        whose = await _owners(connection)
        for table in Record.metadata.sorted_tables:
            texts = [column for column in table.c if _is_text(column)]
            if not texts:
                continue
            for row in (await connection.execute(sa.select(table))).mappings().all():
                place = places.get(whose(table, row) or 0)
                if place is not None:
                    painted = {column.name: _canary(place, column, row["id"], row[column.name]) for column in texts}
                    await connection.execute(sa.update(table).where(table.c.id == row["id"]).values(**painted))


def _is_text(column: sa.Column[Any]) -> bool:
    typed = isinstance(column.type, sa.JSON)
    if isinstance(column.type, sa.String):
        typed = (column.type.length or SHORT) >= SHORTEST
    return typed and column.name not in CODED and not column.name.endswith(HASHED) and column.table.name not in HOUSE


def _canary(place: str, column: sa.Column[Any], row: int, old: Any) -> Any:
    """The text in the place of another one, in the form that one had; a JSON value keeps its shape."""
    if isinstance(old, dict):
        return {name: _canary(place, column, row, each) for name, each in old.items()}
    if isinstance(old, list):
        return [_canary(place, column, row, each) for each in old]
    name = f"{column.table.name}.{column.name}"
    # An entry without a subject says that nobody stood in for anybody.
    if not isinstance(old, str) and (old is not None or name == "entries.subject_name"):
        return old
    text = f"canary-{place}-{name}-{row}"
    if (getattr(column.type, "length", None) or 1000) < SHORT:
        return f"canary-{place}-{row}"
    if name.endswith(("_uri", "uris", "url")):
        return f"https://{text}.example/"
    return f"{text}@{place}.example" if "email" in column.name or column.name == "address" else text


async def _owners(connection: AsyncConnection) -> Callable[[sa.Table, Mapping[str, Any]], int | None]:
    """Whose a row is: its own tenant, or that of the person or the membership that it is about."""
    users, members = User.__table__.c, Membership.__table__.c
    homes = dict((await connection.execute(sa.select(users.id, users.home_tenant_id))).tuples().all())
    at = dict((await connection.execute(sa.select(members.id, members.tenant_id))).tuples().all())

    def whose(table: sa.Table, row: Mapping[str, Any]) -> int | None:
        if table is Tenant.__table__:
            return int(row["id"])
        own = row.get("tenant_id") or row.get("home_tenant_id")
        return own or homes.get(row.get("user_id")) or at.get(row.get("subject_membership_id"))

    return whose


@asynccontextmanager
async def _unwatched(connection: AsyncConnection) -> AsyncIterator[None]:
    """Without the triggers that keep the trail, which are put back as they were."""
    if connection.dialect.name == "sqlite":
        asked = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
        found = (await connection.execute(sa.text(asked))).tuples().all()
        away, back = [f"DROP TRIGGER {name}" for name, _ in found], [str(made) for _, made in found]
    else:
        asked = "SELECT tgrelid::regclass, tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled = 'A'"
        found = (await connection.execute(sa.text(asked))).tuples().all()
        away = [f"ALTER TABLE {table} DISABLE TRIGGER {name}" for table, name in found]
        back = [f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}" for table, name in found]
    for statement in away:
        await connection.exec_driver_sql(statement)
    yield
    for statement in back:
        await connection.exec_driver_sql(statement)


async def unplanted(store: Store) -> set[str]:
    """The texts of which some tenant has no canary."""
    found = set[str]()
    async with store.reader.connect() as connection:
        tenants = (await connection.execute(sa.select(sa.func.count()).select_from(Tenant))).scalar_one()
        for column in (each for table in Record.metadata.sorted_tables for each in table.c if _is_text(each)):
            texts = await connection.scalars(sa.select(column))
            if len({each.place for text in texts for each in heard(json.dumps(text))}) < tenants:
                found.add(f"{column.table.name}.{column.name}")
    return found


async def own_rows(store: Store, user_id: int) -> set[tuple[str, int]]:
    """The rows that are about somebody, by table and id: theirs, their memberships' and their extensions';
    and what those are at: the tenant, the phone system."""
    mine: dict[str, set[int]] = {"users": {user_id}, "memberships": set(), "extensions": set(), "tenants": set()}
    found: set[tuple[str, int]] = {("users", user_id)}
    async with store.reader.connect() as connection:
        for table in Record.metadata.sorted_tables:
            for column in table.c:
                pointed = [key.column.table.name for key in column.foreign_keys] or _meant_by(column.name)
                whose = mine.get(pointed[0] if pointed else "", set())
                if column.name.endswith("tenant_id") or not whose:
                    continue
                rows = set(await connection.scalars(sa.select(table.c.id).where(column.in_(whose))))
                found |= {(table.name, row) for row in rows}
                if table.name in mine:
                    mine[table.name] |= rows
        at = sa.select(Membership.tenant_id).where(Membership.id.in_(mine["memberships"]))
        found |= {("tenants", row) for row in await connection.scalars(at)}
        on = sa.select(Extension.phone_system_id).where(Extension.id.in_(mine["extensions"]))
        found |= {("phone_systems", row) for row in await connection.scalars(on)}
    return found


def _meant_by(column: str) -> list[str]:
    """What a number points at where the database holds nobody to it."""
    if column.endswith("user_id"):
        return ["users"]
    return ["memberships"] if column.endswith("membership_id") else []


async def members_at(store: Store, cast: Cast) -> dict[int, set[str]]:
    """Where each user is a member, by name of the place."""
    names, found = {each.id: place for place, each in cast.places.items()}, defaultdict[int, set[str]](set)
    members = Membership.__table__.c
    async with store.reader.connect() as connection:
        for user_id, tenant_id in await connection.execute(sa.select(members.user_id, members.tenant_id)):
            found[user_id].add(names[tenant_id])
    return found
