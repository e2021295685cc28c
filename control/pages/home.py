"""Home: a person's own extensions and apps, their own bindings, and who stands in for them."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from litestar import Request, Response, get
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from bindings.apps import App
from bindings.binding import Binding
from control.doors import SIGNED_IN
from control.pages.parts.access_stories import stories_of
from control.pages.parts.consenting import KEPT, own_consents
from control.pages.parts.fields import Fields
from control.pages.parts.forms import errors_of
from control.pages.parts.session import Session
from control.pages.parts.shown_bindings import may_bind, shown
from control.shell import page
from control.speech import speech
from control.visitor import Visitor
from tenants.phones import Extension, Licence, Product
from tenants.refusals import OutOfReach, Refusal

ACCESSES = 10
"""How many of the latest accesses are shown."""


@dataclass(frozen=True, slots=True)
class Own:
    """An extension of the reader's, and the products it has."""

    extension: Extension
    products: tuple[str, ...]


@get("/home", may=SIGNED_IN, outlives=False, include_in_schema=False)
async def home(request: Request[Visitor, Any, Any], session: Session) -> Response[Any]:
    """What is the reader's own in the place where they are."""
    said = request.query_params
    return await show_home(request, session, Fields({name: (said.get(name, ""),) for name in KEPT}))


async def show_home(
    request: Request[Visitor, Any, Any], session: AsyncSession, fields: Fields, refusal: Refusal | None = None
) -> Response[Any]:
    """The page, with what was chosen in the form of consent, and what is wrong with it."""
    visitor = request.user
    if visitor.actor is None:
        raise OutOfReach
    who = visitor.actor.standing
    mine = sa.select(Binding).where(Binding.ended_at.is_(None)).order_by(Binding.id.desc())
    bindings = list(await session.scalars(mine.where(Binding.user_id == who.user_id)))
    onto = list(await session.scalars(mine.where(Binding.subject_membership_id == who.membership_id)))
    return page(
        request,
        "home.html",
        status=refusal.status if refusal else 200,
        title=speech(request)("Home"),
        own=await own_extensions(session, who.membership_id),
        apps=await apps_to_open(session),
        bindings=await shown(session, bindings, visitor.actor, visitor.now),
        onto=await shown(session, onto, visitor.actor, visitor.now),
        accesses=await stories_of(session, visitor, who.user_id, [who.membership_id], limit=ACCESSES),
        own_tab=f"/users/{who.user_id}/bindings" if may_bind(visitor.actor) else None,
        consent=await own_consents(session, visitor.actor, visitor.now),
        fields=fields,
        errors=errors_of(refusal),
    )


async def own_extensions(session: AsyncSession, membership_id: int) -> list[Own]:
    """The extensions in use of a membership, by number."""
    wanted = (
        sa.select(Extension)
        .where(Extension.membership_id == membership_id, Extension.discarded_at.is_(None))
        .options(joinedload(Extension.phone_system), joinedload(Extension.tenant))
        .order_by(sa.func.length(Extension.number), Extension.number)
    )
    extensions = list(await session.scalars(wanted))
    held = (
        sa.select(Licence.extension_id, Product.name)
        .join(Product, Product.id == Licence.product_id)
        .where(Licence.extension_id.in_([one.id for one in extensions]), Licence.discarded_at.is_(None))
        .order_by(Product.name)
    )
    products: dict[int, tuple[str, ...]] = {}
    for extension_id, name in await session.execute(held):
        products[extension_id] = (*products.get(extension_id, ()), name)
    return [Own(one, products.get(one.id, ())) for one in extensions]


async def apps_to_open(session: AsyncSession) -> list[App]:
    """The apps that say where to begin a login, by name."""
    wanted = sa.select(App).where(App.discarded_at.is_(None), App.login_uri.is_not(None))
    return list(await session.scalars(wanted.order_by(App.name).limit(50)))


ROUTES = [home]
