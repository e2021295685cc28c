"""Many changes in one request (RFC 7644 section 3.7): each in a transaction of its own."""

import json
import re
from dataclasses import dataclass, field
from typing import Any

from litestar import Response, post
from pydantic import ValidationError
from scim2_models import (
    ConflictException,
    InvalidPathException,
    InvalidSyntaxException,
    InvalidValueException,
    PayloadTooLargeException,
    SCIMException,
)
from sqlalchemy.exc import IntegrityError

from control.answers import scim_error
from control.scim import groups, users
from control.scim.documents import LARGEST_BULK, MOST_OPERATIONS
from control.scim.doors import WRITES, Keeper
from control.scim.opening import Asked, answered, error_in, object_in, opened, root_of
from tenants.refusals import Refusal

KEEPERS: dict[str, Keeper] = {"Users": users, "Groups": groups}
METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_PATH = re.compile(r"/(Users|Groups)(?:/([^/]{1,120}))?")
_MEANT = re.compile(r'"bulkId:([^"]{1,120})"')


@dataclass
class Job:
    """The operations, what became of each, and the ids of what was made."""

    operations: list[dict[str, Any]]
    outcomes: dict[int, dict[str, Any]] = field(default_factory=dict)
    made: dict[str, str] = field(default_factory=dict)
    errors: int = 0

    def __post_init__(self) -> None:
        self.names = [set(_MEANT.findall(_text(operation))) for operation in self.operations]

    def able(self, index: int) -> bool:
        """Everything that the operation names by bulkId is made."""
        return self.names[index] <= self.made.keys()


@post("/Bulk", status_code=200, **WRITES)
async def do_many(request: Asked) -> Response[Any]:
    """Do them one by one. Beyond `failOnErrors` errors the rest is left undone."""
    raw = await request.body()
    if len(raw) > LARGEST_BULK:
        raise PayloadTooLargeException(detail=f"At most {LARGEST_BULK} bytes at once.")
    sent = object_in(raw)
    operations, most = sent.get("Operations"), sent.get("failOnErrors")
    if not isinstance(operations, list) or not all(isinstance(each, dict) for each in operations):
        raise InvalidSyntaxException(detail="Operations is a list of objects.")
    if len(operations) > MOST_OPERATIONS:
        raise PayloadTooLargeException(detail=f"At most {MOST_OPERATIONS} operations at once.")
    if most is not None and (not isinstance(most, int) or isinstance(most, bool) or most < 1):
        raise InvalidValueException(detail="failOnErrors is a whole number from 1 on.")
    job = Job(operations)
    await _do_all(request, job, most or len(operations) + 1)
    document = {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkResponse"],
        "Operations": [job.outcomes[index] for index in sorted(job.outcomes)],
    }
    return answered(document)


async def _do_all(request: Asked, job: Job, most: int) -> None:
    """In the order they came, but for those that wait for something that comes later."""
    left = list(range(len(job.operations)))
    while left and job.errors < most:
        # What nobody makes can never be done.
        index = next((each for each in left if job.able(each)), left[0])
        left.remove(index)
        job.outcomes[index] = await _do(request, job, index)


async def _do(request: Asked, job: Job, index: int) -> dict[str, Any]:
    """One operation; its outcome, whatever that is."""
    operation = job.operations[index]
    outcome = {key: operation[key] for key in ("method", "bulkId") if isinstance(operation.get(key), str)}
    at = _PATH.fullmatch(str(operation.get("path", "")))
    if at is not None and at[2] is not None and not at[2].startswith("bulkId:"):
        outcome["location"] = f"{root_of(request)}{at[0]}"
    try:
        if not job.able(index):
            raise ConflictException(detail="It names something by bulkId that was not made.")
        return outcome | await _done(request, job, operation)
    except (SCIMException, ValidationError) as problem:
        error = error_in(problem).model_dump()
    except Refusal as refusal:
        error = scim_error(refusal.status, refusal.sentence, refusal.rule)
    except IntegrityError:
        error = scim_error(409, "Somebody else did this at the same moment. Look again.", "conflict")
    job.errors += 1
    return outcome | {"status": str(error["status"]), "response": error}


async def _done(request: Asked, job: Job, operation: dict[str, Any]) -> dict[str, Any]:
    method, bulk_id = str(operation.get("method", "")).upper(), operation.get("bulkId")
    resolved = json.loads(_MEANT.sub(lambda found: json.dumps(job.made[found[1]]), _text(operation)))
    path = re.sub(r"/bulkId:([^/]+)$", lambda found: f"/{job.made.get(found[1], '')}", str(resolved.get("path", "")))
    match = _PATH.fullmatch(path)
    if match is None or method not in METHODS or (match[2] is None) != (method == "POST"):
        raise InvalidPathException(detail="POST goes to /Users or /Groups, the rest to one of them.")
    keeper, number, version = KEEPERS[match[1]], match[2], operation.get("version")
    data = resolved.get("data")
    if method != "DELETE" and not isinstance(data, dict):
        raise InvalidValueException(detail="data is an object.")
    if method == "POST" and (not isinstance(bulk_id, str) or not bulk_id):
        raise InvalidValueException(detail="A POST has a bulkId.")
    if method == "POST" and bulk_id in job.made:
        raise InvalidValueException(detail="This bulkId stands for something else already.")
    held = version if isinstance(version, str) else None
    async with opened(request, writes=True) as work:
        if method == "DELETE":
            await keeper.removed(work, number, held)
            return {"status": "204", "location": f"{work.root}{path}"}
        if method == "POST":
            number = await keeper.created(work, data)
        elif method == "PUT":
            await keeper.replaced(work, number, data, held)
        else:
            await keeper.changed(work, number, data, held)
        found = await keeper.shown(work, number)
    if method == "POST":
        job.made[str(bulk_id)] = number
    status = "201" if method == "POST" else "200"
    return {"status": status, "location": found.location, "version": found.version}


def _text(operation: dict[str, Any]) -> str:
    """What an operation says, without the name that it gives itself."""
    path = str(operation.get("path", ""))
    named = re.search(r"/bulkId:([^/]+)$", path)
    return json.dumps({"path": path, "data": operation.get("data"), "of": f"bulkId:{named[1]}" if named else ""})


ROUTES = [do_many]
