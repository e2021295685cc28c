"""The trail: what is written down, under whose names, and that nothing passes in silence."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from tenants.actor import Actor, Via
from tenants.fence import FencedSession
from tenants.identities import live_identities
from tenants.people import User
from tenants.phones import Extension, PhoneSystem
from tenants.reach import Reach
from tenants.records import Audited, Record
from tenants.refusals import Unrecorded
from tenants.store import Store
from tenants.trail import Entry, canonical, record
from tenants.tree import Kind, Tenant
from tenants.verbs import Verb
from tests.cast import NOW, ORIGIN, SEEDED, Cast, bind, house_work, work_as
from tests.fold import differences, fold, misfits
from tests.furnished import furnish

REASON = "Bea's headset does not ring"


async def last_entry(store: Store) -> Entry:
    async with house_work(store) as session:
        return (await session.scalars(sa.select(Entry).order_by(Entry.id.desc()).limit(1))).one()


async def count(store: Store) -> int:
    async with house_work(store) as session:
        return await session.scalar(sa.select(sa.func.count(Entry.id))) or 0


@contextlib.asynccontextmanager
async def unrecorded(store: Store) -> AsyncIterator[AsyncSession]:
    """Work that must not be committed, were it the house's own: something in it was not written down."""
    with pytest.raises(Unrecorded):
        async with house_work(store) as session:
            yield session


async def bakery(session: AsyncSession, cast: Cast) -> Tenant:
    return await session.get_one(Tenant, cast.tenant("Bakery").id)


# What an entry says


async def test_an_entry_says_who_did_what_when_and_where(store: Store, cast: Cast) -> None:
    async with work_as(store, cast.actor("Olaf")) as session:
        await (await bakery(session, cast)).change(session, name="Bread Shop")
    entry = await last_entry(store)
    olaf = cast.identity("Olaf")
    assert (entry.verb, entry.changes) == ("tenant.changed", {"name": ["Bakery", "Bread Shop"]})
    assert (entry.actor_membership_id, entry.actor_user_id) == (olaf.membership_id, olaf.user_id)
    assert (entry.actor_name, entry.actor_tenant_name) == ("Olaf Olsen", "Oak")
    assert (entry.tenant_id, entry.tenant_path) == (cast.tenant("Bakery").id, cast.tenant("Bakery").path)
    assert (entry.record_type, entry.record_id) == ("tenants", str(cast.tenant("Bakery").id))
    assert (entry.occurred_at, entry.via) == (NOW, "direct")
    assert (entry.request_id, entry.address) == (ORIGIN.request_id, ORIGIN.address)
    assert (entry.subject_membership_id, entry.subject_name) == (None, None)


async def test_the_first_entry_tells_the_whole_row(store: Store, cast: Cast) -> None:
    async with work_as(store, cast.actor("Olaf")) as session:
        oak = await session.get_one(Tenant, cast.tenant("Oak").id)
        mill = await Tenant.found(session, oak, Kind.CUSTOMER, "Mill", None, NOW)
    async with house_work(store) as session:
        entries = list(await session.scalars(sa.select(Entry).where(Entry.id == mill.last_entry_id)))
        assert differences(await session.get_one(Tenant, mill.id), entries) == []
    # The defaults, too: nobody can tell later what they were on that day.
    assert entries[0].changes["zone"] == [None, "Etc/UTC"]
    assert entries[0].tenant_path == mill.path


async def test_names_stay_as_of_then(store: Store, cast: Cast) -> None:
    async with work_as(store, cast.actor("Olaf")) as session:
        await (await bakery(session, cast)).change(session, name="Bread Shop")
    then = await last_entry(store)
    async with house_work(store) as session:
        await (await session.get_one(User, cast.user("Olaf").id)).change(session, name="Olaf Oakson")
    async with house_work(store) as session:
        assert (await session.get_one(Entry, then.id)).actor_name == "Olaf Olsen"


async def test_standing_in_both_identities_are_written(store: Store, cast: Cast) -> None:
    """T56: Olaf as Boris renames the Bakery, and the entry names both."""
    olaf = cast.actor("Olaf")
    acting = replace(olaf, apparent=cast.identity("Boris"), via=Via.IMPERSONATION, stand_in_id=77)
    async with work_as(store, acting) as session:
        await (await bakery(session, cast)).change(session, name="Bread Shop")
    entry = await last_entry(store)
    assert (entry.actor_name, entry.subject_name) == ("Olaf Olsen", cast.user("Boris").name)
    assert (entry.via, entry.stand_in_id) == ("impersonation", 77)
    assert entry.actor_membership_id == cast.membership_id("Olaf")
    assert entry.subject_membership_id == cast.membership_id("Boris")


async def test_the_house_itself_signs_as_the_house(store: Store, cast: Cast) -> None:
    async with house_work(store) as session:
        await (await bakery(session, cast)).change(session, name="Bread Shop")
    entry = await last_entry(store)
    assert (entry.actor_name, entry.via, entry.actor_membership_id) == ("system: the story", "system", None)


async def test_reason_ticket_and_details_are_kept(store: Store, cast: Cast) -> None:
    async with work_as(store, cast.actor("Olaf")) as session:
        place = cast.tenant("Bakery").id
        record(session, Verb.REFUSED, None, reason=REASON, ticket="T-1", place=place, rule="rank")
    entry = await last_entry(store)
    assert (entry.reason, entry.ticket, entry.details) == (REASON, "T-1", {"rule": "rank"})
    assert (entry.record_type, entry.changes) == (None, {})


@pytest.mark.parametrize("text", ["a\r\nSet-Cookie: b", "=cmd|' /C calc'!A0", "<script>", "\x00", '{"a": 1}'])
async def test_whatever_a_reason_holds_it_stays_a_reason(store: Store, cast: Cast, text: str) -> None:
    """B23: nothing in it becomes another field; on PostgreSQL a text with NUL is refused, not cut."""
    work = work_as(store, cast.actor("Olaf"))
    if "\x00" in text and not store.embedded:
        with pytest.raises(sa.exc.DBAPIError):
            async with work as session:
                record(session, Verb.REFUSED, None, reason=text)
        return
    async with work as session:
        record(session, Verb.REFUSED, None, reason=text)
    assert (await last_entry(store)).reason == text


# Before and after


async def test_there_is_no_false_before_where_a_value_was_not_loaded(store: Store, cast: Cast) -> None:
    """An expired attribute would be told as "nothing -> Bread Shop"."""
    async with work_as(store, cast.actor("Olaf")) as session:
        tenant = await bakery(session, cast)
        session.expire(tenant)
        await session.run_sync(lambda _: setattr(tenant, "name", "Bread Shop"))
        record(session, Verb.TENANT_CHANGED, tenant)
    assert (await last_entry(store)).changes == {"name": ["Bakery", "Bread Shop"]}


async def test_a_value_set_to_what_it_was_is_no_change(store: Store, cast: Cast) -> None:
    before = await count(store)
    async with work_as(store, cast.actor("Olaf")) as session:
        tenant = await bakery(session, cast)
        tenant.name = "Other"
        tenant.name = "Bakery"
        await tenant.change(session, name="Bakery")
    assert await count(store) == before


async def test_two_steps_in_one_flush_are_told_as_one(store: Store, cast: Cast) -> None:
    async with work_as(store, cast.actor("Olaf")) as session:
        tenant = await bakery(session, cast)
        tenant.name = "Other"
        tenant.name = "Bread Shop"
        record(session, Verb.TENANT_CHANGED, tenant)
    assert (await last_entry(store)).changes == {"name": ["Bakery", "Bread Shop"]}


async def test_of_a_secret_only_that_it_changed(store: Store, cast: Cast) -> None:
    async with house_work(store) as session:
        user = await session.get_one(User, cast.user("Bea").id)
        user.password_hash = "$argon2id$never-written-down"
        record(session, Verb.PASSWORD_CHANGED, user)
    entry = await last_entry(store)
    assert entry.changes == {"password_hash": "changed"}
    assert b"never-written-down" not in entry.leaf


async def test_every_secret_column_is_marked() -> None:
    """Whatever is a hash or a sealed key by its name is a secret by its mark."""
    for mapper in Record.registry.mappers:
        if issubclass(mapper.class_, Audited):
            hashes = {column.key for column in mapper.column_attrs if column.key.endswith(("_hash", "_sealed"))}
            assert hashes <= mapper.class_.secret


async def test_what_follows_from_elsewhere_has_no_entry(store: Store, cast: Cast) -> None:
    before = await count(store)
    async with work_as(store, cast.actor("Bea")) as session:
        (await session.get_one(User, cast.user("Bea").id)).last_sign_in_at = NOW
    assert await count(store) == before


# Nothing in silence


async def test_a_change_nobody_spoke_of_is_refused(store: Store, cast: Cast) -> None:
    async with unrecorded(store) as session:
        (await bakery(session, cast)).name = "Bread Shop"
    async with house_work(store) as session:
        assert (await bakery(session, cast)).name == "Bakery"


async def test_speaking_of_another_row_does_not_cover(store: Store, cast: Cast) -> None:
    async with unrecorded(store) as session:
        one, other = await bakery(session, cast), await session.get_one(User, cast.user("Bea").id)
        other.name = "Bea Bold"
        record(session, Verb.TENANT_CHANGED, one)


async def test_a_new_row_nobody_spoke_of_is_refused(store: Store, cast: Cast) -> None:
    async with unrecorded(store) as session:
        tenant_id = cast.tenant("Bakery").id
        session.add(PhoneSystem(tenant_id=tenant_id, name="Second", slug="second", host="b.example", created_at=NOW))


async def test_a_deletion_nobody_spoke_of_is_refused(store: Store, cast: Cast) -> None:
    async with unrecorded(store) as session:
        await session.delete(await session.get_one(Extension, cast.extension("Bakery", "203").id))


async def test_nobody_writes_changes_or_deletes_an_entry_by_hand(store: Store) -> None:
    async with unrecorded(store) as session:
        session.add(Entry(verb="refused", occurred_at=NOW, actor_name="Nobody", via="direct"))
    async with unrecorded(store) as session:
        entry = (await session.scalars(sa.select(Entry).limit(1))).one()
        entry.reason = "mended"
    async with unrecorded(store) as session:
        await session.delete((await session.scalars(sa.select(Entry).limit(1))).one())


async def test_without_an_actor_nothing_is_written(store: Store) -> None:
    info = {"reach": Reach.everywhere("tests"), "now": NOW}
    session = AsyncSession(store.writer, sync_session_class=FencedSession, info=info)
    with pytest.raises(Unrecorded):
        async with session, session.begin():
            record(session, Verb.REFUSED, None)


async def test_what_was_rolled_back_was_not_done(store: Store, cast: Cast) -> None:
    before = await count(store)
    with contextlib.suppress(RuntimeError):
        async with work_as(store, cast.actor("Olaf")) as session:
            await (await bakery(session, cast)).change(session, name="Bread Shop")
            raise RuntimeError
    assert await count(store) == before


async def test_what_was_said_before_a_rollback_is_forgotten(store: Store, cast: Cast) -> None:
    before = await count(store)
    async with work_as(store, cast.actor("Olaf")) as session:
        with contextlib.suppress(RuntimeError):
            async with session.begin_nested():
                record(session, Verb.REFUSED, None, reason="said and taken back")
                raise RuntimeError
    assert await count(store) == before


async def test_an_act_without_a_change_is_written_all_the_same(store: Store, cast: Cast) -> None:
    before = await count(store)
    async with work_as(store, cast.actor("Olaf")) as session:
        record(session, Verb.REFUSED, None, rule="rank")
    assert await count(store) == before + 1


# Past the session's own hooks: the database refuses


def save_objects(session: Session, cast: Cast) -> None:
    session.bulk_save_objects([PhoneSystem(**new_system(cast), last_entry_id=1)])


def insert_mappings(session: Session, cast: Cast) -> None:
    session.bulk_insert_mappings(sa.inspect(PhoneSystem), [new_system(cast) | {"last_entry_id": 1}])


def update_mappings(session: Session, cast: Cast) -> None:
    session.bulk_update_mappings(sa.inspect(Tenant), [{"id": cast.tenant("Bakery").id, "name": "Mine"}])


def update_by_criteria(session: Session, cast: Cast) -> None:
    session.execute(sa.update(Tenant).where(Tenant.id == cast.tenant("Bakery").id).values(name="Mine"))


def delete_by_criteria(session: Session, cast: Cast) -> None:
    session.execute(sa.delete(Extension).where(Extension.id == cast.extension("Bakery", "203").id))


def update_by_core(session: Session, cast: Cast) -> None:
    table = Tenant.__table__
    session.execute(sa.update(table).where(table.c.id == cast.tenant("Bakery").id).values(name="Mine"))


def update_by_text(session: Session, cast: Cast) -> None:
    session.execute(sa.text("UPDATE tenants SET name = 'Mine' WHERE id = :id"), {"id": cast.tenant("Bakery").id})


def new_system(cast: Cast) -> dict[str, Any]:
    return {
        "id": 10**6,
        "tenant_id": cast.tenant("Bakery").id,
        "name": "Second",
        "slug": "second",
        "host": "b.example",
        "created_at": NOW,
    }


@pytest.mark.parametrize(
    "deed",
    [
        save_objects,
        insert_mappings,
        update_mappings,
        update_by_criteria,
        delete_by_criteria,
        update_by_core,
        update_by_text,
    ],
)
async def test_whoever_goes_round_the_session_meets_the_database(store: Store, cast: Cast, deed: Any) -> None:
    with pytest.raises(sa.exc.IntegrityError, match=r"needs its entry|never deleted"):
        async with work_as(store, cast.actor("Boris")) as session:
            await session.run_sync(lambda inner: deed(inner, cast))
    async with house_work(store) as session:
        assert (await bakery(session, cast)).name == "Bakery"


# Two at once


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
async def test_honest_writers_do_not_refuse_each_other(store: Store, cast: Cast) -> None:
    """Twenty change the same row at once, and twenty others each their own: all succeed, and the trail is true."""

    async def rename(number: int) -> None:
        async with work_as(store, cast.actor("Boris")) as session:
            line = await session.get_one(Extension, cast.extension("Bakery", "203").id, with_for_update=True)
            await line.change(session, name=f"Shop {number}")

    async def add(number: int) -> None:
        async with work_as(store, cast.actor("Boris")) as session:
            system = await session.get_one(PhoneSystem, cast.phone_system_id("Bakery"))
            await Extension.create(session, system, str(300 + number), NOW)

    await asyncio.gather(*(deed(number) for number in range(20) for deed in (rename, add)))
    async with house_work(store) as session:
        assert await misfits(session) == []
        here = sa.select(sa.func.count(Extension.id)).where(Extension.tenant_id == cast.tenant("Bakery").id)
        assert await session.scalar(here) == 23


# Who reads it


async def verbs_seen(store: Store, actor: Actor) -> set[tuple[str, str | None]]:
    async with work_as(store, actor) as session:
        return {(entry.verb, entry.record_name) for entry in await session.scalars(sa.select(Entry))}


async def test_history_is_read_by_whose_reach_holds_the_place(store: Store, cast: Cast) -> None:
    async with work_as(store, cast.actor("Olaf")) as session:
        await (await bakery(session, cast)).change(session, name="Bread Shop")
    line = ("tenant.changed", "Bread Shop")
    for name in ("Ada", "Axel", "Nora", "Opal", "Boris", "Bruno", "Amos"):
        assert line in await verbs_seen(store, cast.actor(name))
    for name in ("Clara", "Bea", "Elsa", "Sven", "Pia"):
        assert line not in await verbs_seen(store, cast.actor(name))


async def test_a_member_reads_who_acted_as_them_and_what_they_did(store: Store, cast: Cast) -> None:
    await bind(store, cast, "Olaf", "Bakery", "201", reason=REASON)
    assert {verb for verb, _ in await verbs_seen(store, cast.actor("Bea"))} == {"binding.made"}
    assert await verbs_seen(store, cast.actor("Ben")) == set()


async def test_a_refused_reach_stays_where_the_actor_is_and_names_nothing(store: Store, cast: Cast) -> None:
    """T2, T58: Elsa's try at Bakery is Elm's to read, not Bakery's."""
    async with work_as(store, cast.actor("Elsa")) as session:
        record(session, Verb.REFUSED, None, place=cast.tenant("Elm").id, rule="reach")
    assert ("refused", None) in await verbs_seen(store, cast.actor("Elsa"))
    assert ("refused", None) not in await verbs_seen(store, cast.actor("Boris"))


async def test_after_a_move_the_old_history_goes_along_and_the_old_line_keeps_its_own(store: Store, cast: Cast) -> None:
    """C22: Bakery goes to Elm: Bakery still reads its old history, Olaf only what Oak's people did."""
    boris, olaf = cast.actor("Boris"), cast.actor("Olaf")
    for actor, name in ((boris, "Bakers"), (olaf, "Bread Shop")):
        async with work_as(store, actor) as session:
            await (await bakery(session, cast)).change(session, name=name)
    async with house_work(store) as session:
        tenant = await bakery(session, cast)
        tenant.parent_id, tenant.path = cast.tenant("Elm").id, f"{cast.tenant('Elm').path}{tenant.id}/"
        record(session, Verb.TENANT_CHANGED, tenant)
    async with house_work(store) as session:
        [moved] = await live_identities(session, membership_id=cast.membership_id("Boris"))
    assert ("tenant.changed", "Bakers") in await verbs_seen(store, Actor.of(moved))
    assert ("tenant.changed", "Bakers") in await verbs_seen(store, cast.actor("Elsa"))
    assert ("tenant.changed", "Bakers") not in await verbs_seen(store, olaf)
    assert ("tenant.changed", "Bread Shop") in await verbs_seen(store, olaf)


# Evidence


async def test_every_row_of_a_full_house_folds_from_its_entries(store: Store, cast: Cast) -> None:
    await furnish(store, cast)
    async with house_work(store) as session:
        assert await misfits(session) == []


async def test_a_row_that_differs_from_its_entries_is_found(store: Store, cast: Cast) -> None:
    """The check itself can fail: a derived column is nobody's business, a name is."""
    async with house_work(store) as session:
        tenant = await bakery(session, cast)
        about = sa.select(Entry).where(Entry.record_type == "tenants", Entry.record_id == str(tenant.id))
        entries = list(await session.scalars(about.order_by(Entry.id)))
        assert differences(tenant, entries) == []
        session.expunge(tenant)
        tenant.depth, tenant.name = 9, "Forged"
        assert differences(tenant, entries) == ["name is 'Forged', its entries say 'Bakery'"]
        with pytest.raises(AssertionError):
            fold([entries[-1], *entries])


async def test_the_sealed_bytes_say_what_the_row_says(store: Store, cast: Cast) -> None:
    await furnish(store, cast)
    async with house_work(store) as session:
        columns = [column.key for column in sa.inspect(Entry).column_attrs]
        for entry in await session.scalars(sa.select(Entry)):
            assert entry.leaf == canonical({key: getattr(entry, key) for key in columns})


def test_the_canonical_form_does_not_depend_on_order_or_on_the_size_of_ids() -> None:
    one = {"id": 2**60, "verb": "refused", "schema_version": 1, "occurred_at": NOW}
    assert canonical(one) == canonical(dict(reversed(one.items())))
    assert canonical(one) == (
        b'{"id":"1152921504606846976","occurred_at":"2026-11-21T09:00:00+00:00","schema_version":1,"verb":"refused"}'
    )


def test_every_verb_has_a_sentence_and_a_name_of_its_own() -> None:
    assert len({verb.value for verb in Verb}) == len(Verb)
    assert all(verb.sentence for verb in Verb)


async def test_entries_of_one_row_grow_in_order(store: Store, cast: Cast) -> None:
    for hour, name in enumerate(("One", "Two", "Three")):
        async with work_as(store, cast.actor("Boris"), NOW + timedelta(hours=hour)) as session:
            await (await bakery(session, cast)).change(session, name=name)
    async with house_work(store) as session:
        about = sa.select(Entry).where(Entry.record_type == "tenants", Entry.record_id == str(cast.tenant("Bakery").id))
        entries = list(await session.scalars(about.order_by(Entry.id)))
    assert fold(entries)["name"] == "Three"
    assert entries[0].occurred_at == SEEDED
    assert [entry.occurred_at for entry in entries] == sorted(entry.occurred_at for entry in entries)
