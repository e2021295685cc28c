"""What the platform's admins alone say of an app: that it may exchange tokens, and that it is the house's own."""

from typing import Any

from litestar import Request, post
from litestar.response import Redirect

from control.pages.parts.app_page import own_app
from control.pages.parts.fields import Id, read_fields
from control.pages.parts.session import Session
from control.shell import see_other
from control.speech import speech
from control.visitor import Visitor
from tenants.roles import Permission

Asked = Request[Visitor, Any, Any]


@post(
    "/apps/{app_id:int}/exchanges",
    may=Permission.MANAGE_APPS,
    outlives=True,
    proof=True,
    proof_at="/apps/{app_id}",
    include_in_schema=False,
)
async def let_exchange(request: Asked, session: Session, app_id: Id) -> Redirect:
    """Let it exchange tokens (RFC 8693), or no longer: then those that it did stay until their end."""
    app, fields, _ = await own_app(session, app_id), await read_fields(request), speech(request)
    allowed = fields.text("exchanges") == "yes"
    await app.change(session, exchanges=allowed)
    say = _("%(name)s may exchange tokens.") if allowed else _("%(name)s may exchange tokens no longer.")
    return see_other(request, f"/apps/{app.id}", say=say % {"name": app.name})


@post(
    "/apps/{app_id:int}/first-party",
    may=Permission.MANAGE_APPS,
    outlives=True,
    proof=True,
    proof_at="/apps/{app_id}",
    include_in_schema=False,
)
async def take_as_own(request: Asked, session: Session, app_id: Id) -> Redirect:
    """Ask nobody any more whether it may know them, or ask each person once again."""
    app, fields, _ = await own_app(session, app_id), await read_fields(request), speech(request)
    own = fields.text("first_party") == "yes"
    await app.change(session, first_party=own)
    say = _("%(name)s asks nobody for consent now.") if own else _("%(name)s asks each person for consent now.")
    return see_other(request, f"/apps/{app.id}", say=say % {"name": app.name})


ROUTES = [let_exchange, take_as_own]
