"""Moving a phone system: it and its extensions get another owner. People, calls and numbers stay where they are.

What hangs on it and belongs to the old owner's people is cut in the same transaction: nobody's apps, calls or seats
end up with somebody else by it.
"""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.binding import Binding
from bindings.login import Login
from bindings.moving import NAMED, Cut, Fate, Rows
from tenants.numbers import InboundNumber
from tenants.people import Membership, User
from tenants.phones import Extension, Licence, PhoneSystem
from tenants.products import Product
from tenants.recordings import Recording
from tenants.refusals import Conflict, OutOfReach
from tenants.trail import record
from tenants.tree import Tenant, closed
from tenants.verbs import Verb

CAUSE = "phone_system_moved"

RELATIONS: dict[str, Fate] = {
    "extensions.phone_system_id": Fate.FOLLOW,
    "extensions.membership_id": Fate.CUT,
    "licences.extension_id": Fate.CUT,
    "bindings.extension_id": Fate.CUT,
    "logins.extension_id": Fate.CUT,
    "numbers.extension_id": Fate.CUT,
    "recordings.extension_id": Fate.CUT,
    # Whoever accepts is told that the extension is not to be had any more; a choice that fits nobody is asked again
    "invitations.extension_id": Fate.FOLLOW,
    "login_choices.extension_id": Fate.FOLLOW,
    # It names where an impersonation was asked for; what was opened there is the login's
    "impersonations.extension_id": Fate.FOLLOW,
}
"""table.column that points at a phone system or an extension -> what becomes of it."""

TIED = (
    "fk_extensions_phone_system_id_phone_systems",
    "fk_licences_extension_id_extensions",
    "fk_numbers_extension_id_extensions",
    "fk_recordings_extension_id_extensions",
)
"""The keys that hold a phone system and all on it in one tenant."""

_logins = Login.__table__


@dataclass(frozen=True, slots=True)
class SystemMove:
    """A move of a phone system before it is made."""

    system: PhoneSystem
    old_owner: Tenant
    owner: Tenant
    extensions: int
    cuts: tuple[Cut, ...]


async def what_moves(
    session: AsyncSession, system: PhoneSystem, owner: Tenant, now: datetime, *, expected_owner_id: int | None = None
) -> SystemMove:
    """What `move_phone_system` would do now. Refuses as it would."""
    old_owner = await _require_movable(session, system, owner, expected_owner_id)
    lines = _lines(system)
    live = sa.select(sa.func.count(Extension.id)).where(Extension.id.in_(lines), Extension.discarded_at.is_(None))
    return SystemMove(
        system,
        old_owner,
        owner,
        await session.scalar(live) or 0,
        tuple([await _told(session, kind, words) for kind, words in _cuts(lines, now)]),
    )


async def move_phone_system(
    session: AsyncSession,
    system: PhoneSystem,
    owner: Tenant,
    now: datetime,
    *,
    expected_owner_id: int | None = None,
) -> None:
    """Give it and its extensions to `owner`: all of it or nothing. Both owners have to be in reach.

    Conflict (rule `moved`) when it is not the one's that the actor was shown.
    """
    await session.refresh(system, ["tenant_id", "slug", "discarded_at"], with_for_update=True)
    await _require_movable(session, system, owner, expected_owner_id)
    lines = _lines(system)
    await _cut(session, lines, now)
    await _untie(session)
    system.move_to(session, owner)
    for extension in (await session.scalars(sa.select(Extension).where(Extension.id.in_(lines)))).all():
        extension.tenant_id, extension.membership_id, extension.moved_at = owner.id, None, now
        record(session, Verb.EXTENSION_MOVED, extension)
    await _withdraw_licences(session, lines, owner, now)
    await session.flush()
    await _tie(session)


async def _require_movable(
    session: AsyncSession, system: PhoneSystem, owner: Tenant, expected_owner_id: int | None
) -> Tenant:
    old_owner = await session.get(Tenant, system.tenant_id)
    if old_owner is None:
        raise OutOfReach
    if expected_owner_id is not None and expected_owner_id != old_owner.id:
        raise Conflict(f"{system.name} was moved in the meantime. Look again.", rule="moved")
    if owner.id == old_owner.id:
        raise Conflict(f"{system.name} is {owner.name}'s already.", rule="there")
    if system.discarded_at is not None:
        raise Conflict(f"{system.name} is discarded.", rule="discarded")
    if await closed(session, owner.path):
        raise Conflict(f"{owner.name} is suspended or discarded.", rule="closed")
    taken = sa.select(PhoneSystem.id).where(PhoneSystem.tenant_id == owner.id, PhoneSystem.slug == system.slug)
    if (await session.scalars(taken)).first() is not None:
        raise Conflict(f"{owner.name} has a phone system with the short name “{system.slug}”.", rule="slug")
    return old_owner


def _lines(system: PhoneSystem) -> Rows:
    """All its extensions, those out of use as well: they hang on it too."""
    return sa.select(Extension.id).where(Extension.phone_system_id == system.id)


async def _cut(session: AsyncSession, lines: Rows, now: datetime) -> None:
    open_bindings = sa.select(Binding).where(Binding.extension_id.in_(lines), Binding.ended_at.is_(None))
    for binding in (await session.scalars(open_bindings)).all():
        await binding.end(session, CAUSE, now)
    over = {"ended_at": now, "ended_cause": CAUSE}
    at_them = sa.and_(_logins.c.extension_id.in_(lines), _logins.c.ended_at.is_(None))
    await session.execute(sa.update(_logins).where(at_them).values(**over))
    for number in (await session.scalars(sa.select(InboundNumber).where(InboundNumber.extension_id.in_(lines)))).all():
        number.extension_id = None
        record(session, Verb.NUMBER_CHANGED, number)
    for recording in (await session.scalars(sa.select(Recording).where(Recording.extension_id.in_(lines)))).all():
        recording.extension_id = None
        record(session, Verb.RECORDING_CHANGED, recording)
    await session.flush()


async def _withdraw_licences(session: AsyncSession, lines: Rows, owner: Tenant, now: datetime) -> None:
    """Their seats were the old owner's. The records go along with their extensions, those that ended before too."""
    held = (
        sa.select(Licence, Product.name, Extension.number)
        .join(Product, Product.id == Licence.product_id)
        .join(Extension, Extension.id == Licence.extension_id)
        .where(Licence.extension_id.in_(lines))
    )
    with session.no_autoflush:
        found = (await session.execute(held)).all()
    for licence, product, number in found:
        live = licence.discarded_at is None
        licence.tenant_id, licence.about = owner.id, f"{product} for {number}"
        if live:
            licence.discarded_at, licence.app_admin = now, False
        record(session, Verb.LICENCE_WITHDRAWN if live else Verb.LICENCE_CHANGED, licence)


async def _untie(session: AsyncSession) -> None:
    """Until the end of this change the keys that hold all of it in one tenant are not asked."""
    await session.flush()
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(sa.text(f"SET CONSTRAINTS {', '.join(TIED)} DEFERRED"))
    else:
        await session.execute(sa.text("PRAGMA defer_foreign_keys = ON"))


async def _tie(session: AsyncSession) -> None:
    """Asked now rather than at the commit, where the database can."""
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(sa.text(f"SET CONSTRAINTS {', '.join(TIED)} IMMEDIATE"))


# What a preview tells


def _cuts(lines: Rows, now: datetime) -> list[tuple[str, Rows]]:
    """The kinds of what ends or stays behind, as the texts by which people know them."""
    there = Extension.id.in_(lines)
    people = sa.select(User.name, Extension.number).join(Membership, Membership.user_id == User.id)
    bindings = sa.select(Binding.actor_name, Binding.subject_name, Binding.number)
    licences = sa.select(Product.name, Extension.number).join(Licence, Licence.product_id == Product.id)
    logins = sa.select(User.name).join(Membership, Membership.user_id == User.id)
    return [
        ("people", people.join(Extension, Extension.membership_id == Membership.id).where(there)),
        ("bindings", bindings.where(Binding.extension_id.in_(lines), Binding.ended_at.is_(None))),
        (
            "logins",
            logins.join(Login, Login.subject_membership_id == Membership.id).where(
                Login.extension_id.in_(lines),
                Login.ended_at.is_(None),
                sa.or_(Login.ends_at.is_(None), Login.ends_at > now),
            ),
        ),
        (
            "licences",
            licences.join(Extension, Extension.id == Licence.extension_id).where(there, Licence.discarded_at.is_(None)),
        ),
        (
            "numbers",
            sa.select(InboundNumber.e164).where(
                InboundNumber.extension_id.in_(lines), InboundNumber.discarded_at.is_(None)
            ),
        ),
        ("recordings", sa.select(Recording.party).where(Recording.extension_id.in_(lines))),
    ]


async def _told(session: AsyncSession, kind: str, words: Rows) -> Cut:
    count = await session.scalar(words.with_only_columns(sa.func.count(), maintain_column_froms=True)) or 0
    first = await session.execute(words.order_by(*words.selected_columns).limit(NAMED))
    names = () if kind == "recordings" else tuple(", ".join(map(str, each)) for each in first)
    return Cut(kind, count, names)
