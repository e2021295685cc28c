"""A binding proposed to a colleague: to whom one may, and the letter that tells them."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from bindings.binding import Binding
from control.house import House
from tenants.actor import Actor
from tenants.letters import Addressee, LetterKind
from tenants.people import Membership, User, require_rank_over
from tenants.refusals import NotPermitted
from tenants.roles import ADMIN_ACCESS


async def may_propose(session: AsyncSession, actor: Actor, user: User) -> bool:
    """Whether the person has Admin Access somewhere in reach, and the actor ranks above them there."""
    theirs = (
        sa.select(Membership)
        .where(
            Membership.user_id == user.id,
            Membership.discarded_at.is_(None),
            Membership.role.in_([role.value for role in ADMIN_ACCESS]),
        )
        .options(joinedload(Membership.tenant))
    )
    for membership in await session.scalars(theirs):
        try:
            require_rank_over(actor, membership, membership.tenant)
        except NotPermitted:
            continue
        return True
    return False


async def tell_of_proposal(house: House, session: AsyncSession, actor: Actor, binding: Binding, now: datetime) -> None:
    """Write to whom it was proposed: who proposes that their apps open as whom, and that they decide."""
    user = await session.get_one(User, binding.user_id)
    place = await session.get_one(Membership, binding.membership_id)
    said: dict[str, Any] = {"until": binding.ends_at.isoformat() if binding.ends_at else "", "reason": binding.reason}
    await house.letter(
        session,
        LetterKind.BINDING_PROPOSED,
        Addressee(user.email, user.name, user.locale, user.id),
        place.tenant_id,
        now,
        who=actor.standing.shown_name,
        link=house.link(f"/users/{user.id}/bindings"),
        extension=f"{binding.number}, {binding.subject_name}",
        tenant=binding.tenant_name,
        **{name: word for name, word in said.items() if word},
    )
