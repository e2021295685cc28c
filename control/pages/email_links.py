"""The links of letters about a change of address: the new one confirms, the old one agrees or cancels."""

from typing import Any

from litestar import Request, Response, get, post
from sqlalchemy.ext.asyncio import AsyncSession

from control.doors import ANYONE
from control.house import House
from control.pages.parts.cookies import remember_visit, visiting
from control.pages.parts.fields import read_fields
from control.pages.parts.session import house_of
from control.shell import page
from control.speech import speech
from control.visitor import Visitor
from control.writing.addresses import EVERYWHERE, ask_old_address, tell_changed
from tenants.actor import Actor
from tenants.email_changes import EmailChange
from tenants.identities import live_identities
from tenants.links import Link, Purpose
from tenants.people import User
from tenants.refusals import Conflict, Gone

Asked = Request[Visitor, Any, Any]


@get("/email/confirm/{secret:str}", may=ANYONE, outlives=True, include_in_schema=False)
async def look_new(request: Asked, secret: str) -> Response[Any]:
    """What the new address is asked; opening the page spends nothing."""
    return await looked(request, secret, Purpose.EMAIL_CONFIRM)


@post("/email/confirm/{secret:str}", may=ANYONE, outlives=True, include_in_schema=False)
async def confirm(request: Asked, secret: str) -> Response[Any]:
    """The new address is theirs. One's own change is done; another's waits for the old address."""
    house, now = house_of(request), request.user.now
    try:
        async with house.store.work(letter_reader(request), EVERYWHERE, now) as session:
            change = await redeemed(session, secret, Purpose.EMAIL_CONFIRM, request)
            await change.confirm(session, now)
            user = await session.get_one(User, change.user_id)
            if change.own:
                return drawn(
                    request, "done" if await applied(house, session, change, user, request) else "taken", change
                )
            askers = await live_identities(session, membership_id=change.asked_by_id)
            await ask_old_address(house, session, change, user, askers[0].shown_name if askers else "", now)
            return drawn(request, "waits", change)
    except (Gone, Conflict):
        return drawn(request, "gone")


@get("/email/agree/{secret:str}", may=ANYONE, outlives=True, include_in_schema=False)
async def look_old(request: Asked, secret: str) -> Response[Any]:
    """What the old address is asked; opening the page spends nothing."""
    return await looked(request, secret, Purpose.EMAIL_AGREE)


@post("/email/agree/{secret:str}", may=ANYONE, outlives=True, include_in_schema=False)
async def agree_or_cancel(request: Asked, secret: str) -> Response[Any]:
    """The old address has the last word, without signing in."""
    house, now = house_of(request), request.user.now
    cancelling = (await read_fields(request)).text("cancel") != ""
    try:
        async with house.store.work(letter_reader(request), EVERYWHERE, now) as session:
            change = await redeemed(session, secret, Purpose.EMAIL_AGREE, request)
            if cancelling:
                await change.cancel(session, now)
                return drawn(request, "cancelled", change)
            await change.agree(session, now)
            user = await session.get_one(User, change.user_id)
            return drawn(request, "done" if await applied(house, session, change, user, request) else "taken", change)
    except (Gone, Conflict):
        return drawn(request, "gone")


async def applied(house: House, session: AsyncSession, change: EmailChange, user: User, request: Asked) -> bool:
    """Let it take effect, and tell the old address; not when somebody has verified the new one meanwhile."""
    before = await change.apply(session, request.user.now)
    if before is not None:
        await tell_changed(house, session, user, before, request.user.now)
    return before is not None


async def looked(request: Asked, secret: str, purpose: Purpose) -> Response[Any]:
    """The question, while the link is good."""
    house, now = house_of(request), request.user.now
    async with house.store.work(letter_reader(request), EVERYWHERE, now, writes=False) as session:
        link = await Link.look(session, secret, purpose, now)
        change = await session.get(EmailChange, link.about_id) if link is not None else None
    if change is None or not change.pending(now):
        return drawn(request, "gone")
    return drawn(request, "confirm" if purpose is Purpose.EMAIL_CONFIRM else "agree", change, secret=secret)


async def redeemed(session: AsyncSession, secret: str, purpose: Purpose, request: Asked) -> EmailChange:
    """The change that the link is about, locked; the link is spent. Gone when it was good for nothing."""
    link = await Link.redeem(session, secret, purpose, request.user.now)
    change = await session.get(EmailChange, link.about_id, with_for_update=True) if link.about_id else None
    if change is None:
        raise Gone("This link was used already, or it is too old. Ask for a new one.")
    return change


def letter_reader(request: Asked) -> Actor:
    """Whoever reads the letter: nobody asks who they are."""
    return Actor.house("link of a letter", request.user.origin)


def drawn(request: Asked, what: str, change: EmailChange | None = None, **context: Any) -> Response[Any]:
    """The page: a question, or what became of it."""
    seed = visiting(request)
    answer = page(
        request,
        "email/link.html",
        status=410 if what == "gone" else 409 if what == "taken" else 200,
        title=speech(request)("Your address"),
        what=what,
        change=change,
        cancelling=bool(request.query_params.get("cancel")),
        **context,
    )
    remember_visit(request, answer, seed)
    return answer


ROUTES = [look_new, confirm, look_old, agree_or_cancel]
