"""Tokens of a login: refresh tokens by their hash, access tokens by their `jti`. The row is the truth."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import Mapped, mapped_column

from bindings.claims import access_token_claims, id_token_claims
from bindings.clients import Rejected
from bindings.impersonation import LONGEST as IMPERSONATED_AT_MOST
from bindings.keys import ALGORITHMS, KeyRing, at_hash
from bindings.login import LONGEST
from bindings.standing import ACCESS, REFRESH, Client, Spell
from tenants.credentials import digest, new_secret
from tenants.records import Number, Record
from tenants.store import Store

ACCESS_LIVES = timedelta(minutes=10)
REFRESH_LIVES = timedelta(days=30)
ACCESS_TYPE = "at+jwt"


class Token(Record):
    """One token of a login: `kind` is access or refresh. `token_hash` is the hash of the refresh token or the jti."""

    __tablename__ = "tokens"

    kind: Mapped[str] = mapped_column(sa.String(10))
    token_hash: Mapped[str] = mapped_column(sa.String(64), unique=True)
    login_id: Mapped[str] = mapped_column(sa.String(32), sa.ForeignKey("logins.id"))
    app_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("apps.id"))
    scope: Mapped[str] = mapped_column(sa.String(200))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    consumed_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    jkt: Mapped[str | None] = mapped_column(sa.String(64), default=None)


@dataclass(frozen=True)
class Issuer:
    """Who signs: the panel's address, its keys and its database."""

    url: str
    store: Store
    keys: KeyRing


@dataclass(frozen=True, slots=True)
class Minted:
    """Tokens that are signed but not yet given: they are worth nothing until their rows are stored."""

    answer: dict[str, Any]
    rows: list[dict[str, Any]]


async def mint(
    issuer: Issuer,
    client: Client,
    spell: Spell,
    now: datetime,
    *,
    scope: str,
    refresh_scope: str | None,
    nonce: str | None = None,
    jkt: str | None = None,
) -> Minted:
    """Sign what a token answer holds (OIDC Core section 3.1.3.3), before the transaction that stores the rows.

    Without a `refresh_scope` there is no refresh token, and the access token lives to the end of its stand-in.
    With a `jkt` they are bound to that key (RFC 9449). Raises Rejected for an app whose tokens always are.
    """
    if client.dpop and jkt is None:
        raise Rejected("invalid_dpop_proof", "The tokens of this app are bound to a key: send a DPoP proof.")
    # What its owner has taken from it since it asked is given no more.
    scope = " ".join(each for each in scope.split() if each in client.may_ask)
    jti, secret = secrets.token_hex(16), new_secret()
    until = _not_past(now + ACCESS_LIVES, spell)
    if refresh_scope is None and spell.stand is not None:
        # Whatever the row or a clock says: nobody stands in for longer.
        until = min(spell.stand.ends_at, now + IMPERSONATED_AT_MOST)
    told: dict[str, Any] = {
        "issuer": issuer.url,
        "client_id": client.client_id,
        "scope": scope,
        "now": now,
        "until": until,
    }
    signer = await issuer.keys.signer(ALGORITHMS[0], now)
    access = signer.sign(access_token_claims(spell.facts, jti=jti, jkt=jkt, **told), ACCESS_TYPE)
    answer = {
        "access_token": access,
        "token_type": "Bearer" if jkt is None else "DPoP",
        "expires_in": max(0, int((until - now).total_seconds())),
        "scope": scope,
    }
    if refresh_scope is not None:
        answer["refresh_token"] = secret
    if "openid" in scope.split():
        claims = id_token_claims(spell.facts, nonce=nonce, **told) | {"at_hash": at_hash(access)}
        answer["id_token"] = (await issuer.keys.signer(client.id_token_alg, now)).sign(claims)
    shared = {"login_id": spell.facts.sid, "app_id": client.id, "created_at": now, "jkt": jkt}
    rows = [shared | {"kind": ACCESS, "token_hash": jti, "scope": scope, "expires_at": until}]
    if refresh_scope is not None:
        refresh_until = _not_past(now + REFRESH_LIVES, spell)
        kept = {"kind": REFRESH, "token_hash": digest(secret), "scope": refresh_scope, "expires_at": refresh_until}
        rows.append(shared | kept)
    return Minted(answer, rows)


_tokens = Token.__table__
_STORE = sa.insert(_tokens)
_CONSUME = (
    sa.update(_tokens)
    .where(
        _tokens.c.token_hash == sa.bindparam("hash"),
        _tokens.c.kind == REFRESH,
        _tokens.c.consumed_at.is_(None),
        _tokens.c.revoked_at.is_(None),
        _tokens.c.expires_at > sa.bindparam("now"),
    )
    .values(consumed_at=sa.bindparam("now"))
    .returning(_tokens.c.id)
)
_REVOKE = (
    sa.update(_tokens)
    .where(_tokens.c.id == sa.bindparam("token"), _tokens.c.revoked_at.is_(None))
    .values(revoked_at=sa.bindparam("now"))
)


async def store_tokens(connection: AsyncConnection, minted: Minted) -> None:
    """Store the rows: from here on the tokens are good."""
    await connection.execute(_STORE, minted.rows)


async def consume_refresh(connection: AsyncConnection, secret: str, now: datetime) -> bool:
    """Use a refresh token up. True for exactly one of all who try: the database decides."""
    return (await connection.execute(_CONSUME, {"hash": digest(secret), "now": now})).one_or_none() is not None


async def revoke_token(connection: AsyncConnection, token_id: int, now: datetime) -> None:
    """This one token is refused from now on."""
    await connection.execute(_REVOKE, {"token": token_id, "now": now})


def _not_past(moment: datetime, spell: Spell) -> datetime:
    """Nothing outlives the binding it comes from, nor the longest that a login may last."""
    latest = min(moment, spell.begun_at + LONGEST)
    return latest if spell.ends_at is None else min(latest, spell.ends_at)
