"""People: who may put whom where, who outranks whom, and what comes back of somebody who was gone."""

from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from tenants.actor import Actor
from tenants.identities import live_identities
from tenants.invitations import Invitation
from tenants.people import Membership, User, has_admin_access
from tenants.refusals import Invalid, NotPermitted, OutOfReach, Refusal
from tenants.roles import Role
from tenants.store import Store
from tenants.teams import Team, TeamMember
from tenants.trail import Entry
from tenants.tree import Tenant
from tests.cast import NOW, Cast, house_work, work_as


class People:
    """What somebody of the cast tries to do with somebody else."""

    def __init__(self, store: Store, cast: Cast) -> None:
        self.store, self.cast = store, cast

    async def actor(self, name: str) -> Actor:
        """Somebody as they are by now, whatever the story made of them."""
        async with house_work(self.store) as session:
            [identity] = await live_identities(session, membership_id=self.cast.membership_id(name))
        return Actor.of(identity)

    async def join(self, by: str, tenant: str, role: Role, *, who: str | None = None) -> int:
        """A new person, or `who`, comes into a tenant."""
        actor = await self.actor(by)
        async with work_as(self.store, actor) as session:
            place = await session.get_one(Tenant, self.cast.tenant(tenant).id)
            if who is None:
                user = await User.create(session, place, "Nina New", f"nina@{place.slug}.example", NOW)
            else:
                user = await session.get_one(User, self.cast.user(who).id)
            return (await Membership.create(session, actor, user, place, role, NOW)).id

    async def promote(self, by: str, name: str, role: Role, *, number: int | None = None) -> None:
        actor = await self.actor(by)
        async with work_as(self.store, actor) as session:
            row = await session.get(Membership, number or self.cast.membership_id(name))
            if row is None:
                raise OutOfReach
            await row.change_role(session, actor, role, NOW)

    async def end(self, by: str, name: str, *, at: str | None = None, number: int | None = None) -> None:
        actor = await self.actor(by)
        async with work_as(self.store, actor) as session:
            row = await session.get(Membership, number or self.cast.membership_id(name, at=at))
            if row is None:
                raise OutOfReach
            await row.discard(session, actor, NOW)

    async def bring_back(self, by: str, name: str) -> None:
        actor = await self.actor(by)
        async with work_as(self.store, actor) as session:
            row = await session.get_one(Membership, self.cast.membership_id(name))
            await row.undiscard(session, actor)

    async def discard(self, by: str, name: str) -> None:
        actor = await self.actor(by)
        async with work_as(self.store, actor) as session:
            await (await session.get_one(User, self.cast.user(name).id)).discard(session, actor, NOW)

    async def undiscard(self, by: str, name: str) -> None:
        actor = await self.actor(by)
        async with work_as(self.store, actor) as session:
            await (await session.get_one(User, self.cast.user(name).id)).undiscard(session, actor)

    async def role(self, name: str) -> str:
        async with house_work(self.store) as session:
            return (await session.get_one(Membership, self.cast.membership_id(name))).role

    async def alive(self, name: str, *, at: str | None = None) -> bool:
        async with house_work(self.store) as session:
            return bool(await live_identities(session, membership_id=self.cast.membership_id(name, at=at)))


@pytest.fixture
def people(store: Store, cast: Cast) -> People:
    return People(store, cast)


async def rule_of(deed: Any) -> str | None:
    try:
        await deed
    except Refusal as refusal:
        return refusal.rule
    return None


# Coming in


@pytest.mark.parametrize(
    ("by", "tenant", "role", "rule"),
    [
        ("Olaf", "Bakery", Role.MEMBER, None),
        ("Olaf", "Bakery", Role.ADMIN, None),
        ("Olaf", "Oak", Role.ADMIN, None),  # a tenant's own admins may grant admin
        ("Bruno", "Bakery", Role.MEMBER, None),
        ("Bruno", "Bakery", Role.SUPERVISOR, "rank"),
        ("Bruno", "Bakery", Role.ADMIN, "rank"),
        ("Opal", "Bakery", Role.MEMBER, "rank"),  # operators grant nothing
        ("Amos", "Bakery", Role.MEMBER, "rank"),
        ("Olaf", "Bakery", Role.OPERATOR, "invalid"),  # a company has none of its own
        ("Olaf", "Oak", Role.OPERATOR, None),
    ],
)
async def test_who_may_put_whom_where(people: People, by: str, tenant: str, role: Role, rule: str | None) -> None:
    assert await rule_of(people.join(by, tenant, role)) == rule


async def test_there_is_one_membership_per_pair_for_ever(people: People) -> None:
    await people.end("Boris", "Bea")
    assert await rule_of(people.join("Boris", "Bakery", Role.MEMBER, who="Bea")) == "conflict"


async def test_an_address_is_one_persons(store: Store, cast: Cast) -> None:
    async with house_work(store) as session:
        place = await session.get_one(Tenant, cast.tenant("Oak").id)
    with pytest.raises(sa.exc.IntegrityError):
        async with work_as(store, cast.actor("Olaf")) as session:
            await User.create(session, place, "Bea Two", "BEA@bakery.example", NOW)


@pytest.mark.parametrize(
    "email", ["", "bea", "bea@", "@bakery.example", "a b@x.example", "a@b", "a@x.example\r\nBcc: c"]
)
async def test_what_is_no_address_is_refused(store: Store, cast: Cast, email: str) -> None:
    with pytest.raises(Invalid):
        async with work_as(store, cast.actor("Olaf")) as session:
            await User.create(session, await session.get_one(Tenant, cast.tenant("Oak").id), "Nina", email, NOW)


# Rank


@pytest.mark.parametrize(
    ("by", "name", "role", "rule"),
    [
        ("Boris", "Bea", Role.SUPERVISOR, None),
        ("Boris", "Amos", Role.MEMBER, None),
        ("Olaf", "Boris", Role.MEMBER, None),  # strictly below him
        ("Bruno", "Boris", Role.MEMBER, "rank"),
        ("Bruno", "Amos", Role.MEMBER, "rank"),
        ("Opal", "Bea", Role.MEMBER, "rank"),
        ("Paul", "Pia", Role.MEMBER, "rank"),
        ("Bea", "Bea", Role.ADMIN, "rank"),  # B17: nobody raises themselves
        ("Bruno", "Bruno", Role.ADMIN, "rank"),
        ("Olaf", "Nora", Role.MEMBER, "reach"),
        ("Clara", "Bea", Role.MEMBER, "reach"),
        ("Axel", "Ada", Role.MEMBER, "rank"),
    ],
)
async def test_who_may_change_whose_role(people: People, by: str, name: str, role: Role, rule: str | None) -> None:
    before = await people.role(name)
    assert await rule_of(people.promote(by, name, role)) == rule
    assert await people.role(name) == (before if rule else role)


@pytest.mark.parametrize(
    ("by", "name", "at", "rule"),
    [
        ("Boris", "Bea", None, None),
        ("Clara", "Ben", "Clinic", None),  # a tenant can always end its own membership
        ("Clara", "Ben", "Bakery", "reach"),
        ("Bruno", "Bea", None, None),
        ("Bruno", "Boris", None, "rank"),
        ("Olaf", "Boris", None, None),
        ("Opal", "Olaf", None, "rank"),
        ("Elsa", "Bea", None, "reach"),
    ],
)
async def test_who_may_end_whose_membership(
    people: People, by: str, name: str, at: str | None, rule: str | None
) -> None:
    assert await rule_of(people.end(by, name, at=at)) == rule
    assert await people.alive(name, at=at) is (rule is not None)


async def test_a_membership_ends_in_one_place_only(people: People) -> None:
    await people.end("Clara", "Ben", at="Clinic")
    assert not await people.alive("Ben", at="Clinic")
    assert await people.alive("Ben", at="Bakery")


async def test_a_membership_ends_once(people: People) -> None:
    await people.end("Boris", "Bea")
    assert await rule_of(people.end("Boris", "Bea")) == "conflict"


# The last admin


@pytest.mark.parametrize("deed", ["demote", "end"])
async def test_the_last_admin_does_not_go_by_their_own_hand(people: People, deed: str) -> None:
    def go() -> Any:
        return people.promote("Boris", "Boris", Role.MEMBER) if deed == "demote" else people.end("Boris", "Boris")

    assert await rule_of(go()) == "last_admin"
    assert await people.role("Boris") == "admin"
    await people.promote("Boris", "Amos", Role.ADMIN)
    assert await rule_of(go()) is None


@pytest.mark.parametrize("gone", ["membership", "person"])
async def test_an_admin_who_is_gone_does_not_count(people: People, gone: str) -> None:
    await people.promote("Boris", "Amos", Role.ADMIN)
    await (people.end("Boris", "Amos") if gone == "membership" else people.discard("Olaf", "Amos"))
    assert await rule_of(people.end("Boris", "Boris")) == "last_admin"


async def test_the_last_platform_admin_stays(people: People) -> None:
    """C26: set-up cannot be opened again by discarding the last one."""
    assert await rule_of(people.end("Ada", "Ada")) == "last_admin"
    assert await rule_of(people.promote("Ada", "Ada", Role.MEMBER)) == "last_admin"
    assert await rule_of(people.discard("Ada", "Ada")) == "rank"
    assert await people.alive("Ada")


async def test_admins_of_one_tenant_answer_for_each_other_but_not_at_the_platform(people: People) -> None:
    await people.promote("Boris", "Amos", Role.ADMIN)
    assert await rule_of(people.end("Amos", "Boris")) is None
    await people.promote("Ada", "Axel", Role.ADMIN)
    assert await rule_of(people.end("Axel", "Ada")) == "rank"


# The whole person


@pytest.mark.parametrize(
    ("by", "name", "rule"),
    [
        ("Boris", "Bea", None),
        ("Olaf", "Boris", None),
        ("Olaf", "Ben", None),  # Bakery and Clinic are both below Oak
        ("Boris", "Ben", "rank"),  # he is a member at Clinic too
        ("Clara", "Ben", "rank"),  # not his home
        ("Boris", "Boris", "rank"),
        ("Opal", "Olaf", "rank"),
        ("Bruno", "Amos", "rank"),
    ],
)
async def test_discarding_a_person_needs_rank_over_everywhere_they_are(
    people: People, by: str, name: str, rule: str | None
) -> None:
    assert await rule_of(people.discard(by, name)) == rule
    assert await people.alive(name) is (rule is not None)


async def test_somebody_without_any_membership_is_nobodys_to_discard(people: People) -> None:
    """C4: none is not "all"."""
    await people.end("Boris", "Bea")
    assert await rule_of(people.discard("Boris", "Bea")) == "rank"


async def test_a_discarded_person_is_nobody_anywhere(people: People) -> None:
    await people.discard("Olaf", "Ben")
    assert not await people.alive("Ben", at="Bakery")
    assert not await people.alive("Ben", at="Clinic")


# Coming back


@pytest.mark.parametrize(
    ("by", "back", "rule"),
    [("Nora", "Boris", "level"), ("Nora", "Olaf", "level"), ("Nora", "Ada", None), ("Boris", "Olaf", None)],
)
async def test_a_membership_comes_back_at_the_level_that_ended_it(
    people: People, by: str, back: str, rule: str | None
) -> None:
    """C14: Boris does not undiscard whom Nora discarded."""
    await people.end(by, "Bea")
    assert await rule_of(people.bring_back(back, "Bea")) == rule
    assert await people.alive("Bea") is (rule is None)


async def test_a_person_comes_back_at_the_level_that_discarded_them(people: People) -> None:
    await people.discard("Nora", "Bea")
    assert await rule_of(people.undiscard("Boris", "Bea")) == "level"
    assert await rule_of(people.undiscard("Nora", "Bea")) is None
    assert await people.alive("Bea")


async def test_no_role_comes_back(people: People) -> None:
    """C17: Paul is discarded and undiscarded, and is a plain member."""
    await people.discard("Pia", "Paul")
    await people.undiscard("Pia", "Paul")
    assert (await people.role("Paul"), await people.alive("Paul")) == ("member", True)
    await people.end("Boris", "Bruno")
    await people.bring_back("Boris", "Bruno")
    assert await people.role("Bruno") == "member"


async def test_who_is_there_is_not_brought_back(people: People) -> None:
    assert await rule_of(people.bring_back("Boris", "Bea")) == "conflict"
    assert await rule_of(people.undiscard("Boris", "Bea")) == "conflict"


# Teams


async def team(session: AsyncSession, cast: Cast, tenant: str) -> Team:
    return (await session.scalars(sa.select(Team).where(Team.tenant_id == cast.tenant(tenant).id))).one()


async def test_only_an_admin_makes_a_lead(store: Store, cast: Cast) -> None:
    """C13: Bruno puts Amos into Front; he makes nobody lead."""
    bruno = cast.actor("Bruno")
    async with work_as(store, bruno) as session:
        front = await team(session, cast, "Bakery")
        amos = await session.get_one(Membership, cast.membership_id("Amos"))
        with pytest.raises(NotPermitted):
            await front.add(session, bruno, amos, lead=True)
        await front.add(session, bruno, amos)


async def test_a_team_is_of_one_company(store: Store, cast: Cast) -> None:
    olaf = cast.actor("Olaf")
    async with work_as(store, olaf) as session:
        cora, front = await session.get_one(Membership, cast.membership_id("Cora")), await team(session, cast, "Bakery")
        with pytest.raises(Invalid):
            await front.add(session, olaf, cora)


async def test_the_database_keeps_a_team_within_its_company(store: Store, cast: Cast) -> None:
    table = TeamMember.__table__
    async with house_work(store) as session:
        front = await team(session, cast, "Bakery")
        keys = [sorted(key.column_keys) for key in table.foreign_key_constraints]
    assert ["membership_id", "tenant_id"] in keys
    assert ["team_id", "tenant_id"] in keys
    assert front.tenant_id == cast.tenant("Bakery").id


# Invitations


async def invite(store: Store, actor: Actor, tenant_id: int, email: str, role: Role = Role.MEMBER) -> Invitation:
    async with work_as(store, actor) as session:
        return await Invitation.prepare(session, actor, tenant_id, email, "", role, NOW)


async def test_an_invitation_says_the_same_of_a_known_and_an_unknown_address(store: Store, cast: Cast) -> None:
    """C11: ada@acme.example is somebody; Boris cannot tell, and no membership comes of it."""
    here = cast.tenant("Bakery").id
    known = await invite(store, cast.actor("Boris"), here, "ada@acme.example")
    unknown = await invite(store, cast.actor("Boris"), here, "nobody@acme.example")

    def shape(row: Invitation) -> dict[str, object]:
        ignored = {"id", "email", "name", "last_entry_id", "_sa_instance_state"}
        return {key: value for key, value in vars(row).items() if key not in ignored}

    assert shape(known) == shape(unknown)
    async with house_work(store) as session:
        adas = sa.select(sa.func.count(Membership.id)).where(Membership.user_id == cast.user("Ada").id)
        assert await session.scalar(adas) == 1


async def test_the_same_address_waits_once(store: Store, cast: Cast) -> None:
    here = cast.tenant("Bakery").id
    first = await invite(store, cast.actor("Boris"), here, "bo@new.example")
    again = await invite(store, cast.actor("Boris"), here, "BO@new.example")
    assert first.id == again.id


async def test_nobody_invites_above_what_they_grant(store: Store, cast: Cast) -> None:
    with pytest.raises(NotPermitted):
        await invite(store, cast.actor("Bruno"), cast.tenant("Bakery").id, "bo@new.example", Role.ADMIN)
    with pytest.raises(OutOfReach):
        await invite(store, cast.actor("Boris"), cast.tenant("Zoo").id, "bo@new.example")


# Names


async def test_an_entry_about_a_membership_names_the_person(store: Store, cast: Cast) -> None:
    number = await People(store, cast).join("Boris", "Bakery", Role.MEMBER)
    async with house_work(store) as session:
        about = sa.select(Entry).where(Entry.record_type == "memberships", Entry.record_id == str(number))
        assert (await session.scalars(about)).one().record_name == "Nina New"


@pytest.mark.parametrize(("role", "expected"), [(Role.ADMIN, True), (Role.OPERATOR, True), (Role.SUPERVISOR, False)])
def test_who_has_admin_access(role: Role, expected: bool) -> None:
    assert has_admin_access(role) is expected
