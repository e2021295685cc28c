"""Client credentials (RFC 6749 section 4.4): a service account's token for the panel's API, and what such a token is.

It is asked anew at each use: a discarded account, a rotated secret, a membership that ended or a tenant that was closed
ends every token at once, however well it is signed.
"""

import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from bindings.clients import Credentials, Rejected, no_such_client
from bindings.endings import discard_membership
from bindings.keys import ALGORITHMS
from bindings.minting import audience_of_panel
from bindings.seen_proofs import GIVEN_BACK, first_seen, was_seen
from bindings.standing import ACCESS, by_token
from bindings.tokens import ACCESS_LIVES, ACCESS_TYPE, Issuer
from tenants.actor import Actor, Identity
from tenants.credentials import digest
from tenants.identities import live_identities
from tenants.people import find_membership
from tenants.service_accounts import PREFIX, ServiceAccount

GRANT = "client_credentials"
NOTED_EVERY = timedelta(minutes=1)
"""How often the use of one is written down, at most."""

_rows = ServiceAccount.__table__
_BY_CLIENT = sa.select(
    *(getattr(_rows.c, name) for name in ("id", "membership_id", "client_id", "secret_hash", "jwks", "scopes")),
    _rows.c.last_used_at,
).where(_rows.c.client_id == sa.bindparam("client"), _rows.c.discarded_at.is_(None))
_NOTE_USE = sa.update(_rows).where(_rows.c.id == sa.bindparam("account")).values(last_used_at=sa.bindparam("now"))


@dataclass(frozen=True, slots=True)
class Served:
    """Who a service account's token is, as of now."""

    identity: Identity
    scopes: frozenset[str]
    claims: dict[str, Any]
    """What the token says, which its account bears out."""

    @property
    def jkt(self) -> str | None:
        """The key that it is bound to (RFC 9449 section 6)."""
        bound = self.claims.get("cnf")
        return str(bound.get("jkt")) if isinstance(bound, dict) else None


async def client_credentials(
    issuer: Issuer, credentials: Credentials, fields: Mapping[str, str], now: datetime
) -> dict[str, Any]:
    """A token of ten minutes for the panel's API, within the account's scopes. Raises Rejected.

    It is bound to the key whose proof came along (RFC 9449), where one did.
    """
    async with issuer.store.hot.connect() as connection:
        account = await _proven_account(connection, credentials)
        if account is None:
            # An app that proves itself is told that this is not for apps; all others that they are nobody.
            credentials.prove(await by_token(connection, credentials.client_id, ACCESS, "", now))
            raise Rejected("unauthorized_client", "Only a service account has this grant.")
    wanted = {fields[name] for name in ("audience", "resource") if name in fields}
    if wanted - {audience_of_panel(issuer)}:
        raise Rejected("invalid_target", f"These tokens are for {audience_of_panel(issuer)} alone.")
    scope = _scope_within(fields.get("scope"), account.scopes)
    claims = {
        "iss": issuer.url,
        "aud": audience_of_panel(issuer),
        "sub": str(account.membership_id),
        "client_id": account.client_id,
        "scope": scope,
        "iat": int(now.timestamp()),
        "exp": int((now + ACCESS_LIVES).timestamp()),
        "jti": secrets.token_hex(16),
        "gen": _generation(account),
    }
    if credentials.jkt is not None:
        claims["cnf"] = {"jkt": credentials.jkt}
    token = (await issuer.keys.signer(ALGORITHMS[0], now)).sign(claims, ACCESS_TYPE)
    if account.last_used_at is None or now - account.last_used_at > NOTED_EVERY:
        async with issuer.store.writer.begin() as connection:
            await connection.execute(_NOTE_USE, {"account": account.id, "now": now})
    seconds = int(ACCESS_LIVES.total_seconds())
    scheme = "Bearer" if credentials.jkt is None else "DPoP"
    return {"access_token": token, "token_type": scheme, "expires_in": seconds, "scope": scope}


async def served_by(
    issuer: Issuer, connection: AsyncConnection | AsyncSession, token: str, now: datetime
) -> Served | None:
    """Who a bearer of the panel's API is that a service account got; None for any other token, and once it is over."""
    said = await issuer.keys.verify(token, now, ACCESS_TYPE) if token.count(".") == 2 else None
    if said is None or said.get("iss") != issuer.url or said.get("aud") != audience_of_panel(issuer):
        return None
    until, client_id, scope = said.get("exp"), said.get("client_id"), said.get("scope")
    if not isinstance(until, int) or now.timestamp() >= until or "act" in said:
        return None
    if not isinstance(client_id, str) or not isinstance(scope, str):
        return None
    account = (await connection.execute(_BY_CLIENT, {"client": client_id})).one_or_none()
    if account is None or said.get("gen") != _generation(account):
        return None
    if said.get("sub") != str(account.membership_id):
        return None
    if await was_seen(connection, GIVEN_BACK, client_id, str(said.get("jti"))):
        return None
    live = await live_identities(connection, membership_id=account.membership_id)
    scopes = frozenset(scope.split()) & frozenset(account.scopes.split())
    return Served(live[0], scopes, dict(said)) if live else None


async def introspect(
    issuer: Issuer, credentials: Credentials, fields: Mapping[str, str], now: datetime
) -> dict[str, Any] | None:
    """What one of its own tokens is worth to a service account (RFC 7662); None for a client that is no account."""
    known, served = await _shown(issuer, credentials, fields, now)
    if served is None:
        return {"active": False} if known else None
    said = {name: value for name, value in served.claims.items() if name != "gen"}
    return {"active": True, "token_type": "Bearer" if served.jkt is None else "DPoP"} | said


async def give_back(issuer: Issuer, credentials: Credentials, fields: Mapping[str, str], now: datetime) -> bool:
    """Take a token back from a service account (RFC 7009), whatever it is; False for a client that is no account."""
    known, served = await _shown(issuer, credentials, fields, now)
    if served is not None:
        said = served.claims
        until = datetime.fromtimestamp(said["exp"], UTC)
        await first_seen(issuer.store, GIVEN_BACK, str(said["client_id"]), str(said["jti"]), until, now)
    return known


async def _shown(
    issuer: Issuer, credentials: Credentials, fields: Mapping[str, str], now: datetime
) -> tuple[bool, Served | None]:
    """Whether the client is a service account, and the token that it shows when that is its own and good now."""
    if not credentials.client_id.startswith(PREFIX):
        return False, None
    async with issuer.store.hot.connect() as connection:
        if await _proven_account(connection, credentials) is None:
            return False, None
        if "token" not in fields:
            raise Rejected("invalid_request", "The token is missing.")
        served = await served_by(issuer, connection, fields["token"], now)
    own = served is not None and served.claims.get("client_id") == credentials.client_id
    return True, served if own else None


async def _proven_account(connection: AsyncConnection, credentials: Credentials) -> Any:
    """The row of the account that these credentials prove; None where it is none. Raises Rejected."""
    account = (await connection.execute(_BY_CLIENT, {"client": credentials.client_id})).one_or_none()
    if account is None:
        return None
    if not _proven(account, credentials) or not await live_identities(connection, membership_id=account.membership_id):
        raise no_such_client()
    return account


async def discard_account(session: AsyncSession, actor: Actor, account: ServiceAccount, now: datetime) -> None:
    """Discard it: its membership ends, with everything that was opened through it."""
    await account.discard(session, now)
    membership = await find_membership(session, account.membership_id)
    if membership.discarded_at is None:
        await discard_membership(session, actor, membership, now)


def _proven(account: Any, credentials: Credentials) -> bool:
    """By a key where it has keys, else by its secret; never by the other."""
    known, secret = account.secret_hash, credentials.secret
    if account.jwks:
        return credentials.by_key
    return secret is not None and known is not None and hmac.compare_digest(digest(secret), known)


def _generation(account: Any) -> str:
    """Which secret or keys a token was got by: others, and the token is worth nothing."""
    kept = json.dumps(account.jwks, sort_keys=True) if account.jwks else account.secret_hash
    return digest(f"generation:{kept}")[:16]


def _scope_within(asked: str | None, held: str) -> str:
    """What the account has, or less. Raises Rejected."""
    wanted = set(asked.split()) if asked is not None else set(held.split())
    if not wanted or not wanted <= set(held.split()):
        raise Rejected("invalid_scope", "A token cannot have more than its service account has.")
    return " ".join(each for each in held.split() if each in wanted)
