"""The words the panel speaks: one catalogue per language, read from `control/locale` as it is written.

English is the language of the source, so it needs no catalogue. `en-XA` is a made-up language for tests:
every translated text comes out accented, bracketed and 40 % longer, so what stays plain was hard-coded and
what breaks was too tight.
"""

import re
from functools import lru_cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from math import ceil
from pathlib import Path

from babel import Locale, UnknownLocaleError
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

CATALOGUES = Path(__file__).parent / "locale"
DOMAIN = "understudy"
PSEUDO = "en-XA"
HOME = Locale("en", "GB")

_ACCENTED = str.maketrans(
    "AaBbCcDdEeFfGgHhIiJjKkLlMmNnOoPpRrSsTtUuVvWwYyZz",
    "ÅåƁƀÇçÐðÉéƑƒĜĝĤĥÎîĴĵĶķĻļṀṁÑñÖöÞþŔŕŠšŢţÛûṼṽŴŵÝýŽž",
)
# What a translator keeps as it stands: placeholders, tags and entities.
_KEPT = re.compile(r"(%\(\w+\)[sd]|%%|\{\w+\}|<[^>]*>|&\w+;)")


@lru_cache
def words(locale: str, catalogues: Path = CATALOGUES) -> NullTranslations:
    """The catalogue of a language; the source's own English where there is none."""
    if locale == PSEUDO:
        return Pseudo()
    for name in (locale.replace("-", "_"), re.split("[-_]", locale)[0]):
        # Compared with what is there, never joined to a path unseen: the name comes from a profile.
        if name in languages(catalogues)[1:]:
            return _read(catalogues / name / "LC_MESSAGES" / f"{DOMAIN}.po", name)
    return NullTranslations()


def languages(catalogues: Path = CATALOGUES) -> list[str]:
    """The languages a person may choose, English first."""
    found = (path.parent.parent.name for path in catalogues.glob(f"*/LC_MESSAGES/{DOMAIN}.po"))
    return ["en", *sorted(found)]


def locale_of(code: str) -> Locale:
    """How a language writes dates, numbers and lines; British English for `en` and for the unknown."""
    if code in ("en", PSEUDO):
        return HOME
    try:
        return Locale.parse(code.replace("_", "-"), sep="-")
    except (UnknownLocaleError, ValueError):
        return HOME


def stretch(message: str) -> str:
    """A message in the made-up language: accented, bracketed, 40 % longer, placeholders untouched."""
    pieces = _KEPT.split(message)
    letters = sum(character.isalpha() for piece in pieces[::2] for character in piece)
    if not letters:
        return message
    pieces[::2] = [piece.translate(_ACCENTED) for piece in pieces[::2]]
    padding = " ".join(["~~~~"] * ceil(letters * 0.4 / 5))
    return f"[{''.join(pieces)} {padding}]"


class Pseudo(NullTranslations):
    """The made-up language `en-XA`: every message stretched, so that a test can see which were not."""

    def gettext(self, message: str) -> str:
        return stretch(message)

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return stretch(msgid1 if n == 1 else msgid2)

    def pgettext(self, context: str, message: str) -> str:
        return stretch(message)

    def npgettext(self, context: str, msgid1: str, msgid2: str, n: int) -> str:
        return stretch(msgid1 if n == 1 else msgid2)


def _read(path: Path, locale: str) -> GNUTranslations:
    # Compiled here, in memory, so that a deployment has no build step and nobody commits a binary.
    compiled = BytesIO()
    with path.open("rb") as written:
        write_mo(compiled, read_po(written, locale=locale, domain=DOMAIN))
    compiled.seek(0)
    return GNUTranslations(compiled)
