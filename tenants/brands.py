"""Brands: the name, hue, support contact and logo under which a tenant shows itself, each from the nearest above."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any
from urllib.parse import quote, urlsplit

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from tenants.reach import Reach
from tenants.refusals import Invalid
from tenants.text import clean, email_address, named
from tenants.tree import Tenant

HOUSE_NAME = "Understudy"
HOUSE_HUE = 262
"""The hue of the panel where nobody set one: the `--h` of its style."""
HUES = 360
SUPPORT_LENGTH = 500

PARTS = ("name", "hue", "support", "logo")
_PHONE = re.compile(r"\+[0-9][0-9 ()./-]{3,30}[0-9]")


@dataclass(frozen=True, slots=True)
class Source:
    """The tenant that sets a part of a brand; whoever shows it asks first whether it is in the reader's reach."""

    tenant_id: int
    tenant_name: str
    path: str


@dataclass(frozen=True, slots=True)
class Brand:
    """A brand as it shows at a place in the tree. What nobody set is the house's own."""

    name: str = HOUSE_NAME
    hue: int = HOUSE_HUE
    """Degrees, 0 to 359."""
    support: str | None = None
    logo: str | None = None
    """The hash of a Logo."""
    sources: Mapping[str, Source] = field(default_factory=lambda: MappingProxyType({}))
    """Part -> who set it, for the parts that somebody set."""

    @property
    def support_href(self) -> str | None:
        """Where the support contact leads, when it is an address of a kind that may be a link."""
        return contact_href(self.support) if self.support else None


async def brand_of(session: AsyncSession | AsyncConnection, path: str) -> Brand:
    """The brand in force at `path`: each part as the nearest tenant has it, from there up, past the fence."""
    tree = Tenant.__table__
    columns = [tree.c[f"brand_{part}"] for part in PARTS]
    line = sa.select(tree.c.id, tree.c.name, tree.c.path, *columns).where(
        tree.c.path.in_(Reach.ancestors_of(path)), sa.or_(*(column.is_not(None) for column in columns))
    )
    found: dict[str, Any] = {}
    sources: dict[str, Source] = {}
    for row in await session.execute(line.order_by(tree.c.depth.desc())):
        for part in PARTS:
            value = getattr(row, f"brand_{part}")
            if value is not None and part not in found:
                found[part], sources[part] = value, Source(row.id, row.name, row.path)
    return Brand(**found, sources=MappingProxyType(sources))


async def set_brand(session: AsyncSession, tenant: Tenant, wanted: Mapping[str, Any]) -> None:
    """Set these parts of the tenant's own brand; None takes one back, so that it is inherited again."""
    await tenant.change(session, **{f"brand_{part}": _checked(part, value) for part, value in wanted.items()})


def _checked(part: str, value: Any) -> str | int | None:
    """One part as it is kept; an empty one is none. A logo is named by the hash that `Logo.keep` gave."""
    if part == "hue":
        return _hue(value)
    if part == "support":
        return _support(value)
    return _name(value) if part == "name" else value


def _name(value: str | None) -> str | None:
    return named(value) if value and value.strip() else None


def _hue(value: int | None) -> int | None:
    if value is not None and not 0 <= value < HUES:
        raise Invalid("A hue is a whole number of degrees, from 0 to 359.", field="hue")
    return value


def _support(value: str | None) -> str | None:
    text = clean(value or "", "support")
    if len(text) > SUPPORT_LENGTH:
        raise Invalid(f"A support contact has at most {SUPPORT_LENGTH} characters.", field="support")
    return text or None


def contact_href(text: str) -> str | None:
    """The link behind a support contact: an e-mail address, an https address or a telephone number; else None.

    Text that only looks like an address of another kind ("javascript:…", "http://…") never becomes a link.
    """
    try:
        return "mailto:" + quote(email_address(text.removeprefix("mailto:")), safe="@")
    except Invalid:
        pass
    number = text.removeprefix("tel:")
    if _PHONE.fullmatch(number):
        return "tel:" + re.sub(r"[^+0-9]", "", number)
    return text if _https(text) else None


def _https(text: str) -> bool:
    """A whole https address of a named host, without a user name that could pass for the host."""
    try:
        parts = urlsplit(text)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        return False
    plain = text.isascii() and not re.search(r"[\s\\<>\"'`{}|^]", text)
    return text.startswith("https://") and plain and bool(host) and "." in (host or "") and "@" not in parts.netloc
