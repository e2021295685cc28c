"""What the token endpoint gives: tokens for a code, and new tokens for a refresh token (RFC 6749 sections 4.1.3, 6).

Each grant reads once (client, code or token, login, claims and the guard's facts), judges, signs, and only then
opens the short transaction in which the database decides who was first. A refusal that must leave a mark (replay,
wrong verifier, a login that no longer holds) commits its own small one.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bindings.binding import Binding
from bindings.clients import Credentials, Rejected, confidential
from bindings.codes import AUTHORIZATION, HANDOFF, consume
from bindings.impersonation import Impersonation
from bindings.logout import end_login
from bindings.oauth import check_redemption, require_no_resource, scope_within
from bindings.standing import REFRESH, Client, Held, Issued, Spell, Standing, by_code, by_token
from bindings.tokens import Issuer, consume_refresh, mint, revoke_token, store_tokens
from tenants.actor import Origin
from tenants.credentials import digest
from tenants.verbs import Verb

HANDOFF_GRANT = "urn:understudy:handoff"
"""The grant that opens an impersonation at an app."""
NOTED_EVERY = timedelta(hours=1)
"""How often a refresh is noted as a use of its binding."""

_used = Binding.__table__
_NOTE_USE = sa.update(_used).where(_used.c.id == sa.bindparam("binding")).values(last_used_at=sa.bindparam("now"))

_stands = Impersonation.__table__
_NOTE_OPENED = sa.update(_stands).where(_stands.c.id == sa.bindparam("stand")).values(seen_at=sa.bindparam("now"))


async def redeem(
    issuer: Issuer, credentials: Credentials, fields: Mapping[str, str], now: datetime, origin: Origin
) -> dict[str, Any]:
    """Tokens for an authorization code. Raises Rejected."""
    secret = fields.get("code")
    if secret is None:
        raise Rejected("invalid_request", "The code is missing.")
    require_no_resource(fields)
    async with issuer.store.hot.connect() as connection:
        found = await by_code(connection, credentials.client_id, AUTHORIZATION, digest(secret), now)
    standing = credentials.prove(found)
    held, spell, issued = standing.held, standing.spell, standing.issued
    if held is None or spell is None or issued is None:
        raise _no_such_code()
    if held.consumed_at is not None:
        raise await _replayed(issuer, spell, Verb.CODE_REPLAYED, now, origin)
    if not held.live(now):
        raise _no_such_code()
    try:
        check_redemption(standing.client, issued, fields)
        _require_named_key(credentials, issued)
    except Rejected:
        # Whoever guesses at the verifier, or has the code and not the key, gets one guess.
        await _burn(issuer, secret, standing, now)
        raise
    await _require_holding(issuer, spell, now, origin)
    minted = await mint(
        issuer,
        standing.client,
        spell,
        now,
        scope=held.scope,
        refresh_scope=None if spell.stand else held.scope,
        nonce=issued.nonce,
        jkt=credentials.jkt,
    )
    async with issuer.store.writer.begin() as connection:
        if await consume(connection, secret, AUTHORIZATION, standing.client.id, now):
            await store_tokens(connection, minted)
            return minted.answer
    raise await _replayed(issuer, spell, Verb.CODE_REPLAYED, now, origin)


async def take_over(
    issuer: Issuer,
    credentials: Credentials,
    fields: Mapping[str, str],
    now: datetime,
    origin: Origin,
    asked_from: str | None,
) -> dict[str, Any]:
    """The access token for a hand-off: how an impersonation is opened at an app, once. Raises Rejected.

    It is bound to the client and, where a browser asks, to the origin that it was made for. There is no refresh token.
    One that comes again, by whoever may hold it, ends what it opened, like a code that does.
    """
    secret = fields.get("handoff")
    if secret is None:
        raise Rejected("invalid_request", "The handoff is missing.")
    require_no_resource(fields)
    async with issuer.store.hot.connect() as connection:
        found = await by_code(connection, credentials.client_id, HANDOFF, digest(secret), now)
    standing = credentials.prove(found)
    held, spell, issued = standing.held, standing.spell, standing.issued
    if held is None or spell is None or issued is None or spell.stand is None:
        raise _no_such_handoff()
    if asked_from is not None and asked_from != issued.redirect_uri:
        raise _no_such_handoff()
    if held.consumed_at is not None:
        await _replayed(issuer, spell, Verb.CODE_REPLAYED, now, origin)
        raise _no_such_handoff()
    if not held.live(now) or spell.over(now) is not None:
        raise _no_such_handoff()
    minted = await mint(issuer, standing.client, spell, now, scope=held.scope, refresh_scope=None, jkt=credentials.jkt)
    async with issuer.store.writer.begin() as connection:
        if await consume(connection, secret, HANDOFF, standing.client.id, now):
            await store_tokens(connection, minted)
            await connection.execute(_NOTE_OPENED, {"stand": spell.stand.id, "now": now})
            return minted.answer
    await _replayed(issuer, spell, Verb.CODE_REPLAYED, now, origin)
    raise _no_such_handoff()


async def refresh(
    issuer: Issuer, credentials: Credentials, fields: Mapping[str, str], now: datetime, origin: Origin
) -> dict[str, Any]:
    """New tokens for a refresh token, which is used up. The login, the people and the guard are asked again."""
    secret = fields.get("refresh_token")
    if secret is None:
        raise Rejected("invalid_request", "The refresh_token is missing.")
    require_no_resource(fields)
    standing = credentials.prove(await _held(issuer, credentials, secret, now))
    held, spell = standing.held, standing.spell
    if held is None or spell is None or spell.stand is not None:
        # An impersonation is never refreshed, not even by a row that somebody put there.
        raise _no_such_token()
    if held.consumed_at is not None:
        raise await _replayed(issuer, spell, Verb.TOKEN_REPLAYED, now, origin)
    if not held.live(now):
        raise _no_such_token()
    scope = scope_within(fields.get("scope"), held.scope)
    _require_key(credentials, standing.client, held)
    await _require_holding(issuer, spell, now, origin)
    minted = await mint(issuer, standing.client, spell, now, scope=scope, refresh_scope=held.scope, jkt=credentials.jkt)
    async with issuer.store.writer.begin() as connection:
        if await consume_refresh(connection, secret, now):
            await store_tokens(connection, minted)
            await _note_use(connection, spell, now)
            return minted.answer
    raise await _replayed(issuer, spell, Verb.TOKEN_REPLAYED, now, origin)


async def revoke(
    issuer: Issuer, credentials: Credentials, fields: Mapping[str, str], now: datetime, origin: Origin
) -> None:
    """Give a token back (RFC 7009): a refresh token ends its login, an access token only itself.

    Of an impersonation there is the one access token: with it the login ends.
    A token that is not this client's, or none at all, is nobody's loss: the answer is the same.
    """
    secret = fields.get("token")
    if secret is None:
        raise Rejected("invalid_request", "The token is missing.")
    claims = await issuer.keys.verify(secret, now, "at+jwt") if "." in secret else None
    kind, hashed = ("access", str(claims.get("jti"))) if claims else (REFRESH, digest(secret))
    async with issuer.store.hot.connect() as connection:
        found = await by_token(connection, credentials.client_id, kind, hashed, now)
    standing = credentials.prove(found)
    if standing.held is None or standing.spell is None:
        return
    if kind == REFRESH or standing.spell.stand is not None:
        await end_login(issuer.store, standing.spell.facts.sid, "revoked", now, origin=origin)
        return
    async with issuer.store.writer.begin() as connection:
        await revoke_token(connection, standing.held.id, now)


async def _held(issuer: Issuer, credentials: Credentials, secret: str, now: datetime) -> Standing | None:
    async with issuer.store.hot.connect() as connection:
        return await by_token(connection, credentials.client_id, REFRESH, digest(secret), now)


def _require_key(credentials: Credentials, client: Client, held: Held) -> None:
    """What is bound to a key stays so; where the app has no secret, to that very key (RFC 9449 section 5)."""
    if held.jkt is None:
        return
    if credentials.jkt is None:
        raise Rejected("invalid_dpop_proof", "This refresh token is bound to a key: send a DPoP proof.")
    if not confidential(client) and credentials.jkt != held.jkt:
        raise Rejected("invalid_grant", "This refresh token is bound to another key.")


def _require_named_key(credentials: Credentials, issued: Issued) -> None:
    """A code that was asked for with a key is for its holder alone (RFC 9449 section 10)."""
    if issued.dpop_jkt is None:
        return
    if credentials.jkt is None:
        raise Rejected("invalid_dpop_proof", "This code was asked for with a key: send a DPoP proof of it.")
    if credentials.jkt != issued.dpop_jkt:
        raise Rejected("invalid_grant", "This code was asked for with another key.")


async def _require_holding(issuer: Issuer, spell: Spell, now: datetime, origin: Origin) -> None:
    """A login that no longer holds ends here for good, whatever comes back later."""
    cause = spell.over(now)
    if cause is None:
        return
    await end_login(issuer.store, spell.facts.sid, cause, now, origin=origin)
    raise Rejected("invalid_grant", "This login has ended. Log in again.")


async def _burn(issuer: Issuer, secret: str, standing: Standing, now: datetime) -> None:
    async with issuer.store.writer.begin() as connection:
        await consume(connection, secret, AUTHORIZATION, standing.client.id, now)


async def _replayed(issuer: Issuer, spell: Spell, verb: Verb, now: datetime, origin: Origin) -> Rejected:
    """A secret that was used up came again: somebody else may hold the tokens it gave, so the login ends."""
    await end_login(issuer.store, spell.facts.sid, "replay", now, verb=verb, origin=origin)
    return _no_such_token() if verb is Verb.TOKEN_REPLAYED else _no_such_code()


async def _note_use(connection: AsyncConnection, spell: Spell, now: datetime) -> None:
    bond = spell.bond
    if bond is not None and now - (bond.last_used_at or bond.created_at) > NOTED_EVERY:
        await connection.execute(_NOTE_USE, {"binding": bond.id, "now": now})


def _no_such_code() -> Rejected:
    return Rejected("invalid_grant", "This code is not valid, or was used, or is older than a minute.")


def _no_such_handoff() -> Rejected:
    return Rejected("invalid_grant", "This hand-off is not valid, or was used, or is older than a minute.")


def _no_such_token() -> Rejected:
    return Rejected("invalid_grant", "This refresh token is not valid any more. Log in again.")
