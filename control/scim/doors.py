"""The doors of one kind of record over SCIM: the same for people and for teams."""

from typing import Any, Protocol

from litestar import Response, delete, get, patch, post, put
from litestar.handlers.http_handlers import HTTPRouteHandler
from scim2_models import Resource, SearchRequest

from control.scim.asking import asked_of
from control.scim.opening import Asked, Work, answered, body_of, matches, opened
from control.scim.records import Listed, Told
from tenants.roles import Permission

SCOPE = "scim"
READS: dict[str, Any] = {
    "may": Permission.MANAGE_PEOPLE,
    "outlives": False,
    "credential": "key",
    "scope": SCOPE,
}
WRITES: dict[str, Any] = {**READS, "outlives": True}
"""Who is provisioned is given access, or loses it."""


class Keeper(Protocol):
    """What keeps one kind of record."""

    KIND: type[Resource[Any]]

    async def listed(self, work: Work, asked: SearchRequest[Any]) -> Listed: ...

    async def shown(self, work: Work, number: str, asked: SearchRequest[Any] | None = None) -> Told: ...

    async def created(self, work: Work, raw: dict[str, Any]) -> str: ...

    async def replaced(self, work: Work, number: str, raw: dict[str, Any], version: str | None) -> None: ...

    async def changed(self, work: Work, number: str, raw: dict[str, Any], version: str | None) -> None: ...

    async def removed(self, work: Work, number: str, version: str | None) -> None: ...


def doors_of(at: str, keeper: Keeper) -> list[HTTPRouteHandler]:
    """The doors of one kind, under its endpoint."""
    one = f"{at}/{{number:str}}"

    @get(at, **READS)
    async def show_list(request: Asked) -> Response[Any]:
        """A page of the records."""
        asked = asked_of(keeper.KIND, request.query_params)
        async with opened(request) as work:
            return answered(list_response(await keeper.listed(work, asked)))

    @post(f"{at}/.search", status_code=200, **READS)
    async def search(request: Asked) -> Response[Any]:
        """The same with what is asked in the body (RFC 7644 section 3.4.3): addresses stay out of logs."""
        asked = asked_of(keeper.KIND, await body_of(request))
        async with opened(request) as work:
            return answered(list_response(await keeper.listed(work, asked)))

    @get(one, **READS)
    async def show(request: Asked, number: str) -> Response[Any]:
        """One record; 304 when whoever asks knows it as it is."""
        asked = asked_of(keeper.KIND, request.query_params)
        async with opened(request) as work:
            found = await keeper.shown(work, number, asked)
        if matches(request.headers.get("if-none-match"), found.version):
            return answered(None, status=304, version=found.version)
        return _one(found)

    @post(at, **WRITES)
    async def create(request: Asked) -> Response[Any]:
        """A new record."""
        asked, raw = asked_of(keeper.KIND, request.query_params), await body_of(request)
        async with opened(request, writes=True) as work:
            found = await keeper.shown(work, await keeper.created(work, raw), asked)
        return _one(found, status=201)

    @put(one, **WRITES)
    async def replace(request: Asked, number: str) -> Response[Any]:
        """The record as it is sent."""
        asked, raw = asked_of(keeper.KIND, request.query_params), await body_of(request)
        async with opened(request, writes=True) as work:
            await keeper.replaced(work, number, raw, request.headers.get("if-match"))
            return _one(await keeper.shown(work, number, asked))

    @patch(one, **WRITES)
    async def change(request: Asked, number: str) -> Response[Any]:
        """What the operations change of the record."""
        asked, raw = asked_of(keeper.KIND, request.query_params), await body_of(request)
        async with opened(request, writes=True) as work:
            await keeper.changed(work, number, raw, request.headers.get("if-match"))
            return _one(await keeper.shown(work, number, asked))

    @delete(one, status_code=204, **WRITES)
    async def remove(request: Asked, number: str) -> None:
        """The record is not told of any more."""
        async with opened(request, writes=True) as work:
            await keeper.removed(work, number, request.headers.get("if-match"))

    return [show_list, search, show, create, replace, change, remove]


def list_response(found: Listed | list[Any]) -> dict[str, Any]:
    """Records as a list (RFC 7644 section 3.4.2)."""
    items = [each.document for each in found.items] if isinstance(found, Listed) else found
    return {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": found.total if isinstance(found, Listed) else len(found),
        "startIndex": found.start if isinstance(found, Listed) else 1,
        "itemsPerPage": len(items),
        "Resources": items,
    }


def _one(found: Told, *, status: int = 200) -> Response[Any]:
    return answered(found.document, status=status, version=found.version, location=found.location)
