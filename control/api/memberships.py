"""Memberships: who somebody is in a tenant, and as what."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import sqlalchemy as sa
from litestar.params import JSONBody, QueryParameter
from msgspec import UNSET, Struct, UnsetType

from bindings import endings, role_change
from control.api.doors import Asked, Session, acting, alters, creates, reads
from control.api.lists import Asking, OfTenant, page
from control.api.shapes import Id, Listed, Named, PathId, PersonNamed, Sent, refer, refer_person
from control.paging import LARGEST
from tenants.people import Membership, User, find_membership, find_user
from tenants.roles import Permission, Role
from tenants.tree import find_tenant

MANAGE, SEE = Permission.MANAGE_PEOPLE, Permission.SEE_PEOPLE


class MembershipShape(Struct):
    """A user in a tenant with a role: the identity that bindings, tokens and entries speak of."""

    id: int
    user: PersonNamed
    tenant: Named
    role: str
    sponsored: bool
    created_at: datetime
    discarded_at: datetime | None


class NewMembership(Sent):
    """Somebody in reach, to be put into a tenant."""

    user: Id
    tenant: Id
    role: Role = Role.MEMBER


class MembershipChange(Sent):
    """What changes of a membership."""

    role: Role | UnsetType = UNSET


@reads("/memberships", may=SEE, summary="List the memberships in reach")
async def list_memberships(
    session: Session,
    listing: Asking,
    tenant: OfTenant = None,
    user: Annotated[int | None, QueryParameter(ge=1, le=LARGEST, description="Only of this person.")] = None,
) -> Listed[MembershipShape]:
    """The memberships of people in reach, oldest first, or by their person's `name`. Programs have a noun of theirs."""
    wanted = (
        sa.select(Membership)
        .join(Membership.user)
        .where(~User.service, listing.like(User.name, User.email), listing.still_there(Membership.discarded_at))
        .options(sa.orm.contains_eager(Membership.user), sa.orm.joinedload(Membership.tenant))
    )
    if tenant is not None:
        wanted = wanted.where(Membership.tenant_id == tenant)
    if user is not None:
        wanted = wanted.where(Membership.user_id == user)

    async def shaped(memberships: Sequence[Membership]) -> list[MembershipShape]:
        return [shape_membership(each) for each in memberships]

    columns = {"id": Membership.id, "name": User.name, "created_at": Membership.created_at}
    return await page(session, wanted, columns, listing, shaped, sort="id")


@reads("/memberships/{membership_id:int}", may=SEE, summary="Show a membership")
async def show_membership(session: Session, membership_id: PathId) -> MembershipShape:
    """The membership, when in reach."""
    return shape_membership(await find_membership(session, membership_id))


@creates("/memberships", may=MANAGE, outlives=True, summary="Put a person in reach into a tenant")
async def create_membership(request: Asked, session: Session, data: JSONBody[NewMembership]) -> MembershipShape:
    """Once per person and tenant, ever; somebody out of reach is invited instead (POST /users)."""
    tenant, user = await find_tenant(session, data.tenant), await find_user(session, data.user)
    made = await Membership.create(session, acting(request), user, tenant, data.role, request.user.now)
    return shape_membership(made)


@creates(
    "/tenants/{tenant_id:int}/profile", may=Permission.STAND_IN, outlives=True, summary="Make your profile in a company"
)
async def make_profile(request: Asked, session: Session, tenant_id: PathId) -> MembershipShape:
    """Your own user as operator in a customer's company below, for as long as your place above it is live.

    It may stand in for the people there, where a rule asks for somebody of the very company, and manages nothing.
    """
    tenant = await find_tenant(session, tenant_id)
    return shape_membership(await Membership.sponsor(session, acting(request), tenant, request.user.now))


@alters("/memberships/{membership_id:int}", may=MANAGE, outlives=True, summary="Change a role")
async def change_membership(
    request: Asked, session: Session, membership_id: PathId, data: JSONBody[MembershipChange]
) -> MembershipShape:
    """Another role, within what you may grant and outrank."""
    membership = await find_membership(session, membership_id)
    if data.role is not UNSET:
        await role_change.change_role(session, acting(request), membership, data.role, request.user.now)
    return shape_membership(membership)


@creates("/memberships/{membership_id:int}/discard", may=MANAGE, outlives=False, summary="End a membership", status=200)
async def discard_membership(request: Asked, session: Session, membership_id: PathId) -> MembershipShape:
    """Access through it goes at once: sign-ins, logins, keys and bindings end."""
    membership = await find_membership(session, membership_id)
    await endings.discard_membership(session, acting(request), membership, request.user.now)
    return shape_membership(membership)


@creates(
    "/memberships/{membership_id:int}/undiscard",
    may=MANAGE,
    outlives=True,
    summary="Bring a membership back",
    status=200,
)
async def undiscard_membership(request: Asked, session: Session, membership_id: PathId) -> MembershipShape:
    """As a plain member, without keys or bindings."""
    membership = await find_membership(session, membership_id)
    await endings.undiscard_membership(session, acting(request), membership, request.user.now)
    return shape_membership(membership)


def shape_membership(membership: Membership) -> MembershipShape:
    """A membership, read with its person and tenant, as the API shows it."""
    return MembershipShape(
        membership.id,
        refer_person(membership.user),
        refer(membership.tenant),
        membership.role,
        membership.sponsor_id is not None,
        membership.created_at,
        membership.discarded_at,
    )


ROUTES = [
    list_memberships,
    show_membership,
    create_membership,
    make_profile,
    change_membership,
    discard_membership,
    undiscard_membership,
]
