"""Brand files: the style of a hue and the pictures of logos, for everybody, kept for a year under their hashes."""

from typing import Any

import sqlalchemy as sa
from litestar import Request, Response, get
from litestar.exceptions import NotFoundException

from control.branding import STYLES
from control.doors import ANYONE
from control.house import House
from control.visitor import Visitor
from tenants.logos import Logo

KEPT = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}


@get("/brand/{name:str}", may=ANYONE, outlives=False, credential="none", include_in_schema=False)
async def brand_style(name: str) -> Response[bytes]:
    """The style that sets one hue."""
    mark, _, kind = name.partition(".")
    if kind != "css" or mark not in STYLES:
        raise NotFoundException
    return Response(STYLES[mark], media_type="text/css", headers=KEPT)


@get("/brand/logo/{name:str}", may=ANYONE, outlives=False, credential="none", include_in_schema=False)
async def brand_logo(request: Request[Visitor, Any, Any], name: str) -> Response[bytes]:
    """One logo, by the hash of its content."""
    house: House = request.app.state.house
    mark, _, kind = name.partition(".")
    if kind != "png" or not mark.isascii() or not mark.isalnum():
        raise NotFoundException
    async with house.store.hot.connect() as bare:
        content = (await bare.execute(_CONTENT, {"hash": mark})).scalar_one_or_none()
    if content is None:
        raise NotFoundException
    return Response(content, media_type="image/png", headers=KEPT)


_CONTENT = sa.select(Logo.__table__.c.content).where(Logo.__table__.c.hash == sa.bindparam("hash"))

ROUTES = [brand_style, brand_logo]
