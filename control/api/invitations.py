"""Invitations: what was prepared for whom, in reach."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncSession

from control.api.doors import Session, reads
from control.api.lists import Asking, page
from control.api.shapes import Listed, Named, PathId, tenants_named
from tenants.invitations import Invitation
from tenants.refusals import OutOfReach
from tenants.roles import Permission

SEE = Permission.SEE_PEOPLE


class InvitationShape(Struct):
    """An offer of a membership to an address."""

    id: int
    email: str
    name: str
    role: str
    tenant: Named | None
    created_at: datetime
    sent_at: datetime | None
    accepted_at: datetime | None
    revoked_at: datetime | None


@reads("/invitations", may=SEE, summary="List the invitations in reach")
async def list_invitations(session: Session, listing: Asking) -> Listed[InvitationShape]:
    """The invitations in reach, newest last; with `discarded`, the revoked ones."""
    wanted = sa.select(Invitation).where(
        listing.like(Invitation.name, Invitation.email), listing.still_there(Invitation.revoked_at)
    )

    async def shaped(invitations: Sequence[Invitation]) -> list[InvitationShape]:
        return await shape_invitations(session, invitations)

    columns = {"id": Invitation.id, "name": Invitation.name, "email": Invitation.email}
    return await page(session, wanted, columns, listing, shaped, sort="id")


@reads("/invitations/{invitation_id:int}", may=SEE, summary="Show an invitation")
async def show_invitation(session: Session, invitation_id: PathId) -> InvitationShape:
    """The invitation, when in reach."""
    invitation = await session.get(Invitation, invitation_id)
    if invitation is None:
        raise OutOfReach
    return (await shape_invitations(session, [invitation]))[0]


async def shape_invitations(session: AsyncSession, invitations: Sequence[Invitation]) -> list[InvitationShape]:
    """Invitations as the API shows them: never their links."""
    tenants = await tenants_named(session, [each.tenant_id for each in invitations])
    return [
        InvitationShape(
            each.id,
            each.email,
            each.name,
            each.role,
            tenants.get(each.tenant_id),
            each.created_at,
            each.sent_at,
            each.accepted_at,
            each.revoked_at,
        )
        for each in invitations
    ]


ROUTES = [list_invitations, show_invitation]
