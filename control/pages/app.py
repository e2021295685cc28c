"""One app's page: what it is, how it proves itself and who uses it; its name and its addresses are changed here."""

from typing import Any

from litestar import Request, get, post
from litestar.response import Redirect, Template
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.app_credentials import old_secret_until, proof_of
from bindings.app_use import below_owner, last_logins
from bindings.apps import App, find_app
from control.pages.parts.app_page import COUNTED, addresses_in, framed, own_app, speaks_for_platform
from control.pages.parts.deliveries import deliveries_of
from control.pages.parts.fields import Fields, Id, read_fields
from control.pages.parts.forms import UNTOUCHED, errors_of
from control.pages.parts.history import past_of
from control.pages.parts.session import acting, house_of
from control.pages.parts.unseen_changes import Unseen, unseen_changes
from control.paging import counted
from control.shell import see_other
from control.speech import speech
from control.visitor import Visitor
from control.writing.apps import ADDRESSES, tell_app_changed
from tenants.phones import Product
from tenants.refusals import Conflict, Invalid, Refusal
from tenants.roles import Permission
from tenants.seats import most_used
from tenants.tree import Tenant

SEATS_SHOWN = 10
"""Companies whose seats of an app's product stand on its page."""


@get("/apps/{app_id:int}", may=Permission.SEE_APPS, outlives=False, include_in_schema=False)
async def show_app(request: Request[Visitor, Any, Any], session: AsyncSession, app_id: Id) -> Template:
    """What it is, where it may send people, and who owns it."""
    return await _show(request, session, await find_app(session, app_id))


@post(
    "/apps/{app_id:int}",
    may=Permission.MANAGE_APPS,
    outlives=True,
    proof=True,
    proof_at="/apps/{app_id}",
    include_in_schema=False,
)
async def change_app(request: Request[Visitor, Any, Any], session: AsyncSession, app_id: Id) -> Template | Redirect:
    """Point it elsewhere: a destination for logins outlives a stand-in."""
    app, fields = await own_app(session, app_id), await read_fields(request)
    try:
        wanted = {"name": fields.text("name"), **addresses_in(request, fields)}
        if not wanted["redirect_uris"]:
            raise Invalid("At least one redirect address is needed.", field="redirect_uris")
        unseen = await unseen_changes(session, request.user, app, fields, wanted)
        if unseen.lines:
            return await _show(request, session, app, fields, unseen=unseen)
        say = await _change(request, session, app, wanted)
    except (Invalid, Conflict) as refusal:
        return await _show(request, session, app, fields, refusal)
    return see_other(request, f"/apps/{app.id}", say=say)


async def _change(request: Request[Visitor, Any, Any], session: AsyncSession, app: App, wanted: dict[str, Any]) -> str:
    """Change it, and have those told whose people are sent elsewhere now. Returns what to say."""
    before, _ = {name: getattr(app, name) for name in ADDRESSES}, speech(request)
    await app.change(session, **wanted)
    moved = [name for name, value in before.items() if getattr(app, name) != value]
    if not moved:
        return _("Saved.")
    told = await tell_app_changed(house_of(request), session, acting(request), app, moved, request.user.now)
    return _("Saved. Admins told by letter: %(count)s.") % {"count": told} if told else _("Saved.")


async def _show(
    request: Request[Visitor, Any, Any],
    session: AsyncSession,
    app: App,
    fields: Fields = UNTOUCHED,
    refusal: Refusal | None = None,
    unseen: Unseen | None = None,
) -> Template:
    unseen, actor, visitor = unseen or Unseen(app.last_entry_id), acting(request), request.user
    owner = await session.get(Tenant, app.tenant_id)
    reads = actor.may(Permission.READ_HISTORY) and owner is not None
    return await framed(
        request,
        session,
        app,
        "overview",
        "apps/show.html",
        status=refusal.status if refusal else unseen.status,
        product=await session.get(Product, app.product_id) if app.product_id else None,
        seats=await most_used(session, app.product_id, SEATS_SHOWN) if app.product_id else [],
        fallback=await session.get(App, app.fallback_id) if app.fallback_id else None,
        proof=proof_of(app),
        old_until=old_secret_until(app, visitor.now),
        used_at=(await last_logins(session, [app.id])).get(app.id),
        companies=await counted(session, below_owner(owner.path if owner else None), Tenant.id, COUNTED),
        counted=COUNTED,
        may_test=actor.may(Permission.STAND_IN),
        may_trust=speaks_for_platform(visitor) and app.discarded_at is None,
        # Where logins end up is changed by who has just proved who they are, not by who found a screen unlocked.
        fresh=visitor.sign_in is not None and visitor.sign_in.fresh(visitor.now),
        deliveries=await deliveries_of(request, session, app_id=app.id),
        past=await past_of(request, session, "apps", app.id) if reads else None,
        fields=fields,
        typed=fields is not UNTOUCHED,
        errors=errors_of(refusal),
        unseen=unseen,
    )


ROUTES = [show_app, change_app]
