"""Doors of the API: readings and changes by bearer key. Each change is done once for one Idempotency-Key."""

import functools
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import sqlalchemy as sa
from litestar import Request, Response, delete, get, patch, post, put
from litestar.di import NamedDependency
from litestar.handlers.http_handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example, OpenAPIType, Operation, Parameter, RequestBody, Schema
from sqlalchemy.ext.asyncio import AsyncSession

from control.api.shapes import Problem
from control.visitor import Visitor
from tenants.actor import Actor
from tenants.idempotency import LENGTH, Answer, earlier_answer, request_hash
from tenants.refusals import Conflict, Invalid, OutOfReach
from tenants.roles import Permission

Asked = Request[Visitor, Any, Any]
Session = NamedDependency[AsyncSession]
Handler = Callable[..., Awaitable[Any]]

SECRETS = frozenset({"client_secret", "secret", "revealed", "handoff_url", "link"})
"""Members of an answer that are shown once: the stored answer leaves them out."""


def problem(status: int, rule: str, sentence: str) -> ResponseSpec:
    """A refusal in the API's description."""
    example = {"type": f"urn:understudy:problem:{rule}", "status": status, "detail": sentence, "rule": rule}
    return ResponseSpec(
        Problem,
        generate_examples=False,
        media_type="application/problem+json",
        description=sentence,
        examples=[Example(summary=sentence, value=example)],
    )


THROTTLED = problem(429, "throttled", "Too much was asked: wait as long as `Retry-After` says.")
READING = {
    400: problem(400, "400", "The body is no JSON."),
    401: problem(401, "401", "No key, or one that is spent, revoked or of somebody who is not active."),
    403: problem(403, "permission", "In reach, but this role or key may not do it."),
    404: problem(404, "reach", "Out of reach, or not there at all: never told apart."),
    422: problem(422, "invalid", "The input breaks a rule; `errors` names the field."),
    429: THROTTLED,
}
CHANGING = {
    **READING,
    409: problem(409, "conflict", "The record is not in a state that allows this, or the Idempotency-Key was used."),
}


@dataclass
class Change(Operation):
    """A change in the API's description: it takes an Idempotency-Key."""

    def __post_init__(self) -> None:
        """Add the header to what the handler takes by itself."""
        key = Parameter(
            name="Idempotency-Key",
            param_in="header",
            schema=Schema(type=OpenAPIType.STRING, min_length=1, max_length=LENGTH),
            description="The same request with the same key is done once and answered alike, secrets left out.",
        )
        self.parameters = [*(self.parameters or []), key]
        if isinstance(self.request_body, RequestBody) and _may_be_null(self.request_body):
            self.request_body.required = False


def _may_be_null(body: RequestBody) -> bool:
    """A body that may be null may be left out as well."""
    schemas = [content.schema for content in body.content.values()]
    return any(isinstance(schema, Schema) and schema.one_of for schema in schemas)


def reads(path: str, *, may: Permission | str, summary: str, outlives: bool = False) -> get:
    """A reading; with `outlives` it is closed to who stands in."""
    return get(path, may=may, outlives=outlives, credential="key", summary=summary, responses=READING)


def creates(
    path: str,
    *,
    may: Permission | str,
    outlives: bool,
    summary: str,
    scope: str | None = None,
    status: int = 201,
    starts: bool = False,
    kept_open: bool = False,
    also: Mapping[int, ResponseSpec] | None = None,
) -> Callable[[Handler], HTTPRouteHandler]:
    """A POST: a new record (201), or a verb done to one (200). With `starts` it begins a stand-in.

    With `kept_open` it is a way to stop something, and counted apart (control/rate_limits.py). `also` are answers
    beyond those that every change has.
    """
    responses = {**CHANGING, **(also or {})}
    more = {"scope": scope, "status_code": status, "starts": starts, "kept_open": kept_open, "responses": responses}
    return _changes(post, path, may=may, outlives=outlives, summary=summary, **more)


def alters(path: str, *, may: Permission | str, outlives: bool, summary: str) -> Callable[[Handler], HTTPRouteHandler]:
    """A PATCH: only the fields that are sent change."""
    return _changes(patch, path, may=may, outlives=outlives, summary=summary)


def sets(
    path: str, *, may: Permission | str, outlives: bool, summary: str, operation_class: type[Change] = Change
) -> Callable[[Handler], HTTPRouteHandler]:
    """A PUT: what is sent is what holds from now on."""
    return _changes(put, path, may=may, outlives=outlives, summary=summary, operation_class=operation_class)


def removes(
    path: str,
    *,
    may: Permission | str,
    outlives: bool,
    summary: str,
    scope: str | None = None,
    proof: bool = False,
    kept_open: bool = False,
) -> Callable[[Handler], HTTPRouteHandler]:
    """A DELETE: 204. With `proof` it is named here and done in the panel only: a key proves nothing (403)."""
    more = {"scope": scope, "proof": proof, "kept_open": kept_open, "status_code": 204}
    return _changes(delete, path, may=may, outlives=outlives, summary=summary, **more)


def _changes(method: Callable[..., HTTPRouteHandler], path: str, **said: Any) -> Callable[[Handler], HTTPRouteHandler]:
    def put_up(handler: Handler) -> HTTPRouteHandler:
        usual = {"operation_class": Change, "responses": CHANGING}
        return method(path, credential="key", **(usual | said))(once(handler))

    return put_up


def once(handler: Handler) -> Handler:
    """Keep the answer in the change's own transaction, and give it again to the same request with the same key.

    Of two at once the second waits for the first: the unique key is claimed before anything is done. A dry run does
    nothing, so it claims nothing.
    """

    @functools.wraps(handler)
    async def answered(*, request: Asked, session: AsyncSession, **rest: Any) -> Any:
        key = request.headers.get("idempotency-key")
        if key is None or rest.get("dry_run"):
            return await handler(request=request, session=session, **rest)
        claim = await _claim(request, session, _checked(key))
        if claim.status:
            return Response(claim.body, status_code=claim.status, headers={"Idempotent-Replayed": "true"})
        result = await handler(request=request, session=session, **rest)
        claim.status, claim.body = request.route_handler.status_code, _without_secrets(result)
        await session.flush()
        return result

    return answered


def _checked(key: str) -> str:
    if not 1 <= len(key) <= LENGTH or not key.isascii() or not key.isprintable():
        raise Invalid(f"An Idempotency-Key has 1 to {LENGTH} plain characters.", field="Idempotency-Key")
    return key


async def _claim(request: Asked, session: AsyncSession, key: str) -> Answer:
    """The answer given earlier, or a row of our own that holds the key until the end of this transaction."""
    mine = acting(request).standing.membership_id
    asked = request_hash(str(request.method), request.url.path, await request.body())
    earlier = await earlier_answer(session, mine, key, asked)
    if earlier is not None:
        return earlier
    claim = Answer(membership_id=mine, key=key, request_hash=asked, status=0, body=None, created_at=request.user.now)
    try:
        async with session.begin_nested():
            session.add(claim)
    except sa.exc.IntegrityError:
        earlier = await earlier_answer(session, mine, key, asked)
        if earlier is None:
            raise Conflict("This Idempotency-Key is in use just now. Ask again.", rule="idempotency") from None
        return earlier
    return claim


def _without_secrets(result: Any) -> dict[str, Any] | None:
    body = msgspec.to_builtins(result)
    return {name: value for name, value in body.items() if name not in SECRETS} if isinstance(body, dict) else None


def acting(request: Asked) -> Actor:
    """Who acts. The door has let nobody pass without an actor."""
    if request.user.actor is None:
        raise OutOfReach
    return request.user.actor
