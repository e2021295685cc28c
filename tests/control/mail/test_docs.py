"""What docs/letters.md says is so: its settings are taken, its kinds are all there, its pauses are ours."""

import re
from pathlib import Path

import pytest

from control.mail.server import MailServer, NoServer
from control.settings import Settings, Unusable
from tenants.letters import LAST_TRY, LEASE, PAUSES, LetterKind

TEXT = (Path(__file__).parents[3] / "docs" / "letters.md").read_text(encoding="utf-8")
TOLD = " ".join(TEXT.split())


@pytest.mark.parametrize("url", re.findall(r"`(smtps?://[^`]+)`", TEXT))
def test_each_setting_of_the_page_is_taken(url: str) -> None:
    server = MailServer.read(url)
    assert server.tls or server.starttls or server.host == "localhost"
    assert server.user in {"panel@voip.example", None}


@pytest.mark.parametrize("kind", LetterKind)
def test_each_kind_of_letter_has_its_line(kind: LetterKind) -> None:
    assert f"| `{kind.value}` |" in TEXT


def test_the_pauses_are_those_we_make() -> None:
    assert [pause.total_seconds() / 60 for pause in PAUSES] == [1, 5, 15, 60, 240, 480, 720, 1440]
    assert "after 1, 5 and 15 minutes, 1, 4, 8, 12 and 24 hours" in TOLD
    assert (LAST_TRY.total_seconds(), LEASE.total_seconds()) == (600, 900)
    assert "ten minutes before" in TOLD
    assert "sent again after 15 minutes" in TOLD


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://mail.voip.example", "looks like smtp://"),
        ("smtp://", "looks like smtp://"),
        ("smtp://mail.voip.example:99999", "port"),
        ("smtp://mail.voip.example?tls=yes", "with 0 or 1"),
        ("smtp://mail.voip.example?verfy=0", "with 0 or 1"),
        ("smtp://mail.voip.example?verify=0", "this machine alone"),
        ("smtp://panel@mail.voip.example", "needs a password"),
        ("smtp://panel:hush@mail.voip.example?starttls=0", "in the clear"),
    ],
)
def test_a_server_that_would_not_be_private_or_is_none_stops_the_start(tmp_path: Path, url: str, why: str) -> None:
    with pytest.raises(NoServer):
        MailServer.read(url)
    with pytest.raises(Unusable, match=why) as refused:
        Settings.load({"UNDERSTUDY_DATA_DIR": str(tmp_path), "UNDERSTUDY_SMTP_URL": url})
    assert "hush" not in str(refused.value)


@pytest.mark.parametrize(
    ("given", "sender"),
    [
        ({}, "no-reply@localhost"),
        ({"PUBLIC_URL": "https://panel.voip.example"}, "no-reply@panel.voip.example"),
        ({"PUBLIC_URL": "http://127.0.0.1:8000"}, "no-reply@localhost"),
        ({"SMTP_URL": "smtps://panel%40voip.example:x@mail.voip.example"}, "panel@voip.example"),
        ({"SMTP_URL": "smtps://panel:x@mail.voip.example"}, "no-reply@localhost"),
        ({"SMTP_URL": "smtps://p%40voip.example:x@m.example", "MAIL_FROM": "us@voip.example"}, "us@voip.example"),
    ],
)
def test_whose_address_letters_come_from(tmp_path: Path, given: dict[str, str], sender: str) -> None:
    named = {f"UNDERSTUDY_{name}": value for name, value in given.items()}
    assert Settings.load({"UNDERSTUDY_DATA_DIR": str(tmp_path), **named}).sender_address == sender


@pytest.mark.parametrize("address", ["panel", "panel@voip.example\r\nBcc: x@y.example", "Panel <panel@voip.example>"])
def test_a_sender_that_is_no_address_stops_the_start(tmp_path: Path, address: str) -> None:
    with pytest.raises(Unusable, match="UNDERSTUDY_MAIL_FROM"):
        Settings.load({"UNDERSTUDY_DATA_DIR": str(tmp_path), "UNDERSTUDY_MAIL_FROM": address})
