"""What the panel publishes about the security events it pushes (OpenID Shared Signals Framework 1.0 section 7.1)."""

from typing import Any

from litestar import Request, Response, get

from control.doors import ANYONE
from control.openid.issuer import issuer_of
from control.visitor import Visitor

PUSH = "urn:ietf:rfc:8935"
KEPT = {"Cache-Control": "public, max-age=60"}


@get("/.well-known/ssf-configuration", may=ANYONE, outlives=False, credential="none", include_in_schema=False)
async def ssf_configuration(request: Request[Visitor, Any, Any]) -> Response[dict[str, Any]]:
    """Events are pushed. Streams are set up on an app's page, so that no endpoint for them is named."""
    issuer = issuer_of(request).url
    known: dict[str, Any] = {
        "spec_version": "1_0",
        "issuer": issuer,
        "jwks_uri": f"{issuer}/oauth/jwks",
        "delivery_methods_supported": [PUSH],
    }
    return Response(known, headers=KEPT)


ROUTES = [ssf_configuration]
