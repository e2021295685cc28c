"""Extension lists as people have them: FreePBX's bulk-handler export and 3CX's export, read line by line.

Nothing here knows the database. A line is either a `Row` or a `Fault` that says why it is not one; a file
that cannot be a list at all is `NotAList`. Columns other than number, name and address (passwords, PINs) are
dropped as soon as their line is split, and no sentence repeats them.
"""

import csv
import re
import unicodedata
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path
from typing import BinaryIO, TextIO

from tenants.refusals import Invalid
from tenants.text import NAME_LENGTH, email_address

# Marks a sentence for translation; it is translated where it is shown.
N_ = str

LARGEST_FILE = 50 * 1024 * 1024  # bytes; about 80,000 lines of a full FreePBX export
LONGEST_LINE = 100_000  # characters
LONGEST_RECORD = 100  # lines that one record may span by line breaks inside quotes
MOST_RECORDS = 250_000  # the numbers seen so far are kept in memory, to name duplicates
HEAD_LINES = 20  # the header stands in these
CHUNK = 1024 * 1024


class Reason(Enum):
    """Why a line is refused, as a sentence for the person who made the list."""

    COLUMNS = N_("This line has more or fewer cells than the header.")
    QUOTES = N_("A quotation mark on this line is not closed, or stands in the middle of a cell.")
    UNREADABLE = N_("This cell holds characters that cannot be read in the file's encoding.")
    NUMBER_MISSING = N_("There is no extension number.")
    NUMBER_DAMAGED = N_("A spreadsheet has changed this number; make the column text and export again.")
    NUMBER = N_("An extension number is 1 to 20 digits.")
    DUPLICATE = N_("This number already stands on an earlier line.")
    FORMULA = N_("This cell looks like a formula.")
    INVISIBLE = N_("This cell holds an invisible character.")
    DIRECTION = N_("This cell holds characters that turn the reading direction.")
    NAME_LONG = N_("A name has at most 200 characters.")
    EMAIL = N_("This is not an e-mail address.")
    EMAILS = N_("There are several addresses in this cell; an extension has one user.")

    @property
    def sentence(self) -> str:
        """The English sentence, which is also its key for translation."""
        return self.value


@dataclass(frozen=True, slots=True)
class Row:
    """One extension of the list. `line` is where its record starts; `email` is as we compare it."""

    line: int
    number: str
    name: str | None
    email: str | None


@dataclass(frozen=True, slots=True)
class Fault:
    """A line that is refused. `detail` is what was found there, shortened and safe to print."""

    line: int
    number: str | None
    why: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class Dialect:
    """One telephone system's names for the columns we keep, as `plain` writes them."""

    name: str
    number: str
    names: tuple[str, ...]  # joined by a space
    emails: tuple[str, ...]  # the first that is filled in counts


DIALECTS = (
    Dialect("freepbx", number="extension", names=("name",), emails=("email", "voicemailemail")),
    Dialect("3cx", number="number", names=("firstname", "lastname"), emails=("emailaddress",)),
)


@dataclass(frozen=True, slots=True)
class ListFormat:
    """What a file turned out to be. Positions count from 0; `lines` is for a progress bar."""

    dialect: str
    encoding: str
    delimiter: str
    header: tuple[str, ...]
    header_line: int
    number: int
    names: tuple[int, ...]
    emails: tuple[int, ...]
    lines: int


class NotAList(Invalid):
    """The file as a whole cannot be read. `template` % `values` is its sentence, for translation."""

    def __init__(self, template: str, **values: str | int) -> None:
        super().__init__(template % values, field="file", rule="list")
        self.template = template
        self.values = values


def detect(path: Path) -> ListFormat:
    """What the file is and where its columns stand. Raises NotAList."""
    with _opened(path) as file:
        return _format(file, _survey(file))


def read_extension_list(path: Path) -> Iterator[Row | Fault]:
    """Every line of the list in its order, blank ones left out. Holds one record at a time.

    Raises NotAList, at the first step or, for a line or list that is too long, when it is reached.
    """
    with _opened(path) as file:
        fmt = _format(file, _survey(file))
        file.seek(0)
        first_lines: dict[str, int] = {}
        with _text(file, fmt.encoding) as text:
            for count, (line, cells) in enumerate(_records(text, fmt.delimiter)):
                if count > MOST_RECORDS:
                    raise NotAList(N_("The list has more than %(most)d lines."), most=MOST_RECORDS)
                if line > fmt.header_line and not (cells is not None and _is_blank(cells)):
                    yield _judge(fmt, line, cells, first_lines)


# The file as bytes: can it be a list, and in which encoding?


@dataclass(frozen=True, slots=True)
class _Survey:
    encoding: str
    lines: int


_OTHER_KINDS = (
    (b"PK\x03\x04", N_("This is a workbook or an archive; save it as CSV first.")),
    (b"\xd0\xcf\x11\xe0", N_("This is an Excel workbook; save it as CSV first.")),
    (b"%PDF", N_("This is a PDF; export the list as CSV.")),
    (b"\x1f\x8b", N_("This file is compressed; unpack it first.")),
)
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\r")) + b"\x7f"


def _opened(path: Path) -> BinaryIO:
    try:
        file = path.open("rb")
        # A pipe can be read once only, and the survey comes before the reading.
        return file if file.seekable() else BytesIO(file.read(LARGEST_FILE + 1))
    except (OSError, ValueError) as error:
        raise NotAList(N_("The file cannot be opened: %(name)s."), name=_shown(path.name)) from error


def _survey(file: BinaryIO) -> _Survey:
    """One pass over the bytes, which leaves nothing behind but the encoding and the number of lines."""
    size = lines = readable = unreadable = 0
    head = b""
    while chunk := file.read(CHUNK):
        chunk += file.readline(LONGEST_LINE)
        head = head or chunk[:4096]
        size += len(chunk)
        if size > LARGEST_FILE:
            raise NotAList(N_("The file is larger than %(most)d MB."), most=LARGEST_FILE // 1024**2)
        lines += max(chunk.count(b"\n"), chunk.count(b"\r"))
        if not chunk.isascii():
            good, bad = _utf8_lines(chunk)
            readable += good
            unreadable += bad
    if not size:
        raise NotAList(N_("The file is empty."))
    return _Survey(_encoding(head, readable, unreadable), lines)


def _utf8_lines(chunk: bytes) -> tuple[int, int]:
    """How many lines with accents in them are UTF-8, and how many are not."""
    good = bad = 0
    for line in chunk.splitlines():
        if line.isascii():
            continue
        try:
            line.decode()
            good += 1
        except UnicodeDecodeError:
            bad += 1
    return good, bad


def _encoding(head: bytes, readable: int, unreadable: int) -> str:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    for start, sentence in _OTHER_KINDS:
        if head.startswith(start):
            raise NotAList(sentence)
    if len(head) - len(head.translate(None, _CONTROLS)) > len(head) // 10:
        raise NotAList(N_("This is not a text file; export the list as CSV."))
    if head.startswith(b"\xef\xbb\xbf"):
        return "utf-8-sig"
    # Accented Windows text is hardly ever UTF-8 by accident: a file where most such lines are UTF-8 is
    # UTF-8 with a few damaged lines, which are named one by one.
    return "utf-8" if readable >= unreadable else "cp1252"


def _text(file: BinaryIO, encoding: str) -> TextIOWrapper:
    # What cannot be decoded becomes U+FFFD, and `_judge` names the cells that hold one.
    return TextIOWrapper(file, encoding=encoding, errors="replace", newline="")


# The header: which of the dialects is it, and where are the columns?


def _format(file: BinaryIO, survey: _Survey) -> ListFormat:
    file.seek(0)
    text = _text(file, survey.encoding)
    head = "".join(_bounded(text, number) for number in range(1, HEAD_LINES))
    text.detach()  # or closing it would close the file that is read next
    line, delimiter, header = _header(head)
    plain_header = [plain(cell) for cell in header]
    if "cidnum" in plain_header and "destination" in plain_header:
        raise NotAList(N_("This is FreePBX's list of inbound numbers; export the extensions instead."))
    dialect = _dialect(header, plain_header)
    if dialect is None:
        raise _no_number_column(header)
    kept = (dialect.number, *dialect.names, *dialect.emails)
    for title in kept:
        if plain_header.count(title) > 1:
            raise NotAList(N_("The header names the column %(title)s twice."), title=_quoted(title))
    where = {title: plain_header.index(title) for title in kept if title in plain_header}
    return ListFormat(
        dialect=dialect.name,
        encoding=survey.encoding,
        delimiter=delimiter,
        header=tuple(header),
        header_line=line,
        number=where[dialect.number],
        names=tuple(where[title] for title in dialect.names if title in where),
        emails=tuple(where[title] for title in dialect.emails if title in where),
        lines=survey.lines,
    )


def plain(title: str) -> str:
    """A column's title without case, spaces and marks: `E-Mail Address` is `emailaddress`."""
    return "".join(letter for letter in title.casefold() if letter.isalnum())


def _header(head: str) -> tuple[int, str, list[str]]:
    """The first line that is not blank, split as the delimiter that finds the most of our columns has it."""
    named = re.match(r"\s*sep=([,;\t])\s*[\r\n]", head)  # what Excel writes to name the delimiter
    best: tuple[int, int, str, list[str]] | None = None
    for delimiter in named.group(1) if named else ",;\t":
        for line, cells in _records(StringIO(head, newline=""), delimiter):
            if cells is None:
                break
            if _is_blank(cells) or (named and "sep=" in cells[0]):
                continue
            while not cells[-1].strip():
                cells.pop()
            found = _known_columns([plain(cell) for cell in cells])
            if best is None or (found, len(cells)) > (best[0], len(best[3])):
                best = (found, line, delimiter, cells)
            break
    if best is None:
        raise NotAList(N_("The file has no header line."))
    return best[1:]


def _known_columns(plain_header: list[str]) -> int:
    known = {title for d in DIALECTS for title in (d.number, *d.names, *d.emails)}
    return len(known.intersection(plain_header))


def _dialect(header: list[str], plain_header: list[str]) -> Dialect | None:
    matching = [dialect for dialect in DIALECTS if dialect.number in plain_header]
    return max(
        matching,
        key=lambda d: sum(title in plain_header for title in (*d.names, *d.emails)),
        default=None,
    )


def _no_number_column(header: list[str]) -> NotAList:
    if any(cell.strip().isdigit() or "@" in cell for cell in header):
        # The first line is somebody's data, perhaps with a password in it: it is not repeated.
        return NotAList(N_("The first line is not a header; it must name the columns, as FreePBX and 3CX export them."))
    seen = ", ".join(_quoted(cell) for cell in header[:12]) + (", …" if len(header) > 12 else "")
    return NotAList(
        N_(
            "There is no column of extension numbers: the header names %(seen)s;"
            " FreePBX calls it “extension”, 3CX “Number”."
        ),
        seen=seen,
    )


# The file as records, with the line on which each starts.


class _Lines:
    """Physical lines for the CSV reader, so that those that a broken record swallowed can be read again."""

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self._returned: deque[str] = deque()
        self._taken: list[str] = []
        self.first = 1  # the line on which the record being read starts

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        if len(self._taken) == LONGEST_RECORD:
            raise csv.Error("a record of too many lines")
        number = self.first + len(self._taken)
        line = self._returned.popleft() if self._returned else _bounded(self._text, number)
        if not line:
            raise StopIteration
        self._taken.append(line)
        return line

    def next_record(self) -> None:
        self.first += len(self._taken)
        self._taken.clear()

    def give_back(self) -> None:
        """All lines of the broken record but its first."""
        self._returned.extendleft(reversed(self._taken[1:]))
        del self._taken[1:]


def _bounded(text: TextIO, number: int) -> str:
    line = text.readline(LONGEST_LINE + 1)
    if len(line) > LONGEST_LINE:
        raise NotAList(N_("Line %(line)d is longer than %(most)d characters."), line=number, most=LONGEST_LINE)
    return line


def _records(text: TextIO, delimiter: str) -> Iterator[tuple[int, list[str] | None]]:
    """Each record with the line it starts on; None for one with broken quotes, which ends with its line."""
    lines = _Lines(text)
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)
    while True:
        cells: list[str] | None
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            cells = None
            lines.give_back()
        yield lines.first, cells
        lines.next_record()


def _is_blank(cells: list[str]) -> bool:
    return not any(cell.strip() for cell in cells)


# One record: a Row, or the first thing that is wrong with it.


class _Refused(Exception):
    def __init__(self, why: Reason, detail: str = "") -> None:
        super().__init__(why)
        self.why = why
        self.detail = detail


def _judge(fmt: ListFormat, line: int, cells: list[str] | None, first_lines: dict[str, int]) -> Row | Fault:
    number: str | None = None
    try:
        if cells is None:
            raise _Refused(Reason.QUOTES)
        width = len(fmt.header)
        if len(cells) < width or not _is_blank(cells[width:]):
            # Which cell is which is unknown, so none is repeated: one may be a password.
            raise _Refused(Reason.COLUMNS, f"{len(cells)} / {width}")
        number = _number(cells[fmt.number])
        first = first_lines.setdefault(number, line)
        if first != line:
            raise _Refused(Reason.DUPLICATE, str(first))
        name = _name([cells[at] for at in fmt.names])
        email = _email([cells[at] for at in fmt.emails])
    except _Refused as refused:
        return Fault(line, number, refused.why, refused.detail)
    return Row(line, number, name, email)


_DAMAGED = re.compile(r"'[0-9]+|[0-9]+[.,][0-9]+|[0-9](?:[.,][0-9]+)?[Ee]\+?[0-9]+")


def _number(cell: str) -> str:
    _refuse_unreadable(cell)
    number = cell.strip()
    if not number:
        raise _Refused(Reason.NUMBER_MISSING)
    if number[0] in _FORMULA_STARTS:
        raise _Refused(Reason.FORMULA, _shown(number))
    if _DAMAGED.fullmatch(number):
        raise _Refused(Reason.NUMBER_DAMAGED, _shown(number))
    if not re.fullmatch(r"[0-9]{1,20}", number):
        raise _Refused(Reason.NUMBER, _shown(number))
    return number


def _name(cells: list[str]) -> str | None:
    parts = []
    for cell in cells:
        _refuse_unreadable(cell)
        part = " ".join(unicodedata.normalize("NFC", cell).split())
        if _is_formula(part):
            raise _Refused(Reason.FORMULA, _shown(part))
        if part:
            parts.append(part)
    name = " ".join(parts)
    if len(name) > NAME_LENGTH:
        raise _Refused(Reason.NAME_LONG, str(len(name)))
    return name or None


_FORMULA_STARTS = "=+@-＝＋＠－"


def _is_formula(part: str) -> bool:
    """Would a spreadsheet that opens our exports run this? A dash before plain words is just a dash."""
    if part.startswith(("-", "－")):
        return re.search(r"[=+@|!()&*/\d]", part) is not None
    return part != "" and part[0] in _FORMULA_STARTS


def _email(cells: list[str]) -> str | None:
    for cell in cells:
        _refuse_unreadable(cell)
    cell = next((cell.strip() for cell in cells if cell.strip()), "")
    if not cell:
        return None
    if cell[0] in _FORMULA_STARTS:
        raise _Refused(Reason.FORMULA, _shown(cell))
    parts = [part for part in re.split(r"[\s,;|&]+", cell) if part]
    if len(parts) > 1 and all("@" in part for part in parts):
        raise _Refused(Reason.EMAILS, _shown(cell))
    try:
        return email_address(cell)
    except Invalid as invalid:
        raise _Refused(Reason.EMAIL, _shown(cell)) from invalid


_TURNING = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")
# The joiners that some scripts are written with stay.
_HIDDEN = re.compile("[\u200b\u2060-\u2064\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]")


def _refuse_unreadable(cell: str) -> None:
    if cell.isascii() and cell.isprintable():
        return
    if "\ufffd" in cell:
        raise _Refused(Reason.UNREADABLE, _shown(cell))
    if _TURNING.search(cell):
        raise _Refused(Reason.DIRECTION, _shown(cell))
    hidden = any(unicodedata.category(letter) in ("Cc", "Cs") for letter in cell if letter not in "\t\r\n")
    if hidden or _HIDDEN.search(cell):
        raise _Refused(Reason.INVISIBLE, _shown(cell))


def _shown(text: str) -> str:
    """Shortened, and with whatever a terminal or a page could trip over written out."""
    short = text if len(text) <= 60 else text[:59] + "…"
    return "".join(letter if letter.isprintable() else f"\\u{ord(letter):04x}" for letter in short)


def _quoted(title: str) -> str:
    return f"“{_shown(title.strip())}”"
