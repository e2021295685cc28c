"""Phone endings: an extension or a PBX taken out of use with all that hangs on it, in one transaction.

Doors call these rather than the verbs of the records, which know nothing of each other. A binding to an extension
is left to go stale: whoever made it is told why at their next login.
"""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from tenants.numbers import InboundNumber
from tenants.phones import Extension, Licence, PhoneSystem
from tenants.refusals import Conflict

MOST = 500
"""Extensions that go with their PBX at once; more are discarded beforehand."""


@dataclass(frozen=True, slots=True)
class Goes:
    """What goes with an extension or a PBX: counted beforehand, for whoever is about to discard it."""

    extensions: int
    licences: int
    numbers: int
    """Inbound numbers that ring nowhere afterwards."""


async def what_goes(session: AsyncSession, thing: Extension | PhoneSystem) -> Goes:
    """What discarding it takes along now."""
    lines = _lines(thing)
    licences = sa.select(sa.func.count(Licence.id)).where(
        Licence.extension_id.in_(lines), Licence.discarded_at.is_(None)
    )
    numbers = sa.select(sa.func.count(InboundNumber.id)).where(
        InboundNumber.extension_id.in_(lines), InboundNumber.discarded_at.is_(None)
    )
    counted = sa.select(sa.func.count(Extension.id)).where(Extension.id.in_(lines))
    extensions = await session.scalar(counted) if isinstance(thing, PhoneSystem) else 0
    return Goes(extensions or 0, await session.scalar(licences) or 0, await session.scalar(numbers) or 0)


async def discard_extension(session: AsyncSession, extension: Extension, now: datetime) -> None:
    """Out of use: its licences give their seats back, and no number rings there any more."""
    await extension.discard(session, now)
    held = sa.select(Licence).where(Licence.extension_id == extension.id, Licence.discarded_at.is_(None))
    for licence in (await session.scalars(held)).all():
        await licence.withdraw(session, now)
    ringing = sa.select(InboundNumber).where(
        InboundNumber.extension_id == extension.id, InboundNumber.discarded_at.is_(None)
    )
    for number in (await session.scalars(ringing)).all():
        await number.change(session, extension=None)


async def discard_phone_system(
    session: AsyncSession, system: PhoneSystem, now: datetime, *, with_extensions: bool = False
) -> None:
    """Out of use, empty or with all its extensions. Conflict when it has some and they were not meant."""
    if with_extensions:
        found = (
            await session.scalars(sa.select(Extension).where(Extension.id.in_(_lines(system))).limit(MOST + 1))
        ).all()
        if len(found) > MOST:
            raise Conflict(f"More than {MOST} extensions are on {system.name}. Discard some of them first.")
        for extension in found:
            await discard_extension(session, extension, now)
    await system.discard(session, now)


def _lines(thing: Extension | PhoneSystem) -> sa.Select[int]:
    """The extensions meant: the one, or those in use on the PBX."""
    if isinstance(thing, Extension):
        return sa.select(Extension.id).where(Extension.id == thing.id)
    return sa.select(Extension.id).where(Extension.phone_system_id == thing.id, Extension.discarded_at.is_(None))
