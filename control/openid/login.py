"""The authorization endpoint: the checks in reading order, then whom the app will see, or a page that says why not.

Nothing but a proven redirect address is ever redirected to. A login passes without a page; a page is shown only for
a Notice, where the panel's own sign-in is impersonating (control/openid/continuing.py) or where an app of others asks
who somebody is (control/openid/consent.py), and never under `prompt=none`.
"""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from litestar import Response, get, post
from litestar.response import Redirect
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from bindings.apps import origin_of
from bindings.clients import Rejected
from bindings.codes import Code
from bindings.handoff import seen_through
from bindings.login import as_identity, begin_login, last_seen_by
from bindings.pushed_requests import consume
from bindings.resolving import Because, Granted, Notice, remember_choice, resolve
from control.doors import ANYONE, SIGNED_IN
from control.openid.answering import send
from control.openid.asking import (
    AUTHORIZE,
    EXTENSION,
    PROFILE,
    PROVED_SINCE,
    Asked,
    Asking,
    Party,
    asking_of,
    plain_ascii,
    rejected,
    spent,
)
from control.openid.consent import AGREED, ask_for_consent, consent_missing, remember_consent
from control.openid.continuing import CONTINUE, SUBJECT, choice_of, offer, oneself, say_that_it_is_over
from control.openid.issuer import fields_of, form_fields, house_of, issuer_of, with_fields
from control.shell import page
from control.speech import speech
from control.visitor import look_around
from tenants.factors import factor_missing
from tenants.reach import Reach
from tenants.roles import Permission
from tenants.sign_in import SignIn
from tenants.trail import record
from tenants.verbs import Verb

LONGEST_ADDRESS = 254
PROVING = timedelta(minutes=10)
"""How long after it was asked for a proof still counts for the request that asked."""
EVERYWHERE = Reach.everywhere("log in to an app")


@get(AUTHORIZE, may=ANYONE, outlives=False, bar=False, when_over=True, include_in_schema=False)
async def authorize(request: Asked) -> Response[Any]:
    """Where an app sends a browser to have somebody logged in (RFC 6749 section 4.1.1, OIDC Core section 3.1.2)."""
    try:
        asking = await asking_of(request, fields_of(request.url.query))
    except Rejected as refusal:
        return rejected(request, refusal)
    return _held_up(asking) or await _let_on(asking)


@post(AUTHORIZE, may=ANYONE, outlives=False, credential="none", include_in_schema=False)
async def authorize_by_form(request: Asked) -> Response[Any]:
    """The same by a form: a form from elsewhere brings no cookie, so it goes on as an address."""
    try:
        return Redirect(with_fields(AUTHORIZE, await form_fields(request)), status_code=303)
    except Rejected as refusal:
        return rejected(request, refusal)


@post(CONTINUE, may=SIGNED_IN, outlives=False, bar=False, leaves=True, include_in_schema=False)
async def go_on_as(request: Asked) -> Response[Any]:
    """The person's answer, by our own form alone: the app sees the subject through the impersonation, or themselves."""
    try:
        fields = await form_fields(request)
        asking = await asking_of(request, fields)
    except Rejected as refusal:
        return rejected(request, refusal)
    held_up = _held_up(asking)
    if held_up is not None:
        return held_up
    choice, stand = choice_of(fields), asking.visitor.stand_in
    if choice is None or stand is None:
        return asking.go(asking.again())
    party = await oneself(asking)
    return await _log_in(asking, replace(party, through=stand) if choice == SUBJECT else party)


@post(AGREED, may=SIGNED_IN, outlives=True, bar=False, include_in_schema=False)
async def go_on_agreed(request: Asked) -> Response[Any]:
    """The person lets an app of others know who they are, by our own form. Nobody who stands in says so."""
    try:
        fields = await form_fields(request)
        asking = await asking_of(request, fields)
    except Rejected as refusal:
        return rejected(request, refusal)
    held_up, actor = _held_up(asking), asking.visitor.actor
    if held_up is not None or actor is None:
        return held_up or _to_sign_in(asking)
    return await _log_in(asking, Party(actor, asking.visitor.identities), agreed_as=fields.get("agreed_as"))


def _held_up(asking: Asking) -> Response[Any] | None:
    """What comes before anybody is logged in, in reading order; None where nothing does."""
    visitor, sign_in = asking.visitor, asking.visitor.sign_in
    if asking.asked.silent and (visitor.over is not None or visitor.stand_in is not None):
        return asking.refuse("login_required", "Somebody stands in at the panel: the person has to say as whom.")
    if sign_in is None or _wants_proof(asking, sign_in):
        return _to_sign_in(asking)
    true = visitor.actor.true if visitor.actor else None
    if true is not None and factor_missing(true, sign_in):
        return _to_second_factor(asking)
    return None


async def _let_on(asking: Asking) -> Response[Any]:
    """Nobody is held up: log in as oneself, or ask first who stands in, or has until a moment ago."""
    visitor = asking.visitor
    if visitor.over is not None:
        return say_that_it_is_over(asking)
    if visitor.stand_in is not None:
        return await offer(asking)
    if visitor.actor is None:
        return _to_sign_in(asking)
    return await _log_in(asking, Party(visitor.actor, visitor.identities))


def _wants_proof(asking: Asking, sign_in: SignIn) -> bool:
    """`prompt=login` and `max_age` ask the person at the browser, the actor, to prove again who they are."""
    proved, asked = sign_in.proof_at, asking.asked
    since = asking.fields.get(PROVED_SINCE, "")
    if since.isascii() and since.isdigit() and len(since) < 12:
        # Only ever as strict as what it replaced: an old one counts for nothing.
        recent = asking.now.timestamp() - int(since) <= PROVING.total_seconds()
        strict = asked.max_age is not None or "login" in asked.prompts
        return proved.timestamp() < int(since) or (not recent and strict)
    if "login" in asked.prompts:
        return True
    return asked.max_age is not None and asking.now - proved > timedelta(seconds=asked.max_age)


def _to_sign_in(asking: Asking) -> Response[Any]:
    """Sign in, or prove it again, and come back to this request. It is always the person at the browser who proves."""
    if asking.asked.silent:
        return asking.refuse("login_required", "Nobody is signed in here, or not recently enough.")
    if asking.visitor.sign_in is None and "login" not in asking.asked.prompts and asking.asked.max_age is None:
        return asking.go(with_fields("/sign-in", {"next": asking.again()} | _hint(asking)))
    prompts = " ".join(sorted(asking.asked.prompts - {"login"}))
    kept = {"prompt": prompts} if prompts else {}
    since = str(int(asking.now.timestamp()))
    onward = asking.again(without=("prompt", PROVED_SINCE), **kept, **{PROVED_SINCE: since})
    if asking.visitor.stand_in is not None:
        return asking.go(with_fields("/prove", {"next": onward}))
    return asking.go(with_fields("/sign-in", {"next": onward, "reauth": "1"} | _hint(asking)))


def _hint(asking: Asking) -> dict[str, str]:
    """Who the app thinks will sign in, where that is an address: typed beforehand, believed by nobody."""
    hint = asking.said.get("login_hint", "")
    return {"email": hint} if "@" in hint and len(hint) <= LONGEST_ADDRESS and hint.isprintable() else {}


def _to_second_factor(asking: Asking) -> Response[Any]:
    """The organization asks for a second factor before anything else; then back to this request."""
    if asking.asked.silent:
        return asking.refuse("interaction_required", "A second factor is asked for first.")
    return asking.go(with_fields("/account/second-factor", {"next": asking.again()}))


async def _log_in(asking: Asking, party: Party, agreed_as: str | None = None) -> Response[Any]:
    """Whom the app will see, decided and written down in one transaction; a page where it cannot be decided.

    `agreed_as` is the membership that the page which asked for consent showed; for anybody else it is asked again.
    """
    house, sign_in = house_of(asking.request), asking.visitor.sign_in
    if sign_in is None:
        return _to_sign_in(asking)
    hinted = await _hinted(asking)
    if _chosen(asking) is None and agreed_as is None:
        async with house.store.writer.begin() as connection:
            outcome = await _resolved(connection, asking, party, sign_in)
            if isinstance(outcome, Granted) and not await consent_missing(connection, asking, outcome):
                return await _granted(connection, asking, party, sign_in, outcome, hinted)
    async with house.store.work(party.actor, EVERYWHERE, asking.now) as session:
        outcome = await _resolved(session, asking, party, sign_in)
        if isinstance(outcome, Notice):
            return await _notice(session, asking, party, outcome)
        if _number(asking, EXTENSION) is not None and outcome.because is Because.OWN:
            await remember_choice(session, sign_in.user_id, asking.app, outcome.subject, asking.now)
        if agreed_as == str(outcome.subject.membership_id):
            await remember_consent(session, asking, outcome)
        elif await consent_missing(await session.connection(), asking, outcome):
            return await ask_for_consent(session, asking, outcome)
        return await _granted(await session.connection(), asking, party, sign_in, outcome, hinted)


async def _granted(
    connection: AsyncConnection, asking: Asking, party: Party, sign_in: SignIn, granted: Granted, hinted: str | None
) -> Response[Any]:
    """The code, unless `prompt=none` would change who the app sees."""
    if asking.asked.silent and await _would_change(connection, asking, sign_in, granted, hinted):
        return asking.refuse("login_required", "Somebody else would be seen now.")
    asked = asking.asked
    if asking.pushed is not None and not await consume(connection, asking.pushed, asking.now):
        return rejected(asking.request, spent())
    login = await begin_login(connection, party.actor, granted, asking.app, sign_in, asked.scope, asking.now)
    _, code = await Code.issue(
        connection,
        login,
        redirect_uri=asked.redirect_uri,
        nonce=asked.nonce,
        code_challenge=asked.code_challenge,
        now=asking.now,
        dpop_jkt=asked.dpop_jkt,
    )
    return send(asking.request, asking.back(code=code))


async def _resolved(
    session: AsyncSession | AsyncConnection, asking: Asking, party: Party, sign_in: SignIn
) -> Granted | Notice:
    if party.through is not None and party.actor.true is not None:
        return await seen_through(session, party.through, party.actor.true, asking.app)
    return await resolve(
        session,
        sign_in.user_id,
        asking.app,
        asking.now,
        current_membership_id=sign_in.membership_id,
        identities=party.identities,
        chosen_extension_id=_number(asking, EXTENSION),
        chosen_profile_id=_number(asking, PROFILE),
        choose="select_account" in asking.asked.prompts,
    )


def _chosen(asking: Asking) -> int | None:
    """The own extension, or profile without one, picked in the chooser; whoever names another's is asked again."""
    extension = _number(asking, EXTENSION)
    return extension if extension is not None else _number(asking, PROFILE)


def _number(asking: Asking, name: str) -> int | None:
    given = asking.fields.get(name, "")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 19 else None


async def _hinted(asking: Asking) -> str | None:
    """The subject of the app's `id_token_hint`, which may have expired; None without one that we signed for it."""
    hint = asking.said.get("id_token_hint")
    said = await issuer_of(asking.request).keys.verify(hint, asking.now, "JWT") if hint else None
    if said is None or said.get("iss") != issuer_of(asking.request).url or said.get("aud") != asking.app.client_id:
        return None
    return str(said.get("sub"))


async def _would_change(
    connection: AsyncConnection, asking: Asking, sign_in: SignIn, granted: Granted, hinted: str | None
) -> bool:
    """Without a page nobody turns into somebody else: neither than the app last saw here, nor than it names."""
    last = await last_seen_by(connection, sign_in.id, asking.app.id)
    subject = granted.subject.membership_id
    return (last is not None and last != subject) or (hinted is not None and hinted != str(subject))


async def _notice(session: AsyncSession, asking: Asking, party: Party, notice: Notice) -> Response[Any]:
    """A page that says why there is no login yet, with the ways on; without a page, the error."""
    if asking.asked.silent:
        return asking.refuse(notice.error, notice.sentence)
    if notice.kind == "stale":
        await _end_stale(session, asking, notice)
    elif notice.kind not in {"choose", "proposed"}:
        _mark_refused(session, asking, party, notice)
    await look_around(session, asking.visitor)
    _, stand = speech(asking.request), asking.visitor.stand_in
    return page(
        asking.request,
        "login/notice.html",
        forms_to=(origin_of(asking.asked.redirect_uri),),
        title=_("Log in to %(app)s") % {"app": asking.app.name},
        app=asking.app,
        notice=notice,
        again=asking.again(),
        fields={name: value for name, value in asking.fields.items() if name not in (EXTENSION, PROFILE)},
        back=asking.back(error=notice.error, error_description=plain_ascii(notice.sentence)),
        stand=stand,
        may_bind=stand is None and party.actor.may(Permission.STAND_IN),
    )


async def _end_stale(session: AsyncSession, asking: Asking, notice: Notice) -> None:
    """A stale binding that a login has met is over for good: it must not revive when nobody looks."""
    binding = notice.binding
    if binding is None:
        return
    await session.refresh(binding, with_for_update=True)
    if binding.ended_at is None:
        over = notice.rule in {"expired", "unused"}
        await binding.end(session, notice.rule if over else f"stale_{notice.rule}", asking.now)
    # The page that says so is drawn for somebody who is no longer bound.
    bound = asking.visitor.bound
    bound[:] = [each for each in bound if each[0].id != binding.id]


def _mark_refused(session: AsyncSession, asking: Asking, party: Party, notice: Notice) -> None:
    identity, subject = party.actor.true, notice.subject
    other = subject is not None and (identity is None or subject.membership_id != identity.membership_id)
    record(
        session,
        Verb.LOGIN_REFUSED,
        None,
        named=("apps", str(asking.app.id), asking.app.name),
        place=identity.tenant_id if identity else None,
        stand_in_id=party.through.id if party.through else None,
        subject=as_identity(subject) if subject is not None and other else None,
        rule=notice.kind,
    )


ROUTES = [authorize, authorize_by_form, go_on_as, go_on_agreed]
