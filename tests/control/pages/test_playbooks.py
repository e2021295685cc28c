"""Playbooks: every version kept, any two compared, an older one restored as a new one, two who write at once."""

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from tenants.playbooks import Playbook, PlaybookVersion
from tenants.refusals import Conflict
from tests.cast import NOW, house_work, work_as
from tests.conftest import ON_BOTH
from tests.control.pages.visit import Panel, Visit, words

TEXT = "# When the oven is down\n\n1. Call Bea.\n2. Open the *small* oven.\n"


async def written(panel: Panel, name: str = "Bruno", text: str = TEXT) -> tuple[Visit, str]:
    """Somebody with a playbook they have just written open, and its address."""
    visit = await panel.visit(name, "/playbooks/new")
    made = await visit.send("/playbooks/new", {"title": "Oven down", "body": text, "note": "first"})
    await visit.follow(made)
    return visit, str(made.headers["location"])


async def revised(visit: Visit, address: str, text: str) -> None:
    """They write a new version."""
    await visit.open(f"{address}/edit")
    sent = {"title": "Oven down", "body": text, "note": "", "seen": visit.hidden("seen")}
    assert (await visit.send(f"{address}/edit", sent)).status_code == 303


async def test_bruno_writes_a_playbook_that_people_read(panel: Panel) -> None:
    bruno, address = await written(panel)
    assert "Oven down was written." in words(bruno.shown)
    assert "<h1>When the oven is down</h1>" in bruno.shown.text
    assert "<em>small</em>" in bruno.shown.text
    amos = await panel.visit("Amos", address)
    assert "Call Bea." in words(amos.shown)
    assert f'href="{address}/edit"' not in amos.shown.text
    assert (await amos.open(f"{address}/edit")).status_code == 403


async def test_every_version_is_kept_and_an_older_one_comes_back_as_a_new_one(panel: Panel) -> None:
    bruno, address = await written(panel)
    await revised(bruno, address, "Call Ben.")
    old = await bruno.open(address, version="1")
    assert "This is version 1; version 2 is in force." in words(old)
    assert "Call Bea." in words(old)
    await bruno.follow(await bruno.send(f"{address}/restore", {"version": "1", "seen": "2"}))
    assert "Version 1 is in force again, as a new version." in words(bruno.shown)
    async with house_work(panel.store) as session:
        versions = list(await session.scalars(sa.select(PlaybookVersion).order_by(PlaybookVersion.number)))
    assert [each.restored_from for each in versions] == [None, None, 1]
    assert versions[2].body == versions[0].body


async def test_two_versions_are_compared_line_by_line(panel: Panel) -> None:
    bruno, address = await written(panel)
    await revised(bruno, address, TEXT.replace("Call Bea", "Call Ben"))
    compared = (await bruno.open(f"{address}/compare")).text
    assert "1. Call Bea.</del>" in compared
    assert "1. Call Ben.</ins>" in compared
    same = await bruno.open(f"{address}/compare", **{"from": "2", "to": "2"})
    assert "These two versions have the same text." in words(same)
    assert (await bruno.open(f"{address}/compare", **{"from": "1", "to": "99"})).status_code == 404


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_long_texts_are_told_without_being_matched(panel: Panel) -> None:
    """A hundred thousand lines that are all alike would keep everybody else waiting."""
    bruno, address = await written(panel, text="a\nb\n" * 49_000)
    await revised(bruno, address, "a\nx\n" + "b\na\n" * 49_000)
    answer = await bruno.open(f"{address}/compare")
    assert answer.status_code == 200
    assert answer.text.count("<ins>") == answer.text.count("<del>") == 1000


async def test_who_writes_second_is_told_and_loses_nothing(panel: Panel) -> None:
    bruno, address = await written(panel)
    boris = await panel.visit("Boris", f"{address}/edit")
    await revised(bruno, address, "Call Ben.")
    answer = await boris.send(f"{address}/edit", {"title": "Oven", "body": "Call Boris.", "seen": "1"})
    assert answer.status_code == 409
    said = words(answer)
    assert "wrote version 2" in said
    assert "Call Boris." in said
    assert "Call Ben." in said
    boris.page = answer
    again = {"title": "Oven", "body": "Call Boris.", "seen": boris.hidden("seen")}
    assert (await boris.send(f"{address}/edit", again)).status_code == 303


async def test_a_playbook_runs_no_script_and_fetches_nothing(panel: Panel) -> None:
    evil = (
        "<script>alert(1)</script>\n\n[here](javascript:alert(1)) ![p](https://elsewhere.example/p.png) "
        "<img src=x onerror=alert(1)> [there](https://there.example/) [data](data:text/html,x)"
    )
    bruno, _ = await written(panel, text=evil)
    shown = bruno.shown.text.split('class="card prose"')[1].split("</section>")[0]
    assert "<script" not in shown
    assert "<img" not in shown
    assert "[here](javascript:alert(1))" in shown
    assert 'href="https://there.example/"' in shown
    assert 'href="data:' not in shown


@pytest.mark.parametrize(
    ("field", "value"),
    [("title", ""), ("title", "x" * 201), ("body", "a\u202eb"), ("body", "x" * 200_001), ("note", "x" * 301)],
)
@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_what_makes_no_playbook_comes_back(panel: Panel, field: str, value: str) -> None:
    bruno = await panel.visit("Bruno", "/playbooks/new")
    sent = {"title": "Oven down", "body": TEXT, "note": ""} | {field: value}
    assert (await bruno.send("/playbooks/new", sent)).status_code == 422


async def test_a_neighbours_playbook_is_not_there(panel: Panel) -> None:
    _, address = await written(panel)
    clara = await panel.visit("Clara")
    for path in (address, f"{address}/edit", f"{address}/compare"):
        assert (await clara.open(path)).status_code == 404
    assert (await clara.send(f"{address}/discard")).status_code == 404
    assert "Oven down" not in words(await clara.open("/playbooks"))
    bruno = await panel.visit("Bruno", "/playbooks/new")
    theirs = {"title": "X", "body": "X", "company": str(panel.cast.tenant("Clinic").id)}
    assert (await bruno.send("/playbooks/new", theirs)).status_code == 404


async def test_discarded_and_brought_back(panel: Panel) -> None:
    bruno, address = await written(panel)
    await bruno.send(f"{address}/discard")
    assert (await bruno.send(f"{address}/edit", {"title": "Oven", "body": "X", "seen": "1"})).status_code == 409
    await bruno.send(f"{address}/undiscard")
    assert "Oven down" in words(await bruno.open("/playbooks"))


@ON_BOTH
async def test_the_database_keeps_a_version_as_it_was_written(panel: Panel) -> None:
    await written(panel)
    rows = PlaybookVersion.__table__
    for change in (sa.update(rows).values(body="mended"), sa.delete(rows)):
        with pytest.raises(DBAPIError, match="a version stays as it was written"):
            async with panel.store.writer.begin() as connection:
                await connection.execute(change)


@ON_BOTH
async def test_of_two_who_write_upon_one_version_one_succeeds(panel: Panel) -> None:
    """The second would have lost the first one's text."""
    _, address = await written(panel)
    boris, number = panel.cast.actor("Boris"), int(address.rpartition("/")[2])
    async with work_as(panel.store, boris) as session:
        playbook = await session.get_one(Playbook, number)
        await playbook.revise(session, boris, "Oven", "One.", "", NOW, seen=1)
    async with work_as(panel.store, boris) as session:
        playbook = await session.get_one(Playbook, number)
        with pytest.raises(Conflict, match="newer version"):
            await playbook.revise(session, boris, "Oven", "Two.", "", NOW, seen=1)
