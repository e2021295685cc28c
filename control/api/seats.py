"""Seats: how many licences of each product a tenant and all below it hold and may hold."""

from typing import Annotated

from litestar.params import JSONBody
from msgspec import Meta, Struct

from control.api.doors import Asked, Session, acting, reads, sets
from control.api.licences import find_product
from control.api.shapes import Listed, Named, PathId, Sent, Text, refer
from tenants.roles import Permission
from tenants.seats import MOST, SeatLimit, Seats, seats_of
from tenants.tree import find_tenant


class SeatsShape(Struct):
    """The seats of one product at a tenant. Limits out of reach are only said to be there (`limited_above`)."""

    product: Named
    used_here: int
    used: int
    """Here and everywhere below."""
    limit: int | None
    """Set at this very tenant."""
    limited_by: Named | None
    """Where in reach the limit stands that leaves the fewest."""
    left: int | None
    """Until a limit in reach is full; null where none is."""
    limited_above: bool
    """A limit stands above your reach."""


class SeatLimitSet(Sent):
    """The limit of a product, by its name or short name; null lifts it."""

    product: Text
    seats: Annotated[int, Meta(ge=0, le=MOST)] | None


@reads("/tenants/{tenant_id:int}/seats", may=Permission.SEE_PHONES, summary="Show the seats of a tenant")
async def show_seats(session: Session, tenant_id: PathId) -> Listed[SeatsShape]:
    """One line for each product, by name."""
    return Listed([_shape(each) for each in await seats_of(session, await find_tenant(session, tenant_id))], None)


@sets("/tenants/{tenant_id:int}/seats", may=Permission.MANAGE_PHONES, outlives=True, summary="Limit the seats")
async def set_seats(request: Asked, session: Session, tenant_id: PathId, data: JSONBody[SeatLimitSet]) -> SeatsShape:
    """Your own limit can only be lowered; below you it can be set up to what is set for you."""
    tenant, product = await find_tenant(session, tenant_id), await find_product(session, data.product)
    await SeatLimit.set(session, acting(request), tenant, product, data.seats, request.user.now)
    return next(_shape(each) for each in await seats_of(session, tenant) if each.product.id == product.id)


def _shape(seats: Seats) -> SeatsShape:
    return SeatsShape(
        refer(seats.product),
        seats.used_here,
        seats.used,
        seats.own,
        Named(seats.limit.tenant_id, seats.limit.name) if seats.limit else None,
        seats.left,
        seats.limited_above,
    )


ROUTES = [show_seats, set_seats]
