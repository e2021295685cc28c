"""Passkeys: sign in with one alone; and one's own, added, renamed and removed."""

from typing import Any

from litestar import Request, Response, get, post
from sqlalchemy.ext.asyncio import AsyncSession

from control.browsers import browser_and_system
from control.doors import ANYONE
from control.house import House
from control.pages.parts.account_page import myself
from control.pages.parts.entering import enter, lead_in
from control.pages.parts.factors import came, went
from control.pages.parts.failures import count_wrong
from control.pages.parts.fields import Fields, Id, read_fields
from control.pages.parts.forms import UNTOUCHED, errors_of
from control.pages.parts.layers import layer_in
from control.pages.parts.passkeys import find_passkey, mark_copied, party_of, take_passkey
from control.pages.parts.session import Session, changing
from control.pages.sign_in import EVERYWHERE, form
from control.shell import page, see_other
from control.speech import speech
from control.visitor import Visitor
from tenants.actor import Actor
from tenants.ceremonies import Answer, Ceremony, Copied, read_answer
from tenants.factors import factors_of, lock, require_spare
from tenants.passkeys import MOST, Passkey, passkeys_of
from tenants.people import User
from tenants.refusals import Conflict, Gone, Invalid, OutOfReach, Refusal, TooMany
from tenants.roles import Permission
from tenants.sign_in import Attempt, hold_back


@post("/sign-in/passkey", may=ANYONE, outlives=True, include_in_schema=False)
async def sign_in_by_passkey(request: Request[Visitor, Any, Any]) -> Response[Any]:
    """A passkey that verified its user is both: what one has, and what one knows or is."""
    fields, visitor = await read_fields(request), request.user
    house: House = request.app.state.house
    actor, user = Actor.house("sign-in", visitor.origin), None
    attempt = Attempt.of("a passkey", visitor.origin.address)
    try:
        answer = read_answer(fields.text("credential"))
        attempt = Attempt.of(answer.credential_id, visitor.origin.address)
        async with house.store.work(actor, EVERYWHERE, visitor.now, writes=False) as session:
            user = (await find_passkey(session, answer))[1]
            attempt = Attempt.of(user.email, visitor.origin.address)
            await hold_back(session, attempt, visitor.now, user)
        return await _let_in(request, fields, answer)
    except (Gone, TooMany) as refusal:
        return await form(request, fields, refusal)
    except Invalid as refusal:
        if isinstance(refusal, Copied):
            await mark_copied(house, visitor, refusal)
        await count_wrong(house, visitor, actor, attempt, user)
        return await form(request, fields, refusal)


async def _let_in(request: Request[Visitor, Any, Any], fields: Fields, answer: Answer) -> Response[Any]:
    visitor, house, layer = request.user, request.app.state.house, await layer_in(request, fields)
    async with house.store.work(Actor.house("sign-in", visitor.origin), EVERYWHERE, visitor.now) as session:
        user, how = await take_passkey(request, session, Ceremony.SIGN_IN, answer, None)
        begun = await enter(session, request, user, (how, "mfa"), layer)
        if begun is None:
            raise Invalid("This passkey is not known here. Sign in in another way.", field="credential")
        return lead_in(request, user, *begun, fields.text("next"))


@get("/account/passkeys", may=Permission.OWN_ACCOUNT, outlives=True, before_factor=True, include_in_schema=False)
async def own_passkeys(request: Request[Visitor, Any, Any], session: Session) -> Response[Any]:
    """One's own, with when each was last used."""
    return await _show(request, session)


@post(
    "/account/passkeys",
    may=Permission.OWN_ACCOUNT,
    outlives=True,
    before_factor=True,
    proof=True,
    proof_at="/account/passkeys",
    include_in_schema=False,
)
async def add_passkey(request: Request[Visitor, Any, Any]) -> Response[Any]:
    """Keep the one that the browser has just made."""
    fields, visitor = await read_fields(request), request.user
    try:
        async with changing(request) as session:
            user = await myself(request, session)
            await lock(session, user)
            answer = read_answer(fields.text("credential"))
            name = fields.text("name").strip() or _suggested(request)
            passkey, how = await party_of(request).take_new(session, user, answer, name, visitor.now)
            return await came(request, session, user, f"the passkey “{passkey.name}”", how, "/account/passkeys")
    except (Invalid, Conflict, Gone) as refusal:
        async with changing(request) as session:
            return await _show(request, session, fields, refusal)


@post("/account/passkeys/{passkey_id:int}/rename", may=Permission.OWN_ACCOUNT, outlives=True, include_in_schema=False)
async def rename_passkey(request: Request[Visitor, Any, Any], passkey_id: Id) -> Response[Any]:
    """Call it something else."""
    fields = await read_fields(request)
    try:
        async with changing(request) as session:
            await (await _own(request, session, passkey_id)).rename(session, fields.text("name"))
    except Invalid as refusal:
        async with changing(request) as session:
            return await _show(request, session, UNTOUCHED, refusal)
    return see_other(request, "/account/passkeys", say=speech(request)("Saved."))


@get(
    "/account/passkeys/{passkey_id:int}/remove",
    may=Permission.OWN_ACCOUNT,
    outlives=True,
    proof=True,
    include_in_schema=False,
)
async def ask_remove_passkey(request: Request[Visitor, Any, Any], session: Session, passkey_id: Id) -> Response[Any]:
    """The question before it."""
    passkey = await _own(request, session, passkey_id)
    factors = await factors_of(session, passkey.user_id)
    title = speech(request)("Remove a passkey")
    return page(request, "account/remove_passkey.html", title=title, passkey=passkey, last=factors.count == 1)


@post(
    "/account/passkeys/{passkey_id:int}/remove",
    may=Permission.OWN_ACCOUNT,
    outlives=True,
    proof=True,
    proof_at="/account/passkeys/{passkey_id}/remove",
    include_in_schema=False,
)
async def remove_passkey(request: Request[Visitor, Any, Any], session: Session, passkey_id: Id) -> Response[Any]:
    """It proves nobody any more."""
    user = await myself(request, session)
    await lock(session, user)
    passkey = await _own(request, session, passkey_id)
    require_spare(await factors_of(session, user.id), request.user.identities)
    await passkey.remove(session, request.user.now)
    await went(request, session, user, f"the passkey “{passkey.name}”")
    said = speech(request)("The passkey %(name)s is removed.") % {"name": passkey.name}
    return see_other(request, "/account/passkeys", say=said)


async def _own(request: Request[Visitor, Any, Any], session: AsyncSession, passkey_id: int) -> Passkey:
    """One of the reader's own; an admin reaches others', and touches none."""
    passkey = await session.get(Passkey, passkey_id)
    if passkey is None or request.user.user is None or passkey.user_id != request.user.user.id:
        raise OutOfReach
    if passkey.discarded_at is not None:
        raise OutOfReach
    return passkey


async def _show(
    request: Request[Visitor, Any, Any],
    session: AsyncSession,
    fields: Fields = UNTOUCHED,
    refusal: Refusal | None = None,
) -> Response[Any]:
    user, visitor = await myself(request, session), request.user
    passkeys = await passkeys_of(session, user.id)
    return page(
        request,
        "account/passkeys.html",
        status=refusal.status if refusal else 200,
        title=speech(request)("Passkeys"),
        passkeys=passkeys,
        suggested=fields.text("name") or _suggested(request),
        options=_options(request, user, passkeys),
        fresh=visitor.sign_in is not None and visitor.sign_in.fresh(visitor.now),
        errors=errors_of(refusal),
    )


def _options(request: Request[Visitor, Any, Any], user: User, passkeys: list[Passkey]) -> str | None:
    """What the browser is asked for; nothing when there are enough."""
    return party_of(request).asks_for_new(user, passkeys, request.user.now) if len(passkeys) < MOST else None


def _suggested(request: Request[Visitor, Any, Any]) -> str:
    """A name for it: the browser and system it is made at."""
    name, system = browser_and_system(request.headers.get("user-agent", ""))
    return " – ".join(part for part in (name, system) if part) or "Passkey"


ROUTES = [
    sign_in_by_passkey,
    own_passkeys,
    add_passkey,
    rename_passkey,
    ask_remove_passkey,
    remove_passkey,
]
