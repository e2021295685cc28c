"""What an admin can do about somebody's way in: a reset letter, another address. Drawn on the Profile tab."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from control.visitor import Visitor
from tenants.email_changes import EmailChange, pending_change
from tenants.people import User, require_rank_everywhere
from tenants.refusals import NotPermitted
from tenants.roles import Permission


@dataclass(frozen=True, slots=True)
class UserActions:
    """What may be done, or the sentence why not; and the change of address under way."""

    barred: str | None
    change: EmailChange | None
    until: datetime | None
    """When it takes effect by itself; None before the new address confirmed."""


async def user_actions(session: AsyncSession, visitor: Visitor, user: User) -> UserActions | None:
    """For whoever manages people as themselves, and somebody else who is in use; None otherwise."""
    actor = visitor.actor
    if actor is None or actor.standing_in or not actor.may(Permission.MANAGE_PEOPLE) or user.discarded_at is not None:
        return None
    if visitor.user is None or visitor.user.id == user.id:
        return None
    try:
        await require_rank_everywhere(session, actor, user)
    except NotPermitted as refusal:
        return UserActions(refusal.sentence, None, None)
    change = await pending_change(session, user.id, visitor.now)
    return UserActions(None, change, change.by_itself_at if change else None)
