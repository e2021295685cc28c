"""Pages: how a browser reaches the house. Each file is one noun's pages and lists its own doors as ROUTES."""

from litestar.types import ControllerRouterHandler

from control.pages import (
    companies,
    company,
    extension,
    extensions,
    history,
    licences,
    members,
    phone_systems,
)


def routes() -> list[ControllerRouterHandler]:
    """Every page's doors."""
    return [
        *companies.ROUTES,
        *company.ROUTES,
        *members.ROUTES,
        *phone_systems.ROUTES,
        *extensions.ROUTES,
        *extension.ROUTES,
        *licences.ROUTES,
        *history.ROUTES,
    ]
