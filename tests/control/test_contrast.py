"""Contrast: whatever hue a brand takes, the panel can be read."""

import re

from control.branding import STYLES
from control.contrast import LEAST, PAIRS, _contrast, _cut, contrasts, tokens
from control.looks import STATIC

STYLE = STATIC / "app.css"


def test_every_hue_can_be_read_in_both_themes() -> None:
    for hue in range(360):
        assert min(contrasts(hue)) >= LEAST, hue
    assert len(STYLES) == 360


def test_the_colours_are_those_of_the_style_itself() -> None:
    assert {name for pair in PAIRS for name in pair} <= set(tokens())


def test_a_theme_changes_colours_and_nothing_else() -> None:
    """So what is not about colours is looked at in one of them (tests/browser/looking.py)."""
    style = STYLE.read_text(encoding="utf-8")
    assert "prefers-color-scheme" not in style
    said = re.findall(r"\[data-theme=\w+\] *{([^}]*)}", style)
    assert len(said) == 2
    assert all(re.fullmatch(r" *color-scheme: \w+ *", each) for each in said)


def test_contrast_is_counted_as_wcag_counts_it() -> None:
    assert round(_contrast((0, 0, 0), (1, 1, 1)), 1) == 21.0
    red = _cut(0.627955, 0.257683, 29.2339)  # CSS `red` in Oklch
    assert round(_contrast(red, (1, 1, 1)), 1) == 4.0
