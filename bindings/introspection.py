"""Introspection (RFC 7662) and userinfo: what a token is worth now. Straight, one statement, and nothing is written."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from bindings.claims import access_token_claims, claims_of
from bindings.clients import Credentials, Rejected, confidential, no_such_client
from bindings.dpop import Shown, require_holder
from bindings.standing import ACCESS, REFRESH, Client, Held, Spell, Standing, by_token
from bindings.tokens import ACCESS_TYPE, Issuer
from tenants.credentials import digest

INACTIVE: dict[str, Any] = {"active": False}
"""All that is said of a token that is not the app's own, not good any more, or no token at all."""


async def introspect(
    issuer: Issuer, credentials: Credentials, fields: Mapping[str, str], now: datetime
) -> dict[str, Any]:
    """What one of its own tokens is worth to an app. Raises Rejected for a client that does not prove itself."""
    token = fields.get("token")
    if token is None:
        raise Rejected("invalid_request", "The token is missing.")
    said = await read_access_token(issuer, token, now) if "." in token else None
    kind, hashed = (ACCESS, said["jti"]) if said else (REFRESH, digest(token))
    async with issuer.store.hot.connect() as connection:
        standing = credentials.prove(await by_token(connection, credentials.client_id, kind, hashed, now))
    if not confidential(standing.client):
        raise no_such_client()
    held, spell = standing.held, standing.spell
    if held is None or spell is None or not standing.active(now) or not _agrees(said, standing.client, spell):
        return INACTIVE
    scheme = "Bearer" if held.jkt is None else "DPoP"
    return {"active": True, "token_type": scheme if kind == ACCESS else "refresh_token"} | _claims(
        issuer, standing, held, spell, jti=hashed if kind == ACCESS else None
    )


async def userinfo(issuer: Issuer, token: Shown, now: datetime) -> dict[str, Any]:
    """The claims of the login that an access token stands for (OIDC Core section 5.3). Raises Rejected."""
    standing = await standing_of(issuer, token, now)
    if standing.held is None or standing.spell is None or "openid" not in standing.held.scope.split():
        raise no_good_token()
    return claims_of(standing.spell.facts, standing.held.scope) | {"sid": standing.spell.facts.sid}


async def standing_of(issuer: Issuer, shown: Shown, now: datetime) -> Standing:
    """How the login of an access token stands. Raises Rejected unless the token is good now."""
    said = await read_access_token(issuer, shown.token, now)
    if said is None:
        raise no_good_token()
    async with issuer.store.hot.connect() as connection:
        standing = await by_token(connection, said["client_id"], ACCESS, said["jti"], now)
    if standing is None or standing.spell is None or not standing.active(now):
        raise no_good_token()
    if not _agrees(said, standing.client, standing.spell) or standing.held is None:
        raise no_good_token()
    await require_holder(issuer, shown, standing.held.jkt, now)
    return standing


async def read_access_token(issuer: Issuer, token: str, now: datetime) -> dict[str, Any] | None:
    """What an access token of ours says, when signature, type, issuer and time are right; None otherwise."""
    said = await issuer.keys.verify(token, now, ACCESS_TYPE)
    if said is None or said.get("iss") != issuer.url or said.get("aud") != said.get("client_id"):
        return None
    until, jti = said.get("exp"), said.get("jti")
    if not isinstance(until, int) or now.timestamp() >= until or not isinstance(jti, str):
        return None
    return said if isinstance(said.get("client_id"), str) else None


def no_good_token() -> Rejected:
    """The one answer to every bearer that is not good (RFC 6750 section 3.1)."""
    return Rejected("invalid_token", "The access token is not valid any more.", 401)


def _agrees(said: Mapping[str, Any] | None, client: Client, spell: Spell) -> bool:
    """The token speaks of the very app and people that its row does: within one login they never change."""
    if said is None:
        return True
    facts = spell.facts
    act = said.get("act")
    acting = act.get("sub") if isinstance(act, dict) else None
    actor = str(facts.actor_id) if facts.stand_in is not None else None
    told = (said.get("client_id"), said.get("sid"), said.get("sub"), acting)
    return told == (client.client_id, facts.sid, str(facts.subject_id), actor)


def _claims(issuer: Issuer, standing: Standing, held: Held, spell: Spell, *, jti: str | None) -> dict[str, Any]:
    claims = access_token_claims(
        spell.facts,
        issuer=issuer.url,
        client_id=standing.client.client_id,
        scope=held.scope,
        now=held.created_at,
        until=held.expires_at,
        jti=jti or "",
        jkt=held.jkt,
    )
    return claims if jti else {name: value for name, value in claims.items() if name != "jti"}
