"""Reach: what a database session may touch, by place in the tree. `fence.py` holds sessions to it."""

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from tenants.roles import Span

ROOT = "/1/"
"""The path of the one platform tenant: whoever reaches it reaches everything."""


TREE = sa.table("tenants", sa.column("id", sa.BigInteger()), sa.column("path", sa.String()))
"""The columns of the tree that a fence needs, without the class that it fences."""


class Extent(StrEnum):
    """How a reach is bounded."""

    NOTHING = "nothing"
    SELF = "self"
    TENANT = "tenant"
    SUBTREE = "subtree"
    EVERYWHERE = "everywhere"


@dataclass(frozen=True, slots=True)
class Reach:
    """What one database session may touch. Set when the session is opened and never changed after."""

    extent: Extent
    path: str = ""
    tenant_id: int = 0
    user_id: int = 0
    membership_id: int = 0
    why: str = ""

    @classmethod
    def nothing(cls) -> "Reach":
        """No reach at all: every read is empty, every write refused."""
        return cls(Extent.NOTHING)

    @classmethod
    def everywhere(cls, why: str) -> "Reach":
        """No fence, for a named reason. A test keeps the list of who asks for this."""
        return cls(Extent.EVERYWHERE, why=why)

    @classmethod
    def of_membership(cls, span: Span, path: str, tenant_id: int, user_id: int, membership_id: int) -> "Reach":
        """The reach of a membership whose role spans that far."""
        return cls(Extent(span.value), path, tenant_id, user_id, membership_id)

    @classmethod
    def ancestors_of(cls, path: str) -> list[str]:
        """The paths of a tenant and all above it: what branding and policy may read outside the reach."""
        ids = path.strip("/").split("/")
        return ["/" + "/".join(ids[: n + 1]) + "/" for n in range(len(ids))]

    @property
    def whole(self) -> bool:
        """Whether nothing is outside: the house itself, or the platform's own subtree."""
        return self.extent is Extent.EVERYWHERE or (self.extent is Extent.SUBTREE and self.path == ROOT)

    def holds(self, path: str) -> bool:
        """Whether a tenant at `path` lies in this reach."""
        if self.whole:
            return True
        if self.extent is Extent.SUBTREE:
            return path.startswith(self.path)
        return self.extent in {Extent.TENANT, Extent.SELF} and path == self.path

    def paths(self, column: sa.SQLColumnExpression[str]) -> sa.ColumnElement[bool]:
        """A tenant's path column lies in the reach, as a range that an index can serve."""
        if self.whole:
            return sa.true()
        if self.extent is Extent.SUBTREE:
            return below(column, self.path)
        if self.extent in {Extent.TENANT, Extent.SELF}:
            return column == self.path
        return sa.false()

    def tenants(
        self, column: sa.SQLColumnExpression[int] | sa.SQLColumnExpression[int | None]
    ) -> sa.ColumnElement[bool]:
        """A tenant_id column lies in the reach."""
        if self.whole:
            return sa.true()
        if self.extent is Extent.SUBTREE:
            return column.in_(_within(self.path))
        if self.extent in {Extent.TENANT, Extent.SELF}:
            return column == self.tenant_id
        return sa.false()


@lru_cache(maxsize=2048)
def _within(path: str) -> sa.Select[Any]:
    """The ids of everything at the path or below, kept: forty kinds of record ask with the same two parameters."""
    return sa.select(TREE.c.id).where(below(TREE.c.path, path))


def below(column: sa.SQLColumnExpression[str], path: str) -> sa.ColumnElement[bool]:
    """The path itself and everything under it: "0" is the character after "/"."""
    return sa.and_(column >= path, column < path[:-1] + "0")
