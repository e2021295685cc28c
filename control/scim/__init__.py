"""SCIM 2.0 at /scim/v2 (RFC 7643, 7644): a system that keeps a company's people keeps them here too, by its own key."""

from litestar import Router
from litestar.types import ControllerRouterHandler
from pydantic import ValidationError
from scim2_models import SCIMException

from control.scim import bulk, discovery, groups, users
from control.scim.doors import doors_of
from control.scim.opening import refused, too_deep

ENDPOINTS = {"/Users": users, "/Groups": groups}


def routes() -> list[ControllerRouterHandler]:
    """Every door of the service."""
    doors = [door for at, keeper in ENDPOINTS.items() for door in doors_of(at, keeper)]
    return [
        Router(
            "/scim/v2",
            route_handlers=[*discovery.ROUTES, *doors, *bulk.ROUTES],
            exception_handlers={SCIMException: refused, ValidationError: refused, RecursionError: too_deep},
            include_in_schema=False,
        )
    ]
