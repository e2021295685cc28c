"""Times as the reader says them."""

from datetime import UTC, datetime, timedelta

import pytest

from control.clock_words import clock_left, day_words, moment_words, until_words, when

EVENING = datetime(2026, 11, 20, 18, 2, 11, tzinfo=UTC)


def test_a_moment_of_today_is_its_hour_in_the_readers_zone() -> None:
    assert moment_words(EVENING, "Europe/London", EVENING) == "18:02"
    assert moment_words(EVENING, "America/New_York", EVENING) == "13:02"


def test_a_moment_of_another_day_or_year_says_so() -> None:
    assert moment_words(EVENING, "Europe/London", EVENING + timedelta(days=1)) == "20 Nov, 18:02"
    assert moment_words(EVENING, "Europe/London", EVENING + timedelta(days=60)) == "20 Nov 2026, 18:02"
    assert moment_words(EVENING, "Europe/London") == "20 Nov 2026, 18:02"


def test_today_is_the_readers_day_not_greenwichs() -> None:
    after_midnight_in_sydney = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)
    before_it = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
    assert moment_words(before_it, "Australia/Sydney", after_midnight_in_sydney) == "20 Nov, 23:00"
    assert moment_words(before_it, "Europe/London", after_midnight_in_sydney) == "12:00"


def test_the_zone_is_named_by_its_city() -> None:
    assert str(when(EVENING, "Europe/London", EVENING)) == (
        '<time datetime="2026-11-20T18:02:11Z" title="Friday, 20 November 2026, 18:02:11 London">18:02 London</time>'
    )
    there = when(EVENING, "America/New_York", EVENING)
    assert there.endswith(">13:02 New York</time>")
    assert "13:02:11 New York" in there


def test_under_a_days_heading_only_the_hour_is_said() -> None:
    html = when(EVENING, "Europe/London", EVENING + timedelta(days=3), dated=False)
    assert ">18:02 London</time>" in html


def test_a_moment_without_a_zone_came_from_the_database_and_is_utc() -> None:
    assert moment_words(EVENING.replace(tzinfo=None), "America/New_York", EVENING) == "13:02"


@pytest.mark.parametrize("zone", ["Europe/Atlantis", "", "../../etc/passwd", "/etc/localtime", "\0"])
def test_an_unknown_zone_is_utc_and_no_error(zone: str) -> None:
    assert moment_words(EVENING, zone, EVENING) == "18:02"


def test_the_hour_that_comes_twice_is_told_apart_by_its_element() -> None:
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    second = first + timedelta(hours=1)
    assert moment_words(first, "Europe/London", first) == moment_words(second, "Europe/London", first) == "01:30"
    assert when(first, "Europe/London") != when(second, "Europe/London")


def test_a_day_is_headed_by_its_name_and_its_year_when_it_is_not_this_one() -> None:
    assert day_words(EVENING, "Europe/London", EVENING) == "Friday 20 November"
    assert day_words(EVENING, "Europe/London", EVENING + timedelta(days=60)) == "Friday, 20 November 2026"


def test_an_end_today_says_today() -> None:
    assert until_words(EVENING + timedelta(hours=4), "Europe/London", EVENING) == "22:02 today"
    assert until_words(EVENING + timedelta(hours=8), "Europe/London", EVENING) == "21 Nov, 02:02"


def test_time_left_never_goes_below_nothing() -> None:
    assert clock_left(EVENING + timedelta(minutes=14, seconds=32), EVENING) == "14:32"
    assert clock_left(EVENING - timedelta(minutes=1), EVENING) == "0:00"


def test_another_language_has_its_own_order() -> None:
    assert moment_words(EVENING, "Europe/Berlin", EVENING + timedelta(days=1), "de") == "20. Nov., 19:02"
