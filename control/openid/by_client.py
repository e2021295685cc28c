"""A door of the protocol that only an app opens which shows who it is; a refusal is told in the protocol's words."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from litestar import Request, Response

from bindings.client_proofs import by_assertion
from bindings.clients import Credentials, Rejected
from bindings.dpop import key_of
from control.openid.issuer import UNCACHED, form_fields, held_back, issuer_of, proof_of, rejection, url_of
from control.visitor import Visitor, meter_of
from tenants.refusals import TooMany

Form = Mapping[str, str]
Asked = Request[Visitor, Any, Any]


async def by_client(
    request: Asked,
    act: Callable[[Asked, Credentials, Form], Awaitable[Any]],
    more: dict[str, str],
    status: int = 200,
    *,
    binds: bool = False,
    form: bool = True,
) -> Response[Any]:
    """What `act` answers to the app's form, kept nowhere. With `binds` it may be bound to a key (RFC 9449).

    Without `form` the request has another body or none, and only its header says which app it is.
    """
    try:
        fields = await form_fields(request) if form else {}
        credentials = await _counted(request, fields)
        proof = proof_of(request) if binds else None
        if proof is not None:
            jkt = await key_of(issuer_of(request), proof, request.method, url_of(request), request.user.now)
            credentials = replace(credentials, jkt=jkt)
        answer = await act(request, credentials, fields)
    except Rejected as rejected:
        return rejection(rejected, "Basic", more)
    except TooMany as too_many:
        return held_back(request, too_many, more)
    return Response(answer if answer is not None else b"", status_code=status, headers=UNCACHED | more)


async def _counted(request: Asked, fields: Form) -> Credentials:
    """Who the app says it is, counted before anything is done. Raises Rejected, TooMany.

    An app with a secret is counted by it. One without, whose id everybody knows, is counted in each network: a stranger
    uses up nothing of others.
    """
    meter = meter_of(request.user)
    secret = fields.get("client_secret")
    meter.admit(request.headers.get("authorization") or (secret and f"{fields.get('client_id')} {secret}"))
    credentials = await _credentials(request, fields)
    if credentials.by_key:
        meter.count_for(f"client {credentials.client_id}")
    elif credentials.secret is None:
        meter.count_for(f"client {credentials.client_id} from {meter.network}", anybodys=True)
    else:
        meter.expect(f"client {credentials.client_id}")
    return credentials


async def _credentials(request: Asked, fields: Form) -> Credentials:
    """By a secret, by nothing, or by a key of its own (RFC 7523); never in two ways."""
    authorization = request.headers.get("authorization")
    if "client_assertion" not in fields and "client_assertion_type" not in fields:
        return Credentials.read(authorization, fields)
    if authorization is not None or "client_secret" in fields:
        raise Rejected("invalid_request", "The client shows itself in two ways at once.")
    return await by_assertion(issuer_of(request), fields, url_of(request), request.user.now)
