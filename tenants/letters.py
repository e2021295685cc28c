"""Letters: the outbox. A letter is written with the change it speaks of and sent after the commit.

What it says (a link is a secret) is sealed, and gone once the letter is sent, has failed for good or is too old.
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from tenants.reach import Extent, Reach
from tenants.records import Number, Record
from tenants.refusals import Conflict, OutOfReach
from tenants.sealing import seal, unseal
from tenants.trail import numbered

PURPOSE = "letters"
LEASE = timedelta(minutes=15)
"""How long a letter that was taken is kept from other senders; if its own died, it is due again after that."""
PAUSES = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 240, 480, 720, 1440))
"""How long to wait after each try in vain: two days in all, then it has failed."""
LAST_TRY = timedelta(minutes=10)
"""How long before what it says expires the last try is made, when a pause would be longer."""


class LetterKind(StrEnum):
    """What a letter is about: the name of its template."""

    INVITATION = "invitation"
    PASSWORD_RESET = "password_reset"
    PASSWORD_CHANGED = "password_changed"
    EMAIL_CONFIRM = "email_confirm"
    EMAIL_AGREE = "email_agree"
    EMAIL_CHANGED = "email_changed"
    FACTOR_ADDED = "factor_added"
    FACTOR_REMOVED = "factor_removed"
    FACTORS_RESET = "factors_reset"
    BINDING_PROPOSED = "binding_proposed"
    APP_CHANGED = "app_changed"
    ACCESS_STARTED = "access_started"
    ACCESS_DIGEST = "access_digest"
    LOOSENING_ASKED = "loosening_asked"
    LOOSENING_APPLIED = "loosening_applied"
    MANY_COMPANIES = "many_companies"
    WEBHOOK_DISABLED = "webhook_disabled"
    GLASS_BROKEN = "glass_broken"
    GLASS_BROKEN_FOR = "glass_broken_for"


REQUIRED: dict[LetterKind, frozenset[str]] = {
    LetterKind.INVITATION: frozenset({"link", "inviter", "tenant", "role", "until"}),
    LetterKind.PASSWORD_RESET: frozenset({"link", "until"}),
    LetterKind.PASSWORD_CHANGED: frozenset(),
    LetterKind.EMAIL_CONFIRM: frozenset({"link", "email", "until"}),
    LetterKind.EMAIL_AGREE: frozenset({"link", "cancel_link", "email", "who", "until"}),
    LetterKind.EMAIL_CHANGED: frozenset({"email"}),
    LetterKind.FACTOR_ADDED: frozenset({"what"}),
    LetterKind.FACTOR_REMOVED: frozenset({"what"}),
    LetterKind.FACTORS_RESET: frozenset({"who"}),
    LetterKind.BINDING_PROPOSED: frozenset({"link", "who", "extension", "tenant"}),
    LetterKind.APP_CHANGED: frozenset({"app", "who", "what"}),
    LetterKind.ACCESS_STARTED: frozenset({"link", "who", "organization", "tenant", "accesses"}),
    LetterKind.ACCESS_DIGEST: frozenset({"link", "tenant", "accesses"}),
    LetterKind.LOOSENING_ASKED: frozenset({"link", "who", "tenant", "rules", "until"}),
    LetterKind.LOOSENING_APPLIED: frozenset({"link", "tenant", "rules"}),
    LetterKind.MANY_COMPANIES: frozenset({"who", "count", "tenant"}),
    LetterKind.WEBHOOK_DISABLED: frozenset({"link", "address", "tenant", "cause"}),
    LetterKind.GLASS_BROKEN: frozenset({"link", "who", "approver", "tenant", "until"}),
    LetterKind.GLASS_BROKEN_FOR: frozenset({"link", "who", "approver", "subject", "tenant", "until"}),
}
"""The words each kind of letter cannot be written without; `Letter.put` asks for them.

- `link`, `cancel_link`: whole addresses (`House.link`): what the reader opens to go on, or to stop it.
- `until`: ISO 8601 with its offset (`moment.isoformat()`): the link's end, or for `email_agree` when the new
  address takes effect by itself.
- `who`, `inviter`: the name of the person who did it; `organization`: theirs; `tenant`: the company's name; `email`:
  the *new* address.
- `approver`: the second person who said yes; `subject`: whom it is about.
- `role`: the role's value ("admin"); `extension`: its number and system as a sentence shows them ("201, Bakery PBX").
- `what`: for factors "totp", "passkey", "recovery_codes" or a name in plain words ("the passkey “Laptop”"); for
  `app_changed` the fields that changed, in plain words. `app`: the app's name. `count`: how many, in digits.
- `address`: the host of a webhook; `cause`: why it was disabled, "gone" or "failing".
- `accesses`, `rules`: lists in JSON (LISTS): `[{"who", "organization", "via", "at", "reason"}]`, each `at` a moment as
  `until` is; `[{"name", "before", "after"}]` in the words that rules are set with.
"""
LISTS = frozenset({"accesses", "rules"})
"""The words that are lists of things, each with its own members."""
WELCOME: dict[LetterKind, frozenset[str]] = {
    LetterKind.INVITATION: frozenset({"extension"}),
    LetterKind.PASSWORD_RESET: frozenset({"who"}),
    LetterKind.PASSWORD_CHANGED: frozenset({"who"}),
    LetterKind.EMAIL_CONFIRM: frozenset({"who"}),
    LetterKind.EMAIL_CHANGED: frozenset({"who"}),
    LetterKind.FACTOR_ADDED: frozenset({"who"}),
    LetterKind.FACTOR_REMOVED: frozenset({"who"}),
    LetterKind.FACTORS_RESET: frozenset({"tenant", "link"}),
    LetterKind.BINDING_PROPOSED: frozenset({"until", "reason"}),
    LetterKind.APP_CHANGED: frozenset({"link"}),
    LetterKind.MANY_COMPANIES: frozenset({"link"}),
    LetterKind.GLASS_BROKEN: frozenset({"reason"}),
    LetterKind.GLASS_BROKEN_FOR: frozenset({"reason"}),
}
"""The words a kind of letter uses where they are there. `who` is for what somebody else did to the reader's account."""


class WrongWords(Exception):
    """A letter was given words that its kind does not have, or not all that it needs."""


class Stage(StrEnum):
    """How far a letter has come."""

    WAITING = "waiting"
    SENT = "sent"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Addressee:
    """To whom: an address, how they are called, and in which language."""

    email: str
    name: str
    locale: str = "en"
    user_id: int | None = None


class Letter(Record):
    """One letter of the outbox: who it goes to is kept, what it says only until it has gone."""

    __tablename__ = "letters"

    tenant_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("tenants.id"))
    """Under whose name and brand it is sent."""
    user_id: Mapped[int | None] = mapped_column(Number, sa.ForeignKey("users.id"))
    kind: Mapped[str] = mapped_column(sa.String(40))
    address: Mapped[str] = mapped_column(sa.String(254))
    name: Mapped[str] = mapped_column(sa.String(200))
    locale: Mapped[str] = mapped_column(sa.String(20))
    sealed: Mapped[str | None] = mapped_column(sa.Text)
    created_at: Mapped[datetime]
    due_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    tries: Mapped[int] = mapped_column(default=0)
    sent_at: Mapped[datetime | None]
    failed_at: Mapped[datetime | None]
    error: Mapped[str | None] = mapped_column(sa.String(300))

    @classmethod
    def within(cls, reach: Reach) -> sa.ColumnElement[bool]:
        """Where its tenant is; nothing for members."""
        return sa.false() if reach.extent is Extent.SELF else reach.tenants(cls.tenant_id)

    def touches(self, reach: Reach) -> set[int] | None:
        """Nobody's place: whoever may make the change may have the letter about it written."""
        return set()

    @classmethod
    async def put(
        cls,
        session: AsyncSession,
        secret_key: bytes,
        kind: LetterKind,
        to: Addressee,
        tenant_id: int,
        now: datetime,
        *,
        expires_at: datetime | None = None,
        **words: str,
    ) -> "Letter":
        """Put a letter into the outbox, in the transaction of what it tells. `words` fill its template.

        Raises WrongWords when the kind's words are not these: see REQUIRED and WELCOME.
        """
        _check(kind, words)
        number = await numbered(session, cls.__tablename__)
        letter = cls(
            id=number,
            tenant_id=tenant_id,
            user_id=to.user_id,
            kind=kind.value,
            address=to.email,
            name=to.name,
            locale=to.locale,
            sealed=seal(secret_key, PURPOSE, str(number), json.dumps(words).encode()),
            created_at=now,
            due_at=now,
            expires_at=expires_at,
        )
        session.add(letter)
        await session.flush()
        return letter

    @classmethod
    async def take(cls, session: AsyncSession, now: datetime, most: int) -> "list[Letter]":
        """Take letters that are due, oldest first. Nobody else gets them for LEASE."""
        due = cls._due(now).order_by(cls.due_at, cls.id).limit(most).with_for_update(skip_locked=True)
        letters = list(await session.scalars(due))
        for letter in letters:
            letter.due_at, letter.error = now + LEASE, None
            letter.tries += 1
        await session.flush()
        return letters

    @classmethod
    async def any_due(cls, session: AsyncSession, now: datetime) -> bool:
        """Whether there is anything to take."""
        return (await session.scalars(cls._due(now).limit(1))).first() is not None

    @classmethod
    def _due(cls, now: datetime) -> "sa.Select[Letter]":
        return sa.select(cls).where(cls.sent_at.is_(None), cls.failed_at.is_(None), cls.due_at <= now)

    @classmethod
    async def find(cls, session: AsyncSession, letter_id: int) -> "Letter":
        """The letter, held until the end of this transaction; otherwise OutOfReach, the same as for none at all."""
        held = sa.select(cls).where(cls.id == letter_id).with_for_update()
        letter = (await session.scalars(held)).one_or_none()
        if letter is None:
            raise OutOfReach
        return letter

    @property
    def stage(self) -> Stage:
        """Waiting for its turn, sent, or failed for good."""
        if self.sent_at is not None:
            return Stage.SENT
        return Stage.FAILED if self.failed_at is not None else Stage.WAITING

    @classmethod
    def at_stage(cls, stage: Stage) -> sa.ColumnElement[bool]:
        """The letters that have come that far."""
        if stage is Stage.SENT:
            return cls.sent_at.is_not(None)
        failed = cls.failed_at.is_not(None)
        return failed if stage is Stage.FAILED else sa.and_(cls.sent_at.is_(None), cls.failed_at.is_(None))

    @property
    def stuck(self) -> bool:
        """It was tried in vain and waits for the next try; while it is being sent it has no error."""
        return self.stage is Stage.WAITING and self.error is not None

    def give_back(self, now: datetime) -> None:
        """It was taken and not tried: another sender may have it now."""
        self.due_at = now
        self.tries -= 1

    def mark_sent(self, now: datetime) -> None:
        """The mail server has it; what it said is gone from here."""
        self.sent_at, self.sealed, self.error = now, None, None

    def fail(self, now: datetime, error: str) -> None:
        """No further try; what it said is gone. `error` holds neither addresses nor links."""
        self.failed_at, self.sealed, self.error = now, None, error

    def put_off(self, now: datetime, error: str) -> None:
        """Try again after a pause, each longer than the one before; failed where no try would come in time."""
        again = now + PAUSES[self.tries - 1] if self.tries <= len(PAUSES) else None
        if again is not None and self.expires_at is not None:
            again = min(again, self.expires_at - LAST_TRY)
        if again is None or again <= now:
            self.fail(now, error)
        else:
            self.due_at, self.error = again, error

    def hasten(self, now: datetime) -> None:
        """Try again now. Conflict unless it waits for another try: what it said is gone once it was sent or failed."""
        if not self.stuck:
            raise Conflict("This letter is not waiting for another try.", rule="letter")
        self.due_at = now

    def words(self, secret_key: bytes) -> dict[str, str]:
        """What fills the template; empty once the letter has gone. Raises Sealed."""
        if self.sealed is None:
            return {}
        opened: dict[str, str] = json.loads(unseal(secret_key, PURPOSE, str(self.id), self.sealed))
        return opened


def _check(kind: LetterKind, words: dict[str, str]) -> None:
    needed, given = REQUIRED[kind], {name for name, value in words.items() if value}
    missing, unknown = needed - given, words.keys() - needed - WELCOME.get(kind, frozenset())
    if missing or unknown:
        raise WrongWords(f"{kind.value}: missing {sorted(missing)}, unknown {sorted(unknown)}")
