"""Member choice: picking one of a tenant's people in a form, from a list or, in a large tenant, by e-mail."""

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import contains_eager

from control.pages.parts.fields import Fields
from tenants.people import Membership, User
from tenants.refusals import Invalid
from tenants.text import email_address

MOST = 200
"""The longest list to choose from; in a larger tenant the form asks for the address."""


async def members_to_choose(session: AsyncSession, tenant_id: int) -> list[Membership] | None:
    """The live memberships of a tenant by name; None when they are too many for a list."""
    found = list(await session.scalars(_live(tenant_id).order_by(User.name, Membership.id).limit(MOST + 1)))
    return found if len(found) <= MOST else None


async def chosen_member(session: AsyncSession, tenant_id: int, fields: Fields) -> Membership | None:
    """Whom a form chose, by `membership` or by `email`; None for nobody. Invalid when nobody there fits."""
    wanted = _live(tenant_id)
    if number := fields.number("membership"):
        wanted = wanted.where(Membership.id == number)
    elif fields.text("email"):
        wanted = wanted.where(User.email == email_address(fields.text("email")))
    elif fields.text("membership"):
        raise Invalid("Choose somebody of this company.", field="membership")
    else:
        return None
    membership = (await session.scalars(wanted)).one_or_none()
    if membership is None:
        raise Invalid("Nobody of this company fits.", field="membership" if fields.number("membership") else "email")
    return membership


def _live(tenant_id: int) -> sa.Select[Membership]:
    return (
        sa.select(Membership)
        .join(User, User.id == Membership.user_id)
        .options(contains_eager(Membership.user))
        .where(Membership.tenant_id == tenant_id, Membership.discarded_at.is_(None), User.discarded_at.is_(None))
    )
