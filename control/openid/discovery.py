"""What the panel publishes about itself: the discovery document and its public keys."""

from typing import Any

from litestar import HttpMethod, Request, Response

from bindings.apps import SCOPES
from bindings.claims import STAND_IN_ACR
from bindings.keys import ALGORITHMS
from bindings.oauth import PROMPTS, RESPONSE_MODES
from bindings.public_keys import ALGORITHMS as THEIR_ALGORITHMS
from control.openid.doors import for_programs
from control.openid.issuer import cross_origin, issuer_of
from control.openid.tokens import GRANTS
from control.visitor import Visitor

PROOFS = ["client_secret_basic", "client_secret_post", "private_key_jwt"]
KEPT = {"Cache-Control": "public, max-age=60"}


@for_programs(["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"], HttpMethod.GET)
async def discovery(request: Request[Visitor, Any, Any]) -> Response[dict[str, Any]]:
    """What this provider can do, and nothing that it cannot (OIDC Discovery section 3, RFC 8414 section 3)."""
    issuer = issuer_of(request).url
    known: dict[str, Any] = {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/oauth/authorize",
        "token_endpoint": f"{issuer}/oauth/token",
        "userinfo_endpoint": f"{issuer}/oauth/userinfo",
        "jwks_uri": f"{issuer}/oauth/jwks",
        "introspection_endpoint": f"{issuer}/oauth/introspect",
        "revocation_endpoint": f"{issuer}/oauth/revoke",
        "pushed_authorization_request_endpoint": f"{issuer}/oauth/par",
        "end_session_endpoint": f"{issuer}/oauth/logout",
        "scopes_supported": list(SCOPES),
        "response_types_supported": ["code"],
        "response_modes_supported": list(RESPONSE_MODES),
        "grant_types_supported": list(GRANTS),
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": list(ALGORITHMS),
        "token_endpoint_auth_methods_supported": [*PROOFS, "none"],
        "token_endpoint_auth_signing_alg_values_supported": list(THEIR_ALGORITHMS),
        "introspection_endpoint_auth_methods_supported": PROOFS,
        "introspection_endpoint_auth_signing_alg_values_supported": list(THEIR_ALGORITHMS),
        "revocation_endpoint_auth_methods_supported": [*PROOFS, "none"],
        "revocation_endpoint_auth_signing_alg_values_supported": list(THEIR_ALGORITHMS),
        "dpop_signing_alg_values_supported": list(THEIR_ALGORITHMS),
        "code_challenge_methods_supported": ["S256"],
        "prompt_values_supported": sorted(PROMPTS),
        "acr_values_supported": [STAND_IN_ACR],
        "claims_supported": CLAIMS,
        "claims_parameter_supported": False,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
        "require_pushed_authorization_requests": False,
        "authorization_response_iss_parameter_supported": True,
        "backchannel_logout_supported": True,
        "backchannel_logout_session_supported": True,
    }
    return Response(known, headers=KEPT | await cross_origin(request))


CLAIMS = [
    "iss",
    "aud",
    "exp",
    "iat",
    "auth_time",
    "nonce",
    "sid",
    "acr",
    "amr",
    "sub",
    "name",
    "email",
    "email_verified",
    "act",
    "tenant",
    "extension",
    "phone_system",
    "app_admin",
    "stand_in",
]


@for_programs("/oauth/jwks", HttpMethod.GET)
async def jwks(request: Request[Visitor, Any, Any]) -> Response[dict[str, Any]]:
    """The public keys (RFC 7517), retired ones as long as something that they signed may live."""
    published = await issuer_of(request).keys.published(request.user.now)
    return Response(published, headers=KEPT | await cross_origin(request))


ROUTES = [discovery, jwks]
