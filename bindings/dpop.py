"""DPoP (RFC 9449): a token that only the holder of a key can use, who shows so with a fresh proof at each request."""

import hashlib
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from joserfc.errors import JoseError
from joserfc.jwk import Key, import_key

from bindings.client_proofs import CLOCKS, Signed, time_of, verified
from bindings.clients import Rejected
from bindings.keys import read_header
from bindings.public_keys import ALGORITHMS
from bindings.seen_proofs import DPOP, LONGEST, first_seen
from bindings.tokens import Issuer

TYPE = "dpop+jwt"
SCHEME = "DPoP"
BEARER = "Bearer"


@dataclass(frozen=True, slots=True)
class Shown:
    """An access token as it came: with what scheme, by what request, and the proof beside it."""

    token: str
    scheme: str
    method: str
    url: str
    proof: str | None = None

    @property
    def bound(self) -> bool:
        """Whether it was shown as one that is bound to a key."""
        return self.scheme == SCHEME


async def key_of(
    issuer: Issuer, proof: str, method: str, url: str, now: datetime, access_token: str | None = None
) -> str:
    """The thumbprint (RFC 7638) of the key that this proof shows, for this very request and once. Raises Rejected."""
    key, signed = _read(proof)
    said, thumbprint = signed.claims, key.thumbprint()
    made, jti = time_of(said.get("iat")), said.get("jti")
    if said.get("htm") != method or not _same(said.get("htu"), url):
        raise bad_proof("The DPoP proof is for another request.")
    if made is None or abs(now - made) > CLOCKS:
        raise bad_proof("The DPoP proof is too old, or of a clock that is wrong.")
    if not isinstance(jti, str) or not 0 < len(jti) <= LONGEST:
        raise bad_proof("The DPoP proof has no jti.")
    if access_token is not None and said.get("ath") != hash_of(access_token):
        raise bad_proof("The DPoP proof is for another token.")
    if not await first_seen(issuer.store, DPOP, thumbprint, jti, made + CLOCKS, now):
        raise bad_proof("The DPoP proof was used already.")
    return thumbprint


async def require_holder(issuer: Issuer, shown: Shown, jkt: str | None, now: datetime) -> None:
    """A bound token is shown with its key's proof, and no other one is. Raises Rejected."""
    if jkt is None and not shown.bound:
        return
    if jkt is None or not shown.bound:
        raise Rejected("invalid_token", "The token was shown by another scheme than it was given for.", 401)
    if shown.proof is None:
        raise bad_proof("The DPoP proof is missing.", 401)
    try:
        thumbprint = await key_of(issuer, shown.proof, shown.method, shown.url, now, shown.token)
    except Rejected as rejected:
        raise bad_proof(rejected.sentence, 401) from None
    if thumbprint != jkt:
        raise Rejected("invalid_token", "The token is bound to another key.", 401)


def hash_of(access_token: str) -> str:
    """What a proof says of the token that it goes with (`ath`, section 4.2)."""
    return urlsafe_b64encode(hashlib.sha256(access_token.encode()).digest()).rstrip(b"=").decode()


def bad_proof(sentence: str, status: int = 400) -> Rejected:
    """The proof will not do (section 5)."""
    return Rejected("invalid_dpop_proof", sentence, status)


def _read(proof: str) -> tuple[Key, Signed]:
    """The key in the header, and what it signed. A private half, or a key of both sides, is no proof."""
    header: dict[str, Any] = read_header(proof)
    alg, jwk = header.get("alg"), header.get("jwk")
    if str(header.get("typ", "")).lower() != TYPE or alg not in ALGORITHMS or not isinstance(jwk, dict):
        raise bad_proof(f"A DPoP proof has typ {TYPE}, a public jwk, and an alg of {', '.join(ALGORITHMS)}.")
    try:
        key = import_key(dict(jwk))
        if key.key_type == "oct" or key.is_private:
            raise bad_proof("The DPoP proof shows a key that nobody may see.")
        return key, verified(key, proof, alg)
    except (JoseError, ValueError, TypeError):
        raise bad_proof("The DPoP proof cannot be read.") from None


def _same(claimed: Any, url: str) -> bool:
    """Without query and fragment, and scheme and host in any letters (section 4.3)."""
    if not isinstance(claimed, str):
        return False
    try:
        one, other = urlsplit(claimed), urlsplit(url)
    except ValueError:
        return False
    return (one.scheme.lower(), one.netloc.lower(), one.path) == (other.scheme, other.netloc.lower(), other.path)
