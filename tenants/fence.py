"""The fence: three hooks that hold every database session to its reach. Nothing passes in silence.

Reads are narrowed to the reach, writes outside it are refused, and ORM bulk inserts are refused altogether.
Core statements on tables pass the fence; a test keeps the short list of files that may use them.
"""

from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.orm import ORMExecuteState, Session, UOWTransaction, with_loader_criteria
from sqlalchemy.sql.base import ExecutableOption

from tenants.reach import TREE, Extent, Reach
from tenants.records import Record
from tenants.refusals import OutOfReach


@lru_cache(maxsize=2048)
def _criteria(reach: Reach, kinds: int) -> "tuple[ExecutableOption, ...]":
    """One option for each kind of record, kept: they are the same for every statement of a reach.

    `kinds` is how many there are by now, so that one which is declared later is not left out.
    """
    return tuple(
        with_loader_criteria(mapper.class_, mapper.class_.within(reach), include_aliases=True)
        for mapper in sorted(Record.registry.mappers, key=lambda each: each.class_.__name__)
    )


class FencedSession(Session):
    """A database session that carries one reach (and, for the trail, one actor) for its whole life."""

    @property
    def reach(self) -> Reach:
        """The reach it was opened with; nothing when it was opened without one."""
        reach: Reach = self.info.get("reach", Reach.nothing())
        return reach


@event.listens_for(FencedSession, "do_orm_execute")
def narrow_reads(state: ORMExecuteState) -> None:
    """Reads, updates and deletes see only what lies in the reach; ORM bulk inserts go round the other hooks."""
    reach: Reach = state.session.info.get("reach", Reach.nothing())
    if reach.extent is Extent.EVERYWHERE:
        return
    if state.is_insert:
        raise OutOfReach("Rows are added one by one, so that each can be checked.")
    if not state.is_column_load and not state.is_relationship_load:
        state.statement = state.statement.options(*_criteria(reach, len(Record.registry.mappers)))


@event.listens_for(FencedSession, "before_flush")
def refuse_writes_outside(session: Session, context: UOWTransaction, instances: Any) -> None:
    """A new, changed or deleted row outside the reach is refused, also one moved out of it or into it."""
    reach: Reach = session.info.get("reach", Reach.nothing())
    if reach.extent is Extent.EVERYWHERE:
        return
    touched = [*session.new, *(row for row in session.dirty if session.is_modified(row)), *session.deleted]
    tenant_ids: set[int] = set()
    for row in touched:
        tenant_ids |= places_touched(row, reach)
    outside = tenant_ids - {reach.tenant_id} if reach.extent is not Extent.NOTHING else tenant_ids
    if outside and not _all_inside(session, outside, reach):
        raise OutOfReach


def places_touched(row: Any, reach: Reach) -> set[int]:
    """The tenants a write to `row` concerns, before and after; refuses what belongs to no tenant."""
    if reach.extent is Extent.NOTHING:
        raise OutOfReach
    touches = getattr(row, "touches", None)
    places: set[int] | None = touches(reach) if touches else None
    if places is None:
        raise OutOfReach
    return places


def _all_inside(session: Session, tenant_ids: set[int], reach: Reach) -> bool:
    inside = sa.select(sa.func.count()).where(TREE.c.id.in_(tenant_ids), reach.paths(TREE.c.path))
    with session.no_autoflush:
        return session.connection().execute(inside).scalar_one() == len(tenant_ids)
