"""Extension choice: picking one of a tenant's extensions in a form, from a list or by its number in a large tenant."""

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import contains_eager, joinedload

from control.pages.parts.fields import Fields
from tenants.people import Membership
from tenants.phones import Extension, PhoneSystem
from tenants.refusals import Invalid

MOST = 200
"""The longest list to choose from; in a larger tenant the form asks for the number."""


async def extensions_to_choose(session: AsyncSession, tenant_id: int) -> list[Extension] | None:
    """The extensions of a tenant in use, by number; None when they are too many for a list."""
    wanted = _live(tenant_id).options(joinedload(Extension.membership).joinedload(Membership.user))
    found = list(await session.scalars(wanted.order_by(Extension.number, Extension.id).limit(MOST + 1)))
    return found if len(found) <= MOST else None


async def chosen_extension(session: AsyncSession, tenant_id: int, fields: Fields) -> Extension | None:
    """Which one a form chose, by `extension` (its record) or by `number_there`; None for none."""
    if number := fields.number("extension"):
        wanted = _live(tenant_id).where(Extension.id == number)
    elif fields.text("extension"):
        raise Invalid("Choose an extension of this company.", field="extension")
    elif fields.text("number_there").strip():
        return await extension_with_number(session, tenant_id, fields.text("number_there").strip())
    else:
        return None
    extension = (await session.scalars(wanted)).one_or_none()
    if extension is None:
        raise Invalid("No extension of this company fits.", field="extension")
    return extension


async def extension_with_number(session: AsyncSession, tenant_id: int, number: str) -> Extension:
    """The one with that number at a tenant. Invalid for none, and where two phone systems have it."""
    found = list(await session.scalars(_live(tenant_id).where(Extension.number == number).limit(2)))
    if not found:
        raise Invalid("No extension of this company has this number.", field="number_there")
    if len(found) > 1:
        raise Invalid("More than one phone system here has this number.", field="number_there")
    return found[0]


def _live(tenant_id: int) -> sa.Select[Extension]:
    return (
        sa.select(Extension)
        .join(PhoneSystem, PhoneSystem.id == Extension.phone_system_id)
        .options(contains_eager(Extension.phone_system))
        .where(Extension.tenant_id == tenant_id, Extension.discarded_at.is_(None))
    )
