"""The API's description: valid, and fit for whatever writes a client from it."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from litestar import Litestar

OPERATION = re.compile(r"[a-z]+(?:[A-Z][a-z]*)+")
SHAPE = re.compile(r"(?:[A-Z][a-z]+)+")
LONGEST = 30


@pytest.fixture(scope="module")
def described(one_app: Litestar) -> dict[str, Any]:
    """As programs read it."""
    found: dict[str, Any] = json.loads(json.dumps(one_app.openapi_schema.to_schema()))
    return found


def operations(described: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in described["paths"].values():
        yield from path.values()


def test_it_is_valid(described: dict[str, Any]) -> None:
    assert described["openapi"].startswith("3.1")
    schemathesis.openapi.from_dict(described).validate()


def test_operations_are_called_by_what_they_do(described: dict[str, Any]) -> None:
    ids = Counter(each["operationId"] for each in operations(described))
    assert [name for name, times in ids.items() if times > 1] == []
    assert [name for name in ids if not OPERATION.fullmatch(name) or len(name) > LONGEST] == []


def test_shapes_have_names_and_say_what_they_are(described: dict[str, Any]) -> None:
    shapes = described["components"]["schemas"]
    assert [name for name in shapes if not SHAPE.fullmatch(name) or name.endswith("Shape")] == []
    assert [name for name, shape in shapes.items() if shape["title"] != name] == []
    objects = [name for name, shape in shapes.items() if "properties" in shape and not name.endswith("Page")]
    assert [name for name in objects if not shapes[name].get("description")] == []
    assert "its own" in shapes["App"]["properties"]["dpop"]["description"]


def test_everything_that_is_named_is_there(described: dict[str, Any]) -> None:
    for name in set(re.findall(r'"#/([^"]+)"', json.dumps(described))):
        place: Any = described
        for part in name.split("/"):
            place = place[part]


def test_every_operation_says_who_may_ask_how_much_and_what_it_is_about(described: dict[str, Any]) -> None:
    tags = {tag["name"]: tag["description"] for tag in described["tags"]}
    for each in operations(described):
        assert each["summary"], each
        assert each["description"], each
        assert all(tags[tag] for tag in each["tags"])
        assert {"200", "201", "204"} & set(each["responses"]), each["operationId"]
        assert {"401", "429"} <= set(each["responses"]), each["operationId"]
        told = json.dumps(each["responses"]["429"])
        assert "#/components/responses/TooMany" in told, each["operationId"]
        keyless = each["security"] == []
        assert keyless or each["security"] == [{"bearer": []}]
        assert keyless is (each["operationId"] == "exchangeToken")
    left = described["components"]["responses"]["TooMany"]["headers"]
    assert set(left) == {"RateLimit", "RateLimit-Policy", "Retry-After"}


def test_what_is_read_by_hand_is_told_too(described: dict[str, Any]) -> None:
    mint = described["paths"]["/api/sys/users/impersonate"]["get"]
    assert [each["name"] for each in mint["parameters"] if each.get("required")] == ["coworkerId"]
    picture = described["paths"]["/api/v1/tenants/{tenant_id}/logo"]["put"]["requestBody"]
    assert list(picture["content"]) == ["application/octet-stream"]
