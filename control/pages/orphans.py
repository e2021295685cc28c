"""Orphans as a page: broken links in reach by kind, each mended after a question, one by one or a kind at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from litestar import Request, get, post
from litestar.response import Redirect, Template
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.orphans import AT_ONCE, COUNTED, KINDS, Orphans, how_many, mend, some_of
from control.pages.extensions import may_manage_phones
from control.pages.parts.asked import id_in, one_of
from control.pages.parts.fields import read_fields
from control.shell import page, see_other
from control.speech import speech
from control.visitor import Visitor
from control.words import words
from tenants.people import Membership, User
from tenants.phones import Extension
from tenants.refusals import Conflict, Invalid
from tenants.roles import Permission
from tenants.tree import Tenant

SHOWN = 10
"""How many of a kind stand on the page."""


@dataclass(frozen=True, slots=True)
class Row:
    """One broken link: what it is called, where it is, and the page to look closer."""

    id: int
    name: str
    place: str
    href: str


@dataclass(frozen=True, slots=True)
class Found:
    """A kind of broken link, with some of those in reach."""

    name: str
    title: str
    meaning: str
    mending: str
    count: int
    rows: list[Row]


@lru_cache
def kind_words(locale: str) -> Mapping[str, tuple[str, str, str]]:
    """What each kind is called, what is wrong with it, and what mending does."""
    _ = words(locale).gettext
    return {
        "stranded-extensions": (
            _("Extensions on a discarded phone system"),
            _("They cannot ring, and their licences take seats."),
            _("Discard them, with their licences"),
        ),
        "held-extensions": (
            _("Extensions of people who have left"),
            _("Nobody answers them, and nobody else gets them."),
            _("Release them, so that somebody else can have them"),
        ),
        "numbers": (
            _("Inbound numbers that ring nowhere"),
            _("Their extension is discarded, so callers reach nobody."),
            _("Take the routing away; route them anew afterwards"),
        ),
        "licences": (
            _("Licences of discarded extensions"),
            _("They take seats that nobody uses."),
            _("Take them back, so that their seats are free"),
        ),
        "team-places": (
            _("Places in teams of people who have left"),
            _("Teams look larger than they are."),
            _("Take them out of their teams"),
        ),
        "bindings": (
            _("Bindings that lead nowhere"),
            _("Their extension is discarded, somebody else's, or of somebody who has left. They no longer work."),
            _("End them"),
        ),
        "invitations": (
            _("Invitations for an extension that is not to be had"),
            _("It is discarded, or somebody has it: whoever accepts does not get it."),
            _("Leave the extension out of them"),
        ),
    }


@get("/phone-systems/orphans", may=Permission.SEE_PHONES, outlives=False, include_in_schema=False)
async def list_orphans(request: Request[Visitor, Any, Any], session: AsyncSession) -> Template:
    """Every kind of which there is any, with the first of them."""
    found = [await _found(request, session, kind, SHOWN) for kind in KINDS.values()]
    return page(
        request,
        "phone-systems/orphans.html",
        title=speech(request)("Broken links"),
        found=[each for each in found if each.count],
        counted=COUNTED,
        may_mend=may_manage_phones(request.user),
    )


@get("/phone-systems/orphans/mend", may=Permission.MANAGE_PHONES, outlives=True, include_in_schema=False)
async def ask_mend(request: Request[Visitor, Any, Any], session: AsyncSession) -> Template:
    """The question before it: which, and what will be done to them."""
    kind, only = _asked(request.query_params)
    found = await _found(request, session, kind, SHOWN, only)
    if not found.rows:
        raise Conflict("There is nothing to mend here any more.")
    return page(
        request,
        "phone-systems/mend.html",
        title=speech(request)("Mend broken links?"),
        found=found,
        only=only,
        counted=COUNTED,
        at_once=AT_ONCE,
    )


@post("/phone-systems/orphans/mend", may=Permission.MANAGE_PHONES, outlives=True, include_in_schema=False)
async def mend_orphans(request: Request[Visitor, Any, Any], session: AsyncSession) -> Redirect:
    """Mend one, or as many of a kind as are mended at once; each by its own verb, with its entry."""
    fields = await read_fields(request)
    kind, only = _asked({"kind": fields.text("kind"), "id": fields.text("id")})
    count = await mend(session, kind, request.user.now, only=only)
    say = speech(request)("Mended: %(count)s.") % {"count": count}
    return see_other(request, "/phone-systems/orphans", say=say)


def _asked(said: Mapping[str, Any]) -> tuple[Orphans, int | None]:
    name = one_of(said, "kind", *KINDS)
    if not name:
        raise Invalid("Choose what is to be mended.", field="kind")
    return KINDS[name], id_in(said, "id")


async def _found(
    request: Request[Visitor, Any, Any], session: AsyncSession, kind: Orphans, limit: int, only: int | None = None
) -> Found:
    user = request.user.reader
    title, meaning, mending = kind_words(user.locale if user else "en")[kind.name]
    rows = await _rows(session, kind, await some_of(session, kind, limit, only=only))
    count = len(rows) if len(rows) < limit or only is not None else await how_many(session, kind)
    return Found(kind.name, title, meaning, mending, count, rows)


async def _rows(session: AsyncSession, kind: Orphans, things: Sequence[Any]) -> list[Row]:
    """These as the page shows them; names are looked up a kind at a time."""
    tenants = await _names(session, sa.select(Tenant.id, Tenant.name), Tenant.id, {each.tenant_id for each in things})
    names = await _labels(session, kind, things)
    return [Row(each.id, names[each.id], tenants.get(each.tenant_id, ""), _href(kind, each)) for each in things]


async def _labels(session: AsyncSession, kind: Orphans, things: Sequence[Any]) -> dict[int, str]:
    if kind.name == "licences":
        ids = {each.extension_id for each in things}
        numbers = await _names(session, sa.select(Extension.id, Extension.number), Extension.id, ids)
        return {each.id: f"{numbers.get(each.extension_id, '')} {each.product.name}".strip() for each in things}
    if kind.name == "team-places":
        people = sa.select(Membership.id, User.name).join(User, User.id == Membership.user_id)
        names = await _names(session, people, Membership.id, {each.membership_id for each in things})
        return {each.id: names.get(each.membership_id, each.label) for each in things}
    if kind.name == "bindings":
        return {each.id: f"{each.actor_name}: {each.label}" for each in things}
    return {each.id: getattr(each, "shown", each.label) for each in things}


async def _names(
    session: AsyncSession, named: sa.Select[int, str], key: sa.SQLColumnExpression[int], ids: set[int]
) -> dict[int, str]:
    return {row[0]: row[1] for row in await session.execute(named.where(key.in_(ids)))} if ids else {}


def _href(kind: Orphans, thing: Any) -> str:
    match kind.name:
        case "numbers":
            return f"/numbers/{thing.id}"
        case "licences":
            return f"/extensions/{thing.extension_id}"
        case "team-places":
            return f"/teams/{thing.team_id}"
        case "bindings":
            return "/bindings"
        case "invitations":
            return "/invitations"
        case _:
            return f"/extensions/{thing.id}"


ROUTES = [list_orphans, ask_mend, mend_orphans]
