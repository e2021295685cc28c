"""New users: always an invitation, so that no answer tells who is known elsewhere."""

from typing import Annotated

from litestar.params import JSONBody
from msgspec import Meta, field
from sqlalchemy.ext.asyncio import AsyncSession

from control.api.doors import Asked, Session, acting, creates
from control.api.invitations import InvitationShape, shape_invitation
from control.api.shapes import Id, Sent, Text
from control.writing.invitations import send_invitations
from tenants.invitations import Invitation
from tenants.phones import find_extension
from tenants.refusals import Invalid
from tenants.roles import Permission, Role
from tenants.tree import Tenant, find_tenant

MOST = 10
"""Places that one letter may offer."""


class NewUserPlace(Sent):
    """A membership to offer; `extension` is one of that tenant that nobody has."""

    tenant: Id
    role: Role = Role.MEMBER
    extension: Id | None = None


class NewUser(Sent):
    """A person to invite: into `tenant` as `role`, or into several at once, as `memberships` has it."""

    email: Text
    name: Text
    tenant: Id | None = None
    role: Role = Role.MEMBER
    extension: Id | None = None
    memberships: Annotated[list[NewUserPlace], Meta(max_length=MOST)] = field(default_factory=list)


@creates("/users", may=Permission.INVITE_MEMBERS, outlives=True, summary="Invite a person")
async def invite_user(request: Asked, session: Session, data: JSONBody[NewUser]) -> InvitationShape:
    """One letter goes out at once: the same answer whether the address is known anywhere or not.

    With several memberships the first invitation is answered, and `together` names the others.
    """
    if (data.tenant is None) == (not data.memberships):
        raise Invalid("Send either a tenant or memberships.", field="tenant")
    places = data.memberships or [NewUserPlace(tenant=data.tenant or 0, role=data.role, extension=data.extension)]
    made: list[Invitation] = []
    for place in places:
        tenant = await find_tenant(session, place.tenant)
        await require_free(session, tenant, place.extension)
        invitation = await Invitation.prepare(
            session,
            acting(request),
            tenant.id,
            data.email,
            data.name,
            place.role,
            request.user.now,
            extension_id=place.extension,
        )
        made += [invitation] if invitation not in made else []
    await send_invitations(request.app.state.house, session, acting(request), made, request.user.now)
    return await shape_invitation(session, made[0])


async def require_free(session: AsyncSession, tenant: Tenant, extension_id: int | None) -> None:
    """Invalid for an extension that is not the tenant's, or that somebody has."""
    if extension_id is None:
        return
    extension = await find_extension(session, extension_id)
    if extension.tenant_id != tenant.id or extension.membership_id is not None or extension.discarded_at is not None:
        raise Invalid(f"An extension of {tenant.name} that nobody has.", field="extension")


ROUTES = [invite_user]
