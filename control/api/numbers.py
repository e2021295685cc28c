"""Numbers: what the world dials, and which extension rings."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import sqlalchemy as sa
from litestar.params import JSONBody, QueryParameter
from msgspec import UNSET, Struct, UnsetType
from sqlalchemy.ext.asyncio import AsyncSession

from control.api.doors import Asked, Session, alters, creates, reads
from control.api.extensions import ExtensionShape, extensions_reached
from control.api.lists import Asking, page
from control.api.shapes import Id, Listed, Named, PathId, Sent, Text, given, refer
from control.numbers_asked import saying
from control.paging import LARGEST
from tenants.numbers import WITH_ALL, InboundNumber, find_number
from tenants.phones import find_extension
from tenants.roles import Permission
from tenants.tree import find_tenant

MANAGE, SEE = Permission.MANAGE_PHONES, Permission.SEE_PHONES


class NumberShape(Struct):
    """An inbound number; `extension` is null while it rings nowhere."""

    id: int
    number: str
    shown: str
    """As people write it."""
    note: str | None
    extension: ExtensionShape | None
    tenant: Named
    created_at: datetime
    discarded_at: datetime | None


class NewNumber(Sent):
    """A number to add: E.164, or as people of `region` (ISO 3166-1, two letters) write it."""

    tenant: Id
    number: Text
    region: Text | None = None
    extension: Id | None = None
    note: Text | None = None


class NumberChange(Sent):
    """What changes of a number; `extension` null lets it ring nowhere."""

    extension: Id | UnsetType | None = UNSET
    note: Text | UnsetType | None = UNSET


@reads("/numbers", may=SEE, summary="List the inbound numbers in reach")
async def list_numbers(
    session: Session,
    listing: Asking,
    tenant: Annotated[int | None, QueryParameter(ge=1, le=LARGEST, description="Only of this tenant.")] = None,
    extension: Annotated[int | None, QueryParameter(ge=1, le=LARGEST, description="Only ringing here.")] = None,
) -> Listed[NumberShape]:
    """The numbers in reach; `q` takes digits in any format, or words of the note."""
    wanted = (
        sa.select(InboundNumber)
        .where(saying(listing.q or "", InboundNumber.note), listing.still_there(InboundNumber.discarded_at))
        .options(*WITH_ALL)
    )
    if tenant is not None:
        wanted = wanted.where(InboundNumber.tenant_id == tenant)
    if extension is not None:
        wanted = wanted.where(InboundNumber.extension_id == extension)

    async def shaped(numbers: Sequence[InboundNumber]) -> list[NumberShape]:
        return await _shapes(session, numbers)

    columns = {"id": InboundNumber.id, "number": InboundNumber.e164, "created_at": InboundNumber.created_at}
    return await page(session, wanted, columns, listing, shaped, sort="number")


@reads("/numbers/{number_id:int}", may=SEE, summary="Show an inbound number")
async def show_number(session: Session, number_id: PathId) -> NumberShape:
    """The number, when in reach."""
    return await _reread(session, number_id)


@creates("/numbers", may=MANAGE, outlives=True, summary="Add an inbound number")
async def add_number(request: Asked, session: Session, data: JSONBody[NewNumber]) -> NumberShape:
    """Once in each tenant; who else has it is nobody's business."""
    tenant = await find_tenant(session, data.tenant)
    made = await InboundNumber.add(
        session,
        tenant,
        data.number,
        request.user.now,
        region=data.region.upper() if data.region else None,
        extension=await find_extension(session, data.extension) if data.extension is not None else None,
        note=data.note,
    )
    return await _reread(session, made.id)


@alters("/numbers/{number_id:int}", may=MANAGE, outlives=False, summary="Route an inbound number, or note of it")
async def change_number(
    request: Asked, session: Session, number_id: PathId, data: JSONBody[NumberChange]
) -> NumberShape:
    """Where calls go outlives a stand-in."""
    number, fields = await find_number(session, number_id), given(data)
    if fields.get("extension") is not None:
        fields["extension"] = await find_extension(session, fields["extension"])
    await number.change(session, **fields)
    return await _reread(session, number.id)


@creates(
    "/numbers/{number_id:int}/discard", may=MANAGE, outlives=False, summary="Discard an inbound number", status=200
)
async def discard_number(request: Asked, session: Session, number_id: PathId) -> NumberShape:
    """Out of use; the record stays."""
    await (await find_number(session, number_id)).discard(session, request.user.now)
    return await _reread(session, number_id)


@creates(
    "/numbers/{number_id:int}/undiscard", may=MANAGE, outlives=True, summary="Undiscard an inbound number", status=200
)
async def undiscard_number(request: Asked, session: Session, number_id: PathId) -> NumberShape:
    """It rings where it did, unless that extension is out of use."""
    await (await find_number(session, number_id)).undiscard(session)
    return await _reread(session, number_id)


async def _reread(session: AsyncSession, number_id: int) -> NumberShape:
    return (await _shapes(session, [await find_number(session, number_id)]))[0]


async def _shapes(session: AsyncSession, numbers: Sequence[InboundNumber]) -> list[NumberShape]:
    extensions = await extensions_reached(session, [each.extension_id for each in numbers if each.extension_id])
    return [
        NumberShape(
            each.id,
            each.e164,
            each.shown,
            each.note,
            extensions.get(each.extension_id or 0),
            refer(each.tenant),
            each.created_at,
            each.discarded_at,
        )
        for each in numbers
    ]


ROUTES = [list_numbers, show_number, add_number, change_number, discard_number, undiscard_number]
