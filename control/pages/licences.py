"""Licences: what an extension may use, given and taken back on its page, with the app-admin grant."""

from typing import Any

import sqlalchemy as sa
from litestar import Request, post
from litestar.response import Redirect
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from bindings import unfit_logins
from control.pages.parts.fields import Id, read_fields
from control.shell import see_other
from control.speech import speech
from control.visitor import Visitor
from tenants.phones import Licence, Product, find_extension
from tenants.refusals import Invalid, OutOfReach
from tenants.roles import Permission


@post("/extensions/{extension_id:int}/licences", may=Permission.MANAGE_PHONES, outlives=True, include_in_schema=False)
async def grant_licence(request: Request[Visitor, Any, Any], session: AsyncSession, extension_id: Id) -> Redirect:
    """Give the extension a product."""
    extension = await find_extension(session, extension_id)
    fields = await read_fields(request)
    product = await session.get(Product, fields.number("product") or 0)
    if product is None:
        raise Invalid("Choose a product.", field="product")
    licence = await Licence.grant(session, extension, product, request.user.now)
    _ = speech(request)
    say = (
        _("%(number)s may use %(product)s, as its app admin.")
        if licence.app_admin
        else _("%(number)s may use %(product)s.")
    )
    return see_other(
        request, f"/extensions/{extension.id}", say=say % {"number": extension.number, "product": product.name}
    )


@post(
    "/extensions/{extension_id:int}/licences/{licence_id:int}/withdraw",
    may=Permission.MANAGE_PHONES,
    outlives=False,
    include_in_schema=False,
)
async def withdraw_licence(
    request: Request[Visitor, Any, Any], session: AsyncSession, extension_id: Id, licence_id: Id
) -> Redirect:
    """Take the licence back."""
    licence = await _find(session, extension_id, licence_id)
    await unfit_logins.withdraw_licence(session, licence, request.user.now)
    say = speech(request)("The licence for %(product)s was taken back.") % {"product": licence.product.name}
    return see_other(request, f"/extensions/{extension_id}", say=say)


@post(
    "/extensions/{extension_id:int}/licences/{licence_id:int}/app-admin",
    may=Permission.MANAGE_PHONES,
    outlives=True,
    include_in_schema=False,
)
async def make_app_admin(
    request: Request[Visitor, Any, Any], session: AsyncSession, extension_id: Id, licence_id: Id
) -> Redirect:
    """Give the app-admin grant, or take it (`app_admin` is "0")."""
    licence = await _find(session, extension_id, licence_id)
    fields = await read_fields(request)
    await unfit_logins.set_app_admin(session, licence, fields.text("app_admin") == "1", request.user.now)
    return see_other(request, f"/extensions/{extension_id}", say=speech(request)("Saved."))


async def _find(session: AsyncSession, extension_id: int, licence_id: int) -> Licence:
    wanted = sa.select(Licence).where(Licence.id == licence_id, Licence.extension_id == extension_id)
    licence = (await session.scalars(wanted.options(joinedload(Licence.product)))).one_or_none()
    if licence is None:
        raise OutOfReach
    return licence


ROUTES = [grant_licence, withdraw_licence, make_app_admin]
