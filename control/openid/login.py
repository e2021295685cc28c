"""The authorization endpoint: the checks in reading order, then whom the app will see, or a page that says why not.

Nothing but a proven redirect address is ever redirected to. A login passes without a page; a page is shown only for
a Notice, and never under `prompt=none`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from litestar import Request, Response, get, post
from litestar.response import Redirect
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from bindings.apps import App, known_client, origin_of
from bindings.clients import Rejected, plain
from bindings.codes import Code
from bindings.login import Granted, Notice, as_identity, begin_login, last_seen_by, remember_choice, resolve
from bindings.oauth import AuthorizationRequest, RejectedRequest, check_authorization
from control.doors import ANYONE
from control.house import House
from control.openid.issuer import fields_of, form_fields, house_of, issuer_of, with_fields
from control.shell import page
from control.speech import speech
from control.visitor import Visitor, look_around
from tenants.actor import Actor
from tenants.factors import factor_missing
from tenants.reach import Reach
from tenants.roles import Permission
from tenants.sign_in import SignIn
from tenants.trail import record
from tenants.verbs import Verb

AUTHORIZE = "/oauth/authorize"
PROVED_SINCE = "proved_since"
"""Our own field: when a fresh proof was asked for, so that coming back with it is not asked again."""
PROVING = timedelta(minutes=10)
"""How long after it was asked for a proof still counts for the request that asked."""
EVERYWHERE = Reach.everywhere("log in to an app")

Asked = Request[Visitor, Any, Any]


@dataclass(frozen=True)
class Asking:
    """One authorization request that passed its checks: which app asks what, through whose browser."""

    request: Asked
    app: App
    asked: AuthorizationRequest
    fields: dict[str, str]

    @property
    def visitor(self) -> Visitor:
        """Who sits at the browser."""
        return self.request.user

    @property
    def now(self) -> datetime:
        """The request's one time."""
        return self.request.user.now

    def again(self, without: tuple[str, ...] = (), **more: str) -> str:
        """This very request as an address of ours, to come back to."""
        kept = {name: value for name, value in self.fields.items() if name not in without}
        return with_fields(AUTHORIZE, kept | more)

    def back(self, **said: str) -> str:
        """The app's address with an answer, which names the issuer (RFC 9207) and returns the state."""
        state = {"state": self.asked.state} if self.asked.state is not None else {}
        return with_fields(self.asked.redirect_uri, said | state | {"iss": issuer_of(self.request).url})

    def refuse(self, error: str, sentence: str) -> Response[Any]:
        """Tell the app no."""
        return Redirect(self.back(error=error, error_description=plain_ascii(sentence)), status_code=302)


@get(AUTHORIZE, may=ANYONE, outlives=False, bar=False, include_in_schema=False)
async def authorize(request: Asked) -> Response[Any]:
    """Where an app sends a browser to have somebody logged in (RFC 6749 section 4.1.1, OIDC Core section 3.1.2)."""
    try:
        fields = fields_of(request.url.query)
        app = await _asking_app(house_of(request), fields)
        asking = Asking(request, app, check_authorization(app, fields), fields)
    except RejectedRequest as rejected:
        return _rejected(request, rejected)
    except Rejected as rejected:
        return _no_way_back(request, rejected.sentence)
    sign_in = asking.visitor.sign_in
    if sign_in is None or _wants_proof(asking, sign_in):
        return _to_sign_in(asking)
    if asking.visitor.identity is not None and factor_missing(asking.visitor.identity, sign_in):
        return _to_second_factor(asking)
    return await _log_in(asking, sign_in)


@post(AUTHORIZE, may=ANYONE, outlives=False, credential="none", include_in_schema=False)
async def authorize_by_form(request: Asked) -> Response[Any]:
    """The same by a form: a form from elsewhere brings no cookie, so it goes on as an address."""
    try:
        return Redirect(with_fields(AUTHORIZE, await form_fields(request)), status_code=303)
    except Rejected as rejected:
        return _no_way_back(request, rejected.sentence)


async def _asking_app(house: House, fields: Mapping[str, str]) -> App:
    client_id = fields.get("client_id", "")
    if not plain(client_id):
        raise unknown_app()
    async with house.store.hot.connect() as connection:
        app = await known_client(connection, client_id)
    if app is None:
        raise unknown_app()
    return app


def unknown_app() -> Rejected:
    """Nobody is sent anywhere for an app that is not registered."""
    return Rejected("invalid_client", "The app that sent you here is not registered.")


def _rejected(request: Asked, rejected: RejectedRequest) -> Response[Any]:
    """An error goes to the app where its address is proven; else a page, and nobody is sent anywhere."""
    if rejected.redirect_uri is None:
        return _no_way_back(request, rejected.sentence)
    said = {"error": rejected.error, "error_description": plain_ascii(rejected.sentence)}
    state = {"state": rejected.state} if rejected.state is not None else {}
    issuer = {"iss": issuer_of(request).url}
    return Redirect(with_fields(rejected.redirect_uri, said | state | issuer), status_code=302)


def _no_way_back(request: Asked, sentence: str) -> Response[Any]:
    _ = speech(request)
    heading = _("This login cannot be begun")
    return page(request, "login/refused.html", status=400, title=heading, sentence=sentence)


def _wants_proof(asking: Asking, sign_in: SignIn) -> bool:
    """`prompt=login` and `max_age` ask the person at the browser, the actor, to prove again who they are."""
    proved, asked = sign_in.proof_at, asking.asked
    since = asking.fields.get(PROVED_SINCE, "")
    if since.isascii() and since.isdigit() and len(since) < 12:
        # Only ever as strict as what it replaced: an old one counts for nothing.
        recent = asking.now.timestamp() - int(since) <= PROVING.total_seconds()
        return proved.timestamp() < int(since) or (not recent and asked.max_age is not None)
    if "login" in asked.prompts:
        return True
    return asked.max_age is not None and asking.now - proved > timedelta(seconds=asked.max_age)


def _to_sign_in(asking: Asking) -> Response[Any]:
    """Sign in, or prove it again, and come back to this request."""
    if asking.asked.silent:
        return asking.refuse("login_required", "Nobody is signed in here, or not recently enough.")
    if asking.visitor.sign_in is None and "login" not in asking.asked.prompts and asking.asked.max_age is None:
        return Redirect(with_fields("/sign-in", {"next": asking.again()}), status_code=302)
    prompts = " ".join(sorted(asking.asked.prompts - {"login"}))
    kept = {"prompt": prompts} if prompts else {}
    since = str(int(asking.now.timestamp()))
    onward = asking.again(without=("prompt", PROVED_SINCE), **kept, **{PROVED_SINCE: since})
    return Redirect(with_fields("/sign-in", {"next": onward, "reauth": "1"}), status_code=302)


def _to_second_factor(asking: Asking) -> Response[Any]:
    """The organization asks for a second factor before anything else; then back to this request."""
    if asking.asked.silent:
        return asking.refuse("interaction_required", "A second factor is asked for first.")
    return Redirect(with_fields("/account/second-factor", {"next": asking.again()}), status_code=302)


async def _log_in(asking: Asking, sign_in: SignIn) -> Response[Any]:
    """Whom the app will see, decided and written down in one transaction; a page where it cannot be decided."""
    house, actor = house_of(asking.request), asking.visitor.actor
    hinted = await _hinted(asking)
    if actor is not None and _chosen(asking) is None:
        async with house.store.writer.begin() as connection:
            outcome = await _resolved(connection, asking, sign_in)
            if isinstance(outcome, Granted):
                return await _granted(connection, actor, asking, sign_in, outcome, hinted)
    async with house.store.work(actor or Actor.house("log in"), EVERYWHERE, asking.now) as session:
        outcome = await _resolved(session, asking, sign_in)
        if isinstance(outcome, Notice):
            return await _notice(session, asking, outcome)
        if _chosen(asking) is not None and outcome.binding is None:
            await remember_choice(session, sign_in.user_id, asking.app, outcome.subject, asking.now)
        session_actor = actor or Actor.house("log in")
        return await _granted(await session.connection(), session_actor, asking, sign_in, outcome, hinted)


async def _granted(
    connection: AsyncConnection, actor: Actor, asking: Asking, sign_in: SignIn, granted: Granted, hinted: str | None
) -> Response[Any]:
    """The code, unless `prompt=none` would change who the app sees."""
    if asking.asked.silent and await _would_change(connection, asking, sign_in, granted, hinted):
        return asking.refuse("login_required", "Somebody else would be seen now.")
    asked = asking.asked
    login = await begin_login(connection, actor, granted, asking.app, sign_in, asked.scope, asking.now)
    _, code = await Code.issue(
        connection,
        login,
        redirect_uri=asked.redirect_uri,
        nonce=asked.nonce,
        code_challenge=asked.code_challenge,
        now=asking.now,
    )
    return Redirect(asking.back(code=code), status_code=302)


async def _resolved(session: AsyncSession | AsyncConnection, asking: Asking, sign_in: SignIn) -> Granted | Notice:
    return await resolve(
        session,
        sign_in.user_id,
        asking.app,
        asking.now,
        current_membership_id=sign_in.membership_id,
        identities=asking.visitor.identities,
        chosen_extension_id=_chosen(asking),
        choose="select_account" in asking.asked.prompts,
    )


def _chosen(asking: Asking) -> int | None:
    """The own extension picked in the chooser; whoever names another's is asked again."""
    given = asking.fields.get("extension", "")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 19 else None


async def _hinted(asking: Asking) -> str | None:
    """The subject of the app's `id_token_hint`, which may have expired; None without one that we signed for it."""
    hint = asking.fields.get("id_token_hint")
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


async def _notice(session: AsyncSession, asking: Asking, notice: Notice) -> Response[Any]:
    """A page that says why there is no login yet, with the ways on; without a page, the error."""
    if asking.asked.silent:
        return asking.refuse(notice.error, notice.sentence)
    if notice.kind == "stale":
        await _end_stale(session, asking, notice)
    elif notice.kind not in {"choose", "proposed"}:
        _mark_refused(session, asking, notice)
    await look_around(session, asking.visitor)
    actor, _ = asking.visitor.actor, speech(asking.request)
    return page(
        asking.request,
        "login/notice.html",
        forms_to=(origin_of(asking.asked.redirect_uri),),
        title=_("Log in to %(app)s") % {"app": asking.app.name},
        app=asking.app,
        notice=notice,
        again=asking.again(),
        fields={name: value for name, value in asking.fields.items() if name != "extension"},
        back=asking.back(error=notice.error, error_description=plain_ascii(notice.sentence)),
        may_bind=actor is not None and actor.may(Permission.STAND_IN),
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


def _mark_refused(session: AsyncSession, asking: Asking, notice: Notice) -> None:
    identity, subject = asking.visitor.identity, notice.subject
    other = subject is not None and (identity is None or subject.membership_id != identity.membership_id)
    record(
        session,
        Verb.LOGIN_REFUSED,
        None,
        named=("apps", str(asking.app.id), asking.app.name),
        place=identity.tenant_id if identity else None,
        subject=as_identity(subject) if subject is not None and other else None,
        rule=notice.kind,
    )


def plain_ascii(sentence: str) -> str:
    """A sentence as an `error_description` may hold it (RFC 6749 section 4.1.2.1)."""
    kept = sentence.replace('"', "'").replace("\\", "/").encode("ascii", "replace").decode()
    return "".join(letter if letter.isprintable() else " " for letter in kept)


ROUTES = [authorize, authorize_by_form]
