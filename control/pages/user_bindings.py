"""The User Bindings tab: whose extension one's own app logins open as, and what stood there before."""

from typing import Any

import sqlalchemy as sa
from litestar import Request, Response, get, post
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.binding import Binding
from control.pages.parts.binding_form import FIELDS, bind, choices_for
from control.pages.parts.fields import Fields, Id, read_fields
from control.pages.parts.forms import errors_of
from control.pages.parts.proposed import may_propose, tell_of_proposal
from control.pages.parts.session import Session, changing
from control.pages.parts.shown_bindings import may_bind, shown
from control.pages.parts.user_tabs import crumbs, user_tabs
from control.shell import page, see_other
from control.speech import speech
from control.visitor import Visitor
from tenants.people import find_user
from tenants.refusals import OutOfReach, Refusal
from tenants.roles import Permission

KEPT = 20
"""How many ended bindings are shown."""


@get("/users/{user_id:int}/bindings", may=Permission.SEE_STAND_INS, outlives=False, include_in_schema=False)
async def tab(request: Request[Visitor, Any, Any], session: Session, user_id: Id) -> Response[Any]:
    """The tab, with the form for oneself; choosing a phone system asks for the same page again."""
    typed = {name: (request.query_params.get(name, ""),) for name in (*FIELDS, "q")}
    apps = tuple(request.query_params.getall("apps", []))
    return await show(request, session, user_id, Fields({**typed, "apps": apps}))


@post(
    "/users/{user_id:int}/bindings",
    may=Permission.STAND_IN,
    outlives=True,
    proof=True,
    proof_at="/users/{user_id}/bindings",
    proof_keeps=FIELDS,
    include_in_schema=False,
)
async def save(request: Request[Visitor, Any, Any], user_id: Id) -> Response[Any]:
    """Bind oneself; what a rule refuses comes back as the same form with the rule's sentence."""
    fields, visitor = await read_fields(request), request.user
    if visitor.actor is None:
        raise OutOfReach
    try:
        async with changing(request) as session:
            binding = await bind(session, visitor.actor, user_id, fields, visitor.now)
            if binding.accepted_at is None:
                await tell_of_proposal(request.app.state.house, session, visitor.actor, binding, visitor.now)
    except OutOfReach:
        raise
    except Refusal as refusal:
        async with changing(request) as session:
            return await show(request, session, user_id, fields, refusal)
    _ = speech(request)
    if binding.accepted_at is None:
        said = _("Proposed. %(who)s answers it at their next login to an app.") % {"who": binding.actor_name}
        return see_other(request, f"/users/{user_id}/bindings", say=said)
    said = _("Saved. From your next login your apps open as %(name)s, ext %(number)s at %(tenant)s.") % {
        "name": binding.subject_name,
        "number": binding.number,
        "tenant": binding.tenant_name,
    }
    return see_other(request, f"/users/{user_id}/bindings", say=said)


async def show(
    request: Request[Visitor, Any, Any],
    session: AsyncSession,
    user_id: int,
    fields: Fields,
    refusal: Refusal | None = None,
) -> Response[Any]:
    """The tab as it is drawn: what holds now, the form, and what held before."""
    visitor = request.user
    if visitor.actor is None:
        raise OutOfReach
    user = await find_user(session, user_id)
    own = visitor.user is not None and visitor.user.id == user.id
    settable = may_bind(visitor.actor) and (own or await may_propose(session, visitor.actor, user))
    theirs = sa.select(Binding).where(Binding.user_id == user.id).order_by(Binding.id.desc())
    now_open = await session.scalars(theirs.where(Binding.ended_at.is_(None)))
    ended = await session.scalars(theirs.where(Binding.ended_at.is_not(None)).limit(KEPT))
    errors = errors_of(refusal)
    return page(
        request,
        "users/bindings.html",
        status=refusal.status if refusal else 200,
        title=user.name,
        crumbs=crumbs(request, user),
        user=user,
        tabs=user_tabs(request, user, "bindings"),
        own=own,
        settable=settable,
        choices=await choices_for(session, fields) if settable else None,
        typed={name: fields.text(name) for name in (*FIELDS, "q")} | {"apps": fields.all("apps")},
        errors={FORM_FIELD.get(field, field): sentence for field, sentence in errors.items()},
        rule=refusal.rule if refusal else None,
        current=await shown(session, list(now_open), visitor.actor, visitor.now),
        ended=await shown(session, list(ended), visitor.actor, visitor.now),
    )


FORM_FIELD = {"ends_at": "until"}
"""Where the form calls a field otherwise than the record does."""

ROUTES = [tab, save]
