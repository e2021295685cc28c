"""Sign-in at the panel: one browser's spell, its proof of who is there, and what holds back guessing."""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from tenants.actor import Actor, Identity, Origin
from tenants.credentials import digest, new_secret
from tenants.people import User
from tenants.reach import Extent, Reach
from tenants.records import Number, Record
from tenants.refusals import Invalid, OutOfReach, TooMany
from tenants.text import email_address
from tenants.trail import record
from tenants.verbs import Verb

IDLE = timedelta(hours=12)
LONGEST = timedelta(days=30)
FRESH = timedelta(minutes=15)
STRONG = frozenset({"otp", "hwk", "swk"})
"""The `amr` values (RFC 8176) of which one is a second factor: a one-time code, a passkey in hardware or software."""
WINDOW = timedelta(minutes=15)
FAILURES_OF_PAIR = 10
"""Failures of one account from one network in a window before it is held back."""
FAILURES_OF_NETWORK = 100
FAILURES_OF_ACCOUNT = 100
FAILURES_OF_CODE = 20
"""Wrong codes after a right password, from everywhere: whoever gets so far can guess a million at most."""


class SignIn(Record):
    """One browser's signed-in spell. Only the hash of its cookie is stored; it holds references, no copies."""

    __tablename__ = "sign_ins"

    user_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("users.id"))
    membership_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("memberships.id"))
    token_hash: Mapped[str] = mapped_column(sa.String(64), unique=True)
    csrf_secret: Mapped[str] = mapped_column(sa.String(64))
    network: Mapped[str] = mapped_column(sa.String(64))
    user_agent: Mapped[str] = mapped_column(sa.String(300))
    methods: Mapped[str] = mapped_column(sa.String(60), default="pwd")
    """How the person proved themselves, as OpenID Connect's `amr` names it, separated by spaces."""
    created_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    proof_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    ended_cause: Mapped[str | None] = mapped_column(sa.String(40))
    impersonation_id: Mapped[int | None] = mapped_column(Number, default=None)
    """The impersonation that this browser stands in by, kept after its end until the person has read that it ended."""

    @classmethod
    def within(cls, reach: Reach) -> sa.ColumnElement[bool]:
        """Only one's own: nobody looks at another's sign-ins."""
        return sa.false() if reach.extent is Extent.NOTHING else cls.user_id == reach.user_id

    def touches(self, reach: Reach) -> set[int] | None:
        """One's own."""
        return set() if self.user_id == reach.user_id else None

    @classmethod
    async def start(
        cls,
        session: AsyncSession,
        identity: Identity,
        origin: Origin,
        user_agent: str,
        now: datetime,
        methods: Iterable[str] = ("pwd",),
    ) -> tuple["SignIn", str]:
        """Begin a spell for somebody who has just proved who they are; returns it with its cookie's secret."""
        secret = new_secret()
        row = cls(
            user_id=identity.user_id,
            membership_id=identity.membership_id,
            token_hash=digest(secret),
            csrf_secret=new_secret(),
            network=network_of(origin.address),
            user_agent=user_agent[:300],
            methods=" ".join(methods),
            created_at=now,
            last_seen_at=now,
            proof_at=now,
        )
        session.add(row)
        people = User.__table__
        mine = sa.and_(people.c.id == identity.user_id, ~people.c.service)
        seen = await session.execute(sa.update(people).where(mine).values(last_sign_in_at=now).returning(people.c.id))
        if seen.first() is None:
            # A program has no browser, whatever somebody may have given it.
            raise OutOfReach
        session.sync_session.info["actor"] = Actor.of(identity, origin)
        record(
            session,
            Verb.SIGNED_IN,
            row,
            place=identity.tenant_id,
            named=("users", str(identity.user_id), identity.name),
        )
        await session.flush()
        return row, secret

    def alive(self, now: datetime) -> bool:
        """Not ended, seen within 12 hours, younger than 30 days."""
        return self.ended_at is None and now < self.last_seen_at + IDLE and now < self.created_at + LONGEST

    @property
    def strong(self) -> bool:
        """A second factor was used: a code, or a key in hardware or software."""
        return not STRONG.isdisjoint(self.methods.split())

    def fresh(self, now: datetime) -> bool:
        """The person proved who they are within the last 15 minutes."""
        return now < self.proof_at + FRESH

    async def prove(self, session: AsyncSession, identity: Identity, methods: Iterable[str], now: datetime) -> str:
        """The person has proved again who they are, in these ways. Returns the cookie's new secret: the old is dead."""
        secret = new_secret()
        self.token_hash, self.proof_at, self.last_seen_at = digest(secret), now, now
        self.methods = " ".join(dict.fromkeys((*self.methods.split(), *methods)))
        record(
            session,
            Verb.PROVED,
            self,
            place=identity.tenant_id,
            named=("users", str(identity.user_id), identity.name),
            methods=list(methods),
        )
        await session.flush()
        return secret

    async def renew(self, session: AsyncSession) -> str:
        """The cookie's new secret, whenever the browser becomes somebody else or itself again: the old one is dead."""
        secret = new_secret()
        rows = SignIn.__table__
        await session.execute(sa.update(rows).where(rows.c.id == self.id).values(token_hash=digest(secret)))
        return secret

    async def choose(self, session: AsyncSession, identity: Identity) -> None:
        """Go on as another of the person's own memberships: nobody is impersonated by that."""
        if identity.user_id != self.user_id:
            raise OutOfReach
        if identity.membership_id != self.membership_id:
            self.membership_id = identity.membership_id
            named = ("memberships", str(identity.membership_id), identity.shown_name)
            record(session, Verb.PROFILE_CHOSEN, self, place=identity.tenant_id, named=named)
            await session.flush()

    async def end(self, session: AsyncSession, identity: Identity, cause: str, now: datetime) -> None:
        """Sign out: this browser only."""
        if self.ended_at is None:
            self.ended_at, self.ended_cause = now, cause
            record(
                session,
                Verb.SIGNED_OUT,
                self,
                place=identity.tenant_id,
                named=("users", str(identity.user_id), identity.name),
                cause=cause,
            )
            await session.flush()


async def end_all_sign_ins(session: AsyncSession, user_id: int, cause: str, now: datetime) -> None:
    """End every spell of a person; the verb that asks for it writes the entry."""
    rows = SignIn.__table__
    await session.execute(
        sa.update(rows)
        .where(rows.c.user_id == user_id, rows.c.ended_at.is_(None))
        .values(ended_at=now, ended_cause=cause)
    )


class Failure(Record):
    """Failed sign-ins of one account from one network in one minute: counted, so that floods stay small."""

    __tablename__ = "sign_in_failures"
    __table_args__ = (sa.UniqueConstraint("account", "network", "minute"),)

    account: Mapped[str] = mapped_column(sa.String(64))
    network: Mapped[str] = mapped_column(sa.String(64))
    minute: Mapped[datetime]
    count: Mapped[int]
    summed: Mapped[bool] = mapped_column(default=False)


@dataclass(frozen=True, slots=True)
class Attempt:
    """Who tries to sign in, from where. The account is kept as a hash: it may be anything somebody typed."""

    account: str
    network: str
    most: int = FAILURES_OF_ACCOUNT
    """After so many failures of the account from everywhere, strangers' networks are held back."""

    @classmethod
    def of(cls, email: str, address: str) -> "Attempt":
        """The attempt for what was typed, from this address."""
        return cls(digest(email.strip().casefold()), network_of(address))

    @classmethod
    def of_code(cls, user_id: int, address: str) -> "Attempt":
        """An attempt at the second step: counted apart, so that few are enough."""
        return cls(digest(f"the code of {user_id}"), network_of(address), FAILURES_OF_CODE)


def network_of(address: str) -> str:
    """An IPv4 address itself, an IPv6 address's /64: what one household or office shares."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


async def hold_back(session: AsyncSession, attempt: Attempt, now: datetime, user: User | None = None) -> None:
    """TooMany when this account or network has failed too often lately.

    A network from which the account has signed in before is not held back by strangers elsewhere, so that nobody
    is locked out by an attack on their address.
    """
    rows = Failure.__table__
    recent = rows.c.minute > now - WINDOW
    counted = sa.select(
        _count(sa.and_(rows.c.account == attempt.account, rows.c.network == attempt.network)),
        _count(rows.c.network == attempt.network),
        _count(rows.c.account == attempt.account),
    ).where(recent, sa.or_(rows.c.account == attempt.account, rows.c.network == attempt.network))
    pair, network, account = (await session.execute(counted)).one()
    stranger = account >= attempt.most and not await _known_network(session, attempt, user)
    if pair >= FAILURES_OF_PAIR or network >= FAILURES_OF_NETWORK or stranger:
        raise TooMany(
            "Too many failed sign-ins. Wait a quarter of an hour, or ask an admin for a reset letter.",
            retry_after=int(WINDOW.total_seconds()),
        )


def _count(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    return sa.func.coalesce(sa.func.sum(sa.case((condition, Failure.__table__.c.count), else_=0)), 0)


async def _known_network(session: AsyncSession, attempt: Attempt, user: User | None) -> bool:
    spells = SignIn.__table__
    seen = sa.select(spells.c.id).where(
        spells.c.user_id == (user.id if user else None), spells.c.network == attempt.network
    )
    return (await session.execute(seen.limit(1))).first() is not None


async def count_failure(session: AsyncSession, attempt: Attempt, user: User | None, now: datetime) -> None:
    """Count one failed sign-in. The first of a minute, the threshold and the sum of the last minute are entries."""
    minute = _minute(now)
    place = user.home_tenant_id if user else None
    named = ("users", str(user.id), user.name) if user else None
    await _sum_up(session, attempt, minute, place, named)
    if await count_one(session, attempt, now) == 1:
        record(session, Verb.SIGN_IN_FAILED, None, place=place, named=named, network=attempt.network)
    if await _lately(session, attempt, now) == FAILURES_OF_PAIR:
        record(session, Verb.SIGN_IN_THROTTLED, None, place=place, named=named, network=attempt.network)
    await session.flush()


async def _lately(session: AsyncSession, attempt: Attempt, now: datetime) -> int:
    """The failures of this account from this network in the window: at so many, the door shuts."""
    rows = Failure.__table__
    pair = sa.and_(rows.c.account == attempt.account, rows.c.network == attempt.network)
    counted = sa.select(sa.func.sum(rows.c.count)).where(pair, rows.c.minute > now - WINDOW)
    return int((await session.execute(counted)).scalar_one() or 0)


def _minute(now: datetime) -> datetime:
    return now.replace(second=0, microsecond=0)


async def count_one(session: AsyncSession, attempt: Attempt, now: datetime) -> int:
    """The count of this minute after one more, however many come at once: the database adds."""
    rows, minute = Failure.__table__, _minute(now)
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    first = dialect.insert(rows).values(
        account=attempt.account, network=attempt.network, minute=minute, count=1, summed=False
    )
    added = first.on_conflict_do_update(
        index_elements=[rows.c.account, rows.c.network, rows.c.minute], set_={"count": rows.c.count + 1}
    )
    # Past the fence, for whoever counts: what is counted belongs to nobody's place.
    connection = await session.connection()
    return int((await connection.execute(added.returning(rows.c.count))).scalar_one())


async def _sum_up(
    session: AsyncSession,
    attempt: Attempt,
    minute: datetime,
    place: int | None,
    named: tuple[str, str, str] | None,
) -> None:
    waiting = sa.select(Failure).where(
        Failure.account == attempt.account,
        Failure.network == attempt.network,
        Failure.minute < minute,
        Failure.summed.is_(False),
    )
    for row in await session.scalars(waiting):
        row.summed = True
        if row.count > 1:
            record(
                session,
                Verb.SIGN_IN_FAILED,
                None,
                place=place,
                named=named,
                network=attempt.network,
                times=row.count,
                minute=row.minute.isoformat(),
            )


async def find_by_email(session: AsyncSession, email: str) -> User | None:
    """The person with this address, discarded or not; None for anything that is no address."""
    try:
        address = email_address(email)
    except Invalid:
        return None
    return (await session.scalars(sa.select(User).where(User.email == address, ~User.service))).one_or_none()
