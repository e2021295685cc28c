"""Bakery and its neighbours hand in their extension lists, in every state in which such files arrive."""

import csv
import os
import threading
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tenants import extension_list
from tenants.extension_list import Fault, NotAList, Reason, Row, detect, plain, read_extension_list
from tenants.text import email_address, named

SAMPLES = Path(__file__).parents[1] / "samples"
HEADER = "extension,name,email\n"

Save = Callable[[str | bytes], Path]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    def save(content: str | bytes) -> Path:
        path = tmp_path / "list.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return save


def read(path: Path) -> list[Row | Fault]:
    return list(read_extension_list(path))


def outcome(path: Path) -> list[Row | Fault] | NotAList:
    try:
        return read(path)
    except NotAList as refused:
        return refused


def only_fault(path: Path) -> Fault:
    [fault] = [found for found in read(path) if isinstance(found, Fault)]
    return fault


BEA = Row(2, "201", "Bea", "bea@bakery.example")
BEA_LINE = "201,Bea,bea@bakery.example\n"


# The two systems' exports


def test_a_freepbx_export_is_read_whole() -> None:
    found = read(SAMPLES / "freepbx-20.csv")
    assert len(found) == 20
    assert all(isinstance(row, Row) for row in found)
    assert found[1] == Row(3, "402", "Greta Gläser", "greta@mill.example")
    assert found[9] == Row(11, "410", 'Ned "Nobby" North', "ned@mill.example")
    assert found[16] == Row(18, "417", "Workshop door", None)


def test_a_3cx_export_joins_first_and_last_name() -> None:
    found = read(SAMPLES / "3cx-20.csv")
    assert len(found) == 20
    assert all(isinstance(row, Row) for row in found)
    assert found[0] == Row(2, "000", "Switchboard", None)
    assert found[4] == Row(6, "504", "Dirk van Dijk", "dirk@harbour.example")
    assert found[16] == Row(18, "516", "Crane 2", None)


def test_the_format_is_told_before_the_rows() -> None:
    freepbx, threecx = detect(SAMPLES / "freepbx-20.csv"), detect(SAMPLES / "3cx-20.csv")
    assert (freepbx.dialect, freepbx.encoding, freepbx.delimiter) == ("freepbx", "utf-8", ",")
    assert [freepbx.header[at] for at in (freepbx.number, *freepbx.names, *freepbx.emails)] == [
        "extension",
        "name",
        "voicemail_email",
    ]
    assert threecx.dialect == "3cx"
    assert [threecx.header[at] for at in threecx.names] == ["FirstName", "LastName"]
    assert threecx.lines == 21


def test_the_samples_hold_no_secret() -> None:
    for sample in ("freepbx-20.csv", "3cx-20.csv"):
        header, *lines = (SAMPLES / sample).read_text(encoding="utf-8").splitlines()
        secret = [
            at
            for at, title in enumerate(header.split(","))
            if plain(title) in {"password", "secret", "voicemailvmpwd", "authpassword", "pin", "srvcaccesspwd"}
            or "webpass" in plain(title)
        ]
        assert secret
        rows = list(csv.reader(lines))
        assert not any(row[at] for row in rows for at in secret)


def test_an_email_column_comes_before_the_one_for_voicemail(save: Save) -> None:
    text = "extension,name,voicemail_email,email\n201,Bea,box@bakery.example,bea@bakery.example\n"
    assert read(save(text)) == [BEA]
    text = "extension,name,voicemail_email,email\n201,Bea,bea@bakery.example,\n"
    assert read(save(text)) == [BEA]


def test_a_list_without_names_and_addresses_will_do(save: Save) -> None:
    assert read(save("extension\n201\n0202\n")) == [Row(2, "201", None, None), Row(3, "0202", None, None)]


# Encodings, delimiters, line ends


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_any_encoding_delimiter_and_line_end(save: Save, encoding: str, delimiter: str, end: str) -> None:
    text = f"{HEADER}201,Béa,bea@bakery.example\n202,Ben,\n".replace(",", delimiter).replace("\n", end)
    path = save(text.encode(encoding))
    assert read(path) == [Row(2, "201", "Béa", "bea@bakery.example"), Row(3, "202", "Ben", None)]
    assert detect(path).delimiter == delimiter
    assert detect(path).encoding == encoding


def test_big_endian_utf_16(save: Save) -> None:
    assert read(save(b"\xfe\xff" + (HEADER + BEA_LINE).encode("utf-16-be"))) == [BEA]


def test_excels_line_that_names_the_delimiter(save: Save) -> None:
    assert read(save("sep=;\nextension;name;email\n201;Bea;bea@bakery.example\n")) == [
        Row(3, "201", "Bea", "bea@bakery.example")
    ]


def test_titles_may_differ_in_case_and_spaces(save: Save) -> None:
    assert read(save(" EXTENSION ,Name, E-Mail \n" + BEA_LINE)) == [BEA]
    assert read(save("number;First Name;Last_Name;email address\n201;Bea;;BEA@Bakery.example\n")) == [BEA]


def test_a_damaged_line_in_a_utf_8_file_is_named(save: Save) -> None:
    path = save("extension,name\n201,Béa\n202,Zoë\n".encode() + b"203,Am\xe9lie\n")
    assert only_fault(path) == Fault(4, "203", Reason.UNREADABLE, "Am�lie")
    assert len(read(path)) == 3


def test_a_byte_that_windows_text_does_not_have_is_named(save: Save) -> None:
    fault = only_fault(save(b"extension,name\n201,B\xe9a\n202,B\x81n\n"))
    assert (fault.line, fault.number, fault.why) == (3, "202", Reason.UNREADABLE)


def test_half_a_utf_16_character_at_the_end_is_named(save: Save) -> None:
    fault = only_fault(save("extension,name\n201,Bea".encode("utf-16") + b"x"))
    assert (fault.line, fault.why) == (2, Reason.UNREADABLE)


# Quotes, lines, columns


def test_a_record_is_named_by_the_line_it_starts_on(save: Save) -> None:
    text = HEADER + '201,"Bea\r\nBaker",bea@bakery.example\n\n  \n,,\n202,"Ben, ""the oven""",\nx,,\n'
    assert read(save(text)) == [
        Row(2, "201", "Bea Baker", "bea@bakery.example"),
        Row(7, "202", 'Ben, "the oven"', None),
        Fault(8, None, Reason.NUMBER, "x"),
    ]


def test_a_space_before_a_quote_is_no_matter(save: Save) -> None:
    assert read(save(HEADER + '201, "Bea", "bea@bakery.example"\n')) == [BEA]


def test_an_unclosed_quote_costs_only_its_own_line(save: Save) -> None:
    text = HEADER + '201,"Bea,bea@bakery.example\n202,Ben,\n203,"Amos",\n'
    assert read(save(text)) == [
        Fault(2, None, Reason.QUOTES, ""),
        Row(3, "202", "Ben", None),
        Row(4, "203", "Amos", None),
    ]


def test_a_quote_that_is_never_closed_does_not_swallow_the_list(save: Save) -> None:
    rest = "".join(f"{number},,\n" for number in range(300, 700))
    first, *others = read(save(HEADER + '201,"Bea,\n' + rest))
    assert first == Fault(2, None, Reason.QUOTES, "")
    assert others == [Row(number - 297, str(number), None, None) for number in range(300, 700)]


@pytest.mark.parametrize("line", ["201,Bea", "201,Bea,bea@bakery.example,more", "201"])
def test_a_line_of_the_wrong_width_is_named_and_not_repeated(save: Save, line: str) -> None:
    fault = only_fault(save(f"{HEADER}{line}\n202,Ben,\n"))
    assert fault == Fault(2, None, Reason.COLUMNS, f"{line.count(',') + 1} / 3")


def test_empty_cells_beyond_the_header_are_no_matter(save: Save) -> None:
    assert read(save("extension,name,email,,\n201,Bea,bea@bakery.example,,,\n")) == [BEA]


# Numbers


@pytest.mark.parametrize("number", ["1", "0201", "000", "12345678901234567890", " 201 "])
def test_numbers_are_digits_and_keep_their_zeros(save: Save, number: str) -> None:
    assert read(save(f"extension,name\n{number},Bea\n")) == [Row(2, number.strip(), "Bea", None)]


@pytest.mark.parametrize(
    ("cell", "why"),
    [
        ("", Reason.NUMBER_MISSING),
        ("201.0", Reason.NUMBER_DAMAGED),
        ("2.01E+05", Reason.NUMBER_DAMAGED),
        ("'201", Reason.NUMBER_DAMAGED),
        ('"201,0"', Reason.NUMBER_DAMAGED),
        ('"=""201"""', Reason.FORMULA),
        ('="201"', Reason.FORMULA),
        ("+44201", Reason.FORMULA),
        ("-201", Reason.FORMULA),
        ("20 1", Reason.NUMBER),
        ("*98", Reason.NUMBER),
        ("201a", Reason.NUMBER),
        ("٢٠١", Reason.NUMBER),
        ("1" * 21, Reason.NUMBER),
        ("20\u200b1", Reason.INVISIBLE),
        ("20\x001", Reason.INVISIBLE),
    ],
)
def test_what_is_no_number_is_refused_with_its_reason(save: Save, cell: str, why: Reason) -> None:
    fault = only_fault(save(f"extension,name\n{cell},Bea\n202,Ben\n"))
    assert (fault.line, fault.number, fault.why) == (2, None, why)


def test_the_second_of_two_equal_numbers_names_the_first(save: Save) -> None:
    text = HEADER + BEA_LINE + "202,Ben,\n201,Boris,\n0201,Bruno,\n"
    assert only_fault(save(text)) == Fault(4, "201", Reason.DUPLICATE, "2")


def test_a_refused_line_still_holds_its_number(save: Save) -> None:
    found = read(save(HEADER + "201,=1,\n201,Bea,\n"))
    assert [fault.why for fault in found if isinstance(fault, Fault)] == [Reason.FORMULA, Reason.DUPLICATE]


# Names


@pytest.mark.parametrize(
    ("cell", "name"),
    [
        ("  Bea \t  Baker\xa0", "Bea Baker"),
        ("Be\u0301a", "Béa"),
        ("- Reception -", "- Reception -"),
        ("-Front desk", "-Front desk"),
        ('5" oven', '5" oven'),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("", None),
        ("B" * 200, "B" * 200),
    ],
)
def test_names_are_folded_and_kept(save: Save, cell: str, name: str | None) -> None:
    assert read(save(f"extension,name\n201,{cell}\n")) == [Row(2, "201", name, None)]


@pytest.mark.parametrize(
    ("cell", "why"),
    [
        ("=HYPERLINK(1)", Reason.FORMULA),
        ("@SUM(A1)", Reason.FORMULA),
        ("+Bea", Reason.FORMULA),
        ("-2+3+cmd|' /C calc'!A0", Reason.FORMULA),
        ('"\t=1+1"', Reason.FORMULA),
        ('"\r=1+1"', Reason.FORMULA),
        ("＝1+1", Reason.FORMULA),
        ("Bea\x07", Reason.INVISIBLE),
        ("Bea\x00", Reason.INVISIBLE),
        ("Bea\x1b[31m", Reason.INVISIBLE),
        ("B\u200bea", Reason.INVISIBLE),
        ("Bea\u202eelpxe", Reason.DIRECTION),
        ("Bea\u2066x", Reason.DIRECTION),
        ("Bea\u200f", Reason.DIRECTION),
        ("B�a", Reason.UNREADABLE),
        ("B" * 201, Reason.NAME_LONG),
    ],
)
def test_what_is_no_name_is_refused_with_its_reason(save: Save, cell: str, why: Reason) -> None:
    fault = only_fault(save(f"extension,name\n201,{cell}\n202,Ben\n"))
    assert (fault.line, fault.number, fault.why) == (2, "201", why)
    assert fault.detail.isprintable()
    assert len(fault.detail) < 100


def test_a_formula_in_the_last_name_alone_is_found(save: Save) -> None:
    assert only_fault(save("Number,FirstName,LastName\n201,Bea,=1\n")).why is Reason.FORMULA


# Addresses


@pytest.mark.parametrize(
    ("cell", "email"),
    [
        ("", None),
        ("  ", None),
        (" Bea@Bakery.Example ", "bea@bakery.example"),
        ("bea+phones@front.bakery.example", "bea+phones@front.bakery.example"),
        ("o'bea@bakery.example", "o'bea@bakery.example"),
        ("bea@xn--bckerei-5wa.example", "bea@xn--bckerei-5wa.example"),
    ],
)
def test_addresses_are_kept_in_small_letters(save: Save, cell: str, email: str | None) -> None:
    assert read(save(f"{HEADER}201,Bea,{cell}\n")) == [Row(2, "201", "Bea", email)]


@pytest.mark.parametrize(
    ("cell", "why"),
    [
        ('"bea@bakery.example,ben@bakery.example"', Reason.EMAILS),
        ("bea@bakery.example; ben@bakery.example", Reason.EMAILS),
        ("bea@bakery.example|ben@bakery.example", Reason.EMAILS),
        ("bea@ben@bakery.example", Reason.EMAIL),
        ("bea", Reason.EMAIL),
        ("bea@bakery", Reason.EMAIL),
        ("bea@.example", Reason.EMAIL),
        ("be a@bakery.example", Reason.EMAIL),
        ("Bea <bea@bakery.example>", Reason.EMAIL),
        ("bea@-bakery.example", Reason.EMAIL),
        ("bea@" + "bakery." * 40 + "example", Reason.EMAIL),
        ("=bea@bakery.example", Reason.FORMULA),
        ("bea@bakery.example\x00", Reason.INVISIBLE),
    ],
)
def test_what_is_no_address_is_refused_with_its_reason(save: Save, cell: str, why: Reason) -> None:
    fault = only_fault(save(f"{HEADER}201,Bea,{cell}\n202,Ben,\n"))
    assert (fault.line, fault.number, fault.why) == (2, "201", why)


# Files that are no list


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"\n\n  \n", "no header"),
        (b"\xef\xbb\xbf", "no header"),
        (b"PK\x03\x04" + bytes(100), "save it as CSV"),
        (b"\xd0\xcf\x11\xe0" + bytes(100), "save it as CSV"),
        (b"\x1f\x8b\x08" + bytes(100), "unpack"),
        (bytes(range(256)) * 20, "not a text file"),
        ("extension,name\n201,Bea\n".encode("utf-16-le"), "not a text file"),
        (b"cidnum,extension,destination,description\n,442055,x,y\n", "inbound numbers"),
        (b"extension,name,Extension\n201,Bea,202\n", "“extension” twice"),
        (b"extension,E-Mail,email\n201,,\n", "“email” twice"),
        (b'"extension,name\n201,Bea\n', "no header"),
    ],
)
def test_a_file_that_is_no_list_says_why_in_one_sentence(save: Save, content: bytes, says: str) -> None:
    for reading in (detect, read):
        with pytest.raises(NotAList) as refused:
            reading(save(content))
        assert says in refused.value.sentence
        assert refused.value.status == 422


def test_without_a_number_column_the_columns_are_named(save: Save) -> None:
    with pytest.raises(NotAList, match="“user”, “fullname”; FreePBX calls it “extension”, 3CX “Number”"):
        read(save("user;fullname\n201;Bea\n"))


def test_without_a_header_the_first_line_is_not_repeated(save: Save) -> None:
    with pytest.raises(NotAList, match="not a header") as refused:
        read(save("201,hunter2,Bea\n202,hunter3,Ben\n"))
    assert "hunter" not in refused.value.sentence


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(NotAList, match=r"cannot be opened: (none\.csv|test_)"):
            read(path)


def test_sizes_have_ends(save: Save, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotAList, match="Line 3 is longer than 100000"):
        read(save(HEADER + BEA_LINE + "202," + "B" * 100_001))
    monkeypatch.setattr(extension_list, "MOST_RECORDS", 2)
    with pytest.raises(NotAList, match="more than 2 lines"):
        read(save("extension\n201\n202\n203\n"))
    monkeypatch.setattr(extension_list, "LARGEST_FILE", 1024**2)
    with pytest.raises(NotAList, match="larger than 1 MB"):
        read(save("extension\n" + "201\n" * 300_000))


def test_a_pipe_is_read_like_a_file(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=(HEADER + BEA_LINE,))
    writer.start()
    assert read(pipe) == [BEA]
    writer.join()


# What holds for every list


def test_fifty_thousand_lines_are_never_held_at_once(save: Save) -> None:
    wide = "," * 60
    path = save(
        f"extension,secret,name,email{wide}\n"
        + "".join(f"{number},hunter2,Bea {number},bea{number}@bakery.example{wide}\n" for number in range(50_000))
    )
    tracemalloc.start()
    try:
        rows = sum(isinstance(found, Row) for found in read_extension_list(path))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert rows == 50_000
    assert peak < 20 * 1024**2  # bytes; the file is 6 MB, and most of the peak is the numbers seen


def test_a_secret_reaches_neither_rows_nor_faults(save: Save) -> None:
    lines = ["201,hunter2,Bea,", "202,hunter2", "203,hunter2,=Ben,", 'hunter2,"Amos', "203,hunter2,,x"]
    found = read(save("extension,secret,name,email\n" + "\n".join(lines) + "\n"))
    assert len(found) == 5
    assert "hunter2" not in repr([each for each in found if each.line != 5])


@pytest.fixture(scope="module")
def one_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lists") / "any.csv"


@settings(deadline=None)  # a busy machine is no fault of the reader
@given(st.binary(max_size=400))
@example(b'extension\n"')
@example(b"\xff\xfe")
def test_no_bytes_bring_the_reader_down(one_path: Path, content: bytes) -> None:
    one_path.write_bytes(content)
    found = outcome(one_path)
    if isinstance(found, NotAList):
        assert found.sentence.endswith(".")
    else:
        assert all(isinstance(each, Row | Fault) for each in found)


@settings(deadline=None)
@given(st.binary(max_size=200), st.sampled_from(["utf-8", "utf-16", "cp1252"]))
def test_no_bytes_after_a_header_bring_the_reader_down(one_path: Path, rest: bytes, encoding: str) -> None:
    one_path.write_bytes("extension;name;email\n".encode(encoding) + rest)
    found = outcome(one_path)
    if isinstance(found, NotAList):
        assert "text file" in found.sentence
    else:
        assert [each.line for each in found] == sorted({each.line for each in found})


CELLS = st.text(st.characters(exclude_characters='\r\n",', exclude_categories=["Cs"]), max_size=12)
NUMBERS = st.from_regex(r"[0-9]{1,4}", fullmatch=True) | CELLS
ADDRESSES = st.emails() | CELLS.map(lambda local: f"{local}@bakery.example") | CELLS


@settings(deadline=None)
@given(st.lists(st.tuples(NUMBERS, CELLS, ADDRESSES), max_size=12))
def test_each_line_is_a_row_or_a_fault_and_says_nothing_unsafe(
    one_path: Path, lines: list[tuple[str, str, str]]
) -> None:
    text = HEADER + "".join(",".join(cells) + "\n" for cells in lines)
    one_path.write_bytes(text.encode("utf-8-sig"))
    expected = [line for line, cells in enumerate(lines, 2) if "".join(cells).strip()]
    found = outcome(one_path)
    if isinstance(found, NotAList):
        assert "text file" in found.sentence
        return
    assert [each.line for each in found] == expected
    for each in found:
        if isinstance(each, Row):
            assert each.number.isdigit()
            assert each.name is None or (each.name == named(each.name) and each.name[0] not in "=+@")
            assert each.email is None or each.email == email_address(each.email)
        else:
            assert each.detail.isprintable()
