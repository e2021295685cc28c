"""Requests of the API for a terminal, made from its description: with what they must hold and no more."""

import json
import re
from collections.abc import Mapping
from typing import Any

Document = Mapping[str, Any]
SHAPES = "#/components/schemas/"
SAMPLES: Mapping[str, Any] = {"string": "text", "integer": 7, "number": 7, "boolean": True, "null": None}
FORMATS: Mapping[str, Any] = {"date-time": "2026-12-01T09:00:00Z", "binary": b""}
SAID: Mapping[str, Any] = {
    "reason": "her calls do not ring",
    "email": "dan@dairy.example",
    "url": "https://hooks.dairy.example/",
    "redirect_uris": "https://phone.dairy.example/callback",
    "number": "101",
    "product": "Softphone",
    "digits": "123456",
    "app": "softphone",
    "name": "Dairy",
    "title": "Opening hours",
    "signals_uri": "https://phone.dairy.example/signals",
    "jwks": {"keys": []},
    "slug": "dairy",
    "host": "dairy.pbx.example",
    "token": "eyJ…",
}
"""What members of these names may hold."""


def example_of(document: Document, path: str, method: str, said: Document, *, keyless: bool) -> str:
    """The request for a terminal, with what it must hold and no more."""
    needed = [each for each in said.get("parameters", ()) if each["in"] == "query" and each.get("required")]
    query = "&".join(f"{each['name']}={_sample(document, each['schema'], each['name'])}" for each in needed)
    address = re.sub(r"{\w+}", "7", path) + (f"?{query}" if query else "")
    parts = ["curl" + ("" if method == "get" else f" -X {method.upper()}"), f'"$PANEL{address}"']
    if not keyless:
        parts.append('-H "Authorization: Bearer $KEY"')
    for media_type, content in (said.get("requestBody") or {}).get("content", {}).items():
        parts.append(f'-H "Content-Type: {media_type}"')
        sample = _sample(document, content.get("schema", {}), "")
        parts.append(
            "--data-binary @picture.png" if sample == b"" else f"-d '{json.dumps(sample, ensure_ascii=False)}'"
        )
    return " \\\n  ".join([" ".join(parts[:2]), *parts[2:]])


def _sample(document: Document, schema: Document, name: str) -> Any:
    """A value that would do: of an object what it must have, or its first member where it need have none."""
    if "$ref" in schema:
        return _sample(
            document, document.get("components", {}).get("schemas", {})[str(schema["$ref"]).removeprefix(SHAPES)], name
        )
    for several in ("oneOf", "anyOf"):
        if several in schema:
            return _sample(document, schema[several][0], name)
    if name in SAID and schema.get("type") in {"string", "object"}:
        return SAID[name]
    if "enum" in schema:
        return schema["enum"][0]
    members: Mapping[str, Document] = schema.get("properties", {})
    if members:
        needed = schema.get("required") or list(members)[:1]
        return {each: _sample(document, members[each], each) for each in members if each in needed}
    if schema.get("type") == "array":
        return [_sample(document, schema.get("items", {}), name)]
    if schema.get("type") == "object":
        return {}
    return FORMATS.get(str(schema.get("format")), SAMPLES.get(str(schema.get("type")), "text"))
