"""The one colour of a brand as mail programs understand it: few of them know OKLCH."""

import math
from functools import lru_cache


def brand_colour(hue: int) -> str:
    """A hue of the panel (degrees of OKLCH), dark enough to carry white words."""
    return srgb(0.46, 0.13, hue)


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
