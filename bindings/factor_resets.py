"""Factor resets: somebody's second factors are taken away because they are locked out, and all access with them."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from bindings.resets import reset_access
from tenants.actor import Actor
from tenants.email_changes import pending_change_by_line
from tenants.factors import Factors, factors_of, lock, reset_factors
from tenants.people import User, require_rank_everywhere
from tenants.refusals import Conflict, Invalid, NotPermitted
from tenants.text import reason_given


async def require_resettable(session: AsyncSession, actor: Actor, user: User, now: datetime) -> Factors:
    """What stands before `disable_factors`; returns what there is to take away.

    NotPermitted without rank over the home and every place they are in, and while somebody of the actor's line has
    another address for them under way: with both, one person could take over the account.
    """
    if user.discarded_at is not None:
        raise Conflict(f"{user.name} is discarded.")
    await require_rank_everywhere(session, actor, user)
    if await pending_change_by_line(session, user, actor, now):
        raise NotPermitted(
            f"Another address for {user.name} is under way, asked for by your organization, above or below it. "
            "Nobody there can disable a second factor until it is settled.",
            rule="email_change",
        )
    factors = await factors_of(session, user.id)
    if not factors.count:
        raise Conflict(f"{user.name} has no second factor.")
    return factors


async def disable_factors(session: AsyncSession, actor: Actor, user: User, note: str, now: datetime) -> None:
    """Take them all away, with why the admin believes that it is the person who asks (10 to 1000 characters).

    For a session of the house, like `reset_access`: every sign-in, login, key and stand-in of theirs ends.
    """
    await lock(session, user)
    await require_resettable(session, actor, user, now)
    reason = reason_given(note, asked=True)
    if reason is None:
        raise Invalid("Say how you checked who is asking, in at least 10 characters.", field="reason")
    await reset_factors(session, user, reason, now)
    await reset_access(session, user, "factor_reset", now)
