"""A server that says when it listens, so that nobody has to knock until it does."""

from collections.abc import Callable
from typing import Any

import uvicorn
from litestar import Litestar


class Listening(uvicorn.Server):
    """Serves an app on a loopback port and calls `tell` once it listens."""

    def __init__(self, app: Litestar, port: int, tell: Callable[[], object]) -> None:
        # No access log: the addresses of answers hold codes.
        super().__init__(uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None, access_log=False))
        self.tell = tell

    async def startup(self, sockets: Any = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        self.tell()
