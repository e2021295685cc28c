"""The pages of an app: whom it sees, and the ways in and out."""

import hashlib
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.exceptions import PermissionDeniedException
from litestar.response import Redirect, Template

from demo.provider import Json
from demo.refusals import AnswerRejectedError, LoginEndedError, LoginRefusedError
from demo.relying_party import Login, RelyingParty
from demo.seen import seen_in
from demo.spells import Spell
from demo.visit import HUES, Visit

STATIC = Path(__file__).parent / "static"
STYLE = (STATIC / "apps.css").read_bytes()
STYLE_URL = f"/apps.css?v={hashlib.sha256(STYLE).hexdigest()[:12]}"
ICON = (STATIC / "icon.svg").read_text()


@get("/")
async def home(request: Request[Any, Any, Any], visit: NamedDependency[Visit]) -> Template:
    """Whom the app sees; the panel is asked each time, so that an ended login is seen to end at once."""
    spell = visit.spell
    if spell is None:
        return visit.page("landing.html")
    notice, spell.notice = spell.notice, None
    if spell.login is not None:
        async with spell.lock:
            seen = await _look(visit.app.party, spell, visit.now)
        if seen is not None:
            return visit.page("home.html", seen=seen_in(seen), notice=notice)
    if spell.ended:
        return visit.page("signed_out.html", notice=notice)
    state = request.query_params.get("state")
    logged_out = state is not None and state == spell.logout_state
    return visit.page("landing.html", notice=notice, logged_out=logged_out)


async def _look(party: RelyingParty, spell: Spell, now: float) -> Json | None:
    """Whom the panel sees in this spell's login; None when it ended. Asked for under the spell's lock."""
    if spell.login is None:  # the other tab was quicker
        return None
    try:
        if spell.login.access_expired(now):
            # Stored before anything else can fail: the refresh token before it is spent now.
            spell.login = await party.refresh(spell.login, now)
        return await party.introspect(spell.login, now)
    except LoginEndedError:
        spell.end()
        return None


@get("/login")
async def login(request: Request[Any, Any, Any], visit: NamedDependency[Visit]) -> Redirect:
    """Begins a login. Also the address that others lead to (OIDC Core section 4)."""
    issuer = visit.app.party.provider.issuer
    if request.query_params.get("iss", issuer) != issuer:
        raise AnswerRejectedError("This app logs in at another panel.")
    url, attempt = await visit.app.party.begin(visit.now)
    visit.begin().remember(attempt)
    return visit.go(url)


@get("/check")
async def check_again(visit: NamedDependency[Visit]) -> Redirect:
    """Asks the panel, without a page, whether this browser would still be let in as the same person."""
    spell = visit.spell
    if spell is None or spell.login is None:
        return visit.go("/")
    url, attempt = await visit.app.party.begin(visit.now, silent_for=spell.login.subject)
    spell.remember(attempt)
    return visit.go(url)


@get("/callback")
async def callback(request: Request[Any, Any, Any], visit: NamedDependency[Visit]) -> Redirect:
    """The panel's answer, brought by the browser."""
    answer = _each_once(request)
    spell = visit.spell
    attempt = spell.take(answer.get("state", "")) if spell is not None else None
    if spell is None or attempt is None:
        raise AnswerRejectedError("The answer belongs to no login that was begun in this browser.")
    party = visit.app.party
    try:
        fresh = await party.finish(attempt, answer, visit.now)
    except LoginRefusedError as refused:
        # A refusal changes nothing here: who is logged in stays so, until the panel says otherwise.
        spell.notice = (refused.sentence, refused.description)
        return visit.go("/")
    async with spell.lock:
        replaced = spell.open(fresh)
    visit.name = visit.app.spells.rename(visit.name or "", spell)
    if replaced is not None and not _same_login(replaced, fresh):
        await party.give_back(replaced, visit.now)
    return visit.go("/")


@post("/logout")
async def logout(request: Request[Any, Any, Any], visit: NamedDependency[Visit]) -> Redirect:
    """Logs out here first, so that it holds whatever happens next, and then at the panel."""
    origin = request.headers.get("origin", f"http://{visit.app.host}")
    if origin != f"http://{visit.app.host}":
        raise PermissionDeniedException("Only this app's own button logs out of it.")
    spell = visit.spell
    if spell is None:
        return visit.go("/")
    async with spell.lock:
        closed = spell.close()
    if closed is None:
        return visit.go("/")
    spell.logout_state = secrets.token_urlsafe(16)
    return visit.go(await visit.app.party.logout_url(closed, spell.logout_state, visit.now))


def _same_login(replaced: Login, fresh: Login) -> bool:
    """Whether the panel counts both as one login; then what ends the one would end the other."""
    return replaced.sid is not None and replaced.sid == fresh.sid


def _each_once(request: Request[Any, Any, Any]) -> Mapping[str, str]:
    """The parameters; two of one name are two answers, and neither counts (RFC 6749 section 3.1)."""
    answer = request.query_params
    if any(len(answer.getall(name)) > 1 for name in answer):
        raise AnswerRejectedError("The answer says something twice.")
    return dict(answer.items())


@get("/apps.css", media_type="text/css")
async def style() -> Response[bytes]:
    """One style sheet for the three; its address changes with its content."""
    return Response(STYLE, headers={"Cache-Control": "public, max-age=31536000, immutable"})


@get("/icon.svg", media_type="image/svg+xml")
async def icon(visit: NamedDependency[Visit]) -> str:
    """The app's icon in its colour."""
    return ICON.replace("HUE", str(HUES[visit.app.client_id]))
