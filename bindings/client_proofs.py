"""How a client shows by a key of its own that it is itself: `private_key_jwt` (RFC 7523, OIDC Core section 9)."""

import warnings
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from joserfc import jwt
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import Key, import_key

from bindings.clients import Credentials, Rejected, no_such_client, plain
from bindings.keys import read_header
from bindings.public_keys import ALGORITHMS, MOST_KEYS
from bindings.seen_proofs import ASSERTION, LONGEST, first_seen
from bindings.tokens import Issuer
from tenants.records import Json

JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LIVES = timedelta(minutes=5)
CLOCKS = timedelta(seconds=60)
"""How far another's clock may be from ours."""

# Whose client id it is, an app's or a service account's: the two never share one.
_KEYS = sa.text(
    "SELECT jwks FROM apps WHERE client_id = :client AND discarded_at IS NULL "
    "UNION ALL SELECT jwks FROM service_accounts WHERE client_id = :client AND discarded_at IS NULL"
).columns(jwks=Json)


@dataclass(frozen=True, slots=True)
class Signed:
    """A JWT of somebody else's that one of their keys signed: what it says."""

    claims: dict[str, Any]
    header: dict[str, Any]


async def by_assertion(issuer: Issuer, fields: Mapping[str, str], endpoint: str, now: datetime) -> Credentials:
    """The credentials of a client whose assertion is good here and now, for once. Raises Rejected."""
    if fields.get("client_assertion_type") != JWT_BEARER:
        raise Rejected("invalid_request", f"The client_assertion_type is {JWT_BEARER}.")
    assertion = fields.get("client_assertion", "")
    client_id = fields.get("client_id") or _named_in(assertion)
    if not client_id or not plain(client_id):
        raise no_such_client()
    async with issuer.store.hot.connect() as connection:
        keys = (await connection.execute(_KEYS, {"client": client_id})).scalar_one_or_none()
    signed = signed_by(keys or {}, assertion)
    until = _good_until(signed, client_id, {issuer.url, f"{issuer.url}/oauth/token", endpoint}, now)
    if signed is None or until is None:
        raise no_such_client()
    if not await first_seen(issuer.store, ASSERTION, client_id, signed.claims["jti"], until, now):
        raise no_such_client()
    return Credentials(client_id, None, by_key=True)


def signed_by(jwks: Mapping[str, Any], token: str) -> Signed | None:
    """What a token says that one of these public keys signed, with an algorithm that we take; None for any other."""
    header = read_header(token)
    if header.get("alg") not in ALGORITHMS or "b64" in header or "crit" in header:
        return None
    for jwk in jwks.get("keys", [])[:MOST_KEYS]:
        # A key that was registered without an id is tried for every id: its signature decides.
        if "kid" in jwk and header.get("kid") not in (None, jwk["kid"]):
            continue
        if jwk.get("alg") not in (None, header["alg"]):
            continue
        try:
            return verified(import_key(dict(jwk)), token, str(header["alg"]))
        except (JoseError, ValueError, TypeError):
            continue
    return None


def verified(key: Key, token: str, alg: str) -> Signed:
    """A token whose signature by this key holds. Raises JoseError or ValueError for any other."""
    with warnings.catch_warnings():
        # The old name of Ed25519 is safe; the library says only that there is a newer one.
        warnings.simplefilter("ignore", SecurityWarning)
        read = jwt.decode(token, key, algorithms=[alg])
    return Signed(dict(read.claims), dict(read.header))


def time_of(value: Any) -> datetime | None:
    """A NumericDate (RFC 7519 section 2); None for what is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 10**11:
        return None
    return datetime.fromtimestamp(value, UTC)


def _named_in(assertion: str) -> str | None:
    """Who it says that it is of, before anything is believed: only to find the keys to check it by."""
    said = read_header(assertion.partition(".")[2]).get("sub")
    return said if isinstance(said, str) else None


def _good_until(signed: Signed | None, client_id: str, here: Collection[str], now: datetime) -> datetime | None:
    """Until when it would be good: it is the client's, for us, young, and has a name of its own."""
    if signed is None:
        return None
    said = signed.claims
    until, not_before, made = time_of(said.get("exp")), said.get("nbf"), said.get("iat")
    audience = said.get("aud")
    named = audience if isinstance(audience, list) else [audience]
    jti = said.get("jti")
    if (said.get("iss"), said.get("sub")) != (client_id, client_id) or not any(each in here for each in named):
        return None
    if until is None or not now < until <= now + LIVES + CLOCKS:
        return None
    if any(each is not None and (time_of(each) or until) > now + CLOCKS for each in (not_before, made)):
        return None
    return until if isinstance(jti, str) and 0 < len(jti) <= LONGEST else None
