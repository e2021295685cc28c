"""What the protocol's doors for programs have in common: anybody may knock, and each checks the credentials itself."""

from collections.abc import Callable, Sequence
from typing import Any

from litestar import HttpMethod, route
from litestar.handlers import HTTPRouteHandler

from control.doors import ANYONE

Handler = Callable[..., Any]


def for_programs(
    path: str | Sequence[str], *methods: HttpMethod, status: int = 200, **said: Any
) -> Callable[[Handler], HTTPRouteHandler]:
    """A door that no cookie opens. It stands in no description of the API: the protocol's own says what it does."""
    return route(
        path,
        http_method=methods,
        may=ANYONE,
        outlives=False,
        credential="none",
        status_code=status,
        include_in_schema=False,
        **said,
    )
