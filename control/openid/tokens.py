"""The protocol's doors for programs: token, introspect, revoke, userinfo."""

from collections.abc import Mapping
from typing import Any

from litestar import HttpMethod, Request, Response

from bindings import exchange, grants, service_accounts
from bindings.clients import Credentials, Rejected
from bindings.grants import redeem, refresh, revoke, take_over
from bindings.introspection import introspect, userinfo
from control.openid.by_client import by_client
from control.openid.doors import for_programs
from control.openid.issuer import (
    FORM,
    UNCACHED,
    cross_origin,
    form_fields,
    held_back,
    issuer_of,
    refused_token,
    token_of,
)
from control.visitor import Visitor, meter_of
from tenants.credentials import digest
from tenants.refusals import TooMany

ALLOWED = {
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, DPoP",
    "Access-Control-Max-Age": "600",
}
GRANTS = (
    "authorization_code",
    "refresh_token",
    grants.HANDOFF_GRANT,
    exchange.EXCHANGE_GRANT,
    service_accounts.GRANT,
)
"""What the token endpoint gives tokens for."""
Form = Mapping[str, str]
Asked = Request[Visitor, Any, Any]


@for_programs("/oauth/token", HttpMethod.POST, quota="app")
async def token(request: Asked) -> Response[Any]:
    """Tokens for a code, a refresh token, a hand-off or another token (RFC 6749 section 3.2)."""
    return await by_client(request, _grant, await cross_origin(request), binds=True)


async def _grant(request: Asked, credentials: Credentials, fields: Form) -> dict[str, Any]:
    issuer, now, origin = issuer_of(request), request.user.now, request.user.origin
    match fields.get("grant_type"):
        case "authorization_code":
            return await redeem(issuer, credentials, fields, now, origin)
        case "refresh_token":
            return await refresh(issuer, credentials, fields, now, origin)
        case grants.HANDOFF_GRANT:
            return await take_over(issuer, credentials, fields, now, origin, request.headers.get("origin"))
        case exchange.EXCHANGE_GRANT:
            return await exchange.exchange(issuer, credentials, fields, now, origin)
        case service_accounts.GRANT:
            return await service_accounts.client_credentials(issuer, credentials, fields, now)
        case None:
            raise Rejected("invalid_request", "The grant_type is missing.")
    raise Rejected("unsupported_grant_type", f"The grants are {', '.join(GRANTS)}.")


@for_programs("/oauth/introspect", HttpMethod.POST, quota="app")
async def introspection(request: Asked) -> Response[Any]:
    """What one of its own tokens is worth to an app now (RFC 7662)."""

    async def ask(request: Asked, credentials: Credentials, fields: Form) -> dict[str, Any]:
        issuer, now = issuer_of(request), request.user.now
        known = await service_accounts.introspect(issuer, credentials, fields, now)
        return known or await introspect(issuer, credentials, fields, now)

    return await by_client(request, ask, {})


@for_programs("/oauth/revoke", HttpMethod.POST, quota="app", kept_open=True)
async def revocation(request: Asked) -> Response[Any]:
    """An app gives a token back (RFC 7009): 200 whatever it was."""

    async def give_back(request: Asked, credentials: Credentials, fields: Form) -> None:
        issuer, now = issuer_of(request), request.user.now
        if not await service_accounts.give_back(issuer, credentials, fields, now):
            await revoke(issuer, credentials, fields, now, request.user.origin)

    return await by_client(request, give_back, await cross_origin(request))


@for_programs("/oauth/userinfo", HttpMethod.GET, HttpMethod.POST, quota="app")
async def person(request: Asked) -> Response[Any]:
    """The claims of the login that an access token stands for (OIDC Core section 5.3)."""
    more = await cross_origin(request)
    try:
        posted = request.headers.get("content-type", "").startswith(FORM)
        fields = await form_fields(request) if posted and request.method == HttpMethod.POST else {}
        shown, meter = token_of(request, fields), meter_of(request.user)
        meter.admit(shown.token)
        meter.expect(f"token {digest(shown.token)}")
        said = await userinfo(issuer_of(request), shown, request.user.now)
    except Rejected as rejected:
        return refused_token(request, rejected, more)
    except TooMany as too_many:
        return held_back(request, too_many, more)
    return Response(said, headers=UNCACHED | more)


@for_programs(["/oauth/token", "/oauth/par", "/oauth/revoke", "/oauth/userinfo", "/oauth/acting"], HttpMethod.OPTIONS)
async def preflight(request: Asked) -> Response[bytes]:
    """A browser asks whether a page may ask (CORS): pages of registered browser apps may."""
    allowed = await cross_origin(request)
    return Response(b"", status_code=204, headers=allowed | (ALLOWED if len(allowed) > 1 else {}))


# `preflight` stands first: the framework answers OPTIONS by itself for a path that it meets without it.
ROUTES = [preflight, token, introspection, revocation, person]
