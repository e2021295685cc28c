"""Letters about looser rules: to all admins of a tenant when they are asked for, and again when they are in force."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from control.house import House
from control.writing.resets import reader
from tenants.actor import Actor
from tenants.letters import LetterKind
from tenants.loosenings import Loosening, admins_of, apply_due
from tenants.protections import Word
from tenants.reach import Reach
from tenants.tree import Tenant

HOUSE = Actor.house("loosening")
EVERYWHERE = Reach.everywhere("loosening")


async def ask_loosening(
    house: House, session: AsyncSession, actor: Actor, tenant: Tenant, wanted: Mapping[str, Word], now: datetime
) -> Loosening:
    """Ask for looser rules, and write to every admin there, also to who asks: it may not have been them."""
    row = await Loosening.ask(session, actor, tenant, wanted, now)
    for user in await admins_of(session, tenant.id):
        await house.letter(
            session,
            LetterKind.LOOSENING_ASKED,
            reader(user),
            tenant.id,
            now,
            who=actor.standing.shown_name,
            tenant=tenant.name,
            rules=_as_rules(row.wanted),
            until=row.takes_effect_at.isoformat(),
            link=house.link(f"/companies/{tenant.id}/policy"),
        )
    return row


async def settle_loosenings(house: House, now: datetime) -> None:
    """Put looser rules in force whose day is over: now and then, by each serving process."""
    async with house.store.work(HOUSE, EVERYWHERE, now, writes=False) as session:
        if not await Loosening.any_due(session, now):
            return
    async with house.store.work(HOUSE, EVERYWHERE, now) as session:
        for row, changed in await apply_due(session, now):
            for user in await admins_of(session, row.tenant_id):
                await house.letter(
                    session,
                    LetterKind.LOOSENING_APPLIED,
                    reader(user),
                    row.tenant_id,
                    now,
                    tenant=row.about,
                    rules=_as_rules(changed),
                    link=house.link(f"/companies/{row.tenant_id}/policy"),
                )


def _as_rules(changed: Mapping[str, Sequence[Word]]) -> str:
    """The rules as a letter has them: their words are chosen when it is written, in its reader's language."""
    return json.dumps([{"name": name, "before": before, "after": after} for name, (before, after) in changed.items()])
