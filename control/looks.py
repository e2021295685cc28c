"""What every template may use beyond plain Jinja: words, times, icons, addresses; `dress` gives it."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from babel.numbers import format_decimal
from jinja2 import Environment, Undefined, UndefinedError, pass_context
from jinja2.runtime import Context
from lucide.jinja import lucide
from markupsafe import Markup

from control import clock_words
from control.browsers import browser_and_system
from control.words import locale_of, words

STATIC = Path(__file__).parent / "static"

# Every page gets these from its handler; an error page that comes too early for that still has a look.
SHELL: dict[str, Any] = {
    "me": None,
    "nav": [],
    "crumbs": [],
    "banner": None,
    "csrf": "",
    "acting_id": "",
    "toasts": [],
    "title": "",
    "brand": None,
    "request_id": "",
    "now": None,
    "fragment": False,
}


class Missing(Undefined):
    """A name nobody set: false when asked about, an error when shown, so that a misspelling is noticed."""

    __slots__ = ()

    def __str__(self) -> str:
        raise UndefinedError(self._undefined_message)

    def __iter__(self) -> Iterator[Any]:
        raise UndefinedError(self._undefined_message)


def dress(environment: Environment) -> None:
    """Give an environment the panel's globals and filters."""
    environment.undefined = Missing
    environment.trim_blocks = environment.lstrip_blocks = True
    environment.add_extension("jinja2.ext.i18n")
    extended: Any = environment
    extended.install_gettext_callables(_gettext, _ngettext, newstyle=True, pgettext=_pgettext, npgettext=_npgettext)
    marks = fingerprints(STATIC)
    environment.globals.update(SHELL)
    environment.globals.update(
        _=_said,
        icon=icon,
        asset=lambda name: f"/static/{name}?v={marks[name]}",
        browser_and_system=browser_and_system,
        query=query,
        direction=lambda code: locale_of(code).text_direction,
        language=_language,
        clock_left=clock_words.clock_left,
        place=_place,
    )
    environment.filters.update(
        when=_when,
        until=_until,
        to_the_second=_to_the_second,
        by_day=_by_day,
        number=_number,
        initials=initials,
        flip_sort=flip_sort,
    )


@lru_cache(maxsize=512)
def icon(name: str, label: str | None = None) -> Markup:
    """A Lucide icon as inline SVG: decoration, or an image when it carries a label of its own."""
    spoken = {"role": "img", "aria-label": label} if label else {"aria-hidden": "true"}
    drawn = lucide(name, size=None, **{"class": "i", **spoken})
    return Markup("").join(line.strip() for line in drawn.splitlines())


def fingerprints(folder: Path) -> dict[str, str]:
    """A short hash of each static file, so that its address changes when it does."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()[:12] for path in folder.iterdir() if path.is_file()
    }


def query(params: Mapping[str, Any], **changes: Any) -> str:
    """The same page with some parameters changed: "?q=dairy&sort=-name"; None or "" drops one."""
    kept = {name: value for name, value in {**params, **changes}.items() if value not in (None, "")}
    return "?" + urlencode(kept, doseq=True)


def flip_sort(current: str | None, column: str) -> str:
    """What a column's header asks for: ascending first, the other way when it is sorted already."""
    return f"-{column}" if current == column else column


def initials(name: str) -> str:
    """One or two letters for a round mark: "Pia Pine" is "PP"."""
    parts = name.split()
    return "".join(part[0] for part in (parts if len(parts) < 2 else (parts[0], parts[-1]))).upper()


@pass_context
def _language(context: Context) -> str:
    """The reader's language: the profile's, else English."""
    me = context.get("me")
    return str(getattr(me, "locale", None) or "en")


def _zone(context: Context) -> str:
    me = context.get("me")
    return str(getattr(me, "zone", None) or "UTC")


@pass_context
def _gettext(context: Context, message: str) -> str:
    return words(_language(context)).gettext(message)


@pass_context
def _said(context: Context, message: str, **values: Any) -> str:
    """What the extension's `_` says, by fewer calls: a page has hundreds of messages, and few of them hold values."""
    said = words(_language(context)).gettext(message)
    said = Markup(said) if context.eval_ctx.autoescape else said  # noqa: S704 (what is filled in is escaped)
    return said % values if "%" in said else said


@pass_context
def _ngettext(context: Context, one: str, many: str, count: int) -> str:
    return words(_language(context)).ngettext(one, many, count)


@pass_context
def _pgettext(context: Context, about: str, message: str) -> str:
    return words(_language(context)).pgettext(about, message)


@pass_context
def _npgettext(context: Context, about: str, one: str, many: str, count: int) -> str:
    return words(_language(context)).npgettext(about, one, many, count)


@pass_context
def _when(context: Context, moment: datetime | None, named: bool = False, dated: bool = True) -> Markup | str:
    if moment is None:
        return words(_language(context)).gettext("Never")
    return clock_words.when(moment, _zone(context), context.get("now"), _language(context), named, dated)


@pass_context
def _to_the_second(context: Context, moment: datetime) -> str:
    return clock_words.to_the_second(moment, _zone(context), context.get("now"), _language(context))


@pass_context
def _until(context: Context, moment: datetime) -> str:
    return clock_words.until_words(moment, _zone(context), context.get("now"), _language(context))


@pass_context
def _number(context: Context, count: int) -> str:
    """A count with its thousands marked: "1,204"."""
    return format_decimal(count, locale=locale_of(_language(context)))


@pass_context
def _place(context: Context) -> str:
    return clock_words.place(_zone(context), _language(context))


@pass_context
def _by_day(context: Context, lines: Iterable[Any], key: str = "at") -> Iterator[tuple[str, list[Any]]]:
    """Lines that come in order of time, in groups of one day of the reader's calendar."""

    def day(line: Any) -> str:
        moment = line[key] if isinstance(line, Mapping) else getattr(line, key)
        return clock_words.day_words(moment, _zone(context), context.get("now"), _language(context))

    for heading, group in groupby(lines, key=day):
        yield heading, list(group)
