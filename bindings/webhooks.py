"""Webhook: where a tenant's own program is told of what happens there and below (Standard Webhooks 1.0)."""

import hmac
import json
import secrets
from base64 import b64decode, b64encode
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from bindings.apps import checked_uri
from bindings.committed import Position, position_now
from bindings.webhook_deliveries import TEST, WebhookDelivery
from tenants.reach import Extent, Reach
from tenants.records import Audited, Json, Number, Record
from tenants.refusals import Conflict, Invalid, OutOfReach
from tenants.sealing import seal, unseal
from tenants.trail import numbered, record
from tenants.tree import Tenant
from tenants.verbs import Verb

EVENTS: dict[str, tuple[Verb, ...]] = {
    "stand_ins": (
        Verb.IMPERSONATION_STARTED,
        Verb.IMPERSONATION_STOPPED,
        Verb.IMPERSONATION_ENDED,
        Verb.BOUND,
        Verb.BINDING_ENDED,
        Verb.LOGGED_IN,
        Verb.LOGIN_ENDED,
    ),
    "people": (
        Verb.MEMBERSHIP_CREATED,
        Verb.MEMBERSHIP_SPONSORED,
        Verb.MEMBERSHIP_CHANGED,
        Verb.MEMBERSHIP_DISCARDED,
        Verb.MEMBERSHIP_UNDISCARDED,
        Verb.USER_DISCARDED,
        Verb.USER_UNDISCARDED,
    ),
    "suspensions": (Verb.TENANT_SUSPENDED, Verb.SUSPENSION_LIFTED),
    "moves": (Verb.TENANT_MOVED, Verb.PHONE_SYSTEM_MOVED),
}
"""What can be told, by what it is about. Of logins only those by which somebody stands in."""
KNOWN = tuple(verb.value for verbs in EVENTS.values() for verb in verbs)

PREFIX = "whsec_"
SECRET_BYTES = 32
PURPOSE = "webhook secret"
OVERLAP = timedelta(hours=24)
"""How long the secret before the last one signs as well."""
MOST = 20
"""Of one tenant, in use."""


class Webhook(Record, Audited):
    """One address of a tenant, the events it is told of, and how far in the trail it has been served."""

    __tablename__ = "webhooks"
    noun = "webhook"
    derived = frozenset({"seen_transaction", "seen_entry_id"})
    secret = frozenset({"sealed"})

    tenant_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("tenants.id"))
    url: Mapped[str] = mapped_column(sa.String(2000))
    sealed: Mapped[str] = mapped_column(sa.Text())
    """Its secret, and until when the one before is good as well."""
    events: Mapped[list[str]] = mapped_column(Json)
    seen_transaction: Mapped[int] = mapped_column(sa.BigInteger())
    seen_entry_id: Mapped[int] = mapped_column(Number)
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]
    discarded_at: Mapped[datetime | None]

    @classmethod
    def within(cls, reach: Reach) -> sa.ColumnElement[bool]:
        """Where its tenant is; none of a member's."""
        return sa.false() if reach.extent is Extent.SELF else reach.tenants(cls.tenant_id)

    def touches(self, reach: Reach) -> set[int] | None:
        """Its tenant."""
        return None if reach.extent is Extent.SELF else {self.tenant_id}

    @property
    def label(self) -> str:
        """The host that is told: the rest of an address may be as good as a password."""
        return urlsplit(self.url).hostname or self.noun

    @property
    def seen(self) -> Position:
        """How far it has been served."""
        return Position(self.seen_transaction, self.seen_entry_id)

    @classmethod
    async def make(
        cls, session: AsyncSession, secret_key: bytes, tenant: Tenant, url: str, events: Iterable[str], now: datetime
    ) -> tuple["Webhook", str]:
        """A new one and its secret, shown once. It is told of what happens from now on. Raises Invalid, Conflict."""
        if tenant.discarded_at is not None:
            raise Conflict(f"{tenant.name} is discarded.")
        in_use = sa.select(sa.func.count(cls.id)).where(cls.tenant_id == tenant.id, cls.discarded_at.is_(None))
        if (await session.scalar(in_use) or 0) >= MOST:
            raise Conflict(f"{tenant.name} has {MOST} webhooks already. Discard one first.", rule="webhooks")
        number, secret, here = await numbered(session, cls.__tablename__), _new_secret(), await position_now(session)
        webhook = cls(
            id=number,
            tenant_id=tenant.id,
            url=checked_uri(url, "web", "url"),
            sealed=_sealed(secret_key, number, secret),
            events=checked_events(events),
            seen_transaction=here.transaction,
            seen_entry_id=here.entry_id,
            created_at=now,
        )
        session.add(webhook)
        record(session, Verb.WEBHOOK_CREATED, webhook)
        await session.flush()
        return webhook, secret

    async def change(
        self, session: AsyncSession, *, url: str | None = None, events: Iterable[str] | None = None
    ) -> None:
        """Another address or other events; one entry with what really changed. Raises Invalid, Conflict."""
        self._require_in_use()
        wanted: dict[str, Any] = {}
        if url is not None:
            wanted["url"] = checked_uri(url, "web", "url")
        if events is not None:
            wanted["events"] = checked_events(events)
        changed = {name: value for name, value in wanted.items() if getattr(self, name) != value}
        for name, value in changed.items():
            setattr(self, name, value)
        if changed:
            record(session, Verb.WEBHOOK_CHANGED, self)
            await session.flush()

    async def rotate(self, session: AsyncSession, secret_key: bytes, now: datetime) -> str:
        """A new secret, shown once. For OVERLAP messages are signed by the old one as well."""
        self._require_in_use()
        old, secret = secrets_of(secret_key, self.id, self.sealed, now)[0], _new_secret()
        self.sealed = _sealed(secret_key, self.id, secret, old, now + OVERLAP)
        record(session, Verb.WEBHOOK_SECRET_ROTATED, self)
        await session.flush()
        return secret

    async def test(self, session: AsyncSession, now: datetime) -> WebhookDelivery:
        """Send it an event that says nothing but that this works."""
        self._require_in_use()
        if self.disabled_at is not None:
            raise Conflict("This webhook is disabled. Enable it first.", rule="disabled")
        record(session, Verb.WEBHOOK_TESTED, self)
        await session.flush()
        delivery = WebhookDelivery.of(self.id, self.tenant_id, self.last_entry_id, TEST, now)
        session.add(delivery)
        await session.flush()
        return delivery

    async def disable(self, session: AsyncSession, now: datetime, cause: str | None = None) -> None:
        """Tell it nothing more, and give up what was on its way."""
        self._require_in_use()
        if self.disabled_at is not None:
            raise Conflict("This webhook is disabled already.")
        self.disabled_at = now
        details: dict[str, Any] = {"cause": cause} if cause else {}
        record(session, Verb.WEBHOOK_DISABLED, self, **details)
        await session.flush()
        await WebhookDelivery.give_up_all(session, self.id, now)

    async def enable(self, session: AsyncSession, now: datetime) -> None:
        """Tell it again, of what happens from now on. What was missed stays in the history."""
        self._require_in_use()
        if self.disabled_at is None:
            raise Conflict("This webhook is not disabled.")
        here = await position_now(session)
        self.disabled_at, self.seen_transaction, self.seen_entry_id = None, here.transaction, here.entry_id
        record(session, Verb.WEBHOOK_ENABLED, self)
        await session.flush()

    async def discard(self, session: AsyncSession, now: datetime) -> None:
        """End it for good, and give up what was on its way."""
        self._require_in_use()
        self.discarded_at = now
        record(session, Verb.WEBHOOK_DISCARDED, self)
        await session.flush()
        await WebhookDelivery.give_up_all(session, self.id, now)

    async def replay(self, session: AsyncSession, delivery: WebhookDelivery, now: datetime) -> None:
        """Send one again, as the same message. Raises Conflict while it is on its way."""
        self._require_told()
        if delivery.webhook_id != self.id:
            raise OutOfReach
        if delivery.done_at is None:
            raise Conflict("This one is on its way already.", rule="waiting")
        delivery.start_again(now)
        record(session, Verb.WEBHOOK_REPLAYED, self, events=1)
        await session.flush()

    async def replay_since(self, session: AsyncSession, since: datetime, now: datetime, *, failed: bool = True) -> int:
        """Send again what was given up of everything since then, or with `failed` off all of it; returns how many."""
        self._require_told()
        count = await WebhookDelivery.start_all_again(session, self.id, since, now, failed=failed)
        if count:
            record(session, Verb.WEBHOOK_REPLAYED, self, events=count)
            await session.flush()
        return count

    def _require_in_use(self) -> None:
        if self.discarded_at is not None:
            raise Conflict("This webhook is discarded.")

    def _require_told(self) -> None:
        self._require_in_use()
        if self.disabled_at is not None:
            raise Conflict("This webhook is disabled. Enable it first.", rule="disabled")


def checked_events(events: Iterable[str]) -> list[str]:
    """Those that are known, each once, in the order of the list. Raises Invalid for any other, and for none."""
    chosen = set(events)
    if not chosen or chosen - set(KNOWN):
        raise Invalid(f"Choose events of this list: {', '.join(KNOWN)}.", field="events")
    return [event for event in KNOWN if event in chosen]


def secrets_of(secret_key: bytes, webhook_id: int, sealed: str, now: datetime) -> list[str]:
    """The secrets that sign now, the newest first: two of them for OVERLAP after a rotation. Raises Sealed."""
    kept = json.loads(unseal(secret_key, PURPOSE, str(webhook_id), sealed))
    if kept["old"] is not None and now < datetime.fromisoformat(kept["until"]):
        return [kept["secret"], kept["old"]]
    return [kept["secret"]]


def signed(keys: Collection[str], message_id: str, moment: datetime, body: bytes) -> dict[str, str]:
    """The three headers of a message; `webhook-signature` has one signature for each secret."""
    timestamp = str(int(moment.timestamp()))
    content = f"{message_id}.{timestamp}.".encode() + body
    marks = (hmac.digest(b64decode(key.removeprefix(PREFIX)), content, "sha256") for key in keys)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{b64encode(each).decode()}" for each in marks),
    }


async def find_webhook(session: AsyncSession, webhook_id: int) -> Webhook:
    """The webhook, when in reach; otherwise OutOfReach."""
    webhook = await session.get(Webhook, webhook_id)
    if webhook is None:
        raise OutOfReach
    return webhook


def _new_secret() -> str:
    return PREFIX + b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def _sealed(
    secret_key: bytes, webhook_id: int, secret: str, old: str | None = None, until: datetime | None = None
) -> str:
    kept = {"secret": secret, "old": old, "until": until.isoformat() if until else None}
    return seal(secret_key, PURPOSE, str(webhook_id), json.dumps(kept).encode())
