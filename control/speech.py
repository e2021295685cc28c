"""The reader's own words where no template stands: notices after a change, headings that handlers choose."""

from collections.abc import Callable
from typing import Any

from litestar import Request

from control.visitor import Visitor
from control.words import words


def speech(request: Request[Visitor, Any, Any]) -> Callable[[str], str]:
    """`_ = speech(request)`: translates into the language of whoever reads the answer."""
    reader = request.user.reader
    return words(reader.locale if reader else "en").gettext
