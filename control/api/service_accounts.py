"""Service accounts: programs of a company. A key sees them, gives them keys, discards them; a person makes one."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

import sqlalchemy as sa
from litestar.params import JSONBody
from msgspec import Meta, Struct
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.public_keys import checked_keys
from bindings.service_accounts import discard_account
from control.api.doors import Asked, Session, acting, creates, reads, sets
from control.api.lists import Asking, OfTenant, page
from control.api.shapes import Listed, Named, PathId, Sent, tenants_named
from tenants.people import Membership
from tenants.roles import Permission
from tenants.service_accounts import ServiceAccount, find_service_account

MANAGE = Permission.MANAGE_PEOPLE
Keys = Annotated[dict[str, Any], Meta(description="A JSON Web Key Set of public keys (RFC 7517).")]


class ServiceAccountShape(Struct):
    """A program's account. It gets tokens by `grant_type=client_credentials`, with its secret or a key of its own.

    A secret is shown once, in the panel, where one is made: that asks for a fresh proof of who makes it.
    """

    id: int
    name: str
    client_id: str
    tenant: Named | None
    membership: int
    role: str
    scopes: list[str]
    proof: Literal["secret", "keys"]
    """How it shows that it is itself."""
    jwks: dict[str, Any] | None
    """The public keys that it proves itself by (RFC 7523)."""
    created_at: datetime
    last_used_at: datetime | None
    discarded_at: datetime | None


class AccountKeys(Sent):
    """Public keys in place of a secret, or in place of the keys there are."""

    jwks: Keys


@reads("/service-accounts", may=MANAGE, summary="List the service accounts in reach")
async def list_service_accounts(
    session: Session, listing: Asking, tenant: OfTenant = None
) -> Listed[ServiceAccountShape]:
    """The service accounts of the companies in reach."""
    account = ServiceAccount
    wanted = sa.select(account).where(
        listing.like(account.name, account.client_id), listing.still_there(account.discarded_at)
    )

    if tenant is not None:
        wanted = wanted.where(account.tenant_id == tenant)

    async def shaped(accounts: Sequence[ServiceAccount]) -> list[ServiceAccountShape]:
        return await _shapes(session, accounts)

    columns = {"id": account.id, "name": account.name}
    return await page(session, wanted, columns, listing, shaped)


@reads("/service-accounts/{account_id:int}", may=MANAGE, summary="Show a service account")
async def show_service_account(session: Session, account_id: PathId) -> ServiceAccountShape:
    """The service account, when in reach; never its secret."""
    return (await _shapes(session, [await find_service_account(session, account_id)]))[0]


@sets(
    "/service-accounts/{account_id:int}/keys",
    may=MANAGE,
    outlives=True,
    summary="Register public keys in place of a secret",
)
async def set_service_account_keys(
    request: Asked, session: Session, account_id: PathId, data: JSONBody[AccountKeys]
) -> ServiceAccountShape:
    """It proves itself by them from now on (`private_key_jwt`); secret or keys of before, and all its tokens, end.

    A key of yours needs the account's own scopes for it.
    """
    account = await find_service_account(session, account_id)
    await account.prove_by(session, acting(request), checked_keys(data.jwks))
    return (await _shapes(session, [account]))[0]


@creates(
    "/service-accounts/{account_id:int}/discard",
    may=MANAGE,
    outlives=True,
    summary="Discard a service account",
    status=200,
)
async def discard_service_account(request: Asked, session: Session, account_id: PathId) -> ServiceAccountShape:
    """Its tokens and its membership end at once."""
    account = await find_service_account(session, account_id)
    await discard_account(session, acting(request), account, request.user.now)
    return (await _shapes(session, [account]))[0]


async def _shapes(session: AsyncSession, accounts: Sequence[ServiceAccount]) -> list[ServiceAccountShape]:
    tenants = await tenants_named(session, [each.tenant_id for each in accounts])
    ids = [each.membership_id for each in accounts]
    rows = await session.execute(sa.select(Membership.id, Membership.role).where(Membership.id.in_(ids)))
    roles = {row.id: row.role for row in rows}
    return [
        ServiceAccountShape(
            each.id,
            each.name,
            each.client_id,
            tenants.get(each.tenant_id),
            each.membership_id,
            roles.get(each.membership_id, ""),
            each.scopes.split(),
            "secret" if each.jwks is None else "keys",
            each.jwks,
            each.created_at,
            each.last_used_at,
            each.discarded_at,
        )
        for each in accounts
    ]


ROUTES = [list_service_accounts, show_service_account, set_service_account_keys, discard_service_account]
