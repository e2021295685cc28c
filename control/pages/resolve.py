"""Resolve: what a login would give somebody now, step by step, without logging anybody in."""

import json
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from litestar import Request, get
from litestar.response import Template
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.apps import App, find_client
from bindings.claims_preview import preview_claims
from bindings.resolving import Granted, Notice, Seen, Step, resolve
from control.house import House
from control.pages.parts.asked import words_in
from control.pages.parts.fields import number_in
from control.shell import page
from control.speech import speech
from control.visitor import Visitor
from tenants.actor import Actor
from tenants.people import User
from tenants.reach import Reach
from tenants.roles import Permission
from tenants.tree import Tenant


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was found: the steps as they were walked, and how it ends. `hidden`: with somebody out of reach.

    `claims` is what the ID token would say; None where no login comes of it, or where they name somebody out of reach.
    """

    steps: list[Step] = field(default_factory=list)
    granted: Granted | None = None
    notice: Notice | None = None
    choices: list[Seen] = field(default_factory=list)
    hidden: bool = False
    claims: dict[str, Any] | None = None


@get("/resolve", may=Permission.STAND_IN, outlives=False, include_in_schema=False)
async def test_login(request: Request[Visitor, Any, Any], session: AsyncSession) -> Template:
    """Choose a person and an app, and see whom the app would see; nothing is changed by looking."""
    said = request.query_params
    sought, client_id = words_in(said, "user"), words_in(said, "app")
    person = await _person(session, sought) if sought else None
    app = await find_client(session, client_id) if client_id else None
    outcome = await _outcome(request, person, app) if person and app else None
    usable = sa.select(App).where(App.discarded_at.is_(None)).order_by(App.name).limit(200)
    missing = bool(sought and not person) or bool(client_id and not app)
    return page(
        request,
        "resolve.html",
        status=404 if missing else 200,
        title=speech(request)("Test a login"),
        apps=list(await session.scalars(usable)),
        sought=sought,
        client_id=client_id,
        person=person,
        app=app,
        outcome=outcome,
        claims=json.dumps(outcome.claims, indent=2, ensure_ascii=False) if outcome and outcome.claims else None,
        walked=[(step, step.spoken(speech(request))) for step in outcome.steps] if outcome else [],
    )


async def _person(session: AsyncSession, sought: str) -> User | None:
    """Somebody in reach, by number or by e-mail; strangers and people out of reach look the same."""
    number = number_in(sought)
    wanted = User.id == number if number else User.email == sought.casefold()
    return (await session.scalars(sa.select(User).where(wanted))).one_or_none()


async def _outcome(request: Request[Visitor, Any, Any], person: User, app: App) -> Outcome:
    """Walked as the login itself would be, past the fence; what lies out of the reader's reach is not told."""
    house: House = request.app.state.house
    reach, now = request.user.actor.reach() if request.user.actor else Reach.nothing(), request.user.now
    steps: list[Step] = []
    why = "test a login"
    async with house.store.work(Actor.house(why), Reach.everywhere(why), now, writes=False) as session:
        found = await resolve(session, person.id, app, now, steps=steps)
        path = await _path_of(session, found)
        said = await preview_claims(session, house.issuer.url, app, found, now) if isinstance(found, Granted) else None
    if path is not None and not reach.holds(path):
        return Outcome(hidden=True)
    if isinstance(found, Granted):
        return Outcome(steps, granted=found, claims=said if reach.holds(found.actor.path) else None)
    return Outcome(steps, notice=found, choices=[each for each in found.choices if reach.holds(each.path)])


async def _path_of(session: AsyncSession, found: Granted | Notice) -> str | None:
    """Where in the tree the answer speaks of somebody; None when it speaks of nobody."""
    if isinstance(found, Granted):
        return found.subject.path
    if found.subject is not None:
        return found.subject.path
    if found.binding is not None:
        return (await session.get_one(Tenant, found.binding.tenant_id)).path
    return None


ROUTES = [test_login]
