"""Where the panel opens an app as somebody else, in a new tab: the token lives in that tab alone and dies with it.

The page's script takes the code out of the address, this server exchanges it with the app's secret, and from then on
each look asks the panel whether it still holds. The app's usual login, by its cookie, stays beside it untouched.
"""

import hashlib
from pathlib import Path
from typing import Any

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.exceptions import PermissionDeniedException
from litestar.response import Template

from demo.provider import Json
from demo.refusals import AnswerRejectedError, LoginEndedError, LoginRefusedError
from demo.seen import seen_in
from demo.visit import Visit

SCRIPT = (Path(__file__).parent / "static" / "acting.js").read_bytes()
SCRIPT_URL = f"/acting.js?v={hashlib.sha256(SCRIPT).hexdigest()[:12]}"


@get("/acting")
async def opened_here(visit: NamedDependency[Visit]) -> Template:
    """The page of the new tab. Nobody's cookie decides what it shows: its script holds the token."""
    return visit.page("acting.html", issuer=visit.app.party.provider.issuer, script_url=SCRIPT_URL)


@post("/acting/handoff", status_code=200)
async def take_over(request: Request[Any, Any, Any], visit: NamedDependency[Visit]) -> Response[Any]:
    """The token for the code that the tab was opened with; only for this app's own page."""
    if request.headers.get("origin") != f"http://{visit.app.host}":
        raise PermissionDeniedException("Only this app's own page opens it.")
    handoff = (await request.form()).get("handoff")
    try:
        if not isinstance(handoff, str) or not handoff:
            raise AnswerRejectedError("The code is missing.")
        return Response({"access_token": await visit.app.party.take_over(handoff, visit.now)})
    except LoginRefusedError as refused:
        return Response({"said": refused.description or refused.sentence}, status_code=400)
    except AnswerRejectedError as rejected:
        return Response({"said": rejected.sentence}, status_code=400)


@get("/acting/seen")
async def seen_here(request: Request[Any, Any, Any], visit: NamedDependency[Visit]) -> Response[Any]:
    """Whom the tab sees now, as the panel says at this moment; 401 once it has ended."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    try:
        if scheme.lower() != "bearer" or not token:
            raise LoginEndedError
        return Response(_shown(await visit.app.party.look_up(token, visit.now), visit.now))
    except LoginEndedError:
        return Response({"said": "This impersonation has ended."}, status_code=401)


def _shown(claims: Json, now: float) -> Json:
    """What the page shows. Whoever is not stood in for has no business in such a tab."""
    seen = seen_in(claims)
    stand_in = seen.stand_in
    if stand_in is None:
        raise LoginEndedError
    left = stand_in.ends_at.timestamp() - now if stand_in.ends_at else 0
    return {
        "name": seen.name,
        "email": seen.email,
        "extension": seen.extension,
        "phone_system": seen.phone_system,
        "tenant": seen.tenant,
        "app_admin": seen.app_admin,
        "actor": stand_in.actor,
        "kind": stand_in.kind,
        "mode": stand_in.mode,
        "seconds_left": max(0, int(left)),
    }


@get("/acting.js", media_type="text/javascript")
async def script() -> Response[bytes]:
    """The page's script; its address changes with its content."""
    return Response(SCRIPT, headers={"Cache-Control": "public, max-age=31536000, immutable"})
