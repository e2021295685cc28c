"""Inbound numbers: what the world dials (E.164), routed to an extension of the same tenant."""

from datetime import datetime
from typing import Any

import phonenumbers
import sqlalchemy as sa
from babel.core import get_global
from phonenumbers import NumberParseException, PhoneNumberFormat, ValidationResult
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, joinedload, mapped_column, relationship

from tenants.phones import Extension
from tenants.reach import Extent, Reach
from tenants.records import Audited, Number, Record
from tenants.refusals import Conflict, Invalid, OutOfReach
from tenants.text import clean
from tenants.trail import numbered, record
from tenants.tree import Tenant
from tenants.verbs import Verb

REGIONS = phonenumbers.SUPPORTED_REGIONS
"""Countries (ISO 3166-1, two letters) whose way of writing numbers is known."""
LONGEST = 40
"""Characters that a number takes, with all its blanks and brackets."""
NOTE_LENGTH = 200


class InboundNumber(Record, Audited):
    """A number of a tenant. Another tenant may hold the same one, and neither learns of it."""

    __tablename__ = "numbers"
    noun = "number"
    lends = frozenset({"note"})
    __table_args__ = (
        sa.ForeignKeyConstraint(["extension_id", "tenant_id"], ["extensions.id", "extensions.tenant_id"]),
    )

    tenant_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("tenants.id"))
    e164: Mapped[str] = mapped_column(sa.String(20))
    note: Mapped[str | None] = mapped_column(sa.String(200))
    extension_id: Mapped[int | None] = mapped_column(Number)
    created_at: Mapped[datetime]
    discarded_at: Mapped[datetime | None]

    tenant: Mapped[Tenant] = relationship(lazy="raise", viewonly=True)
    extension: Mapped[Extension | None] = relationship(
        lazy="raise", viewonly=True, primaryjoin=Extension.id == sa.orm.foreign(extension_id)
    )

    @property
    def label(self) -> str:
        """The number itself."""
        return self.e164

    @property
    def shown(self) -> str:
        """The number as people write it: +44 20 7946 0123."""
        return international(self.e164)

    @classmethod
    def within(cls, reach: Reach) -> sa.ColumnElement[bool]:
        """Where its tenant is; a member sees those that ring at their extension."""
        if reach.extent is Extent.SELF:
            phones = Extension.__table__
            return cls.extension_id.in_(sa.select(phones.c.id).where(phones.c.membership_id == reach.membership_id))
        return reach.tenants(cls.tenant_id)

    def touches(self, reach: Reach) -> set[int] | None:
        """Its tenant."""
        return None if reach.extent is Extent.SELF else {self.tenant_id}

    @classmethod
    async def add(
        cls,
        session: AsyncSession,
        tenant: Tenant,
        number: str,
        now: datetime,
        *,
        region: str | None = None,
        extension: Extension | None = None,
        note: str | None = None,
    ) -> "InboundNumber":
        """A number of `tenant`, written as E.164 or as people of `region` write it.

        Invalid when the tenant itself has it already; who else has it is nobody's business.
        """
        e164 = e164_of(number, region)
        if tenant.discarded_at is not None:
            raise Conflict(f"{tenant.name} is discarded.")
        if await _held(session, tenant.id, e164):
            raise Invalid(f"{international(e164)} is here already.", field="number")
        made = cls(
            id=await numbered(session, cls.__tablename__),
            tenant_id=tenant.id,
            e164=e164,
            note=_note(note),
            extension_id=_own_extension(tenant.id, extension),
            created_at=now,
        )
        try:
            async with session.begin_nested():
                session.add(made)
                record(session, Verb.NUMBER_CREATED, made)
                await session.flush()
        except IntegrityError as error:  # somebody else added it at this moment
            raise Invalid(f"{international(e164)} is here already.", field="number") from error
        return made

    async def change(self, session: AsyncSession, **fields: Any) -> None:
        """Route it to another `extension` of the same tenant (or nowhere), or note something else of it."""
        self._require_in_use()
        if "extension" in fields:
            fields["extension_id"] = _own_extension(self.tenant_id, fields.pop("extension"))
        if "note" in fields:
            fields["note"] = _note(fields["note"])
        changed = {key: value for key, value in fields.items() if getattr(self, key) != value}
        for key, value in changed.items():
            setattr(self, key, value)
        if changed:
            record(session, Verb.NUMBER_CHANGED, self)
            await session.flush()

    async def discard(self, session: AsyncSession, now: datetime) -> None:
        """Out of use; the record stays, and the number may be added anew."""
        self._require_in_use()
        self.discarded_at = now
        record(session, Verb.NUMBER_DISCARDED, self)
        await session.flush()

    async def undiscard(self, session: AsyncSession) -> None:
        """Bring it back. It rings where it did, unless that extension is out of use."""
        if self.discarded_at is None:
            raise Conflict(f"{self.shown} is in use.")
        if await _held(session, self.tenant_id, self.e164):
            raise Conflict(f"{self.shown} was added anew meanwhile.")
        rings = sa.select(Extension.id).where(Extension.id == self.extension_id, Extension.discarded_at.is_(None))
        routed = (await session.scalars(rings)).one_or_none()
        self.discarded_at, self.extension_id = None, routed
        record(session, Verb.NUMBER_UNDISCARDED, self)
        await session.flush()

    def _require_in_use(self) -> None:
        if self.discarded_at is not None:
            raise Conflict(f"{self.shown} is discarded.")


def e164_of(text: str, region: str | None = None) -> str:
    """A number as E.164 (`+442079460123`). Invalid for what nobody could dial, or without its country."""
    text = clean(text, "number")
    if region is not None and region not in REGIONS:
        raise Invalid("This is not a country.", field="region")
    try:
        parsed = phonenumbers.parse(text if len(text) <= LONGEST else "", region)
    except NumberParseException as error:
        if error.error_type == NumberParseException.INVALID_COUNTRY_CODE:
            raise Invalid("Write it with its country: +44 20 7946 0123.", field="number") from None
        raise Invalid("This is not a telephone number.", field="number") from None
    if phonenumbers.is_possible_number_with_reason(parsed) != ValidationResult.IS_POSSIBLE or parsed.extension:
        raise Invalid("This is not a telephone number that can be dialled.", field="number")
    return phonenumbers.format_number(parsed, PhoneNumberFormat.E164)


def international(e164: str) -> str:
    """A number of ours as people write it: +44 20 7946 0123."""
    return phonenumbers.format_number(phonenumbers.parse(e164), PhoneNumberFormat.INTERNATIONAL)


def region_of(zone: str) -> str | None:
    """The country that a time zone lies in, to begin a choice with; None where that says nothing."""
    region = get_global("zone_territories").get(zone)
    return region if region in REGIONS else None


def digits_sought(text: str) -> str | None:
    """What a search for a number looks for: its digits without the zeros that only a caller dials.

    None for words, in which digits are no number.
    """
    if any(letter.isalpha() for letter in text):
        return None
    digits = "".join(str(int(letter)) for letter in text if letter.isdecimal())
    return digits.lstrip("0") or None


async def find_number(session: AsyncSession, number_id: int) -> InboundNumber:
    """The number with its tenant and extension, when in reach; otherwise OutOfReach."""
    wanted = sa.select(InboundNumber).where(InboundNumber.id == number_id).options(*WITH_ALL)
    number = (await session.scalars(wanted, execution_options={"populate_existing": True})).one_or_none()
    if number is None:
        raise OutOfReach
    return number


WITH_ALL = (joinedload(InboundNumber.tenant), joinedload(InboundNumber.extension).joinedload(Extension.phone_system))
"""What a list shows beside each number."""


async def _held(session: AsyncSession, tenant_id: int, e164: str) -> bool:
    same = sa.select(InboundNumber.id).where(
        InboundNumber.tenant_id == tenant_id, InboundNumber.e164 == e164, InboundNumber.discarded_at.is_(None)
    )
    return (await session.scalars(same)).first() is not None


def _own_extension(tenant_id: int, extension: Extension | None) -> int | None:
    if extension is None:
        return None
    if extension.tenant_id != tenant_id:
        raise Invalid("A number rings at an extension of the same company.", field="extension")
    if extension.discarded_at is not None:
        raise Invalid(f"Extension {extension.number} is discarded.", field="extension")
    return extension.id


def _note(note: str | None) -> str | None:
    text = clean(note or "", "note")
    if len(text) > NOTE_LENGTH:
        raise Invalid(f"A note has at most {NOTE_LENGTH} characters.", field="note")
    return text or None
