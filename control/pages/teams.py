"""Teams: the list, new ones, and each with its people and who leads it."""

from typing import Any

import sqlalchemy as sa
from litestar import Request, get, post
from litestar.response import Redirect, Template
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.recheck import recheck
from control.pages.parts.asked import filters_in, id_in, matching, one_of, words_in
from control.pages.parts.crumbs import crumbs_to
from control.pages.parts.fields import Fields, Id, read_fields
from control.pages.parts.forms import UNTOUCHED, errors_of
from control.pages.parts.history import past_of
from control.pages.parts.session import Session, acting
from control.pages.parts.team_rows import SORTS, becoming_in, places_of, team_rows, who_may_join
from control.paging import page_of
from control.shell import page, see_other
from control.speech import speech
from control.visitor import Visitor
from tenants.people import find_membership
from tenants.refusals import Conflict, Invalid, Refusal
from tenants.roles import Permission, Role
from tenants.teams import Team, find_place, find_team
from tenants.tree import Tenant, find_tenant

KEEP = Permission.KEEP_TEAMS
Asked = Request[Visitor, Any, Any]


@get("/teams", may=Permission.SEE_PEOPLE, outlives=False, include_in_schema=False)
async def every(request: Asked, session: Session) -> Template:
    """Every team in reach, by name."""
    said = request.query_params
    params = filters_in(said, "q", "company", "state", "sort")
    sort, cursor, tenant_id = params.get("sort", "name"), words_in(said, "cursor") or None, id_in(params, "company")
    over = Team.discarded_at.is_not(None) if one_of(params, "state", "discarded") else Team.discarded_at.is_(None)
    wanted = sa.select(Team).where(over, matching(params.get("q", ""), Team.name))
    if tenant_id:
        wanted = wanted.where(Team.tenant_id == tenant_id)
    found = await page_of(session, wanted, SORTS, sort=sort, cursor=cursor)
    return page(
        request,
        "teams/list.html",
        title=speech(request)("Teams"),
        rows=await team_rows(session, found.items),
        next=found.next,
        cursor=cursor,
        params=params,
        sort=sort,
        company=await find_tenant(session, tenant_id) if tenant_id else None,
        may_keep=keeps(request),
    )


@get("/teams/new", may=KEEP, outlives=False, include_in_schema=False)
async def ask(request: Asked, session: Session) -> Template:
    """The form: a name, and the company where there are several."""
    company = words_in(request.query_params, "company")
    return await form(request, session, Fields({"company": (company,)} if company else {}))


@post("/teams/new", may=KEEP, outlives=False, include_in_schema=False)
async def create(request: Asked, session: Session) -> Template | Redirect:
    """A new team without members."""
    fields = await read_fields(request)
    try:
        number = fields.number("company") or (None if fields.text("company") else standing_at(request))
        if number is None:
            raise Invalid("Choose a company.", field="company")
        team = await Team.create(session, await find_tenant(session, number), fields.text("name"), request.user.now)
    except Invalid as refusal:
        return await form(request, session, fields, refusal)
    return see_other(request, f"/teams/{team.id}", say=speech(request)("%(name)s was made.") % {"name": team.name})


async def form(request: Asked, session: AsyncSession, fields: Fields, refusal: Refusal | None = None) -> Template:
    """The form for a new one, with what was typed."""
    places = sa.select(Tenant).where(Tenant.discarded_at.is_(None)).order_by(Tenant.name, Tenant.id).limit(500)
    return page(
        request,
        "teams/new.html",
        status=refusal.status if refusal else 200,
        title=speech(request)("New team"),
        places=[(place.id, place.name) for place in await session.scalars(places)],
        chosen=fields.number("company") or standing_at(request),
        fields=fields,
        errors=errors_of(refusal),
    )


def standing_at(request: Asked) -> int | None:
    """The reader's own organization."""
    return request.user.identity.tenant_id if request.user.identity else None


@get("/teams/{team_id:int}", may=Permission.SEE_PEOPLE, outlives=False, include_in_schema=False)
async def show_team(request: Asked, session: Session, team_id: Id) -> Template:
    """Its people, who leads them, and what was done to it."""
    return await show(request, session, await find_team(session, team_id))


async def show(
    request: Asked,
    session: AsyncSession,
    team: Team,
    fields: Fields = UNTOUCHED,
    refusal: Refusal | None = None,
) -> Template:
    """The page, with what is wrong if something is."""
    tenant = await find_tenant(session, team.tenant_id)
    actor = request.user.actor
    keeping = keeps(request) and team.discarded_at is None
    reads = actor is not None and actor.may(Permission.READ_HISTORY)
    places = await places_of(session, team)
    return page(
        request,
        "teams/show.html",
        status=refusal.status if refusal else 200,
        title=team.name,
        crumbs=await crumbs_to(session, tenant.path, (f"/teams/{team.id}", team.name)),
        team=team,
        tenant=tenant,
        places=places,
        becoming=await becoming_in(session, actor, tenant, places),
        may_keep=keeping,
        may_bring_back=keeps(request) and team.discarded_at is not None,
        may_lead=keeping and actor is not None and actor.standing.role is Role.ADMIN,
        candidates=await who_may_join(session, team) if keeping else [],
        past=await past_of(request, session, "teams", team.id, also=[("team_members", each.id) for each in places])
        if reads
        else None,
        fields=fields,
        errors=errors_of(refusal),
    )


@post("/teams/{team_id:int}", may=KEEP, outlives=False, include_in_schema=False)
async def rename(request: Asked, session: Session, team_id: Id) -> Template | Redirect:
    """Another name."""
    team, fields = await find_team(session, team_id), await read_fields(request)
    try:
        await team.rename(session, fields.text("name"))
    except Invalid as refusal:
        return await show(request, session, team, fields, refusal)
    return see_other(request, f"/teams/{team.id}", say=speech(request)("Saved."))


@post("/teams/{team_id:int}/members", may=KEEP, outlives=True, include_in_schema=False)
async def add(request: Asked, session: Session, team_id: Id) -> Template | Redirect:
    """Somebody of the same company joins."""
    team, fields = await find_team(session, team_id), await read_fields(request)
    number, actor = fields.number("membership"), acting(request)
    try:
        if number is None:
            raise Invalid("Choose somebody.", field="membership")
        membership = await find_membership(session, number)
        await team.add(session, actor, membership)
    except (Invalid, Conflict) as refusal:
        return await show(request, session, team, fields, refusal)
    say = speech(request)("%(name)s is in %(team)s now.") % {"name": membership.user.name, "team": team.name}
    return see_other(request, f"/teams/{team.id}", say=say)


@post(
    "/teams/{team_id:int}/members/{membership_id:int}/lead",
    may=Permission.MANAGE_PEOPLE,
    outlives=True,
    include_in_schema=False,
)
async def set_lead(request: Asked, session: Session, team_id: Id, membership_id: Id) -> Redirect:
    """Lead, or no longer: only an admin says so."""
    fields = await read_fields(request)
    place = await find_place(session, team_id, membership_id)
    await place.set_lead(session, acting(request), lead=fields.text("lead") == "yes")
    await recheck(session, await find_tenant(session, place.tenant_id), request.user.now)
    return see_other(request, f"/teams/{team_id}", say=speech(request)("Saved."))


@post("/teams/{team_id:int}/members/{membership_id:int}/remove", may=KEEP, outlives=False, include_in_schema=False)
async def remove(request: Asked, session: Session, team_id: Id, membership_id: Id) -> Redirect:
    """Out of the team."""
    place = await find_place(session, team_id, membership_id)
    membership = await find_membership(session, membership_id)
    place.about = membership.user.name
    await place.leave(session, request.user.now)
    await recheck(session, await find_tenant(session, place.tenant_id), request.user.now)
    say = speech(request)("%(name)s is no longer in the team.") % {"name": membership.user.name}
    return see_other(request, f"/teams/{team_id}", say=say)


@post("/teams/{team_id:int}/discard", may=KEEP, outlives=False, include_in_schema=False)
async def discard(request: Asked, session: Session, team_id: Id) -> Redirect:
    """Nobody leads it any more; it can be brought back."""
    team = await find_team(session, team_id)
    await team.discard(session, request.user.now)
    await recheck(session, await find_tenant(session, team.tenant_id), request.user.now)
    _ = speech(request)
    say = _("%(name)s is discarded. The record stays.") % {"name": team.name}
    return see_other(request, "/teams", say=say, undo=(f"/teams/{team.id}/undiscard", _("Undo")))


@post("/teams/{team_id:int}/undiscard", may=KEEP, outlives=True, include_in_schema=False)
async def undiscard(request: Asked, session: Session, team_id: Id) -> Redirect:
    """Back, with its people; leads are named anew."""
    team = await find_team(session, team_id)
    await team.undiscard(session, acting(request))
    say = speech(request)("%(name)s is back, without leads.") % {"name": team.name}
    return see_other(request, f"/teams/{team.id}", say=say)


def keeps(request: Asked) -> bool:
    """Whether the reader keeps teams."""
    return request.user.actor is not None and request.user.actor.may(KEEP)


ROUTES = [every, ask, create, show_team, rename, add, set_lead, remove, discard, undiscard]
