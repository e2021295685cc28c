"""What people may type: names, slugs, addresses, reasons. Said once, so that every door refuses the same."""

import re
import unicodedata

import idna

from tenants.refusals import Invalid

NAME_LENGTH = 200
REASON_LENGTH = 1000
REASON_LEAST = 10
EMAIL_LENGTH = 254

# RFC 5321 section 4.1.2, without the quoted form, whose spaces and signs only make addresses look alike.
_LOCAL = re.compile(r"[^\s@\"(),:;<>\[\\\].]+(?:\.[^\s@\"(),:;<>\[\\\].]+)*")
_LOCAL_LENGTH = 64
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zs", "Zl", "Zp"})
# Written together, as one language has them.
_JAPANESE = frozenset({"CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA"})
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
    """An address as we keep and compare it: NFKC, small letters, the domain in ASCII (RFC 5891).

    Invalid when it cannot be one, holds what cannot be seen, or mixes alphabets to look like another.
    """
    refused = Invalid("This is not an e-mail address.", field=field)
    # Before anything is worked out: nothing makes an address shorter by ten times.
    if len(text) > 10 * EMAIL_LENGTH:
        raise refused
    local, at, domain = unicodedata.normalize("NFKC", text).strip().rpartition("@")
    local = unicodedata.normalize("NFKC", local.casefold())
    if not at or len(local) > _LOCAL_LENGTH or not _LOCAL.fullmatch(local) or not _can_be_seen(local):
        raise refused
    if not _of_one_script(local):
        raise Invalid("This address mixes alphabets, so that it could pass for another.", field=field)
    address = f"{local}@{_domain(domain, refused)}"
    if len(address) > EMAIL_LENGTH:
        raise refused
    return address


def _domain(text: str, refused: Invalid) -> str:
    """The domain as the name service knows it, of two labels at least."""
    try:
        domain = idna.encode(text, uts46=True, std3_rules=True).decode("ascii").lower()
    except (idna.IDNAError, UnicodeError):
        raise refused from None
    if "." not in domain or domain.endswith(".") or domain.rpartition(".")[2].isdigit():
        raise refused
    return domain


def _can_be_seen(text: str) -> bool:
    return all(unicodedata.category(letter) not in _UNSEEN and letter not in _TURNING for letter in text)


def _of_one_script(text: str) -> bool:
    """Its letters are of one alphabet: a Cyrillic letter among Latin ones passes for its look-alike."""
    scripts = {unicodedata.name(letter, "?").split()[0] for letter in text if letter.isalpha()}
    return len(scripts) <= 1 or scripts <= _JAPANESE


def lines_of(text: str, field: str, most: int) -> str:
    """Text of several lines, each as it was written: no control characters, at most `most` characters."""
    text = unicodedata.normalize("NFC", text).replace("\r\n", "\n").replace("\r", "\n").rstrip()
    if len(text) > most:
        raise Invalid(f"This has at most {most} characters.", field=field)
    shown = text.replace("\n", "").replace("\t", "")
    if any(unicodedata.category(letter) in {"Cc", "Cs"} or letter in _TURNING for letter in shown):
        raise Invalid("This holds characters that cannot be shown.", field=field)
    return text


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
