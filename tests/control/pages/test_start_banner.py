"""The red bar stands on every page of somebody who stands in, whatever the page says, and holds nothing but text."""

import re

import pytest

from tenants.people import User
from tenants.tree import Tenant
from tests.cast import house_work
from tests.control.pages.test_standing_in import RED, STOP, become
from tests.control.visits import House

EVIL = '<img src=x onerror="alert(1)">&amp;'


@pytest.mark.parametrize(
    ("path", "status"),
    [("/home", 200), ("/account", 403), ("/users/999999", 404), ("/nowhere", 404), ("/users?state=odd", 422)],
)
async def test_t62_errors_have_it_too(pages: House, path: str, status: int) -> None:
    olaf = await pages.visit("Olaf")
    await become(olaf, pages, "Boris", at="Bakery")
    page = await olaf.get(path, status=status)
    assert RED in page
    assert f'action="{STOP}"' in page
    assert "<title>(as Boris Birch)" in page


async def test_t62_and_so_has_a_fault_of_ours(pages: House, monkeypatch: pytest.MonkeyPatch) -> None:
    olaf = await pages.visit("Olaf")
    await become(olaf, pages, "Bea", at="Bakery")

    def broken(*_: object) -> str:
        raise RuntimeError("ours")

    monkeypatch.setattr("control.pages.find.words_in", broken)
    page = await olaf.get("/find?q=x", status=500)
    assert RED in page
    assert f'action="{STOP}"' in page


async def test_t62_a_form_of_another_tab_is_refused_with_it(pages: House) -> None:
    olaf = await pages.visit("Olaf")
    await become(olaf, pages, "Boris", at="Bakery")
    answer = await olaf.visit.http.post("/teams/new", data={"name": "x"}, headers={"Accept": "text/html"})
    assert answer.status_code == 409
    assert RED in answer.text


async def test_t63_names_are_text_in_it_whatever_they_hold(pages: House) -> None:
    async with house_work(pages.store, pages.clock.now) as session:
        bea = await session.get_one(User, pages.cast.user("Bea").id)
        await bea.change(session, name=EVIL)
        bakery = await session.get_one(Tenant, pages.cast.tenant("Bakery").id)
        await bakery.change(session, name=EVIL)
    olaf = await pages.visit("Olaf")
    number = pages.cast.membership_id("Bea", at="Bakery")
    asked = await olaf.get(f"/impersonations/new?membership={number}")
    await become(olaf, pages, "Bea", at="Bakery")
    for page in (asked, await olaf.get("/home"), await olaf.get("/users/999999", status=403)):
        assert "<img src=x" not in page
        assert "&lt;img src=x onerror=" in page
    pages.clock.pass_(minutes=20)
    assert "<img src=x" not in await olaf.get("/home", status=409)
    title = re.search(r"<title>.*?</title>", asked)
    assert title is not None
    assert "<img" not in title[0]


@pytest.mark.parametrize(
    "path", ["/account", "/account/second-factor", "/account/passkeys", "/users/new", "/apps/new", "/account/email"]
)
async def test_b35_what_asks_for_a_proof_says_stop_first_and_asks_for_no_password(pages: House, path: str) -> None:
    olaf = await pages.visit("Olaf")
    await become(olaf, pages, "Boris", at="Bakery")
    pages.clock.pass_(minutes=16)
    page = await olaf.get(path, status=403)
    assert "Stop impersonating first" in page
    assert 'type="password"' not in page


async def test_b35_a_form_that_asks_for_a_proof_says_so_too(pages: House) -> None:
    olaf = await pages.visit("Olaf")
    await become(olaf, pages, "Boris", at="Bakery")
    pages.clock.pass_(minutes=16)
    bakery = pages.cast.tenant("Bakery").id
    await olaf.visit.open("/home")
    answer = await olaf.visit.send("/apps/new", {"name": "New", "redirect_uris": "https://new.example/", "type": "web"})
    assert answer.status_code == 403
    assert "Stop impersonating first" in answer.text
    assert (await olaf.visit.send(f"/companies/{bakery}/discard", {"slug": "bakery"})).status_code == 403
