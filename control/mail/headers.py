"""Headers of a letter: what people are called and what it is about, in any script, and never a second line.

The standard library folds structured headers wrongly in places (a name of two encoded words comes back with a space
in it), so these are encoded here, by its older code, and kept as they are.
"""

import re
import unicodedata
from email.header import Header
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import quote

LONGEST = 500
"""Characters of a name or names inside a letter."""
LONGEST_NAME, LONGEST_SUBJECT = 80, 150
"""Characters of a name or a subject in a header."""
POLICY = SMTP.clone(refold_source="none")

_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")
_BREAKING = frozenset({"Cc", "Cs", "Zl", "Zp"})


def one_line(text: str, longest: int = LONGEST) -> str:
    """Text without control characters, ends of lines and marks that turn the writing; cut where it is too long."""
    kept = "".join(" " if unicodedata.category(letter) in _BREAKING else letter for letter in text[: 4 * longest])
    kept = " ".join("".join(letter for letter in kept if letter not in _TURNING).split())
    return kept if len(kept) <= longest else f"{kept[: longest - 1].rstrip()}…"


def mailbox(name: str, address: str) -> str:
    """`"Olaf Oak" <olaf@oak.example>` as it stands in a header (RFC 5322 section 3.4, RFC 2047)."""
    name = one_line(name, LONGEST_NAME)
    if not name:
        return address
    if _plain(name):
        return f"{name} <{address}>" if _ATOMS.fullmatch(name) else f'"{quote(name)}" <{address}>'
    # On a line of its own: encoded words fill up to the edge.
    return f"{_encoded(name)}\r\n <{address}>"


def subject(text: str) -> str:
    """A subject line."""
    text = one_line(text, LONGEST_SUBJECT)
    return text if _plain(text) else _encoded(text)


def put_headers(message: EmailMessage, headers: dict[str, str]) -> None:
    """Set headers that are encoded already."""
    for name, value in headers.items():
        message.set_raw(name, value)


def _plain(text: str) -> bool:
    return text.isascii() and "=?" not in text


def _encoded(text: str) -> str:
    return Header(text, "utf-8", header_name="Reply-To").encode(linesep="\r\n")
