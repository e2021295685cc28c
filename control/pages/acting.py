"""Acting: as whom this browser acts now, asked by a page that is shown again."""

from typing import Any

from litestar import Request, Response, get

from control.doors import ANYONE
from control.visitor import Visitor


@get("/acting", may=ANYONE, outlives=False, include_in_schema=False)
async def acting(request: Request[Visitor, Any, Any]) -> Response[dict[str, str]]:
    """The same id that every form carries; a page with another one no longer says the truth. 401 when signed out."""
    return Response(
        {"id": request.user.acting_id},
        status_code=200 if request.user.actor is not None else 401,
        headers={"Cache-Control": "no-store", "Vary": "Cookie"},
    )


ROUTES = [acting]
