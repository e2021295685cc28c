"""Region choice: the country in whose way a telephone number is written, by its name in the reader's language."""

from functools import lru_cache

from control.words import locale_of
from tenants.numbers import REGIONS


@lru_cache
def regions_to_choose(locale: str) -> list[tuple[str, str]]:
    """Code and name of every country whose numbers are known, by name."""
    names = locale_of(locale).territories
    return sorted(((code, names.get(code, code)) for code in REGIONS), key=lambda each: each[1])
