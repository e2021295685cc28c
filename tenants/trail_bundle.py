"""Bundles: the sealed trail, or one tenant's part of it, as a file that anybody can check without the database.

One JSON object in a line: for each leaf its `index` and its bytes (`leaf`, base64), in a tenant's part also the `proof`
that it lies in the tree (RFC 6962 section 2.1.1). The last line has the `checkpoint`, a signed note, and its `key`.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from tenants.merkle import Frontier, Tree, includes, leaf_hash
from tenants.reach import Extent, Reach
from tenants.sealed_trail import Leaf, newest_checkpoint, trail_key
from tenants.signed_notes import Forged, NoteKey
from tenants.trail import Entry
from tenants.trail_check import NotAsSealed

AT_ONCE = 1000
"""Leaves that are read at once."""


async def bundle(
    session: AsyncSession, path: str | None = None, advance: Callable[[int], None] = lambda leaves: None
) -> AsyncIterator[str]:
    """The lines of a bundle up to the newest checkpoint: of the whole trail, or of the tenant at `path` and below.

    A tenant's part has what its History shows: what was done there, and what its people did elsewhere. `advance`
    hears how many leaves were looked at. Raises NotAsSealed while nothing is sealed.
    """
    newest, key = await newest_checkpoint(session), await trail_key(session)
    if newest is None or key is None:
        raise NotAsSealed("Nothing is sealed yet.")
    tree = Tree(await _hashes(session, newest.size)) if path is not None else None
    for start in range(0, newest.size, AT_ONCE):
        end = min(start + AT_ONCE, newest.size)
        wanted = (
            sa.select(Leaf.number, Entry.leaf)
            .join(Entry, Entry.id == Leaf.id)
            .where(Leaf.number >= start, Leaf.number < end)
            .order_by(Leaf.number)
        )
        if path is not None:
            wanted = wanted.where(Entry.within(Reach(Extent.SUBTREE, path)))
        for number, leaf in await session.execute(wanted):
            line: dict[str, Any] = {"index": number, "leaf": _text(leaf)}
            if tree is not None:
                line["proof"] = [_text(step) for step in tree.inclusion(number)]
            yield json.dumps(line)
        advance(end - start)
    yield json.dumps({"checkpoint": newest.note, "key": str(key.verifier)})


async def _hashes(session: AsyncSession, size: int) -> list[bytes]:
    return list(await session.scalars(sa.select(Leaf.hash).where(Leaf.number < size).order_by(Leaf.number)))


@dataclass(frozen=True, slots=True)
class Checked:
    """What a bundle turned out to hold."""

    leaves: int
    whole: bool
    size: int
    key: NoteKey


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    index: int
    hash: bytes
    proof: tuple[bytes, ...] | None


def check_bundle(
    lines: Iterable[bytes], key: str | None = None, advance: Callable[[int], None] = lambda bytes_: None
) -> Checked:
    """Recompute what a bundle claims. Raises NotAsSealed at the first fault.

    `key` is the verifier key that one was given before; without it the bundle's own is taken, which proves only that
    the bundle agrees with itself. `advance` hears how many bytes are read.
    """
    frontier, parts = Frontier(), list[_Line]()
    last: dict[str, Any] | None = None
    for number, text in enumerate(lines, 1):
        if last is not None:
            raise NotAsSealed(f"Line {number - 1}: the checkpoint comes last.")
        said = _object(text, number)
        if "checkpoint" in said:
            last = said
        else:
            line = _leaf(said, number)
            if line.proof is not None:
                parts.append(line)
            elif line.index != frontier.size:
                raise NotAsSealed(f"Line {number}: leaf {frontier.size} is missing.")
            else:
                frontier.append(line.hash)
        advance(len(text))
    if last is None:
        raise NotAsSealed("The bundle ends without its checkpoint.")
    return _agree(frontier, parts, last, key)


def _agree(frontier: Frontier, parts: list[_Line], last: dict[str, Any], key: str | None) -> Checked:
    """Hold what was computed against what was signed."""
    try:
        verifier = NoteKey.read(str(last.get("key")))
        if key is not None and NoteKey.read(key) != verifier:
            raise NotAsSealed(f"The bundle is signed by another key: {verifier}.")
        signed = verifier.open(str(last["checkpoint"]))
    except Forged as error:
        raise NotAsSealed(str(error)) from None
    if parts and frontier.size:
        raise NotAsSealed("Some of the leaves come with a proof, and some without.")
    before = -1
    for part in parts:
        if part.index <= before:
            raise NotAsSealed(f"Line {part.number}: leaf {part.index} comes twice, or too late.")
        if not includes(signed.root, signed.size, part.index, part.hash, part.proof or ()):
            raise NotAsSealed(f"Line {part.number}: leaf {part.index} is not what was sealed.")
        before = part.index
    if not parts and frontier.size != signed.size:
        raise NotAsSealed(f"{signed.size} leaves were signed for, and {frontier.size} are there.")
    if not parts and frontier.root() != signed.root:
        raise NotAsSealed("The leaves are not those that were signed for.")
    return Checked(len(parts) or frontier.size, not parts, signed.size, verifier)


def _object(text: bytes, number: int) -> dict[str, Any]:
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise NotAsSealed(f"Line {number} is no JSON object.")
    return said


def _leaf(said: dict[str, Any], number: int) -> _Line:
    index, proof = said.get("index"), said.get("proof")
    if not isinstance(index, int) or not isinstance(proof, list | None):
        raise NotAsSealed(f"Line {number} is no leaf.")
    try:
        steps = None if proof is None else tuple(_bytes(step) for step in proof)
        return _Line(number, index, leaf_hash(_bytes(said.get("leaf"))), steps)
    except (TypeError, ValueError):
        raise NotAsSealed(f"Line {number} is no leaf.") from None


def _text(raw: bytes) -> str:
    return b64encode(raw).decode()


def _bytes(text: Any) -> bytes:
    return b64decode(text, validate=True)
