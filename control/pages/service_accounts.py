"""Service accounts of a company: made with a secret shown once or with public keys, given others, discarded."""

import json
from typing import Any

import sqlalchemy as sa
from litestar import Request, Response, get, post
from litestar.response import Redirect, Template
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.public_keys import checked_keys, read_keys
from bindings.service_accounts import discard_account
from control.pages.company import framed
from control.pages.parts.asked import one_of
from control.pages.parts.fields import Fields, Id, read_fields
from control.pages.parts.forms import UNTOUCHED, errors_of
from control.pages.parts.session import Session, acting, attempted
from control.shell import see_other
from control.speech import speech
from control.visitor import Visitor
from tenants.actor import Actor
from tenants.api_keys import SCOPES
from tenants.people import Membership
from tenants.refusals import Invalid, OutOfReach, Refusal
from tenants.roles import Permission, Role, grants
from tenants.service_accounts import ServiceAccount, find_service_account
from tenants.tree import Kind, Tenant, find_tenant

MANAGE = Permission.MANAGE_PEOPLE
PLACE = "/companies/{tenant_id:int}/service-accounts"
PAGE = "/companies/{tenant_id}/service-accounts"
KEYS = PAGE + "/{account_id}/keys"
MOST = 200
"""How many of one company the page shows, the newest first."""
Asked = Request[Visitor, Any, Any]


@get(PLACE, may=MANAGE, outlives=True, include_in_schema=False)
async def every(request: Asked, session: Session, tenant_id: Id) -> Template:
    """Those in use, and the form for a new one."""
    return await show(request, session, await find_tenant(session, tenant_id))


@post(PLACE, may=MANAGE, outlives=True, proof=True, proof_at=PAGE, include_in_schema=False)
async def make(request: Asked, tenant_id: Id) -> Template:
    """A new one. The secret stands on the page that answers, and nowhere else ever."""
    fields, actor = await read_fields(request), acting(request)

    async def opened(session: AsyncSession) -> Template:
        tenant = await find_tenant(session, tenant_id)
        role = one_of({"role": fields.text("role")}, "role", *[each.value for each in roles_at(actor, tenant)])
        if not role:
            raise Invalid("Choose a role.", field="role")
        made = await ServiceAccount.make(
            session,
            actor,
            tenant,
            fields.text("name"),
            Role(role),
            fields.all("scopes"),
            request.user.now,
            checked_keys(read_keys(fields.text("jwks"))) if fields.text("jwks") else None,
        )
        return await show(request, session, tenant, made=made)

    async def refused(session: AsyncSession, refusal: Invalid) -> Template:
        return await show(request, session, await find_tenant(session, tenant_id), fields, refusal)

    return await attempted(request, opened, refused)


@post(PLACE + "/{account_id:int}/secret", may=MANAGE, outlives=True, proof=True, proof_at=PAGE, include_in_schema=False)
async def rotate(request: Asked, session: Session, tenant_id: Id, account_id: Id) -> Template:
    """A new secret, on the page that answers and nowhere after; the old one and its tokens end."""
    account = await _find(session, tenant_id, account_id)
    secret = await account.rotate(session)
    return await show(request, session, await find_tenant(session, tenant_id), made=(account, secret))


@get(PLACE + "/{account_id:int}/keys", may=MANAGE, outlives=True, include_in_schema=False)
async def keys(request: Asked, session: Session, tenant_id: Id, account_id: Id) -> Template:
    """The public keys that it proves itself by, and the form for others."""
    return await show_keys(request, session, await _find(session, tenant_id, account_id))


@post(PLACE + "/{account_id:int}/keys", may=MANAGE, outlives=True, proof=True, proof_at=KEYS, include_in_schema=False)
async def register(request: Asked, tenant_id: Id, account_id: Id) -> Response[Any]:
    """It proves itself by these from now on; what was before, and all its tokens, end."""
    fields = await read_fields(request)

    async def proven(session: AsyncSession) -> Response[Any]:
        account = await _find(session, tenant_id, account_id)
        await account.prove_by(session, acting(request), checked_keys(read_keys(fields.text("jwks"))))
        said = speech(request)("%(name)s proves itself by these keys from now on.") % {"name": account.name}
        return see_other(request, PAGE.format(tenant_id=tenant_id), say=said)

    async def refused(session: AsyncSession, refusal: Invalid) -> Response[Any]:
        return await show_keys(request, session, await _find(session, tenant_id, account_id), refusal)

    return await attempted(request, proven, refused)


async def show_keys(
    request: Asked,
    session: AsyncSession,
    account: ServiceAccount,
    refusal: Refusal | None = None,
) -> Template:
    """The page of its keys, with what is wrong with those that were sent."""
    return await framed(
        request,
        session,
        await find_tenant(session, account.tenant_id),
        "service-accounts",
        "companies/service-account-keys.html",
        status=refusal.status if refusal else 200,
        account=account,
        # What was refused is not shown again: it may hold a private half.
        known=json.dumps(account.jwks, indent=2) if account.jwks and refusal is None else "",
        errors=errors_of(refusal),
    )


@post(
    PLACE + "/{account_id:int}/discard", may=MANAGE, outlives=True, proof=True, proof_at=PAGE, include_in_schema=False
)
async def discard(request: Asked, session: Session, tenant_id: Id, account_id: Id) -> Redirect:
    """Its tokens and its membership end at once."""
    account = await _find(session, tenant_id, account_id)
    await discard_account(session, acting(request), account, request.user.now)
    said = speech(request)("%(name)s was discarded.") % {"name": account.name}
    return see_other(request, PAGE.format(tenant_id=tenant_id), say=said)


async def show(
    request: Asked,
    session: AsyncSession,
    tenant: Tenant,
    fields: Fields = UNTOUCHED,
    refusal: Refusal | None = None,
    made: tuple[ServiceAccount, str | None] | None = None,
) -> Template:
    """The page, with a secret that was made just now, or with what is wrong."""
    return await framed(
        request,
        session,
        tenant,
        "service-accounts",
        "companies/service-accounts.html",
        status=refusal.status if refusal else 200,
        accounts=await _in_use(session, tenant),
        roles=[role.value for role in roles_at(acting(request), tenant)],
        scopes=SCOPES,
        made=made,
        fields=fields,
        errors=errors_of(refusal),
    )


def roles_at(actor: Actor, tenant: Tenant) -> list[Role]:
    """The roles that the reader may give a program there, the narrowest first."""
    usual = [role for role in Role if role is not Role.OPERATOR or tenant.kind != Kind.CUSTOMER]
    return [role for role in reversed(usual) if grants(actor.standing.role, role)]


async def _in_use(session: AsyncSession, tenant: Tenant) -> list[tuple[ServiceAccount, str]]:
    wanted = (
        sa.select(ServiceAccount, Membership.role)
        .join(Membership, Membership.id == ServiceAccount.membership_id)
        .where(ServiceAccount.tenant_id == tenant.id, ServiceAccount.discarded_at.is_(None))
        .order_by(ServiceAccount.id.desc())
        .limit(MOST)
    )
    return [(account, role) for account, role in await session.execute(wanted)]


async def _find(session: AsyncSession, tenant_id: int, account_id: int) -> ServiceAccount:
    account = await find_service_account(session, account_id)
    if account.tenant_id != tenant_id:
        raise OutOfReach
    return account


ROUTES = [every, make, rotate, keys, register, discard]
