"""Orphans: links that broke because what they lead to is out of use, counted by kind, and mended."""

from typing import Annotated

from litestar.params import JSONBody
from msgspec import Meta, Struct

from bindings.orphans import AT_ONCE, COUNTED, KINDS, how_many, mend, some_of
from control.api.doors import Asked, Session, creates, reads
from control.api.shapes import Id, Listed, Sent
from tenants.refusals import Invalid
from tenants.roles import Permission


class OrphansShape(Struct):
    """Broken links of one kind in reach."""

    kind: str
    count: Annotated[int, Meta(description=f"At most {COUNTED} are counted; {COUNTED + 1} says that there are more.")]
    ids: Annotated[list[int], Meta(description=f"The first {AT_ONCE} of them.")]


class Mending(Sent):
    """What is mended: one of a kind, or as many of it as are mended at once."""

    kind: Annotated[str, Meta(description=f"One of {', '.join(KINDS)}.", max_length=40)]
    id: Id | None = None


class Mended(Struct):
    """How many were mended. Where there are more than one request mends, ask again."""

    mended: int


@reads("/orphans", may=Permission.SEE_PHONES, summary="Count the broken links in reach")
async def list_orphans(session: Session) -> Listed[OrphansShape]:
    """Every kind, on one page."""
    found = []
    for kind in KINDS.values():
        ids = [each.id for each in await some_of(session, kind, AT_ONCE)]
        count = len(ids) if len(ids) < AT_ONCE else await how_many(session, kind)
        found.append(OrphansShape(kind.name, count, ids))
    return Listed(found, None)


@creates("/orphans/mend", may=Permission.MANAGE_PHONES, outlives=True, summary="Mend broken links", status=200)
async def mend_orphans(request: Asked, session: Session, data: JSONBody[Mending]) -> Mended:
    """Each by its own verb, with its entry. Nothing is made or widened by it."""
    if data.kind not in KINDS:
        raise Invalid(f"The kinds are {', '.join(KINDS)}.", field="kind")
    return Mended(await mend(session, KINDS[data.kind], request.user.now, only=data.id))


ROUTES = [list_orphans, mend_orphans]
