"""User rows: people as the list and its export show them, with what lies in the reader's reach and nothing beyond."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from bindings.binding import Binding
from control.pages.parts.asked import id_in, one_of
from control.pages.parts.becoming import Becoming, becoming, best_of
from control.users_asked import Seen, State, UsersAsked
from tenants.actor import Actor
from tenants.people import Membership, User
from tenants.roles import Role
from tenants.teams import Team, teams_of
from tenants.tree import find_tenant

FILTERS = ("q", "state", "role", "company", "factor", "bound", "seen", "sort")


@dataclass(frozen=True, slots=True)
class UserRow:
    """One line of the list."""

    id: int
    name: str
    email: str
    user: User
    memberships: list[Membership]
    teams: list[Team]
    binding: Binding | None
    become: Becoming | None

    @property
    def live(self) -> list[Membership]:
        """The memberships that have not ended."""
        return [membership for membership in self.memberships if membership.discarded_at is None]

    @property
    def roles(self) -> list[str]:
        """The roles they have, each once."""
        return list(dict.fromkeys(membership.role for membership in self.live))

    @property
    def places(self) -> list[str]:
        """The names of where they are."""
        return [membership.tenant.name for membership in self.live]


async def users_asked(session: AsyncSession, params: Mapping[str, Any]) -> UsersAsked:
    """What an address asks of the list. Invalid for what is no filter; OutOfReach for a company that is none."""
    state = one_of(params, "state", *State)
    role, seen = one_of(params, "role", *Role), one_of(params, "seen", *Seen)
    company = id_in(params, "company")
    return UsersAsked(
        State(state) if state else State.ACTIVE,
        Role(role) if role else None,
        await find_tenant(session, company) if company else None,
        {"on": True, "off": False}.get(one_of(params, "factor", "on", "off")),
        {"yes": True, "no": False}.get(one_of(params, "bound", "yes", "no")),
        Seen(seen) if seen else None,
    )


async def user_rows(session: AsyncSession, users: Sequence[User], actor: Actor | None = None) -> list[UserRow]:
    """These people with their places, teams and newest open binding, one statement for each.

    With an actor, the button to become each of them.
    """
    ids = [user.id for user in users]
    places = await memberships_of(session, ids)
    teams = await teams_of(session, ids)
    newest: dict[int, Binding] = {}
    open_ones = sa.select(Binding).where(Binding.user_id.in_(ids), Binding.ended_at.is_(None)).order_by(Binding.id)
    for binding in await session.scalars(open_ones):
        newest[binding.user_id] = binding
    as_whom = await becoming_people(session, actor, users, places)
    return [
        UserRow(
            user.id,
            user.name,
            user.email,
            user,
            places.get(user.id, []),
            teams.get(user.id, []),
            newest.get(user.id),
            best_of(as_whom.get(user.id, [])),
        )
        for user in users
    ]


async def becoming_people(
    session: AsyncSession, actor: Actor | None, users: Sequence[User], places: Mapping[int, list[Membership]]
) -> dict[int, list[Becoming]]:
    """The buttons to become these people, by person: one for each membership that has not ended."""
    live = [
        (membership, user, membership.tenant)
        for user in users
        for membership in places.get(user.id, [])
        if membership.discarded_at is None and user.discarded_at is None
    ]
    offered = await becoming(session, actor, live)
    found: dict[int, list[Becoming]] = defaultdict(list)
    for membership, user, _ in live:
        if membership.id in offered:
            found[user.id].append(offered[membership.id])
    return found


async def memberships_of(session: AsyncSession, user_ids: Sequence[int]) -> dict[int, list[Membership]]:
    """Where these people are, as far as the reader sees; live ones first."""
    found: dict[int, list[Membership]] = defaultdict(list)
    wanted = (
        sa.select(Membership)
        .where(Membership.user_id.in_(user_ids))
        .options(joinedload(Membership.tenant))
        .order_by(Membership.discarded_at.is_not(None), Membership.id)
    )
    for membership in await session.scalars(wanted):
        found[membership.user_id].append(membership)
    return found
