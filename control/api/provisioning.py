"""Provisioning keys: by which a company's directory keeps its people over SCIM. A new one is made in the panel."""

from collections.abc import Sequence

import sqlalchemy as sa

from control.api.account import KeyShape, shape_key
from control.api.doors import Asked, Session, reads, removes
from control.api.lists import Asking, page
from control.api.shapes import Listed, PathId
from tenants.actor import PROVISIONING
from tenants.api_keys import ApiKey
from tenants.refusals import OutOfReach
from tenants.roles import Permission
from tenants.tree import find_tenant

MANAGE = Permission.MANAGE_PEOPLE


@reads(
    "/tenants/{tenant_id:int}/provisioning-keys",
    may=MANAGE,
    outlives=True,
    summary="List the provisioning keys of a tenant",
)
async def list_provisioning_keys(session: Session, listing: Asking, tenant_id: PathId) -> Listed[KeyShape]:
    """The newest first; with `discarded`, the revoked ones."""
    tenant = await find_tenant(session, tenant_id)
    wanted = sa.select(ApiKey).where(
        ApiKey.tenant_id == tenant.id,
        ApiKey.scopes.in_(PROVISIONING),
        listing.like(ApiKey.name),
        listing.still_there(ApiKey.revoked_at),
    )

    async def shaped(keys: Sequence[ApiKey]) -> list[KeyShape]:
        return [shape_key(key) for key in keys]

    return await page(session, wanted, {"id": ApiKey.id, "name": ApiKey.name}, listing, shaped, sort="-id")


@removes(
    "/tenants/{tenant_id:int}/provisioning-keys/{key_id:int}",
    may=MANAGE,
    outlives=True,
    kept_open=True,
    summary="Revoke a provisioning key",
)
async def revoke_provisioning_key(request: Asked, session: Session, tenant_id: PathId, key_id: PathId) -> None:
    """The directory is out at once; the people stay as they are."""
    key = await session.get(ApiKey, key_id)
    if key is None or key.tenant_id != tenant_id or key.scopes not in PROVISIONING:
        raise OutOfReach
    await key.revoke(session, request.user.now)


ROUTES = [list_provisioning_keys, revoke_provisioning_key]
