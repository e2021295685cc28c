"""Records as they are told: one document, its version and where it is; and what both kinds read from a request."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from scim2_models import Context, InvalidPathException, InvalidValueException, PatchOp, Resource, SearchRequest

from control.scim.documents import POLICY
from control.scim.opening import require_match, version_of
from tenants.refusals import Invalid, OutOfReach
from tenants.text import clean

MOST_CHANGES = 1_000
"""Operations in one PATCH."""
LONGEST_PATH = 500
EXTERNAL_LENGTH = 255

Kind = TypeVar("Kind", bound=Resource[Any])


@dataclass(frozen=True, slots=True)
class Told:
    """A record as it is answered."""

    document: dict[str, Any]
    version: str
    location: str


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of records."""

    total: int
    start: int
    items: Sequence[Told]


def told(resource: Resource[Any], asked: SearchRequest[Any] | None = None) -> Told:
    """The record with its version, and as much of it as was asked for."""
    whole = resource.model_dump(scim_ctx=Context.RESOURCE_QUERY_RESPONSE)
    version = version_of(whole)
    if resource.meta is None:
        raise OutOfReach
    resource.meta.version = version
    if asked is not None and (asked.attributes or asked.excluded_attributes):
        whole = resource.model_dump(scim_ctx=Context.RESOURCE_QUERY_RESPONSE, response_parameters=asked)
    else:
        whole["meta"]["version"] = version
    return Told(whole, version, str(resource.meta.location))


def require_version(resource: Resource[Any], header: str | None) -> None:
    """PreconditionFailedException (412) when If-Match means another version of it."""
    if header is not None:
        require_match(header, told(resource).version)


def patched(kind: type[Kind], resource: Kind, raw: dict[str, Any]) -> Kind:
    """The record as a PATCH would have it (RFC 7644 section 3.5.2); it is not written yet."""
    operations = next((each for key, each in raw.items() if key.lower() == "operations"), None)
    if isinstance(operations, list):
        if len(operations) > MOST_CHANGES:
            raise InvalidValueException(detail=f"At most {MOST_CHANGES} operations.")
        paths = [each.get("path") for each in operations if isinstance(each, dict)]
        if any(isinstance(path, str) and len(path) > LONGEST_PATH for path in paths):
            raise InvalidPathException(detail=f"A path has at most {LONGEST_PATH} characters.")
    asked = _patch_of(kind).model_validate(raw, scim_ctx=Context.RESOURCE_PATCH_REQUEST, scim_policy=POLICY)
    wanted = resource.model_copy(deep=True)
    asked.patch(wanted, scim_policy=POLICY)
    return wanted


@cache
def _patch_of(kind: type[Kind]) -> type[PatchOp[Kind]]:
    """Kept: the class of the message is made anew each time it is named."""
    return PatchOp[kind]  # type: ignore[valid-type]


def number_in(text: str | None) -> int:
    """The number of a record; OutOfReach for what cannot be one."""
    if text is None or not (text.isascii() and text.isdigit() and 0 < len(text) < 19):
        raise OutOfReach
    return int(text)


def external_id_in(resource: Resource[Any]) -> str | None:
    """What the provisioning system calls it."""
    if not resource.external_id:
        return None
    if len(resource.external_id) > EXTERNAL_LENGTH:
        raise Invalid(f"At most {EXTERNAL_LENGTH} characters.", field="externalId")
    return clean(resource.external_id, "externalId")
