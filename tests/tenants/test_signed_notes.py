"""Signed notes: what others write is read, what is ours reads as they expect, and nothing forged passes."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tenants.merkle import EMPTY
from tenants.signed_notes import Checkpoint, Forged, NoteKey, signed

PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEY = NoteKey("panel.example/trail", PRIVATE.public_key().public_bytes_raw())
SAID = Checkpoint(KEY.name, 5, EMPTY)
NOTE = signed(SAID, KEY, PRIVATE)


def test_a_note_is_text_that_people_can_read() -> None:
    text, _, signature = NOTE.partition("\n\n")
    assert text == "panel.example/trail\n5\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
    assert signature.startswith("— panel.example/trail ")
    assert signature.endswith("=\n")


def test_the_key_of_gos_note_package_is_read() -> None:
    """The verifier key that the documentation of sumdb/note shows, whose id anybody can recompute."""
    key = NoteKey.read("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
    assert (key.name, key.id.hex()) == ("PeterNeumann", "c74f20a3")
    assert str(key) == "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"


def test_what_was_signed_is_read() -> None:
    assert NoteKey.read(str(KEY)) == KEY
    assert KEY.open(NOTE) == SAID


def test_a_witness_may_sign_behind_us() -> None:
    assert KEY.open(f"{NOTE}— witness.example AAAAAAAA\n") == SAID


@pytest.mark.parametrize(
    "note",
    [
        "",
        "\n\n",
        NOTE.replace("\n5\n", "\n6\n"),
        NOTE.replace("47DE", "48DE"),
        NOTE.replace("panel.example/trail\n5", "other.example/trail\n5"),
        NOTE.replace("— panel", "— other"),
        NOTE.replace("— ", "- "),
        NOTE.rstrip("\n"),
        NOTE.partition("\n\n")[0] + "\n\n",
        NOTE.partition("— ")[0] + f"— {KEY.name} not base64\n",
        NOTE.partition("— ")[0] + f"— {KEY.name} AAAA\n",
    ],
)
def test_what_was_changed_is_refused(note: str) -> None:
    with pytest.raises(Forged):
        KEY.open(note)


def test_another_key_of_the_same_name_is_refused() -> None:
    other = Ed25519PrivateKey.from_private_bytes(bytes(32))
    with pytest.raises(Forged):
        NoteKey(KEY.name, other.public_key().public_bytes_raw()).open(NOTE)


@pytest.mark.parametrize("text", ["panel", "panel\n05\n47DE", "panel\n-1\n47DE", "panel\n5\n47DE", "panel\n٣\n47DE"])
def test_a_signed_text_that_is_no_checkpoint_is_refused(text: str) -> None:
    class Told(Checkpoint):
        def __str__(self) -> str:
            return f"{text}\n"

    with pytest.raises(Forged, match="no checkpoint"):
        KEY.open(signed(Told(KEY.name, 1, EMPTY), KEY, PRIVATE))


@pytest.mark.parametrize(
    "text", ["", "panel", str(KEY).replace("+", "-"), str(KEY).replace("panel", "other"), "a+b+c+d"]
)
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(Forged):
        NoteKey.read(text)
