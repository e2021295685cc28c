"""Signing keys: the newest signs, older ones still verify until what they signed has expired."""

import hashlib
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from tenants.actor import Actor
from tenants.reach import Reach
from tenants.records import Json, Record
from tenants.sealing import seal, unseal
from tenants.store import Store
from tenants.trail import record
from tenants.verbs import Verb

ALGORITHMS = ("ES256", "RS256")
"""What a key may sign with: the first is ours, the second on request of an app."""
RETIRED_LIVES = timedelta(hours=2)
"""How long a retired key is still published: longer than anything it signed, with room for clocks."""
READ_EVERY = timedelta(seconds=60)
"""How often a process reads the keys again: so long may another's rotation stay unnoticed."""
DUE_AFTER = timedelta(days=90)
"""How long a key signs before another is due. It goes on signing: who runs the house decides when."""
LOCK = 0x4B455953
"""The advisory lock under which the first key is made ("KEYS")."""


PURPOSE = "signing keys"


class SigningKey(Record):
    """One key pair. The private half is stored encrypted under the house's secret key."""

    __tablename__ = "signing_keys"

    kid: Mapped[str] = mapped_column(sa.String(64), unique=True)
    alg: Mapped[str] = mapped_column(sa.String(10))
    public_jwk: Mapped[dict[str, str]] = mapped_column(Json)
    private_sealed: Mapped[str] = mapped_column(sa.Text)
    created_at: Mapped[datetime]
    retired_at: Mapped[datetime | None]

    @classmethod
    async def make(cls, session: AsyncSession, secret_key: bytes, alg: str, now: datetime) -> "SigningKey":
        """A new key pair for `alg`, which signs from now on; those before it are retired. With its entry."""
        if alg not in ALGORITHMS:
            raise ValueError(f"A key signs with one of {', '.join(ALGORITHMS)}.")
        await _one_at_a_time(session)
        older = sa.update(cls.__table__).where(cls.__table__.c.alg == alg, cls.__table__.c.retired_at.is_(None))
        await session.execute(older.values(retired_at=now))
        kid = secrets.token_urlsafe(12)
        pair = ECKey.generate_key("P-256") if alg == "ES256" else RSAKey.generate_key(2048)
        public = {"kid": kid, "alg": alg, "use": "sig"} | {
            name: str(value) for name, value in pair.as_dict(private=False).items() if name not in {"kid", "alg", "use"}
        }
        key = cls(
            kid=kid,
            alg=alg,
            public_jwk=public,
            private_sealed=seal(secret_key, PURPOSE, kid, json.dumps(pair.as_dict(private=True)).encode()),
            created_at=now,
        )
        session.add(key)
        record(session, Verb.KEYS_ROTATED, None, named=("signing_keys", kid, f"{alg} key {kid}"), alg=alg)
        await session.flush()
        return key

    @property
    def verified_until(self) -> datetime | None:
        """Until when tokens that it signed are taken; None while it signs."""
        return self.retired_at + RETIRED_LIVES if self.retired_at is not None else None

    @property
    def due_at(self) -> datetime | None:
        """When another is to take its place; None once one has."""
        return self.created_at + DUE_AFTER if self.retired_at is None else None

    def signer(self, secret_key: bytes) -> "Signer":
        """The key pair, ready to sign. Raises Sealed when the secret key is not the one it was made under."""
        pair = json.loads(unseal(secret_key, PURPOSE, self.kid, self.private_sealed))
        return Signer(self.kid, self.alg, _import(pair))


@dataclass(frozen=True, slots=True)
class Signer:
    """A key that is open: signs what it is given."""

    kid: str
    alg: str
    pair: ECKey | RSAKey

    def sign(self, claims: dict[str, Any], typ: str = "JWT") -> str:
        """A signed JWT (RFC 7519)."""
        return jwt.encode({"alg": self.alg, "kid": self.kid, "typ": typ}, claims, self.pair, [self.alg])


@dataclass(frozen=True, slots=True)
class Verifier:
    """The public half of a key: holds a token to its own algorithm, whatever the token says."""

    alg: str
    public: ECKey | RSAKey

    def claims(self, token: str) -> dict[str, Any] | None:
        """The claims of a token that this key signed; None for any other."""
        try:
            return dict(jwt.decode(token, self.public, algorithms=[self.alg]).claims)
        except (JoseError, ValueError):
            return None


class KeyRing:
    """The keys of one process: read from the database, and again once a minute or when an unknown one turns up."""

    def __init__(self, store: Store, secret_key: bytes) -> None:
        self._store, self._secret_key = store, secret_key
        self._rows: Sequence[SigningKey] = ()
        self._signers: dict[str, Signer] = {}
        self._verifiers: dict[str, Verifier] = {}
        self._read_at: datetime | None = None

    async def signer(self, alg: str, now: datetime) -> Signer:
        """The newest key for `alg`; the first one is made here, once, however many ask at the same time."""
        await self._read(now, READ_EVERY)
        newest = self._newest(alg)
        if newest is None:
            await self._make_first(alg, now)
            newest = self._newest(alg)
        if newest is None:
            raise LookupError(f"no {alg} key")
        if newest.kid not in self._signers:
            self._signers[newest.kid] = newest.signer(self._secret_key)
        return self._signers[newest.kid]

    async def verify(self, token: str, now: datetime, typ: str) -> dict[str, Any] | None:
        """The claims of a token of this type that one of our keys signed; None for any other. Dates are not asked."""
        header = read_header(token)
        if str(header.get("typ", "")).lower().removeprefix("application/") != typ.lower():
            return None
        kid = str(header.get("kid", ""))
        # A made-up key id must not drive reads: at most one a second looks for a key that another process made.
        await self._read(now, READ_EVERY if kid in self._verifiers else timedelta(seconds=1))
        verifier = self._verifiers.get(kid)
        return verifier.claims(token) if verifier is not None and header.get("alg") == verifier.alg else None

    async def published(self, now: datetime) -> dict[str, Any]:
        """The public keys (RFC 7517): those that sign, and retired ones until what they signed has expired."""
        await self.signer(ALGORITHMS[0], now)
        return {"keys": [row.public_jwk for row in self._rows]}

    async def listed(self, now: datetime) -> Sequence[SigningKey]:
        """The keys that are published now, the newest first, read anew."""
        await self.signer(ALGORITHMS[0], now)
        await self._read(now, timedelta(0))
        return self._rows

    async def rotate(self, actor: Actor, now: datetime) -> None:
        """A new key for every algorithm in use, by somebody whose right to it was asked before."""
        async with self._store.work(actor, Reach.everywhere("signing keys"), now) as session:
            await rotate(session, self._secret_key, now)
        self.forget()

    def forget(self) -> None:
        """Read again at the next use, as after a rotation in this process."""
        self._read_at = None

    def _newest(self, alg: str) -> SigningKey | None:
        return next((row for row in self._rows if row.alg == alg and row.retired_at is None), None)

    async def _read(self, now: datetime, every: timedelta) -> None:
        if self._read_at is not None and abs(now - self._read_at) < every:
            return
        async with self._store.work(
            Actor.house("signing keys"), Reach.everywhere("signing keys"), now, writes=False
        ) as session:
            self._rows = await live_keys(session, now)
        self._verifiers = {row.kid: Verifier(row.alg, _import(row.public_jwk)) for row in self._rows}
        self._signers = {kid: signer for kid, signer in self._signers.items() if kid in self._verifiers}
        self._read_at = now

    async def _make_first(self, alg: str, now: datetime) -> None:
        house, everywhere = Actor.house("signing keys"), Reach.everywhere("signing keys")
        async with self._store.work(house, everywhere, now) as session:
            await _one_at_a_time(session)
            # Whoever waited for the lock finds the key that the first one made.
            if not any(row.alg == alg and row.retired_at is None for row in await live_keys(session, now)):
                await SigningKey.make(session, self._secret_key, alg, now)
        await self._read(now, timedelta(0))


async def live_keys(session: AsyncSession, now: datetime) -> Sequence[SigningKey]:
    """The keys that are published, newest first."""
    wanted = sa.select(SigningKey).where(
        sa.or_(SigningKey.retired_at.is_(None), SigningKey.retired_at > now - RETIRED_LIVES)
    )
    return list(await session.scalars(wanted.order_by(SigningKey.id.desc())))


async def rotate(session: AsyncSession, secret_key: bytes, now: datetime) -> list[SigningKey]:
    """A new key for every algorithm in use, ES256 at least."""
    used = {row.alg for row in await live_keys(session, now) if row.retired_at is None} | {ALGORITHMS[0]}
    return [await SigningKey.make(session, secret_key, alg, now) for alg in ALGORITHMS if alg in used]


def read_header(token: str) -> dict[str, Any]:
    """What a token says of itself, before anything is believed; empty for what is no token."""
    head = token.partition(".")[0]
    try:
        header = json.loads(urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (ValueError, RecursionError):
        return {}
    return header if isinstance(header, dict) else {}


async def _one_at_a_time(session: AsyncSession) -> None:
    """On PostgreSQL a lock until the transaction ends; on SQLite there is one writer anyway."""
    if (await session.connection()).dialect.name == "postgresql":
        await session.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})


def _import(jwk: dict[str, str]) -> ECKey | RSAKey:
    return ECKey.import_key(dict(jwk)) if jwk["kty"] == "EC" else RSAKey.import_key(dict(jwk))


def at_hash(access_token: str) -> str:
    """The left half of the token's SHA-256 (OIDC Core section 3.1.3.6); both our algorithms use SHA-256."""
    return urlsafe_b64encode(hashlib.sha256(access_token.encode()).digest()[:16]).rstrip(b"=").decode()
