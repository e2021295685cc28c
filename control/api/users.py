"""Users: people in reach. A new one is invited (new_users.py); ways_in.py has their passwords and addresses."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import sqlalchemy as sa
from litestar.params import JSONBody, QueryParameter
from msgspec import UNSET, Struct, UnsetType
from sqlalchemy.ext.asyncio import AsyncSession

from bindings import endings
from control.api.doors import Asked, Session, acting, alters, creates, reads, removes
from control.api.lists import Asking, page
from control.api.shapes import Listed, Named, PathId, Sent, Text, given, memberships_of, refer, tenants_named
from control.paging import LARGEST
from control.proof import require_proof
from control.users_asked import SORTS, Seen, State, UsersAsked
from tenants.people import Membership, User, find_user
from tenants.roles import Permission, Role
from tenants.teams import teams_of
from tenants.tree import find_tenant

MANAGE, SEE = Permission.MANAGE_PEOPLE, Permission.SEE_PEOPLE
COLUMNS = {
    "id": User.id,
    "name": User.name,
    "email": User.email,
    "last_sign_in_at": SORTS["seen"],
    "created_at": User.created_at,
}


class Place(Struct):
    """A membership, seen from its person."""

    id: int
    tenant: Named
    role: str
    discarded_at: datetime | None


class UserShape(Struct):
    """A person. `home` is null, and `memberships` and `teams` are left out, where they lie out of reach."""

    id: int
    name: str
    email: str
    home: Named | None
    memberships: list[Place]
    teams: list[Named]
    second_factor: bool
    last_sign_in_at: datetime | None
    created_at: datetime
    discarded_at: datetime | None


class UserChange(Sent):
    """What changes of a person."""

    name: Text | UnsetType = UNSET


@reads("/users", may=SEE, summary="List the people in reach")
async def list_users(
    request: Asked,
    session: Session,
    listing: Asking,
    tenant: Annotated[int | None, QueryParameter(ge=1, le=LARGEST, description="Only with a membership here.")] = None,
    company: Annotated[int | None, QueryParameter(ge=1, le=LARGEST, description="The same, here or below.")] = None,
    role: Annotated[Role | None, QueryParameter(description="Only with this role, there or anywhere in reach.")] = None,
    wanted_state: Annotated[State | None, QueryParameter(name="state", description="More than `discarded`.")] = None,
    factor: Annotated[bool | None, QueryParameter(description="With a second factor, or without.")] = None,
    bound: Annotated[bool | None, QueryParameter(description="With an open binding in reach, or without.")] = None,
    seen: Annotated[Seen | None, QueryParameter(description="Who has not signed in, ever or lately.")] = None,
) -> Listed[UserShape]:
    """The people in reach, by name or e-mail."""
    asked = UsersAsked(
        wanted_state or (State.DISCARDED if listing.discarded else State.ACTIVE),
        role,
        await find_tenant(session, company) if company else None,
        factor,
        bound,
        seen,
    )
    wanted = asked.statement(request.user.now).where(listing.like(User.name, User.email))
    if tenant is not None:
        here = sa.select(Membership.user_id).where(Membership.tenant_id == tenant, Membership.discarded_at.is_(None))
        wanted = wanted.where(User.id.in_(here if role is None else here.where(Membership.role == role.value)))

    async def shaped(users: Sequence[User]) -> list[UserShape]:
        return await _shapes(session, users)

    return await page(session, wanted, COLUMNS, listing, shaped)


@reads("/users/{user_id:int}", may=SEE, summary="Show a person")
async def show_user(session: Session, user_id: PathId) -> UserShape:
    """The person, with what of them lies in reach."""
    return await shape_user(session, await find_user(session, user_id))


@alters("/users/{user_id:int}", may=MANAGE, outlives=True, summary="Rename a person")
async def change_user(request: Asked, session: Session, user_id: PathId, data: JSONBody[UserChange]) -> UserShape:
    """Their name, changed by those who hold their home: elsewhere they are a guest."""
    user = await find_user(session, user_id)
    await user.require_home(session)
    await user.change(session, **given(data))
    return await shape_user(session, user)


@creates("/users/{user_id:int}/discard", may=MANAGE, outlives=True, summary="Discard a person", status=200)
async def discard_user(request: Asked, session: Session, user_id: PathId) -> UserShape:
    """Access goes at once, everywhere: sign-ins, logins, keys and bindings end. The record stays."""
    user = await find_user(session, user_id)
    await endings.discard_user(session, acting(request), user, request.user.now)
    return await shape_user(session, user)


@creates("/users/{user_id:int}/undiscard", may=MANAGE, outlives=True, summary="Undiscard a person", status=200)
async def undiscard_user(request: Asked, session: Session, user_id: PathId) -> UserShape:
    """The record comes back as a plain member, without keys or bindings."""
    user = await find_user(session, user_id)
    await endings.undiscard_user(session, acting(request), user, request.user.now)
    return await shape_user(session, user)


async def shape_user(session: AsyncSession, user: User) -> UserShape:
    """One person as the API shows them."""
    return (await _shapes(session, [user]))[0]


@removes(
    "/users/{user_id:int}/second-factor",
    may=Permission.MANAGE_PEOPLE,
    outlives=True,
    summary="Disable somebody's second factors: in the panel only",
    proof=True,
)
async def disable_second_factor(request: Asked, session: Session, user_id: PathId) -> None:
    """Asks for a person who has just proved who they are, and checked who is locked out: always 403 `proof` here."""
    await require_proof(request)


async def _shapes(session: AsyncSession, users: Sequence[User]) -> list[UserShape]:
    homes = await tenants_named(session, [user.home_tenant_id for user in users])
    ids = [user.id for user in users]
    memberships, teams = await memberships_of(session, ids), await teams_of(session, ids)
    return [
        UserShape(
            user.id,
            user.name,
            user.email,
            homes.get(user.home_tenant_id),
            [Place(each.id, refer(each.tenant), each.role, each.discarded_at) for each in memberships.get(user.id, [])],
            [Named(team.id, team.name) for team in teams.get(user.id, [])],
            user.second_factor,
            user.last_sign_in_at,
            user.created_at,
            user.discarded_at,
        )
        for user in users
    ]


ROUTES = [list_users, show_user, change_user, discard_user, undiscard_user, disable_second_factor]
