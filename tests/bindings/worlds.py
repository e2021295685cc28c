"""Random little worlds, and a slow model of who may stand in for whom, written from the documents alone."""

from dataclasses import dataclass, field
from datetime import datetime

from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.guard import Act
from tenants.people import Membership, User
from tenants.roles import Role
from tenants.teams import Team, TeamMember
from tenants.trail import record
from tenants.tree import Suspension, Tenant
from tenants.verbs import Verb

SELDOM = st.sampled_from([False, False, False, False, True])


@dataclass(frozen=True)
class Land:
    """A tenant of a world: under which earlier one (0 is the platform), what it asks for, what closed it."""

    parent: int
    discarded: bool
    suspensions: tuple[tuple[str, bool], ...]
    never: bool
    layer: bool


@dataclass(frozen=True)
class Post:
    """A membership of a world, in a team or not, sponsored by an earlier post or not."""

    user: int
    land: int
    role: Role
    discarded: bool
    sponsor: int | None
    team: str | None


@dataclass(frozen=True)
class World:
    """What Hypothesis draws; `write` puts it into a house."""

    lands: tuple[Land, ...]
    users: tuple[bool, ...]
    posts: tuple[Post, ...]
    memberships: list[int] = field(default_factory=list, compare=False)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Three to six tenants under the platform, two to four people, up to seven memberships."""
    suspension = st.tuples(st.sampled_from(["staff", "all"]), st.booleans())
    lands = [Land(0, False, (), False, False)]
    for number in range(1, draw(st.integers(3, 6)) + 1):
        suspensions = tuple(draw(st.lists(suspension, max_size=2))) if draw(SELDOM) else ()
        land = Land(draw(st.integers(0, number - 1)), draw(SELDOM), suspensions, draw(SELDOM), draw(SELDOM))
        lands.append(land)
    users = tuple(draw(st.lists(SELDOM, min_size=2, max_size=4)))
    places = st.tuples(st.integers(0, len(users) - 1), st.integers(0, len(lands) - 1))
    posts: list[Post] = []
    for user, where in draw(st.lists(places, min_size=2, max_size=7, unique=True)):
        sponsored = bool(posts) and draw(SELDOM)
        sponsor = draw(st.integers(0, len(posts) - 1)) if sponsored else None
        team = draw(st.sampled_from([None, "lead", "in", "left"]))
        posts.append(Post(user, where, draw(st.sampled_from(list(Role))), draw(SELDOM), sponsor, team))
    return World(tuple(lands), users, tuple(posts))


async def write(world: World, session: AsyncSession, root: Tenant, now: datetime) -> None:
    """Put the world under the platform; the ids of its memberships are in `world.memberships` afterwards."""
    tenants = [root]
    for number, land in enumerate(world.lands[1:], 1):
        tenants.append(await write_land(session, number, land, tenants[land.parent], now))
    users = []
    for number, discarded in enumerate(world.users):
        user = User(home_tenant_id=root.id, name=f"Nobody {number}", email=f"n{number}@world.example", created_at=now)
        user.discarded_at = now if discarded else None
        session.add(user)
        record(session, Verb.USER_CREATED, user)
        users.append(user)
    await session.flush()
    world.memberships.clear()
    teams: dict[int, Team] = {}
    for post in world.posts:
        tenant = tenants[post.land]
        row = Membership(user_id=users[post.user].id, tenant_id=tenant.id, role=post.role.value, created_at=now)
        row.sponsor_id = world.memberships[post.sponsor] if post.sponsor is not None else None
        row.discarded_at = now if post.discarded else None
        session.add(row)
        record(session, Verb.MEMBERSHIP_CREATED, row)
        await session.flush()
        world.memberships.append(row.id)
        if post.team is not None:
            await write_place_in_team(session, teams, tenant, row, post.team, now)


async def write_land(session: AsyncSession, number: int, land: Land, parent: Tenant, now: datetime) -> Tenant:
    tenant = Tenant(
        id=1000 + number,
        parent_id=parent.id,
        kind="reseller",
        name=f"Land {number}",
        slug=f"land-{number}",
        path=f"{parent.path}{1000 + number}/",
        depth=parent.depth + 1,
        created_at=now,
        discarded_at=now if land.discarded else None,
        policy_stand_ins=2 if land.never else 0,
        policy_binding_reach=1 if land.layer else 0,
    )
    session.add(tenant)
    record(session, Verb.TENANT_CREATED, tenant)
    await session.flush()
    for scope, lifted in land.suspensions:
        row = Suspension(
            tenant_id=tenant.id,
            scope=scope,
            reason="",
            level_id=tenant.id,
            created_at=now,
            lifted_at=now if lifted else None,
        )
        session.add(row)
        record(session, Verb.TENANT_SUSPENDED, row)
    await session.flush()
    return tenant


async def write_place_in_team(
    session: AsyncSession, teams: dict[int, Team], tenant: Tenant, row: Membership, place: str, now: datetime
) -> None:
    if tenant.id not in teams:
        teams[tenant.id] = await Team.create(session, tenant, "Team", now)
    left_at = now if place == "left" else None
    member = TeamMember(
        team_id=teams[tenant.id].id,
        tenant_id=tenant.id,
        membership_id=row.id,
        lead=place == "lead",
        left_at=left_at,
    )
    session.add(member)
    record(session, Verb.TEAM_MEMBER_ADDED, member)
    await session.flush()


# The model: slow, by hand, from product.md sections 2 to 4

OUTRANKED = {
    Role.ADMIN: {Role.OPERATOR, Role.SUPERVISOR, Role.AUDITOR, Role.MEMBER},
    Role.OPERATOR: {Role.SUPERVISOR, Role.MEMBER},
    Role.SUPERVISOR: {Role.MEMBER},
    Role.AUDITOR: set(),
    Role.MEMBER: set(),
}


def line(world: World, land: int) -> list[int]:
    """A tenant and all above it."""
    return [land] if land == 0 else [land, *line(world, world.lands[land].parent)]


def closed(world: World, land: int) -> bool:
    """Discarded or suspended, itself or (scope all) from above."""
    for place in line(world, land):
        found = world.lands[place]
        scopes = {scope for scope, lifted in found.suspensions if not lifted}
        if found.discarded or "all" in scopes or ("staff" in scopes and place == land):
            return True
    return False


def live(world: World, number: int) -> bool:
    """The membership and its person are there, and so is a sponsor above, if it needs one."""
    post = world.posts[number]
    if post.discarded or world.users[post.user]:
        return False
    if post.sponsor is None:
        return True
    sponsor = world.posts[post.sponsor]
    above = sponsor.land != post.land and sponsor.land in line(world, post.land)
    gone = sponsor.discarded or world.users[sponsor.user]
    return above and not gone and not closed(world, sponsor.land)


def within_reach(world: World, actor: int, subject: int) -> bool:
    """Whether the subject's tenant (or, for a member, the very membership) is the actor's to touch."""
    one, other = world.posts[actor], world.posts[subject]
    if one.role is Role.MEMBER:
        return actor == subject
    if one.role is Role.SUPERVISOR or one.sponsor is not None:
        return one.land == other.land
    return one.land in line(world, other.land)


def permitted(world: World, actor: int, subject: int, act: Act) -> bool:
    """Admins and operators; a supervisor the team they lead, though never bound."""
    one, other = world.posts[actor], world.posts[subject]
    if one.role in {Role.ADMIN, Role.OPERATOR}:
        return True
    if one.role is not Role.SUPERVISOR or act is Act.BIND:
        return False
    leads = one.team == "lead" and other.team in {"lead", "in"} and one.land == other.land
    return leads or one.user == other.user


def ranks_above(world: World, actor: int, subject: int) -> bool:
    """Strictly below, or the same tenant and a lower role; a profile as its sponsor; never a platform admin."""
    one, other = world.posts[actor], world.posts[subject]
    if other.land == 0 and other.role is Role.ADMIN:
        return False
    if one.land != other.land:
        return True
    return one.sponsor is not None or other.role in OUTRANKED[one.role]


def judged(world: World, actor: int, subject: int, act: Act) -> str | None:
    """The rule that refuses, or None."""
    one, other = world.posts[actor], world.posts[subject]
    inherited = [world.lands[place] for place in line(world, other.land)]
    if not within_reach(world, actor, subject):
        return "reach"
    if not permitted(world, actor, subject, act):
        return "permission"
    if one.user == other.user:
        return "self"
    if not ranks_above(world, actor, subject):
        return "rank"
    if not live(world, actor) or closed(world, one.land) or not live(world, subject) or closed(world, other.land):
        return "live"
    if any(land.never for land in inherited):
        return "policy"
    if any(land.layer for land in inherited) and one.land != other.land:
        return "layer"
    return None
