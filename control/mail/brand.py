"""Under whose name a letter goes: the brand of its tenant, each part from the nearest one above that has it."""

import math
from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy.ext.asyncio import AsyncSession

from tenants.tree import Tenant, ancestors

HOUSE_NAME = "Understudy"
HOUSE_HUE = 262


@dataclass(frozen=True, slots=True)
class Brand:
    """What a letter shows of who sends it."""

    name: str = HOUSE_NAME
    hue: int = HOUSE_HUE
    """In degrees, as the panel has it (OKLCH)."""
    support: str | None = None
    logo: str | None = None
    """The hash of a Logo."""

    @property
    def colour(self) -> str:
        """The hue as mail programs understand it: dark enough to carry white words."""
        return srgb(0.46, 0.13, self.hue)


async def brand_of(session: AsyncSession, tenant: Tenant) -> Brand:
    """The brand in force at a tenant."""
    nearest_last = await ancestors(session, tenant.path)
    found = {
        part: value
        for each in nearest_last
        for part in ("name", "hue", "support", "logo")
        if (value := getattr(each, f"brand_{part}")) is not None
    }
    return Brand(**found)


@lru_cache(maxsize=512)
def srgb(lightness: float, chroma: float, hue: int) -> str:
    """A colour of OKLCH as "#rrggbb" (CSS Color 4, section 18), cut where a screen has no such colour."""
    a, b = chroma * math.cos(math.radians(hue)), chroma * math.sin(math.radians(hue))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    middle = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return "#" + "".join(
        f"{_gamma(channel):02x}"
        for channel in (
            4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short,
            -1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short,
            -0.0041960863 * long - 0.7034186147 * middle + 1.7076147010 * short,
        )
    )


def _gamma(linear: float) -> int:
    curved = 12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055
    return round(255 * min(1.0, max(0.0, curved)))
