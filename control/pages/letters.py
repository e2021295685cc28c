"""Letters: what went out to people in reach and what did not; never what a letter says."""

from typing import Any

import sqlalchemy as sa
from litestar import Request, Response, get, post

from control.house import House
from control.pages.parts.asked import filters_in, matching, one_of, words_in
from control.pages.parts.fields import Id
from control.pages.parts.session import Session
from control.paging import page_of
from control.shell import page, see_other
from control.speech import speech
from control.visitor import Visitor
from tenants.letters import Letter, LetterKind, Stage
from tenants.roles import Permission
from tenants.tree import Tenant

MANAGE = Permission.MANAGE_PEOPLE
"""Who writes to people is told what became of it."""
SORTS = {"id": Letter.id, "name": Letter.name, "address": Letter.address}


@get("/letters", may=MANAGE, outlives=False, include_in_schema=False)
async def list_letters(request: Request[Visitor, Any, Any], session: Session) -> Response[Any]:
    """Letters of the organizations in reach, newest first."""
    params = filters_in(request.query_params, "q", "stage", "kind", "sort")
    stage, kind = one_of(params, "stage", *Stage), one_of(params, "kind", *LetterKind)
    sort = params.get("sort", "-id")
    wanted = sa.select(Letter).where(
        matching(params.get("q", ""), Letter.name, Letter.address),
        Letter.at_stage(Stage(stage)) if stage else sa.true(),
        Letter.kind == kind if kind else sa.true(),
    )
    found = await page_of(session, wanted, SORTS, sort=sort, cursor=words_in(request.query_params, "cursor") or None)
    places = sa.select(Tenant.id, Tenant.name).where(Tenant.id.in_({letter.tenant_id for letter in found.items}))
    house: House = request.app.state.house
    return page(
        request,
        "outbox/list.html",
        title=speech(request)("Letters"),
        rows=found.items,
        places={row.id: row.name for row in await session.execute(places)},
        next=found.next,
        sort=sort,
        params=params,
        by_mail=house.settings.mail_server is not None,
    )


@post("/letters/{letter_id:int}/try-again", may=MANAGE, outlives=True, include_in_schema=False)
async def try_again(request: Request[Visitor, Any, Any], session: Session, letter_id: Id) -> Response[Any]:
    """Do not wait for the next try of a letter that is under way anyway."""
    letter = await Letter.find(session, letter_id)
    letter.hasten(request.user.now)
    house: House = request.app.state.house
    house.wake_sender_after(session)
    return see_other(request, "/letters", say=speech(request)("It is tried again now."))


ROUTES = [list_letters, try_again]
