"""Stopping from outside the panel: an app's Stop, and the link that whoever reads the banner may follow."""

from datetime import datetime

from bindings.impersonation import Impersonation
from tenants.actor import Actor, Origin
from tenants.identities import live_identities
from tenants.reach import Reach
from tenants.store import Store


async def stop_for_its_actor(store: Store, impersonation_id: int, now: datetime, origin: Origin) -> Impersonation:
    """End it as its actor would by Stop, unless it is over already; history names them.

    Who may is known before: by the access token that it gave, or by the mark of its link.
    """
    house, everywhere = Actor.house("stop", origin), Reach.everywhere("stop")
    async with store.work(house, everywhere, now) as session:
        row = await session.get_one(Impersonation, impersonation_id)
        over = row.over(now)
        people = await live_identities(session, membership_id=row.actor_membership_id)
        if over is not None or not people:
            cause, at = over or ("live", now)
            await row.end(session, cause, now, at=at)
            return row
        actor = Actor.of(people[0], origin)
        session.sync_session.info["actor"] = actor
        await row.stop(session, actor, now)
        return row
