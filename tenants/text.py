"""What people may type: names, slugs, addresses, reasons. Said once, so that every door refuses the same."""

import re
import unicodedata

from tenants.refusals import Invalid

NAME_LENGTH = 200
REASON_LENGTH = 1000
REASON_LEAST = 10
EMAIL_LENGTH = 254

_EMAIL = re.compile(r"[^@\s\"(),:;<>\[\\\]]+@[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+")
# Marks that turn the direction of writing can make one name look like another.
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f")


def clean(text: str, field: str) -> str:
    """Unicode normalised, white space folded; Invalid for control characters and marks that turn the writing."""
    text = " ".join(unicodedata.normalize("NFC", text).split())
    if any(unicodedata.category(letter) in {"Cc", "Cs"} or letter in _TURNING for letter in text):
        raise Invalid("This holds characters that cannot be shown.", field=field)
    return text


def named(text: str, field: str = "name") -> str:
    """A name people will read: any script, 1 to 200 characters."""
    text = clean(text, field)
    if not text:
        raise Invalid("A name is needed.", field=field)
    if len(text) > NAME_LENGTH:
        raise Invalid(f"A name has at most {NAME_LENGTH} characters.", field=field)
    return text


def slugged(text: str, field: str = "slug") -> str:
    """A short name for addresses: small letters, digits and hyphens."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:80].strip("-")
    if not slug:
        raise Invalid("A short name of letters and digits is needed.", field=field)
    return slug


def email_address(text: str, field: str = "email") -> str:
    """An address as we compare it: NFKC, small letters; Invalid when it cannot be one."""
    address = unicodedata.normalize("NFKC", text).strip().casefold()
    if len(address) > EMAIL_LENGTH or not _EMAIL.fullmatch(address):
        raise Invalid("This is not an e-mail address.", field=field)
    return address


def reason_given(text: str | None, *, asked: bool) -> str | None:
    """A reason: up to 1000 characters, at least 10 where one is asked for; None when there is none."""
    if text is None or not text.strip():
        return None
    reason = clean(text, "reason")
    if len(reason) > REASON_LENGTH:
        raise Invalid(f"A reason has at most {REASON_LENGTH} characters.", field="reason")
    if asked and len(reason) < REASON_LEAST:
        raise Invalid(f"Say why in at least {REASON_LEAST} characters.", field="reason")
    return reason
