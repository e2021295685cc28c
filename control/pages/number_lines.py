"""Number lines: many inbound numbers pasted at once, with each line's outcome told."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from litestar import Request, get, post
from litestar.response import Template
from sqlalchemy.ext.asyncio import AsyncSession

from control.pages.parts.asked import id_in, words_in
from control.pages.parts.crumbs import crumbs_to
from control.pages.parts.extension_choice import extension_with_number
from control.pages.parts.fields import Fields, read_fields
from control.pages.parts.forms import UNTOUCHED, errors_of
from control.pages.parts.history import zone_and_locale
from control.pages.parts.region_choice import regions_to_choose
from control.pages.parts.tenant_choice import tenants_to_choose
from control.shell import page
from control.speech import speech
from control.visitor import Visitor
from tenants.numbers import REGIONS, InboundNumber, region_of
from tenants.refusals import Invalid, Refusal
from tenants.roles import Permission
from tenants.tree import Tenant, find_tenant

MOST = 500
"""Lines that are taken at once."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one line: the number that was added, or why it was not."""

    line: int
    text: str
    number: InboundNumber | None = None
    why: str = ""


@get("/numbers/lines", may=Permission.MANAGE_PHONES, outlives=True, include_in_schema=False)
async def ask_lines(request: Request[Visitor, Any, Any], session: AsyncSession) -> Template:
    """The form for many numbers of `company`; without one, the choice of it."""
    tenant_id = id_in(request.query_params, "company")
    if tenant_id is None:
        title, sought = speech(request)("Add several numbers"), words_in(request.query_params, "q")
        tenants, more = await tenants_to_choose(session, sought)
        to = "/numbers/lines"
        return page(request, "numbers/choose.html", title=title, tenants=tenants, more=more, sought=sought, to=to)
    return await _form(request, session, await find_tenant(session, tenant_id))


@post("/numbers/lines", may=Permission.MANAGE_PHONES, outlives=True, include_in_schema=False)
async def add_lines(request: Request[Visitor, Any, Any], session: AsyncSession) -> Template:
    """Add every line that holds a number, and say of the others why not: where calls arrive outlives a stand-in."""
    fields = await read_fields(request)
    tenant, region = await find_tenant(session, fields.number("company") or 0), fields.text("region") or None
    lines = [(at, text.strip()) for at, text in enumerate(fields.text("lines").splitlines(), 1) if text.strip()]
    refusal = _unfit(lines, region)
    if refusal is not None:
        return await _form(request, session, tenant, fields, refusal)
    outcomes = [await _add(session, tenant, at, text, region, request.user.now) for at, text in lines]
    return page(
        request,
        "numbers/added.html",
        title=speech(request)("Numbers added"),
        crumbs=await crumbs_to(session, tenant.path),
        tenant=tenant,
        outcomes=outcomes,
        added=sum(outcome.number is not None for outcome in outcomes),
    )


def _unfit(lines: list[tuple[int, str]], region: str | None) -> Invalid | None:
    if region is not None and region not in REGIONS:
        return Invalid("This is not a country.", field="region")
    if not lines:
        return Invalid("Write at least one number.", field="lines")
    if len(lines) > MOST:
        return Invalid(f"At most {MOST} lines at once.", field="lines")
    return None


async def _add(
    session: AsyncSession, tenant: Tenant, line: int, text: str, region: str | None, now: datetime
) -> Outcome:
    number, _, rest = text.partition(",")
    there, _, note = (part.strip() for part in rest.partition(","))
    try:
        extension = await extension_with_number(session, tenant.id, there) if there else None
        made = await InboundNumber.add(
            session, tenant, number, now, region=region, extension=extension, note=note or None
        )
    except Invalid as refusal:
        return Outcome(line, text[:100], why=refusal.sentence)
    return Outcome(line, text[:100], made)


async def _form(
    request: Request[Visitor, Any, Any],
    session: AsyncSession,
    tenant: Tenant,
    fields: Fields = UNTOUCHED,
    refusal: Refusal | None = None,
) -> Template:
    return page(
        request,
        "numbers/lines.html",
        status=refusal.status if refusal else 200,
        title=speech(request)("Add several numbers"),
        crumbs=await crumbs_to(session, tenant.path),
        tenant=tenant,
        most=MOST,
        regions=regions_to_choose(zone_and_locale(request.user)[1]),
        region=fields.text("region") if fields is not UNTOUCHED else region_of(tenant.zone),
        fields=fields,
        errors=errors_of(refusal),
    )


ROUTES = [ask_lines, add_lines]
