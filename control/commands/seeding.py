"""`understudy seed`: the cast with its apps' secrets, and a large tree to measure with."""

import json
import os
from collections.abc import Callable
from pathlib import Path

from control.cast import PASSWORD
from control.commands.load import load
from control.commands.opening import opened
from control.seed import seed_cast


async def make_cast(apps_port: int, secrets_file: Path | None) -> list[str]:
    """Seed the cast; the apps' secrets are kept in the file, or printed when there is none. Returns what to print."""
    known = None
    if secrets_file is not None:
        known = _read_secrets(secrets_file)
        _write_secrets(secrets_file, known)  # fails now, if it must, before any secret is made
    async with opened() as house:
        secrets = await seed_cast(house.store, house.clock(), apps_port=apps_port, known=known)
    said = [f"The cast is there. Everybody's password is {PASSWORD}."]
    if secrets_file is None:
        return said + [f"{client_id}: {secret}" for client_id, secret in secrets.items()]
    if secrets != known:
        _write_secrets(secrets_file, secrets)
    return [*said, f"The apps' secrets are in {secrets_file}."]


def _read_secrets(file: Path) -> dict[str, str]:
    """What the file holds; nothing where it is missing or spoilt, for then it is written anew."""
    try:
        found = json.loads(file.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}


def _write_secrets(file: Path, secrets: dict[str, str]) -> None:
    """Whole or not at all, and for its owner alone."""
    draft = file.with_name(f"{file.name}.new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as written:
        written.write(json.dumps(secrets, indent=2) + "\n")
    draft.replace(file)


async def make_load(tenants: int, extensions: int, advance: Callable[[int], None]) -> None:
    """Add a large tree."""
    async with opened() as house:
        await load(house.store, house.clock(), tenants, extensions, advance)
