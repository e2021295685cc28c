"""Moves: a tenant gets another parent, and what that would cut, take along and tighten."""

from enum import IntEnum
from typing import Any

from litestar.params import JSONBody
from msgspec import Struct, field

from bindings.moving import Move, move_tenant, what_moves
from control.api.doors import Asked, Session, acting, creates
from control.api.shapes import Id, Named, PathId, Sent, refer
from control.api.suspensions import DryRun
from control.api.tenants import TenantShape, tenant_shape
from tenants.policy import CAPS
from tenants.roles import Permission
from tenants.tree import find_tenant


class CutShape(Struct):
    """What a move ends of one kind, and the first of them by name."""

    kind: str
    count: int
    names: list[str]


class TightenedShape(Struct):
    """A stand-in rule that is tighter at the new place."""

    rule: str
    now: str | bool | int | None
    there: str | bool | int | None


class MoveShape(Struct):
    """What a move would do."""

    tenant: Named
    old_parent: Named = field(name="from")
    parent: Named = field(name="to")
    cut: list[CutShape]
    follows: dict[str, int]
    """How many records of each kind go along."""
    tightens: list[TightenedShape]
    opens: bool
    """It is closed from above now, and would not be there."""


class NewPlace(Sent):
    """Where to. With `expected_parent`, refused (409, rule `moved`) when it is no longer under that one."""

    parent: Id
    expected_parent: Id | None = None


@creates(
    "/tenants/{tenant_id:int}/move",
    may=Permission.MANAGE_TENANTS,
    outlives=True,
    summary="Move a tenant, with all below it, under another parent",
    status=200,
)
async def move(
    request: Asked, session: Session, tenant_id: PathId, data: JSONBody[NewPlace], dry_run: DryRun = False
) -> TenantShape | MoveShape:
    """One transaction. What leads across its border ends; its stand-in rules of now become its own."""
    tenant, parent = await find_tenant(session, tenant_id), await find_tenant(session, data.parent)
    actor, now = acting(request), request.user.now
    if dry_run:
        return _shape(await what_moves(session, actor, tenant, parent, now, expected_parent_id=data.expected_parent))
    await move_tenant(session, actor, tenant, parent, now, expected_parent_id=data.expected_parent)
    return await tenant_shape(session, tenant)


def _shape(found: Move) -> MoveShape:
    return MoveShape(
        refer(found.tenant),
        refer(found.old_parent),
        refer(found.parent),
        [CutShape(cut.kind, cut.count, list(cut.names)) for cut in found.cuts],
        found.follows,
        [TightenedShape(name, _word(name, now), _word(name, there)) for name, (now, there) in found.rules.items()],
        found.opens,
    )


def _word(rule: str, value: Any) -> str | bool | int | None:
    """A rule's value as the API writes it elsewhere."""
    if isinstance(value, IntEnum):
        return value.name.lower()
    return value if rule in CAPS else bool(value)


ROUTES = [move]
