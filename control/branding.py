"""Branding: how a brand shows on pages: the addresses of its style and its logo, and its support contact."""

from dataclasses import dataclass
from hashlib import sha256

from tenants.brands import HOUSE_HUE, HUES, Brand


@dataclass(frozen=True, slots=True)
class ShownBrand:
    """A brand as templates know it."""

    name: str
    css_href: str | None
    logo_href: str | None
    support: str | None
    support_href: str | None


def _style(hue: int) -> bytes:
    # Outside the layers of app.css, so that it wins whichever comes first.
    return f":root {{ --h: {hue} }}\n".encode()


# Every hue there can be, by the hash in its address: a page's policy allows no style within it.
STYLES = {sha256(_style(hue)).hexdigest()[:16]: _style(hue) for hue in range(HUES)}
_ADDRESSES = [f"/brand/{mark}.css" for mark in STYLES]


def shown(brand: Brand) -> ShownBrand:
    """What a page needs of it; nothing is linked that would be the panel's own anyway."""
    return ShownBrand(
        brand.name,
        _ADDRESSES[brand.hue] if brand.hue != HOUSE_HUE else None,
        f"/brand/logo/{brand.logo}.png" if brand.logo else None,
        brand.support,
        brand.support_href,
    )
