"""Letters about stand-ins: to whom somebody stood in for, as their company's rules and they themselves want it."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from bindings.notices import AccessNotice, Telling, any_untold, take_untold
from control.house import House
from control.writing.resets import reader
from tenants.actor import Actor
from tenants.letters import LetterKind
from tenants.reach import Reach

HOUSE = Actor.house("notices of access")
EVERYWHERE = Reach.everywhere("notices of access")
LISTED = 50
"""How many accesses one letter names; the page behind its link has them all."""


async def tell_accesses(house: House, now: datetime) -> None:
    """Write to those who are to be told: every few seconds, by each serving process, and each thing once."""
    async with house.store.work(HOUSE, EVERYWHERE, now, writes=False) as session:
        if not await any_untold(session, now):
            return
    async with house.store.work(HOUSE, EVERYWHERE, now) as session:
        for telling in await take_untold(session, now):
            await _tell(house, session, telling, now)


async def _tell(house: House, session: AsyncSession, telling: Telling, now: datetime) -> None:
    """One letter, in the transaction that marks what it says as told."""
    subject, newest = telling.subject, telling.rows[-1]
    kind = LetterKind.ACCESS_STARTED if telling.at_once else LetterKind.ACCESS_DIGEST
    actor = {"who": newest.actor_name, "organization": newest.actor_tenant_name} if telling.at_once else {}
    await house.letter(
        session,
        kind,
        reader(subject.user),
        subject.tenant_id,
        now,
        expires_at=None,
        link=house.link("/home/accesses"),
        tenant=subject.tenant.name,
        accesses=json.dumps(_as_accesses(telling.rows)),
        **actor,
    )


def _as_accesses(rows: Sequence[AccessNotice]) -> list[dict[str, Any]]:
    """Oldest first, the newest where there are too many."""
    return [
        {
            "who": row.actor_name,
            "organization": row.actor_tenant_name,
            "via": row.via,
            "at": row.created_at.isoformat(),
            "reason": row.reason,
        }
        for row in rows[-LISTED:]
    ]
