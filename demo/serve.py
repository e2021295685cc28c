"""Serves the demo apps and the mailbox: `python -m demo.serve --port 8001 --issuer URL ...`."""

import argparse
import json
import sys
import time
from pathlib import Path

import uvicorn

from demo.app import make_apps
from demo.mailbox import by_host, make_mailbox
from demo.visit import TITLES


def read_secrets(file: Path) -> dict[str, str]:
    """The client secret of each app, as the panel gave them out. Exits when one is missing."""
    found = json.loads(file.read_text())
    missing = [client_id for client_id in TITLES if not isinstance(found.get(client_id), str)]
    if missing:
        sys.exit(f"{file} has no secret for {', '.join(missing)}")
    return {client_id: found[client_id] for client_id in TITLES}


def main() -> None:
    """Listens on 127.0.0.1 alone, until it is told to stop."""
    words = argparse.ArgumentParser(prog="python -m demo.serve", allow_abbrev=False)
    words.add_argument("--port", type=int, required=True)
    words.add_argument("--issuer", required=True)
    words.add_argument("--secrets-file", type=Path, required=True)
    words.add_argument("--letters", type=Path, required=True, help="the folder where the panel leaves its letters")
    given = words.parse_args()
    apps = make_apps(
        issuer=given.issuer,
        port=given.port,
        client_secrets=read_secrets(given.secrets_file),
        clock=time.time,
    )
    # No access log: the addresses of answers hold codes.
    uvicorn.run(
        by_host({f"mailbox.localhost:{given.port}": make_mailbox(given.letters)}, apps),
        host="127.0.0.1",
        port=given.port,
        access_log=False,
        log_level="warning",
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=3,
    )


if __name__ == "__main__":
    main()
