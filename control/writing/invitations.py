"""Letters of invitation: one letter with one link, for as many places as are offered at once."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from control.house import House
from tenants.actor import Actor
from tenants.invitations import Invitation, renew, send
from tenants.letters import Addressee, LetterKind
from tenants.phones import Extension
from tenants.tree import Tenant


async def send_invitations(
    house: House, session: AsyncSession, actor: Actor, invitations: Sequence[Invitation], now: datetime
) -> None:
    """Send them together, to one address. Whoever sends vouches for them; older links are dead."""
    token = await send(session, actor, invitations, now)
    await _write(house, session, invitations, token, actor, now)


async def send_again(
    house: House, session: AsyncSession, invitation: Invitation, voucher: Actor, now: datetime
) -> None:
    """Send one because its reader asks for the letter: in the name of whoever stands behind it."""
    token = await renew(session, [invitation], now)
    await _write(house, session, [invitation], token, voucher, now)


async def _write(
    house: House,
    session: AsyncSession,
    invitations: Sequence[Invitation],
    token: str,
    inviter: Actor,
    now: datetime,
) -> None:
    first = invitations[0]
    wanted = sa.select(Tenant.id, Tenant.name).where(Tenant.id.in_({each.tenant_id for each in invitations}))
    names = {row.id: row.name for row in await session.execute(wanted)}
    until = first.expires_at or now
    words = {
        "link": house.link(f"/join/{token}"),
        "inviter": inviter.apparent.shown_name if inviter.apparent else names[first.tenant_id],
        "tenant": ", ".join(names[each.tenant_id] for each in invitations),
        "role": ", ".join(dict.fromkeys(each.role for each in invitations)),
        "until": until.isoformat(),
    }
    if len(invitations) == 1 and (extension := await _extension(session, first)) is not None:
        words["extension"] = extension
    to = Addressee(first.email, first.name)
    await house.letter(session, LetterKind.INVITATION, to, first.tenant_id, now, expires_at=until, **words)


async def _extension(session: AsyncSession, invitation: Invitation) -> str | None:
    """The extension that is meant for them, as a sentence shows it."""
    if invitation.extension_id is None:
        return None
    wanted = sa.select(Extension).where(Extension.id == invitation.extension_id)
    found = (await session.scalars(wanted.options(joinedload(Extension.phone_system)))).one_or_none()
    return f"{found.number}, {found.phone_system.name}" if found is not None else None
