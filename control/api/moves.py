"""Moves: a tenant gets another parent, a phone system another owner; and what that would cut, beforehand."""

from enum import IntEnum
from typing import Any

from litestar.params import JSONBody
from msgspec import Struct, field

from bindings import moving, moving_phones
from bindings.moving import Cut, Move
from control.api.doors import Asked, Session, acting, creates
from control.api.phone_systems import PhoneSystemShape, phone_system_shape
from control.api.shapes import Id, Named, PathId, Sent, refer
from control.api.suspensions import DryRun
from control.api.tenants import TenantShape, tenant_shape
from tenants.phones import find_phone_system
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


class NewParent(Sent):
    """Where to. With `expected_parent`, refused (409, rule `moved`) when it is no longer under that one."""

    parent: Id
    expected_parent: Id | None = None


class SystemMoveShape(Struct):
    """What a move of a phone system would do."""

    phone_system: Named
    old_owner: Named = field(name="from")
    owner: Named = field(name="to")
    extensions: int
    """How many in use go along, without their people."""
    cut: list[CutShape]


class NewOwner(Sent):
    """Whose it becomes. With `expected_tenant`, refused (409, rule `moved`) when it is no longer that one's."""

    tenant: Id
    expected_tenant: Id | None = None


@creates(
    "/tenants/{tenant_id:int}/move",
    may=Permission.MANAGE_TENANTS,
    outlives=True,
    summary="Move a tenant, with all below it, under another parent",
    status=200,
)
async def move_tenant(
    request: Asked, session: Session, tenant_id: PathId, data: JSONBody[NewParent], dry_run: DryRun = False
) -> TenantShape | MoveShape:
    """One transaction. What leads across its border ends; its stand-in rules of now become its own."""
    tenant, parent = await find_tenant(session, tenant_id), await find_tenant(session, data.parent)
    actor, now = acting(request), request.user.now
    if dry_run:
        return _shape(
            await moving.what_moves(session, actor, tenant, parent, now, expected_parent_id=data.expected_parent)
        )
    await moving.move_tenant(session, actor, tenant, parent, now, expected_parent_id=data.expected_parent)
    return await tenant_shape(session, tenant)


@creates(
    "/phone-systems/{system_id:int}/move",
    may=Permission.MANAGE_PHONES,
    outlives=True,
    summary="Give a phone system, with its extensions, to another tenant",
    status=200,
)
async def move_phone_system(
    request: Asked, session: Session, system_id: PathId, data: JSONBody[NewOwner], dry_run: DryRun = False
) -> PhoneSystemShape | SystemMoveShape:
    """One transaction. People lose their extensions, licences end, numbers and recordings stay with the old owner."""
    system, owner = await find_phone_system(session, system_id), await find_tenant(session, data.tenant)
    now, expected = request.user.now, data.expected_tenant
    if dry_run:
        found = await moving_phones.what_moves(session, system, owner, now, expected_owner_id=expected)
        return SystemMoveShape(
            refer(found.system), refer(found.old_owner), refer(found.owner), found.extensions, _cuts(found.cuts)
        )
    await moving_phones.move_phone_system(session, system, owner, now, expected_owner_id=expected)
    return phone_system_shape(system)


def _cuts(cuts: tuple[Cut, ...]) -> list[CutShape]:
    return [CutShape(cut.kind, cut.count, list(cut.names)) for cut in cuts]


def _shape(found: Move) -> MoveShape:
    return MoveShape(
        refer(found.tenant),
        refer(found.old_parent),
        refer(found.parent),
        _cuts(found.cuts),
        found.follows,
        [TightenedShape(name, _word(name, now), _word(name, there)) for name, (now, there) in found.rules.items()],
        found.opens,
    )


def _word(rule: str, value: Any) -> str | bool | int | None:
    """A rule's value as the API writes it elsewhere."""
    if isinstance(value, IntEnum):
        return value.name.lower()
    return value if rule in CAPS else bool(value)


ROUTES = [move_tenant, move_phone_system]
