"""Every route for every person of the cast, against what tests/intent.py says they may; and what no GET may do."""

import itertools
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa
import structlog
from litestar import get
from litestar.handlers.http_handlers import HTTPRouteHandler

from control.app import create_app
from control.doors import ANYONE, BareDoor
from control.settings import Settings
from tenants.records import Record
from tenants.store import Store
from tenants.trail import Entry
from tenants.verbs import Verb
from tests.conftest import Template, tell
from tests.control.scene import Rehearsal, Scene, records_named, set_scene
from tests.intent import ABOVE, EVERYBODY, INTENT, KNOWS, NOBODY, REACH, STRANGER, Line
from tests.postgres import Cluster

PLACES = ("Bakery", "Dairy")
ON_BOTH = ("Olaf", "Bruno", "Amos", "Bea")
"""SQLite hears everybody; PostgreSQL one of each kind, where their role lets them in: who is turned away is never asked
for a record."""
LIKE = {
    "Ben": "Bea",
    "Cora": "Bea",
    "Zoe": "Bea",
    "Dan": "Bea",
    "Dina": "Bea",
    "Clara": "Boris",
    "Elsa": "Olaf",
    "Pia": "Olaf",
    "Paul": "Opal",
    "Sven": "Nora",
}
"""Who has another's role at a tenant of the same kind: what asks for the role alone is knocked at by the other."""
MINTS = {"GET /api/sys/users/impersonate", "GET /api/public/coworkers/{coworker_id}/impersonate"}
"""Read by GET as the fifth document has them, these note down the token that they minted."""

numbers = itertools.count(1)


@pytest.fixture(scope="module", params=["sqlite"])
def base(request: pytest.FixtureRequest) -> Template:
    """The seeded house to start from."""
    found: Template = request.getfixturevalue(f"{request.param}_template")
    return found


@pytest.fixture(scope="module")
async def scene(
    base: Template, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Scene]:
    folder = tmp_path_factory.mktemp("intent")
    url = await copied(base, request, folder)
    settings = Settings.load({"UNDERSTUDY_DATABASE_URL": url, "UNDERSTUDY_DATA_DIR": str(folder)})
    scene, rehearsal = await set_scene(url, base.cast, settings)
    with structlog.testing.capture_logs():
        yield scene
    await scene.client.aclose()
    await rehearsal.close()


async def copied(base: Template, request: pytest.FixtureRequest, folder: Path) -> str:
    """A house of our own."""
    if base.name.endswith(".db"):
        shutil.copyfile(base.name, folder / "understudy.db")
        return f"sqlite:///{folder}/understudy.db"
    cluster: Cluster = request.getfixturevalue("cluster")
    name = f"intent_{next(numbers)}"
    await tell(cluster, f'CREATE DATABASE "{name}" TEMPLATE "{base.name}"')
    return cluster.url(name)


def expected(name: str, route: str, line: Line, place: str | None) -> frozenset[int]:
    """What the table says."""
    if line.always is not None:
        return line.always
    if name == STRANGER:
        return line.stranger or turned_away(route)
    if name not in line.who:
        return frozenset({line.turned})
    if place is not None or line.only is not None:
        here = place or ""
        reached = (ABOVE if line.above else REACH)[here] if line.only is None else line.only.get(here, NOBODY)
        if name not in reached | line.also.get(here, NOBODY):
            return frozenset({404})
    return frozenset({line.but[name]}) if name in line.but and place is not None else line.done


def turned_away(route: str) -> frozenset[int]:
    """A program is told 401, a person led to the sign-in page; a form of nobody is refused before that."""
    method, _, path = route.partition(" ")
    if path.startswith(("/api/", "/scim/", "/metrics")):
        return frozenset({401})
    return frozenset({303}) if method == "GET" else frozenset({403})


def heard(base: Template, name: str, route: str, line: Line) -> bool:
    """Whether a person tells anything of a route that another does not: reach and lists are each one's own."""
    if name in LIKE:
        return name in line.who and (route.startswith("GET ") or bool(records_named(route, line)))
    return base.name.endswith(".db") or name in line.who


def test_look_alikes_have_the_same_role_at_the_same_kind_of_tenant(sqlite_template: Template) -> None:
    """Nothing but the place in the tree tells them apart, and no line of the table lets in one alone."""
    cast = sqlite_template.cast
    for name, other in LIKE.items():
        one, another = cast.identity(name), cast.identity(other)
        assert (one.role, one.tenant_kind) == (another.role, another.tenant_kind), name
        apart = {route for route, line in INTENT.items() if (name in line.who) is not (other in line.who)}
        assert not apart, name


@pytest.mark.parametrize(
    ("base", "name"),
    [("sqlite", name) for name in (*sorted(EVERYBODY), STRANGER)] + [("postgresql", name) for name in ON_BOTH],
    indirect=["base"],
    scope="module",
)
async def test_what_somebody_may(base: Template, scene: Scene, name: str) -> None:
    """Let in where the table says so, refused where it does not; and no list names a company they may not know."""
    wrong = []
    hidden = [company for company, known in KNOWS.items() if name not in known]
    for route in scene.routes():
        line = INTENT[route]
        for place in places_for(name, route, line) if heard(base, name, route, line) else ():
            answer = await scene.knock(name, route, line, scene.places[place or "Bakery"])
            wanted = expected(name, route, line, place)
            if answer.status_code not in wanted:
                wrong.append(f"{route} at {place}: {answer.status_code}, not {sorted(wanted)}: {answer.text[:200]}")
            if place is None and (told := [company for company in hidden if names(company, answer)]):
                wrong.append(f"{route} tells of {told}")
    assert not wrong, "\n".join(wrong)


def places_for(name: str, route: str, line: Line) -> tuple[str | None, ...]:
    """One's own place and a foreign one; a single foreign one for whom every place is as good as the other."""
    if not records_named(route, line):
        return (None,)
    all_alike = line.always is not None or name not in line.who
    return PLACES if not all_alike and any(name in KNOWS[place] for place in PLACES) else PLACES[:1]


def names(company: str, answer: httpx.Response) -> bool:
    """Whether it stands there as a word; three letters within a secret of forty name nobody."""
    return re.search(rf"(?<![\w-]){re.escape(company)}(?![\w-])", answer.text) is not None


def test_every_route_has_its_line(scene: Scene) -> None:
    assert sorted(scene.routes().keys() - INTENT.keys()) == []


def test_every_line_has_its_route(scene: Scene) -> None:
    assert sorted(INTENT.keys() - scene.routes().keys()) == []


@pytest.mark.parametrize("name", ["Olaf", "Boris", "Bruno"])
async def test_b18_b19_one_foreign_record_among_ones_own_is_enough_to_be_refused(scene: Scene, name: str) -> None:
    """Each record that an address or a body names is swapped in turn for another branch's."""
    own, foreign = scene.places["Bakery"], scene.places["Dairy"]
    for route in scene.routes():
        line = INTENT[route]
        named = records_named(route, line)
        if name not in line.who or len(named) < 2:
            continue
        for record in sorted(named):
            answer = await scene.knock(name, route, line, own | {record: foreign[record]})
            assert answer.status_code in {403, 404, 422}, f"{route} with a foreign {record}: {answer.status_code}"


async def rows_of(url: str) -> dict[str, list[tuple[object, ...]]]:
    """Everything that is stored, but for when somebody was last seen."""
    store = Store(url)
    found: dict[str, list[tuple[object, ...]]] = {}
    async with store.reader.connect() as connection:
        for table in Record.metadata.sorted_tables:
            kept = [column for column in table.c if not column.name.startswith("last_")]
            found[table.name] = [tuple(row) for row in await connection.execute(sa.select(*kept))]
    await store.close()
    return found


@pytest.fixture(scope="module")
async def lasting(
    sqlite_template: Template, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Scene, str]]:
    """A scene in which what is done lasts, and where it is stored."""
    folder = tmp_path_factory.mktemp("lasting")
    url = f"sqlite:///{folder}/understudy.db"
    shutil.copyfile(sqlite_template.name, folder / "understudy.db")
    settings = Settings.load({"UNDERSTUDY_DATABASE_URL": url, "UNDERSTUDY_DATA_DIR": str(folder)})
    scene, rehearsal = await set_scene(url, sqlite_template.cast, settings)
    store = Store(url)
    scene.house.store = store
    await scene.client.get("/readyz")
    yield scene, url
    await scene.client.aclose()
    await store.close()
    await rehearsal.close()


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
async def test_t9_no_get_head_or_options_changes_anything(lasting: tuple[Scene, str], method: str) -> None:
    scene, url = lasting
    before = await rows_of(url)
    for route, line in INTENT.items():
        if route in MINTS:
            continue
        for name in ("Olaf", STRANGER):
            path = route.partition(" ")[2]
            if method != "GET" or route.startswith("GET "):
                await scene.knock(name, f"{method} {path}", line, scene.places["Bakery"])
    after = await rows_of(url)
    changed = {table for table in before if before[table] != after[table]}
    assert changed <= {"entries", "pending_entries"}, "what is refused or taken away is written down; nothing else"
    verb = [column.name for column in Entry.__table__.c].index("verb")
    told = {row[verb] for row in after["entries"][len(before["entries"]) :]}
    assert all(each == Verb.REFUSED or str(each).endswith(".exported") for each in told), told


@get("/bare", outlives=False)
async def without_may() -> None:
    """A route that does not say who may pass."""


@get("/bare", may=ANYONE)
async def without_outlives() -> None:
    """A route that does not say how it treats a stand-in."""


@get("/bare", may="admins", outlives=False)
async def with_a_word_of_its_own() -> None:
    """A route with an exception that nobody named."""


@pytest.mark.parametrize("bare", [without_may, without_outlives, with_a_word_of_its_own])
def test_a_bare_door_stops_the_start(bare: HTTPRouteHandler, tmp_path: Path) -> None:
    settings = Settings.load({"UNDERSTUDY_DATA_DIR": str(tmp_path)})
    with pytest.raises(BareDoor, match="/bare"):
        create_app(settings, store=Rehearsal(settings.database_url), more_routes=[bare])
