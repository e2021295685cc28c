"""Who stands in, for an app's banner: `/oauth/acting`. An app asks it, and tells by it what became of its page."""

import re
from collections.abc import Mapping
from typing import Any

from litestar import HttpMethod, Request, Response

from bindings.clients import Rejected
from bindings.hints import give_hint
from bindings.introspection import standing_of
from bindings.logout import end_login
from bindings.presence import note_goodbye, note_seen
from bindings.standing import Standing
from bindings.stopping import stop_for_its_actor
from control.openid.doors import for_programs
from control.openid.issuer import UNCACHED, cross_origin, form_fields, house_of, issuer_of, refused_token, token_of
from control.stop_links import stop_link
from control.visitor import Visitor

Asked = Request[Visitor, Any, Any]
Form = Mapping[str, str]
DOCUMENT = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""How a page may call itself."""


@for_programs("/oauth/acting", HttpMethod.GET)
async def acting(request: Asked) -> Response[Any]:
    """Who stands in: 204 when nobody does, 401 once the login has ended."""
    more = await cross_origin(request)
    try:
        standing = await standing_of(issuer_of(request), token_of(request), request.user.now)
    except Rejected as rejected:
        return refused_token(request, rejected, more)
    return _told(request, standing, more)


@for_programs("/oauth/acting", HttpMethod.POST)
async def noted(request: Asked) -> Response[Any]:
    """What became of the page: `seen` (and told as by GET), `goodbye`, or `stop` pressed."""
    more = await cross_origin(request)
    try:
        fields = await form_fields(request)
        standing = await standing_of(issuer_of(request), token_of(request, fields), request.user.now)
        match fields.get("event"):
            case "seen":
                await note_page(request, standing, fields)
                return _told(request, standing, more)
            case "goodbye":
                await _goodbye(request, standing, fields)
            case "stop":
                await _stop(request, standing)
            case _:
                raise Rejected("invalid_request", "An event is one of seen, goodbye and stop.")
    except Rejected as rejected:
        return refused_token(request, rejected, more)
    return Response(b"", status_code=204, headers=UNCACHED | more)


async def note_page(request: Asked, standing: Standing, fields: Form) -> None:
    """A sign of life of a page that shows an impersonation. Raises Rejected for that of a copied tab."""
    stand = standing.spell.stand if standing.spell else None
    document, banner = _document(fields), fields.get("banner") == "shown"
    if stand is None:
        return
    async with house_of(request).store.writer.begin() as connection:
        noted = await note_seen(connection, stand, document, banner, request.user.now)
    if not noted:
        raise Rejected("copied", "Another page holds this impersonation: this one is a copy of it.", 409)


async def _goodbye(request: Asked, standing: Standing, fields: Form) -> None:
    stand, document = standing.spell.stand if standing.spell else None, _document(fields)
    if stand is not None:
        async with house_of(request).store.writer.begin() as connection:
            await note_goodbye(connection, stand, document, request.user.now)


async def _stop(request: Asked, standing: Standing) -> None:
    """What was started at this app ends; of what was started elsewhere, only this login."""
    spell, visitor, store = standing.spell, request.user, house_of(request).store
    if spell is None or spell.facts.stand_in is None:
        return
    if spell.stand is not None and spell.stand.app_id is not None:
        await stop_for_its_actor(store, spell.stand.id, visitor.now, visitor.origin)
    else:
        await end_login(store, spell.facts.sid, "logout", visitor.now, origin=visitor.origin)


def said_of(request: Asked, standing: Standing) -> dict[str, Any] | None:
    """What a banner shows of a login that stands; None when it is the person's own."""
    spell = standing.spell
    if spell is None or spell.facts.stand_in is None:
        return None
    house, now, facts, ends_at = house_of(request), request.user.now, spell.facts, spell.ends_at
    stand, reason = spell.stand, (spell.stand or spell.bond)
    return {
        "kind": spell.because,
        "subject": {"sub": str(facts.subject_id), "name": facts.subject_name},
        "actor": {"sub": str(facts.actor_id), "name": facts.actor_name},
        "reason": reason.reason if reason else None,
        "ends_at": ends_at.isoformat() if ends_at else None,
        "seconds_left": max(0, int((ends_at - now).total_seconds())) if ends_at else None,
        "stop_url": stop_link(house, stand.id) if stand else house.link("/bindings"),
    }


def _told(request: Asked, standing: Standing, more: dict[str, str]) -> Response[Any]:
    said, house = said_of(request, standing), house_of(request)
    if said is None or standing.spell is None:
        return Response(b"", status_code=204, headers=UNCACHED | more)
    client, sid = standing.client, standing.spell.facts.sid
    hint = give_hint(house.settings.secret_key, client.id, sid, request.user.now)
    said["frame_url"] = house.link(f"/embed/frame?client_id={client.client_id}#{hint}")
    return Response(said, headers=UNCACHED | more)


def _document(fields: Form) -> str | None:
    said = fields.get("document")
    if said is not None and not DOCUMENT.fullmatch(said):
        raise Rejected("invalid_request", "A document is 1 to 64 of A-Z, a-z, 0-9, _ and -.")
    return said


ROUTES = [acting, noted]
