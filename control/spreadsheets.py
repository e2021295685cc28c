"""What leaves as CSV: a cell that a spreadsheet would run as a formula is defused."""

import csv
from collections.abc import Iterable, Iterator
from io import StringIO
from itertools import chain

# Spreadsheets also take the full-width forms for a formula, and skip blanks before any of them.
_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")


def csv_cell(value: object) -> str:
    """A value as the text of one cell; a leading apostrophe keeps a formula from being one."""
    text = "" if value is None else str(value)
    if text.lstrip().startswith(_FORMULA) or text.startswith(("\t", "\r", "\n")):
        return "'" + text
    return text


def csv_lines(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> Iterator[str]:
    """A table as CSV (RFC 4180), line by line, so that a long one can be streamed."""
    page = StringIO()
    writer = csv.writer(page)
    for row in chain((columns,), rows):
        writer.writerow([csv_cell(value) for value in row])
        yield page.getvalue()
        page.seek(0)
        page.truncate()
