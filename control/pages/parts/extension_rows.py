"""Extension rows: extensions as lists show them, with user, place, products and who is bound to them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import contains_eager

from bindings.binding import Binding
from control.pages.parts.asked import id_in, matching, one_of, words_in
from control.pages.parts.becoming import Becoming, becoming
from control.pages.parts.shown_bindings import may_bind
from control.visitor import Visitor
from tenants.actor import Actor
from tenants.people import Membership, User
from tenants.phones import Extension, Licence, PhoneSystem, Product
from tenants.tree import Tenant

FILTERS = ("q", "phone_system", "company", "product", "free", "sort")
SORTS: dict[str, sa.SQLColumnExpression[Any]] = {
    "id": Extension.id,
    "number": Extension.number,
    "user": sa.func.coalesce(User.name, ""),
    "company": Tenant.name,
}


@dataclass(frozen=True, slots=True)
class ExtensionRow:
    """A line of a list of extensions."""

    id: int
    number: str
    name: str | None
    user: User | None
    tenant: Tenant
    phone_system: PhoneSystem
    products: list[tuple[str, bool]]
    """What it is licensed for, and whether its user is app admin there."""
    bound: list[str]
    """Who is bound to it."""
    bind_href: str | None
    """Where the reader binds themselves to it; None where that makes no sense."""
    become: Becoming | None


def extensions_asked(said: Mapping[str, Any]) -> sa.Select[Extension]:
    """The extensions in use that an address asks for; words are looked for wherever a row shows any."""
    wanted = (
        sa.select(Extension)
        .join(Tenant, Tenant.id == Extension.tenant_id)
        .join(PhoneSystem, PhoneSystem.id == Extension.phone_system_id)
        .outerjoin(Membership, Membership.id == Extension.membership_id)
        .outerjoin(User, User.id == Membership.user_id)
        .options(
            contains_eager(Extension.tenant),
            contains_eager(Extension.phone_system),
            contains_eager(Extension.membership).contains_eager(Membership.user),
        )
        .where(Extension.discarded_at.is_(None))
    )
    if system_id := id_in(said, "phone_system"):
        wanted = wanted.where(Extension.phone_system_id == system_id)
    if tenant_id := id_in(said, "company"):
        wanted = wanted.where(Extension.tenant_id == tenant_id)
    if one_of(said, "free", "1"):
        wanted = wanted.where(Extension.membership_id.is_(None))
    if product := words_in(said, "product"):
        wanted = wanted.where(_licensed(product))
    for token in words_in(said, "q").split()[:8]:
        wanted = wanted.where(_says(token))
    return wanted


def _says(token: str) -> sa.ColumnElement[bool]:
    """Digits are the beginning of a number; anything else is part of a name, an address or a place."""
    if token.isascii() and token.isdecimal():
        # A range rather than LIKE, so that the index on the number serves it; ":" comes after "9".
        return sa.and_(Extension.number >= token, Extension.number < token + ":")
    return matching(
        token,
        sa.func.coalesce(Extension.name, ""),
        sa.func.coalesce(User.name, ""),
        sa.func.coalesce(User.email, ""),
        Tenant.name,
        PhoneSystem.name,
    )


def _licensed(product: str) -> sa.ColumnElement[bool]:
    """`desk`: has a licence for it; `desk:admin`: is its app admin."""
    slug, _, admin = product.partition(":")
    held = (
        sa.select(Licence.extension_id)
        .join(Product, Product.id == Licence.product_id)
        .where(Product.slug == slug, Licence.discarded_at.is_(None), Licence.extension_id == Extension.id)
    )
    return sa.exists(held.where(Licence.app_admin.is_(True)) if admin else held)


async def extension_rows(
    session: AsyncSession, visitor: Visitor, extensions: Sequence[Extension]
) -> list[ExtensionRow]:
    """These extensions with their products and bindings, one statement for each."""
    ids = [extension.id for extension in extensions]
    products = await products_of(session, ids)
    bound: dict[int, list[str]] = {}
    standing = sa.select(Binding.extension_id, Binding.actor_name).where(
        Binding.extension_id.in_(ids), Binding.ended_at.is_(None)
    )
    for extension_id, name in await session.execute(standing):
        bound.setdefault(extension_id, []).append(name)
    offered = await becoming_users(session, visitor.actor, extensions)
    return [
        ExtensionRow(
            extension.id,
            extension.number,
            extension.name,
            extension.membership.user if extension.membership else None,
            extension.tenant,
            extension.phone_system,
            products.get(extension.id, []),
            bound.get(extension.id, []),
            bind_href(visitor, extension),
            offered.get(extension.id),
        )
        for extension in extensions
    ]


async def becoming_users(
    session: AsyncSession, actor: Actor | None, extensions: Sequence[Extension]
) -> dict[int, Becoming]:
    """The buttons to become the users of these extensions, by extension; none where one has no user."""
    held = [(each, each.membership) for each in extensions if each.membership is not None]
    offered = await becoming(session, actor, [(member, member.user, each.tenant) for each, member in held])
    return {each.id: offered[member.id].at(each.id) for each, member in held if member.id in offered}


async def products_of(session: AsyncSession, extension_ids: Sequence[int]) -> dict[int, list[tuple[str, bool]]]:
    """What these extensions are licensed for: product name and whether app admin, by extension id."""
    licences = (
        sa.select(Licence.extension_id, Product.name, Licence.app_admin)
        .join(Product, Product.id == Licence.product_id)
        .where(Licence.extension_id.in_(extension_ids), Licence.discarded_at.is_(None))
        .order_by(Product.name)
    )
    found: dict[int, list[tuple[str, bool]]] = {}
    for extension_id, name, admin in await session.execute(licences):
        found.setdefault(extension_id, []).append((name, admin))
    return found


def bind_href(visitor: Visitor, extension: Extension) -> str | None:
    """The reader's own User Bindings tab with this extension chosen; the guard there has the last word."""
    actor = visitor.actor
    if actor is None or not may_bind(actor) or extension.membership is None:
        return None
    if extension.membership.user_id == actor.standing.user_id:
        return None
    user_id, system_id = actor.standing.user_id, extension.phone_system_id
    return f"/users/{user_id}/bindings?phone_system={system_id}&extension={extension.id}"
