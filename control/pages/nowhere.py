"""Addresses that lead nowhere: answered by a page with the same frame, banner included, as any other."""

from typing import Any

from litestar import Request, get
from litestar.exceptions import NotFoundException

from control.doors import ANYONE
from control.visitor import Visitor

NOWHERE = "/nowhere"
"""An address that no page will ever have."""


@get("/{rest:path}", may=ANYONE, outlives=False, include_in_schema=False)
async def nowhere(request: Request[Visitor, Any, Any], rest: str) -> None:
    """Nothing here; the same words as for what is out of reach."""
    raise NotFoundException


ROUTES = [nowhere]
