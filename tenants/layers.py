"""Layers: the sign-in page of a tenant's own, found by its short name, for whoever knows that."""

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from tenants.identities import closed_paths
from tenants.tree import Tenant

LONGEST = 100
"""Characters that the name of a sign-in page takes: a short name, a dot and a number."""

_tree = Tenant.__table__


def layer_name(tenant: Tenant) -> str:
    """How the sign-in page of a tenant is called: `bakery.7`.

    Short names are single under one parent only, so the tenant's number stands behind it. Those above are not in
    it: a customer need not learn from whom their reseller buys, and the address outlives a move.
    """
    return f"{tenant.slug}.{tenant.id}"


async def find_layer(connection: AsyncSession | AsyncConnection, name: str) -> str | None:
    """The path of the open tenant that a sign-in page of this name belongs to; None for all else alike.

    The short name with the number always means that tenant; the short name alone the only tenant of the house that
    has it. Where two have it, it means none.
    """
    if len(name) > LONGEST:
        return None
    slug, dot, digits = name.lower().partition(".")
    called = sa.select(_tree.c.path).where(_tree.c.slug == slug, _tree.c.discarded_at.is_(None)).limit(2)
    if dot:
        if not (digits.isascii() and digits.isdigit() and len(digits) < 19):
            return None
        called = called.where(_tree.c.id == int(digits))
    found = (await connection.execute(called)).scalars().all()
    if len(found) != 1 or await closed_paths(connection, list(found)):
        return None
    return str(found[0])
