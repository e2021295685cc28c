"""OpenID Connect and OAuth: how an app reaches the house. Each file holds the doors of one step of the protocol."""

from litestar.types import ControllerRouterHandler

from control.openid import acting, discovery, login, logout, par, signals, tokens


def routes() -> list[ControllerRouterHandler]:
    """Every door of the protocol."""
    return [
        *discovery.ROUTES,
        *signals.ROUTES,
        *login.ROUTES,
        *tokens.ROUTES,
        *par.ROUTES,
        *acting.ROUTES,
        *logout.ROUTES,
    ]
