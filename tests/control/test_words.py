"""The panel speaks the reader's language, and nothing in a template was left out of it."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from jinja2 import nodes

from control.words import PSEUDO, languages, locale_of, stretch, words
from tests.control.shell import TEMPLATES, Banner, Reader, environment, impersonating, page, typed_text

GERMAN = """
msgid ""
msgstr "Content-Type: text/plain; charset=UTF-8\\nPlural-Forms: nplurals=2; plural=(n != 1);\\n"

msgid "Sign out"
msgstr "Abmelden"

msgid "%(num)d user"
msgid_plural "%(num)d users"
msgstr[0] "%(num)d Person"
msgstr[1] "%(num)d Personen"
"""
ALL_TEMPLATES = sorted(path.relative_to(TEMPLATES).as_posix() for path in TEMPLATES.rglob("*.html"))
# The product's name is the same in every language; a macro may write an attribute by itself.
KEPT = re.compile(r'Understudy|\b[a-z-]+="[^"]*"')
SPOKEN = ("alt", "aria-label", "label", "placeholder", "title")


def catalogue(folder: Path, name: str, text: str) -> Path:
    messages = folder / name / "LC_MESSAGES"
    messages.mkdir(parents=True)
    (messages / "understudy.po").write_text(text, encoding="utf-8")
    return folder


def test_a_catalogue_is_read_as_its_translator_wrote_it(tmp_path: Path) -> None:
    folder = catalogue(tmp_path, "de", GERMAN)
    german = words("de", folder)
    assert german.gettext("Sign out") == "Abmelden"
    assert german.ngettext("%(num)d user", "%(num)d users", 2) == "%(num)d Personen"
    assert words("de-AT", folder).gettext("Sign out") == "Abmelden"
    assert languages(folder) == ["en", "de"]


def test_a_language_without_a_catalogue_is_english(tmp_path: Path) -> None:
    assert words("fr", tmp_path).gettext("Sign out") == "Sign out"


@pytest.mark.parametrize("name", ["../de", "..", "", "de/../de", "\0"])
def test_a_language_is_never_a_way_into_another_folder(tmp_path: Path, name: str) -> None:
    catalogue(tmp_path, "de", GERMAN)
    inner = tmp_path / "locale"
    inner.mkdir()
    assert words(name, inner).gettext("Sign out") == "Sign out"


@pytest.mark.parametrize("name", ["en", "xx-nowhere", "", "../.."])
def test_dates_are_british_where_no_other_language_is_known(name: str) -> None:
    assert str(locale_of(name)) == "en_GB"


def test_the_made_up_language_is_longer_and_keeps_what_a_translator_keeps() -> None:
    spoken = stretch('Your app logins open as <b class="x">%(name)s</b>, 100 %% of {count}.')
    assert '<b class="x">%(name)s</b>' in spoken
    assert "100 %%" in spoken
    assert "{count}" in spoken
    assert "logins" not in spoken
    assert len(stretch("Remove binding")) >= len("Remove binding") * 1.4


def test_the_made_up_language_counts_in_the_plural_too() -> None:
    assert words(PSEUDO).ngettext("one user", "many users", 1) == stretch("one user")
    assert words(PSEUDO).ngettext("one user", "many users", 2) == stretch("many users")


def plain_texts(html: str) -> list[str]:
    """The texts and spoken attributes of a page that hold two plain letters in a row."""
    reader = _Texts()
    reader.feed(html)
    return [text for text in reader.found if _is_plain(text)]


class _Texts(HTMLParser):
    """Collects what a person would read or hear."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if name in SPOKEN or name.startswith("data-warn")]

    def handle_data(self, data: str) -> None:
        self.found.append(data)


def _is_plain(text: str) -> bool:
    return re.search(r"[A-Za-z]{2}", KEPT.sub("", text)) is not None


@pytest.mark.parametrize("name", ALL_TEMPLATES)
def test_no_template_holds_text_outside_gettext(name: str) -> None:
    assert plain_texts(typed_text(TEMPLATES / name)) == []


@pytest.mark.parametrize("name", ALL_TEMPLATES)
def test_no_template_hands_plain_prose_to_a_macro(name: str) -> None:
    tree = environment().parse((TEMPLATES / name).read_text(encoding="utf-8"))
    translated = {
        id(constant)
        for call in tree.find_all(nodes.Call)
        if isinstance(call.node, nodes.Name) and call.node.name in ("_", "gettext", "ngettext", "pgettext")
        for constant in call.find_all(nodes.Const)
    }
    prose = [
        constant.value
        for constant in tree.find_all(nodes.Const)
        if isinstance(constant.value, str)
        and id(constant) not in translated
        and re.match(r"[A-Z][a-z]", constant.value)
        and constant.value != "Understudy"
    ]
    assert prose == []


@pytest.mark.parametrize("name", ALL_TEMPLATES)
def test_every_import_brings_the_readers_language_along(name: str) -> None:
    source = (TEMPLATES / name).read_text(encoding="utf-8")
    imports = re.findall(r"{%-? *(?:from|import) .*?%}", source)
    assert [line for line in imports if "with context" not in line] == []


def test_the_catcher_catches() -> None:
    assert plain_texts("<p>Hard-coded</p>") == ["Hard-coded"]
    assert plain_texts('<a aria-label="Close">\ue000</a>') == ["Close"]
    assert plain_texts(f"<p>{stretch('Translated')}</p><b>Understudy</b>") == []


@pytest.mark.parametrize("bar", [None, Banner(), Banner(stale_reason="3"), impersonating()])
def test_the_whole_frame_speaks_the_made_up_language(bar: Banner | None) -> None:
    data = ("Pia Pine", "pia@pine.example", "Pine", "Admin", "Dan Dale", "dan@dairy.example", "Dairy")
    html = page(me=Reader(locale=PSEUDO), banner=bar)
    for name in sorted(data, key=len, reverse=True):
        html = html.replace(name, "4")
    assert plain_texts(html) == []


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 413, 422, 429, 500, 503])
def test_an_error_page_speaks_it_too(status: int) -> None:
    html = page("{% extends 'error.html' %}", me=Reader("1", "2", "3", "4", locale=PSEUDO), nav=[], status=status)
    assert plain_texts(html) == []
