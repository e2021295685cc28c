"""Impersonations: who stands in for whom now. A program starts them at an app; whoever may end one does it here."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated

import sqlalchemy as sa
from litestar.params import JSONBody
from msgspec import Meta, Struct
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.apps import App
from bindings.ending_all import end_by_hand, live_into, live_of
from bindings.handoff import hand_off
from bindings.impersonation import MODES, Asked, Impersonation, find_impersonation, goes_on
from control.api.apps import known_client
from control.api.doors import Asked as Request
from control.api.doors import Session, acting, creates, reads, removes
from control.api.lists import Asking, OfTenant, OfUser, page
from control.api.shapes import Id, Listed, Named, PathId, PersonNamed, Sent, Text, people_reached
from control.doors import SIGNED_IN
from control.writing.alarms import raise_alarm
from tenants.people import find_membership, find_user
from tenants.refusals import Conflict, Invalid
from tenants.roles import Permission
from tenants.tree import find_tenant


class ImpersonationShape(Struct):
    """Somebody who stands in for somebody else. Names are those of when it began."""

    id: int
    kind: str
    """`impersonation`, or `token` where a program exchanged a minted token."""
    user: PersonNamed
    membership: int
    """The membership that stands in."""
    subject: Named
    """The subject's membership."""
    tenant: Named
    number: str | None
    app: str | None
    """The client id of the app that it was opened at; null in the panel."""
    mode: str
    reason: str | None
    ticket: str | None
    created_at: datetime
    ends_at: datetime
    seen_at: datetime | None
    ended_at: datetime | None
    ended_cause: str | None


class StartedShape(ImpersonationShape):
    """One that has just begun, with the address that opens it: good once, and for a minute."""

    handoff_url: str


class NewImpersonation(Sent):
    """Stand in for this membership at an app, from now on."""

    membership: Id
    reason: Text
    app: Annotated[Text | None, Meta(description="A client id. In the panel itself one starts from a page.")] = None
    ticket: Text | None = None
    mode: Annotated[str, Meta(max_length=10, description=f"One of {', '.join(MODES)}.")] = "full"


class Whose(Sent):
    """Whose impersonations are meant: those of one user, or those into one tenant and below."""

    user: Id | None = None
    tenant: Id | None = None


class EndedShape(Struct):
    """What became of several."""

    ended: int
    left: int
    """They go on: only an admin may end them."""


@reads("/impersonations", may=SIGNED_IN, summary="List the impersonations in reach")
async def list_impersonations(
    request: Request, session: Session, listing: Asking, user: OfUser = None, tenant: OfTenant = None
) -> Listed[ImpersonationShape]:
    """Those that go on, of and by people in reach and of one's own; with `discarded`, those that are over."""
    now, row = request.user.now, Impersonation
    wanted = sa.select(row).where(
        listing.like(row.actor_name, row.subject_name, row.subject_email, row.tenant_name, row.number),
        sa.not_(goes_on(now)) if listing.discarded else goes_on(now),
        row.user_id == user if user is not None else sa.true(),
        row.tenant_id == tenant if tenant is not None else sa.true(),
    )

    async def shaped(rows: Sequence[Impersonation]) -> list[ImpersonationShape]:
        return await _shapes(session, rows, now)

    return await page(session, wanted, {"id": row.id, "name": row.actor_name}, listing, shaped, sort="-id")


@reads("/impersonations/{impersonation_id:int}", may=SIGNED_IN, summary="Show an impersonation")
async def show_impersonation(request: Request, session: Session, impersonation_id: PathId) -> ImpersonationShape:
    """The impersonation, when in reach."""
    row = await find_impersonation(session, impersonation_id)
    return (await _shapes(session, [row], request.user.now))[0]


@creates(
    "/impersonations",
    may=Permission.STAND_IN,
    outlives=False,
    starts=True,
    scope="stand_in",
    summary="Impersonate somebody at an app",
)
async def start_impersonation(request: Request, session: Session, data: JSONBody[NewImpersonation]) -> StartedShape:
    """For twenty minutes at most; it ends the one that goes on. Open `handoff_url` in a new tab, within a minute."""
    house, actor, now = request.app.state.house, acting(request), request.user.now
    if not data.app:
        raise Invalid("Name an app. In the panel itself one starts from a page.", field="app")
    app = await known_client(session, data.app)
    subject = await find_membership(session, data.membership)
    asked = Asked.of(data.reason, data.ticket, data.mode, app_id=app.id)
    stand = await Impersonation.start(session, actor, subject, asked, now)
    await raise_alarm(house, session, actor, stand, now)
    onward = await hand_off(session, actor, stand, app, None, now)
    begun = (await _shapes(session, [stand], now))[0]
    return StartedShape(**{name: getattr(begun, name) for name in begun.__struct_fields__}, handoff_url=onward)


@removes(
    "/impersonations/{impersonation_id:int}",
    may=SIGNED_IN,
    outlives=False,
    scope="stand_in",
    kept_open=True,
    summary="End an impersonation",
)
async def stop_impersonation(request: Request, session: Session, impersonation_id: PathId) -> None:
    """End it for good: one's own, one in which somebody is oneself, or as an admin."""
    row = await find_impersonation(session, impersonation_id)
    if row.over(request.user.now) is not None or not await row.stop(session, acting(request), request.user.now):
        raise Conflict("It is over already.")


@creates(
    "/impersonations/end",
    may=Permission.END_STAND_INS,
    outlives=False,
    scope="stand_in",
    kept_open=True,
    status=200,
    summary="End several impersonations",
)
async def end_impersonations(request: Request, session: Session, data: JSONBody[Whose]) -> EndedShape:
    """Those by which one person stands in for others, or those into one tenant and below: what of it one may end."""
    now, place = request.user.now, await find_tenant(session, data.tenant) if data.tenant is not None else None
    if (place is None) == (data.user is None):
        raise Invalid("Say whose: one user, or one tenant.", field="user")
    if place is not None:
        found = await live_into(session, place, now)
    else:
        found = await live_of(session, data.user or 0, now)
        if not found:
            await find_user(session, data.user or 0)
    ended = await end_by_hand(session, acting(request), found, now)
    return EndedShape(ended.done, ended.left)


async def _shapes(session: AsyncSession, rows: Sequence[Impersonation], now: datetime) -> list[ImpersonationShape]:
    people = await people_reached(session, [each.user_id for each in rows])
    apps = await _clients(session, [each.app_id for each in rows])
    shapes = []
    for each in rows:
        cause, ended_at = each.over(now) or (None, None)
        shapes.append(
            ImpersonationShape(
                each.id,
                each.kind,
                _of_then(people.get(each.user_id), each),
                each.actor_membership_id,
                Named(each.subject_membership_id, each.subject_name),
                Named(each.tenant_id, each.tenant_name),
                each.number,
                apps.get(each.app_id),
                each.mode,
                each.reason,
                each.ticket,
                each.created_at,
                each.ends_at,
                each.seen_at,
                ended_at,
                cause,
            )
        )
    return shapes


def _of_then(person: PersonNamed | None, row: Impersonation) -> PersonNamed:
    """Who stands in, by the name of then; with the address of now where they are in reach."""
    return PersonNamed(row.user_id, row.actor_name, person.email if person else None)


async def _clients(session: AsyncSession, ids: Iterable[int | None]) -> dict[int | None, str]:
    rows = await session.execute(sa.select(App.id, App.client_id).where(App.id.in_(set(ids) - {None})))
    return {row.id: row.client_id for row in rows}


ROUTES = [list_impersonations, show_impersonation, start_impersonation, stop_impersonation, end_impersonations]
