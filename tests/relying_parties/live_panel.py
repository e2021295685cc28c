"""A panel that listens on loopback, in a thread of its own, for clients that speak to it over real sockets."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from control.app import create_app
from control.settings import Settings
from tests.listening import Listening
from tests.postgres import reserved_port

PATIENCE = 30.0
"""Seconds until it has to listen."""


@contextmanager
def live_panel(database: str, folder: Path) -> Iterator[str]:
    """The panel over this database; yields its address, which is its issuer too."""
    with reserved_port() as port:
        issuer = f"http://127.0.0.1:{port}"
        settings = Settings.load(
            {
                "UNDERSTUDY_DATABASE_URL": database,
                "UNDERSTUDY_DATA_DIR": str(folder),
                "UNDERSTUDY_PUBLIC_URL": issuer,
            }
        )
        listens = threading.Event()
        server = Listening(create_app(settings), port, listens.set)
        thread = threading.Thread(target=server.run, name="panel")
        thread.start()
        try:
            assert listens.wait(PATIENCE), "the panel does not listen"
            yield issuer
        finally:
            server.should_exit = True
            thread.join()
