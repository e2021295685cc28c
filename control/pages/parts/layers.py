"""Layers at the door: which tenant's own sign-in page a form came from, and how that page looks."""

from typing import Any

from litestar import Request

from control.branding import shown
from control.house import House
from control.pages.parts.fields import Fields
from control.visitor import Visitor
from tenants.brands import brand_of
from tenants.layers import find_layer

FIELD = "layer"


async def layer_in(request: Request[Visitor, Any, Any], fields: Fields) -> str | None:
    """The path of the tenant whose sign-in page this form stood on; None for the house's own, and for all nonsense.

    It only narrows who is let in, so nobody gains anything by writing another name into it.
    """
    name = fields.text(FIELD)
    if not name:
        return None
    house: House = request.app.state.house
    async with house.store.hot.connect() as bare:
        return await find_layer(bare, name)


async def layer_look(request: Request[Visitor, Any, Any], fields: Fields) -> dict[str, Any]:
    """What the sign-in page shows of a layer: its brand, and its name for the form. Nothing where there is none."""
    path = await layer_in(request, fields)
    if path is None:
        return {FIELD: ""}
    house: House = request.app.state.house
    async with house.store.hot.connect() as bare:
        return {FIELD: fields.text(FIELD), "brand": shown(await brand_of(bare, path))}
