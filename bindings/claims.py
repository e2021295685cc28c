"""Claims: what an app is told of a login. One pure function for ID token, access token, userinfo and introspection."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tenants.roles import ADMIN_ACCESS, Role

STAND_IN_ACR = "urn:understudy:acr:stand-in"
"""The `acr` of a login in which somebody stands in: an app that refuses those need not know our other claims."""


@dataclass(frozen=True, slots=True)
class Phone:
    """The phone system that the subject's extension is on."""

    id: int
    name: str
    host: str


@dataclass(frozen=True, slots=True)
class StandIn:
    """How somebody comes to be seen as the subject. `kind` is binding, impersonation or token."""

    kind: str
    id: int
    ends_at: datetime | None
    mode: str


@dataclass(frozen=True, slots=True)
class LoginFacts:
    """A login as data: whom the app sees, who really acts, and where."""

    sid: str
    auth_time: datetime
    methods: tuple[str, ...]
    subject_id: int
    subject_name: str
    email: str
    email_verified: bool
    tenant_id: int
    tenant_name: str
    tenant_kind: str
    extension: str | None
    phone: Phone | None
    app_admin: bool
    """Whether the subject holds the stored grant; `passes_admin_on` says if the app is told so."""
    actor_id: int
    actor_name: str
    actor_role: Role
    stand_in: StandIn | None

    @property
    def passes_admin_on(self) -> bool:
        """`app_admin` is one's own, or passed on only to an admin or operator."""
        return self.app_admin and (self.actor_id == self.subject_id or self.actor_role in ADMIN_ACCESS)


def claims_of(login: LoginFacts, scope: str) -> dict[str, Any]:
    """Everything about the people in a login, from `sub` on: the same wherever an app reads it.

    `act` (RFC 8693 section 4.1) and `stand_in` stand only in a stand-in, and there `email_verified` is false, so
    that no app links accounts by it.
    """
    scopes = scope.split()
    claims: dict[str, Any] = {"sub": str(login.subject_id)}
    if "profile" in scopes:
        claims["name"] = login.subject_name
    if "email" in scopes:
        claims["email"] = login.email
        claims["email_verified"] = login.email_verified and login.stand_in is None
    if login.stand_in is not None:
        claims["act"] = {"sub": str(login.actor_id), "name": login.actor_name}
    claims["tenant"] = {"id": str(login.tenant_id), "name": login.tenant_name, "kind": login.tenant_kind}
    if login.extension is not None and login.phone is not None:
        claims["extension"] = login.extension
        claims["phone_system"] = {"id": str(login.phone.id), "name": login.phone.name, "host": login.phone.host}
    claims["app_admin"] = login.passes_admin_on
    if login.stand_in is not None:
        claims["stand_in"] = _stand_in(login.stand_in)
    return claims


def id_token_claims(
    login: LoginFacts, *, issuer: str, client_id: str, scope: str, now: datetime, until: datetime, nonce: str | None
) -> dict[str, Any]:
    """An ID token (OIDC Core section 2)."""
    said = {"nonce": nonce} if nonce is not None else {}
    return _frame(login, issuer, client_id, now, until) | said | _proof(login) | claims_of(login, scope)


def access_token_claims(
    login: LoginFacts,
    *,
    issuer: str,
    client_id: str,
    scope: str,
    now: datetime,
    until: datetime,
    jti: str,
    jkt: str | None = None,
) -> dict[str, Any]:
    """An access token (RFC 9068 section 2.2). Its audience is the app: it opens nothing here but userinfo.

    `cnf` names the key that it is bound to (RFC 9449 section 6), where it is.
    """
    said: dict[str, Any] = {"client_id": client_id, "scope": scope, "jti": jti}
    if jkt is not None:
        said["cnf"] = {"jkt": jkt}
    return _frame(login, issuer, client_id, now, until) | said | _proof(login) | claims_of(login, scope)


def _frame(login: LoginFacts, issuer: str, client_id: str, now: datetime, until: datetime) -> dict[str, Any]:
    return {
        "iss": issuer,
        "aud": client_id,
        "exp": int(until.timestamp()),
        "iat": int(now.timestamp()),
        "auth_time": int(login.auth_time.timestamp()),
        "sid": login.sid,
    }


def _proof(login: LoginFacts) -> dict[str, Any]:
    """How the actor proved who they are: it was never the subject who did."""
    standing_in = {"acr": STAND_IN_ACR} if login.stand_in is not None else {}
    return standing_in | {"amr": list(login.methods)}


def _stand_in(stand_in: StandIn) -> dict[str, Any]:
    return {
        "kind": stand_in.kind,
        "id": str(stand_in.id),
        "ends_at": stand_in.ends_at.isoformat() if stand_in.ends_at else None,
        "mode": stand_in.mode,
    }
