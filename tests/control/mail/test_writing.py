"""A letter as it goes out: in the reader's language, under the tenant's brand, and never with a second header."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.policy import default
from email.utils import parseaddr
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control.mail.colours import brand_colour
from control.mail.headers import LONGEST_NAME, LONGEST_SUBJECT, POLICY, mailbox, one_line, put_headers, subject
from control.mail.writing import Paper, write
from control.words import PSEUDO
from tenants.brands import Brand
from tenants.letters import LISTS, REQUIRED, WELCOME, Letter, LetterKind, WrongWords
from tenants.people import User
from tenants.tree import find_tenant
from tests.cast import NOW, house_work
from tests.control.mail.conftest import PANEL, WORDS, Outbox
from tests.control.mail.post_office import PostOffice, part
from tests.control.test_words import plain_texts

OAK = Paper(Brand("Oak Telecom", 30, "help@oak.example"), PANEL, "panel.voip.example", "no-reply@voip.example")
ONE_DATABASE = pytest.mark.parametrize("backend", ["sqlite"])
ALL = {**WORDS, "reason": "a call that nobody hears"}


def letter_to(name: str = "Bea Baker", kind: LetterKind = LetterKind.INVITATION, locale: str = "en") -> Letter:
    """A letter that was put a moment ago."""
    return Letter(
        id=7, tenant_id=1, kind=kind.value, address="bea@bakery.example", name=name, locale=locale, created_at=NOW
    )


def written(kind: LetterKind, *, paper: Paper = OAK, locale: str = "en", **words: str) -> EmailMessage:
    """What arrives of a letter with all the words its kind knows."""
    said = {word: ALL[word] for word in REQUIRED[kind] | WELCOME.get(kind, frozenset())} | words
    message: Any = message_from_bytes(
        bytes(write(letter_to(kind=kind, locale=locale), said, paper, NOW)), policy=default
    )
    return message


@pytest.mark.parametrize("kind", LetterKind)
def test_each_kind_says_its_words_in_both_parts(kind: LetterKind) -> None:
    message = written(kind)
    plain, html = part(message, "plain"), part(message, "html")
    said = REQUIRED[kind] - {"role", "until", "what", "cause", *LISTS}
    for word in said:
        assert ALL[word] in " ".join(plain.split()), word
        assert ALL[word] in html, word
    assert message["Subject"]
    assert "Hello Bea Baker," in plain
    assert "help@oak.example" in plain
    assert not re.search(r"\n{3}", plain)
    assert "None" not in plain + html


@pytest.mark.parametrize("kind", LetterKind)
def test_each_kind_does_with_the_least(kind: LetterKind) -> None:
    said = {word: ALL[word] for word in REQUIRED[kind]}
    assert write(letter_to(kind=kind), said, OAK, NOW)["Subject"]


@pytest.mark.parametrize("kind", LetterKind)
def test_each_kind_speaks_the_readers_language(kind: LetterKind) -> None:
    message = written(kind, locale=PSEUDO, what="7", role="8", until="2026-11-28T09:00:00+00:00")
    html = part(message, "html")
    assert f'<html lang="{PSEUDO}"' in html
    body = re.sub(r"<style>.*?</style>", "", html, flags=re.S)
    data = [
        *ALL.values(),
        "Bea Baker",
        "Oak Telecom",
        "help@oak.example",
        f"{PANEL}/account",
        f"{PANEL}/sign-in",
        PANEL,
        "28 Nov 2026, 09:00",
        "Unknown",
        "UTC",
    ]
    for known in sorted(data, key=len, reverse=True):
        body = body.replace(known, "4")
    assert plain_texts(body) == []


class _Loads(HTMLParser):
    """Whatever a mail program would fetch, and where links lead."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in {"src", "background", "srcset", "poster", "data"}:
                self.fetched.append(value or "")
            if name in {"href", "action"}:
                self.links.append(value or "")
        assert tag not in {"script", "form", "iframe", "link", "object"}


@pytest.mark.parametrize("kind", LetterKind)
def test_nothing_is_fetched_but_the_logo_whose_address_is_everybodys(kind: LetterKind) -> None:
    branded = Paper(Brand("Oak", logo="a" * 64), PANEL, "panel.voip.example", "no-reply@voip.example")
    html = _Loads()
    html.feed(part(written(kind, paper=branded), "html"))
    assert html.fetched == [f"{PANEL}/brand/logo/{'a' * 64}.png"]
    assert all(link.startswith(f"{PANEL}/") for link in html.links)


def test_on_plain_http_there_is_no_picture() -> None:
    local = Paper(Brand("Oak", logo="a" * 64), "http://localhost:8000", "localhost", "no-reply@localhost")
    words = {name: value.replace(PANEL, "http://localhost:8000") for name, value in ALL.items()}
    said = {word: words[word] for word in REQUIRED[LetterKind.INVITATION]}
    assert "<img" not in str(write(letter_to(), said, local, NOW))


@pytest.mark.parametrize("link", ["javascript:alert(1)", "https://evil.example/join", f"{PANEL}.evil.example/", PANEL])
def test_a_link_that_leads_elsewhere_is_not_written(link: str) -> None:
    with pytest.raises(WrongWords, match="leads elsewhere"):
        written(LetterKind.PASSWORD_RESET, link=link)


@pytest.mark.parametrize(
    "name",
    [
        "Bea\r\nBcc: everybody@evil.example",
        "Bea\nContent-Type: text/html\n\n<script>alert(1)</script>",
        "\x00\x1b[31mBea\u2028\u2029\u202egnp.exe",
        "<img src=x onerror=alert(1)>",
        '"; DROP TABLE letters; --" <evil@evil.example>',
        "=?utf-8?q?Evil?= <evil@evil.example>",
        "%(link)s {{ link }} {% raw %}",
        "نور الدين",
        "กัญญา ณ อยุธยา",
        "田中 さくら",
        "Ιωάννα Παπαδοπούλου",
        "🧁 Bäckerei & Söhne",
        "x" * 10_000,
        "é" * 10_000,
        "\ud800 alone",
    ],
)
def test_a_name_is_a_name_whatever_stands_in_it(name: str) -> None:
    said = {word: name if word in {"inviter", "tenant"} else ALL[word] for word in REQUIRED[LetterKind.INVITATION]}
    raw = bytes(write(letter_to(name), said, Paper(Brand(name), PANEL, "h.example", "no-reply@voip.example"), NOW))
    message: Any = message_from_bytes(raw, policy=default)
    known = {"From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"}
    assert set(message.keys()) == known
    assert len(message.get_all("To")) == 1
    assert parseaddr(_raw(raw, "From"))[1] == "no-reply@voip.example"
    assert parseaddr(_raw(raw, "To"))[1] == "bea@bakery.example"
    html = _Loads()
    html.feed(part(message, "html"))
    assert html.fetched == []
    assert "<script" not in part(message, "html")
    assert ALL["link"] in part(message, "plain")
    assert len(raw) < 40_000


def _raw(content: bytes, header: str) -> str:
    """A header as the older parser leaves it: the newer one puts a space between two encoded words."""
    return str(message_from_bytes(content)[header])


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=300) | st.text(alphabet='abc ,;:<>"\\()@.é日=?_ \r\n', max_size=200))
def test_any_text_comes_back_from_a_header_as_one_line(text: str) -> None:
    message = EmailMessage(policy=POLICY)
    put_headers(message, {"From": mailbox(text, "a@b.example"), "Subject": subject(text), "X-Last": "1"})
    raw = bytes(message)
    raw.decode("ascii")
    back = message_from_bytes(raw)
    assert back.keys() == ["From", "Subject", "X-Last"]
    name, address = parseaddr(back["From"])
    assert address == "a@b.example"
    assert str(make_header(decode_header(name))) == one_line(text, LONGEST_NAME)
    assert str(make_header(decode_header(back["Subject"]))) == one_line(text, LONGEST_SUBJECT)


def test_white_words_can_be_read_on_every_hue() -> None:
    assert min(_contrast_with_white(brand_colour(hue)) for hue in range(360)) > 4.5


def _contrast_with_white(colour: str) -> float:
    """WCAG 2.2, relative luminance."""

    def channels() -> Iterator[float]:
        for start in (1, 3, 5):
            value = int(colour[start : start + 2], 16) / 255
            yield value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4

    red, green, blue = channels()
    return 1.05 / (0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05)


@ONE_DATABASE
async def test_a_letter_carries_the_brand_of_the_nearest_above(outbox: Outbox, office: PostOffice) -> None:
    async with house_work(outbox.house.store, NOW) as session:
        north = await find_tenant(session, outbox.cast.tenant("North").id)
        await north.change(session, brand_name="North Voice", brand_support="help@north.example", brand_hue=30)
        oak = await find_tenant(session, outbox.cast.tenant("Oak").id)
        await oak.change(session, brand_name="Oak Telecom")
    await outbox.put(tenant="Bakery")
    await outbox.send()
    came = office.one()
    assert came["From"] == "Oak Telecom <no-reply@panel.voip.example>"
    assert came["Reply-To"] == "Oak Telecom <help@north.example>"
    assert brand_colour(30) in part(came, "html")


@ONE_DATABASE
async def test_a_support_contact_that_is_no_address_is_told_and_not_replied_to(
    outbox: Outbox, office: PostOffice
) -> None:
    async with house_work(outbox.house.store, NOW) as session:
        oak = await find_tenant(session, outbox.cast.tenant("Oak").id)
        await oak.change(session, brand_support="+44 20 7946 0000")
    await outbox.put()
    await outbox.send()
    assert office.one()["Reply-To"] is None
    assert "Ask +44 20 7946 0000." in part(office.one(), "plain")


@ONE_DATABASE
async def test_an_end_is_told_in_the_readers_own_zone(outbox: Outbox, office: PostOffice) -> None:
    async with house_work(outbox.house.store, NOW) as session:
        bea = await session.get_one(User, outbox.cast.user("Bea").id)
        await bea.change(session, zone="Asia/Tokyo")
    await outbox.put(LetterKind.PASSWORD_RESET, to="bea@bakery.example", user="Bea", until="2026-11-21T10:00:00+00:00")
    await outbox.send()
    assert "until 21 Nov 2026, 19:00 Tokyo" in " ".join(part(office.one(), "plain").split())


def test_the_date_is_when_it_was_sent_and_the_number_when_it_was_put() -> None:
    later = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
    message = write(letter_to(), {word: ALL[word] for word in REQUIRED[LetterKind.INVITATION]}, OAK, later)
    assert message["Date"] == "Sun, 22 Nov 2026 10:00:00 +0000"
    assert message["Message-ID"] == f"<letter-7-{int(NOW.timestamp())}@panel.voip.example>"
