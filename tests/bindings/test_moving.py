"""Moving: what goes along, what is cut, who may not, and that it is all or nothing."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from bindings.apps import App
from bindings.binding import Binding
from bindings.impersonation import Impersonation
from bindings.login import Login, start_login
from bindings.moving import CAUSE, CUTTINGS, RELATIONS, Fate, Move, move_tenant, what_moves
from bindings.resolving import Because, Granted, Seen
from tenants.api_keys import ApiKey
from tenants.email_changes import EmailChange
from tenants.identities import live_identities
from tenants.invitations import Invitation
from tenants.people import Membership, User, find_membership
from tenants.policy import BindingReach, StandIns
from tenants.records import Record
from tenants.refusals import Conflict, Invalid, NotPermitted, OutOfReach, Refusal
from tenants.roles import Role
from tenants.seats import SeatLimit
from tenants.sign_in import SignIn
from tenants.store import Store
from tenants.trail import Entry, record
from tenants.tree import Kind, Scope, Suspension, Tenant, effective_policy, find_tenant
from tenants.verbs import Verb
from tests.cast import NOW, ORIGIN, Cast, bind, house_work, impersonate, work_as
from tests.kinds import KINDS


async def move(store: Store, cast: Cast, by: str, name: str, under: str, *, expected: str | None = None) -> None:
    async with work_as(store, cast.actor(by)) as session:
        tenant, parent = [await find_tenant(session, cast.tenant(each).id) for each in (name, under)]
        expected_id = cast.tenant(expected).id if expected else None
        await move_tenant(session, cast.actor(by), tenant, parent, NOW, expected_parent_id=expected_id)


async def preview(store: Store, cast: Cast, by: str, name: str, under: str) -> Move:
    async with work_as(store, cast.actor(by), writes=False) as session:
        tenant, parent = [await find_tenant(session, cast.tenant(each).id) for each in (name, under)]
        return await what_moves(session, cast.actor(by), tenant, parent, NOW)


async def places(store: Store) -> dict[str, tuple[str, int]]:
    """Each tenant's path by names, and its depth: `Bakery` -> (`Acme North Oak Bakery`, 3)."""
    async with house_work(store) as session:
        tree = {tenant.id: tenant for tenant in await session.scalars(sa.select(Tenant))}
    names = {number: tenant.name for number, tenant in tree.items()}
    for tenant in tree.values():
        parent = tree.get(tenant.parent_id or 0)
        assert tenant.path == f"{parent.path if parent else '/'}{tenant.id}/"
    return {
        tenant.name: (" ".join(names[int(each)] for each in tenant.path.strip("/").split("/")), tenant.depth)
        for tenant in tree.values()
    }


# Where it hangs afterwards


@pytest.mark.parametrize(
    ("name", "under", "expected"),
    [
        ("Bakery", "Elm", {"Bakery": ("Acme South Elm Bakery", 3)}),  # sideways
        ("Bakery", "North", {"Bakery": ("Acme North Bakery", 2)}),  # up
        ("Dairy", "Oak", {"Dairy": ("Acme North Oak Dairy", 3)}),  # down
        ("Oak", "Pine", {"Oak": ("Acme Pine Oak", 2), "Clinic": ("Acme Pine Oak Clinic", 3)}),
        ("Elm", "Oak", {"Elm": ("Acme North Oak Elm", 3), "Zoo": ("Acme North Oak Elm Zoo", 4)}),
        ("Oak", "Acme", {"Oak": ("Acme Oak", 1), "Bakery": ("Acme Oak Bakery", 2)}),
    ],
)
async def test_where_it_hangs_afterwards(
    store: Store, cast: Cast, name: str, under: str, expected: dict[str, tuple[str, int]]
) -> None:
    before = await places(store)
    await move(store, cast, "Ada", name, under)
    after = await places(store)
    assert {each: after[each] for each in expected} == expected
    moved = {each for each in before if f"{before[each][0]} ".find(f" {name} ") >= 0}
    assert {each for each in before if before[each] != after[each]} == moved


async def test_a_move_is_one_entry_of_what_moved_and_of_nothing_below(store: Store, cast: Cast) -> None:
    await move(store, cast, "Ada", "Oak", "Pine")
    async with house_work(store) as session:
        told = list(await session.scalars(sa.select(Entry).where(Entry.verb == Verb.TENANT_MOVED)))
    assert [(each.record_name, each.tenant_path, each.actor_name) for each in told] == [
        ("Oak", cast.tenant("Oak").path, "Ada Ash")
    ]
    assert told[0].changes["parent_id"] == [cast.tenant("North").id, cast.tenant("Pine").id]


async def test_whoever_holds_the_session_sees_the_new_place(store: Store, cast: Cast) -> None:
    async with work_as(store, cast.actor("Ada")) as session:
        bakery = await find_tenant(session, cast.tenant("Bakery").id)
        oak, pine = [await find_tenant(session, cast.tenant(each).id) for each in ("Oak", "Pine")]
        await move_tenant(session, cast.actor("Ada"), oak, pine, NOW)
        assert (bakery.path, bakery.depth) == (f"{pine.path}{oak.id}/{bakery.id}/", 3)
        mill = await Tenant.found(session, oak, Kind.CUSTOMER, "Mill", None, NOW)
        assert mill.path == f"{pine.path}{oak.id}/{mill.id}/"


# Who may not, and where to


NO_MOVES: tuple[tuple[str, str, str, type[Refusal], str], ...] = (
    ("Ada", "Oak", "Oak", Conflict, "cycle"),
    ("Ada", "North", "Bakery", Conflict, "cycle"),
    ("Ada", "North", "Oak", Conflict, "cycle"),
    ("Ada", "Bakery", "Clinic", Invalid, "invalid"),  # companies are leaves
    ("Ada", "South", "North", Invalid, "invalid"),  # a distributor sits under the platform alone
    ("Ada", "Bakery", "Oak", Conflict, "there"),
    ("Ada", "Acme", "Pine", Conflict, "own_hand"),
    ("Olaf", "Oak", "Bakery", Conflict, "own_hand"),
    ("Nora", "Bakery", "Elm", OutOfReach, "reach"),  # the new parent is out of reach
    ("Sven", "Bakery", "Elm", OutOfReach, "reach"),  # what moves is out of reach
    ("Olaf", "Bakery", "North", OutOfReach, "reach"),
)


async def test_what_is_no_move(store: Store, cast: Cast) -> None:
    """Neither made nor previewed, and nothing is changed by trying."""
    before = await places(store)
    for by, name, under, refusal, rule in NO_MOVES:
        for attempt in (move, preview):
            with pytest.raises(refusal) as refused:
                await attempt(store, cast, by, name, under)
            assert refused.value.rule == rule, (by, name, under)
    assert await places(store) == before


async def test_a_short_name_that_is_taken_there_is_named(store: Store, cast: Cast) -> None:
    async with work_as(store, cast.actor("Elsa")) as session:
        await Tenant.found(
            session, await find_tenant(session, cast.tenant("Elm").id), Kind.CUSTOMER, "Bakery", None, NOW
        )
    with pytest.raises(Conflict, match="bakery") as refused:
        await move(store, cast, "Ada", "Bakery", "Elm")
    assert refused.value.rule == "slug"


async def test_nothing_moves_to_or_with_what_is_discarded(store: Store, cast: Cast) -> None:
    async with work_as(store, cast.actor("Ada")) as session:
        for name in ("Zoo", "Elm"):
            await (await find_tenant(session, cast.tenant(name).id)).discard(session, cast.actor("Ada"), NOW)
    for name, under in (("Bakery", "Elm"), ("Zoo", "Oak")):
        with pytest.raises(Conflict) as refused:
            await move(store, cast, "Ada", name, under)
        assert refused.value.rule == "discarded"


async def suspend(store: Store, cast: Cast, by: str, name: str, scope: Scope) -> None:
    async with work_as(store, cast.actor(by)) as session:
        await (await find_tenant(session, cast.tenant(name).id)).suspend(session, cast.actor(by), scope, "unpaid", NOW)


async def test_nothing_moves_into_what_is_closed(store: Store, cast: Cast) -> None:
    await suspend(store, cast, "Ada", "South", Scope.ALL)
    with pytest.raises(Conflict) as refused:
        await move(store, cast, "Ada", "Bakery", "Elm")
    assert refused.value.rule == "closed"


async def test_beside_a_suspended_staff_there_is_room(store: Store, cast: Cast) -> None:
    await suspend(store, cast, "Ada", "Elm", Scope.STAFF)
    await move(store, cast, "Ada", "Bakery", "Elm")
    assert (await places(store))["Bakery"][0] == "Acme South Elm Bakery"


async def test_a_move_is_no_way_out_of_what_was_closed_above(store: Store, cast: Cast) -> None:
    """C14: Ada closed Oak; Nora, who may not lift that, may not move Bakery out of it either."""
    await suspend(store, cast, "Ada", "Oak", Scope.ALL)
    with pytest.raises(NotPermitted) as refused:
        await move(store, cast, "Nora", "Bakery", "North")
    assert refused.value.rule == "level"
    assert (await preview(store, cast, "Ada", "Bakery", "North")).opens
    await move(store, cast, "Ada", "Bakery", "North")


async def test_a_suspension_goes_along_and_its_level_or_the_mover_may_lift_it(store: Store, cast: Cast) -> None:
    """C14: Olaf closed Bakery and is no longer above it; Elsa, who is, did not set it."""
    await suspend(store, cast, "Olaf", "Bakery", Scope.ALL)
    await move(store, cast, "Ada", "Bakery", "Elm")

    async def lift(by: str) -> None:
        async with work_as(store, cast.actor(by)) as session:
            await (await session.scalars(sa.select(Suspension))).one().lift(session, cast.actor(by), NOW)

    with pytest.raises(NotPermitted):
        await lift("Elsa")
    await lift("Ada")


# What is cut


async def sponsor(store: Store, cast: Cast, name: str, place: str) -> int:
    """Somebody's own profile in a company below them."""
    async with house_work(store) as session:
        row = Membership(
            user_id=cast.user(name).id,
            tenant_id=cast.tenant(place).id,
            role=Role.OPERATOR.value,
            sponsor_id=cast.membership_id(name),
            created_at=NOW,
        )
        session.add(row)
        record(session, Verb.MEMBERSHIP_SPONSORED, row)
        await session.flush()
        return row.id


async def log_in(store: Store, cast: Cast, name: str, place: str, app: str, *, by: str | None = None) -> str:
    """A login of somebody, or of `by` as somebody; returns its id."""
    seen, actor = cast.identity(name, at=place), cast.identity(by or name)
    async with house_work(store) as session:
        sign_in, _ = await SignIn.start(session, actor, ORIGIN, "a browser", NOW)
        subject = Seen(
            seen.membership_id, seen.user_id, seen.name, seen.tenant_id, seen.tenant_name, seen.path
        )  # fmt: skip
        found = (await session.scalars(sa.select(App).where(App.client_id == app))).one()
        granted = Granted(actor, subject, Because.OWN, None, None)
        return (await start_login(session, granted, found, sign_in, "openid", NOW)).id


async def register(store: Store, cast: Cast, owner: str, client_id: str) -> None:
    async with house_work(store) as session:
        tenant = await find_tenant(session, cast.tenant(owner).id)
        uris = ["https://app.example/"]
        await App.register(
            session, cast.actor("Ada"), tenant, name=client_id, redirect_uris=uris, now=NOW, client_id=client_id
        )


async def ended(store: Store, kind: Any, number: Any) -> str | None:
    async with house_work(store) as session:
        row = await session.get_one(kind, number)
        return str(row.ended_cause) if row.ended_at is not None else None


def counts(move: Move) -> dict[str, int]:
    return {cut.kind: cut.count for cut in move.cuts if cut.count}


async def test_what_stood_in_from_outside_ends_and_what_lies_inside_stays(store: Store, cast: Cast) -> None:
    olafs, boris_ = await bind(store, cast, "Olaf", "Bakery", "201"), await bind(store, cast, "Boris", "Bakery", "202")
    clinics = await bind(store, cast, "Opal", "Clinic", "301")
    from_above = await impersonate(store, cast, "Opal", "Bea")
    within = await impersonate(store, cast, "Boris", "Ben", at="Bakery")
    told = await preview(store, cast, "Ada", "Bakery", "Elm")
    assert counts(told) == {"bindings": 1, "impersonations": 1}
    assert [cut.names for cut in told.cuts if cut.count] == [("Olaf Olsen, Bea Bell, 201",), ("Bea Bell",)]
    await move(store, cast, "Ada", "Bakery", "Elm")
    assert [await ended(store, Binding, each) for each in (olafs, boris_, clinics)] == [CAUSE, None, None]
    assert [await ended(store, Impersonation, each) for each in (from_above, within)] == [CAUSE, None]
    async with house_work(store) as session:
        verbs = [Verb.BINDING_ENDED.value, Verb.IMPERSONATION_ENDED.value]
        told_of = list(await session.scalars(sa.select(Entry).where(Entry.verb.in_(verbs)).order_by(Entry.id)))
    assert [(each.verb, each.record_id, each.details["cause"]) for each in told_of] == [
        ("binding.ended", str(olafs), CAUSE),
        ("impersonation.ended", str(from_above), CAUSE),
    ]


async def test_when_the_whole_branch_moves_its_own_stand_ins_go_along(store: Store, cast: Cast) -> None:
    olafs, noras = await bind(store, cast, "Olaf", "Bakery", "201"), await bind(store, cast, "Nora", "Bakery", "202")
    await move(store, cast, "Ada", "Oak", "Pine")
    assert [await ended(store, Binding, each) for each in (olafs, noras)] == [None, CAUSE]


async def test_logins_from_outside_end_and_those_at_apps_of_the_old_line(store: Store, cast: Cast) -> None:
    """The softphone is the platform's and stays above; the app of Oak is Oak's."""
    await register(store, cast, "Oak", "oak-desk")
    await register(store, cast, "Bakery", "bakery-board")
    from_above = await log_in(store, cast, "Bea", "Bakery", "softphone", by="Opal")
    own = await log_in(store, cast, "Bea", "Bakery", "softphone")
    at_oaks = await log_in(store, cast, "Bea", "Bakery", "oak-desk")
    at_their_own = await log_in(store, cast, "Bea", "Bakery", "bakery-board")
    coras = await log_in(store, cast, "Cora", "Clinic", "oak-desk")
    assert counts(await preview(store, cast, "Ada", "Bakery", "Elm")) == {"logins": 2}
    await move(store, cast, "Ada", "Bakery", "Elm")
    over = [await ended(store, Login, each) for each in (from_above, own, at_oaks, at_their_own, coras)]
    assert over == [CAUSE, None, CAUSE, None, None]


async def test_elsas_profile_in_zoo_is_dead_once_zoo_moved(store: Store, cast: Cast) -> None:
    """C7: and what she opened through it is over; she is still herself at Elm."""
    profile = await sponsor(store, cast, "Elsa", "Zoo")
    async with house_work(store) as session:
        [there] = await live_identities(session, membership_id=profile)
        sign_in, _ = await SignIn.start(session, there, ORIGIN, "a browser", NOW)
        key, _ = await ApiKey.make(session, await find_membership(session, profile), "hers", ["read"], 90, NOW)
    told = await preview(store, cast, "Ada", "Zoo", "Oak")
    assert [(cut.kind, cut.names) for cut in told.cuts if cut.count] == [("memberships", ("Elsa Eden",))]
    await move(store, cast, "Ada", "Zoo", "Oak")
    async with house_work(store) as session:
        assert await live_identities(session, membership_id=profile) == []
        assert (await session.get_one(Membership, profile)).discarded_at == NOW
        assert (await session.get_one(SignIn, sign_in.id)).ended_cause == CAUSE
        assert (await session.get_one(ApiKey, key.id)).revoked_at == NOW
        assert [each.tenant_name for each in await live_identities(session, user_id=cast.user("Elsa").id)] == ["Elm"]
    await move(store, cast, "Ada", "Zoo", "Elm")
    async with house_work(store) as session:
        assert await live_identities(session, membership_id=profile) == []


async def test_a_profile_whose_sponsor_is_still_above_goes_along(store: Store, cast: Cast) -> None:
    profile = await sponsor(store, cast, "Nora", "Bakery")
    await move(store, cast, "Nora", "Bakery", "North")
    async with house_work(store) as session:
        assert await live_identities(session, membership_id=profile) != []


async def invite(store: Store, cast: Cast, by: str, place: str) -> int:
    actor = cast.actor(by)
    async with work_as(store, actor) as session:
        address = f"from-{by.lower()}@new.example"
        return (await Invitation.prepare(session, actor, cast.tenant(place).id, address, "New", Role.MEMBER, NOW)).id


async def test_invitations_of_those_who_are_no_longer_above_are_taken_back(store: Store, cast: Cast) -> None:
    """C16: the offers of Ada, who stays above, and of Boris, who goes along, wait on."""
    numbers = [await invite(store, cast, by, "Bakery") for by in ("Olaf", "Ada", "Boris")]
    told = await preview(store, cast, "Ada", "Bakery", "Elm")
    assert [(cut.kind, cut.names) for cut in told.cuts if cut.count] == [("invitations", ("from-olaf@new.example",))]
    await move(store, cast, "Ada", "Bakery", "Elm")
    async with house_work(store) as session:
        over = [(await session.get_one(Invitation, number)).revoked_at for number in numbers]
    assert over == [NOW, None, None]


async def test_an_address_that_an_admin_of_the_old_line_wished_for_is_dropped(store: Store, cast: Cast) -> None:
    async with house_work(store) as session:
        for person, asker, own in (("Bea", "Olaf", False), ("Ben", "Ben", True)):
            change = EmailChange(
                user_id=cast.user(person).id,
                tenant_id=cast.tenant("Bakery").id,
                email=f"{person.lower()}@elsewhere.example",
                asked_by_id=cast.membership_id(asker),
                own=own,
                created_at=NOW,
                expires_at=NOW + timedelta(hours=72),
            )
            session.add(change)
            record(session, Verb.EMAIL_CHANGE_ASKED, change)
    await move(store, cast, "Ada", "Bakery", "Elm")
    async with house_work(store) as session:
        left = list(await session.scalars(sa.select(EmailChange.email).where(EmailChange.cancelled_at.is_(None))))
    assert left == ["ben@elsewhere.example"]


async def test_keys_people_phones_and_apps_go_along(store: Store, cast: Cast) -> None:
    told = await preview(store, cast, "Ada", "Oak", "Pine")
    assert told.follows == {"tenants": 3, "memberships": 10, "phone_systems": 2, "extensions": 4, "apps": 0}
    async with house_work(store) as session:
        mine = await find_membership(session, cast.membership_id("Boris"))
        key, _ = await ApiKey.make(session, mine, "nightly", ["read"], 90, NOW)
        sign_in, _ = await SignIn.start(session, cast.identity("Boris"), ORIGIN, "a browser", NOW)
    await move(store, cast, "Ada", "Oak", "Pine")
    async with house_work(store) as session:
        assert (await session.get_one(ApiKey, key.id)).revoked_at is None
        assert (await session.get_one(SignIn, sign_in.id)).ended_at is None
        [boris] = await live_identities(session, membership_id=cast.membership_id("Boris"))
    assert boris.path.startswith(cast.tenant("Pine").path)


async def test_the_old_line_sees_nothing_and_the_new_one_everything(store: Store, cast: Cast) -> None:
    """C22: Olaf's session sees neither the company nor its people; Elsa's does."""
    await move(store, cast, "Ada", "Bakery", "Elm")
    for name, expected in (("Olaf", []), ("Elsa", ["Bakery"])):
        async with work_as(store, cast.actor(name)) as session:
            here = sa.select(Tenant.name).where(Tenant.id == cast.tenant("Bakery").id)
            assert list(await session.scalars(here)) == expected
            people = sa.select(User.id).where(User.id == cast.user("Bea").id)
            assert bool((await session.scalars(people)).first()) is bool(expected)


# Rules and seats


async def set_rules(store: Store, cast: Cast, name: str, **rules: Any) -> None:
    async with house_work(store) as session:
        await (await find_tenant(session, cast.tenant(name).id)).change(session, **rules)


async def test_a_move_to_a_laxer_place_loosens_nothing(store: Store, cast: Cast) -> None:
    """C15: what Oak and North asked for is Bakery's own from then on, there and back again."""
    await set_rules(store, cast, "North", policy_reason=1, policy_binding_days=30)
    await set_rules(store, cast, "Oak", policy_stand_ins=StandIns.NEVER.value, policy_binding_days=7)
    async with house_work(store) as session:
        before = await effective_policy(session, cast.tenant("Bakery").path)
    told = await preview(store, cast, "Ada", "Bakery", "Pine")
    assert told.rules == {}
    await move(store, cast, "Ada", "Bakery", "Pine")
    async with house_work(store) as session:
        bakery = await find_tenant(session, cast.tenant("Bakery").id)
        assert bakery.own_policy == before
        assert await effective_policy(session, bakery.path) == before
        entry = (await session.scalars(sa.select(Entry).where(Entry.verb == Verb.TENANT_MOVED))).one()
    assert entry.changes["policy_stand_ins"] == [0, StandIns.NEVER.value]
    assert entry.changes["policy_binding_days"] == [None, 7]
    with pytest.raises(Exception, match="lets nobody stand in"):
        await bind(store, cast, "Pia", "Bakery", "201", reason="Bea's headset does not ring")


async def test_a_move_to_a_stricter_place_is_told_beforehand(store: Store, cast: Cast) -> None:
    await set_rules(store, cast, "South", policy_binding_days=2)
    told = await preview(store, cast, "Ada", "Bakery", "Elm")
    assert told.rules == {
        "binding_reach": (BindingReach.SUBTREE, BindingReach.LAYER),
        "binding_days": (None, 2),
    }


async def limit(store: Store, cast: Cast, name: str, product: str, seats: int) -> None:
    async with house_work(store) as session:
        row = SeatLimit(
            tenant_id=cast.tenant(name).id, product_id=cast.product_id(product), seats=seats, created_at=NOW
        )
        session.add(row)
        record(session, Verb.SEAT_LIMIT_CHANGED, row)


async def test_seats_that_do_not_fit_stand_in_the_way(store: Store, cast: Cast) -> None:
    """Zoo uses one seat of two, and Bakery brings two; a limit of the old line counts for nothing."""
    await limit(store, cast, "South", "Softphone", 2)
    await limit(store, cast, "North", "Softphone", 1)
    for attempt in (preview, move):
        with pytest.raises(Conflict) as refused:
            await attempt(store, cast, "Ada", "Bakery", "Elm")
        assert refused.value.rule == "seats"
    await move(store, cast, "Ada", "Clinic", "Elm")


# Every relation is thought of


def relations(kinds: Iterable[type[Record]]) -> set[str]:
    """Every column that points at a tenant, a membership, a person, an extension or an app, with a key or without."""
    found = set()
    for kind in kinds:
        for column in kind.__table__.columns:
            targets = {key.column.table.name for key in column.foreign_keys}
            joined = column.name == "tenant_id" or targets & {"tenants", "memberships", "users", "extensions", "apps"}
            plain = not targets and column.name.endswith("_id") and isinstance(column.type, sa.BigInteger)
            if joined or plain:
                found.add(f"{kind.__tablename__}.{column.name}")
    return found


def test_every_relation_is_declared() -> None:
    """A new table that joins tenants has to say what a move does to it: in RELATIONS, as cut, follow or refuse."""
    assert relations(KINDS) == set(RELATIONS)


def test_what_is_declared_cut_is_cut() -> None:
    assert {name.partition(".")[0] for name, fate in RELATIONS.items() if fate is Fate.CUT} == {
        cutting.kind for cutting in CUTTINGS
    }
