"""Checks an exported trail without Understudy: `python verify_trail.py BUNDLE KEY`. Needs only `cryptography`.

Written from RFC 6962, RFC 9162, c2sp.org/signed-note and c2sp.org/tlog-checkpoint; shares no line with the panel.
"""

import hashlib
import json
import sys
from base64 import b64decode
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def digest(*parts: bytes) -> bytes:
    """SHA-256 over all of it."""
    return hashlib.sha256(b"".join(parts)).digest()


def require(holds: bool, otherwise: str) -> None:
    """Ends the program where something does not hold."""
    if not holds:
        sys.exit(otherwise)


def root_of(hashes: list[bytes]) -> bytes:
    """The root over these leaves, by halving layer by layer; a node without a partner goes up as it is."""
    while len(hashes) > 1:
        pairs = [digest(b"\x01", hashes[at], hashes[at + 1]) for at in range(0, len(hashes) - 1, 2)]
        hashes = pairs + hashes[len(pairs) * 2 :]
    return hashes[0] if hashes else digest()


def climbed(index: int, size: int, at: bytes, proof: list[bytes]) -> bytes:
    """The root that a leaf's proof leads to."""
    while size > 1:
        if index % 2:
            at = digest(b"\x01", proof.pop(0), at)
        elif index + 1 < size:
            at = digest(b"\x01", at, proof.pop(0))
        index, size = index // 2, (size + 1) // 2
    require(not proof, "a proof is too long")
    return at


def signed(note: str, key: str) -> tuple[int, bytes]:
    """The size and root that a note tells, once its signature holds."""
    name, number, public = key.strip().split("+", 2)
    text, _, signatures = note.rpartition("\n\n")
    [line] = [each for each in signatures.splitlines() if each.startswith(f"— {name} ")]
    raw = b64decode(line.rsplit(" ", 1)[1])
    known = digest(name.encode(), b"\n", b64decode(public))[:4].hex()
    require(raw[:4].hex() == number == known, "signed by another key")
    Ed25519PublicKey.from_public_bytes(b64decode(public)[1:]).verify(raw[4:], f"{text}\n".encode())
    _, size, root = text.splitlines()[:3]
    return int(size), b64decode(root)


def main(bundle: str, key: str) -> None:
    """Ends with an error unless every leaf is what was signed."""
    *leaves, last = [json.loads(line) for line in Path(bundle).read_text("utf-8").splitlines()]
    size, root = signed(last["checkpoint"], key)
    hashes = [digest(b"\x00", b64decode(leaf["leaf"])) for leaf in leaves]
    if any("proof" in leaf for leaf in leaves):
        for leaf, at in zip(leaves, hashes, strict=True):
            require(0 <= leaf["index"] < size, "no such leaf")
            found = climbed(leaf["index"], size, at, [b64decode(step) for step in leaf["proof"]])
            require(found == root, f"leaf {leaf['index']} is not what was sealed")
    else:
        require([leaf["index"] for leaf in leaves] == list(range(size)), "leaves are missing")
        require(root_of(hashes) == root, "the leaves are not those that were signed for")
    sys.stdout.write(f"{len(leaves)} of {size} entries are as they were sealed.\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
