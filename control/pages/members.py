"""Members: who is in a company and as what; their role given anew, their membership ended."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from litestar import Request, get, post
from litestar.response import Redirect, Template
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import contains_eager

from bindings import endings, role_change
from control.pages.company import framed
from control.pages.parts.asked import filters_in, matching, one_of, words_in
from control.pages.parts.becoming import Becoming, becoming
from control.pages.parts.crumbs import crumbs_to
from control.pages.parts.fields import Fields, Id, read_fields
from control.pages.parts.forms import UNTOUCHED, errors_of
from control.paging import page_of
from control.proof import require_proof
from control.shell import page, see_other
from control.speech import speech
from control.visitor import Visitor
from tenants.actor import Actor
from tenants.identities import live_identities
from tenants.people import Membership, User, find_membership
from tenants.phones import Extension
from tenants.refusals import Invalid, OutOfReach, Refusal
from tenants.roles import ADMIN_ACCESS, Permission, Role, grants
from tenants.tree import Kind, Tenant, find_tenant

SORTS: dict[str, sa.SQLColumnExpression[Any]] = {"id": Membership.id, "name": User.name, "role": Membership.role}
ROLES = [role.value for role in Role]


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the list of members."""

    membership: Membership
    user: User
    shown_name: str
    numbers: list[str]
    become: Becoming | None


@get("/companies/{tenant_id:int}/members", may=Permission.SEE_PEOPLE, outlives=False, include_in_schema=False)
async def company_members(request: Request[Visitor, Any, Any], session: AsyncSession, tenant_id: Id) -> Template:
    """Everybody in this company, with role and extensions; those who left with `state=ended`."""
    tenant = await find_tenant(session, tenant_id)
    params = filters_in(request.query_params, "q", "role", "state", "sort")
    sort, cursor = params.get("sort", "name"), words_in(request.query_params, "cursor") or None
    found = await page_of(session, _asked(tenant, params), SORTS, sort=sort, cursor=cursor)
    actor = request.user.actor
    return await framed(
        request,
        session,
        tenant,
        "members",
        "companies/members.html",
        rows=await _rows(session, found.items, tenant, actor),
        next=found.next,
        cursor=cursor,
        params=params,
        sort=sort,
        may_manage_people=actor is not None and actor.may(Permission.MANAGE_PEOPLE),
        may_stand_in=actor is not None and not actor.standing_in and actor.may(Permission.STAND_IN),
        may_add=actor is not None and actor.may(Permission.INVITE_MEMBERS) and tenant.discarded_at is None,
    )


def _asked(tenant: Tenant, params: dict[str, str]) -> sa.Select[Membership]:
    ended = one_of(params, "state", "ended")
    wanted = (
        sa.select(Membership)
        .join(User, User.id == Membership.user_id)
        .options(contains_eager(Membership.user))
        .where(Membership.tenant_id == tenant.id, ~User.service, matching(params.get("q", ""), User.name, User.email))
        .where(Membership.discarded_at.is_not(None) if ended else Membership.discarded_at.is_(None))
    )
    role = one_of(params, "role", *ROLES)
    return wanted.where(Membership.role == role) if role else wanted


async def _rows(session: AsyncSession, memberships: list[Membership], tenant: Tenant, actor: Actor | None) -> list[Row]:
    phones = sa.select(Extension.membership_id, Extension.number).where(
        Extension.membership_id.in_([each.id for each in memberships]), Extension.discarded_at.is_(None)
    )
    numbers: dict[int | None, list[str]] = {}
    for membership_id, number in await session.execute(phones.order_by(Extension.number)):
        numbers.setdefault(membership_id, []).append(number)
    live = [(each, each.user, tenant) for each in memberships if each.discarded_at is None]
    offered = await becoming(session, actor, live)
    return [
        Row(each, each.user, await _shown_name(session, each), numbers.get(each.id, []), offered.get(each.id))
        for each in memberships
    ]


async def _shown_name(session: AsyncSession, membership: Membership) -> str:
    """A sponsored member is named with where they come from, everywhere: "Elsa (Elm)"."""
    if membership.sponsor_id is None:
        return membership.user.name
    found = await live_identities(session, membership_id=membership.id)
    return found[0].shown_name if found else membership.user.name


@get(
    "/companies/{tenant_id:int}/members/{membership_id:int}/role",
    may=Permission.MANAGE_PEOPLE,
    outlives=True,
    include_in_schema=False,
)
async def ask_role(
    request: Request[Visitor, Any, Any], session: AsyncSession, tenant_id: Id, membership_id: Id
) -> Template:
    """The choice of another role, among those that the reader may give there, each with what it takes along."""
    fields = Fields({"role": (request.query_params.get("role", ""),)})
    return await _form(request, session, await _find(session, tenant_id, membership_id), fields)


@post(
    "/companies/{tenant_id:int}/members/{membership_id:int}/role",
    may=Permission.MANAGE_PEOPLE,
    outlives=True,
    proof_at="/companies/{tenant_id}/members/{membership_id}/role",
    proof_keeps=("role",),
    include_in_schema=False,
)
async def change_role(
    request: Request[Visitor, Any, Any], session: AsyncSession, tenant_id: Id, membership_id: Id
) -> Template | Redirect:
    """Give the role: a grant outlives a stand-in."""
    membership = await _find(session, tenant_id, membership_id)
    actor, fields = request.user.actor, await read_fields(request)
    if actor is None:
        raise OutOfReach
    try:
        role = one_of({"role": fields.text("role")}, "role", *ROLES)
        if not role:
            raise Invalid("Choose a role.", field="role")
        if role != membership.role:
            if role in ADMIN_ACCESS:
                await require_proof(request)
            await role_change.change_role(session, actor, membership, Role(role), request.user.now)
    except Invalid as refusal:
        return await _form(request, session, membership, fields, refusal)
    return see_other(request, f"/companies/{tenant_id}/members", say=speech(request)("Saved."))


@get(
    "/companies/{tenant_id:int}/members/{membership_id:int}/end",
    may=Permission.MANAGE_PEOPLE,
    outlives=False,
    include_in_schema=False,
)
async def ask_end(
    request: Request[Visitor, Any, Any], session: AsyncSession, tenant_id: Id, membership_id: Id
) -> Template:
    """The question before a membership ends."""
    membership = await _find(session, tenant_id, membership_id)
    phones = sa.select(Extension.number).where(
        Extension.membership_id == membership.id, Extension.discarded_at.is_(None)
    )
    return page(
        request,
        "companies/end-membership.html",
        title=membership.user.name,
        crumbs=await crumbs_to(session, membership.tenant.path),
        membership=membership,
        numbers=list(await session.scalars(phones.order_by(Extension.number))),
    )


@post(
    "/companies/{tenant_id:int}/members/{membership_id:int}/end",
    may=Permission.MANAGE_PEOPLE,
    outlives=False,
    include_in_schema=False,
)
async def end_membership(
    request: Request[Visitor, Any, Any], session: AsyncSession, tenant_id: Id, membership_id: Id
) -> Redirect:
    """End it at once; it can be brought back, as a plain member."""
    membership = await _find(session, tenant_id, membership_id)
    if request.user.actor is None:
        raise OutOfReach
    await endings.discard_membership(session, request.user.actor, membership, request.user.now)
    _ = speech(request)
    said = {"name": membership.user.name, "company": membership.tenant.name}
    return see_other(
        request,
        f"/companies/{tenant_id}/members",
        say=_("%(name)s is no longer in %(company)s.") % said,
        undo=(f"/companies/{tenant_id}/members/{membership_id}/bring-back", _("Bring back as a member")),
    )


@post(
    "/companies/{tenant_id:int}/members/{membership_id:int}/bring-back",
    may=Permission.MANAGE_PEOPLE,
    outlives=True,
    include_in_schema=False,
)
async def bring_back(
    request: Request[Visitor, Any, Any], session: AsyncSession, tenant_id: Id, membership_id: Id
) -> Redirect:
    """Undiscard it: the record comes back, its role does not."""
    membership = await _find(session, tenant_id, membership_id)
    if request.user.actor is None:
        raise OutOfReach
    await endings.undiscard_membership(session, request.user.actor, membership, request.user.now)
    said = {"name": membership.user.name, "company": membership.tenant.name}
    say = speech(request)("%(name)s is in %(company)s again, as a member.") % said
    return see_other(request, f"/companies/{tenant_id}/members", say=say)


async def _find(session: AsyncSession, tenant_id: int, membership_id: int) -> Membership:
    membership = await find_membership(session, membership_id)
    if membership.tenant_id != tenant_id:
        raise OutOfReach
    return membership


async def _form(
    request: Request[Visitor, Any, Any],
    session: AsyncSession,
    membership: Membership,
    fields: Fields = UNTOUCHED,
    refusal: Refusal | None = None,
) -> Template:
    actor = request.user.actor
    roles = [
        role
        for role in Role
        if actor is not None
        and grants(actor.standing.role, role)
        and not (role is Role.OPERATOR and membership.tenant.kind == Kind.CUSTOMER)
    ]
    return page(
        request,
        "companies/role.html",
        status=refusal.status if refusal else 200,
        title=membership.user.name,
        crumbs=await crumbs_to(session, membership.tenant.path),
        membership=membership,
        roles=roles,
        changes=await role_change.preview(session, membership, roles, request.user.now),
        fields=fields,
        errors=errors_of(refusal),
    )


ROUTES = [company_members, ask_role, change_role, ask_end, end_membership, bring_back]
