"""Letters of alarm: somebody goes into unusually many companies, and the admins of their organization are told."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from bindings.alarms import many_companies
from bindings.app_use import who_speaks_for
from bindings.impersonation import Impersonation
from control.house import House
from control.writing.resets import reader
from tenants.actor import Actor
from tenants.letters import LetterKind
from tenants.tree import find_tenant


async def raise_alarm(house: House, session: AsyncSession, actor: Actor, stand: Impersonation, now: datetime) -> None:
    """After each start, in its transaction: when it is the one too many, it is written down and told.

    Also to whoever did it, where they are an admin themselves: it may have been somebody else with their sign-in.
    """
    count = await many_companies(session, actor, stand, now)
    if count is None or actor.true is None:
        return
    home = await find_tenant(session, actor.true.tenant_id)
    for each in await who_speaks_for(session, [home]):
        await house.letter(
            session,
            LetterKind.MANY_COMPANIES,
            reader(each.user),
            home.id,
            now,
            who=actor.true.shown_name,
            count=str(count),
            tenant=home.name,
            link=house.link("/impersonations"),
        )
