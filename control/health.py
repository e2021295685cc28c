"""Health: alive, and ready (the database is there and its schema is current)."""

from typing import Any

from litestar import Request, Response, get

from control.doors import ANYONE
from control.house import House
from control.visitor import Visitor
from tenants import schema


@get("/healthz", may=ANYONE, outlives=False, credential="none", include_in_schema=False)
async def alive() -> dict[str, str]:
    """This process answers."""
    return {"status": "alive"}


@get("/readyz", may=ANYONE, outlives=False, credential="none", include_in_schema=False)
async def ready(request: Request[Visitor, Any, Any]) -> Response[dict[str, str]]:
    """The database answers and is at the newest revision; 503 otherwise."""
    house: House = request.app.state.house
    try:
        current = await schema.current(house.store.reader)
    except Exception:
        return Response({"status": "database away"}, status_code=503, headers={"Retry-After": "5"})
    if not current:
        return Response({"status": "schema is not current: run understudy migrate"}, status_code=503)
    return Response({"status": "ready"})


ROUTES = [alive, ready]
