"""How a tenant looks and what it asks for: its brand with its logo, and its rules, each with where it comes from."""

from dataclasses import dataclass
from typing import Annotated

import msgspec
from litestar.openapi.spec import OpenAPIFormat, OpenAPIMediaType, OpenAPIType, RequestBody, Schema
from msgspec import UNSET, Struct, UnsetType
from sqlalchemy.ext.asyncio import AsyncSession

from control.api.doors import Asked, Change, Session, acting, reads, removes, sets
from control.api.shapes import Named, PathId, Sent, Text, given, refer
from control.contrast import require_readable
from tenants.actor import Actor
from tenants.brands import HUES, brand_of, set_brand
from tenants.logos import Logo, drawn_anew
from tenants.protections import MOST, rules_of
from tenants.roles import Permission
from tenants.tree import Tenant, find_tenant

MANAGE, SEE = Permission.MANAGE_TENANTS, Permission.SEE_TENANTS


class OwnBrand(Struct):
    """What a tenant sets of its brand itself; null is inherited."""

    name: str | None
    hue: int | None
    support: str | None
    logo: str | None
    """The hash of a picture at `/brand/logo/<hash>.png`."""


class BrandChange(Sent):
    """What changes of a tenant's own brand; null is inherited again. A logo is sent to `tenants/{id}/logo`."""

    name: Text | UnsetType | None = UNSET
    hue: Annotated[int, msgspec.Meta(ge=0, lt=HUES)] | UnsetType | None = UNSET
    support: Text | UnsetType | None = UNSET


class BrandPart(Struct):
    """One part of the brand in force."""

    part: str
    value: str | int | None
    set_by: Named | None
    """The tenant that sets it; null where that lies above you, or nobody did."""
    inherited: bool


class RuleShape(Struct):
    """One rule in force."""

    rule: str
    value: str | bool | int | None
    own: str | bool | int | None
    """What this tenant itself says."""
    set_by: Named | None
    """The nearest that asks for so much; null where that lies above you, or nobody asks."""
    inherited: bool
    tighter: list[str | bool | int | None]
    """What it can still be tightened to; of a cap the most that would be tighter."""
    cap: bool


def own_brand(tenant: Tenant) -> OwnBrand:
    """A tenant's own parts."""
    return OwnBrand(tenant.brand_name, tenant.brand_hue, tenant.brand_support, tenant.brand_logo)


async def change_brand(session: AsyncSession, tenant: Tenant, change: BrandChange) -> None:
    """Set what was sent. Invalid for a hue in which some words could not be read."""
    wanted = given(change)
    if wanted.get("hue") is not None:
        require_readable(wanted["hue"])
    await set_brand(session, tenant, wanted)


@dataclass
class PictureSent(Change):
    """A change whose body is a picture."""

    def __post_init__(self) -> None:
        """The handler reads the body by itself."""
        super().__post_init__()
        picture = OpenAPIMediaType(schema=Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.BINARY))
        self.request_body = RequestBody(content={"application/octet-stream": picture}, required=True)


@reads("/tenants/{tenant_id:int}/brand", may=SEE, summary="Show the brand in force at a tenant")
async def show_brand(request: Asked, session: Session, tenant_id: PathId) -> list[BrandPart]:
    """Name, hue, support contact and logo, each from the nearest tenant that sets it."""
    tenant = await find_tenant(session, tenant_id)
    brand = await brand_of(session, tenant.path)
    parts = []
    for part in ("name", "hue", "support", "logo"):
        source = brand.sources.get(part)
        named = Named(source.tenant_id, source.tenant_name) if source and _known(acting(request), source.path) else None
        inherited = source is None or source.tenant_id != tenant.id
        parts.append(BrandPart(part, getattr(brand, part), named, inherited))
    return parts


@sets(
    "/tenants/{tenant_id:int}/logo",
    may=MANAGE,
    outlives=True,
    summary="Set a tenant's logo",
    operation_class=PictureSent,
)
async def set_logo(request: Asked, session: Session, tenant_id: PathId) -> OwnBrand:
    """The body is the picture itself: PNG, JPEG, WebP or GIF, at most 1 MB. It is drawn anew."""
    tenant = await find_tenant(session, tenant_id)
    picture = await drawn_anew(await request.body())
    await set_brand(session, tenant, {"logo": await Logo.keep(session, picture, request.user.now)})
    return own_brand(tenant)


@removes("/tenants/{tenant_id:int}/logo", may=MANAGE, outlives=True, summary="Take a tenant's own logo back")
async def remove_logo(request: Asked, session: Session, tenant_id: PathId) -> None:
    """It is inherited again."""
    await set_brand(session, await find_tenant(session, tenant_id), {"logo": None})


@reads("/tenants/{tenant_id:int}/policy", may=SEE, summary="Show the rules in force at a tenant")
async def show_policy(request: Asked, session: Session, tenant_id: PathId) -> list[RuleShape]:
    """Every rule with where it comes from. They are tightened by `PATCH` of the tenant."""
    tenant = await find_tenant(session, tenant_id)
    return [
        RuleShape(
            rule.name,
            rule.effective,
            rule.own,
            refer(rule.source) if rule.source and _known(acting(request), rule.source.path) else None,
            rule.source is not None and rule.source.id != tenant.id,
            list(rule.tighter),
            rule.name in MOST,
        )
        for rule in await rules_of(session, tenant)
    ]


def _known(actor: Actor, path: str) -> bool:
    """Whether the reader may know who stands at `path`."""
    return actor.reach().holds(path)


ROUTES = [show_brand, set_logo, remove_logo, show_policy]
