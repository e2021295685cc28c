"""Contrast: whether the panel can be read in a hue, worked out from the colours of its own style (WCAG 2.2, 1.4.3)."""

import math
import re
from collections.abc import Callable, Iterator
from functools import lru_cache

from control.looks import STATIC
from tenants.refusals import Invalid

LEAST = 4.5
"""The contrast of text with its ground that level AA asks for."""
THEMES = ("light", "dark")

PAIRS = (
    ("on-brand", "brand"),  # a primary button
    ("brand", "bg"),  # links, on every ground
    ("brand", "panel"),
    ("brand", "sunken"),
    ("brand", "tint"),  # chips and counts
    ("ink", "tint"),  # the bar of what is ticked, the chosen result
    ("ink-2", "tint"),  # small words in a ticked row
)
"""Colours that depend on the hue, and what they stand on."""

Channels = tuple[float, float, float]
"""Linear light: red, green, blue."""

_TOKEN = re.compile(r"--([a-z0-9-]+): light-dark\((.+?), (oklch\([^)]*(?:\([^)]*\))?[^)]*\)|#[0-9a-f]+)\);")
_OKLCH = re.compile(r"oklch\(([0-9.]+) ([0-9.]+) (var\(--h\)|[0-9.]+)\)")


def require_readable(hue: int) -> None:
    """Invalid (field `hue`) when some words of the panel could not be read in this hue, in one theme or the other."""
    least = min(contrasts(hue))
    if least < LEAST:
        raise Invalid(
            f"In this colour some words would be hard to read: their contrast would be {least:.1f}, "
            f"{LEAST} is needed. Take one a little to either side.",
            field="hue",
        )


@lru_cache(maxsize=512)
def contrasts(hue: int) -> tuple[float, ...]:
    """The contrast of every pair in both themes, however a screen shows what it has no colour for."""
    return tuple(_all_contrasts(hue))


def _all_contrasts(hue: int) -> Iterator[float]:
    for number, _theme in enumerate(THEMES):
        for shown in (_cut, _faded):
            for words, ground in PAIRS:
                yield _contrast(_colour(words, number, hue, shown), _colour(ground, number, hue, shown))


@lru_cache(maxsize=1)
def tokens() -> dict[str, tuple[str, str]]:
    """The colours of app.css by name, light and dark, as they are written there."""
    style = (STATIC / "app.css").read_text()
    return {name: (light, dark) for name, light, dark in _TOKEN.findall(style)}


def _colour(name: str, theme: int, hue: int, shown: Callable[[float, float, float], Channels]) -> Channels:
    written = tokens()[name][theme]
    if found := _OKLCH.fullmatch(written):
        return shown(float(found[1]), float(found[2]), hue if found[3].startswith("var") else float(found[3]))
    digits = written.removeprefix("#")
    whole = digits if len(digits) == 6 else "".join(digit * 2 for digit in digits)
    red, green, blue = (_linear(int(whole[at : at + 2], 16) / 255) for at in (0, 2, 4))
    return red, green, blue


def _contrast(one: Channels, other: Channels) -> float:
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: Channels) -> float:
    red, green, blue = colour
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4


def _light(lightness: float, chroma: float, hue: float) -> Channels:
    """Oklch in linear light (CSS Color 4, section 18); outside 0 to 1 where sRGB has no such colour."""
    a, b = chroma * math.cos(math.radians(hue)), chroma * math.sin(math.radians(hue))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    middle = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * middle + 1.7076147010 * short,
    )


def _cut(lightness: float, chroma: float, hue: float) -> Channels:
    """As browsers of today show it: each channel cut off by itself."""
    red, green, blue = (min(1.0, max(0.0, channel)) for channel in _light(lightness, chroma, hue))
    return red, green, blue


def _faded(lightness: float, chroma: float, hue: float) -> Channels:
    """As CSS Color 4 has it (section 13): less chroma until there is such a colour."""
    least, most = 0.0, chroma
    if _shows(_light(lightness, chroma, hue)):
        return _light(lightness, chroma, hue)
    for _ in range(20):
        middle = (least + most) / 2
        least, most = (middle, most) if _shows(_light(lightness, middle, hue)) else (least, middle)
    return _cut(lightness, least, hue)


def _shows(colour: Channels) -> bool:
    return all(-0.0001 <= channel <= 1.0001 for channel in colour)
