"""Who stands in, for an app's banner: `/oauth/acting`."""

from typing import Any

from litestar import HttpMethod, Request, Response, route

from bindings.clients import Rejected
from bindings.introspection import standing_of
from control.doors import ANYONE
from control.openid.issuer import UNCACHED, bearer_of, cross_origin, issuer_of, rejection
from control.visitor import Visitor

Asked = Request[Visitor, Any, Any]


@route(
    "/oauth/acting",
    http_method=[HttpMethod.GET],
    may=ANYONE,
    outlives=False,
    credential="none",
    status_code=200,
    include_in_schema=False,
)
async def acting(request: Asked) -> Response[Any]:
    """Who stands in, for an app's banner: 204 when nobody does, 401 once the login has ended."""
    more, issuer = await cross_origin(request), issuer_of(request)
    try:
        standing = await standing_of(issuer, bearer_of(request), request.user.now)
    except Rejected as rejected:
        return rejection(rejected, "Bearer", more)
    spell = standing.spell
    if spell is None or spell.facts.stand_in is None or spell.bond is None:
        return Response(b"", status_code=204, headers=UNCACHED | more)
    facts, ends_at = spell.facts, spell.ends_at
    said = {
        "kind": spell.because,
        "subject": {"sub": str(facts.subject_id), "name": facts.subject_name},
        "actor": {"sub": str(facts.actor_id), "name": facts.actor_name},
        "reason": spell.bond.reason,
        "ends_at": ends_at.isoformat() if ends_at else None,
        "stop_url": f"{issuer.url}/bindings",
    }
    return Response(said, headers=UNCACHED | more)


ROUTES = [acting]
