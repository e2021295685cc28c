"""`understudy trail`: print the newest checkpoint, export what is sealed, and check it with or without the database."""

from collections.abc import Callable
from pathlib import Path
from typing import TextIO

import sqlalchemy as sa

from control.commands.opening import EVERYWHERE, TERMINAL, find_place, opened
from tenants.sealed_trail import SealedCheckpoint, newest_checkpoint
from tenants.trail_bundle import bundle, check_bundle
from tenants.trail_check import NotAsSealed, check_trail

Advance = Callable[[int], None]


async def checkpoint() -> str:
    """Seal what is pending, and return the newest checkpoint as a signed note."""
    async with opened() as house:
        await house.sealer.seal_all(house.clock())
        async with house.store.work(TERMINAL, EVERYWHERE, house.clock(), writes=False) as session:
            newest = await newest_checkpoint(session)
    if newest is None:
        raise NotAsSealed("Nothing is sealed yet: there are no entries.")
    return newest.note


async def export(file: Path, where: str | None, begin: Callable[[int], Advance]) -> str:
    """Seal what is pending, and write the bundle; returns what to print. `begin` hears how many leaves there are."""
    async with opened() as house:
        await house.sealer.seal_all(house.clock())
        async with house.store.work(TERMINAL, EVERYWHERE, house.clock(), writes=False) as session:
            path = (await find_place(session, where)).path if where is not None else None
            advance = begin(await session.scalar(sa.select(sa.func.max(SealedCheckpoint.size))) or 0)
            count = -1
            with _for_the_owner_alone(file) as lines:
                async for line in bundle(session, path, advance):
                    lines.write(f"{line}\n")
                    count += 1
    return f"Wrote {_entries(count)} and their checkpoint to {file}."


def _for_the_owner_alone(file: Path) -> TextIO:
    """Names, addresses and reasons stand in it."""
    file.touch(mode=0o600)
    return file.open("w", encoding="ascii")


async def verify(begin: Callable[[int], Advance]) -> str:
    """Check the database; returns what to print. Raises NotAsSealed at the first fault."""
    async with opened() as house:
        async with house.store.work(TERMINAL, EVERYWHERE, house.clock(), writes=False) as session:
            advance = begin(await session.scalar(sa.select(sa.func.max(SealedCheckpoint.size))) or 0)
        async with house.store.work(TERMINAL, EVERYWHERE, house.clock(), writes=False) as session:
            sound = await check_trail(session, house.settings.secret_key, advance)
    waits = f" {_entries(sound.pending)} not sealed yet." if sound.pending else ""
    notes = f"{sound.checkpoints} {'checkpoint' if sound.checkpoints == 1 else 'checkpoints'}"
    return f"{_entries(sound.sealed)} as sealed, under {notes}.{waits}"


def verify_bundle(file: Path, key: str | None, advance: Advance) -> list[str]:
    """Check a bundle; returns what to print. Raises NotAsSealed at the first fault."""
    with file.open("rb") as lines:
        checked = check_bundle(lines, key, advance)
    of = "the whole trail" if checked.whole else f"part of a trail of {checked.size}"
    said = [f"{_entries(checked.leaves)} as sealed: {of}."]
    if key is None:
        said.append(f"Signed by {checked.key}: compare it with the key that the panel publishes.")
    return said


def _entries(count: int) -> str:
    return f"{count} {'entry' if count == 1 else 'entries'}"
