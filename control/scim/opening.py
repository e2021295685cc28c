"""Who provisions which company: the key's person, held to the key's own company; and how a SCIM answer is written."""

import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from litestar import Request, Response
from pydantic import ValidationError
from scim2_models import Error, InvalidSyntaxException, PreconditionFailedException, SCIMException
from sqlalchemy.ext.asyncio import AsyncSession

from control.api.doors import acting
from control.doors import mark_refusal
from control.house import House
from control.visitor import Visitor
from tenants.actor import Actor
from tenants.reach import Reach
from tenants.refusals import Conflict, OutOfReach, Refusal
from tenants.roles import Span
from tenants.tree import Tenant, closed

Asked = Request[Visitor, Any, Any]
MEDIA = "application/scim+json"


@dataclass(frozen=True, slots=True)
class Work:
    """One piece of work in one company, in one transaction."""

    house: House
    session: AsyncSession
    actor: Actor
    tenant: Tenant
    now: datetime
    root: str
    """Where the service is, as addresses begin."""


def root_of(request: Asked) -> str:
    """Where the service is."""
    house: House = request.app.state.house
    return house.link("/scim/v2")


@asynccontextmanager
async def opened(request: Asked, *, writes: bool = False) -> AsyncIterator[Work]:
    """Work for the key's company, whatever its person reaches besides. What is written there is written in turn: of
    two who made the same person, or changed the same version, one is the second.

    OutOfReach when the company is no longer theirs; Conflict while it is closed.
    """
    house: House = request.app.state.house
    visitor, actor = request.user, acting(request)
    try:
        reach = _reach(visitor, actor)
        async with house.store.work(actor, reach, visitor.now, writes=writes) as session:
            tenant = await session.get(Tenant, reach.tenant_id, with_for_update=_IN_TURN if writes else None)
            if tenant is None:
                raise OutOfReach
            if await closed(session, tenant.path):
                raise Conflict(f"{tenant.name} is closed.", rule="live")
            yield Work(house, session, actor, tenant, visitor.now, root_of(request))
    except Refusal as refusal:
        if writes:
            await mark_refusal(house, visitor, refusal, request.url.path)
        raise


def _reach(visitor: Visitor, actor: Actor) -> Reach:
    """The one company, with what lies below it, where its people stand in: whoever ends takes that along.

    A company that has moved away from the key's person is out of reach.
    """
    if visitor.key_place is None or not actor.reach().holds(visitor.key_place[1]):
        raise OutOfReach
    tenant_id, path = visitor.key_place
    return Reach.of_membership(Span.SUBTREE, path, tenant_id, actor.standing.user_id, actor.standing.membership_id)


_IN_TURN = {"key_share": True}
"""The row of the company is held against other writers, not against those who only point at it."""


async def body_of(request: Asked) -> dict[str, Any]:
    """The JSON object that was sent."""
    return object_in(await request.body())


def object_in(raw: bytes) -> dict[str, Any]:
    """The JSON object in these bytes; InvalidSyntaxException for anything else."""
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        raise InvalidSyntaxException(detail="The body is no JSON.") from None
    if not isinstance(found, dict):
        raise InvalidSyntaxException(detail="The body is a JSON object.")
    return found


def version_of(document: dict[str, Any]) -> str:
    """The weak entity tag of a record as it is told now (RFC 7644 section 3.14)."""
    told = json.dumps({key: value for key, value in document.items() if key != "meta"}, sort_keys=True)
    changed = document.get("meta", {}).get("lastModified", "")
    return f'W/"{hashlib.sha256(f"{changed}{told}".encode()).hexdigest()[:20]}"'


def matches(header: str | None, version: str) -> bool:
    """Whether a version is among those of an If-Match or If-None-Match header, compared weakly."""
    if header is None:
        return False
    bare = version.removeprefix("W/")
    return any(each.strip() == "*" or each.strip().removeprefix("W/") == bare for each in header.split(","))


def require_match(header: str | None, version: str) -> None:
    """PreconditionFailedException (412) when the record is another by now than the one that is meant."""
    if header is not None and not matches(header, version):
        raise PreconditionFailedException(detail="It has changed since you read it. Read it again.")


def answered(
    document: dict[str, Any] | None, *, status: int = 200, version: str | None = None, location: str | None = None
) -> Response[Any]:
    """A SCIM answer."""
    headers = {"ETag": version} if version else {}
    if location:
        headers["Location" if status == 201 else "Content-Location"] = location
    content = json.dumps(document).encode() if document is not None else b""
    return Response(content, status_code=status, media_type=MEDIA, headers=headers)


def error_in(problem: Exception) -> Error:
    """A refusal of SCIM's own, or of its models."""
    if isinstance(problem, ValidationError):
        return Error.from_validation_errors(problem)[0]
    if isinstance(problem, SCIMException):
        return problem.to_error()
    raise problem


def refused(request: Asked, problem: Exception) -> Response[Any]:
    """The same as an answer."""
    error = error_in(problem)
    return answered(error.model_dump(), status=error.status or 400)


def too_deep(request: Asked, error: RecursionError) -> Response[Any]:
    """JSON or a filter nested deeper than anything here is."""
    return refused(request, InvalidSyntaxException(detail="This is nested too deeply."))
