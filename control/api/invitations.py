"""Invitations: what was prepared or sent for whom, in reach; sent again and taken back."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncSession

from control.api.doors import Asked, Session, acting, creates, reads
from control.api.extensions import ExtensionShape, extensions_reached
from control.api.lists import Asking, OfTenant, page
from control.api.shapes import Listed, Named, PathId, tenants_named
from control.writing.invitations import send_invitations
from tenants.invitations import Invitation, sent_with
from tenants.refusals import OutOfReach
from tenants.roles import Permission

SEE, INVITE = Permission.SEE_PEOPLE, Permission.INVITE_MEMBERS


class LinkShape(Struct):
    """A link to hand over. It is shown this once: a replay leaves it out."""

    link: str


class InvitationShape(Struct):
    """An offer of a membership to an address. `together` holds the ids of those in one letter with it."""

    id: int
    email: str
    name: str
    role: str
    tenant: Named | None
    extension: ExtensionShape | None
    created_at: datetime
    sent_at: datetime | None
    expires_at: datetime | None
    accepted_at: datetime | None
    revoked_at: datetime | None
    together: list[int]


@reads("/invitations", may=SEE, summary="List the invitations in reach")
async def list_invitations(session: Session, listing: Asking, tenant: OfTenant = None) -> Listed[InvitationShape]:
    """The invitations in reach, newest last; with `discarded`, the revoked ones."""
    wanted = sa.select(Invitation).where(
        listing.like(Invitation.name, Invitation.email), listing.still_there(Invitation.revoked_at)
    )

    if tenant is not None:
        wanted = wanted.where(Invitation.tenant_id == tenant)

    async def shaped(invitations: Sequence[Invitation]) -> list[InvitationShape]:
        return await shape_invitations(session, invitations)

    columns = {"id": Invitation.id, "name": Invitation.name, "email": Invitation.email}
    return await page(session, wanted, columns, listing, shaped, sort="id")


@reads("/invitations/{invitation_id:int}", may=SEE, summary="Show an invitation")
async def show_invitation(session: Session, invitation_id: PathId) -> InvitationShape:
    """The invitation, when in reach."""
    return await shape_invitation(session, await _found(session, invitation_id))


@creates(
    "/invitations/{invitation_id:int}/resend", may=INVITE, outlives=True, summary="Send an invitation again", status=200
)
async def resend_invitation(request: Asked, session: Session, invitation_id: PathId) -> InvitationShape:
    """A new letter with a new link, good for 7 days, also for those that went out in one letter with it."""
    invitation = await _found(session, invitation_id)
    together = await sent_with(session, invitation)
    await send_invitations(request.app.state.house, session, acting(request), together, request.user.now)
    return await shape_invitation(session, invitation)


@creates(
    "/invitations/{invitation_id:int}/revoke", may=INVITE, outlives=False, summary="Revoke an invitation", status=200
)
async def revoke_invitation(request: Asked, session: Session, invitation_id: PathId) -> InvitationShape:
    """Nobody can accept it any more."""
    invitation = await _found(session, invitation_id)
    await invitation.revoke(session, acting(request), request.user.now)
    return await shape_invitation(session, invitation)


@creates("/invitations/{invitation_id:int}/link", may=INVITE, outlives=True, summary="Make a link to hand over")
async def make_invitation_link(request: Asked, session: Session, invitation_id: PathId) -> LinkShape:
    """Good for 7 days, as the one in the letter, which stays good. It proves nobody's address."""
    invitation = await _found(session, invitation_id)
    secret = await invitation.copy_link(session, acting(request), request.user.now)
    return LinkShape(request.app.state.house.link(f"/join/{secret}"))


async def _found(session: AsyncSession, invitation_id: int) -> Invitation:
    invitation = await session.get(Invitation, invitation_id)
    if invitation is None:
        raise OutOfReach
    return invitation


async def shape_invitation(session: AsyncSession, invitation: Invitation) -> InvitationShape:
    """One invitation as the API shows it."""
    return (await shape_invitations(session, [invitation]))[0]


async def shape_invitations(session: AsyncSession, invitations: Sequence[Invitation]) -> list[InvitationShape]:
    """Invitations as the API shows them: never their links."""
    tenants = await tenants_named(session, [each.tenant_id for each in invitations])
    extensions = await extensions_reached(session, [each.extension_id for each in invitations if each.extension_id])
    letters = await _letters(session, invitations)
    return [
        InvitationShape(
            each.id,
            each.email,
            each.name,
            each.role,
            tenants.get(each.tenant_id),
            extensions.get(each.extension_id or 0),
            each.created_at,
            each.sent_at,
            each.expires_at,
            each.accepted_at,
            each.revoked_at,
            [number for number in letters.get(each.together_id, []) if number != each.id],
        )
        for each in invitations
    ]


async def _letters(session: AsyncSession, invitations: Sequence[Invitation]) -> dict[int | None, list[int]]:
    """The invitations of each letter that offers several places, as far as they are in reach."""
    wanted = {each.together_id for each in invitations if each.together_id is not None}
    if not wanted:
        return {}
    found: dict[int | None, list[int]] = {}
    rows = sa.select(Invitation.id, Invitation.together_id).where(Invitation.together_id.in_(wanted))
    for row in await session.execute(rows.order_by(Invitation.id)):
        found.setdefault(row.together_id, []).append(row.id)
    return found


ROUTES = [list_invitations, show_invitation, resend_invitation, make_invitation_link, revoke_invitation]
