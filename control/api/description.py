"""The API's description (OpenAPI 3.1): what the framework reads off the doors, made fit for whatever writes clients.

Operations are called by what they do (`listTenants`), shapes without a module in front, and every shape and member says
what its docstring says. Every answer tells how much may still be asked (control/rate_limits.py).
"""

import ast
import inspect
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any

from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Components, OpenAPI, SecurityScheme
from litestar.types import Method
from msgspec import Struct

SHAPES = "#/components/schemas/"
RESPONSES = "#/components/responses/"
PAGE_OF = re.compile(r"Listed_(?:.*\.)?(\w+?)_?")
EXACT = 2**53
"""Up to here every integer is a float too."""
REFUSED = {
    "400": "NoJson",
    "401": "NotSignedIn",
    "403": "NotPermitted",
    "404": "OutOfReach",
    "409": "InConflict",
    "422": "NotValid",
    "429": "TooMany",
}
"""What the refusals are called."""
DONE = {"200": "Done, or found.", "201": "Made.", "204": "Done. Nothing comes back."}
LEFT = ("RateLimit-Policy", "RateLimit")

ABOUT = """The control panel for programs.

A request carries an API key, a service account's token or a token of the token API as `Authorization: Bearer …`, and
sees what its membership reaches. Errors are `application/problem+json` (RFC 9457); `rule` names what refused. A change
takes an `Idempotency-Key`. A list is read on with `next` of its answer as `cursor`. `RateLimit` says how much may still
be asked in this minute."""

HEADERS = {
    "RateLimit-Policy": {
        "description": 'How much may be asked: `"key";q=6000;w=60` is 6000 requests in 60 seconds.',
        "schema": {"type": "string"},
    },
    "RateLimit": {
        "description": 'What is left of it: `"key";r=5999;t=60` is 5999 requests for 60 seconds more.',
        "schema": {"type": "string"},
    },
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}},
}


def operation_id(handler: HTTPRouteHandler, _method: Method, _path: Any) -> str:
    """The handler's own name, as programs write names: `list_tenants` is `listTenants`."""
    first, *rest = handler.handler_name.split("_")
    return first + "".join(word.title() for word in rest)


@dataclass
class Description(OpenAPIConfig):
    """The framework's settings for a description that is mended before it is shown."""

    def to_openapi_schema(self) -> OpenAPI:
        """The description without its paths, which the framework adds."""
        plain = super().to_openapi_schema()
        return _Mended(**{each.name: getattr(plain, each.name) for each in fields(plain)})


def components() -> Components:
    """How a program proves who it is."""
    bearer = SecurityScheme(
        type="http",
        scheme="bearer",
        description="An API key, a service account's token, or what the token API gave: it acts as one membership.",
    )
    return Components(security_schemes={"bearer": bearer})


class _Mended(OpenAPI):
    """The whole description."""

    def to_schema(self) -> dict[str, Any]:
        """As JSON."""
        document: dict[str, Any] = _exact(super().to_schema())
        shapes = document["components"]["schemas"]
        names = {name: name_of(name) for name in shapes}
        if len(set(names.values())) < len(names):
            raise ValueError("Two shapes of the API have one name.")
        said = dict(_docstrings())
        document = _renamed(document, names)
        document["components"]["schemas"] = {
            names[name]: _told(names[name], shape, said.get(name))
            for name, shape in zip(shapes, document["components"]["schemas"].values(), strict=True)
        }
        document["components"]["headers"] = HEADERS
        for path in document["paths"].values():
            for operation in path.values():
                for status, reply in operation["responses"].items():
                    reply["description"] = DONE.get(status, reply["description"])
                    named = (*LEFT, "Retry-After") if status == "429" else LEFT
                    more = {name: {"$ref": f"#/components/headers/{name}"} for name in named}
                    reply["headers"] = reply.get("headers", {}) | more
        document["components"]["responses"] = _said_once(document["paths"])
        return document


def _said_once(paths: dict[str, Any]) -> dict[str, Any]:
    """The refusals that most operations share, which then only name them."""
    operations = [operation for path in paths.values() for operation in path.values()]
    found: dict[str, Any] = {}
    for status, name in REFUSED.items():
        told = [
            json.dumps(each["responses"][status], sort_keys=True) for each in operations if status in each["responses"]
        ]
        if told:
            found[name] = json.loads(Counter(told).most_common(1)[0][0])
    for operation in operations:
        for status, reply in operation["responses"].items():
            if status in REFUSED and found[REFUSED[status]] == reply:
                operation["responses"][status] = {"$ref": RESPONSES + REFUSED[status]}
    return found


def name_of(shape: str) -> str:
    """`Listed_control.api.apps.AppShape_` is `AppPage`, `AppShape` is `App`."""
    listed = PAGE_OF.fullmatch(shape)
    return f"{name_of(listed[1])}Page" if listed else shape.removesuffix("Shape")


def _exact(value: Any) -> Any:
    """Limits of integers as integers; none beyond what every program's numbers hold."""
    if isinstance(value, dict):
        kept = {name: each for name, each in value.items() if not (name == "maximum" and _endless(each))}
        return {name: _exact(each) for name, each in kept.items()}
    if isinstance(value, list):
        return [_exact(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _endless(value: Any) -> bool:
    return isinstance(value, (int, float)) and value > EXACT


def _renamed(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str) and value["$ref"].startswith(SHAPES):
            return value | {"$ref": SHAPES + names[value["$ref"].removeprefix(SHAPES)]}
        return {name: _renamed(each, names) for name, each in value.items()}
    return [_renamed(each, names) for each in value] if isinstance(value, list) else value


def _told(name: str, shape: dict[str, Any], said: "Said | None") -> dict[str, Any]:
    """A shape with what its docstrings say."""
    told = shape | {"title": name}
    if said is None:
        return told
    members = {
        each: told["properties"][each] | ({"description": text} if text else {})
        for each, text in ((each, said.members.get(each)) for each in told.get("properties", {}))
    }
    return told | {"description": said.text} | ({"properties": members} if members else {})


@dataclass(frozen=True, slots=True)
class Said:
    """The docstrings of a shape: its own, and those of its members."""

    text: str
    members: dict[str, str]


def _docstrings() -> Iterator[tuple[str, Said]]:
    """What every shape of the API's modules says of itself: a member's docstring is the text that stands under it."""
    for name, module in sorted(sys.modules.items()):
        if name.startswith("control.api."):
            for each in ast.parse(inspect.getsource(module)).body:
                shape = vars(module).get(each.name) if isinstance(each, ast.ClassDef) else None
                if isinstance(each, ast.ClassDef) and inspect.isclass(shape) and issubclass(shape, Struct):
                    yield each.name, Said(ast.get_docstring(each) or "", dict(_members(each)))


def _members(shape: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for member, text in pairwise(shape.body):
        match member, text:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(said))):
                yield name, inspect.cleandoc(said)
