"""Every route for somebody who stands in, against what tests/intent.py says is open to that, and lent by whom."""

import re
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import httpx
import pytest
import structlog

from bindings.impersonation import Asked, Impersonation
from control.settings import Settings
from control.visitor import Visitor
from tenants.actor import Actor, Via
from tenants.people import find_membership
from tenants.sign_in import SignIn
from tenants.store import Store
from tests.cast import NOW, ORIGIN, house_work, work_as
from tests.conftest import Template
from tests.control.pages.test_standing_in import RED
from tests.control.scene import Scene, Who, records_named, set_scene
from tests.control.test_intent import expected, names, places_for
from tests.intent import EVERYBODY, INTENT, KNOWS, OPEN_TO_STAND_INS, Line

SAFE = ("GET", "HEAD", "OPTIONS")
TABLE = "standing in"
"""How the scene calls who stands in."""

STARTS = frozenset({"GET /impersonations/new", "POST /impersonations"})
REVEALS = frozenset({"GET /recordings/{recording_id}/reveal", "POST /recordings/{recording_id}/reveal"})
"""Closed to who only looks, whatever the method."""
WAYS_OUT = frozenset(
    {
        "POST /impersonations/stop",
        "POST /impersonations/over",
        "POST /stop/{ticket}",
        "POST /sign-out",
        "POST /oauth/logout/confirmed",
        "POST /oauth/authorize/as",
        "POST /prove",
        "POST /prove/passkey",
    }
)
"""Open to who only looks, too: to leave, and to answer an app."""
MANAGING = frozenset(
    {
        "GET /companies/{tenant_id}/webhooks",
        "GET /webhooks/{webhook_id}",
        "GET /companies/{tenant_id}/edit",
        "POST /companies/{tenant_id}/edit",
        "GET /companies/{tenant_id}/members/{membership_id}/end",
        "POST /companies/{tenant_id}/members/{membership_id}/end",
        "GET /teams/new",
        "POST /teams/new",
        "POST /teams/{team_id}",
        "POST /teams/{team_id}/members/{membership_id}/remove",
        "POST /teams/{team_id}/discard",
        "GET /invitations",
        "POST /invitations/{invitation_id}/revoke",
        "GET /letters",
    }
)
"""Managing people and tenants: an operator lends none of it."""

SENT = {
    # Only the name changes, or the note; what else the form says is as it is.
    "POST /companies/{tenant_id}/edit": {"name": "Renamed", "slug": "bakery", "zone": "Etc/UTC"},
    "POST /phone-systems/{system_id}": {"name": "Renamed", "host": "bakery.pbx.example"},
    "POST /extensions/{extension_id}": {"name": "Renamed", "membership": "$member"},
    "POST /numbers/{number_id}": {"note": "Theirs", "extension": "$spare"},
}
WIDENED = {
    "POST /companies/{tenant_id}/edit": {"name": "Bakery", "slug": "elsewhere", "zone": "Etc/UTC"},
    "POST /phone-systems/{system_id}": {"name": "Bakery PBX", "host": "elsewhere.example"},
    "POST /extensions/{extension_id}": {"name": "Renamed", "membership": "$colleague"},
    "POST /numbers/{number_id}": {"note": "Theirs", "extension": "$extension"},
}
"""The same forms with an address of the company, a host, a person or a destination."""


@dataclass(frozen=True)
class Case:
    """Who stands in for whom at Bakery, and how."""

    actor: str
    subject: str
    mode: str = "full"

    def lends(self, route: str, line: Line) -> bool:
        """Whether the actor's role lends what the route asks for (product.md section 3)."""
        if self.actor == "Olaf" or line.always is not None:
            return True
        if self.actor == "Opal":
            return route not in MANAGING
        return line.who == EVERYBODY


CASES = (
    Case("Olaf", "Boris"),
    Case("Olaf", "Bea"),
    Case("Opal", "Boris"),
    Case("Bruno", "Bea"),
    Case("Olaf", "Boris", "look"),
)


@pytest.fixture(scope="module", params=CASES, ids=lambda case: f"{case.actor} as {case.subject}, {case.mode}")
def case(request: pytest.FixtureRequest) -> Case:
    """Who is whom."""
    found: Case = request.param
    return found


@pytest.fixture(scope="module")
async def scene(
    case: Case, sqlite_template: Template, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Scene]:
    """A scene in which one of them stands in, in a browser of their own."""
    folder = tmp_path_factory.mktemp("standing-in")
    shutil.copyfile(sqlite_template.name, folder / "understudy.db")
    url = f"sqlite:///{folder}/understudy.db"
    settings = Settings.load({"UNDERSTUDY_DATABASE_URL": url, "UNDERSTUDY_DATA_DIR": str(folder)})
    scene, rehearsal = await set_scene(url, sqlite_template.cast, settings)
    scene.people[TABLE] = await stood_in(url, sqlite_template, settings, case)
    with structlog.testing.capture_logs():
        yield scene
    await scene.client.aclose()
    await rehearsal.close()


async def stood_in(url: str, template: Template, settings: Settings, case: Case) -> Who:
    """Somebody at a browser as somebody else."""
    store, cast = Store(url), template.cast
    who, subject = cast.identity(case.actor), cast.identity(case.subject, at="Bakery")
    async with house_work(store) as session:
        sign_in, cookie = await SignIn.start(session, who, ORIGIN, "a browser", NOW)
    async with work_as(store, Actor.of(who, ORIGIN, sign_in_id=sign_in.id)) as session:
        membership = await find_membership(session, subject.membership_id)
        asked = Asked.of("her calls do not ring", mode=case.mode)
        actor = Actor.of(who, ORIGIN, sign_in_id=sign_in.id)
        stand = await Impersonation.start(session, actor, membership, asked, NOW)
    await store.close()
    as_them = Actor(who, subject, Via.IMPERSONATION, ORIGIN, stand_in_id=stand.id)
    visitor = Visitor(ORIGIN, NOW, as_them, csrf_seed=sign_in.csrf_secret, stand_in=stand)
    return Who(subject.user_id, None, cookie, visitor.csrf(settings), visitor.acting_id)


def by_cookie(scene: Scene) -> list[str]:
    """The routes that a browser's cookie opens."""
    return [route for route, handler in scene.routes().items() if handler.opt.get("credential", "cookie") == "cookie"]


def wanted(case: Case, route: str, line: Line, place: str | None) -> tuple[frozenset[int], str | None]:
    """The statuses that the table says, and the rule where it refuses."""
    method = route.partition(" ")[0]
    if route in STARTS:
        return frozenset({409}), "nested"
    if route == "POST /impersonations/stop":
        return frozenset({303}), None
    if route not in OPEN_TO_STAND_INS:
        return frozenset({403}), "outlives"
    if case.mode == "look" and (route in REVEALS or (method not in SAFE and route not in WAYS_OUT)):
        return frozenset({403}), "look"
    if route == "POST /account/profiles":
        return frozenset({403}), "nested"
    if not case.lends(route, line):
        return frozenset({403}), None
    # What is private opens to who stands in for its person, though the person needs no such page.
    return expected(case.subject, route, replace(line, but={}) if route in REVEALS else line, place), None


def rule_of(answer: httpx.Response) -> str | None:
    """The rule that a page names."""
    found = re.search(r'<dd class="mono">(\w+)</dd>', answer.text)
    return found[1] if found else None


async def test_what_is_open_while_standing_in(scene: Scene, case: Case) -> None:
    """Let in where it is open and lent, refused by its rule where not; no page tells of a company unknown to them.

    And none of any route is without its bar, so that a new page is held to it too.
    """
    wrong, hidden = [], [company for company, known in KNOWS.items() if case.subject not in known]
    shown = set()
    for route in by_cookie(scene):
        line = INTENT.get(route)
        # What is closed is closed to whoever stands in: to an admin as an admin, to whom everything else is lent.
        if line is None or (case != CASES[0] and route not in OPEN_TO_STAND_INS | STARTS):
            continue
        # What is closed is refused before anything is looked for, wherever it lies.
        places = places_for(case.subject, route, line)
        for place in places if route in OPEN_TO_STAND_INS else places[:1]:
            answer = await knock(scene, route, line, place or "Bakery")
            statuses, rule = wanted(case, route, line, place)
            if answer.status_code not in statuses or answer.headers.get("location", "").startswith("/sign-in?"):
                wrong.append(f"{route} at {place}: {answer.status_code}, not {sorted(statuses)}: {answer.text[:200]}")
            elif rule is not None and rule_of(answer) != rule:
                wrong.append(f"{route}: refused by {rule_of(answer)}, not by {rule}")
            if place is None and (told := [company for company in hidden if names(company, answer)]):
                wrong.append(f"{route} tells of {told}")
            if is_page(answer):
                shown.add(answer.status_code)
                if RED not in answer.text or f"{case.actor} " not in answer.text:
                    wrong.append(f"{route}: {answer.status_code} without the red bar and who stands in (T62, B34)")
    assert not wrong, "\n".join(wrong)
    assert case != CASES[0] or {200, 403, 404, 409, 422} <= shown


def is_page(answer: httpx.Response) -> bool:
    """Whether a person reads it."""
    return "text/html" in answer.headers.get("content-type", "") and bool(answer.text.strip())


async def knock(scene: Scene, route: str, line: Line, place: str, **sent: object) -> httpx.Response:
    """Who stands in, at a door, with the records of a place."""
    more = sent or (SENT.get(route) if place == "Bakery" else None) or line.sent
    said = Line(who=line.who, sent=more, query=line.query, path=line.path)
    return await scene.knock(TABLE, route, said, scene.places[place])


async def test_c8_of_an_open_form_what_would_last_is_refused(scene: Scene, case: Case) -> None:
    """A name or a note is open; a host, a destination, a person, an address in the same form is not."""
    for route, sent in WIDENED.items():
        line = INTENT[route]
        answer = await knock(scene, route, line, "Bakery", **sent)
        lent = case.lends(route, line) and case.subject in line.who
        rule = "look" if case.mode == "look" else "outlives" if lent else None
        assert answer.status_code == 403, route
        assert rule is None or rule_of(answer) == rule, route


async def test_b18_b19_one_foreign_record_is_enough_to_be_refused(scene: Scene, case: Case) -> None:
    """Each record that an open address or form names is swapped in turn for another branch's."""
    own, foreign = scene.places["Bakery"], scene.places["Dairy"]
    for route in OPEN_TO_STAND_INS & INTENT.keys() & scene.routes().keys():
        line = INTENT[route]
        named = records_named(route, line)
        if case.subject not in line.who or len(named) < 2:
            continue
        for record in sorted(named):
            answer = await scene.knock(TABLE, route, line, own | {record: foreign[record]})
            assert answer.status_code in {403, 404, 422}, f"{route} with a foreign {record}: {answer.status_code}"


def test_a_route_that_nobody_wrote_down_is_closed(scene: Scene) -> None:
    """Each route that a cookie opens says of itself what the table says, whoever may use it."""
    opened = {route for route in by_cookie(scene) if not scene.routes()[route].opt["outlives"]}
    assert sorted(opened - OPEN_TO_STAND_INS) == []
    assert sorted(OPEN_TO_STAND_INS - opened) == []
