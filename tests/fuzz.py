"""Requests that nobody thought of: `python -m tests.fuzz` makes them up from the API's own description.

schemathesis reads the OpenAPI document and makes valid and invalid input for every operation: what lies at each bound,
each field left out or of another type, and examples drawn at random. Besides go the requests of tests/intent.py, which
succeed for whom they may, and the same with one field as bad as tests/control/api/test_bad_input.py has it. Made-up ids
that could be one become those of records of all tenants of the cast.

What succeeds is sent as every person of the cast, as a service account, as somebody who stands in and as a stranger;
what is made up as some of them in turn. All of it is taken back (the rehearsal of tests/control/scene.py), so that each
request meets the same house.

An answer is a finding when it is a fault (5xx), has a status, a media type, a header or a shape that the document does
not name, or tells of a canary (tests/canaries.py) that its reader may not know. Ends with 1 when there is one.

    bin/test fuzz [--examples 20] [--each 3] [--to 23] [--on postgresql] [WORDS of an operation ...]
"""

import argparse
import asyncio
import itertools
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from typing import cast as cast_type
from urllib.parse import unquote

import httpx
import hypothesis
import requests
import schemathesis
import structlog
from hypothesis import HealthCheck, Phase
from schemathesis.checks import CheckFunction
from schemathesis.core.failures import FailureGroup
from schemathesis.core.transport import Response
from schemathesis.generation.hypothesis.builder import HypothesisTestConfig, HypothesisTestMode, create_test
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from control.house import House
from control.paging import LARGEST
from control.settings import Settings
from tenants.people import find_membership
from tenants.roles import Role
from tenants.service_accounts import ServiceAccount
from tenants.store import Store
from tenants.tree import Tenant
from tests.canaries import Canary, heard, members_at, own_rows, plant
from tests.cast import NOW, Cast, work_as
from tests.conftest import seeded
from tests.control.api.test_bad_input import HOSTILE, QUERIES
from tests.control.scene import PANEL, RECORDS, Rehearsal, Scene, Who, meant, set_scene
from tests.intent import API, EVERYBODY, Line
from tests.postgres import Cluster, quick_place

CHECKS: list[CheckFunction] = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]

UNSENT = frozenset({"Authorization", "User-Agent", "Accept-Encoding", "Connection", "X-Schemathesis-TestCaseId"})
"""What its requests say of themselves; the key is put in for each reader."""

PROGRAM, BEARER = "Bakery's program", "Olaf as Bea"
"""A service account with an admin's role at Bakery, and the bearer that Olaf got for a minted token."""

WHOLE = frozenset({"Acme", "North", "Oak", "Bakery", "Clinic", "South", "Elm", "Zoo", "Pine", "Dairy"})
REACHED: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(("Ada", "Axel"), WHOLE),
    "Nora": frozenset({"North", "Oak", "Bakery", "Clinic"}),
    **dict.fromkeys(("Olaf", "Opal"), frozenset({"Oak", "Bakery", "Clinic"})),
    **dict.fromkeys(("Boris", "Bruno", "Amos", PROGRAM), frozenset({"Bakery"})),
    "Clara": frozenset({"Clinic"}),
    "Sven": frozenset({"South", "Elm", "Zoo"}),
    "Elsa": frozenset({"Elm", "Zoo"}),
    **dict.fromkeys(("Pia", "Paul"), frozenset({"Pine", "Dairy"})),
}
"""Whose texts somebody may read, written by hand from product.md: all that lies at or below them. Whoever is not here
is a member, and may read what is about themselves."""
AS_WHOM = {BEARER: "Bea"}

APP_TEXTS = frozenset(
    {
        "name",
        "login_uri",
        "redirect_uris",
        "post_logout_redirect_uris",
        "handoff_uri",
        "backchannel_logout_uri",
        "signals_uri",
    }
)
FROM_ABOVE: Mapping[str, frozenset[tuple[str, str]]] = {
    "/api/v1/apps": frozenset(itertools.product(["apps"], APP_TEXTS)) | {("", "")},
    "/api/v1/me/agreements": frozenset({("apps", "name")}),
    "/api/v1/resolve": frozenset({("apps", "name")}),
    "/api/v1/impersonations": frozenset({("apps", "handoff_uri")}),
    "/api/v1/consents": frozenset({("tenants", "name")}),
    "/api/v1/break-glasses": frozenset({("users", "name")}),
}
"""What else is told, by design, to those below: the texts that an organization above theirs stands there with. Its
apps, which sign in their people, with their addresses and client ids; the name of one that somebody agreed to or tries
a login at; where one is opened by a stand-in; the organization that a window lets in; who asked to break the glass."""

ALSO_IDS = {
    "user": "user",
    "tenant": "tenant",
    "company": "tenant",
    "membership": "member",
    "subject": "member",
    "actor": "colleague",
    "coworkerId": "member",
    "coworker_id": "member",
    "id": "member",
    "extension": "extension",
    "phone_system": "phone_system",
    "parent": "parent",
    "expected_parent": "parent",
    "expected_tenant": "tenant",
    "record_id": "user",
}
"""Which record of a place stands under a name in a query or a body, as RECORDS has it for addresses."""


@dataclass
class Finding:
    """What is wrong with the answers to one operation, and the first request that showed it."""

    operation: str
    what: str
    request: str
    answer: str
    readers: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        who = ", ".join(f"{name} ({count})" for name, count in self.readers.most_common(4))
        return f"{self.operation}: {self.what}\n    for {who}\n    {self.request}\n    {self.answer}"


@dataclass
class Ready:
    """A house with canaries, who is there, and the description of what may be asked."""

    scene: Scene
    places: dict[str, dict[str, int]]
    may_know: "Knowing"
    schema: Any
    log: list[Any]
    rehearsal: Rehearsal

    def operations(self, words: Sequence[str] = ()) -> list[Any]:
        """What the description offers: `GET /api/v1/users`."""
        found = [result.ok() for result in self.schema.get_all_operations()]
        return [each for each in found if all(word in each.label for word in words)]


@dataclass
class Knowing:
    """Who may read which canary."""

    own: dict[str, set[tuple[str, int]]]
    """The rows that are about somebody, by table and id."""
    guests: dict[int, set[str]]
    """Where else somebody is a member, by their user's id: they are a person there too, with name and address."""

    lines: dict[str, set[str]]
    """Where somebody is a member, and every organization above."""

    def __call__(self, name: str, path: str, canary: Canary) -> bool:
        whom, place = AS_WHOM.get(name, name), canary.place.capitalize()
        if place in REACHED.get(whom, frozenset()):
            return True
        text = (canary.table, canary.column)
        if text in {("users", "name"), ("users", "email")} and REACHED.get(whom, frozenset()) & self.guests[canary.row]:
            return True
        above = [texts for begins, texts in FROM_ABOVE.items() if path.startswith(begins)]
        if place in self.lines.get(whom, set()) and any(text in texts for texts in above):
            return True
        mine = self.own.get(whom, set())
        return (canary.table, canary.row) in mine or (not canary.table and any(row == canary.row for _, row in mine))


@asynccontextmanager
async def ready(url: str, cast: Cast, folder: Path) -> AsyncIterator[Ready]:
    """The house at `url`, furnished and painted, and the app over it."""
    unlimited = dict.fromkeys((f"UNDERSTUDY_RATE_LIMIT{whose}" for whose in ("", "_APPS", "_STRANGERS")), "0")
    settings = Settings.load({"UNDERSTUDY_DATABASE_URL": url, "UNDERSTUDY_DATA_DIR": str(folder), **unlimited})
    scene, rehearsal = await set_scene(url, cast, settings)
    store = Store(url)
    scene.people |= await programs(scene, store, cast)
    places = await plant(store, cast, settings)
    own = {name: await own_rows(store, scene.people[name].user_id) for name in EVERYBODY}
    lines = {name: lines_of(cast, name) for name in EVERYBODY} | {PROGRAM: lines_of(cast, "Boris")}
    knowing = Knowing(own, await members_at(store, cast), lines)
    await store.close()
    document = json.loads(json.dumps(scene.app.openapi_schema.to_schema()))
    with structlog.testing.capture_logs() as log:
        yield Ready(scene, places, knowing, schemathesis.openapi.from_dict(document), log, rehearsal)
    await scene.client.aclose()
    await rehearsal.close()


def lines_of(cast: Cast, name: str) -> set[str]:
    """Where somebody is a member, and every organization above."""
    paths = [
        place.path for place in cast.places.values() for each in cast.identities[name] if each.tenant_id == place.id
    ]
    return {place.name for place in cast.places.values() if any(path.startswith(place.path) for path in paths)}


# What is sent


@dataclass(frozen=True)
class Plan:
    """How much of it."""

    examples: int = 20
    """Requests drawn at random for each operation."""
    bounds: bool = True
    """Whether each bound and each fault of form is sent as well, and each field as bad as it can be."""
    each: int = 3
    """As how many people each made-up request is sent, in turn."""
    places: int = 10
    """Of how many tenants the records are that are asked for in a way that succeeds for whom it may."""
    told_to: int = 100
    """As how many people those requests are sent: everybody, usually."""


def made_up(operation: Any, plan: Plan) -> list[Any]:
    """What schemathesis sends to an operation."""
    found: list[Any] = []

    def collect(case: Any) -> None:
        found.append(case)

    settings = hypothesis.settings(
        max_examples=plan.examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    modes = [HypothesisTestMode.FUZZING, *([HypothesisTestMode.COVERAGE] if plan.bounds else [])]
    config = HypothesisTestConfig(project=operation.schema.config, modes=modes, settings=settings)
    create_test(operation=operation, test_func=collect, config=config)()
    return found


def told(operation: Any, records: Mapping[str, int], more_query: Mapping[str, str]) -> Any:
    """What tests/intent.py sends there: a request that succeeds for whom it may."""
    line = API.get(operation.label, Line())
    path = {
        each.name: meant(line.path.get(each.name, f"${RECORDS.get(each.name, each.name)}"), dict(records))
        for each in operation.path_parameters
    }
    query = dict(pair.split("=") for pair in line.query.split("&") if pair)
    query = {name: meant(value, dict(records)) for name, value in query.items()} | more_query
    more = {"body": {name: meant(value, dict(records)) for name, value in line.sent.items()}} if line.sent else {}
    return operation.Case(path_parameters=path, query=query, media_type="application/json", **more)


def twisted(operation: Any, records: Mapping[str, int]) -> Iterator[Any]:
    """The same with one field of its body, or of its query, as bad as it can be."""
    body, query = told(operation, records, {}).body, [each.name for each in operation.query]
    for name, value in itertools.product(body if isinstance(body, dict) else {}, HOSTILE):
        case = told(operation, records, {})
        case.body = {**body, name: value}
        yield case
    for name, text in itertools.product(query, QUERIES):
        yield told(operation, records, {name: text})


def with_real_ids(case: Any, here: Mapping[str, int], there: Mapping[str, int]) -> Any:
    """Where a made-up id is one that could be, it becomes that of a record: in the address of one tenant, in the body
    perhaps of another."""
    case.path_parameters = _swapped(case.path_parameters, here)
    case.query = _swapped(case.query, there)
    if isinstance(case.body, dict):
        case.body = _swapped(case.body, there)
    return case


def _swapped(values: Mapping[str, Any], records: Mapping[str, int]) -> dict[str, Any]:
    names = {**RECORDS, **ALSO_IDS}
    return {
        name: records.get(names.get(name, ""), value) if _could_be(value) else value for name, value in values.items()
    }


def _could_be(value: Any) -> bool:
    text = str(value)
    return not isinstance(value, (bool, float)) and text.isdecimal() and text.isascii() and 1 <= int(text) <= LARGEST


def prepared(case: Any) -> requests.PreparedRequest:
    """The bytes of it."""
    said = case.as_transport_kwargs(base_url=PANEL)
    return requests.Request(**said).prepare()


# What becomes of it


async def programs(scene: Scene, store: Store, cast: Cast) -> dict[str, Who]:
    """A service account with its token, and the bearer that a minted token was exchanged for. Both last."""
    rehearsing = scene.app.state.house
    async with work_as(store, cast.actor("Boris")) as session:
        bakery = await session.get_one(Tenant, cast.tenant("Bakery").id)
        scopes = ["read", "write", "stand_in"]
        boris = cast.actor("Boris")
        account, secret = await ServiceAccount.make(session, boris, bakery, "Till", Role.ADMIN, scopes, NOW)
        client, user_id = account.client_id, (await find_membership(session, account.membership_id)).user_id
    scene.app.state.house = House(scene.settings, store, lambda: NOW)
    grant = {"grant_type": "client_credentials", "client_id": client, "client_secret": secret}
    served = await scene.client.post("/oauth/token", data=grant)
    asked = f"/api/sys/users/impersonate?coworkerId={cast.membership_id('Bea')}"
    minted = await scene.client.get(asked, headers={"Authorization": f"Bearer {scene.people['Olaf'].key}"})
    given = await scene.client.post("/api/sys/users/exchange", json=minted.json())
    scene.app.state.house = rehearsing
    return {
        PROGRAM: Who(user_id, served.json()["access_token"]),
        BEARER: Who(cast.user("Bea").id, given.json()["access_token"]),
    }


class Run:
    """Requests sent and answers judged."""

    def __init__(self, house: Ready, plan: Plan) -> None:
        self.house, self.plan, self.sent = house, plan, 0
        self.turns = itertools.cycle(sorted(house.scene.people))
        self.records = itertools.cycle(house.places.values())
        self.statuses: Counter[int] = Counter()
        self.findings: dict[tuple[str, str], Finding] = {}
        self.transport = httpx.ASGITransport(cast_type(Any, house.scene.app))

    async def operation(self, operation: Any) -> None:
        """All of it for one operation: what succeeds there, and what is made up."""
        places = list(self.house.places.values())
        dry: list[dict[str, str]] = [{}, {"dry_run": "true"}] if "dry_run" in operation.query else [{}]
        for records, more in itertools.product(itertools.islice(self.records, self.plan.places), dry):
            await self.as_these(told(operation, records, more), self.next(self.plan.told_to))
        for case in twisted(operation, next(self.records)) if self.plan.bounds else ():
            await self.as_these(case, ["Ada"])
        for number, case in enumerate(made_up(operation, self.plan)):
            here, there = places[number % len(places)], places[number * 7 % len(places)]
            await self.as_these(with_real_ids(case, here, there if number % 2 else here), self.next(self.plan.each))

    def next(self, count: int) -> list[str]:
        """Whose turn it is."""
        return list(itertools.islice(self.turns, min(count, len(self.house.scene.people))))

    async def as_these(self, case: Any, readers: Sequence[str]) -> None:
        """One request, as each of them."""
        request = prepared(case)
        for name in readers:
            self.house.log.clear()
            answer = await self.send(request, self.house.scene.people[name].key)
            self.judge(name, case, request, answer)

    async def send(self, request: requests.PreparedRequest, key: str | None) -> Response:
        """Within this process; nothing is followed."""
        headers = [(name.encode(), _bytes(value)) for name, value in request.headers.items() if name not in UNSENT]
        headers += [(b"Authorization", f"Bearer {key}".encode())] if key else []
        asked = httpx.Request(
            str(request.method), str(request.url), headers=headers, content=_bytes(request.body or b"")
        )
        given = await self.transport.handle_async_request(asked)
        content = await given.aread()
        await self.house.rehearsal.tidy()
        self.sent += 1
        self.statuses[given.status_code] += 1
        named = {name: given.headers.get_list(name) for name in given.headers}
        return Response(given.status_code, named, content, request, 0.0, verify=False)

    def judge(self, name: str, case: Any, request: requests.PreparedRequest, answer: Response) -> None:
        """Whether it is as described, and tells nobody what is not theirs to know."""
        try:
            if answer.status_code >= 500:
                self.find(name, case, request, answer, f"{answer.status_code}: our fault")
            else:
                case.validate_response(answer, checks=CHECKS)
        except FailureGroup as group:
            for failure in group.exceptions:
                self.find(name, case, request, answer, f"{answer.status_code} {failure.title}: {failure.message[:200]}")
        text = answer.content.decode(errors="replace") + str(answer.headers)
        for canary in heard(text) - heard(unquote(f"{request.url} {request.body!r}")):
            if not self.house.may_know(name, case.path, canary):
                self.find(name, case, request, answer, f"tells of {canary.place}: {canary.table}.{canary.column}")

    def find(self, name: str, case: Any, request: requests.PreparedRequest, answer: Response, what: str) -> None:
        """Note it, once for each operation."""
        label = f"{case.method} {case.path}"
        if (label, what) not in self.findings:
            body = request.body if isinstance(request.body, str) else (request.body or b"").decode(errors="replace")
            faults = [each.get("exc_info") for each in self.house.log if each.get("event") == "fault"]
            said = f"{request.method} {request.url} {dict(request.headers)} {body[:600]}"
            text = answer.content[:600].decode(errors="replace") + "".join(
                f"\n    {fault!r}"[:1500] for fault in faults
            )
            self.findings[label, what] = Finding(label, what, said, text)
        self.findings[label, what].readers[name] += 1


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")


@asynccontextmanager
async def house_at(kind: str) -> AsyncIterator[tuple[str, Path]]:
    """An empty database of this kind, and a folder."""
    with tempfile.TemporaryDirectory(prefix="understudy-fuzz-", dir=quick_place()) as folder:
        if kind == "sqlite":
            yield f"sqlite:///{folder}/understudy.db", Path(folder)
            return
        with Cluster() as cluster:
            cluster.create_database("fuzz")
            yield cluster.url("fuzz"), Path(folder)


async def run(kind: str, plan: Plan, words: Sequence[str]) -> int:
    """All of it; returns how many findings there are."""
    begun = time.monotonic()
    async with house_at(kind) as (url, folder), ready(url, await seeded(url), folder) as house:
        going, operations = Run(house, plan), house.operations(words)
        for number, operation in enumerate(operations, 1):
            before = len(going.findings)
            await going.operation(operation)
            told_of = list(going.findings.values())[before:]
            tell(f"{number}/{len(operations)} {operation.label} {going.sent} {time.monotonic() - begun:.0f} s")
            for finding in told_of:
                tell(str(finding))
    minutes = (time.monotonic() - begun) / 60
    people = len(house.scene.people)
    tell(f"{len(operations)} operations, {people} people, {going.sent} requests in {minutes:.1f} minutes.")
    tell(f"Statuses: {dict(sorted(going.statuses.items()))}. Findings: {len(going.findings)}.")
    return len(going.findings)


def tell(line: str) -> None:
    """To standard output, at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    """Read the words of the command line, run, and end with 1 where there is a finding."""
    parser = argparse.ArgumentParser(prog="bin/test fuzz", description=__doc__.partition("\n")[0])
    parser.add_argument("--examples", type=int, default=Plan.examples, help="drawn at random for each operation")
    parser.add_argument("--on", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument(
        "--each", type=int, default=Plan.each, help="people by whom each made-up request is sent, in turn"
    )
    parser.add_argument(
        "--to", type=int, default=Plan.told_to, help="people by whom each request that succeeds is sent"
    )
    parser.add_argument("words", nargs="*", help="only operations whose method and address hold all of these")
    said = parser.parse_args()
    plan = Plan(examples=said.examples, each=said.each, told_to=said.to)
    sys.exit(1 if asyncio.run(run(said.on, plan, said.words)) else 0)


if __name__ == "__main__":
    main()
