"""Signing in as somebody: the question before it, the start, and the way back to where it began."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from litestar import Request, Response, get, post
from litestar.response import Redirect
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from bindings.apps import App, find_client, origin_of
from bindings.consenting import WrongDigits, redeem_digits
from bindings.deeds import anything_done, changed_through, revealed_through
from bindings.guard import unassigned
from bindings.handoff import hand_off, openings
from bindings.impersonation import Asked, Impersonation, find_impersonation
from bindings.rehearsal import Rehearsed, rehearse
from control.doors import SIGNED_IN
from control.local_path import local_path, path_of
from control.pages.parts.cookies import let_in
from control.pages.parts.ended_how import ended_how
from control.pages.parts.fields import Fields, Id, number_in, read_fields
from control.pages.parts.forms import errors_of
from control.pages.parts.history import told
from control.pages.parts.session import Session, acting, changing
from control.pages.parts.user_rows import becoming_people, memberships_of
from control.shell import page, see_other
from control.speech import speech
from control.visitor import Visitor
from control.writing.alarms import raise_alarm
from tenants.break_glasses import is_platform_admin
from tenants.people import Membership
from tenants.phones import Extension
from tenants.reach import Reach
from tenants.refusals import Conflict, OutOfReach, Refusal
from tenants.roles import Permission
from tenants.sign_in import SignIn

KEPT = ("membership", "extension", "app", "mode", "reason", "ticket", "back")
"""What the question keeps of what was typed, when a proof or a refusal comes between."""
LONGEST_BACK = 500
"""Characters of the address that Stop leads back to; of a longer one the path is kept."""


@dataclass(frozen=True, slots=True)
class Sought:
    """Whom one wants to be, and where."""

    subject: Membership
    extension: Extension | None
    app: App | None
    app_named: str


@get("/impersonations/new", may=Permission.STAND_IN, outlives=False, starts=True, include_in_schema=False)
async def ask(request: Request[Visitor, Any, Any], session: Session) -> Response[Any]:
    """The question: whom, why, how far, and what one will and will not be able to do."""
    said = request.query_params
    fields = Fields({name: (said.get(name, ""),) for name in KEPT})
    return await show(request, session, fields)


@post(
    "/impersonations",
    may=Permission.STAND_IN,
    outlives=False,
    starts=True,
    proof=True,
    proof_at="/impersonations/new",
    proof_keeps=KEPT,
    include_in_schema=False,
)
async def start(request: Request[Visitor, Any, Any]) -> Response[Any]:
    """Go on as them: in this tab in the panel, in a new one at an app. What a rule refuses comes back as the form."""
    fields, visitor = await read_fields(request), request.user
    try:
        await say_digits(request, fields)
        async with changing(request) as session:
            sought = await seek(session, fields)
            stand = await begin(request, session, sought, fields)
            if sought.app is not None:
                onward = await hand_off(session, acting(request), stand, sought.app, visitor.sign_in, visitor.now)
                return open_tab(request, fields, sought, onward)
            secret = await _renewed(session, visitor)
    except OutOfReach:
        raise
    except Refusal as refusal:
        async with changing(request) as session:
            return await show(request, session, fields, refusal)
    answer = Redirect("/", status_code=303)
    if secret is not None:
        let_in(request, answer, secret)
    return answer


async def say_digits(request: Request[Visitor, Any, Any], fields: Fields) -> None:
    """Open the subject's window with the digits that they spoke, in a transaction of its own: wrong ones are counted
    whatever becomes of the start. Raises WrongDigits.
    """
    typed = fields.text("digits").strip()
    if not typed:
        return
    secret_key = request.app.state.house.settings.secret_key
    async with changing(request) as session:
        subject = (await seek(session, fields)).subject
        right = await redeem_digits(session, secret_key, acting(request), subject, typed, request.user.now)
    if not right:
        raise WrongDigits


async def begin(
    request: Request[Visitor, Any, Any], session: AsyncSession, sought: Sought, fields: Fields
) -> Impersonation:
    """Begin it as the form says, and raise the alarm where it is one too many."""
    actor, now = acting(request), request.user.now
    asked = Asked.of(
        fields.text("reason"),
        fields.text("ticket") or None,
        fields.text("mode") or None,
        extension_id=sought.extension.id if sought.extension else None,
        app_id=sought.app.id if sought.app else None,
        back=back_of(request, fields),
    )
    stand = await Impersonation.start(session, actor, sought.subject, asked, now)
    await raise_alarm(request.app.state.house, session, actor, stand, now)
    return stand


def open_tab(request: Request[Visitor, Any, Any], fields: Fields, sought: Sought, onward: str) -> Response[Any]:
    """Lead the new tab to the app.

    From the question's own page by a redirect, which its policy names the app for. A dialog stands in some other page,
    whose policy lets its forms lead nowhere else: there the tab is shown a page that goes on by itself.
    """
    if not fields.text("dialog"):
        return Redirect(onward, status_code=303)
    answer = page(
        request,
        "impersonations/opening.html",
        title=speech(request)("Opening %(app)s") % {"app": sought.app.name if sought.app else ""},
        sought=sought,
        onward=onward,
    )
    answer.headers["Refresh"] = f"0; url={onward}"
    return answer


@post("/impersonations/stop", may=SIGNED_IN, outlives=False, before_factor=True, leaves=True, include_in_schema=False)
async def stop(request: Request[Visitor, Any, Any]) -> Response[Any]:
    """Be oneself again, where one left off. It takes nobody's number: there is one, or none, in this browser."""
    visitor, house = request.user, request.app.state.house
    stand, actor = visitor.stand_in, acting(request)
    if stand is None:
        raise Conflict("You are yourself already.", rule="oneself")
    async with house.store.work(actor, Reach.everywhere("stop"), visitor.now) as session:
        row = await session.get_one(Impersonation, stand.id)
        await row.stop(session, actor, visitor.now)
        done = await anything_done(session, row)
        secret = await _back_to_oneself(session, visitor)
    return leave(request, f"/impersonations/{stand.id}/done" if done else local_path(stand.back), secret)


@post(
    "/impersonations/over",
    may=SIGNED_IN,
    outlives=False,
    before_factor=True,
    leaves=True,
    when_over=True,
    include_in_schema=False,
)
async def read_that_it_is_over(request: Request[Visitor, Any, Any]) -> Response[Any]:
    """The person has read that it ended, and goes on as themselves where they left off."""
    visitor, house = request.user, request.app.state.house
    if visitor.over is None:
        return Redirect("/", status_code=303)
    async with house.store.work(acting(request), Reach.everywhere("stop"), visitor.now) as session:
        done = await anything_done(session, visitor.over)
        secret = await _back_to_oneself(session, visitor)
    onward = local_path((await read_fields(request)).text("next"), "")
    told_of = f"/impersonations/{visitor.over.id}/done" if done else local_path(visitor.over.back)
    return leave(request, onward or told_of, secret)


def leave(request: Request[Visitor, Any, Any], path: str, secret: str | None) -> Response[Any]:
    """Go there as oneself; what this browser kept of the subject's pages is gone, the one to go back to as well."""
    actor = acting(request)
    name = actor.true.shown_name if actor.true else ""
    answer = see_other(request, path, say=speech(request)("You are %(name)s again.") % {"name": name})
    answer.headers["Clear-Site-Data"] = '"cache"'
    if secret is not None:
        let_in(request, answer, secret)
    return answer


@get(
    "/impersonations/{impersonation_id:int}/done",
    may=SIGNED_IN,
    outlives=True,
    before_factor=True,
    include_in_schema=False,
)
async def after(request: Request[Visitor, Any, Any], session: Session, impersonation_id: Id) -> Response[Any]:
    """What one changed and looked into while one was somebody else: for whoever it was, once it is over."""
    visitor, actor = request.user, acting(request)
    stand = await find_impersonation(session, impersonation_id)
    over = stand.over(visitor.now)
    if actor.true is None or actor.true.user_id != stand.user_id or over is None:
        raise OutOfReach
    _, ended_at = over
    return page(
        request,
        "impersonations/done.html",
        title=speech(request)("You were %(name)s") % {"name": stand.subject_name},
        stand=stand,
        how=ended_how(stand.ended_cause, visitor.reader.locale if visitor.reader else "en"),
        lasted=ended_at - stand.created_at,
        changed=await told(session, visitor, changed_through(stand)),
        revealed=await told(session, visitor, revealed_through(stand)),
        reads=actor.may(Permission.READ_HISTORY),
        back=local_path(stand.back),
    )


async def seek(session: AsyncSession, fields: Fields) -> Sought:
    """Whom, by membership or by an extension's user, in reach; at which app. OutOfReach for anything else.

    Refused for an extension that nobody has.
    """
    extension = None
    if fields.text("extension"):
        extension = await session.get(Extension, fields.number("extension") or 0)
        if extension is None:
            raise OutOfReach
        if extension.membership_id is None:
            raise unassigned()
    wanted = number_in(fields.text("membership")) or (extension.membership_id if extension else None)
    # In the reach by the fence: nobody is told of anybody outside it.
    found = sa.select(Membership).where(Membership.id == wanted)
    subject = (
        await session.scalars(found.options(joinedload(Membership.user), joinedload(Membership.tenant)))
    ).one_or_none()
    if subject is None or (extension is not None and extension.membership_id != subject.id):
        raise OutOfReach
    named = fields.text("app")
    app = await find_client(session, named) if named else None
    if named and app is None:
        raise OutOfReach
    return Sought(subject, extension, app, named)


async def show(
    request: Request[Visitor, Any, Any], session: AsyncSession, fields: Fields, refusal: Refusal | None = None
) -> Response[Any]:
    """The question as it is drawn; what a rule says is computed by the guard itself."""
    visitor, actor = request.user, acting(request)
    sought = await seek(session, fields)
    subject, user = sought.subject, sought.subject.user
    rehearsed: Rehearsed = await rehearse(session, actor, subject, visitor.now)
    extension_id = sought.extension.id if sought.extension else None
    could = rehearsed.refused is None or rehearsed.by_consent
    apps = await openings(session, actor, subject, extension_id, visitor.now) if could else []
    places = await memberships_of(session, [user.id])
    elsewhere = (await becoming_people(session, actor, [user], places)).get(user.id, [])
    return page(
        request,
        "impersonations/new.html",
        status=refusal.status if refusal else 200,
        forms_to=tuple({origin_of(each.app.handoff_uri) for each in apps if each.app.handoff_uri and not each.barred}),
        title=speech(request)("Sign in as %(name)s") % {"name": user.name},
        sought=sought,
        apps=apps,
        elsewhere=[each for each in elsewhere if each.membership_id != subject.id],
        rehearsed=rehearsed,
        typed={name: fields.text(name) for name in KEPT} | {"back": back_of(request, fields)},
        errors=errors_of(refusal),
        rule=refusal.rule if refusal else None,
        may_break_glass=is_platform_admin(actor.true) and rehearsed.refused is not None,
    )


def back_of(request: Request[Visitor, Any, Any], fields: Fields) -> str:
    """Where Stop leads to: the page that the form names, or the one that it was opened from."""
    settings = request.app.state.house.settings
    came = path_of(request.headers.get("referer"), settings.public_url) or ""
    if came.startswith(("/impersonations/new", "/prove")):
        came = ""
    back = local_path(fields.text("back"), came or "/")
    return back if len(back) <= LONGEST_BACK else back.partition("?")[0][:LONGEST_BACK]


async def _renewed(session: AsyncSession, visitor: Visitor) -> str | None:
    if visitor.sign_in is None:
        return None
    return await (await session.get_one(SignIn, visitor.sign_in.id)).renew(session)


async def _back_to_oneself(session: AsyncSession, visitor: Visitor) -> str | None:
    """The same sign-in, as the person it belongs to, under a new secret."""
    if visitor.sign_in is None:
        return None
    rows = SignIn.__table__
    await session.execute(sa.update(rows).where(rows.c.id == visitor.sign_in.id).values(impersonation_id=None))
    return await _renewed(session, visitor)


ROUTES = [ask, start, stop, read_that_it_is_over, after]
