"""Bindings: who stands in for whom at the apps. One makes one's own; the subject and admins may end it."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated

import sqlalchemy as sa
from litestar.params import JSONBody
from msgspec import Meta, Struct
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.apps import App
from bindings.binding import EVERY_APP, Binding, BindingApp, find_binding, staleness
from bindings.proposal import propose
from control.api.apps import known_client
from control.api.doors import Asked, Session, acting, creates, reads, removes
from control.api.extensions import ExtensionShape, extensions_reached
from control.api.lists import Asking, OfTenant, OfUser, page
from control.api.shapes import Id, Listed, Moment, Named, PathId, PersonNamed, Sent, Text, people_reached, utc
from control.doors import SIGNED_IN
from control.pages.parts.proposed import tell_of_proposal
from tenants.people import find_user
from tenants.phones import find_extension
from tenants.roles import Permission


class Stale(Struct):
    """Why a binding no longer holds."""

    rule: str
    sentence: str


class BindingShape(Struct):
    """A stand-in at the apps. Names are those of when it was made."""

    id: int
    user: PersonNamed
    membership: int
    subject: Named
    """The subject's membership."""
    tenant: Named
    number: str
    extension: ExtensionShape | None
    """The extension as it is now, where in reach."""
    apps: list[str] | None
    """Client ids; null for every app."""
    reason: str | None
    ticket: str | None
    mode: str
    created_at: datetime
    accepted_at: datetime | None
    """When it came into force; null while a colleague has not answered the proposal."""
    ends_at: datetime | None
    last_used_at: datetime | None
    ended_at: datetime | None
    ended_cause: str | None
    stale: Stale | None


class NewBinding(Sent):
    """Your own binding to somebody's extension, from your next login."""

    user: Id
    extension: Id
    apps: Annotated[list[Text], Meta(min_length=1, max_length=100)] | None = None
    reason: Text | None = None
    ticket: Text | None = None
    ends_at: Moment | None = None


@reads("/bindings", may=SIGNED_IN, summary="List the bindings in reach")
async def list_bindings(
    request: Asked, session: Session, listing: Asking, user: OfUser = None, tenant: OfTenant = None
) -> Listed[BindingShape]:
    """Open bindings to people in reach, and one's own; with `discarded`, those that have ended. Newest first."""
    wanted = sa.select(Binding).where(
        listing.like(Binding.actor_name, Binding.subject_name, Binding.tenant_name, Binding.number),
        listing.still_there(Binding.ended_at),
        Binding.user_id == user if user is not None else sa.true(),
        Binding.tenant_id == tenant if tenant is not None else sa.true(),
    )

    async def shaped(bindings: Sequence[Binding]) -> list[BindingShape]:
        return await _shapes(session, bindings, request.user.now)

    return await page(session, wanted, {"id": Binding.id, "name": Binding.actor_name}, listing, shaped, sort="-id")


@reads("/bindings/{binding_id:int}", may=SIGNED_IN, summary="Show a binding")
async def show_binding(request: Asked, session: Session, binding_id: PathId) -> BindingShape:
    """The binding, when in reach."""
    return (await _shapes(session, [await find_binding(session, binding_id)], request.user.now))[0]


@creates("/bindings", may=Permission.STAND_IN, outlives=True, scope="stand_in", summary="Bind to an extension")
async def make_binding(request: Asked, session: Session, data: JSONBody[NewBinding]) -> BindingShape:
    """From the next login, every app (or the chosen ones) opens as the extension's user. Asks the guard.

    For a colleague it is a proposal: `accepted_at` stays null until they accept it at their next login.
    """
    user, extension = await find_user(session, data.user), await find_extension(session, data.extension)
    apps = None if data.apps is None else [await known_client(session, client_id) for client_id in data.apps]
    actor = acting(request)
    own = actor.true is not None and actor.true.user_id == user.id
    binding = await (Binding.make if own else propose)(
        session,
        actor,
        user,
        extension,
        request.user.now,
        apps=apps,
        reason=data.reason,
        ticket=data.ticket,
        ends_at=utc(data.ends_at, "ends_at"),
    )
    if not own:
        await tell_of_proposal(request.app.state.house, session, actor, binding, request.user.now)
    return (await _shapes(session, [binding], request.user.now))[0]


@removes(
    "/bindings/{binding_id:int}",
    may=SIGNED_IN,
    outlives=False,
    scope="stand_in",
    kept_open=True,
    summary="Release a binding",
)
async def release_binding(request: Asked, session: Session, binding_id: PathId) -> None:
    """End it for good, with the logins made through it: one's own, one to oneself, or as an admin."""
    binding = await find_binding(session, binding_id)
    await binding.release(session, acting(request), request.user.now)


async def _shapes(session: AsyncSession, bindings: Sequence[Binding], now: datetime) -> list[BindingShape]:
    people = await people_reached(session, [each.user_id for each in bindings])
    extensions = await extensions_reached(session, [each.extension_id for each in bindings])
    apps = await _apps_of(session, [each.id for each in bindings])
    return [
        BindingShape(
            each.id,
            people.get(each.user_id, PersonNamed(each.user_id, each.actor_name, None)),
            each.membership_id,
            Named(each.subject_membership_id, each.subject_name),
            Named(each.tenant_id, each.tenant_name),
            each.number,
            extensions.get(each.extension_id),
            apps.get(each.id),
            each.reason,
            each.ticket,
            each.mode,
            each.created_at,
            each.accepted_at,
            each.ends_at,
            each.last_used_at,
            each.ended_at,
            each.ended_cause,
            await _stale(session, each, now),
        )
        for each in bindings
    ]


async def _stale(session: AsyncSession, binding: Binding, now: datetime) -> Stale | None:
    if binding.ended_at is not None:
        return None
    stale = await staleness(session, binding, now)
    return Stale(stale.rule, stale.sentence) if stale else None


async def _apps_of(session: AsyncSession, binding_ids: Iterable[int]) -> dict[int, list[str]]:
    """The chosen apps of each binding; none where it is for every app."""
    rows = await session.execute(
        sa.select(BindingApp.binding_id, App.client_id)
        .join(App, App.id == BindingApp.app_id)
        .where(BindingApp.binding_id.in_(set(binding_ids)), BindingApp.app_id != EVERY_APP)
        .order_by(App.client_id)
    )
    chosen: dict[int, list[str]] = {}
    for row in rows:
        chosen.setdefault(row.binding_id, []).append(row.client_id)
    return chosen


ROUTES = [list_bindings, show_binding, make_binding, release_binding]
