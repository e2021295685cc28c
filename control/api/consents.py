"""Consents: who was let in where consent is asked for. People give it in the panel; here it is read and taken back."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import sqlalchemy as sa
from litestar import post
from litestar.params import JSONBody, QueryParameter
from msgspec import Meta, Struct
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.consenting import WrongDigits, redeem_digits, revoke_consent
from control.api.doors import CHANGING, Asked, Session, acting, reads, removes
from control.api.lists import Asking, page
from control.api.shapes import Id, Listed, Named, PathId, Sent
from control.doors import SIGNED_IN
from control.paging import LARGEST
from tenants.consents import Consent, find_consent
from tenants.names import names_of_members, names_of_tenants
from tenants.people import find_membership
from tenants.roles import Permission


class ConsentShape(Struct):
    """A window in which somebody may stand in."""

    id: int
    tenant: Named
    membership: Named | None
    """The one person it is for; null for everybody at the tenant."""
    to: Named | None
    """The organization that was let in."""
    operator: Named | None
    """The membership that said the digits; null with `to` while nobody has said them."""
    granted_by: Named
    created_at: datetime
    ends_at: datetime
    revoked_at: datetime | None


class SpokenDigits(Sent):
    """Six digits that somebody read out."""

    membership: Id
    digits: Annotated[str, Meta(max_length=20)]


@reads("/consents", may=SIGNED_IN, summary="List the windows of consent in reach")
async def list_consents(
    request: Asked,
    session: Session,
    listing: Asking,
    tenant: Annotated[int | None, QueryParameter(ge=1, le=LARGEST, description="Only at this one.")] = None,
) -> Listed[ConsentShape]:
    """Those that are open, newest first; with `discarded`, those that are over."""
    open_now = Consent.open_at(request.user.now)
    wanted = sa.select(Consent).where(sa.not_(open_now) if listing.discarded else open_now)
    if tenant is not None:
        wanted = wanted.where(Consent.tenant_id == tenant)

    async def shaped(rows: Sequence[Consent]) -> list[ConsentShape]:
        return await _shapes(session, rows)

    return await page(session, wanted, {"id": Consent.id, "ends_at": Consent.ends_at}, listing, shaped, sort="-id")


@reads("/consents/{consent_id:int}", may=SIGNED_IN, summary="Show a window of consent")
async def show_consent(session: Session, consent_id: PathId) -> ConsentShape:
    """The window, when in reach."""
    return (await _shapes(session, [await find_consent(session, consent_id)]))[0]


@removes("/consents/{consent_id:int}", may=SIGNED_IN, outlives=True, summary="Take a window of consent back")
async def take_back_consent(request: Asked, session: Session, consent_id: PathId) -> None:
    """One's own, or as an admin there. Whoever stands in by it does so no longer."""
    await revoke_consent(session, acting(request), await find_consent(session, consent_id), request.user.now)


@post(
    "/consents/digits",
    may=Permission.STAND_IN,
    outlives=True,
    starts=True,
    credential="key",
    scope="stand_in",
    status_code=204,
    summary="Say somebody's six digits",
    responses=CHANGING,
)
async def say_digits(request: Asked, data: JSONBody[SpokenDigits]) -> None:
    """From then on you alone may stand in for them, for an hour. Wrong ones are counted, so nothing is repeated."""
    actor, house, now = acting(request), request.app.state.house, request.user.now
    async with house.store.work(actor, actor.reach(), now) as session:
        subject = await find_membership(session, data.membership)
        right = await redeem_digits(session, house.settings.secret_key, actor, subject, data.digits, now)
    if not right:
        raise WrongDigits


async def _shapes(session: AsyncSession, rows: Sequence[Consent]) -> list[ConsentShape]:
    people = await names_of_members(
        session, [number for row in rows for number in (row.membership_id, row.operator_id, row.granted_by_id)]
    )
    places = await names_of_tenants(session, [number for row in rows for number in (row.tenant_id, row.to_tenant_id)])

    def person(number: int | None) -> Named | None:
        return Named(number, people[number].name) if number is not None else None

    return [
        ConsentShape(
            row.id,
            Named(row.tenant_id, places[row.tenant_id]),
            person(row.membership_id),
            Named(row.to_tenant_id, places[row.to_tenant_id]) if row.to_tenant_id is not None else None,
            person(row.operator_id),
            Named(row.granted_by_id, people[row.granted_by_id].name),
            row.created_at,
            row.ends_at,
            row.revoked_at,
        )
        for row in rows
    ]


ROUTES = [list_consents, show_consent, take_back_consent, say_digits]
