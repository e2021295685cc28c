"""A layer's own sign-in page: its brand, and only its people; any other name shows the house's page."""

from typing import Any

from litestar import Request, Response, get
from litestar.response import Redirect

from control.doors import ANYONE
from control.pages.parts.entering import destination
from control.pages.parts.fields import Fields
from control.pages.parts.layers import FIELD, layer_in
from control.pages.sign_in import form
from control.visitor import Visitor


@get("/sign-in/{name:str}", may=ANYONE, outlives=False, include_in_schema=False)
async def ask_layer(request: Request[Visitor, Any, Any], name: str) -> Response[Any]:
    """The form. Whoever is signed in and belongs here goes on; whoever is not of this place is asked who they are."""
    said = request.query_params
    wanted, other = said.get("next", ""), said.get("other", "")
    fields = Fields({"next": (wanted,), FIELD: (name,)})
    identity = request.user.identity
    if identity is not None and not other:
        path = await layer_in(request, fields)
        if path is None or identity.path.startswith(path):
            return Redirect(destination(wanted, identity), status_code=303)
    return await form(request, fields)


ROUTES = [ask_layer]
