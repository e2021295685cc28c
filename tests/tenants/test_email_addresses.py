"""Addresses: one spelling for each mailbox, and nothing that could pass for somebody else's."""

import pytest

from tenants.refusals import Invalid
from tenants.text import email_address


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("  Bea@BAKERY.example ", "bea@bakery.example"),
        ("Ａｄａ@acme.example", "ada@acme.example"),
        ("ada@acme。example", "ada@acme.example"),
        ("a.b+c@shop.bakery.example", "a.b+c@shop.bakery.example"),
        ("info@bücher.example", "info@xn--bcher-kva.example"),
        ("info@xn--bcher-kva.example", "info@xn--bcher-kva.example"),
        ("用户@例子.广告", "用户@xn--fsqu00a.xn--4rr70v"),
        ("たなか太郎@shop.example", "たなか太郎@shop.example"),
    ],
)
def test_one_mailbox_is_kept_in_one_spelling(typed: str, kept: str) -> None:
    assert email_address(typed) == kept
    assert email_address(kept) == kept


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "bea",
        "bea@bakery",
        "bea@@bakery.example",
        "be a@bakery.example",
        ".bea@bakery.example",
        "be..a@bakery.example",
        "bea@bakery..example",
        "bea@-bakery.example",
        "bea@10.0.0.1",
        "bea@bakery.example\r\nBcc: eve@evil.example",
        "be\x01a@bakery.example",
        "be\u200ba@bakery.example",
        "\u202ebea@bakery.example",
        '"bea"@bakery.example',
        "b" * 65 + "@bakery.example",
        "bea@" + "b." * 130 + "example",
        "b" * 10_000 + "@bakery.example",
        "😀@" * 5_000,
    ],
)
def test_what_is_no_address_is_refused(typed: str) -> None:
    with pytest.raises(Invalid) as refused:
        email_address(typed)
    assert refused.value.field == "email"


@pytest.mark.parametrize("typed", ["оlaf@oak.example", "οlaf@oak.example", "ol\u0430f@oak.example"])
def test_olaf_in_letters_of_two_alphabets_is_not_olaf(typed: str) -> None:
    with pytest.raises(Invalid, match="mixes alphabets"):
        email_address(typed)


def test_a_look_alike_domain_shows_what_it_is() -> None:
    assert email_address("olaf@o\u0430k.example") == "olaf@xn--ok-7kc.example"
