"""The demo as people start it: one process on ports of its own, ended by its id."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.postgres import reserved_port

REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True)
class Demo:
    """A running demo: where its panel and its apps are, and its data."""

    port: int
    apps_port: int
    folder: Path

    @property
    def panel(self) -> str:
        """The panel's address."""
        return f"http://localhost:{self.port}"

    @property
    def database(self) -> str:
        """The address of its database."""
        return f"sqlite:///{self.folder / 'understudy.db'}"

    def app(self, client_id: str) -> str:
        """The address of one of its apps."""
        return f"http://{client_id}.localhost:{self.apps_port}"


@contextmanager
def running_demo(folder: Path) -> Iterator[Demo]:
    """A demo with the cast in `folder`; ready when this yields, gone afterwards."""
    with reserved_port() as port, reserved_port() as apps_port:
        demo = Demo(port, apps_port, folder)
        words = ["--port", str(port), "--apps-port", str(apps_port), "--data", str(folder)]
        process = subprocess.Popen(
            [sys.executable, "-m", "demo", *words],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            wait_until_ready(process, f"ready {demo.panel}", folder)
            yield demo
        finally:
            process.terminate()
            process.communicate(timeout=60)


def wait_until_ready(process: subprocess.Popen[str], line: str, folder: Path) -> None:
    """Reads what the demo says until it says `line`; raises RuntimeError with its logs when it ends before."""
    assert process.stdout is not None
    said = []
    for heard in process.stdout:
        said.append(heard)
        if heard.strip() == line:
            return
    logs = [log.read_text(errors="replace") for log in sorted(folder.glob("*.log"))]
    raise RuntimeError("the demo did not start:\n" + "".join(said) + "\n".join(logs))
