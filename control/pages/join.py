"""Join: an invitation is taken up by the link of its letter. Opening the page spends nothing: mail scanners look."""

from datetime import timedelta
from typing import Any

from litestar import Request, Response, get, post
from litestar.response import Redirect
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.joining import Joined, join, newcomer
from control.doors import ANYONE
from control.pages.parts.cookies import let_in, remember_visit, visiting
from control.pages.parts.entering import destination, enter
from control.pages.parts.fields import Fields, read_fields
from control.pages.parts.forms import UNTOUCHED, errors_of
from control.pages.parts.offers import Offer, Way, offer_of
from control.pages.parts.session import house_of
from control.shell import page, see_other
from control.speech import speech
from control.visitor import Visitor
from control.writing.invitations import send_again
from tenants.actor import Actor
from tenants.credentials import check_strength, hash_password
from tenants.people import User
from tenants.reach import Reach
from tenants.refusals import Conflict, Invalid, NotPermitted
from tenants.text import named

EVERYWHERE = Reach.everywhere("join")
NEXT_STEP = "/account/second-factor"
"""Where a newcomer goes on: they may protect their account at once."""
LETTER_AGAIN = timedelta(minutes=15)
"""How soon a copied link has its letter sent once more."""
STATUS = {Way.GONE: 410, Way.VOID: 403, Way.SOMEBODY_ELSE: 403}


@get("/join/{token:str}", may=ANYONE, outlives=True, include_in_schema=False)
async def look(request: Request[Visitor, Any, Any], token: str) -> Response[Any]:
    """What the link is good for."""
    return draw(request, token, await looked_up(request, token))


@post("/join/{token:str}", may=ANYONE, outlives=True, include_in_schema=False)
async def take_up(request: Request[Visitor, Any, Any], token: str) -> Response[Any]:
    """Come in: with a name and a password for the first time, or with a word by who is signed in."""
    fields, offer = await read_fields(request), await looked_up(request, token)
    if offer.way not in {Way.CHOOSE_PASSWORD, Way.CONFIRM}:
        return draw(request, token, offer)
    try:
        password_hash = await chosen(fields) if offer.way is Way.CHOOSE_PASSWORD else None
        return await come_in(request, token, fields, password_hash)
    except Invalid as refusal:
        return draw(request, token, offer, fields, refusal)


@post("/join/{token:str}/letter", may=ANYONE, outlives=True, include_in_schema=False)
async def have_letter_sent(request: Request[Visitor, Any, Any], token: str) -> Response[Any]:
    """Who was handed a copied link asks for the letter: only its link proves the address."""
    house, now = house_of(request), request.user.now
    async with house.store.work(Actor.house("invitation", request.user.origin), EVERYWHERE, now) as session:
        offer = await offer_of(session, request.user, token, hold=True)
        if offer.way is not Way.LETTER:
            return draw(request, token, offer)
        for invitation in offer.invitations:
            voucher = await invitation.voucher(session)
            if voucher is not None and (invitation.sent_at is None or now - invitation.sent_at > LETTER_AGAIN):
                await send_again(house, session, invitation, voucher, now)
    return draw(request, token, offer, on_its_way=True)


async def looked_up(request: Request[Visitor, Any, Any], token: str) -> Offer:
    """The offer as it stands, for whoever asks."""
    house, visitor = house_of(request), request.user
    actor = Actor.house("invitation", visitor.origin)
    async with house.store.work(actor, EVERYWHERE, visitor.now, writes=False) as session:
        return await offer_of(session, visitor, token)


async def chosen(fields: Fields) -> str:
    """The hash of the password that was chosen. Invalid, as the name is, before anything is written."""
    named(fields.text("name"))
    check_strength(fields.text("password"))
    return await hash_password(fields.text("password"))


async def come_in(
    request: Request[Visitor, Any, Any], token: str, fields: Fields, password_hash: str | None
) -> Response[Any]:
    """In one transaction, which looks again: of many who come at once with one link, one comes in."""
    house, visitor = house_of(request), request.user
    actor = visitor.actor or Actor.house("invitation", visitor.origin)
    try:
        async with house.store.work(actor, EVERYWHERE, visitor.now) as session:
            offer = await offer_of(session, visitor, token, hold=True)
            if offer.way is Way.CONFIRM and offer.reader is not None:
                joined = await joined_or_void(session, offer, offer.reader, visitor)
                return welcome(request, joined, destination("", visitor.identity))
            if offer.way is not Way.CHOOSE_PASSWORD or password_hash is None:
                return draw(request, token, offer)
            user = await newcomer(session, offer.invitations[0], fields.text("name"), password_hash, visitor.now)
            joined = await joined_or_void(session, offer, user, visitor)
            return await signed_in(request, session, user, joined)
    except NotPermitted:
        return draw(request, token, Offer(Way.VOID))
    except IntegrityError:
        # Two letters to one address were taken up at the same moment: the other one was first.
        raise Conflict("Somebody came in with this address just now. Open the link once more.") from None


async def joined_or_void(session: AsyncSession, offer: Offer, user: User, visitor: Visitor) -> Joined:
    """What came of it. NotPermitted, and nothing was done, where the senders may not bring back what had ended."""
    joined = await join(session, offer.invitations, user, visitor.now)
    if not joined.memberships:
        raise NotPermitted("Whoever sent this may not bring back what ended there.", rule="level")
    return joined


async def signed_in(
    request: Request[Visitor, Any, Any], session: AsyncSession, user: User, joined: Joined
) -> Response[Any]:
    """A newcomer goes on to protect their account. Who has a second factor already shows it at the sign-in."""
    if user.second_factor:
        return see_other(request, "/sign-in", say=speech(request)("Your password is set. Sign in with it."))
    answer = welcome(request, joined, NEXT_STEP)
    begun = await enter(session, request, user, ("pwd",))
    if begun is not None:
        let_in(request, answer, begun[1])
    return answer


def welcome(request: Request[Visitor, Any, Any], joined: Joined, onward: str) -> Redirect:
    """Where they joined, and what was not to be had."""
    _ = speech(request)
    places = ", ".join(membership.tenant.name for membership in joined.memberships)
    said = [_("You are in %(tenant)s now.") % {"tenant": places}]
    gone = _("Extension %(number)s was given to somebody else meanwhile.")
    said += [gone % {"number": number} for number in joined.extensions_gone]
    return see_other(request, onward, say=" ".join(said))


def draw(
    request: Request[Visitor, Any, Any],
    token: str,
    offer: Offer,
    fields: Fields = UNTOUCHED,
    refusal: Invalid | None = None,
    *,
    on_its_way: bool = False,
) -> Response[Any]:
    """The page, with what was typed (never the password)."""
    seed = visiting(request)
    answer = page(
        request,
        "join/show.html",
        status=refusal.status if refusal else STATUS.get(offer.way, 200),
        title=speech(request)("Invitation"),
        token=token,
        way=offer.way.value,
        invitations=offer.invitations,
        on_its_way=on_its_way,
        name=fields.text("name") or (offer.invitations[0].name if offer.invitations else ""),
        errors=errors_of(refusal),
    )
    remember_visit(request, answer, seed)
    return answer


ROUTES = [look, take_up, have_letter_sent]
