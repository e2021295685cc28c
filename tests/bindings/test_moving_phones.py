"""A phone system changes owner: it and its numbers go along; people, seats, calls and stand-ins do not."""

from typing import Any

import pytest
import sqlalchemy as sa

from bindings import moving_phones
from bindings.binding import Binding
from bindings.guard import Refused
from bindings.login import Login
from bindings.moving import Cut
from bindings.moving_phones import CAUSE, RELATIONS, SystemMove, move_phone_system, what_moves
from tenants.numbers import InboundNumber
from tenants.people import find_membership
from tenants.phones import Extension, Licence, PhoneSystem, find_extension, find_phone_system
from tenants.products import Product
from tenants.recordings import Recording
from tenants.refusals import Conflict, OutOfReach
from tenants.store import Store
from tenants.trail import Entry, record
from tenants.tree import Scope, find_tenant
from tenants.verbs import Verb
from tests.bindings.test_moving import log_in
from tests.cast import NOW, Cast, bind, house_work, work_as
from tests.kinds import KINDS


async def move(store: Store, cast: Cast, by: str, of: str, to: str, *, expected: str | None = None) -> None:
    async with work_as(store, cast.actor(by)) as session:
        system = await find_phone_system(session, cast.phone_system_id(of))
        owner = await find_tenant(session, cast.tenant(to).id)
        expected_id = cast.tenant(expected).id if expected else None
        await move_phone_system(session, system, owner, NOW, expected_owner_id=expected_id)


async def preview(store: Store, cast: Cast, by: str, of: str, to: str) -> SystemMove:
    async with work_as(store, cast.actor(by), writes=False) as session:
        system = await find_phone_system(session, cast.phone_system_id(of))
        return await what_moves(session, system, await find_tenant(session, cast.tenant(to).id), NOW)


async def with_calls(store: Store, cast: Cast) -> None:
    """A number that rings at 201 of Bakery, and a recorded call of Bea's."""
    async with house_work(store) as session:
        extension = await find_extension(session, cast.extension("Bakery", "201").id)
        place = await find_tenant(session, cast.tenant("Bakery").id)
        await InboundNumber.add(session, place, "+442079460555", NOW, extension=extension)
        recording = Recording(
            tenant_id=place.id,
            extension_id=extension.id,
            membership_id=cast.membership_id("Bea"),
            direction="in",
            party="+442079460999",
            started_at=NOW,
            seconds=60,
            created_at=NOW,
        )
        session.add(recording)
        record(session, Verb.RECORDING_CREATED, recording)


async def test_it_and_its_extensions_go_along_and_what_is_the_old_owners_stays(store: Store, cast: Cast) -> None:
    await with_calls(store, cast)
    binding = await bind(store, cast, "Olaf", "Bakery", "201")
    login = await log_in(store, cast, "Bea", "Bakery", "softphone")
    async with house_work(store) as session:
        beas = sa.update(Login.__table__).values(extension_id=cast.extension("Bakery", "201").id)
        await session.execute(beas.where(Login.__table__.c.id == login))
    told = await preview(store, cast, "Olaf", "Bakery", "Clinic")
    assert (told.old_owner.name, told.owner.name, told.extensions) == ("Bakery", "Clinic", 3)
    cuts = {cut.kind: cut for cut in told.cuts}
    assert told.cuts[:4] == (
        Cut("people", 2, ("Bea Bell, 201", "Ben Bond, 202")),
        Cut("bindings", 1, ("Olaf Olsen, Bea Bell, 201",)),
        Cut("logins", 1, ("Bea Bell",)),
        Cut("licences", 4, ("Desk, 201", "Desk, 202", "Softphone, 201", "Softphone, 202")),
    )
    assert "+442079460555" in cuts["numbers"].names
    assert (cuts["recordings"].count > 0, cuts["recordings"].names) == (True, ())
    await move(store, cast, "Olaf", "Bakery", "Clinic")
    bakery, clinic = cast.tenant("Bakery").id, cast.tenant("Clinic").id
    async with house_work(store) as session:
        system = await find_phone_system(session, cast.phone_system_id("Bakery"))
        on_it = list(await session.scalars(sa.select(Extension).where(Extension.phone_system_id == system.id)))
        licences = list(
            await session.scalars(sa.select(Licence).where(Licence.extension_id.in_([each.id for each in on_it])))
        )
        numbers = list(await session.scalars(sa.select(InboundNumber).where(InboundNumber.tenant_id == bakery)))
        calls = list(await session.scalars(sa.select(Recording).where(Recording.tenant_id == bakery)))
        ended = (await session.get_one(Binding, binding)).ended_cause, (await session.get_one(Login, login)).ended_cause
    assert system.tenant_id == clinic
    assert {(each.tenant_id, each.membership_id) for each in on_it} == {(clinic, None)}
    assert {(each.tenant_id, each.discarded_at, each.app_admin) for each in licences} == {(clinic, NOW, False)}
    assert (len(numbers) >= 1, {each.extension_id for each in numbers}) == (True, {None})
    assert {each.extension_id for each in calls} == {None}
    assert cast.membership_id("Bea") in {each.membership_id for each in calls}, "the call is still hers"
    assert ended == (CAUSE, CAUSE)
    left = (await preview(store, cast, "Olaf", "Bakery", "Bakery")).cuts
    assert left == tuple(Cut(each.kind, 0, ()) for each in told.cuts)


async def test_every_change_of_it_is_told_and_the_move_at_both_owners(store: Store, cast: Cast) -> None:
    await move(store, cast, "Olaf", "Bakery", "Clinic")
    moved = (Verb.PHONE_SYSTEM_MOVED.value, Verb.EXTENSION_MOVED.value, Verb.LICENCE_WITHDRAWN.value)
    async with house_work(store) as session:
        told = list(await session.scalars(sa.select(Entry).where(Entry.verb.in_(moved)).order_by(Entry.id)))
    bakery, clinic = cast.tenant("Bakery").id, cast.tenant("Clinic").id
    assert [(each.verb, each.tenant_id) for each in told[:2]] == [
        ("phone_system.moved", bakery),
        ("phone_system.moved", clinic),
    ]
    assert [each.verb for each in told[2:]] == ["extension.moved"] * 3 + ["licence.withdrawn"] * 4
    assert all(each.changes["tenant_id"] == [bakery, clinic] for each in told)


async def test_at_the_new_owner_everything_starts_anew(store: Store, cast: Cast) -> None:
    """The first who gets Desk there becomes its admin: what came along ended was somebody else's."""
    await move(store, cast, "Elsa", "Zoo", "Elm")
    async with work_as(store, cast.actor("Elsa")) as session:
        extension = await find_extension(session, cast.extension("Zoo", "201").id)
        await extension.change(session, membership=await find_membership(session, cast.membership_id("Elsa")))
        desk = (await session.scalars(sa.select(Product).where(Product.name == "Desk"))).one()
        assert (await Licence.grant(session, extension, desk, NOW)).app_admin


async def test_c15_elsa_gains_no_one_by_moving_zoos_system_to_elm(store: Store, cast: Cast) -> None:
    """C15: the layer is hers then, but nobody is on it: Zoe stayed at Zoo."""
    with pytest.raises(Refused) as refused:
        await bind(store, cast, "Elsa", "Zoo", "201")
    assert refused.value.rule == "layer"
    await move(store, cast, "Elsa", "Zoo", "Elm")
    with pytest.raises(Refused) as refused:
        await bind(store, cast, "Elsa", "Zoo", "201")
    assert refused.value.rule == "unassigned"


async def test_there_and_back_again_brings_nobody_back(store: Store, cast: Cast) -> None:
    binding = await bind(store, cast, "Olaf", "Bakery", "201")
    await move(store, cast, "Olaf", "Bakery", "Clinic")
    async with work_as(store, cast.actor("Olaf")) as session:
        system = await find_phone_system(session, cast.phone_system_id("Bakery"))
        await move_phone_system(session, system, await find_tenant(session, cast.tenant("Bakery").id), NOW)
    async with house_work(store) as session:
        assert (await session.get_one(Binding, binding)).ended_at == NOW
        assert (await session.get_one(Extension, cast.extension("Bakery", "201").id)).membership_id is None


@pytest.mark.parametrize(
    ("by", "of", "to", "refusal", "rule"),
    [
        ("Olaf", "Bakery", "Zoo", OutOfReach, "reach"),
        ("Olaf", "Zoo", "Bakery", OutOfReach, "reach"),
        ("Boris", "Bakery", "Oak", OutOfReach, "reach"),
        ("Olaf", "Bakery", "Bakery", Conflict, "there"),
    ],
)
async def test_both_owners_have_to_be_in_reach(
    store: Store, cast: Cast, by: str, of: str, to: str, refusal: type[Any], rule: str
) -> None:
    for attempt in (move, preview):
        with pytest.raises(refusal) as refused:
            await attempt(store, cast, by, of, to)
        assert refused.value.rule == rule


async def test_what_stands_in_the_way(store: Store, cast: Cast) -> None:
    async with work_as(store, cast.actor("Olaf")) as session:
        clinic = await find_tenant(session, cast.tenant("Clinic").id)
        await PhoneSystem.create(session, clinic, "Bakery PBX", "other.pbx.example", NOW)
    with pytest.raises(Conflict) as refused:
        await move(store, cast, "Olaf", "Bakery", "Clinic")
    assert refused.value.rule == "slug"
    async with work_as(store, cast.actor("Olaf")) as session:
        clinic = await find_tenant(session, cast.tenant("Clinic").id)
        await clinic.suspend(session, cast.actor("Olaf"), Scope.STAFF, "unpaid", NOW)
    with pytest.raises(Conflict) as refused:
        await move(store, cast, "Olaf", "Bakery", "Clinic")
    assert refused.value.rule == "closed"


async def test_the_second_mover_is_told(store: Store, cast: Cast) -> None:
    await move(store, cast, "Ada", "Bakery", "Clinic", expected="Bakery")
    with pytest.raises(Conflict) as refused:
        await move(store, cast, "Ada", "Bakery", "Dairy", expected="Bakery")
    assert refused.value.rule == "moved"


async def test_a_fall_half_way_leaves_it_where_it_was(
    store: Store, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fall(*given: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(moving_phones, "_withdraw_licences", fall)
    with pytest.raises(RuntimeError):
        await move(store, cast, "Olaf", "Bakery", "Clinic")
    async with house_work(store) as session:
        assert (await session.get_one(Extension, cast.extension("Bakery", "201").id)).membership_id is not None
        assert (await find_phone_system(session, cast.phone_system_id("Bakery"))).tenant.name == "Bakery"


def test_every_relation_is_declared() -> None:
    """A new table that points at a phone system or an extension says what becomes of that when it changes owner."""
    found = {
        f"{kind.__tablename__}.{column.name}"
        for kind in KINDS
        for column in kind.__table__.columns
        if column.name in {"extension_id", "phone_system_id"}
        or (
            ({key.column.table.name for key in column.foreign_keys} & {"extensions", "phone_systems"})
            and column.name != "tenant_id"
        )
    }
    assert found | {"extensions.membership_id"} == set(RELATIONS)
