"""An extension list brought onto a phone system: planned line by line, then done in one transaction.

The plan looks at nothing outside the phone system's own tenant. So an address that has no membership there gives
an invitation-to-be, in the same words and by the same work whether somebody elsewhere has it or nobody.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from tenants.extension_list import Fault, Row
from tenants.invitations import Invitation
from tenants.people import Membership, User
from tenants.phones import Extension, PhoneSystem
from tenants.reach import Extent, Reach
from tenants.refusals import Conflict, NotPermitted, OutOfReach
from tenants.roles import Role, grants
from tenants.trail import Told, made, next_ids, record, tell_in_bulk
from tenants.verbs import Verb

# Marks a sentence for translation; it is translated where it is shown.
N_ = str

AT_ONCE = 1000
"""Rows written by one statement."""
ENDED = N_("The membership of this address here has ended; bring it back first.")


class Outcome(StrEnum):
    """What a line of the list comes to."""

    ADDED = "added"
    CHANGED = "changed"
    INVITED = "invited"
    """The extension stays as it is; its person is invited."""
    UNCHANGED = "unchanged"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the list, and what it comes to. `why` is the sentence of a refusal."""

    line: int
    number: str | None
    outcome: Outcome
    why: str = ""
    detail: str = ""
    extension_id: int | None = None
    before: tuple[str | None, int | None] = (None, None)
    """Name and membership of the extension as it is."""
    after: tuple[str | None, int | None] = (None, None)
    person: str | None = None
    """The name of the person that it goes to, when that changes."""
    invites: str | None = None
    """The address that is invited."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What importing a list into a phone system would do, in the order of its lines."""

    system_id: int
    system_name: str
    tenant_id: int
    path: str
    lines: list[Line]

    def count(self, outcome: Outcome) -> int:
        """How many lines come to that."""
        return sum(line.outcome is outcome for line in self.lines)

    @property
    def invitations(self) -> int:
        """How many people are invited."""
        return sum(line.invites is not None for line in self.lines)

    @property
    def entries(self) -> int:
        """How many rows it writes: one entry each, and one more that sums them up."""
        return self.count(Outcome.ADDED) + self.count(Outcome.CHANGED) + self.invitations


@dataclass(frozen=True, slots=True)
class _Standing:
    """An extension as it is."""

    id: int
    name: str | None
    membership_id: int | None


@dataclass(frozen=True, slots=True)
class _Member:
    """Somebody with this address in the tenant, now or before."""

    membership_id: int
    name: str
    ended: bool


@dataclass(frozen=True, slots=True)
class _Books:
    """All that a line is compared with."""

    standing: dict[str, _Standing]
    members: dict[str, _Member]
    invited: set[str]


async def plan(
    session: AsyncSession, system: PhoneSystem, rows: Iterable[Row | Fault], *, to_apply: bool = False
) -> Plan:
    """What the list would change. Raises NotAList from `rows`; Conflict for a phone system out of use.

    With `to_apply` the extensions are held until the transaction ends, so that what is planned is what is done.
    `system` comes with its tenant.
    """
    if system.discarded_at is not None:
        raise Conflict(f"{system.name} is discarded.")
    books = await _open_books(session, system, to_apply)
    return Plan(system.id, system.name, system.tenant_id, system.tenant.path, [_weigh(row, books) for row in rows])


async def _open_books(session: AsyncSession, system: PhoneSystem, to_apply: bool) -> _Books:
    extensions = sa.select(Extension.id, Extension.number, Extension.name, Extension.membership_id).where(
        Extension.phone_system_id == system.id, Extension.discarded_at.is_(None)
    )
    people = (
        sa.select(
            User.email,
            User.name,
            Membership.id,
            sa.or_(Membership.discarded_at.is_not(None), User.discarded_at.is_not(None)),
        )
        .join(User, User.id == Membership.user_id)
        .where(Membership.tenant_id == system.tenant_id)
    )
    waiting = sa.select(Invitation.email).where(
        Invitation.tenant_id == system.tenant_id, Invitation.accepted_at.is_(None), Invitation.revoked_at.is_(None)
    )
    if to_apply:
        # The phone system's row is the lock between two imports, each extension's against whoever edits it.
        await session.execute(sa.select(PhoneSystem.id).where(PhoneSystem.id == system.id).with_for_update())
        extensions = extensions.with_for_update()
    return _Books(
        {number: _Standing(id_, name, member) for id_, number, name, member in await session.execute(extensions)},
        {email: _Member(id_, name, bool(ended)) for email, name, id_, ended in await session.execute(people)},
        set(await session.scalars(waiting)),
    )


def _weigh(row: Row | Fault, books: _Books) -> Line:
    """What one line comes to."""
    if isinstance(row, Fault):
        return Line(row.line, row.number, Outcome.REFUSED, row.why.sentence, row.detail)
    member = books.members.get(row.email) if row.email else None
    if member is not None and member.ended:
        return Line(row.line, row.number, Outcome.REFUSED, ENDED)
    standing = books.standing.get(row.number)
    before = (standing.name, standing.membership_id) if standing else (None, None)
    # An empty cell takes nothing away: neither a name nor a person.
    after = (row.name or before[0], member.membership_id if member else before[1])
    invites = row.email if member is None and row.email not in books.invited else None
    if invites is not None:
        books.invited.add(invites)
    return Line(
        row.line,
        row.number,
        _outcome(standing is None, before != after, invites is not None),
        extension_id=standing.id if standing else None,
        before=before,
        after=after,
        person=member.name if member and before[1] != after[1] else None,
        invites=invites,
    )


def _outcome(new: bool, differs: bool, invites: bool) -> Outcome:
    if new:
        return Outcome.ADDED
    if differs:
        return Outcome.CHANGED
    return Outcome.INVITED if invites else Outcome.UNCHANGED


async def apply(
    session: AsyncSession,
    plan: Plan,
    now: datetime,
    *,
    source: str,
    advance: Callable[[int], None] = lambda lines: None,
) -> None:
    """Do what the plan says, in the transaction it was made in; `advance` hears of lines done.

    One entry for each extension and each invitation, and one that sums them up and names `source`. A plan that
    changes nothing writes nothing. Raises NotPermitted when invitations are planned and the actor may invite
    nobody, OutOfReach when the phone system is not in reach, Conflict when a number was taken since the plan.
    """
    reach: Reach = session.sync_session.info["reach"]
    if reach.extent is Extent.SELF or not reach.holds(plan.path):
        raise OutOfReach
    if plan.invitations:
        _require_invite(session)
    try:
        await session.run_sync(_write, plan, now, advance)
    except IntegrityError as error:
        raise Conflict("Somebody changed these extensions meanwhile. Nothing was imported; run it again.") from error
    if plan.entries:
        record(
            session,
            Verb.EXTENSIONS_IMPORTED,
            place=plan.tenant_id,
            named=("phone_systems", str(plan.system_id), plan.system_name),
            source=source,
            added=plan.count(Outcome.ADDED),
            changed=plan.count(Outcome.CHANGED),
            invited=plan.invitations,
            refused=plan.count(Outcome.REFUSED),
        )
        await session.flush()


def _require_invite(session: AsyncSession) -> None:
    actor = session.sync_session.info["actor"]
    if actor.true is not None and not grants(actor.standing.role, Role.MEMBER):
        raise NotPermitted("Your role may not invite people.")


def _write(session: Session, plan: Plan, now: datetime, advance: Callable[[int], None]) -> None:
    for lines in _batches(plan.lines):
        ids = _add(session, plan, [line for line in lines if line.outcome is Outcome.ADDED], now)
        _change(session, plan, [line for line in lines if line.outcome is Outcome.CHANGED])
        _invite(session, plan, [line for line in lines if line.invites is not None], ids, now)
        advance(len(lines))


def _batches(lines: Sequence[Line]) -> Iterator[Sequence[Line]]:
    for start in range(0, len(lines), AT_ONCE):
        yield lines[start : start + AT_ONCE]


def _add(session: Session, plan: Plan, lines: list[Line], now: datetime) -> dict[str, int]:
    """New extensions; gives their ids by number."""
    ids = next_ids(session.connection(), Extension.__tablename__, len(lines))
    rows: list[dict[str, Any]] = [
        {
            "id": id_,
            "tenant_id": plan.tenant_id,
            "phone_system_id": plan.system_id,
            "number": line.number,
            "name": line.after[0],
            "membership_id": line.after[1],
            "created_at": now,
        }
        for id_, line in zip(ids, lines, strict=True)
    ]
    _insert(session, plan, Extension, Verb.EXTENSION_CREATED, rows, "number")
    return {row["number"]: row["id"] for row in rows}


def _change(session: Session, plan: Plan, lines: list[Line]) -> None:
    """Another name or another person for extensions that are there."""
    told = []
    for line in lines:
        pairs = zip(("name", "membership_id"), line.before, line.after, strict=True)
        changes = {field: [before, after] for field, before, after in pairs if before != after}
        thing = (Extension.__tablename__, line.extension_id or 0, line.number or "")
        told.append(Told(Verb.EXTENSION_CHANGED, thing, plan.tenant_id, plan.path, changes))
    entry_ids = tell_in_bulk(session, told)
    table = Extension.__table__
    change = (
        sa.update(table)
        .where(table.c.id == sa.bindparam("this"))
        .values(
            name=sa.bindparam("its_name"),
            membership_id=sa.bindparam("whose"),
            last_entry_id=sa.bindparam("entry"),
        )
    )
    rows = [
        {"this": line.extension_id, "its_name": line.after[0], "whose": line.after[1], "entry": entry_id}
        for line, entry_id in zip(lines, entry_ids, strict=True)
    ]
    if rows:
        session.connection().execute(change, rows)


def _invite(session: Session, plan: Plan, lines: list[Line], new: dict[str, int], now: datetime) -> None:
    """Invitations-to-be, each for the extension of its line, as `Invitation.prepare` makes one."""
    actor = session.info["actor"]
    ids = next_ids(session.connection(), Invitation.__tablename__, len(lines))
    rows: list[dict[str, Any]] = [
        {
            "id": id_,
            "tenant_id": plan.tenant_id,
            "email": line.invites,
            "name": line.after[0] or (line.invites or "").partition("@")[0],
            "role": Role.MEMBER.value,
            "extension_id": line.extension_id or new[line.number or ""],
            "invited_by_id": actor.true.membership_id if actor.true else None,
            "created_at": now,
        }
        for id_, line in zip(ids, lines, strict=True)
    ]
    _insert(session, plan, Invitation, Verb.INVITATION_PREPARED, rows, "email")


def _insert(
    session: Session,
    plan: Plan,
    kind: type[Extension] | type[Invitation],
    verb: Verb,
    rows: list[dict[str, Any]],
    label: str,
) -> None:
    """New rows of the tenant, their entries first."""
    told = [
        Told(verb, (kind.__tablename__, row["id"], row[label]), plan.tenant_id, plan.path, made(row)) for row in rows
    ]
    for row, entry_id in zip(rows, tell_in_bulk(session, told), strict=True):
        row["last_entry_id"] = entry_id
    if rows:
        session.connection().execute(sa.insert(kind.__table__), rows)
