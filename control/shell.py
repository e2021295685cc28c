"""Shell: what every page is handed (who reads it, where one can go, the banner), and the notices after a change."""

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from litestar import MediaType, Request, Response
from litestar.datastructures import Cookie
from litestar.response import Redirect, Template

from bindings.impersonation import Impersonation
from control.branding import shown
from control.house import House
from control.settings import Settings
from control.visitor import Visitor
from control.words import words
from tenants.actor import Identity
from tenants.roles import Permission
from tenants.tree import Kind


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads the page, as templates know them."""

    name: str
    email: str
    role: str
    tenant_name: str
    zone: str
    theme: str
    keys_on: bool
    locale: str
    membership_id: int
    user_id: int


@dataclass(frozen=True, slots=True)
class Banner:
    """The bar above every page while somebody stands in."""

    kind: str
    actor_name: str
    subject_name: str
    subject_email: str | None
    extension: str | None
    tenant: str
    ends_at: datetime | None
    stop_action: str
    record_href: str | None
    stale_reason: str | None
    look: bool = False


NAV: tuple[tuple[str | None, tuple[tuple[str, str, str, Permission | None], ...]], ...] = (
    (
        None,
        (
            ("/", "Overview", "layout-dashboard", Permission.SEE_PEOPLE),
            ("/home", "Home", "house", None),
            ("/companies", "Companies", "building-2", Permission.SEE_TENANTS),
            ("/playbooks", "Playbooks", "book-open", Permission.SEE_COMPANY_RECORDS),
        ),
    ),
    (
        "Phones",
        (
            ("/phone-systems", "Phone systems", "server", Permission.SEE_PHONES),
            ("/extensions", "Extensions", "phone", Permission.SEE_PHONES),
            ("/numbers", "Numbers", "phone-incoming", Permission.SEE_PHONES),
            ("/recordings", "Recordings", "audio-lines", None),
        ),
    ),
    (
        "Access",
        (
            ("/impersonations", "Impersonations", "venetian-mask", Permission.SEE_STAND_INS),
            ("/bindings", "Bindings", "cable", Permission.SEE_STAND_INS),
            ("/invitations", "Invitations", "mail", Permission.INVITE_MEMBERS),
            ("/history", "History", "history", Permission.READ_HISTORY),
            ("/resolve", "Test a login", "waypoints", Permission.STAND_IN),
            ("/break-glass", "Break glass", "siren", Permission.MANAGE_POLICY),
        ),
    ),
    (
        "System",
        (
            ("/users", "Users", "users", Permission.SEE_PEOPLE),
            ("/teams", "Teams", "users-round", Permission.SEE_PEOPLE),
            ("/apps", "Apps", "app-window", Permission.SEE_APPS),
            ("/signing-keys", "Signing keys", "key-round", Permission.MANAGE_APPS),
            ("/letters", "Letters", "send", Permission.MANAGE_PEOPLE),
            ("/account", "Account", "circle-user", None),
        ),
    ),
)


PLATFORM_ONLY = frozenset({"/break-glass", "/signing-keys"})
"""Pages for the platform's own admins."""


def shell(request: Request[Visitor, Any, Any]) -> dict[str, Any]:
    """The context that base.html needs; also for error pages, which may come before anybody is known."""
    house: House = request.app.state.house
    visitor = request.scope.get("user")
    common: dict[str, Any] = {"request_id": request.scope.get("request_id", ""), "now": house.clock()}
    if not isinstance(visitor, Visitor):
        return common
    common |= {"now": visitor.now, "csrf": visitor.csrf(house.settings), "toasts": read_toasts(request)}
    # On every answer, also where nobody's settings were read: a page without it would hide who acts.
    common |= {"banner": _banner(visitor), "acting_id": visitor.acting_id}
    if visitor.identity is None or visitor.user is None:
        return common
    reader = _reader(visitor, visitor.identity)
    return common | {
        "me": reader,
        "nav": navigation(visitor, request.url.path, reader.locale),
        "crumbs": [{"href": "/", "label": visitor.identity.tenant_name, "current": True, "switch": None}],
        "brand": shown(visitor.brand) if visitor.brand else None,
        "profile_count": len(visitor.identities),
        "fragment": request.headers.get("x-fragment") == "1",
    }


def _reader(visitor: Visitor, identity: Identity) -> Reader:
    user = visitor.reader
    return Reader(
        identity.shown_name,
        identity.email,
        identity.role.value,
        identity.tenant_name,
        user.zone if user else "Etc/UTC",
        user.theme if user else "system",
        user.keys_on if user else True,
        user.locale if user else "en",
        identity.membership_id,
        identity.user_id,
    )


def navigation(visitor: Visitor, path: str, locale: str) -> list[dict[str, Any]]:
    """The sidebar: the same for every role, items drop out by permission."""
    say = words(locale).gettext
    at_platform = visitor.identity is not None and visitor.identity.tenant_kind == Kind.PLATFORM
    groups = []
    for title, items in NAV:
        shown = [
            {
                "href": href,
                "label": say(label),
                "icon": icon,
                "current": path == href or (href != "/" and path.startswith(href + "/")),
                "count": None,
            }
            for href, label, icon, permission in items
            if permission is None or (visitor.actor is not None and visitor.actor.may(permission))
            if href not in PLATFORM_ONLY or at_platform
        ]
        if shown:
            groups.append({"title": say(title) if title else None, "items": shown})
    return groups


def _banner(visitor: Visitor) -> Banner | None:
    """Who stands in here, from its row; else the newest open binding: "Your app logins open as Bea, ext 201"."""
    if visitor.stand_in is not None:
        return _red(visitor.stand_in)
    if not visitor.bound:
        return None
    binding, stale = visitor.bound[0]
    return Banner(
        kind="binding",
        actor_name=binding.actor_name,
        subject_name=binding.subject_name,
        subject_email=None,
        extension=binding.number,
        tenant=binding.tenant_name,
        ends_at=binding.ends_at,
        stop_action=f"/bindings/{binding.id}/release",
        record_href="/bindings",
        stale_reason=stale.sentence if stale else None,
    )


def _red(stand: Impersonation) -> Banner:
    return Banner(
        kind="impersonation",
        actor_name=stand.actor_name,
        subject_name=stand.subject_name,
        subject_email=stand.subject_email,
        extension=stand.number,
        tenant=stand.tenant_name,
        ends_at=stand.ends_at,
        stop_action="/impersonations/stop",
        record_href=None,
        stale_reason=None,
        look=stand.mode == "look",
    )


def page(
    request: Request[Visitor, Any, Any],
    template: str,
    *,
    status: int = 200,
    forms_to: tuple[str, ...] = (),
    **context: Any,
) -> Template:
    """A page. `forms_to` names other origins its forms may end up at, after redirects (Chromium asks for them)."""
    headers = {"Cache-Control": "no-store", "Vary": "Cookie", "Content-Security-Policy": policy(forms_to)}
    answer = Template(
        template,
        context={**shell(request), **context},
        status_code=status,
        headers=headers,
        media_type=MediaType.HTML,
    )
    forget_toasts(request, answer)
    return answer


def policy(forms_to: tuple[str, ...] = ()) -> str:
    """The content security policy: only ourselves, no inline script or style, nobody frames us."""
    targets = " ".join(("'self'", *forms_to))
    return (
        "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        f"object-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action {targets}"
    )


def see_other(
    request: Request[Visitor, Any, Any], path: str, say: str | None = None, undo: tuple[str, str] | None = None
) -> Redirect:
    """After a change: go and look (303), with a notice; `undo` is (POST address, label)."""
    answer = Redirect(path, status_code=303)
    if say is not None:
        settings: Settings = request.app.state.house.settings
        toast = {"text": say, "undo_action": undo[0] if undo else None, "undo_label": undo[1] if undo else None}
        answer.set_cookie(_toast_cookie(settings, _signed(settings, toast), 60))
    return answer


def _toast_cookie(settings: Settings, value: str, seconds: int) -> Cookie:
    return Cookie(
        key=settings.cookie("toast"),
        value=value,
        max_age=seconds,
        path="/",
        httponly=True,
        secure=settings.https,
        samesite="lax",
    )


def read_toasts(request: Request[Visitor, Any, Any]) -> list[dict[str, Any]]:
    """The notice left by the last change, if it is really ours."""
    settings: Settings = request.app.state.house.settings
    raw = request.cookies.get(settings.cookie("toast"), "")
    body, _, mark = raw.partition(".")
    if not mark or not hmac.compare_digest(mark, _mark(settings, body)):
        return []
    try:
        return [json.loads(base64.urlsafe_b64decode(body.encode()))]
    except ValueError:
        return []


def forget_toasts(request: Request[Visitor, Any, Any], answer: Response[Any]) -> None:
    """A notice is shown once."""
    settings: Settings = request.app.state.house.settings
    if settings.cookie("toast") in request.cookies:
        answer.set_cookie(_toast_cookie(settings, "", 0))


def _signed(settings: Settings, toast: dict[str, Any]) -> str:
    body = base64.urlsafe_b64encode(json.dumps(toast).encode()).decode()
    return f"{body}.{_mark(settings, body)}"


def _mark(settings: Settings, body: str) -> str:
    return hmac.new(settings.secret_key, b"toast:" + body.encode(), hashlib.sha256).hexdigest()
