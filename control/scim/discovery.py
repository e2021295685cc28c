"""What the service is (RFC 7644 section 4), and what it does not do."""

from typing import Any

from litestar import Response, get, post
from scim2_models import Context, ForbiddenException, NotImplementedException, Resource

from control.scim.documents import resource_types, schemas, service
from control.scim.doors import READS, list_response
from control.scim.opening import Asked, answered, root_of
from tenants.refusals import OutOfReach


@get("/ServiceProviderConfig", **READS)
async def show_service(request: Asked) -> Response[Any]:
    """What the service can do, and how much at once."""
    return answered(_dumped(service(root_of(request))))


@get("/ResourceTypes", **READS)
async def show_types(request: Asked) -> Response[Any]:
    """The kinds of record."""
    return _all(request, resource_types(root_of(request)))


@get("/ResourceTypes/{name:str}", **READS)
async def show_type(request: Asked, name: str) -> Response[Any]:
    """One kind of record."""
    return _the_one(resource_types(root_of(request)), name)


@get("/Schemas", **READS)
async def show_schemas(request: Asked) -> Response[Any]:
    """What the records are made of."""
    return _all(request, schemas(root_of(request)))


@get("/Schemas/{name:str}", **READS)
async def show_schema(request: Asked, name: str) -> Response[Any]:
    """What one kind of record is made of."""
    return _the_one(schemas(root_of(request)), name)


@get("/Me", **READS)
async def show_me(request: Asked) -> Response[Any]:
    """A key is nobody among those whom it keeps (RFC 7644 section 3.11)."""
    raise NotImplementedException(detail="A provisioning key is none of the people it keeps.")


@post("/.search", status_code=200, **READS)
async def search_all(request: Asked) -> Response[Any]:
    """Both kinds in one list: not done."""
    raise NotImplementedException(detail="Search /Users or /Groups.")


def _all(request: Asked, documents: Any) -> Response[Any]:
    # These lists are never filtered (RFC 7644 section 4).
    if "filter" in request.query_params:
        raise ForbiddenException(detail="The description of the service is not filtered.")
    return answered(list_response([_dumped(each) for each in documents]))


def _the_one(documents: Any, name: str) -> Response[Any]:
    for each in documents:
        if str(each.id).lower() == name.lower():
            return answered(_dumped(each))
    raise OutOfReach


def _dumped(document: Resource[Any]) -> dict[str, Any]:
    return document.model_dump(scim_ctx=Context.RESOURCE_QUERY_RESPONSE)


ROUTES = [show_service, show_types, show_type, show_schemas, show_schema, show_me, search_all]
