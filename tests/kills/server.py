"""A panel in a process of its own, there to be killed: the same address and the same data after each kill."""

import multiprocessing
import os
import threading
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from control.app import create_app
from control.settings import Settings
from tests.listening import Listening

PATIENCE = 60.0
"""Seconds until it has to listen, or to have ended."""

# Forked from a process that has imported everything and runs nothing: a start takes a moment, not seconds.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload([__name__])


@dataclass(frozen=True)
class Panel:
    """Where the panel runs."""

    database: str
    folder: Path
    port: int

    @property
    def address(self) -> str:
        """Its address, which is its issuer too."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def settings(self) -> Settings:
        """As the environment would say it."""
        return Settings.load(
            {
                "UNDERSTUDY_DATABASE_URL": self.database,
                "UNDERSTUDY_DATA_DIR": str(self.folder),
                "UNDERSTUDY_PUBLIC_URL": self.address,
                # Whoever hammers is not held back: what is asked here is what a kill leaves behind.
                "UNDERSTUDY_RATE_LIMIT": "0",
                "UNDERSTUDY_RATE_LIMIT_APPS": "0",
                "UNDERSTUDY_RATE_LIMIT_STRANGERS": "0",
            }
        )

    @property
    def log(self) -> Path:
        """Where all its lives write to."""
        return self.folder / "panel.log"

    def start(self) -> BaseProcess:
        """Start a process and wait until it listens; raises RuntimeError with its last words if it does not."""
        heard, said = FORKS.Pipe(duplex=False)
        process = FORKS.Process(target=serve, args=(self, said), name="panel", daemon=True)
        process.start()
        said.close()
        try:
            listens = heard.poll(PATIENCE) and heard.recv()
        except EOFError:
            listens = False
        if not listens:
            process.kill()
            raise RuntimeError(f"the panel did not start: {self.log.read_text(errors='replace')[-2000:]}")
        return process


def serve(panel: Panel, said: Connection) -> None:
    """The child: the panel as it is, with its output in the log. Goes when those who started it are gone."""
    with panel.log.open("ab") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    threading.Thread(target=leave_with_parent, daemon=True).start()
    Listening(create_app(panel.settings), panel.port, lambda: said.send(True)).run()


def leave_with_parent() -> None:
    """No panel is left behind, even by a kill -9 of the tests."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
