"""Checkpoints of a tree as signed notes: text that people can read and programs that are not ours can check.

The formats are those of c2sp.org/signed-note and c2sp.org/tlog-checkpoint, with Ed25519.
"""

import hashlib
import re
from base64 import b64decode, b64encode
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from tenants.merkle import LENGTH

ED25519 = b"\x01"
"""How a key of this algorithm begins where its bytes are written or hashed."""

CHECKPOINT = re.compile(r"([^\n]+)\n(0|[1-9][0-9]{0,18})\n([^\n]+)\n")
"""Origin, size and root; lines that others may add stand behind."""


class Forged(ValueError):
    """No note that this key signed, or no note or key at all; the words say which."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a note says: that the log of this name had so many leaves, and this root."""

    origin: str
    size: int
    root: bytes

    def __str__(self) -> str:
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n"


@dataclass(frozen=True, slots=True)
class NoteKey:
    """The public half of the key that signs: all that somebody needs to check a note."""

    name: str
    public: bytes

    @classmethod
    def read(cls, text: str) -> "NoteKey":
        """`<name>+<id>+<key>`, as it is published. Raises Forged for anything else."""
        name, _, rest = text.strip().partition("+")
        number, _, key = rest.partition("+")
        raw = _decoded(key)
        found = cls(name, raw[1:])
        if not name or raw[:1] != ED25519 or len(raw) != 33 or found.id.hex() != number:
            raise Forged("This is no verifier key.")
        return found

    @property
    def id(self) -> bytes:
        """The four bytes by which a signature names its key."""
        return hashlib.sha256(self.name.encode() + b"\n" + ED25519 + self.public).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{b64encode(ED25519 + self.public).decode()}"

    def open(self, note: str) -> Checkpoint:
        """What a note says that this key signed. Raises Forged for any other."""
        text, blank, signatures = note.rpartition("\n\n")
        if not blank or not signatures.endswith("\n"):
            raise Forged("This is no signed note.")
        text += "\n"
        if not any(self._signed(text, line) for line in signatures.splitlines()):
            raise Forged(f"The note is not signed by the key {self}.")
        return _checkpoint(text)

    def _signed(self, text: str, line: str) -> bool:
        start = f"— {self.name} "
        raw = _decoded(line.removeprefix(start)) if line.startswith(start) else b""
        if raw[:4] != self.id:
            return False
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(raw[4:], text.encode())
        except (InvalidSignature, ValueError):
            return False
        return True


def signed(checkpoint: Checkpoint, key: NoteKey, private: Ed25519PrivateKey) -> str:
    """The note: the text, an empty line, and the signature."""
    text = str(checkpoint)
    return f"{text}\n— {key.name} {b64encode(key.id + private.sign(text.encode())).decode()}\n"


def _checkpoint(text: str) -> Checkpoint:
    said = CHECKPOINT.match(text)
    root = _decoded(said[3]) if said else b""
    if said is None or len(root) != LENGTH:
        raise Forged("The note is no checkpoint.")
    return Checkpoint(said[1], int(said[2]), root)


def _decoded(text: str) -> bytes:
    """Base64, or nothing where it is none."""
    try:
        return b64decode(text, validate=True)
    except ValueError:
        return b""
