"""Who somebody is right now: memberships read as identities, with what keeps them alive."""

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from tenants.actor import Identity
from tenants.people import Membership, User
from tenants.reach import Reach
from tenants.roles import ADMIN_ACCESS, Role
from tenants.tree import Scope, Suspension, Tenant

_members, _people, _tree = Membership.__table__, User.__table__, Tenant.__table__
_sponsors, _sponsor_tree = _members.alias("sponsor"), _tree.alias("sponsor_tenant")
_sponsor_people = _people.alias("sponsor_user")

_IDENTITIES = (
    sa.select(
        _members.c.id,
        _members.c.user_id,
        _people.c.name,
        _people.c.email,
        _members.c.role,
        _members.c.tenant_id,
        _tree.c.name.label("tenant_name"),
        _tree.c.kind.label("tenant_kind"),
        _tree.c.path,
        _sponsor_tree.c.name.label("sponsor"),
        _sponsor_tree.c.path.label("sponsor_path"),
        _people.c.second_factor,
    )
    .join(_people, _people.c.id == _members.c.user_id)
    .join(_tree, _tree.c.id == _members.c.tenant_id)
    .outerjoin(
        _sponsors,
        sa.and_(_sponsors.c.id == _members.c.sponsor_id, _sponsors.c.discarded_at.is_(None)),
    )
    .outerjoin(_sponsor_tree, _sponsor_tree.c.id == _sponsors.c.tenant_id)
    .outerjoin(_sponsor_people, _sponsor_people.c.id == _sponsors.c.user_id)
    .where(
        _members.c.discarded_at.is_(None),
        _people.c.discarded_at.is_(None),
        # A sponsored profile lives only while its sponsor does.
        sa.or_(
            _members.c.sponsor_id.is_(None),
            sa.and_(_sponsors.c.id.is_not(None), _sponsor_people.c.discarded_at.is_(None)),
        ),
    )
    .order_by(_members.c.id)
)


async def live_identities(
    connection: AsyncConnection | AsyncSession,
    *,
    user_id: int | None = None,
    membership_id: int | None = None,
) -> list[Identity]:
    """The live memberships of a person (or one membership) whose tenants are open, oldest first.

    Asked at every request by those who may see past the fence: sign-in, doors, bindings, logins.
    """
    wanted = _IDENTITIES
    if user_id is not None:
        wanted = wanted.where(_members.c.user_id == user_id)
    if membership_id is not None:
        wanted = wanted.where(_members.c.id == membership_id)
    rows = (await connection.execute(wanted)).all()
    shut, strict = await _standing(connection, [row.path for row in rows] + [row.sponsor_path for row in rows])
    return [
        Identity(
            row.id,
            row.user_id,
            row.name,
            row.email,
            Role(row.role),
            row.tenant_id,
            row.tenant_name,
            row.tenant_kind,
            row.path,
            row.sponsor,
            bool(row.second_factor),
            row.path in strict and row.role in ADMIN_ACCESS,
        )
        for row in rows
        if row.path not in shut and _sponsor_holds(row.path, row.sponsor_path, shut)
    ]


def _sponsor_holds(path: str, sponsor_path: str | None, shut: set[str]) -> bool:
    """No sponsor is needed, or the sponsor is open and strictly above."""
    if sponsor_path is None:
        return True
    return sponsor_path not in shut and path != sponsor_path and path.startswith(sponsor_path)


async def closed_paths(connection: AsyncConnection | AsyncSession, paths: list[str | None]) -> set[str]:
    """Which of these tenants are closed: discarded or suspended, themselves or (scope all) from above."""
    shut, _strict = await _standing(connection, paths)
    return shut


async def _standing(connection: AsyncConnection | AsyncSession, paths: list[str | None]) -> tuple[set[str], set[str]]:
    """Which of these tenants are closed, and which ask their admins and operators for a second factor."""
    wanted = {path for path in paths if path is not None}
    line = {above for path in wanted for above in Reach.ancestors_of(path)}
    if not line:
        return set(), set()
    rows = Suspension.__table__
    closing = sa.or_(_tree.c.discarded_at.is_not(None), rows.c.id.is_not(None))
    reasons = await connection.execute(
        sa.select(_tree.c.path, _tree.c.discarded_at, rows.c.scope, _tree.c.policy_require_factor, closing)
        .outerjoin(rows, sa.and_(rows.c.tenant_id == _tree.c.id, rows.c.lifted_at.is_(None)))
        .where(_tree.c.path.in_(line), sa.or_(closing, _tree.c.policy_require_factor > 0))
    )
    shut: set[str] = set()
    strict: set[str] = set()
    for above, discarded_at, scope, asks, closes in reasons:
        whole = discarded_at is not None or scope == Scope.ALL
        below = {path for path in wanted if path.startswith(above)}
        if asks:
            strict |= below
        if closes:
            shut |= below if whole else below & {above}
    return shut, strict
