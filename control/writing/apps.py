"""Letters about apps: where one sends people has changed, and everybody whose people use it is told."""

from collections.abc import Collection
from datetime import datetime

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.app_use import tenants_using, who_speaks_for
from bindings.apps import App
from control.house import House
from control.words import words
from control.writing.resets import reader
from tenants.actor import Actor
from tenants.letters import LetterKind

ADDRESSES = ("redirect_uris", "post_logout_redirect_uris", "login_uri")
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


def _named(field: str, locale: str) -> str:
    """An address of an app, as a sentence names it."""
    _ = words(locale).gettext
    return {
        "redirect_uris": _("where a login leads"),
        "post_logout_redirect_uris": _("where a logout leads"),
        "login_uri": _("where a login begins"),
    }[field]
