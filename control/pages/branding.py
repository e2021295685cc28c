"""Branding: a company's name, colour, support contact and logo, each its own or from above, and its sign-in page."""

from dataclasses import dataclass
from typing import Any

from litestar import Request, Response, get, post
from litestar.datastructures import UploadFile
from sqlalchemy.ext.asyncio import AsyncSession

from control.branding import shown
from control.contrast import require_readable
from control.house import House
from control.pages.company import framed
from control.pages.parts.fields import Fields, Id, read_fields
from control.pages.parts.forms import UNTOUCHED, errors_of
from control.pages.parts.session import Session, changing
from control.pages.parts.unseen_changes import Unseen, unseen_changes
from control.shell import see_other
from control.speech import speech
from control.visitor import Visitor
from tenants.brands import PARTS, Brand, Source, brand_of, set_brand
from tenants.layers import layer_name
from tenants.logos import Logo, Picture, drawn_anew
from tenants.refusals import Invalid, Refusal
from tenants.roles import Permission
from tenants.tree import Kind, Tenant, find_tenant

MANAGE = Permission.MANAGE_TENANTS


@dataclass(frozen=True, slots=True)
class From:
    """Where a part of a brand comes from, as far as the reader may know: `own`, `named`, `above` or `house`."""

    kind: str
    source: Source | None = None


@get("/companies/{tenant_id:int}/branding", may=Permission.SEE_TENANTS, outlives=False, include_in_schema=False)
async def show_branding(request: Request[Visitor, Any, Any], session: Session, tenant_id: Id) -> Response[Any]:
    """What shows here, where each part comes from, and the form for the company's own."""
    return await _show(request, session, await find_tenant(session, tenant_id))


@post("/companies/{tenant_id:int}/branding", may=MANAGE, outlives=True, include_in_schema=False)
async def change_branding(request: Request[Visitor, Any, Any], tenant_id: Id) -> Response[Any]:
    """Set the parts that were filled in; an empty one is inherited. People trust what stands on a sign-in page."""
    fields = await read_fields(request)
    async with changing(request) as session:
        await find_tenant(session, tenant_id)
    # Between two transactions: a picture takes its time, and other changes need not wait for it.
    try:
        picture = await _uploaded(request)
    except Invalid as refusal:
        return await _again(request, tenant_id, fields, refusal)
    async with changing(request) as session:
        tenant = await find_tenant(session, tenant_id)
        try:
            wanted = _wanted(fields)
            if picture is not None:
                wanted["logo"] = picture.hash
            stored = {f"brand_{part}": value for part, value in wanted.items()}
            unseen = await unseen_changes(session, request.user, tenant, fields, stored)
            if unseen.lines:
                return await _show(request, session, tenant, fields, unseen=unseen)
            if picture is not None:
                await Logo.keep(session, picture, request.user.now)
            await set_brand(session, tenant, wanted)
        except Invalid as refusal:
            return await _show(request, session, tenant, fields, refusal)
    return see_other(request, f"/companies/{tenant_id}/branding", say=speech(request)("Saved."))


@post("/companies/{tenant_id:int}/branding/reset", may=MANAGE, outlives=True, include_in_schema=False)
async def reset_branding(request: Request[Visitor, Any, Any], session: Session, tenant_id: Id) -> Response[Any]:
    """Take one part back, so that it is inherited again."""
    tenant, fields = await find_tenant(session, tenant_id), await read_fields(request)
    if fields.text("part") not in PARTS:
        raise Invalid("This is no part of a brand.", field="part")
    await set_brand(session, tenant, {fields.text("part"): None})
    return see_other(request, f"/companies/{tenant.id}/branding", say=speech(request)("It is inherited again."))


async def _uploaded(request: Request[Visitor, Any, Any]) -> Picture | None:
    """The logo that was sent along, drawn anew; None where no file was chosen."""
    sent = (await request.form()).get("logo")
    if not isinstance(sent, UploadFile):
        return None
    content = await sent.read()
    return await drawn_anew(content) if content or sent.filename else None


def _wanted(fields: Fields) -> dict[str, Any]:
    """Name, hue and support contact as the form says them."""
    typed = fields.text("hue").strip()
    if typed and not (typed.isascii() and typed.isdigit() and len(typed) <= 3):
        raise Invalid("A hue is a whole number of degrees, from 0 to 359.", field="hue")
    hue = int(typed) if typed else None
    wanted = {
        "name": fields.text("name").strip() or None,
        "hue": hue,
        "support": fields.text("support").strip() or None,
    }
    if hue is not None and hue < 360:
        require_readable(hue)
    return wanted


async def _again(
    request: Request[Visitor, Any, Any], tenant_id: int, fields: Fields, refusal: Refusal
) -> Response[Any]:
    async with changing(request) as session:
        return await _show(request, session, await find_tenant(session, tenant_id), fields, refusal)


async def _show(
    request: Request[Visitor, Any, Any],
    session: AsyncSession,
    tenant: Tenant,
    fields: Fields = UNTOUCHED,
    refusal: Refusal | None = None,
    unseen: Unseen | None = None,
) -> Response[Any]:
    unseen = unseen or Unseen(tenant.last_entry_id)
    brand = await brand_of(session, tenant.path)
    house: House = request.app.state.house
    here = f"/sign-in/{layer_name(tenant)}" if tenant.kind != Kind.PLATFORM else "/sign-in"
    return await framed(
        request,
        session,
        tenant,
        "branding",
        "companies/branding.html",
        status=refusal.status if refusal else unseen.status,
        shows=shown(brand),
        hue=brand.hue,
        origins=origins(request.user, tenant, brand),
        sign_in_address=house.link(here),
        fields=fields,
        typed=fields is not UNTOUCHED,
        errors=errors_of(refusal),
        unseen=unseen,
    )


def origins(visitor: Visitor, tenant: Tenant, brand: Brand) -> dict[str, From]:
    """Where each part comes from. Who stands above the reader is not named."""
    return {part: _origin(visitor, tenant, brand.sources.get(part)) for part in PARTS}


def _origin(visitor: Visitor, tenant: Tenant, source: Source | None) -> From:
    if source is None:
        return From("house")
    if source.tenant_id == tenant.id:
        return From("own", source)
    reached = visitor.actor is not None and visitor.actor.reach().holds(source.path)
    return From("named", source) if reached else From("above")


ROUTES = [show_branding, change_branding, reset_branding]
