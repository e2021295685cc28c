"""Letters about a broken glass: to whom it is about, and to all admins of their company. No setting stops them."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from control.house import House
from control.writing.resets import reader
from tenants.actor import Actor
from tenants.break_glasses import BreakGlass
from tenants.letters import LetterKind
from tenants.loosenings import admins_of
from tenants.people import Membership, find_membership


async def approve_glass(house: House, session: AsyncSession, actor: Actor, glass: BreakGlass, now: datetime) -> None:
    """Say yes to it as the second person, and tell those whose rules it goes past, in one transaction."""
    await glass.approve(session, actor, now)
    subject = await find_membership(session, glass.subject_membership_id)
    asked_by = sa.select(Membership).where(Membership.id == glass.asked_by_id).options(joinedload(Membership.user))
    words = {
        "who": (await session.scalars(asked_by)).one().user.name,
        "approver": actor.standing.shown_name,
        "tenant": subject.tenant.name,
        "until": glass.ends_at.isoformat() if glass.ends_at else "",
        "reason": glass.reason,
    }
    home = house.link("/home")
    await house.letter(
        session,
        LetterKind.GLASS_BROKEN,
        reader(subject.user),
        subject.tenant_id,
        now,
        expires_at=None,
        link=home,
        **words,
    )
    page = house.link(f"/companies/{subject.tenant_id}/consents")
    for user in await admins_of(session, subject.tenant_id):
        if user.id != subject.user_id:
            await house.letter(
                session,
                LetterKind.GLASS_BROKEN_FOR,
                reader(user),
                subject.tenant_id,
                now,
                link=page,
                expires_at=None,
                subject=subject.user.name,
                **words,
            )
