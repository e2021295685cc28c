"""The demo: the panel with its cast, three apps that log in through it and a mailbox, all on this machine alone.

What `bin/demo` runs. It knows the product by its command line and its addresses, nothing else.
"""

import argparse
import contextlib
import errno
import fcntl
import http.client
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn

from demo.children import Children
from demo.welcome import welcome

ROOT = Path(__file__).resolve().parent.parent
APPS = ("softphone", "desk-client", "desk-admin")
ADDRESSES = 2
"""Counts the changes of what the apps tell the panel of themselves: a demo of before is told anew."""
LOOPBACK = "127.0.0.1"
PATIENCE = 120.0
"""Seconds until all have to answer."""


class DemoError(Exception):
    """Why the demo cannot go on, in one line for the person who started it."""


class AskedToStopError(Exception):
    """Ctrl-C, or a signal that means the same."""


class OneLineParser(argparse.ArgumentParser):
    """Says in one plain line what was used wrongly."""

    def error(self, message: str) -> NoReturn:
        """Exits with 2."""
        self.exit(2, f"bin/demo: {message}\n")


@dataclass(frozen=True)
class Plan:
    """Where this demo runs and what it keeps where."""

    port: int
    apps_port: int
    folder: Path

    @property
    def panel(self) -> str:
        """The panel's address, which is its issuer too."""
        return f"http://localhost:{self.port}"

    @property
    def secrets_file(self) -> Path:
        """Where `understudy seed cast` leaves the apps' client secrets."""
        return self.folder / "demo-apps.json"

    @property
    def mailbox(self) -> str:
        """Where the letters are shown."""
        return f"http://mailbox.localhost:{self.apps_port}"

    @property
    def letters(self) -> Path:
        """Where the panel leaves letters while it has no mail server."""
        return self.folder / "letters"

    @property
    def environment(self) -> dict[str, str]:
        """For the panel's command line. The caller's settings stay out: they may name a real database."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("UNDERSTUDY_")}
        return {
            **kept,
            "UNDERSTUDY_DATA_DIR": str(self.folder),
            "UNDERSTUDY_PUBLIC_URL": self.panel,
        }


def read_plan(words: list[str]) -> Plan:
    """What was asked for on the command line."""
    parser = OneLineParser(prog="bin/demo", allow_abbrev=False, description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--port", type=_port, default=8000, help="of the panel (8000)")
    parser.add_argument("--apps-port", type=_port, default=8001, help="of the three apps and the mailbox (8001)")
    parser.add_argument(
        "--data", type=Path, default=ROOT / "var" / "demo", help="folder to keep everything in (var/demo)"
    )
    parser.add_argument("--host", help=argparse.SUPPRESS)
    given = parser.parse_args(words)
    if given.host is not None:
        # Its passwords are known to everybody, so it is for this machine's own eyes.
        parser.error("listens on this machine alone (127.0.0.1); there is no --host")
    if given.port == given.apps_port:
        parser.error(f"the panel and the apps cannot share port {given.port}")
    return Plan(given.port, given.apps_port, given.data.absolute())


def _port(word: str) -> int:
    if not word.isdecimal() or not 0 < int(word) < 65536:
        raise argparse.ArgumentTypeError(f"{word!r} is no port")
    return int(word)


def run(plan: Plan) -> NoReturn:
    """Runs the demo until it is asked to stop or one of its programs ends."""
    with locked_folder(plan.folder):
        for port in (plan.port, plan.apps_port):
            check_port_free(port)
        children = Children(plan.folder)
        try:
            seed_once(plan, children)
            start_servers(plan, children)
            wait_for_answers(plan, children)
            apps = [f"http://{client_id}.localhost:{plan.apps_port}" for client_id in APPS]
            print(welcome(plan.panel, apps, plan.mailbox))
            print(f"ready {plan.panel}", flush=True)
            while True:
                check_all_run(children)
                time.sleep(0.2)
        finally:
            # A second Ctrl-C would leave the rest to the kernel, which kills; a moment's patience is cleaner.
            ignore_signals()
            children.end()


@contextlib.contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """The data folder, made if need be, for one demo at a time."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (folder / "demo.lock").open("w")
    except OSError as refused:
        raise DemoError(f"cannot use {folder}: {refused.strerror}") from refused
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as taken:
            raise DemoError(f"another demo runs in {folder}; choose another folder with --data") from taken
        yield


def check_port_free(port: int) -> None:
    """Raises DemoError when somebody listens there."""
    with socket.socket() as probe:
        # As the servers do it: a port that a server left a moment ago counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as refused:
            if refused.errno == errno.EADDRINUSE:
                raise DemoError(f"port {port} is in use; choose another (see bin/demo --help)") from refused
            raise DemoError(f"cannot listen on port {port}: {refused.strerror}") from refused


def seed_once(plan: Plan, children: Children) -> None:
    """Makes the cast at the first start, and tells the panel when the apps moved to another port or changed.

    demo.json says what was done. It is there before the cast is: a first start that was cut short is begun
    again, while a database that no demo made is never given people whose password everybody knows.
    """
    notes = plan.folder / "demo.json"
    if not notes.exists():
        if (plan.folder / "understudy.db").exists():
            raise DemoError(f"{plan.folder} holds a database that is not a demo's; choose another --data")
        _write(notes, {"apps_port": None})
    elif _noted(notes) == _to_note(plan) and plan.secrets_file.exists():
        return
    print(f"Making the cast in {plan.folder} ...", flush=True)
    where = ["--apps-port", str(plan.apps_port), "--secrets-file", str(plan.secrets_file)]
    seed = children.start("seed", [str(understudy()), "seed", "cast", *where], plan.environment)
    if children.wait(seed) != 0:
        raise DemoError(f"the cast could not be made: {seed.last_words} (all of it: {seed.log})")
    _write(notes, _to_note(plan))


def _to_note(plan: Plan) -> dict[str, int | None]:
    return {"apps_port": plan.apps_port, "addresses": ADDRESSES}


def _noted(notes: Path) -> object:
    """What was done at the last start; None if that start was cut short."""
    try:
        return json.loads(notes.read_text())
    except ValueError:
        return None


def _write(notes: Path, what: dict[str, int | None]) -> None:
    """Whole or not at all."""
    draft = notes.with_suffix(".new")
    draft.write_text(json.dumps(what) + "\n")
    draft.replace(notes)


def start_servers(plan: Plan, children: Children) -> None:
    """The panel and the apps, each a program of its own."""
    serve = [str(understudy()), "serve", "--host", LOOPBACK, "--port", str(plan.port)]
    children.start("panel", serve, plan.environment)
    apps = ["--port", str(plan.apps_port), "--issuer", plan.panel, "--secrets-file", str(plan.secrets_file)]
    apps += ["--letters", str(plan.letters)]
    # -P: the folder it runs in holds data, not modules.
    command = [sys.executable, "-P", "-m", "demo.serve", *apps]
    children.start("apps", command, {**os.environ, "PYTHONPATH": str(ROOT)})


def understudy() -> Path:
    """The product's command line, beside the Python that runs this."""
    found = Path(sys.executable).with_name("understudy")
    if not found.exists():
        raise DemoError("the understudy command is not installed; run bin/setup first")
    return found


def wait_for_answers(plan: Plan, children: Children) -> None:
    """Returns once the panel is ready and each app answers."""
    waited_for = [(plan.port, f"localhost:{plan.port}", "/readyz")]
    waited_for += [(plan.apps_port, f"{client_id}.localhost:{plan.apps_port}", "/") for client_id in (*APPS, "mailbox")]
    give_up = time.monotonic() + PATIENCE
    for port, host, path in waited_for:
        while not answers(port, host, path):
            check_all_run(children)
            if time.monotonic() > give_up:
                raise DemoError(f"http://{host}{path} did not answer in {PATIENCE:.0f} s")
            time.sleep(0.1)


def answers(port: int, host: str, path: str) -> bool:
    """Whether that is answered with 200. `*.localhost` is a browser's name: here the address is pinned."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=5)
    try:
        connection.request("GET", path, headers={"Host": host})
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def check_all_run(children: Children) -> None:
    """Raises DemoError when one has ended."""
    fallen = children.fallen()
    if fallen is not None:
        raise DemoError(f"the {fallen.name} ended: {fallen.last_words} (all of it: {fallen.log})")


def stop(_signal: int, _frame: FrameType | None) -> NoReturn:
    """A signal handler."""
    raise AskedToStopError


def ignore_signals() -> None:
    """From here on it ends in any case."""
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)


def main() -> int:
    """Exit code: 0 stopped as asked, 1 could not go on, 2 used wrongly."""
    plan = read_plan(sys.argv[1:])
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, stop)
    try:
        run(plan)
    except AskedToStopError:
        return 0
    except DemoError as refused:
        print(f"bin/demo: {refused}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
