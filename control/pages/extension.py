"""Extension: one number, who has it, what they may use, and taking it out of use."""

from typing import Any

import sqlalchemy as sa
from litestar import Request, get, post
from litestar.response import Redirect, Template
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from bindings import unfit_logins
from bindings.binding import Binding
from control.pages.extensions import may_manage_phones
from control.pages.parts.asked import words_in
from control.pages.parts.crumbs import crumbs_to
from control.pages.parts.extension_rows import becoming_users, bind_href
from control.pages.parts.fields import Fields, Id, read_fields
from control.pages.parts.forms import UNTOUCHED, errors_of
from control.pages.parts.history import entries_of
from control.pages.parts.member_choice import chosen_member, members_to_choose
from control.pages.parts.unseen_changes import Unseen, unseen_changes
from control.shell import page, see_other
from control.speech import speech
from control.visitor import Visitor
from tenants import phone_endings
from tenants.phones import Extension, Licence, Product, find_extension
from tenants.refusals import Invalid, Refusal
from tenants.roles import Permission


@get("/extensions/{extension_id:int}", may=Permission.SEE_PHONES, outlives=False, include_in_schema=False)
async def show_extension(request: Request[Visitor, Any, Any], session: AsyncSession, extension_id: Id) -> Template:
    """The extension with its user, licences and bindings."""
    return await _show(request, session, await find_extension(session, extension_id))


@post("/extensions/{extension_id:int}", may=Permission.MANAGE_PHONES, outlives=False, include_in_schema=False)
async def change_extension(
    request: Request[Visitor, Any, Any], session: AsyncSession, extension_id: Id
) -> Template | Redirect:
    """Rename it, or give it to somebody else of its company: who answers a number outlives a stand-in."""
    extension = await find_extension(session, extension_id)
    fields = await read_fields(request)
    try:
        membership = await chosen_member(session, extension.tenant_id, fields)
        name = fields.text("name").strip() or None
        wanted = {"name": name, "membership_id": membership.id if membership else None}
        unseen = await unseen_changes(session, request.user, extension, fields, wanted)
        if unseen.lines:
            return await _show(request, session, extension, fields, unseen=unseen)
        await unfit_logins.change_extension(session, extension, request.user.now, name=name, membership=membership)
    except Invalid as refusal:
        return await _show(request, session, extension, fields, refusal)
    return see_other(request, f"/extensions/{extension.id}", say=speech(request)("Saved."))


@get("/extensions/{extension_id:int}/history", may=Permission.READ_HISTORY, outlives=False, include_in_schema=False)
async def extension_history(request: Request[Visitor, Any, Any], session: AsyncSession, extension_id: Id) -> Template:
    """What was done to it and to its licences."""
    extension = await find_extension(session, extension_id)
    licences = await session.scalars(sa.select(Licence.id).where(Licence.extension_id == extension.id))
    cursor = words_in(request.query_params, "cursor") or None
    also = [("licences", number) for number in licences]
    told = await entries_of(session, request.user, "extensions", extension.id, also=also, cursor=cursor)
    return page(
        request,
        "extensions/history.html",
        title=extension.number,
        crumbs=await _crumbs(session, extension),
        extension=extension,
        told=told,
        cursor=cursor,
        reads_history=True,
        history_href=f"/history?record=extensions:{extension.id}",
        here=f"/extensions/{extension.id}/history",
    )


@get("/extensions/{extension_id:int}/discard", may=Permission.MANAGE_PHONES, outlives=False, include_in_schema=False)
async def ask_discard(request: Request[Visitor, Any, Any], session: AsyncSession, extension_id: Id) -> Template:
    """The question before it: who loses what."""
    extension = await find_extension(session, extension_id)
    bound = sa.select(Binding).where(Binding.extension_id == extension.id, Binding.ended_at.is_(None))
    return page(
        request,
        "extensions/discard.html",
        title=speech(request)("Discard extension %(number)s?") % {"number": extension.number},
        crumbs=await _crumbs(session, extension),
        extension=extension,
        bindings=list(await session.scalars(bound)),
        goes=await phone_endings.what_goes(session, extension),
    )


@post("/extensions/{extension_id:int}/discard", may=Permission.MANAGE_PHONES, outlives=False, include_in_schema=False)
async def discard_extension(request: Request[Visitor, Any, Any], session: AsyncSession, extension_id: Id) -> Redirect:
    """Take the number out of use: it is free again, its licences end, and inbound numbers no longer ring there."""
    extension = await find_extension(session, extension_id)
    await unfit_logins.discard_extension(session, extension, request.user.now)
    say = speech(request)("Extension %(number)s was discarded.") % {"number": extension.number}
    return see_other(request, f"/phone-systems/{extension.phone_system_id}/extensions", say=say)


async def _show(
    request: Request[Visitor, Any, Any],
    session: AsyncSession,
    extension: Extension,
    fields: Fields = UNTOUCHED,
    refusal: Refusal | None = None,
    unseen: Unseen | None = None,
) -> Template:
    unseen = unseen or Unseen(extension.last_entry_id)
    held = sa.select(Licence).where(Licence.extension_id == extension.id, Licence.discarded_at.is_(None))
    licences = list(await session.scalars(held.options(joinedload(Licence.product)).order_by(Licence.id)))
    free = sa.select(Product).where(Product.id.not_in([licence.product_id for licence in licences]))
    bound = sa.select(Binding).where(Binding.extension_id == extension.id, Binding.ended_at.is_(None))
    actor = request.user.actor
    return page(
        request,
        "extensions/show.html",
        status=refusal.status if refusal else unseen.status,
        title=extension.number,
        crumbs=await _crumbs(session, extension),
        extension=extension,
        licences=licences,
        products=list(await session.scalars(free.order_by(Product.name))),
        bindings=list(await session.scalars(bound.order_by(Binding.id.desc()))),
        bind_href=bind_href(request.user, extension),
        become=(await becoming_users(session, actor, [extension])).get(extension.id),
        members=await members_to_choose(session, extension.tenant_id),
        may_change=may_manage_phones(request.user) and extension.discarded_at is None,
        reads_history=actor is not None and actor.may(Permission.READ_HISTORY),
        fields=fields,
        errors=errors_of(refusal),
        typed=fields is not UNTOUCHED,
        unseen=unseen,
    )


async def _crumbs(session: AsyncSession, extension: Extension) -> list[dict[str, Any]]:
    system = extension.phone_system
    return await crumbs_to(
        session,
        extension.tenant.path,
        (f"/phone-systems/{system.id}", system.name),
        (f"/extensions/{extension.id}", extension.number),
    )


ROUTES = [show_extension, change_extension, extension_history, ask_discard, discard_extension]
