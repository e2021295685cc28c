"""The API's documentation: made here from our own description of it, for whoever has no key yet, too.

No viewer of somebody else's is loaded, so that it works behind the strict policy and without the internet. It says
nothing about this house: the same version answers everywhere the same.
"""

from typing import Any

from litestar import Litestar, Request, Response, get

from control.doors import ANYONE
from control.pages.parts.api_reference import Noun, Operation, Reference, reference_of
from control.shell import page
from control.speech import speech
from control.visitor import Visitor
from tenants.refusals import OutOfReach

FIRST_REQUEST = """PANEL=%s
KEY=understudy_…
curl "$PANEL/api/v1/me" -H "Authorization: Bearer $KEY\""""
LONGEST = 100
"""Characters of what is looked for."""


@get("/api-docs", may=ANYONE, outlives=False, include_in_schema=False)
async def api_docs(request: Request[Visitor, Any, Any]) -> Response[Any]:
    """How to begin, and every route of every noun, or those that hold the words of `q`."""
    reference = _reference(request.app)
    sought = request.query_params.get("q", "").strip()[:LONGEST]
    return page(
        request,
        "api/docs.html",
        title=speech(request)("The API"),
        reference=reference,
        found=_holding(reference, sought.lower().split()),
        sought=sought,
        first_request=FIRST_REQUEST % request.app.state.house.settings.public_url,
    )


@get("/api-docs/{noun:str}", may=ANYONE, outlives=False, include_in_schema=False)
async def noun_docs(request: Request[Visitor, Any, Any], noun: str) -> Response[Any]:
    """One noun's routes, each with an example, its parameters, body and answers; then the shapes they speak of."""
    reference = _reference(request.app)
    found = reference.noun(noun)
    if found is None:
        raise OutOfReach
    return page(
        request,
        "api/noun.html",
        title=speech(request)("The API: %(noun)s") % {"noun": found.name},
        noun=found,
        nouns=reference.nouns,
    )


def _holding(reference: Reference, words: list[str]) -> list[tuple[Noun, list[Operation]]]:
    """The routes in whose address or summary all of these words stand, with their nouns."""
    found = []
    for noun in reference.nouns:
        said = [(each, f"{each.method} {each.path} {each.summary} {noun.name}".lower()) for each in noun.operations]
        held = [each for each, text in said if all(word in text for word in words)]
        if held:
            found.append((noun, held))
    return found


def _reference(app: Litestar) -> Reference:
    """Made once in each process: a description of this size is not taken apart for everybody who asks."""
    known: Reference | None = app.state.get("api_docs")
    if known is None:
        known = app.state["api_docs"] = reference_of(app.openapi_schema.to_schema())
    return known


ROUTES = [api_docs, noun_docs]
