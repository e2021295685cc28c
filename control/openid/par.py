"""Where an app pushes its authorization request before it sends a browser (RFC 9126)."""

from collections.abc import Mapping
from typing import Any

from litestar import HttpMethod, Response

from bindings.apps import known_client
from bindings.clients import Credentials, Rejected, no_such_client
from bindings.dpop import bad_proof
from bindings.oauth import check_authorization
from bindings.pushed_requests import push
from bindings.standing import client_of
from control.openid.asking import Asked, asked_by_an_app
from control.openid.by_client import by_client
from control.openid.doors import for_programs
from control.openid.issuer import cross_origin, house_of

PAR = "/oauth/par"


@for_programs(PAR, HttpMethod.POST, status=201, quota="app")
async def pushed(request: Asked) -> Response[Any]:
    """Check a request as the authorization endpoint would, keep it, and name it (RFC 9126 section 2)."""
    return await by_client(request, _keep, await cross_origin(request), status=201, binds=True)


async def _keep(request: Asked, credentials: Credentials, fields: Mapping[str, str]) -> dict[str, Any]:
    store, now = house_of(request).store, request.user.now
    async with store.hot.connect() as connection:
        app = await known_client(connection, credentials.client_id)
    if app is None:
        raise no_such_client()
    credentials.prove_client(client_of(app, now))
    if "request_uri" in fields:
        raise Rejected("invalid_request", "A pushed request names no other one.")
    asked = asked_by_an_app(fields) | {"client_id": app.client_id}
    if credentials.jkt is not None and asked.setdefault("dpop_jkt", credentials.jkt) != credentials.jkt:
        # A proof at this door binds the code as the field does (RFC 9449 section 10.1).
        raise bad_proof("The DPoP proof is of another key than dpop_jkt names.")
    check_authorization(app, asked)
    async with store.writer.begin() as connection:
        uri, seconds = await push(connection, app.id, asked, now)
    return {"request_uri": uri, "expires_in": seconds}


ROUTES = [pushed]
