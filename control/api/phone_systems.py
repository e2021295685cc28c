"""Phone systems: the PBXs that tenants own."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import sqlalchemy as sa
from litestar.params import JSONBody, QueryParameter
from msgspec import UNSET, Struct, UnsetType

from bindings import unfit_logins
from control.api.doors import Asked, Session, alters, creates, reads
from control.api.lists import Asking, page
from control.api.shapes import Id, Listed, Named, PathId, Sent, Text, given, refer
from control.paging import LARGEST
from tenants.phones import PhoneSystem, find_phone_system
from tenants.roles import Permission
from tenants.tree import find_tenant

MANAGE, SEE = Permission.MANAGE_PHONES, Permission.SEE_PHONES


class PhoneSystemShape(Struct):
    """A PBX owned by a tenant."""

    id: int
    name: str
    slug: str
    host: str
    tenant: Named
    created_at: datetime
    discarded_at: datetime | None


class NewPhoneSystem(Sent):
    """A PBX to add."""

    tenant: Id
    name: Text
    host: Text
    slug: Text | None = None


class PhoneSystemChange(Sent):
    """What changes of a PBX. Its owner does not: that is a move."""

    name: Text | UnsetType = UNSET
    host: Text | UnsetType = UNSET


class PhoneSystemDiscard(Sent):
    """Whether the extensions on it go with it; otherwise it has to be empty."""

    with_extensions: bool = False


@reads("/phone-systems", may=SEE, summary="List the phone systems in reach")
async def list_phone_systems(
    session: Session,
    listing: Asking,
    tenant: Annotated[int | None, QueryParameter(ge=1, le=LARGEST, description="Only of this tenant.")] = None,
) -> Listed[PhoneSystemShape]:
    """The phone systems in reach, by name."""
    wanted = (
        sa.select(PhoneSystem)
        .where(listing.like(PhoneSystem.name, PhoneSystem.host), listing.still_there(PhoneSystem.discarded_at))
        .options(sa.orm.joinedload(PhoneSystem.tenant))
    )
    if tenant is not None:
        wanted = wanted.where(PhoneSystem.tenant_id == tenant)

    async def shaped(systems: Sequence[PhoneSystem]) -> list[PhoneSystemShape]:
        return [phone_system_shape(system) for system in systems]

    columns = {"id": PhoneSystem.id, "name": PhoneSystem.name, "created_at": PhoneSystem.created_at}
    return await page(session, wanted, columns, listing, shaped)


@reads("/phone-systems/{system_id:int}", may=SEE, summary="Show a phone system")
async def show_phone_system(session: Session, system_id: PathId) -> PhoneSystemShape:
    """The phone system, when in reach."""
    return phone_system_shape(await find_phone_system(session, system_id))


@creates("/phone-systems", may=MANAGE, outlives=True, summary="Add a phone system")
async def create_phone_system(request: Asked, session: Session, data: JSONBody[NewPhoneSystem]) -> PhoneSystemShape:
    """A new PBX of `tenant`."""
    tenant = await find_tenant(session, data.tenant)
    return phone_system_shape(
        await PhoneSystem.create(session, tenant, data.name, data.host, request.user.now, data.slug)
    )


@alters("/phone-systems/{system_id:int}", may=MANAGE, outlives=False, summary="Change a phone system")
async def change_phone_system(
    request: Asked, session: Session, system_id: PathId, data: JSONBody[PhoneSystemChange]
) -> PhoneSystemShape:
    """Another name or host."""
    system = await find_phone_system(session, system_id)
    await system.change(session, **given(data))
    return phone_system_shape(system)


@creates(
    "/phone-systems/{system_id:int}/discard", may=MANAGE, outlives=False, summary="Discard a phone system", status=200
)
async def discard_phone_system(
    request: Asked, session: Session, system_id: PathId, data: JSONBody[PhoneSystemDiscard]
) -> PhoneSystemShape:
    """Out of use; with its extensions their licences end too, and their inbound numbers ring nowhere."""
    system = await find_phone_system(session, system_id)
    await unfit_logins.discard_phone_system(session, system, request.user.now, with_extensions=data.with_extensions)
    return phone_system_shape(system)


def phone_system_shape(system: PhoneSystem) -> PhoneSystemShape:
    """A phone system in its shape."""
    return PhoneSystemShape(
        system.id, system.name, system.slug, system.host, refer(system.tenant), system.created_at, system.discarded_at
    )


ROUTES = [list_phone_systems, show_phone_system, create_phone_system, change_phone_system, discard_phone_system]
