"""The sealed trail: entries become leaves of a Merkle tree, in the order of their ids, and its root is signed.

A trigger of the database notes each new entry as pending, in the transaction that writes it. The sealer takes what is
pending in a transaction of its own; all that it must know besides is the newest checkpoint, so that it may be killed
anywhere. Entries that are committed late get later leaves: none is missed.
"""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from tenants.actor import Actor
from tenants.merkle import Frontier, leaf_hash
from tenants.reach import Reach
from tenants.records import Number, Record
from tenants.sealing import seal, unseal
from tenants.signed_notes import Checkpoint, NoteKey, signed
from tenants.store import Store
from tenants.trail import Entry, record
from tenants.verbs import Verb

AT_ONCE = 1000
"""Entries that are sealed in one transaction: a moment's work for the one writer of SQLite."""
LOCK = 0x5345414C
"""The advisory lock under which one process seals at a time ("SEAL")."""
PURPOSE = "trail keys"


class PendingEntry(Record):
    """An entry that is not sealed yet, by its id. Only the database's trigger adds one."""

    __tablename__ = "pending_entries"

    id: Mapped[int] = mapped_column(Number, primary_key=True, autoincrement=False)


class Leaf(Record):
    """A sealed entry: its id, its number in the tree (from 0, without gaps), and the hash of its bytes."""

    __tablename__ = "leaves"

    id: Mapped[int] = mapped_column(Number, primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(Number, unique=True)
    hash: Mapped[bytes]


class SealedCheckpoint(Record):
    """What the tree was once: its size, its root, the note that says so, and the frontier to go on from."""

    __tablename__ = "checkpoints"

    size: Mapped[int] = mapped_column(Number, unique=True)
    root: Mapped[bytes]
    frontier: Mapped[bytes]
    note: Mapped[str] = mapped_column(sa.Text)
    created_at: Mapped[datetime]


class TrailKey(Record):
    """The key that signs checkpoints; the private half is stored encrypted under the house's secret key."""

    __tablename__ = "trail_keys"

    name: Mapped[str] = mapped_column(sa.String(250))
    public: Mapped[bytes]
    private_sealed: Mapped[str] = mapped_column(sa.Text)
    created_at: Mapped[datetime]

    @classmethod
    async def make(cls, session: AsyncSession, secret_key: bytes, name: str, now: datetime) -> "TrailKey":
        """A new key pair, with its entry. The name stays, also where the panel moves to another address."""
        private = Ed25519PrivateKey.generate()
        public = NoteKey(name, private.public_key().public_bytes_raw())
        key = cls(
            name=name,
            public=public.public,
            private_sealed=seal(secret_key, PURPOSE, str(public), private.private_bytes_raw()),
            created_at=now,
        )
        session.add(key)
        shown = f"Ed25519 key {public.id.hex()}"
        record(session, Verb.KEYS_ROTATED, None, named=(cls.__tablename__, public.id.hex(), shown), alg="Ed25519")
        await session.flush()
        return key

    @property
    def verifier(self) -> NoteKey:
        """The public half, as it is published."""
        return NoteKey(self.name, self.public)

    def signer(self, secret_key: bytes) -> Ed25519PrivateKey:
        """The private half. Raises Sealed when it was kept under another secret key, or for another public half."""
        return Ed25519PrivateKey.from_private_bytes(
            unseal(secret_key, PURPOSE, str(self.verifier), self.private_sealed)
        )


@dataclass(frozen=True, slots=True)
class Sealer:
    """Seals what is pending in one database, and signs for it."""

    store: Store
    secret_key: bytes
    name: str

    @classmethod
    def of(cls, store: Store, secret_key: bytes, public_url: str) -> "Sealer":
        """The log is named after the panel's address, as its first key is made."""
        address = urlsplit(public_url)
        return cls(store, secret_key, f"{address.netloc}{address.path.rstrip('/')}/trail")

    async def seal_all(self, now: datetime) -> int:
        """Seal until nothing is pending; how many entries that were."""
        total = 0
        while count := await self.seal_some(now):
            total += count
        return total

    async def seal_some(self, now: datetime, at_once: int = AT_ONCE) -> int:
        """Seal the oldest of what is pending, and sign the tree as it is then: all of it or nothing."""
        async with self.store.work(Actor.house("sealer"), Reach.everywhere("sealer"), now) as session:
            connection = await session.connection()
            if connection.dialect.name == "postgresql":
                # Until the transaction ends; whoever waited sees what the one before has done.
                await connection.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            frontier, count = await _grow(connection, at_once)
            if count:
                key = await trail_key(session) or await TrailKey.make(session, self.secret_key, self.name, now)
                await _sign(connection, frontier, key, key.signer(self.secret_key), now)
            return count


async def trail_key(session: AsyncSession) -> TrailKey | None:
    """The key that signs; None while nothing was ever sealed."""
    return (await session.scalars(sa.select(TrailKey).order_by(TrailKey.id.desc()).limit(1))).one_or_none()


async def newest_checkpoint(session: AsyncSession) -> SealedCheckpoint | None:
    """The newest checkpoint; None while nothing was ever sealed."""
    newest = sa.select(SealedCheckpoint).order_by(SealedCheckpoint.size.desc()).limit(1)
    return (await session.scalars(newest)).one_or_none()


async def oldest_pending(connection: AsyncConnection) -> datetime | None:
    """When the entry was written that waits longest to be sealed; one look at an index where none does."""
    waiting, entries = PendingEntry.__table__, Entry.__table__
    oldest = sa.select(entries.c.occurred_at).join(waiting, waiting.c.id == entries.c.id).order_by(waiting.c.id)
    found: datetime | None = (await connection.execute(oldest.limit(1))).scalar_one_or_none()
    return found


async def _grow(connection: AsyncConnection, at_once: int) -> tuple[Frontier, int]:
    """Make leaves of the oldest pending entries; the tree's frontier then, and how many they were."""
    waiting, entries, done = PendingEntry.__table__, Entry.__table__, SealedCheckpoint.__table__
    oldest = sa.select(entries.c.id, entries.c.leaf).join(waiting, waiting.c.id == entries.c.id)
    rows = (await connection.execute(oldest.order_by(waiting.c.id).limit(at_once))).all()
    newest = sa.select(done.c.size, done.c.frontier).order_by(done.c.size.desc()).limit(1)
    last = (await connection.execute(newest)).one_or_none() if rows else None
    frontier = Frontier(last.size, last.frontier) if last is not None else Frontier()
    leaves = []
    for row in rows:
        leaves.append({"id": row.id, "number": frontier.size, "hash": leaf_hash(row.leaf)})
        frontier.append(leaves[-1]["hash"])
    if leaves:
        await connection.execute(sa.insert(Leaf.__table__), leaves)
        await connection.execute(sa.delete(waiting).where(waiting.c.id.in_([row.id for row in rows])))
    return frontier, len(leaves)


async def _sign(
    connection: AsyncConnection, frontier: Frontier, key: TrailKey, private: Ed25519PrivateKey, now: datetime
) -> None:
    root = frontier.root()
    note = signed(Checkpoint(key.name, frontier.size, root), key.verifier, private)
    row = {"size": frontier.size, "root": root, "frontier": bytes(frontier), "note": note, "created_at": now}
    await connection.execute(sa.insert(SealedCheckpoint.__table__), row)
