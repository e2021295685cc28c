"""Service accounts: the programs of a company. A key sees and discards them; making one asks for a person."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.service_accounts import discard_account
from control.api.doors import Asked, Session, acting, creates, reads
from control.api.lists import Asking, page
from control.api.shapes import Listed, Named, PathId, tenants_named
from tenants.people import Membership
from tenants.roles import Permission
from tenants.service_accounts import ServiceAccount, find_service_account

MANAGE = Permission.MANAGE_PEOPLE


class ServiceAccountShape(Struct):
    """A program's account. It gets tokens by `grant_type=client_credentials`, with its client id and secret.

    The secret is shown once, in the panel, where one is made: that asks for a fresh proof of who makes it.
    """

    id: int
    name: str
    client_id: str
    tenant: Named | None
    membership: int
    role: str
    scopes: list[str]
    created_at: datetime
    last_used_at: datetime | None
    discarded_at: datetime | None


@reads("/service-accounts", may=MANAGE, summary="List the service accounts in reach")
async def list_service_accounts(session: Session, listing: Asking) -> Listed[ServiceAccountShape]:
    """The service accounts of the companies in reach."""
    account = ServiceAccount
    wanted = sa.select(account).where(
        listing.like(account.name, account.client_id), listing.still_there(account.discarded_at)
    )

    async def shaped(accounts: Sequence[ServiceAccount]) -> list[ServiceAccountShape]:
        return await _shapes(session, accounts)

    columns = {"id": account.id, "name": account.name}
    return await page(session, wanted, columns, listing, shaped)


@reads("/service-accounts/{account_id:int}", may=MANAGE, summary="Show a service account")
async def show_service_account(session: Session, account_id: PathId) -> ServiceAccountShape:
    """The service account, when in reach; never its secret."""
    return (await _shapes(session, [await find_service_account(session, account_id)]))[0]


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
            each.created_at,
            each.last_used_at,
            each.discarded_at,
        )
        for each in accounts
    ]


ROUTES = [list_service_accounts, show_service_account, discard_service_account]
