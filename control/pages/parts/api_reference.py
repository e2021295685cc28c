"""The API's own description (OpenAPI 3.1), taken apart for a page: nouns, routes, what goes in and what comes back."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Document = Mapping[str, Any]

METHODS = ("get", "post", "put", "patch", "delete")
SHAPES = "#/components/schemas/"
PAGE_OF = "Listed_"
"""How the description calls a page of a list: the name of the shape follows it, behind its module."""
ENDLESS = 2**53
"""A limit beyond this is one of the machine, and no rule."""


@dataclass(frozen=True, slots=True)
class Word:
    """A piece of what a value is; `shape` is the one on the same page that it names."""

    text: str
    shape: str | None = None


Words = tuple[Word, ...]


@dataclass(frozen=True, slots=True)
class Value:
    """A parameter, or a member of a shape."""

    name: str
    where: str
    """query, path or header; nothing for a member."""
    words: Words
    limits: tuple[str, ...]
    required: bool
    text: str


@dataclass(frozen=True, slots=True)
class Body:
    """What is sent, or comes back. `media_type` is empty where nothing is."""

    media_type: str
    words: Words


@dataclass(frozen=True, slots=True)
class Reply:
    """One of the answers to a request. `rule` is an example of what a refusal names."""

    status: str
    text: str
    rule: str | None
    body: Body


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path."""

    id: str
    method: str
    path: str
    summary: str
    paragraphs: tuple[str, ...]
    parameters: tuple[Value, ...]
    body: Body | None
    replies: tuple[Reply, ...]
    keyless: bool
    """No key is needed."""


@dataclass(frozen=True, slots=True)
class Noun:
    """The routes of one noun."""

    name: str
    operations: tuple[Operation, ...]

    @property
    def id(self) -> str:
        """Its place on the page."""
        return "noun-" + self.name.lower().replace(" ", "-")


@dataclass(frozen=True, slots=True)
class Shape:
    """An object that is sent or comes back, or one of a few texts."""

    name: str
    paragraphs: tuple[str, ...]
    members: tuple[Value, ...]
    words: Words
    """What it is, where it is no object."""


@dataclass(frozen=True, slots=True)
class Reference:
    """All of the description."""

    version: str
    nouns: tuple[Noun, ...]
    shapes: tuple[Shape, ...]


def reference_of(document: Document) -> Reference:
    """The page's content, in the order of the alphabet; within a noun by path, then reading before changing."""
    nouns: dict[str, list[Operation]] = {}
    for path, methods in sorted(document["paths"].items()):
        for method in METHODS:
            if method in methods:
                said = methods[method]
                for tag in said.get("tags") or ["other"]:
                    nouns.setdefault(tag, []).append(_operation(path, method, said))
    shapes = document.get("components", {}).get("schemas", {})
    return Reference(
        version=str(document["info"]["version"]),
        nouns=tuple(Noun(name, tuple(nouns[name])) for name in sorted(nouns, key=str.lower)),
        shapes=tuple(_shape(name, said) for name, said in sorted(shapes.items()) if not name.startswith(PAGE_OF)),
    )


def _operation(path: str, method: str, said: Document) -> Operation:
    body = said.get("requestBody")
    return Operation(
        id=str(said.get("operationId") or f"{method}{path}"),
        method=method.upper(),
        path=path,
        summary=str(said.get("summary", "")),
        paragraphs=_paragraphs(said),
        parameters=tuple(_parameter(each) for each in said.get("parameters", ())),
        body=_body(body) if body else None,
        replies=tuple(_reply(status, each) for status, each in sorted(said.get("responses", {}).items())),
        keyless=not said.get("security"),
    )


def _parameter(said: Document) -> Value:
    schema = said.get("schema", {})
    text = said.get("description") or schema.get("description") or ""
    return Value(said["name"], said["in"], words_of(schema), limits_of(schema), bool(said.get("required")), str(text))


def _body(said: Document) -> Body:
    for media_type, content in said.get("content", {}).items():
        return Body(media_type, words_of(content.get("schema", {})))
    return Body("", ())


def _reply(status: str, said: Document) -> Reply:
    rule = None
    for content in said.get("content", {}).values():
        for example in content.get("examples", {}).values():
            named = example.get("value", {}).get("rule")
            # Where no rule refused, the description repeats the status.
            rule = rule or (named if named != status else None)
    return Reply(status, str(said.get("description", "")), rule, _body(said))


def _shape(name: str, said: Document) -> Shape:
    required = set(said.get("required", ()))
    members = tuple(
        Value(each, "", words_of(schema), limits_of(schema), each in required, str(schema.get("description", "")))
        for each, schema in said.get("properties", {}).items()
    )
    return Shape(name, _paragraphs(said), members, () if members else words_of(said))


def _paragraphs(said: Document) -> tuple[str, ...]:
    texts = str(said.get("description") or "").split("\n\n")
    return tuple(" ".join(text.split()) for text in texts if text.strip())


def words_of(schema: Document) -> Words:
    """What a value is, in words: `text or null`, `list of Named`."""
    return tuple(_words(schema))


def _words(schema: Document) -> Iterator[Word]:
    if "$ref" in schema:
        yield from _named(str(schema["$ref"]).removeprefix(SHAPES))
    elif "const" in schema or "enum" in schema:
        values = schema.get("enum", [schema.get("const")])
        yield Word(", ".join(f"“{value}”" if isinstance(value, str) else str(value).lower() for value in values))
    elif "oneOf" in schema or "anyOf" in schema:
        yield from _one_of([_words(each) for each in schema.get("oneOf") or schema["anyOf"]])
    elif isinstance(schema.get("type"), list):
        yield from _one_of([_words({**schema, "type": each}) for each in schema["type"]])
    elif schema.get("type") == "array":
        yield Word("list of ")
        yield from _words(schema.get("items", {}))
    elif isinstance(schema.get("additionalProperties"), Mapping):
        yield Word("object: name to ")
        yield from _words(schema["additionalProperties"])
    else:
        yield Word(_simple(schema))


def _one_of(several: list[Iterator[Word]]) -> Iterator[Word]:
    for number, words in enumerate(several):
        if number:
            yield Word(" or ")
        yield from words


def _named(name: str) -> Iterator[Word]:
    if name.startswith(PAGE_OF):
        yield Word("page of ")
        name = name.removeprefix(PAGE_OF).rstrip("_").rpartition(".")[2]
    yield Word(name, name)


def _simple(schema: Document) -> str:
    formats = {"date-time": "time", "uri": "address", "binary": "bytes"}
    types = {"string": "text", "integer": "number", "number": "number", "boolean": "true or false", "null": "null"}
    said = str(schema.get("type", "anything"))
    return formats.get(str(schema.get("format")), types.get(said, said))


def limits_of(schema: Document) -> tuple[str, ...]:
    """How long or large it may be, and what it is when it is left out."""
    found = []
    for name, words in (("minLength", "at least {} characters"), ("maxLength", "at most {} characters")):
        if name in schema:
            found.append(words.format(schema[name]))
    for name, words in (("minItems", "at least {} of them"), ("maxItems", "at most {} of them")):
        if name in schema:
            found.append(words.format(schema[name]))
    for name, words in (("minimum", "from {}"), ("maximum", "to {}")):
        if name in schema and abs(schema[name]) < ENDLESS:
            found.append(words.format(f"{schema[name]:g}"))
    if schema.get("default") is not None:
        default = schema["default"]
        found.append(f"otherwise {str(default).lower() if isinstance(default, bool) else default}")
    return tuple(found)
