"""Presence: what a page of an app says of itself while somebody stands in there: it is shown, still there, gone.

One page holds an impersonation at an app. A copied tab is another page, and is refused until the first one has said
goodbye: a page that is loaded again says so too, and comes back under another name within seconds. The columns are
derived, so that noting them is nothing that history tells of.
"""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bindings.impersonation import Impersonation

_rows = Impersonation.__table__


async def note_seen(
    connection: AsyncConnection, stand: Impersonation, document: str | None, banner: bool, now: datetime
) -> bool:
    """Note a sign of life, and that the banner was shown where it was. False for a copied tab: nothing is noted.

    What was started in the panel is held there: no page of an app ends it by falling silent.
    """
    noted: dict[str, datetime | str | None] = {"seen_at": now}
    if banner:
        noted["banner_at"] = now
    mine: sa.ColumnElement[bool] = sa.true()
    if stand.app_id is not None:
        noted |= {"beat_at": now, "goodbye_at": None}
        if document is not None:
            noted |= {"document": document}
            # Asked of the row by the update itself: of two pages at once the database lets one in.
            mine = _held_by(document) | _rows.c.goodbye_at.is_not(None)
    told = sa.update(_rows).where(_rows.c.id == stand.id, _rows.c.ended_at.is_(None), mine).values(noted)
    if (await connection.execute(told.returning(_rows.c.id))).one_or_none() is not None:
        return True
    # Ended a moment ago is no copy: the next question is told so.
    still = sa.select(_rows.c.id).where(_rows.c.id == stand.id, _rows.c.ended_at.is_(None))
    return (await connection.execute(still)).one_or_none() is None


async def note_goodbye(connection: AsyncConnection, stand: Impersonation, document: str | None, now: datetime) -> None:
    """Note that the page which holds it went away; of any other page that is nothing."""
    if stand.app_id is None:
        return
    mine = _rows.c.document.is_(None) if document is None else _held_by(document)
    gone = sa.update(_rows).where(_rows.c.id == stand.id, _rows.c.ended_at.is_(None), mine)
    await connection.execute(gone.values(goodbye_at=now))


def _held_by(document: str) -> sa.ColumnElement[bool]:
    """This page holds it, or none does yet."""
    return _rows.c.document.is_(None) | (_rows.c.document == document)
