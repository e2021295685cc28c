"""What leaves as CSV opens as text, whatever somebody typed into a name."""

import csv

import pytest

from control.spreadsheets import csv_cell, csv_lines


@pytest.mark.parametrize(
    "typed", ["=1+1", "+44 20 7946 0018", "-2", "@SUM(A1)", "  =cmd|' /C calc'!A0", "\t=1", "\r=1", "＝1＋1"]
)
def test_what_a_spreadsheet_would_run_is_defused(typed: str) -> None:
    assert csv_cell(typed) == "'" + typed


@pytest.mark.parametrize("typed", ["Dan Dale", "101", "a=b", "dan@dairy.example", ""])
def test_what_is_only_text_stays_as_it_is(typed: str) -> None:
    assert csv_cell(typed) == typed


def test_nothing_is_an_empty_cell_and_a_number_its_digits() -> None:
    assert csv_cell(None) == ""
    assert csv_cell(101) == "101"


def test_quotes_commas_and_lines_survive_the_way_out_and_back() -> None:
    rows = [["101", 'Dan "the milk" Dale, Dairy'], ["102", "two\nlines"]]
    text = "".join(csv_lines(["number", "user"], iter(rows)))
    assert list(csv.reader(text.splitlines(keepends=True))) == [["number", "user"], *rows]


def test_a_long_table_is_written_line_by_line() -> None:
    lines = csv_lines(["number"], ([number] for number in range(10**9)))
    assert [next(lines), next(lines)] == ["number\r\n", "0\r\n"]
