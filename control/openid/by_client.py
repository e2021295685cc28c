"""A door of the protocol that only an app opens which shows who it is; a refusal is told in the protocol's words."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from litestar import Request, Response

from bindings.client_proofs import by_assertion
from bindings.clients import Credentials, Rejected
from bindings.dpop import key_of
from control.openid.issuer import UNCACHED, form_fields, issuer_of, proof_of, rejection, url_of
from control.visitor import Visitor

Form = Mapping[str, str]
Asked = Request[Visitor, Any, Any]


async def by_client(
    request: Asked,
    act: Callable[[Asked, Credentials, Form], Awaitable[Any]],
    more: dict[str, str],
    status: int = 200,
    *,
    binds: bool = False,
) -> Response[Any]:
    """What `act` answers to the app's form, kept nowhere. With `binds` it may be bound to a key (RFC 9449)."""
    try:
        fields = await form_fields(request)
        credentials = await _credentials(request, fields)
        proof = proof_of(request) if binds else None
        if proof is not None:
            jkt = await key_of(issuer_of(request), proof, request.method, url_of(request), request.user.now)
            credentials = replace(credentials, jkt=jkt)
        answer = await act(request, credentials, fields)
    except Rejected as rejected:
        return rejection(rejected, "Basic", more)
    return Response(answer if answer is not None else b"", status_code=status, headers=UNCACHED | more)


async def _credentials(request: Asked, fields: Form) -> Credentials:
    """By a secret, by nothing, or by a key of its own (RFC 7523); never in two ways."""
    authorization = request.headers.get("authorization")
    if "client_assertion" not in fields and "client_assertion_type" not in fields:
        return Credentials.read(authorization, fields)
    if authorization is not None or "client_secret" in fields:
        raise Rejected("invalid_request", "The client shows itself in two ways at once.")
    return await by_assertion(issuer_of(request), fields, url_of(request), request.user.now)
