"""What a form or an address brings, as text: never trusted, never a file, never twice as long as a field."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from litestar import Request
from litestar.params import PathParameter

from control.visitor import Visitor
from tenants.refusals import Invalid

BIGGEST = 2**63 - 1
Id = Annotated[int, PathParameter(ge=1, le=BIGGEST)]
"""A record's number in an address: one that no database could hold is refused at the door."""


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of one form."""

    values: Mapping[str, tuple[str, ...]]

    def text(self, name: str) -> str:
        """The field's text; empty when it is missing. Raises Invalid for what no database keeps."""
        return _kept(name, next(iter(self.values.get(name, ())), ""))

    def all(self, name: str) -> list[str]:
        """Every value of a field that may come more than once, empty ones left out."""
        return [_kept(name, value) for value in self.values.get(name, ()) if value]

    def number(self, name: str) -> int | None:
        """The field as a record's number; None for anything else."""
        return number_in(self.text(name))


def _kept(name: str, value: str) -> str:
    if any(letter == "\0" or "\ud800" <= letter <= "\udfff" for letter in value):
        raise Invalid("This holds characters that cannot be kept.", field=name)
    return value


async def read_fields(request: Request[Visitor, Any, Any]) -> Fields:
    """The form that was sent. A file where text is asked for counts as nothing."""
    form = await request.form()
    found: dict[str, tuple[str, ...]] = {}
    for name, value in form.multi_items():
        if isinstance(value, str):
            found[name] = (*found.get(name, ()), value)
    return Fields(found)


def number_in(text: str | None) -> int | None:
    """A record's number; None for anything else."""
    if not text or not text.isascii() or not text.isdigit() or len(text) > 19:
        return None
    number = int(text)
    return number if 1 <= number <= BIGGEST else None
