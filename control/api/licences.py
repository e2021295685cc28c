"""Licences: which extension may use which product, and who is the app's admin."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import sqlalchemy as sa
from litestar.params import JSONBody, QueryParameter
from msgspec import UNSET, Struct, UnsetType
from sqlalchemy.ext.asyncio import AsyncSession

from bindings import unfit_logins
from control.api.doors import Asked, Session, alters, creates, reads, removes
from control.api.extensions import ExtensionShape, extensions_reached
from control.api.lists import Asking, page
from control.api.shapes import Id, Listed, Named, PathId, Sent, Text, refer
from control.paging import LARGEST
from tenants.phones import Extension, Licence, Product, find_extension
from tenants.refusals import Invalid, OutOfReach
from tenants.roles import Permission
from tenants.text import clean

MANAGE, SEE = Permission.MANAGE_PHONES, Permission.SEE_PHONES


class LicenceShape(Struct):
    """A product that an extension may use."""

    id: int
    product: Named
    extension: ExtensionShape | None
    app_admin: bool
    created_at: datetime
    discarded_at: datetime | None


class NewLicence(Sent):
    """A product, by its name or short name, for an extension. A tenant's first own holder becomes app admin."""

    extension: Id
    product: Text
    app_admin: bool = False


class LicenceChange(Sent):
    """Whether its holder is an admin of the product's apps."""

    app_admin: bool | UnsetType = UNSET


@reads("/licences", may=SEE, summary="List the licences in reach")
async def list_licences(
    session: Session,
    listing: Asking,
    extension: Annotated[int | None, QueryParameter(ge=1, le=LARGEST, description="Only of this extension.")] = None,
) -> Listed[LicenceShape]:
    """The licences in reach, oldest first; `q` looks at extension numbers and product names."""
    wanted = (
        sa.select(Licence)
        .join(Product, Product.id == Licence.product_id)
        .join(Extension, Extension.id == Licence.extension_id)
        .where(listing.like(Extension.number, Product.name), listing.still_there(Licence.discarded_at))
        .options(sa.orm.joinedload(Licence.product))
    )
    if extension is not None:
        wanted = wanted.where(Licence.extension_id == extension)

    async def shaped(licences: Sequence[Licence]) -> list[LicenceShape]:
        return await _shapes(session, licences)

    return await page(session, wanted, {"id": Licence.id, "number": Extension.number}, listing, shaped, sort="id")


@reads("/licences/{licence_id:int}", may=SEE, summary="Show a licence")
async def show_licence(session: Session, licence_id: PathId) -> LicenceShape:
    """The licence, when in reach."""
    return (await _shapes(session, [await _find(session, licence_id)]))[0]


@creates("/licences", may=MANAGE, outlives=True, summary="Give an extension a product")
async def grant_licence(request: Asked, session: Session, data: JSONBody[NewLicence]) -> LicenceShape:
    """One live licence for each extension and product."""
    extension = await find_extension(session, data.extension)
    product = await find_product(session, data.product)
    made = await Licence.grant(session, extension, product, request.user.now, app_admin=data.app_admin)
    return (await _shapes(session, [made]))[0]


@alters("/licences/{licence_id:int}", may=MANAGE, outlives=True, summary="Give or take the app-admin grant")
async def change_licence(
    request: Asked, session: Session, licence_id: PathId, data: JSONBody[LicenceChange]
) -> LicenceShape:
    """`app_admin` is stored on the licence and never passes on by itself."""
    licence = await _find(session, licence_id)
    if data.app_admin is not UNSET:
        await unfit_logins.set_app_admin(session, licence, data.app_admin, request.user.now)
    return (await _shapes(session, [licence]))[0]


@removes("/licences/{licence_id:int}", may=MANAGE, outlives=False, summary="Take a licence back")
async def withdraw_licence(request: Asked, session: Session, licence_id: PathId) -> None:
    """Nobody becomes app admin by that. What it let in at the product's apps ends at once."""
    await unfit_logins.withdraw_licence(session, await _find(session, licence_id), request.user.now)


async def find_product(session: AsyncSession, name: str) -> Product:
    """The product with this name or short name; Invalid for any other."""
    words = clean(name, "product")
    named_so = sa.or_(Product.slug == words.lower(), sa.func.lower(Product.name) == words.lower())
    product = (await session.scalars(sa.select(Product).where(named_so).order_by(Product.id))).first()
    if product is None:
        raise Invalid("There is no such product.", field="product")
    return product


async def _find(session: AsyncSession, licence_id: int) -> Licence:
    wanted = sa.select(Licence).where(Licence.id == licence_id).options(sa.orm.joinedload(Licence.product))
    licence = (await session.scalars(wanted)).one_or_none()
    if licence is None:
        raise OutOfReach
    return licence


async def _shapes(session: AsyncSession, licences: Sequence[Licence]) -> list[LicenceShape]:
    extensions = await extensions_reached(session, [each.extension_id for each in licences])
    return [
        LicenceShape(
            each.id,
            refer(each.product),
            extensions.get(each.extension_id),
            each.app_admin,
            each.created_at,
            each.discarded_at,
        )
        for each in licences
    ]


ROUTES = [list_licences, show_licence, grant_licence, change_licence, withdraw_licence]
