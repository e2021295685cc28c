"""Moving while others are at work: two movers, a founding in the middle, a fall half way, and a branch of any size."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from bindings import moving
from bindings.binding import Binding
from bindings.moving import CUTTINGS, Border, move_tenant
from tenants.actor import Actor
from tenants.records import Record
from tenants.refusals import Conflict
from tenants.store import Store
from tenants.tree import Kind, Tenant, find_tenant
from tests.bindings.grown import grow
from tests.cast import NOW, Cast, bind, house_work, work_as

MANY = 5_000
"""A hundred thousand are moved by hand: `python -m bench.moving`."""


async def move(session: AsyncSession, cast: Cast, name: str, under: str) -> None:
    """Ada moves it, having seen it where the cast has it."""
    tenant, parent = [await find_tenant(session, cast.tenant(each).id) for each in (name, under)]
    expected = cast.tenant(name).parent_id
    await move_tenant(session, cast.actor("Ada"), tenant, parent, NOW, expected_parent_id=expected)


async def path_of(store: Store, number: int) -> str:
    async with house_work(store) as session:
        return (await session.get_one(Tenant, number)).path


# Two movers


async def test_of_two_movers_the_second_is_told(store: Store, cast: Cast) -> None:
    """B31: whichever of them comes second, and whatever it wants."""

    async def attempt(under: str) -> str:
        try:
            async with work_as(store, cast.actor("Ada")) as session:
                await move(session, cast, "Bakery", under)
        except Conflict as refusal:
            return refusal.rule
        return under

    came = await asyncio.gather(attempt("Elm"), attempt("Pine"))
    assert sorted(came, key=lambda each: each == "moved")[1] == "moved"
    [won] = [each for each in came if each != "moved"]
    moved = cast.tenant("Bakery").id
    assert await path_of(store, moved) == f"{cast.tenant(won).path}{moved}/"


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
async def test_while_one_move_goes_on_another_is_refused_at_once(store: Store, cast: Cast) -> None:
    async with work_as(store, cast.actor("Ada")) as first:
        await move(first, cast, "Bakery", "Elm")
        with pytest.raises(Conflict) as refused:
            async with work_as(store, cast.actor("Ada")) as second:
                await move(second, cast, "Dairy", "Oak")
        assert refused.value.rule == "moved"


# Founding meanwhile


async def until(store: Store, locks: str) -> None:
    """Until somebody holds or waits for such a lock."""
    async with store.hot.connect() as connection:
        while not (await connection.execute(sa.text(f"SELECT count(*) FROM pg_locks WHERE {locks}"))).scalar_one():
            pass


async def found(store: Store, cast: Cast, under: str, held: asyncio.Event | None = None) -> int:
    """Ada founds a company; with `held` she finishes when it is set."""
    async with work_as(store, cast.actor("Ada")) as session:
        parent = await find_tenant(session, cast.tenant(under).id)
        mill = await Tenant.found(session, parent, Kind.CUSTOMER, "Mill", None, NOW)
        if held is not None:
            await held.wait()
        return mill.id


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
async def test_what_is_founded_during_a_move_hangs_at_the_new_place(store: Store, cast: Cast) -> None:
    """It waits for the move, and reads the path again."""
    async with work_as(store, cast.actor("Ada")) as session:
        await move(session, cast, "Oak", "Pine")
        founding = asyncio.create_task(found(store, cast, "Oak"))
        await asyncio.wait_for(until(store, "NOT granted"), 20)
    mill = await founding
    assert await path_of(store, mill) == f"{cast.tenant('Pine').path}{cast.tenant('Oak').id}/{mill}/"


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
async def test_a_move_takes_along_what_is_just_being_founded_further_down(store: Store, cast: Cast) -> None:
    """The move waits for it; the statement that waited does not see it, the next one does."""
    async with work_as(store, cast.actor("Ada")) as session:
        await move(session, cast, "Elm", "Oak")
    finish = asyncio.Event()
    founding = asyncio.create_task(found(store, cast, "Elm", finish))
    await asyncio.wait_for(until(store, "mode = 'RowShareLock'"), 20)

    async def take_along() -> None:
        async with work_as(store, cast.actor("Ada")) as session:
            await move(session, cast, "Oak", "Pine")

    moving_oak = asyncio.create_task(take_along())
    await asyncio.wait_for(until(store, "NOT granted"), 20)
    finish.set()
    mill = await founding
    await moving_oak
    oak, elm = cast.tenant("Oak").id, cast.tenant("Elm").id
    assert await path_of(store, mill) == f"{cast.tenant('Pine').path}{oak}/{elm}/{mill}/"


# All or nothing


async def everything(store: Store) -> dict[str, list[Any]]:
    async with store.hot.connect() as connection:
        return {
            table.name: sorted(map(repr, (await connection.execute(sa.select(table))).all()))
            for table in Record.metadata.sorted_tables
        }


async def test_a_fall_half_way_leaves_nothing_of_it(store: Store, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """B31: after the paths were rewritten, and after any of the kinds of what is cut."""
    await bind(store, cast, "Olaf", "Bakery", "201")
    before = await everything(store)

    async def fall(session: AsyncSession, actor: Actor, border: Border) -> None:
        raise RuntimeError

    for after in range(len(CUTTINGS) + 1):
        monkeypatch.setattr(moving, "CUTTINGS", (*CUTTINGS[:after], replace(CUTTINGS[0], end=fall)))
        with pytest.raises(RuntimeError):
            async with work_as(store, cast.actor("Ada")) as session:
                await move(session, cast, "Bakery", "Elm")
        assert await everything(store) == before
    monkeypatch.undo()
    async with work_as(store, cast.actor("Ada")) as session:
        await move(session, cast, "Bakery", "Elm")
    async with house_work(store) as session:
        assert (await session.scalars(sa.select(Binding))).one().ended_at == NOW


# Size


async def test_a_branch_of_thousands_moves_in_one_transaction(store: Store, cast: Cast) -> None:
    oak, pine = cast.tenant("Oak"), cast.tenant("Pine")
    await grow(store, oak, MANY, NOW - timedelta(days=1))
    async with work_as(store, cast.actor("Ada")) as session:
        await move(session, cast, "Oak", "Pine")
    async with house_work(store) as session:
        tree = Tenant.__table__
        old = sa.select(sa.func.count()).select_from(tree).where(tree.c.path.contains(oak.path))
        assert await session.scalar(old) == 0
        rows = {
            row.id: row
            for row in await session.execute(sa.select(tree.c.id, tree.c.parent_id, tree.c.path, tree.c.depth))
        }
    inside = [row for row in rows.values() if row.path.startswith(f"{pine.path}{oak.id}/")]
    assert len(inside) == MANY + 3
    for row in inside:
        parent = rows[row.parent_id]
        assert (row.path, row.depth) == (f"{parent.path}{row.id}/", parent.depth + 1)
