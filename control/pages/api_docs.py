"""The API's documentation: made here from our own description of it, for whoever has no key yet, too.

No viewer of somebody else's is loaded, so that it works behind the strict policy and without the internet. It says
nothing about this house: the same version answers everywhere the same.
"""

from typing import Any

from litestar import Litestar, Request, Response, get
from litestar.contrib.jinja import JinjaTemplateEngine
from markupsafe import Markup

from control.doors import ANYONE
from control.pages.parts.api_reference import Reference, reference_of
from control.shell import page
from control.speech import speech
from control.visitor import Visitor

FIRST_REQUEST = 'curl -H "Authorization: Bearer understudy_…" %s/api/v1/me'


@get("/api-docs", may=ANYONE, outlives=False, include_in_schema=False)
async def api_docs(request: Request[Visitor, Any, Any]) -> Response[Any]:
    """Every noun, route, parameter, body and answer, on one page that a browser can search."""
    reference, content = _told(request.app)
    return page(
        request,
        "api/docs.html",
        title=speech(request)("The API"),
        reference=reference,
        content=content,
        first_request=FIRST_REQUEST % request.app.state.house.settings.public_url,
    )


def _told(app: Litestar) -> tuple[Reference, Markup]:
    """Made once in each process: a page of this size is not put together for everybody who asks."""
    known = app.state.get("api_docs")
    if known is None:
        reference = reference_of(app.openapi_schema.to_schema())
        engine = app.template_engine
        if not isinstance(engine, JinjaTemplateEngine):
            raise TypeError("The panel's templates are Jinja's.")
        # Ours, of our own description: every value in it was escaped.
        content = Markup(engine.get_template("api/reference.html").render(reference=reference))  # noqa: S704
        known = app.state["api_docs"] = (reference, content)
    told: tuple[Reference, Markup] = known
    return told


ROUTES = [api_docs]
