"""What an address asks of the history: who, what, field, how, when and where, and the search that answers it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from control.clock_words import zone_of
from control.pages.parts.asked import day_in, id_in, matching, one_of, words_in
from control.pages.parts.fields import number_in
from control.pages.parts.history_words import KINDS_OF, field_labels, record_kinds, ways
from tenants.history import Search
from tenants.people import Membership, User
from tenants.records import Audited, Record
from tenants.refusals import Invalid, OutOfReach
from tenants.trail import Entry
from tenants.tree import Tenant
from tenants.verbs import Verb

NAMES = ("who", "person", "actor", "what", "did", "record", "field", "how", "company", "from", "to")
"""The filters, as addresses have them."""
LAST_YEAR = 2200


@dataclass(frozen=True, slots=True)
class Filters:
    """What an address asks of the history. Every filter narrows; the reach is the session's."""

    who: str = ""
    """A name as of then, an e-mail, or the number of a user or membership."""
    person: int | None = None
    """A user."""
    actor: int | None = None
    """A membership."""
    what: str = ""
    did: str = ""
    record: tuple[str, str] | None = None
    field: str = ""
    how: str = ""
    company: int | None = None
    """A tenant, and all below it."""
    since: date | None = None
    until: date | None = None
    """Included."""

    @classmethod
    def asked(cls, said: Mapping[str, Any]) -> "Filters":
        """The filters of an address. Raises Invalid for what cannot be one."""
        kind, _, number = words_in(said, "record").partition(":")
        if kind and (kind not in record_kinds("en") or not number):
            raise Invalid("This is not a record.", field="record")
        return cls(
            words_in(said, "who"),
            id_in(said, "person"),
            id_in(said, "actor"),
            one_of(said, "what", *record_kinds("en"), *KINDS_OF),
            one_of(said, "did", *(verb.value for verb in Verb)),
            (kind, number) if kind else None,
            one_of(said, "field", *field_labels("en")),
            one_of(said, "how", *ways("en")),
            id_in(said, "company"),
            _day(said, "from"),
            _day(said, "to"),
        )

    async def search(self, session: AsyncSession, zone: str) -> Search:
        """The search that answers it; days begin and end where the reader is. OutOfReach for a foreign company."""
        members, narrowed = await self._people(session)
        return Search(
            record=self.record,
            kinds=self._kinds(),
            verb=self.did or None,
            field=self.field or None,
            via=self.how or None,
            members=members,
            narrowed=narrowed,
            under=await self._under(session),
            since=_midnight(self.since, zone) if self.since else None,
            until=_midnight(self.until + timedelta(days=1), zone) if self.until else None,
        )

    def _kinds(self) -> tuple[str, ...]:
        """The kinds of record that may answer: those asked for, and only those that have the field at all."""
        asked = KINDS_OF.get(self.what) or ((self.what,) if self.what else ())
        if not self.field:
            return asked
        having = tables_with(self.field)
        return tuple(kind for kind in asked if kind in having) or asked or having

    async def _people(self, session: AsyncSession) -> tuple[tuple[int, ...], tuple[sa.ColumnElement[bool], ...]]:
        """The memberships meant; a name is looked for among the names of then, which outlive their bearers."""
        if self.actor is not None:
            return (self.actor,), ()
        number = self.person or number_in(self.who)
        if number is not None:
            theirs = sa.select(Membership.id).where(Membership.user_id == number)
        elif "@" in self.who:
            named = User.email == self.who.casefold()
            theirs = sa.select(Membership.id).join(User, User.id == Membership.user_id).where(named)
        elif self.who:
            return (), (matching(self.who, Entry.actor_name, sa.func.coalesce(Entry.subject_name, "")),)
        else:
            return (), ()
        members = set(await session.scalars(theirs)) | ({number} if number and self.person is None else set())
        return tuple(sorted(members)), () if members else (sa.false(),)

    async def _under(self, session: AsyncSession) -> str | None:
        if self.company is None:
            return None
        company = await session.get(Tenant, self.company)
        if company is None:
            raise OutOfReach
        return company.path


@lru_cache
def tables_with(field: str) -> tuple[str, ...]:
    """The tables of audited records that have this column."""
    audited = (mapper for mapper in Record.registry.mappers if issubclass(mapper.class_, Audited))
    return tuple(sorted(str(mapper.class_.__tablename__) for mapper in audited if field in mapper.column_attrs))


def _day(said: Mapping[str, Any], name: str) -> date | None:
    day = day_in(said, name)
    if day is not None and not 1970 < day.year < LAST_YEAR:
        raise Invalid("A day lies between 1971 and 2199.", field=name)
    return day


def _midnight(day: date, zone: str) -> datetime:
    return datetime.combine(day, time(), zone_of(zone))
