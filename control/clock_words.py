"""Moments in the words of the person who reads them: their zone, their language, on the server.

A moment is kept in UTC. It is shown in the reader's zone, which is named ("18:02 London") so that two people
on the telephone never mean different hours.
"""

from datetime import UTC, date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel.dates import format_date, format_skeleton, format_time, get_timezone_location
from markupsafe import Markup

from control.words import locale_of, words


def zone_of(name: str) -> ZoneInfo:
    """The zone with that IANA name; UTC for one that this machine does not know."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def local(moment: datetime, zone: str) -> datetime:
    """A moment on the reader's clock; one without a zone came from the database and is UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(zone_of(zone))


def place(zone: str, locale: str = "en") -> str:
    """The city a zone is known by: "London"."""
    return _place(zone_of(zone).key, locale)


def moment_words(moment: datetime, zone: str, now: datetime | None = None, locale: str = "en") -> str:
    """A moment as one says it: "18:02" today, "20 Nov, 18:02" this year, "20 Nov 2025, 18:02" otherwise."""
    there, today = local(moment, zone), local(now, zone) if now else None
    clock = _clock_words(there.hour, there.minute, locale)
    if today and there.date() == today.date():
        return clock
    skeleton = "MMMd" if today and there.year == today.year else "yMMMd"
    day = _date_words(there.date(), skeleton, locale)
    return words(locale).gettext("%(day)s, %(time)s") % {"day": day, "time": clock}


def day_words(moment: datetime, zone: str, now: datetime | None = None, locale: str = "en") -> str:
    """The heading of a day: "Friday 20 November", with its year unless it is this one."""
    there, today = local(moment, zone).date(), local(now, zone).date() if now else None
    if today and there.year == today.year:
        return _date_words(there, "MMMMEEEEd", locale)
    return _full_date(there, locale)


def until_words(moment: datetime, zone: str, now: datetime | None = None, locale: str = "en") -> str:
    """An end as one says it: "22:05 today", otherwise as `moment_words`."""
    spoken = moment_words(moment, zone, now, locale)
    if now and local(moment, zone).date() == local(now, zone).date():
        return words(locale).gettext("%(time)s today") % {"time": spoken}
    return spoken


def clock_left(ends_at: datetime, now: datetime) -> str:
    """Minutes and seconds until an end: "14:32"; "0:00" once it has passed."""
    seconds = max(0, int((local(ends_at, "UTC") - local(now, "UTC")).total_seconds()))
    return f"{seconds // 60}:{seconds % 60:02d}"


def to_the_second(moment: datetime, zone: str, now: datetime | None = None, locale: str = "en") -> str:
    """A moment for whoever counts seconds: "09:14:03" today, with its day otherwise."""
    there = local(moment, zone)
    clock = format_time(there, "medium", locale=locale_of(locale))
    if now and there.date() == local(now, zone).date():
        return clock
    day = _date_words(there.date(), "yMMMd", locale)
    return words(locale).gettext("%(day)s, %(time)s") % {"day": day, "time": clock}


def when(
    moment: datetime,
    zone: str,
    now: datetime | None = None,
    locale: str = "en",
    named: bool = True,
    dated: bool = True,
) -> Markup:
    """The `<time>` element of a moment; without city or day where the block around it names them."""
    there = local(moment, zone)
    clock = _clock_words(there.hour, there.minute, locale)
    shown = moment_words(moment, zone, now, locale) if dated else clock
    said = words(locale).gettext("%(day)s, %(time)s") % {
        "day": _full_date(there.date(), locale),
        "time": format_time(there, "medium", locale=locale_of(locale)),
    }
    whole = f"{said} {place(zone, locale)}"
    city = " " + place(zone, locale) if named else ""
    stamp = there.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return Markup('<time datetime="{}" title="{}">{}{}</time>').format(stamp, whole, shown, city)


@lru_cache
def _place(zone: str, locale: str) -> str:
    return get_timezone_location(zone, locale=locale_of(locale), return_city=True)


# A long table speaks of few days and at most 1,440 minutes; Babel takes about 40 us to say one.
@lru_cache(maxsize=4096)
def _date_words(day: date, skeleton: str, locale: str) -> str:
    return format_skeleton(skeleton, datetime(day.year, day.month, day.day, tzinfo=UTC), locale=locale_of(locale))


@lru_cache(maxsize=512)
def _full_date(day: date, locale: str) -> str:
    return format_date(day, "full", locale=locale_of(locale))


@lru_cache(maxsize=4096)
def _clock_words(hour: int, minute: int, locale: str) -> str:
    return format_time(datetime(2000, 1, 1, hour, minute, tzinfo=UTC), "short", locale=locale_of(locale))
