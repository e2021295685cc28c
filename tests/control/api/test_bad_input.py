"""Bad input: whatever is sent, a clean 4xx that says what to do, nothing changed, never our fault."""

from typing import Any, get_args

import pytest
import sqlalchemy as sa

from control.paging import cursor_of
from tenants.trail import Entry
from tests.cast import house_work
from tests.conftest import ON_BOTH
from tests.control.api.conftest import Api, Program, doors

HOSTILE: list[Any] = [
    None,
    True,
    -1,
    0,
    2**63,
    2**200,
    1.5,
    "",
    "\x00",
    "' OR 1=1 --",
    "\u202egnp.exe",
    "x" * 5000,
    [],
    [[]],
    {"id": 1},
    "9999-12-31T23:59:59-10:00",
    "0001-01-01T00:00:00+10:00",
    "2026-11-21",
]

QUERIES = ["\x00", "9" * 23, "%", "x" * 3000, "\ud7ff"]


def filled(path: str, number: object) -> str:
    """The address with its ids filled in."""
    return "/".join(str(number) if part.startswith("{") else part for part in path.split("/"))


async def entries(api: Api) -> int:
    async with house_work(api.store) as session:
        return int((await session.execute(sa.select(sa.func.count()).select_from(Entry))).scalar_one())


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: ascii(value)[:30])
async def test_no_value_of_any_field_is_our_fault(api: Api, value: Any) -> None:
    """Each change of a record that exists is sent this one value in every field."""
    ada = await api.as_("Ada")
    for method, path, handler in doors(api.app):
        body = handler.parsed_fn_signature.parameters.get("data")
        if body is None:
            continue
        # A body that may be left out is one shape or nothing.
        shape = next(iter(get_args(body.annotation)), body.annotation)
        fields = shape.__struct_fields__
        for sent in (dict.fromkeys(fields, value), *({name: value} for name in fields if method == "PATCH")):
            answer = await ada.send(method, filled(path, 1), sent)
            assert answer.status_code < 500, (method, path, sent, answer.text)


@ON_BOTH
@pytest.mark.parametrize("value", QUERIES, ids=lambda value: ascii(value)[:20])
async def test_no_query_is_our_fault(api: Api, value: str) -> None:
    ada = await api.as_("Ada")
    for method, path, handler in doors(api.app):
        names = {*handler.parsed_fn_signature.parameters, "q", "cursor", "sort"} - {"session", "request", "listing"}
        for name in names if method == "GET" and "{" not in path else ():
            answer = await ada.client.get(path, params={name: value}, headers=headers_of(ada))
            assert answer.status_code < 500, (path, name, answer.text)


def headers_of(program: Program) -> dict[str, str]:
    return {"Authorization": f"Bearer {program.secret}"}


NO_IDS = ["0", "-1", "9" * 30, "9" * 5000, "1.5", "abc", "%00", "1%2F2", "٣٣٣"]


async def test_an_id_that_cannot_be_one_is_not_found(api: Api) -> None:
    ada = await api.as_("Ada")
    for method, path, _ in doors(api.app):
        for number in NO_IDS if "{" in path and method == "GET" else ():
            answer = await ada.send(method, filled(path, number))
            assert answer.status_code == 404, (method, path, number, answer.text)


async def test_a_huge_id_reads_as_a_foreign_one(api: Api) -> None:
    olaf = await api.as_("Olaf")
    foreign = (await olaf.get(f"/tenants/{api.cast.tenant('Zoo').id}")).json()
    huge = (await olaf.get("/tenants/99999999999999999999999")).json()
    assert {**foreign, "instance": ""} == {**huge, "instance": ""}


@ON_BOTH
async def test_a_number_that_its_column_cannot_hold_is_none_of_ours(api: Api) -> None:
    """PostgreSQL takes nothing beyond 32 bits for the number of a version."""
    ada, bakery = await api.as_("Ada"), api.cast.tenant("Bakery").id
    written = await ada.post("/playbooks", {"tenant": bakery, "title": "Answering", "body": "Say who you are."})
    versions = f"/playbooks/{written.json()['id']}/versions"
    assert (await ada.get(f"{versions}/1")).status_code == 200
    assert (await ada.get(f"{versions}/801189966488")).status_code == 404
    above = await ada.get(f"{versions}?cursor={cursor_of('-number', 2**40, 1)}")
    assert [each["number"] for each in above.json()["items"]] == [1]


NO_BODIES = [b"", b"{", b"null", b"[]", b'"x"', b"\xff\xfe", b"[" * 100_000, b'{"name": "\\ud800"}', b'{"a":1,"a":2}']


async def test_a_body_that_is_none_is_refused_and_changes_nothing(api: Api) -> None:
    ada = await api.as_("Ada")
    before = await entries(api)
    for content in NO_BODIES:
        answer = await ada.send("POST", "/teams", content=content)
        assert answer.status_code in {400, 422}, content[:20]
    assert await entries(api) == before


CURSORS = [
    "eyJzIjogIm5hbWUiLCAibiI6IDEsICJ2IjogW119",
    "eyJzIjogIm5hbWUiLCAibiI6IDEsICJ2IjogIlx1MDAwMCJ9",
    "eyJzIjogIm5hbWUiLCAibiI6IDFlMzAsICJ2IjogIngifQ",
    "eyJzIjogIm5hbWUiLCAibiI6IDEsICJ2IjogIlx1ZDgwMCJ9",
    "W10",
    "AAAA",
]


async def test_a_cursor_of_ones_own_making_is_refused(api: Api) -> None:
    ada = await api.as_("Ada")
    for cursor in CURSORS:
        answer = await ada.get(f"/tenants?cursor={cursor}")
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "cursor")


async def test_a_misspelt_field_is_named(api: Api) -> None:
    answer = await (await api.as_("Olaf")).patch(f"/tenants/{api.cast.tenant('Bakery').id}", {"nmae": "Bakery 2"})
    assert answer.status_code == 422
    assert "nmae" in answer.json()["detail"]


async def test_an_upload_larger_than_it_may_be_is_refused(api: Api) -> None:
    answer = await (await api.as_("Olaf")).send("POST", "/teams", content=b"x" * (2 * 1024 * 1024 + 1))
    assert answer.status_code == 413


async def test_a_key_opens_nothing_once_it_is_spent(api: Api) -> None:
    olaf = await api.as_("Olaf")
    api.clock.pass_(days=90)
    answer = await olaf.get("/me")
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, 'Bearer realm="understudy"')


async def test_no_other_authorization_opens_anything(api: Api) -> None:
    for said in ["", "Bearer", "Bearer ", "Basic abc", "Bearer understudy_", "Bearer x" + "y" * 9000]:
        answer = await api.client.get("/api/v1/me", headers={"Authorization": said})
        assert answer.status_code == 401
