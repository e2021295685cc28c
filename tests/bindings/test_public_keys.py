"""Public keys that an app may register: good ones alone, and nothing that should have stayed with the app."""

import json
from typing import Any

import pytest
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from bindings.public_keys import MOST_KEYS, checked_keys, read_keys
from tenants.refusals import Invalid

KEY = ECKey.generate_key("P-256", {"kid": "one"})
SMALL = "s-DIQ2KdXFBIAqLyoCpBkFkSxQJRLXwCxh_Yq0GfpBDyc2wmUNGrSNBhzvQZqzF8xFIJ0lSzRHUcNVkAIrGNVWUfmqUyGB0xhEJyGUf7VCc"


def public(*keys: Any) -> dict[str, Any]:
    return {"keys": [key.as_dict(private=False) for key in keys]}


def test_what_is_good_is_kept_and_the_rest_of_it_left_behind() -> None:
    good = public(KEY, RSAKey.generate_key(2048), OKPKey.generate_key("Ed25519"))
    assert checked_keys(good) == good
    more = {**good["keys"][0], "alg": "ES256", "use": "sig"}
    assert checked_keys({"keys": [{**more, "x5c": ["MIIB"], "note": "x" * 999}], "name": "ours"}) == {"keys": [more]}


@pytest.mark.parametrize("jwks", [None, [], {}, {"keys": []}, {"keys": ["x"]}, {"keys": [{"kty": "EC"}]}, {"keys": 7}])
def test_what_is_no_key_set_is_refused(jwks: Any) -> None:
    with pytest.raises(Invalid):
        checked_keys(jwks)


@pytest.mark.parametrize("key", [KEY, OctKey.generate_key(256), RSAKey.generate_key(2048)])
def test_a_private_half_or_a_shared_secret_is_refused_by_name(key: Any) -> None:
    with pytest.raises(Invalid, match="private key"):
        checked_keys({"keys": [key.as_dict(private=True)]})


@pytest.mark.parametrize(
    "jwk",
    [
        {"kty": "RSA", "n": SMALL, "e": "AQAB"},
        {**RSAKey.generate_key(2048).as_dict(private=False), "e": "AQ"},
        ECKey.generate_key("P-384").as_dict(private=False),
        ECKey.generate_key("secp256k1").as_dict(private=False),
        OKPKey.generate_key("X25519").as_dict(private=False),
        {**KEY.as_dict(private=False), "use": "enc"},
        {**KEY.as_dict(private=False), "alg": "RS256"},
        {**KEY.as_dict(private=False), "alg": "none"},
        {**KEY.as_dict(private=False), "kid": 7},
        {**KEY.as_dict(private=False), "kid": "x" * 201},
        {**KEY.as_dict(private=False), "x": KEY.as_dict(private=False)["y"]},
    ],
)
def test_a_key_that_is_weak_or_for_something_else_is_refused(jwk: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as refused:
        checked_keys({"keys": [jwk]})
    assert refused.value.field == "jwks"


def test_too_many_keys_and_two_of_one_name_are_refused() -> None:
    key = KEY.as_dict(private=False)
    with pytest.raises(Invalid, match="same id"):
        checked_keys({"keys": [key, key]})
    nameless = {name: value for name, value in key.items() if name != "kid"}
    assert len(checked_keys({"keys": [nameless] * MOST_KEYS})["keys"]) == MOST_KEYS
    with pytest.raises(Invalid):
        checked_keys({"keys": [nameless] * (MOST_KEYS + 1)})


def test_a_key_alone_is_read_as_a_set_of_one() -> None:
    key = KEY.as_dict(private=False)
    assert read_keys(json.dumps(key)) == {"keys": [key]}
    assert read_keys(json.dumps(public(KEY))) == public(KEY)
    for text in ("", "x", "[" * 9000, json.dumps(key) + " " * 20_000):
        with pytest.raises(Invalid):
            read_keys(text)
