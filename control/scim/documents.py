"""What is told over SCIM: the two kinds of record as they are kept here, and the documents that describe the service.

Only what this house keeps is announced (RFC 7643 section 7); other attributes of the core schema are taken and dropped.
"""

from typing import Annotated, Any, TypeVar

from pydantic import Field
from scim2_models import (
    URN,
    AuthenticationScheme,
    Bulk,
    CaseExact,
    ChangePassword,
    ComplexAttribute,
    ETag,
    External,
    Filter,
    Meta,
    Mutability,
    Pagination,
    Patch,
    Reference,
    Required,
    Resource,
    ResourceType,
    Schema,
    ScimPolicy,
    ServiceProviderConfig,
    Sort,
    Uniqueness,
)

from tenants.roles import Role

MOST = 200
"""Records on one page."""
MOST_OPERATIONS = 100
"""Operations in one bulk request."""
LARGEST_BULK = 1024 * 1024
"""Bytes of one bulk request."""

POLICY = ScimPolicy(
    unknown=ScimPolicy.Unknown.ignore,
    remove_value_as_filter=ScimPolicy.RemoveValue.apply,
    unmatched_path_filter=ScimPolicy.UnmatchedPathFilter.create,
)
"""Attributes that are not kept here change nothing; the rest is what the larger directories send."""

GIVEN = tuple(role.value for role in Role if role is not Role.MEMBER)
"""Roles as they are told: a plain member has none."""

Read = Mutability.read_only
Document = TypeVar("Document", bound=Resource[Any])


class WholeName(ComplexAttribute):
    """A name as one line."""

    formatted: Annotated[str | None, Required.true] = None


class Address(ComplexAttribute):
    """The address that they sign in with."""

    value: Annotated[str | None, Read] = None
    type: Annotated[str | None, Read] = Field(None, examples=["work"])
    primary: Annotated[bool | None, Read] = None


class GivenRole(ComplexAttribute):
    """What they may do in the company."""

    value: Annotated[str | None, Required.true] = Field(None, examples=list(GIVEN))


class InTeam(ComplexAttribute):
    """A team that they are in."""

    value: Annotated[str | None, Read, CaseExact.true] = None
    ref: Annotated[Reference["Group"] | None, Read] = Field(None, serialization_alias="$ref", validation_alias="$ref")
    display: Annotated[str | None, Read] = None


class User(Resource[Any]):
    """A person of the company."""

    __schema__ = URN("urn:ietf:params:scim:schemas:core:2.0:User")

    user_name: Annotated[str | None, Required.true, Mutability.immutable, Uniqueness.server] = None
    display_name: Annotated[str | None, Required.true] = None
    name: Annotated[WholeName | None, Required.true] = None
    active: Annotated[bool | None, Required.true] = None
    emails: Annotated[list[Address] | None, Read] = None
    roles: list[GivenRole] | None = None
    groups: Annotated[list[InTeam] | None, Read] = None


class TeamMate(ComplexAttribute):
    """Somebody who is in the team."""

    value: Annotated[str | None, Mutability.immutable, CaseExact.true] = None
    ref: Annotated[Reference["User"] | None, Mutability.immutable] = Field(
        None, serialization_alias="$ref", validation_alias="$ref"
    )


class Group(Resource[Any]):
    """A team of the company."""

    __schema__ = URN("urn:ietf:params:scim:schemas:core:2.0:Group")

    display_name: Annotated[str | None, Required.true] = None
    members: list[TeamMate] | None = None


KINDS: dict[str, type[Resource[Any]]] = {"User": User, "Group": Group}


def schemas(root: str) -> list[Schema]:
    """What each kind of record is made of (RFC 7643 section 7)."""
    found = []
    for name, kind in KINDS.items():
        schema = kind.to_schema()
        schema.name = name
        found.append(_placed(schema, "Schema", f"{root}/Schemas/{schema.id}"))
    return found


def resource_types(root: str) -> list[ResourceType]:
    """The kinds of record and where they are (RFC 7643 section 6)."""
    found = []
    for name, kind in KINDS.items():
        of = ResourceType.from_resource(kind)
        of.description = (kind.__doc__ or name).strip()
        found.append(_placed(of, "ResourceType", f"{root}/ResourceTypes/{name}"))
    return found


def service(root: str) -> ServiceProviderConfig:
    """What this service can do (RFC 7643 section 5)."""
    bearer = AuthenticationScheme(
        type=AuthenticationScheme.Type.oauthbearertoken,
        name="Provisioning key",
        description="A key with the scope “scim”, made by an admin for one company, as a bearer.",
        spec_uri=Reference[External]("https://www.rfc-editor.org/rfc/rfc6750"),
        primary=True,
    )
    config = ServiceProviderConfig(
        patch=Patch(supported=True),
        bulk=Bulk(supported=True, max_operations=MOST_OPERATIONS, max_payload_size=LARGEST_BULK),
        filter=Filter(supported=True, max_results=MOST),
        change_password=ChangePassword(supported=False),
        sort=Sort(supported=True),
        etag=ETag(supported=True),
        pagination=Pagination(cursor=False, index=True, default_page_size=100, max_page_size=MOST),
        authentication_schemes=[bearer],
    )
    return _placed(config, "ServiceProviderConfig", f"{root}/ServiceProviderConfig")


def _placed(document: Document, kind: str, location: str) -> Document:
    document.meta = Meta(resource_type=kind, location=location)
    return document
