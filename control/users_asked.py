"""Users asked: whom a list of people is narrowed to, and in which order; the same for the page, its CSV and the API."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from bindings.binding import Binding
from tenants.people import Membership, User
from tenants.reach import below
from tenants.roles import Role
from tenants.tree import Tenant

QUIET = timedelta(days=90)
"""Who has not signed in for so long is worth a look."""


class State(StrEnum):
    """In use, discarded, or both."""

    ACTIVE = "active"
    DISCARDED = "discarded"
    ALL = "all"


class Seen(StrEnum):
    """Who never signed in, or not in the last 90 days: the first are among the second."""

    NEVER = "never"
    QUIET = "not-in-90-days"


# Nobody signed in before this: it stands for "never", so that both databases put that at the same end, one index
# serves either direction, and a cursor has a value to go on from.
_NEVER = sa.literal(datetime(1970, 1, 1, tzinfo=UTC), User.last_sign_in_at.type, literal_execute=True)

SORTS: Mapping[str, sa.SQLColumnExpression[Any]] = {
    "id": User.id,
    "name": User.name,
    "email": User.email,
    "seen": sa.func.coalesce(User.last_sign_in_at, _NEVER),
    "created": User.created_at,
}


@dataclass(frozen=True, slots=True)
class UsersAsked:
    """Every filter narrows; the reach is the session's, in each part of the statement."""

    state: State = State.ACTIVE
    role: Role | None = None
    place: Tenant | None = None
    """With a place at this tenant or below."""
    factor: bool | None = None
    """With a second factor, or without."""
    bound: bool | None = None
    """With an open binding that the reader may see, or without."""
    seen: Seen | None = None

    def statement(self, now: datetime) -> sa.Select[User]:
        """The people asked for."""
        # Programs stand under their company.
        wanted = sa.select(User).where(~User.service)
        if self.state is not State.ALL:
            gone = self.state is State.DISCARDED
            wanted = wanted.where(User.discarded_at.is_not(None) if gone else User.discarded_at.is_(None))
        if self.role is not None or self.place is not None:
            wanted = wanted.where(self._placed())
        if self.factor is not None:
            wanted = wanted.where(User.second_factor if self.factor else ~User.second_factor)
        if self.bound is not None:
            holds = sa.exists().where(Binding.user_id == User.id, Binding.ended_at.is_(None))
            wanted = wanted.where(holds if self.bound else ~holds)
        if self.seen is not None:
            wanted = wanted.where(self._last_seen(now))
        return wanted

    def _placed(self) -> sa.ColumnElement[bool]:
        """With a membership of this role, at this place: both of the same one."""
        theirs = sa.select(Membership.user_id).where(Membership.discarded_at.is_(None))
        if self.role is not None:
            theirs = theirs.where(Membership.role == self.role.value)
        if self.place is not None:
            inside = sa.select(Tenant.id).where(below(Tenant.path, self.place.path))
            theirs = theirs.where(Membership.tenant_id.in_(inside))
        return User.id.in_(theirs)

    def _last_seen(self, now: datetime) -> sa.ColumnElement[bool]:
        never = User.last_sign_in_at.is_(None)
        return never if self.seen is Seen.NEVER else sa.or_(never, User.last_sign_in_at < now - QUIET)
