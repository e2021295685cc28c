"""Pages: how a browser reaches the house. Each file is one noun's pages and lists its own doors as ROUTES."""

from litestar.types import ControllerRouterHandler


def routes() -> list[ControllerRouterHandler]:
    """Every page's doors."""
    return []
