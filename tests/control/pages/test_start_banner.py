"""The red bar stands on every page of somebody who stands in, whatever the page says, and holds nothing but text."""

import re
import shutil
from collections.abc import AsyncIterator

import pytest
import structlog

from bindings.impersonation import Asked, Impersonation
from control.settings import Settings
from control.visitor import Visitor
from tenants.actor import Actor, Via
from tenants.people import User, find_membership
from tenants.sign_in import SignIn
from tenants.store import Store
from tenants.tree import Tenant
from tests.cast import NOW, ORIGIN, house_work, work_as
from tests.conftest import Template
from tests.control.pages.test_standing_in import RED, STOP, WHY, become
from tests.control.scene import Scene, Who, set_scene
from tests.control.visits import House
from tests.intent import INTENT

EVIL = '<img src=x onerror="alert(1)">&amp;'
AS_THEM = "standing in"


@pytest.fixture(scope="module")
async def scene(sqlite_template: Template, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    """Every route, and Olaf at a browser as Boris."""
    folder = tmp_path_factory.mktemp("banner")
    shutil.copyfile(sqlite_template.name, folder / "understudy.db")
    url = f"sqlite:///{folder}/understudy.db"
    settings = Settings.load({"UNDERSTUDY_DATABASE_URL": url, "UNDERSTUDY_DATA_DIR": str(folder)})
    scene, rehearsal = await set_scene(url, sqlite_template.cast, settings)
    store, cast = Store(url), sqlite_template.cast
    olaf, boris = cast.identity("Olaf"), cast.identity("Boris")
    async with house_work(store) as session:
        sign_in, cookie = await SignIn.start(session, olaf, ORIGIN, "a browser", NOW)
    actor = Actor.of(olaf, ORIGIN, sign_in_id=sign_in.id)
    async with work_as(store, actor) as session:
        there = await find_membership(session, boris.membership_id)
        stand = await Impersonation.start(session, actor, there, Asked.of(WHY), NOW)
    await store.close()
    as_them = Actor(olaf, boris, Via.IMPERSONATION, ORIGIN, stand_in_id=stand.id)
    visitor = Visitor(ORIGIN, NOW, as_them, csrf_seed=sign_in.csrf_secret, stand_in=stand)
    scene.people[AS_THEM] = Who(boris.user_id, None, cookie, visitor.csrf(settings), visitor.acting_id)
    with structlog.testing.capture_logs():
        yield scene
    await scene.client.aclose()
    await rehearsal.close()


async def test_t62_b34_no_page_of_any_route_is_without_it(scene: Scene) -> None:
    """Read off the route table, so that a new page is held to it too."""
    bare, shown = [], set()
    for route, handler in scene.routes().items():
        line = INTENT.get(route)
        # Who comes by no cookie is nobody here who could stand in.
        if line is None or handler.opt.get("credential", "cookie") != "cookie":
            continue
        answer = await scene.knock(AS_THEM, route, line, scene.places["Bakery"])
        if "text/html" in answer.headers.get("content-type", "") and answer.text.strip():
            shown.add(answer.status_code)
            if RED not in answer.text or "Olaf Olsen" not in answer.text:
                bare.append(f"{route}: {answer.status_code}")
    assert bare == []
    assert {200, 403, 404, 409, 422} <= shown


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
