"""History: found by filters that the address keeps, told in people's words, and taken away as it is shown."""

import csv
import json
import re
from io import StringIO

import sqlalchemy as sa

from tenants.people import Membership, User
from tenants.phones import Extension, find_extension
from tenants.roles import Role
from tenants.trail import Entry
from tenants.tree import Tenant
from tests.cast import bind, house_work, work_as
from tests.control.visits import House, words_of

NASTY = "<script>alert(1)</script>"


async def rename(pages: House, name: str, tenant: str, to: str) -> None:
    """Somebody renames a company."""
    async with work_as(pages.store, pages.cast.actor(name), pages.clock.now) as session:
        place = await session.get_one(Tenant, pages.cast.tenant(tenant).id)
        await place.change(session, name=to)


async def test_a_change_is_told_with_who_what_was_and_what_is(pages: House) -> None:
    await rename(pages, "Boris", "Bakery", "Bread Works")
    said = await (await pages.visit("Olaf")).read("/history?what=tenants")
    assert "Boris Birch changed Bread Works" in said
    assert "Name was Bakery → now Bread Works" in said


async def test_a_reference_is_told_by_name_and_a_record_without_one_too(pages: House) -> None:
    line = pages.cast.extension("Bakery", "203").id
    boris = pages.cast.actor("Boris")
    async with work_as(pages.store, boris, pages.clock.now) as session:
        extension = await find_extension(session, line)
        await extension.change(session, membership=await session.get_one(Membership, pages.cast.membership_id("Bruno")))
    said = await (await pages.visit("Boris")).read(f"/extensions/{line}/history")
    assert "User empty → now Bruno Brook" in said
    bea = pages.cast.extension("Bakery", "201").id
    assert "gave the licence Softphone for 201" in await (await pages.visit("Boris")).read(f"/extensions/{bea}/history")


async def test_a_secret_is_only_said_to_have_changed(pages: House) -> None:
    boris = await pages.visit("Boris")
    said = await boris.read("/history?field=password_hash")
    assert "Password changed" in said
    assert "argon2" not in await boris.get("/history?field=password_hash")


async def test_names_are_text(pages: House) -> None:
    await rename(pages, "Boris", "Bakery", NASTY)
    html = await (await pages.visit("Boris")).get("/history")
    assert NASTY not in html
    assert "&lt;script&gt;alert(1)" in html


async def test_nobody_reads_of_a_neighbour(pages: House) -> None:
    await rename(pages, "Elsa", "Zoo", "Zoological Garden")
    olaf = await pages.visit("Olaf")
    assert "Zoological" not in await olaf.read("/history")
    assert "Zoological" not in await olaf.get("/history?format=csv")
    async with house_work(pages.store) as session:
        theirs = (await session.scalars(sa.select(Entry.id).where(Entry.record_name == "Zoological Garden"))).one()
    assert "Nothing here that you can see" in await olaf.read(f"/history/{theirs}", status=404)
    assert "Zoological" in await (await pages.visit("Ada")).read(f"/history/{theirs}")


async def test_who_acted_from_above_is_named_to_the_company(pages: House) -> None:
    await rename(pages, "Olaf", "Bakery", "Bread Works")
    assert "Olaf Olsen changed Bread Works" in await (await pages.visit("Boris")).read("/history?who=olaf")


async def test_each_filter_lets_through_what_it_says(pages: House) -> None:
    await rename(pages, "Boris", "Bakery", "Bread Works")
    boris = await pages.visit("Boris")
    for filters in (
        "what=tenants",
        "field=name",
        "who=boris",
        "how=direct",
        "from=2026-11-21&to=2026-11-21",
    ):
        assert "changed Bread Works" in await boris.read(f"/history?{filters}")
    for filters in (
        "what=extensions",
        "field=host",
        "who=bea",
        "how=impersonation",
        "to=2026-11-20",
        "from=2026-11-22",
    ):
        assert "changed Bread Works" not in await boris.read(f"/history?{filters}")


async def test_filters_stay_in_the_form_and_in_the_exports(pages: House) -> None:
    bakery = pages.cast.tenant("Bakery").id
    address = f"what=tenants&field=name&how=direct&who=boris&company={bakery}&from=2026-11-01"
    await rename(pages, "Boris", "Bakery", "Bread Works")
    html = await (await pages.visit("Olaf")).get(f"/history?{address}")
    for kept in ('value="tenants" selected', 'value="name" selected', 'value="direct" selected', 'value="boris"'):
        assert kept in html
    assert f'value="{bakery}" selected' in html
    exported = re.search(r'href="(/history\?[^"]*format=csv)"', html)
    assert exported is not None
    assert all(part in exported[1].replace("&amp;", "&") for part in address.split("&"))


async def test_a_filter_that_makes_no_sense_is_refused(pages: House) -> None:
    boris = await pages.visit("Boris")
    for wrong in (
        "what=moon",
        "field=secret'",
        "how=magic",
        "from=yesterday",
        "company=x",
        "record=moon:1",
        "format=pdf",
    ):
        assert (await boris.ask(f"/history?{wrong}")).status_code == 422


async def test_a_day_is_the_readers_day(pages: House) -> None:
    async with house_work(pages.store) as session:
        boris = await session.get_one(User, pages.cast.user("Boris").id)
        await boris.change(session, zone="Pacific/Auckland")
    pages.clock.pass_(hours=3)  # noon in London, one in the morning of the next day in Auckland
    await rename(pages, "Boris", "Bakery", "Bread Works")
    reader = await pages.visit("Boris")
    assert "changed Bread Works" in await reader.read("/history?from=2026-11-22&what=tenants")
    assert "changed Bread Works" not in await reader.read("/history?to=2026-11-21&what=tenants")


async def test_a_login_as_somebody_names_both_and_a_binding_only_who_made_it(pages: House) -> None:
    await bind(pages.store, pages.cast, "Olaf", "Bakery", "201", reason="Ticket 4417, no ring")
    said = await (await pages.visit("Boris")).read("/history?what=bindings")
    assert "Olaf Olsen bound to Bea Bell, ext 201 at Bakery" in said
    assert "Ticket 4417, no ring" in said
    assert "as Bea Bell bound" not in said


async def test_a_companys_history_is_its_own_page_too(pages: House) -> None:
    await rename(pages, "Boris", "Bakery", "Bread Works")
    olaf, bakery = await pages.visit("Olaf"), pages.cast.tenant("Bakery").id
    html = await olaf.get(f"/companies/{bakery}/history")
    assert "changed Bread Works" in words_of(html)
    assert "Cora" not in html
    assert f'href="/history?company={bakery}"' in html


async def test_a_long_history_leads_on_and_repeats_nothing(pages: House) -> None:
    for number in range(60):
        await rename(pages, "Boris", "Bakery", f"Bakery {number:02}")
    boris = await pages.visit("Boris")
    first = await boris.get("/history?what=tenants&field=name&who=boris")
    following = re.search(r'rel="next" href="([^"]*)"', first)
    assert following is not None
    second = await boris.get("/history" + following[1].replace("&amp;", "&"))
    shown = [set(re.findall(r'href="(/history/\d+)"', html)) for html in (first, second)]
    assert len(shown[0]) == 50
    assert len(shown[1]) >= 10
    assert not shown[0] & shown[1]


async def test_an_export_is_exactly_what_is_shown_and_runs_no_formula(pages: House) -> None:
    await rename(pages, "Boris", "Bakery", "=1+1")
    amos = await pages.visit("Amos")
    rows = list(csv.DictReader(StringIO(await amos.get("/history?what=tenants&format=csv"))))
    assert rows[0]["who"] == "Boris Birch"
    assert rows[0]["record"] == "'=1+1"
    assert rows[0]["changes"] == "Name: Bakery → =1+1"
    assert {row["record type"] for row in rows} == {"tenants"}
    lines = [json.loads(line) for line in (await amos.get("/history?what=tenants&format=jsonl")).splitlines()]
    assert [line["id"] for line in lines] == [int(row["id"]) for row in rows]
    assert lines[0]["changes"] == {"name": ["Bakery", "=1+1"]}


async def test_an_operator_reads_but_takes_nothing_away(pages: House) -> None:
    opal = await pages.visit("Opal")
    assert "CSV" not in await opal.read("/history")
    for kind in ("csv", "jsonl"):
        await opal.get(f"/history?format={kind}", status=403)


async def test_a_supervisor_and_a_member_have_no_history_page(pages: House) -> None:
    bakery = pages.cast.tenant("Bakery").id
    for name in ("Bruno", "Bea"):
        person = await pages.visit(name)
        await person.get("/history", status=403)
        await person.get(f"/companies/{bakery}/history", status=403)
    html = await (await pages.visit("Bruno")).get(f"/companies/{bakery}")
    assert f"/companies/{bakery}/history" not in html


async def test_a_new_role_is_told_with_whose_it_is(pages: House) -> None:
    boris = pages.cast.actor("Boris")
    async with work_as(pages.store, boris, pages.clock.now) as session:
        ben = await session.get_one(Membership, pages.cast.membership_id("Ben", at="Bakery"))
        await ben.change_role(session, boris, Role.SUPERVISOR, pages.clock.now)
    said = await (await pages.visit("Boris")).read("/history?field=role&who=boris")
    assert "changed the membership of Ben Bond" in said
    assert "Role was member → now supervisor" in said


async def test_one_entry_has_a_page_with_all_that_was_written_down(pages: House) -> None:
    line = pages.cast.extension("Bakery", "203").id
    async with work_as(pages.store, pages.cast.actor("Boris"), pages.clock.now) as session:
        await (await session.get_one(Extension, line)).change(session, name="Night bell")
    async with house_work(pages.store) as session:
        number = (await session.scalars(sa.select(sa.func.max(Entry.id)))).one()
    html = await (await pages.visit("Boris")).get(f"/history/{number}")
    said = words_of(html)
    for part in ("extension.changed", "Boris Birch", "192.0.2.7", "Name empty → now Night bell", "Bakery"):
        assert part in said
    assert f'href="/extensions/{line}"' in html
