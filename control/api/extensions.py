"""Extensions: numbers on phone systems, and whose they are."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated

import sqlalchemy as sa
from litestar.params import JSONBody, QueryParameter
from msgspec import UNSET, Struct, UnsetType
from sqlalchemy.ext.asyncio import AsyncSession

from bindings import unfit_logins
from control.api.doors import Asked, Session, alters, creates, reads
from control.api.lists import Asking, page
from control.api.shapes import Id, Listed, Named, PathId, PersonNamed, Sent, Text, given, refer, refer_person
from control.paging import LARGEST
from tenants.people import Membership, find_membership
from tenants.phones import Extension, find_extension, find_phone_system
from tenants.roles import Permission

MANAGE, SEE = Permission.MANAGE_PHONES, Permission.SEE_PHONES

_WITH_ALL = (
    sa.orm.joinedload(Extension.phone_system),
    sa.orm.joinedload(Extension.tenant),
    sa.orm.joinedload(Extension.membership).joinedload(Membership.user),
)


class ExtensionShape(Struct):
    """A number on a phone system; `user` is null while nobody has it."""

    id: int
    number: str
    name: str | None
    user: PersonNamed | None
    membership: int | None
    phone_system: Named
    tenant: Named
    created_at: datetime
    discarded_at: datetime | None


class NewExtension(Sent):
    """A number to add; `membership` is of the phone system's own tenant."""

    phone_system: Id
    number: Text
    name: Text | None = None
    membership: Id | None = None


class ExtensionChange(Sent):
    """What changes of an extension; `membership` null takes it from its user."""

    name: Text | UnsetType | None = UNSET
    membership: Id | UnsetType | None = UNSET


@reads("/extensions", may=SEE, summary="List the extensions in reach")
async def list_extensions(
    session: Session,
    listing: Asking,
    phone_system: Annotated[
        int | None, QueryParameter(ge=1, le=LARGEST, description="Only on this phone system.")
    ] = None,
    tenant: Annotated[int | None, QueryParameter(ge=1, le=LARGEST, description="Only of this tenant.")] = None,
) -> Listed[ExtensionShape]:
    """The extensions in reach, by number."""
    wanted = (
        sa.select(Extension)
        .where(listing.like(Extension.number, Extension.name), listing.still_there(Extension.discarded_at))
        .options(*_WITH_ALL)
    )
    if phone_system is not None:
        wanted = wanted.where(Extension.phone_system_id == phone_system)
    if tenant is not None:
        wanted = wanted.where(Extension.tenant_id == tenant)

    async def shaped(extensions: Sequence[Extension]) -> list[ExtensionShape]:
        return [shape_extension(each) for each in extensions]

    columns = {"id": Extension.id, "number": Extension.number, "created_at": Extension.created_at}
    return await page(session, wanted, columns, listing, shaped, sort="number")


@reads("/extensions/{extension_id:int}", may=SEE, summary="Show an extension")
async def show_extension(session: Session, extension_id: PathId) -> ExtensionShape:
    """The extension, when in reach."""
    return shape_extension(await find_extension(session, extension_id))


@creates("/extensions", may=MANAGE, outlives=True, summary="Add an extension")
async def create_extension(request: Asked, session: Session, data: JSONBody[NewExtension]) -> ExtensionShape:
    """A new number, perhaps somebody's at once."""
    system = await find_phone_system(session, data.phone_system)
    membership = await find_membership(session, data.membership) if data.membership is not None else None
    made = await Extension.create(session, system, data.number, request.user.now, name=data.name, membership=membership)
    return await _reread(session, made.id)


@alters("/extensions/{extension_id:int}", may=MANAGE, outlives=False, summary="Change an extension")
async def change_extension(
    request: Asked, session: Session, extension_id: PathId, data: JSONBody[ExtensionChange]
) -> ExtensionShape:
    """Rename it, give it to somebody else of its tenant, or to nobody. Bindings to it go stale by that."""
    extension, fields = await find_extension(session, extension_id), given(data)
    if fields.get("membership") is not None:
        fields["membership"] = await find_membership(session, fields["membership"])
    await unfit_logins.change_extension(session, extension, request.user.now, **fields)
    return await _reread(session, extension.id)


@creates(
    "/extensions/{extension_id:int}/discard", may=MANAGE, outlives=False, summary="Discard an extension", status=200
)
async def discard_extension(request: Asked, session: Session, extension_id: PathId) -> ExtensionShape:
    """Out of use: the number is free again, its licences end, and inbound numbers no longer ring there."""
    extension = await find_extension(session, extension_id)
    await unfit_logins.discard_extension(session, extension, request.user.now)
    return shape_extension(extension)


async def _reread(session: AsyncSession, extension_id: int) -> ExtensionShape:
    return (await extensions_reached(session, [extension_id]))[extension_id]


async def extensions_reached(session: AsyncSession, ids: Iterable[int]) -> dict[int, ExtensionShape]:
    """Those of these extensions that lie in reach, as they are now: also one that was just given away."""
    wanted = sa.select(Extension).where(Extension.id.in_(set(ids))).options(*_WITH_ALL)
    rows = await session.scalars(wanted, execution_options={"populate_existing": True})
    return {each.id: shape_extension(each) for each in rows}


def shape_extension(extension: Extension) -> ExtensionShape:
    """An extension, read with its phone system, tenant and person, as the API shows it."""
    membership = extension.membership
    return ExtensionShape(
        extension.id,
        extension.number,
        extension.name,
        refer_person(membership.user) if membership else None,
        extension.membership_id,
        refer(extension.phone_system),
        refer(extension.tenant),
        extension.created_at,
        extension.discarded_at,
    )


ROUTES = [list_extensions, show_extension, create_extension, change_extension, discard_extension]
