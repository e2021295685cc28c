"""The tree: who may sit under whom, what closes a tenant, and at whose level it is opened again."""

import itertools
from collections.abc import Sequence

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from tenants.identities import closed_paths, live_identities
from tenants.policy import BindingReach, Look, Policy, StandIns
from tenants.refusals import Conflict, Invalid, NotPermitted
from tenants.store import Store
from tenants.tree import PARENTS, Kind, Scope, Suspension, Tenant, ancestors, closed, effective_policy
from tests.cast import NOW, Cast, house_work, work_as

LINE = ("North", "Oak", "Bakery")
"""Three levels, from the top: Ada above them all may suspend and lift each."""


async def place(session: AsyncSession, cast: Cast, name: str) -> Tenant:
    return await session.get_one(Tenant, cast.tenant(name).id)


# Who may sit under whom


@pytest.mark.parametrize(("kind", "parent"), itertools.product(Kind, Kind))
def test_who_may_sit_under_whom(kind: Kind, parent: Kind) -> None:
    allowed = {
        (Kind.DISTRIBUTOR, Kind.PLATFORM),
        (Kind.RESELLER, Kind.PLATFORM),
        (Kind.RESELLER, Kind.DISTRIBUTOR),
        (Kind.RESELLER, Kind.RESELLER),
        (Kind.CUSTOMER, Kind.PLATFORM),
        (Kind.CUSTOMER, Kind.DISTRIBUTOR),
        (Kind.CUSTOMER, Kind.RESELLER),
    }
    assert (parent in PARENTS[kind]) is ((kind, parent) in allowed)


async def test_a_company_is_a_leaf(store: Store, cast: Cast) -> None:
    with pytest.raises(Invalid) as refused:
        async with work_as(store, cast.actor("Boris")) as session:
            await Tenant.found(session, await place(session, cast, "Bakery"), Kind.CUSTOMER, "Branch", None, NOW)
    assert refused.value.field == "kind"


async def test_there_is_one_root(store: Store) -> None:
    with pytest.raises(Conflict):
        async with house_work(store) as session:
            await Tenant.found(session, None, Kind.PLATFORM, "Second", None, NOW)


@pytest.mark.parametrize("kind", [Kind.DISTRIBUTOR, Kind.RESELLER, Kind.CUSTOMER])
async def test_nothing_else_hangs_in_the_air(store: Store, kind: Kind) -> None:
    with pytest.raises(Invalid):
        async with house_work(store) as session:
            await Tenant.found(session, None, kind, "Orphan", None, NOW)


async def test_a_new_tenant_hangs_where_it_was_founded(store: Store, cast: Cast) -> None:
    async with work_as(store, cast.actor("Olaf")) as session:
        mill = await Tenant.found(session, await place(session, cast, "Oak"), Kind.CUSTOMER, " The  Mill ", None, NOW)
    assert mill.path == f"{cast.tenant('Oak').path}{mill.id}/"
    assert (mill.name, mill.slug, mill.depth) == ("The Mill", "the-mill", 3)


async def test_nothing_is_founded_under_what_is_discarded(store: Store, cast: Cast) -> None:
    async with work_as(store, cast.actor("Olaf")) as session:
        oak = await place(session, cast, "Oak")
        branch = await Tenant.found(session, oak, Kind.RESELLER, "Branch", None, NOW)
        await branch.discard(session, cast.actor("Olaf"), NOW)
        with pytest.raises(Conflict):
            await Tenant.found(session, branch, Kind.CUSTOMER, "Twig", None, NOW)


async def test_slugs_are_single_per_parent_and_free_elsewhere(store: Store, cast: Cast) -> None:
    """B30: the same short name beside another's tells nothing about the other."""
    async with work_as(store, cast.actor("Olaf")) as session:
        oak = await place(session, cast, "Oak")
        with pytest.raises(Invalid) as refused:
            await Tenant.found(session, oak, Kind.CUSTOMER, "Bakery", None, NOW)
        assert refused.value.field == "slug"
        assert (await Tenant.found(session, oak, Kind.CUSTOMER, "Zoo", None, NOW)).slug == "zoo"


async def test_renaming_keeps_the_rule_of_slugs(store: Store, cast: Cast) -> None:
    async with work_as(store, cast.actor("Olaf")) as session:
        bakery = await place(session, cast, "Bakery")
        await bakery.change(session, name="Bread Shop", slug="Bread Shop")
        assert (bakery.name, bakery.slug) == ("Bread Shop", "bread-shop")
        with pytest.raises(Invalid):
            await bakery.change(session, slug="clinic")


@pytest.mark.parametrize("name", ["", "   ", "x" * 201, "a\x07b", "abc\u202edef"])
async def test_a_name_that_nobody_can_read_is_refused(store: Store, cast: Cast, name: str) -> None:
    with pytest.raises(Invalid):
        async with work_as(store, cast.actor("Olaf")) as session:
            await (await place(session, cast, "Bakery")).change(session, name=name)


async def test_the_line_above_is_read_past_the_fence_root_first(store: Store, cast: Cast) -> None:
    """Branding and policy come from above, where Bea sees nothing."""
    async with work_as(store, cast.actor("Bea")) as session:
        line = await ancestors(session, cast.tenant("Bakery").path)
    assert [tenant.name for tenant in line] == ["Acme", "North", "Oak", "Bakery"]


# Policy


async def test_the_tightest_rule_of_the_line_holds(store: Store, cast: Cast) -> None:
    async with house_work(store) as session:
        await (await place(session, cast, "Acme")).change(session, policy_reason=1, policy_binding_days=90)
        await (await place(session, cast, "North")).change(session, policy_stand_ins=StandIns.NEVER.value)
        await (await place(session, cast, "Bakery")).change(session, policy_look=Look.LOOK_ONLY.value)
        await (await place(session, cast, "Oak")).change(session, policy_binding_days=7)
        found = await effective_policy(session, cast.tenant("Bakery").path)
        beside = await effective_policy(session, cast.tenant("Pine").path)
    assert found == Policy(StandIns.NEVER, Look.LOOK_ONLY, BindingReach.SUBTREE, reason=1, binding_days=7)
    assert beside == Policy(reason=1, binding_days=90)


def test_one_below_can_only_tighten() -> None:
    above, below = Policy(stand_ins=StandIns.NEVER, binding_days=7), Policy(binding_days=30)
    assert Policy.tightest([above, below]) == above
    assert Policy.tightest([below, above]) == above
    assert Policy.tightest([]) == Policy()


# Suspension


async def suspend(store: Store, cast: Cast, by: str, name: str, scope: Scope) -> int:
    async with work_as(store, cast.actor(by)) as session:
        row = await (await place(session, cast, name)).suspend(session, cast.actor(by), scope, "unpaid since May", NOW)
        return row.id


async def lift(store: Store, cast: Cast, by: str, number: int) -> None:
    async with work_as(store, cast.actor(by)) as session:
        await (await session.get_one(Suspension, number)).lift(session, cast.actor(by), NOW)


async def shut(store: Store, cast: Cast) -> set[str]:
    """Which of the line are closed, asked in both ways that the house has."""
    paths = {name: cast.tenant(name).path for name in LINE}
    async with house_work(store) as session:
        one_by_one = {name for name, path in paths.items() if await closed(session, path)}
        together = await closed_paths(session, list(paths.values()))
    assert together == {paths[name] for name in one_by_one}
    return one_by_one


@pytest.mark.parametrize(
    ("name", "scope", "expected"),
    [
        ("North", Scope.STAFF, {"North"}),
        ("North", Scope.ALL, {"North", "Oak", "Bakery"}),
        ("Oak", Scope.STAFF, {"Oak"}),
        ("Oak", Scope.ALL, {"Oak", "Bakery"}),
        ("Bakery", Scope.STAFF, {"Bakery"}),
        ("Bakery", Scope.ALL, {"Bakery"}),
    ],
)
async def test_what_a_suspension_closes(store: Store, cast: Cast, name: str, scope: Scope, expected: set[str]) -> None:
    number = await suspend(store, cast, "Ada", name, scope)
    assert await shut(store, cast) == expected
    await lift(store, cast, "Ada", number)
    assert await shut(store, cast) == set()


def still(remaining: Sequence[tuple[str, Scope]]) -> set[str]:
    """What these suspensions close, by the words of the documents."""
    found = set()
    for name, scope in remaining:
        found |= set(LINE[LINE.index(name) :]) if scope is Scope.ALL else {name}
    return found


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("scopes", list(itertools.product(Scope, repeat=3)))
@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_three_levels_lifted_in_every_order(
    store: Store, cast: Cast, scopes: tuple[Scope, ...], order: tuple[int, ...]
) -> None:
    """B25, B26: lifting one leaves what the others close; nothing is copied down, nothing over-restored."""
    rows = list(zip(LINE, scopes, strict=True))
    numbers = [await suspend(store, cast, "Ada", name, scope) for name, scope in rows]
    remaining = dict(enumerate(rows))
    for which in order:
        assert await shut(store, cast) == still(list(remaining.values()))
        await lift(store, cast, "Ada", numbers[which])
        del remaining[which]
    assert await shut(store, cast) == set()


async def test_two_suspensions_of_one_tenant_are_two_reasons(store: Store, cast: Cast) -> None:
    first = await suspend(store, cast, "Nora", "Bakery", Scope.STAFF)
    second = await suspend(store, cast, "Olaf", "Bakery", Scope.STAFF)
    await lift(store, cast, "Olaf", second)
    assert await shut(store, cast) == {"Bakery"}
    await lift(store, cast, "Nora", first)
    assert await shut(store, cast) == set()


@pytest.mark.parametrize(
    ("by", "lifter", "allowed"),
    [
        ("Nora", "Olaf", False),  # C14: set above him
        ("Nora", "Boris", False),
        ("Nora", "Nora", True),
        ("Nora", "Ada", True),
        ("Olaf", "Olaf", True),
        ("Olaf", "Nora", True),
        ("Olaf", "Boris", False),
    ],
)
async def test_a_suspension_is_lifted_at_its_level_or_above(
    store: Store, cast: Cast, by: str, lifter: str, allowed: bool
) -> None:
    number = await suspend(store, cast, by, "Bakery", Scope.ALL)
    if allowed:
        await lift(store, cast, lifter, number)
        assert await shut(store, cast) == set()
        return
    with pytest.raises(NotPermitted) as refused:
        await lift(store, cast, lifter, number)
    assert (refused.value.rule, refused.value.status) == ("level", 403)
    assert await shut(store, cast) == {"Bakery"}


async def test_a_suspension_is_lifted_once(store: Store, cast: Cast) -> None:
    number = await suspend(store, cast, "Nora", "Bakery", Scope.ALL)
    await lift(store, cast, "Nora", number)
    with pytest.raises(Conflict):
        await lift(store, cast, "Nora", number)


@pytest.mark.parametrize("name", ["Oak", "Acme"])
async def test_nobody_suspends_themselves_and_nobody_the_root(store: Store, cast: Cast, name: str) -> None:
    by = "Olaf" if name == "Oak" else "Ada"
    with pytest.raises(Conflict) as refused:
        await suspend(store, cast, by, name, Scope.STAFF)
    assert refused.value.rule == "own_hand"


async def test_who_is_somebody_while_closed(store: Store, cast: Cast) -> None:
    """B24: staff of a closed tenant is nobody at once, at every door that asks who they are."""
    number = await suspend(store, cast, "Nora", "Oak", Scope.STAFF)

    async def alive(name: str) -> bool:
        async with house_work(store) as session:
            return bool(await live_identities(session, membership_id=cast.membership_id(name)))

    assert [await alive(name) for name in ("Nora", "Olaf", "Opal", "Bea")] == [True, False, False, True]
    await lift(store, cast, "Nora", number)
    number = await suspend(store, cast, "Nora", "Oak", Scope.ALL)
    assert [await alive(name) for name in ("Nora", "Olaf", "Opal", "Bea")] == [True, False, False, False]


# Discard


async def test_a_tenant_with_live_ones_below_is_not_discarded(store: Store, cast: Cast) -> None:
    with pytest.raises(Conflict):
        async with work_as(store, cast.actor("Nora")) as session:
            await (await place(session, cast, "Oak")).discard(session, cast.actor("Nora"), NOW)


@pytest.mark.parametrize(("by", "name"), [("Olaf", "Oak"), ("Ada", "Acme"), ("Boris", "Bakery")])
async def test_nobody_discards_their_own(store: Store, cast: Cast, by: str, name: str) -> None:
    with pytest.raises(Conflict) as refused:
        async with work_as(store, cast.actor(by)) as session:
            await (await place(session, cast, name)).discard(session, cast.actor(by), NOW)
    assert refused.value.rule == "own_hand"


async def test_discarding_closes_and_undiscarding_opens_at_the_level(store: Store, cast: Cast) -> None:
    async with work_as(store, cast.actor("Nora")) as session:
        await (await place(session, cast, "Bakery")).discard(session, cast.actor("Nora"), NOW)
    assert await shut(store, cast) == {"Bakery"}
    with pytest.raises(NotPermitted):
        async with work_as(store, cast.actor("Olaf")) as session:
            await (await place(session, cast, "Bakery")).undiscard(session, cast.actor("Olaf"))
    async with work_as(store, cast.actor("Ada")) as session:
        await (await place(session, cast, "Bakery")).undiscard(session, cast.actor("Ada"))
    assert await shut(store, cast) == set()


async def test_discarding_twice_and_undiscarding_twice_are_said(store: Store, cast: Cast) -> None:
    nora = cast.actor("Nora")
    async with work_as(store, nora) as session:
        bakery = await place(session, cast, "Bakery")
        with pytest.raises(Conflict):
            await bakery.undiscard(session, nora)
        await bakery.discard(session, nora, NOW)
        with pytest.raises(Conflict):
            await bakery.discard(session, nora, NOW)


async def test_after_discarding_the_old_name_is_still_told(store: Store, cast: Cast) -> None:
    """B28: the record stays, so that history can resolve it."""
    async with work_as(store, cast.actor("Olaf")) as session:
        await (await place(session, cast, "Bakery")).discard(session, cast.actor("Olaf"), NOW)
    async with work_as(store, cast.actor("Olaf")) as session:
        assert (await place(session, cast, "Bakery")).name == "Bakery"
        assert await session.scalar(sa.select(sa.func.count(Tenant.id))) == 3


async def test_a_short_name_is_free_again_after_discarding_and_comes_back_with_it(store: Store, cast: Cast) -> None:
    """B28: unless somebody has taken it since."""
    olaf = cast.actor("Olaf")
    async with work_as(store, olaf) as session:
        bakery, oak = await place(session, cast, "Bakery"), await place(session, cast, "Oak")
        await bakery.discard(session, olaf, NOW)
        assert bakery.slug == f"bakery-{bakery.id}"
        await bakery.undiscard(session, olaf)
        assert bakery.slug == "bakery"
        await bakery.discard(session, olaf, NOW)
        assert (await Tenant.found(session, oak, Kind.CUSTOMER, "Bakery", None, NOW)).slug == "bakery"
        await bakery.undiscard(session, olaf)
        assert bakery.slug == f"bakery-{bakery.id}"
