"""The API's own description (OpenAPI 3.1), taken apart for pages: nouns, routes, what goes in and what comes back."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from control.pages.parts.api_examples import SHAPES, Document, example_of

METHODS = ("get", "post", "put", "patch", "delete")
RESPONSES = "#/components/responses/"
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
    example: str
    """The same for a terminal."""


@dataclass(frozen=True, slots=True)
class Noun:
    """The routes of one noun, and every shape that they speak of."""

    name: str
    text: str
    operations: tuple[Operation, ...]
    shapes: "tuple[Shape, ...]"

    @property
    def slug(self) -> str:
        """Its place among the pages."""
        return self.name.lower().replace(" ", "-")


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

    def noun(self, slug: str) -> Noun | None:
        """The noun with this address."""
        return next((noun for noun in self.nouns if noun.slug == slug), None)


def reference_of(document: Document) -> Reference:
    """The pages' content, in the order of the alphabet; within a noun by path, then reading before changing."""
    operations: dict[str, list[Operation]] = {}
    for path, methods in sorted(document["paths"].items()):
        for method in METHODS:
            if method in methods:
                said = methods[method]
                for tag in said.get("tags") or ["other"]:
                    operations.setdefault(tag, []).append(_operation(document, path, method, said))
    shapes = {name: _shape(name, said) for name, said in _shapes(document).items()}
    texts = {tag["name"]: str(tag.get("description", "")) for tag in document.get("tags", ())}
    return Reference(
        version=str(document["info"]["version"]),
        nouns=tuple(
            Noun(name, texts.get(name, ""), tuple(operations[name]), _spoken_of(operations[name], shapes))
            for name in sorted(operations, key=str.lower)
        ),
    )


def _shapes(document: Document) -> Mapping[str, Document]:
    found: Mapping[str, Document] = document.get("components", {}).get("schemas", {})
    return found


def _spoken_of(operations: Iterable[Operation], shapes: Mapping[str, Shape]) -> tuple[Shape, ...]:
    """The shapes that these routes name, and those that such a shape names, by name."""
    found: dict[str, Shape] = {}
    wanted = [name for operation in operations for name in _named_by(operation)]
    while wanted:
        name = wanted.pop()
        if name in shapes and name not in found:
            found[name] = shapes[name]
            wanted += _names([shapes[name].words, *(member.words for member in shapes[name].members)])
    return tuple(found[name] for name in sorted(found))


def _named_by(operation: Operation) -> Iterator[str]:
    bodies = [reply.body for reply in operation.replies] + ([operation.body] if operation.body else [])
    words = [body.words for body in bodies] + [parameter.words for parameter in operation.parameters]
    return _names(words)


def _names(several: Iterable[Words]) -> Iterator[str]:
    return (word.shape for words in several for word in words if word.shape)


def _operation(document: Document, path: str, method: str, said: Document) -> Operation:
    body = said.get("requestBody")
    keyless = not said.get("security")
    return Operation(
        id=str(said.get("operationId") or f"{method}{path}"),
        method=method.upper(),
        path=path,
        summary=str(said.get("summary", "")),
        paragraphs=_paragraphs(said),
        parameters=tuple(_parameter(each) for each in said.get("parameters", ())),
        body=_body(body) if body else None,
        replies=tuple(_reply(document, status, each) for status, each in sorted(said.get("responses", {}).items())),
        keyless=keyless,
        example=example_of(document, path, method, said, keyless=keyless),
    )


def _parameter(said: Document) -> Value:
    schema = said.get("schema", {})
    text = said.get("description") or schema.get("description") or ""
    return Value(said["name"], said["in"], words_of(schema), limits_of(schema), bool(said.get("required")), str(text))


def _body(said: Document) -> Body:
    for media_type, content in said.get("content", {}).items():
        return Body(media_type, words_of(content.get("schema", {})))
    return Body("", ())


def _reply(document: Document, status: str, said: Document) -> Reply:
    rule = None
    if "$ref" in said:
        said = document["components"]["responses"][str(said["$ref"]).removeprefix(RESPONSES)]
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
        name = str(schema["$ref"]).removeprefix(SHAPES)
        yield Word(name, name)
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
