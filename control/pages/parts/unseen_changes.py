"""Unseen changes: two people edit one record, and who saves second is told what changed before it is overwritten.

A form that edits an audited record carries the number of the record's newest entry as a hidden field. To use it:

- in the form, `{{ seen_field(unseen) }}` beside `{{ guards() }}`, and `{{ unseen_changes(unseen) }}` above its fields,
  both from `macros/unseen.html`;
- where the page is drawn, hand it `unseen=Unseen(record.last_entry_id)`;
- where the form is saved, before the verb:

      unseen = await unseen_changes(session, request.user, record, fields, {"name": fields.text("name")})
      if unseen.lines:
          draw the form again with what was typed, `unseen=unseen` and `status=409`

The mapping names the columns that the form sets, with what was typed for each. Changes of other columns do not
matter to the form, nor does a change to the very value that was typed. The page that comes back carries the number of
what it tells, so saving again overwrites with open eyes. A form without the field asks for nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from control.pages.parts.fields import Fields
from control.pages.parts.history import Line, lines_of
from control.visitor import Visitor
from tenants.trail import Entry

MOST = 20
"""Entries that are told at once, the newest ones."""


@dataclass(frozen=True, slots=True)
class Unseen:
    """The newest entry that a form knows of, and what happened to its fields before that it did not know."""

    seen: int
    lines: tuple[Line, ...] = ()

    @property
    def status(self) -> int:
        """The status of the page that tells of it."""
        return 409 if self.lines else 200


async def unseen_changes(
    session: AsyncSession, visitor: Visitor, record: Any, fields: Fields, wanted: Mapping[str, Any]
) -> Unseen:
    """What others changed of `wanted`'s columns since the form was drawn, which saving it would undo."""
    newest = await _hold(session, record)
    seen = fields.number("_seen")
    if seen is None or seen >= newest:
        return Unseen(newest)
    at_stake = {column for column, value in wanted.items() if getattr(record, column) != value}
    since = sa.select(Entry).where(
        Entry.record_type == record.__tablename__, Entry.record_id == str(record.id), Entry.id > seen
    )
    newer = await session.scalars(since.order_by(Entry.id.desc()))
    told = [entry for entry in newer if at_stake & set(entry.changes)][:MOST]
    return Unseen(newest, tuple(await lines_of(session, visitor, told)))


async def _hold(session: AsyncSession, record: Any) -> int:
    """Lock the row, so that of two who save at once the second sees the first; gives its newest entry."""
    kind: type[Any] = type(record)
    locked = sa.select(kind.last_entry_id).where(kind.id == record.id).with_for_update()
    newest: int = (await session.execute(locked)).scalar_one()
    if newest != record.last_entry_id:
        await session.refresh(record, [column.key for column in sa.inspect(kind).column_attrs])
    return newest
