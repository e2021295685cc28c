"""Whether an app may exchange tokens (RFC 8693): the platform's admins say so, on its page."""

from typing import Any

from litestar import Request, post
from litestar.response import Redirect

from control.pages.apps import own_app
from control.pages.parts.fields import Id, read_fields
from control.pages.parts.session import Session
from control.shell import see_other
from control.speech import speech
from control.visitor import Visitor
from tenants.roles import Permission


@post(
    "/apps/{app_id:int}/exchanges",
    may=Permission.MANAGE_APPS,
    outlives=True,
    proof=True,
    proof_at="/apps/{app_id}",
    include_in_schema=False,
)
async def switch(request: Request[Visitor, Any, Any], session: Session, app_id: Id) -> Redirect:
    """Let it, or no longer: then those that it did stay until their end."""
    app, fields, _ = await own_app(session, app_id), await read_fields(request), speech(request)
    allowed = fields.text("exchanges") == "yes"
    await app.change(session, exchanges=allowed)
    say = _("%(name)s may exchange tokens.") if allowed else _("%(name)s may exchange tokens no longer.")
    return see_other(request, f"/apps/{app.id}", say=say % {"name": app.name})


ROUTES = [switch]
