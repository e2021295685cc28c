"""The JSON API at /api/v1: how a program reaches the house. Each file is one noun and lists its doors as ROUTES."""

from litestar.types import ControllerRouterHandler


def routes() -> list[ControllerRouterHandler]:
    """Every noun's doors."""
    return []
