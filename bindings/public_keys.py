"""Public keys that an app may register to prove itself by (RFC 7517), and which of them are good enough."""

import json
import warnings
from typing import Any

from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import import_key

from tenants.refusals import Invalid

ALGORITHMS = ("ES256", "RS256", "EdDSA", "Ed25519")
"""What somebody else's key may sign with. EdDSA is what most libraries still call Ed25519 (RFC 9864)."""
MOST_KEYS = 10
LONGEST = 20_000
"""Characters of a key set that somebody pastes."""
LONGEST_NAME = 200
"""Characters of a key's id."""
BITS = range(2048, 8193)
"""How long the modulus of an RSA key may be: shorter ones are weak, longer ones cost too much at each request."""

_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_KEPT = frozenset({"kty", "crv", "x", "y", "n", "e", "kid", "alg", "use"})


def read_keys(text: str) -> Any:
    """What somebody pasted: a key set, or one key alone, which is a set of one. Raises Invalid for what is no JSON."""
    if len(text) > LONGEST:
        raise Invalid(f"A key set has at most {LONGEST} characters.", field="jwks")
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        raise Invalid("This is no JSON.", field="jwks") from None
    return {"keys": [said]} if isinstance(said, dict) and "kty" in said else said


def checked_keys(jwks: Any) -> dict[str, Any]:
    """Public keys that an app may be registered with, without whatever else was sent along. Raises Invalid."""
    found = jwks.get("keys") if isinstance(jwks, dict) else None
    if not isinstance(found, list) or not 1 <= len(found) <= MOST_KEYS:
        raise Invalid(f"A key set has 1 to {MOST_KEYS} keys.", field="jwks")
    kept = [_checked(each) for each in found]
    names = [each["kid"] for each in kept if "kid" in each]
    if len(names) != len(set(names)):
        raise Invalid("Two keys of this set have the same id.", field="jwks")
    return {"keys": kept}


def _checked(jwk: Any) -> dict[str, Any]:
    if not isinstance(jwk, dict):
        raise _unreadable()
    if not _PRIVATE.isdisjoint(jwk):
        raise Invalid("This holds a private key. Give the public halves alone, and make a new pair.", field="jwks")
    name = jwk.get("kid")
    if name is not None and not (isinstance(name, str) and 0 < len(name) <= LONGEST_NAME and name.isprintable()):
        raise _unreadable()
    good = _algorithms(jwk)
    if not good or jwk.get("alg", good[0]) not in good or jwk.get("use", "sig") != "sig":
        raise Invalid("A key is one to sign with: EC P-256, RSA of 2048 to 8192 bits, or Ed25519.", field="jwks")
    return {member: value for member, value in jwk.items() if member in _KEPT}


def _algorithms(jwk: dict[str, Any]) -> tuple[str, ...]:
    """What this key can sign with, of what we take; nothing for a key that is weak or of another kind."""
    try:
        with warnings.catch_warnings():
            # A weak key is refused below, in a sentence.
            warnings.simplefilter("ignore", SecurityWarning)
            key = import_key(dict(jwk))
        if key.is_private:
            return ()
        size = getattr(key.raw_value, "key_size", 0)
    except (JoseError, ValueError, TypeError, AttributeError):
        raise _unreadable() from None
    if key.key_type == "RSA":
        return ("RS256",) if size in BITS else ()
    return {"P-256": ("ES256",), "Ed25519": ("EdDSA", "Ed25519")}.get(str(getattr(key, "curve_name", "")), ())


def _unreadable() -> Invalid:
    return Invalid("A key of this set cannot be read.", field="jwks")
