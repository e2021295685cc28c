"""Recordings asked for: which ones a list is narrowed to, for pages and programs alike.

What a reader may not know of a private one is not looked into either: a search would tell it by what it finds.
"""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import contains_eager

from tenants.actor import Actor
from tenants.numbers import digits_sought
from tenants.people import Membership, User
from tenants.phones import Extension
from tenants.recordings import Direction, Disposition, Recording, readable
from tenants.tree import Tenant


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody asks of the recordings; every part narrows."""

    q: str = ""
    tenant: int | None = None
    membership: int | None = None
    extension: int | None = None
    direction: Direction | None = None
    disposition: Disposition | None = None
    undisposed: bool = False
    """Only those without a disposition."""
    private: bool | None = None
    since: datetime | None = None
    until: datetime | None = None
    discarded: bool = False

    def statement(self, actor: Actor) -> sa.Select[Recording]:
        """The recordings asked for, with their tenant, extension and person."""
        wanted = (
            sa.select(Recording)
            .join(Tenant, Tenant.id == Recording.tenant_id)
            .outerjoin(Extension, Extension.id == Recording.extension_id)
            .outerjoin(Membership, Membership.id == Recording.membership_id)
            .outerjoin(User, User.id == Membership.user_id)
            .options(
                contains_eager(Recording.tenant),
                contains_eager(Recording.extension),
                contains_eager(Recording.membership).contains_eager(Membership.user),
            )
        )
        return wanted.where(*self._narrowed(), *(_says(token, actor) for token in self.q.split()[:8]))

    def _narrowed(self) -> list[sa.ColumnElement[bool]]:
        exact = {
            Recording.tenant_id: self.tenant,
            Recording.membership_id: self.membership,
            Recording.extension_id: self.extension,
            Recording.direction: self.direction,
            Recording.disposition: self.disposition,
            Recording.private: self.private,
        }
        gone = Recording.discarded_at
        wanted = [column == value for column, value in exact.items() if value is not None]
        wanted.append(gone.is_not(None) if self.discarded else gone.is_(None))
        if self.undisposed:
            wanted.append(Recording.disposition.is_(None))
        if self.since is not None:
            wanted.append(Recording.started_at >= self.since)
        if self.until is not None:
            wanted.append(Recording.started_at < self.until)
        return wanted


def _says(token: str, actor: Actor) -> sa.ColumnElement[bool]:
    digits = digits_sought(token)
    known = [Recording.party.icontains(token, autoescape=True)]
    known.append(sa.func.coalesce(Recording.notes, "").icontains(token, autoescape=True))
    if digits is not None:
        known.append(Recording.party.contains(digits))
    return sa.or_(
        sa.and_(readable(actor), sa.or_(*known)),
        Tenant.name.icontains(token, autoescape=True),
        sa.func.coalesce(User.name, "").icontains(token, autoescape=True),
        sa.func.coalesce(Extension.number, "") == token,
    )
