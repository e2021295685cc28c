"""Who gets in to an app, and what it is told of them: changed on a page of its own, after a fresh proof."""

from typing import Any

from litestar import Request, get, post
from litestar.response import Redirect, Template
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.apps import ID_TOKEN_ALGORITHMS, SCOPES, App
from bindings.unfit_logins import change_app
from control.pages.parts.app_page import choices, fallback_in, framed, own_app, product_in
from control.pages.parts.fields import Fields, Id, read_fields
from control.pages.parts.forms import UNTOUCHED, errors_of
from control.pages.parts.unseen_changes import Unseen, unseen_changes
from control.shell import see_other
from control.speech import speech
from control.visitor import Visitor
from tenants.refusals import Invalid, Refusal
from tenants.roles import Permission

Asked = Request[Visitor, Any, Any]


@get("/apps/{app_id:int}/rules", may=Permission.MANAGE_APPS, outlives=True, proof=True, include_in_schema=False)
async def show_rules(request: Asked, session: AsyncSession, app_id: Id) -> Template:
    """The form, as it stands."""
    return await _show(request, session, await own_app(session, app_id))


@post(
    "/apps/{app_id:int}/rules",
    may=Permission.MANAGE_APPS,
    outlives=True,
    proof=True,
    proof_at="/apps/{app_id}/rules",
    include_in_schema=False,
)
async def change_rules(request: Asked, session: AsyncSession, app_id: Id) -> Template | Redirect:
    """Let in others, or tell it more or less of them."""
    app, fields = await own_app(session, app_id), await read_fields(request)
    try:
        wanted = await _wanted(session, fields)
        unseen = await unseen_changes(session, request.user, app, fields, wanted)
        if unseen.lines:
            return await _show(request, session, app, fields, unseen=unseen)
        await change_app(session, app, request.user.now, **wanted)
    except Invalid as refusal:
        return await _show(request, session, app, fields, refusal)
    return see_other(request, f"/apps/{app.id}", say=speech(request)("Saved."))


async def _wanted(session: AsyncSession, fields: Fields) -> dict[str, Any]:
    product, fallback = await product_in(session, fields), await fallback_in(session, fields)
    scopes = fields.all("scopes")
    return {
        "product_id": product.id if product else None,
        "needs_extension": bool(fields.text("needs_extension")),
        "admin_only": bool(fields.text("admin_only")),
        "fallback_id": fallback.id if fallback else None,
        # All of them is no limit: one that comes to be known later is among them.
        "scopes": None if set(scopes) >= set(SCOPES) - {"openid"} else scopes,
        "dpop": bool(fields.text("dpop")),
        "id_token_alg": fields.text("id_token_alg") or ID_TOKEN_ALGORITHMS[0],
    }


async def _show(
    request: Asked,
    session: AsyncSession,
    app: App,
    fields: Fields = UNTOUCHED,
    refusal: Refusal | None = None,
    unseen: Unseen | None = None,
) -> Template:
    unseen, offered = unseen or Unseen(app.last_entry_id), await choices(session)
    typed = fields is not UNTOUCHED
    return await framed(
        request,
        session,
        app,
        "rules",
        "apps/rules.html",
        status=refusal.status if refusal else unseen.status,
        products=offered["products"],
        fallbacks=[other for other in offered["fallbacks"] if other.id != app.id],
        algorithms=ID_TOKEN_ALGORITHMS,
        ticked=fields.all("scopes") if typed else app.may_ask,
        fields=fields,
        typed=typed,
        errors=errors_of(refusal),
        unseen=unseen,
    )


ROUTES = [show_rules, change_rules]
