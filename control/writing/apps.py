"""Where apps send people, and where they are told things: checked, and everybody whose people use one is told."""

from collections.abc import Collection
from datetime import datetime

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.app_use import tenants_using, who_speaks_for
from bindings.apps import App
from control.house import House
from control.outbound import NotDelivered, Outbound
from control.settings import Settings
from control.words import words
from control.writing.resets import reader
from tenants.actor import Actor
from tenants.letters import LetterKind
from tenants.refusals import Invalid

ADDRESSES = (
    "redirect_uris",
    "post_logout_redirect_uris",
    "login_uri",
    "handoff_uri",
    "backchannel_logout_uri",
    "signals_uri",
)
"""What leads people, codes or messages elsewhere: changed with a fresh proof, and told to who uses the app."""
MOST = 200
"""Tenants that one change is told to: it is one transaction, and somebody waits for it."""

log = structlog.get_logger()


async def tell_app_changed(
    house: House, session: AsyncSession, actor: Actor, app: App, changed: Collection[str], now: datetime
) -> int:
    """Write to the admins of the tenants that use it, except who changed it; returns to how many people."""
    using = await tenants_using(session, app, now, MOST + 1)
    if len(using) > MOST:
        log.warning("app_changed", app=app.id, told=MOST, note="more tenants use it than are told by letter")
    mine = actor.true.user_id if actor.true else None
    speakers = [each for each in await who_speaks_for(session, using[:MOST]) if each.user_id != mine]
    for each in speakers:
        user = each.user
        await house.letter(
            session,
            LetterKind.APP_CHANGED,
            reader(user),
            each.tenant_id,
            now,
            app=app.name,
            who=actor.standing.shown_name,
            what=", ".join(_named(name, user.locale) for name in ADDRESSES if name in changed),
            link=house.link(f"/apps/{app.id}"),
        )
    return len(speakers)


def require_sendable(settings: Settings, address: str, field: str) -> None:
    """Raises Invalid for an address that nothing would be sent to, as far as it says so itself (no name is asked)."""
    try:
        Outbound(loopback=settings.on_this_machine).check(address)
    except NotDelivered:
        raise Invalid("Nothing is sent to this address: use https:// and a public host.", field=field) from None


def _named(field: str, locale: str) -> str:
    """An address of an app, as a sentence names it."""
    _ = words(locale).gettext
    return {
        "redirect_uris": _("where a login leads"),
        "post_logout_redirect_uris": _("where a logout leads"),
        "login_uri": _("where a login begins"),
        "handoff_uri": _("where an impersonation is opened"),
        "backchannel_logout_uri": _("where the app is told of logouts"),
        "signals_uri": _("where the app is told of security events"),
    }[field]
