"""The API's documentation: a page for each noun of our own description, for everybody, without a script of others."""

import re
from html import unescape
from typing import Any

import pytest

from control.pages.parts.api_reference import Reference, limits_of, reference_of, words_of
from tests.control.pages.visit import Panel


def document(panel: Panel) -> dict[str, Any]:
    """The description, as programs read it."""
    return panel.app.openapi_schema.to_schema()


async def test_whoever_is_not_signed_in_finds_every_route(panel: Panel) -> None:
    index = unescape((await panel.stranger().open("/api-docs")).text)
    for path, methods in document(panel)["paths"].items():
        for method, said in methods.items():
            noun = said["tags"][0].lower().replace(" ", "-")
            assert f'href="/api-docs/{noun}#{said["operationId"]}">{method.upper()} {path}</a>' in index


async def test_every_noun_has_a_page_on_which_nothing_leads_nowhere(panel: Panel) -> None:
    stranger, said = panel.stranger(), document(panel)
    for tag in said["tags"]:
        answer = await stranger.open(f"/api-docs/{tag['name'].lower().replace(' ', '-')}")
        text, ids = unescape(answer.text), re.findall(r' id="([^"]+)"', answer.text)
        assert (answer.status_code, tag["description"] in text) == (200, True)
        assert set(re.findall(r'href="#([^"]+)"', text)) <= {*ids, "main"}
        assert len(ids) == len(set(ids)), "an id stands for one place"
        mine = [each for path in said["paths"].values() for each in path.values() if tag["name"] in each["tags"]]
        assert {each["operationId"] for each in mine} <= set(ids)
    assert (await stranger.open("/api-docs/spoons")).status_code == 404


async def test_words_find_a_route(panel: Panel) -> None:
    stranger = panel.stranger()
    assert "POST /api/v1/tenants/{tenant_id}/suspension" in (await stranger.open("/api-docs?q=suspend+tenant")).text
    assert "No route holds these words" in (await stranger.open("/api-docs?q=spoons")).text


async def test_refusals_are_told_with_the_rule_that_refuses(panel: Panel) -> None:
    text = (await panel.stranger().open("/api-docs/bindings")).text
    assert "Out of reach, or not there at all: never told apart." in text
    assert re.search(r'<th scope="row">404</th><td class="mono">reach</td>', text)


async def test_an_example_holds_what_it_must(panel: Panel) -> None:
    text = unescape((await panel.stranger().open("/api-docs/bindings")).text)
    assert 'curl -X POST "$PANEL/api/v1/bindings"' in text
    assert """-d '{"user": 7, "extension": 7}'""" in text


async def test_nothing_is_fetched_from_elsewhere(panel: Panel) -> None:
    for path in ("/api-docs", "/api-docs/bindings"):
        answer = await panel.stranger().open(path)
        assert "script-src 'self'" in answer.headers["content-security-policy"]
        assert not re.findall(r'(?:src|href)="(?:https?:)?//', answer.text)
        assert "<style" not in answer.text
        assert " style=" not in answer.text


async def test_olaf_finds_it_where_his_keys_are(panel: Panel) -> None:
    olaf = await panel.visit("Olaf", "/account")
    assert 'href="/api-docs"' in olaf.shown.text
    assert 'href="/account#keys"' in (await olaf.open("/api-docs")).text


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "string", "format": "date-time"}, "time"),
        ({"oneOf": [{"type": "integer"}, {"type": "null"}]}, "number or null"),
        ({"type": ["string", "null"]}, "text or null"),
        ({"type": "array", "items": {"$ref": "#/components/schemas/Named"}}, "list of Named"),
        ({"$ref": "#/components/schemas/BindingPage"}, "BindingPage"),
        ({"enum": ["look", "full"], "type": "string"}, "“look”, “full”"),
        ({"const": True}, "true"),
        ({"type": "object", "additionalProperties": {"type": "boolean"}}, "object: name to true or false"),
        ({}, "anything"),
    ],
)
def test_a_value_is_said_in_words(schema: dict[str, Any], said: str) -> None:
    assert "".join(word.text for word in words_of(schema)) == said


def test_limits_are_those_of_a_rule_and_not_of_the_machine() -> None:
    assert limits_of({"minimum": 1, "maximum": 200.0, "default": 50}) == ("from 1", "to 200", "otherwise 50")
    assert limits_of({"minimum": 1, "maximum": 2**63 - 1}) == ("from 1",)
    assert limits_of({"maxLength": 9, "default": False}) == ("at most 9 characters", "otherwise false")


def test_a_description_with_next_to_nothing_in_it_is_a_page_too() -> None:
    told: Reference = reference_of({"info": {"version": "1"}, "paths": {"/x": {"get": {}}}})
    (noun,) = told.nouns
    assert (noun.name, noun.operations[0].method, noun.operations[0].keyless) == ("other", "GET", True)
    assert noun.shapes == ()
