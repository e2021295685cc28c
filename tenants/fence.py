"""The fence: three hooks that hold every database session to its reach. Nothing passes in silence.

Reads are narrowed to the reach, writes outside it are refused, and ORM bulk inserts are refused altogether.
Core statements on tables pass the fence; a test keeps the short list of files that may use them.
"""

from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.orm import ORMExecuteState, Session, UOWTransaction, with_loader_criteria
from sqlalchemy.orm.interfaces import CriteriaOption
from sqlalchemy.sql.cache_key import NO_CACHE
from sqlalchemy.sql.visitors import anon_map

from tenants.reach import TREE, Extent, Reach
from tenants.records import Record
from tenants.refusals import OutOfReach


class Narrowing(CriteriaOption):
    """The criteria of one reach for every kind of record, as one option of a statement.

    What SQLAlchemy knows a compiled statement by is worked out once for a reach: for each of fifty kinds with every
    statement it took longer than the statement itself. The values of a reach are no part of it but parameters, so that
    everybody whose reach is bounded in the same way shares what was compiled.
    """

    __slots__ = ("criteria", "parameters", "shape")

    propagate_to_loaders = True
    _shapes: dict[Any, int] = {}  # noqa: RUF012 (kept for the life of the process)

    def __init__(self, reach: Reach) -> None:
        mappers = sorted(Record.registry.mappers, key=lambda each: each.class_.__name__)
        self.criteria = tuple(
            with_loader_criteria(mapper.class_, mapper.class_.within(reach), include_aliases=True) for mapper in mappers
        )
        self.parameters: list[Any] = []
        known = anon_map()
        keys = tuple(each._gen_cache_key(known, self.parameters) for each in self.criteria)
        # What cannot be known again is compiled anew each time, as it would be without this.
        self.shape = None if NO_CACHE in known else self._shapes.setdefault(keys, len(self._shapes))

    def _gen_cache_key(self, known: Any, parameters: list[Any]) -> tuple[Any, ...] | None:
        if self.shape is None:
            known[NO_CACHE] = True
            return None
        parameters.extend(self.parameters)
        return (Narrowing, self.shape)

    def get_global_criteria(self, attributes: dict[Any, Any]) -> None:
        """For updates and deletes."""
        for each in self.criteria:
            each.get_global_criteria(attributes)

    def process_compile_state(self, compile_state: Any) -> None:
        """For reads."""
        for each in self.criteria:
            each.process_compile_state(compile_state)

    def process_compile_state_replaced_entities(self, compile_state: Any, mapper_entities: Any) -> None:
        """For reads whose columns were replaced."""
        self.process_compile_state(compile_state)


@lru_cache(maxsize=2048)
def _narrowing(reach: Reach) -> Narrowing:
    """Kept: it is the same for every statement of a reach."""
    return Narrowing(reach)


@event.listens_for(Record, "after_mapper_constructed", propagate=True)
def _know_new_kinds(mapper: Any, kind: Any) -> None:
    """A kind that is declared later is not left out."""
    _narrowing.cache_clear()


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
        state.statement = state.statement.options(_narrowing(reach))


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
