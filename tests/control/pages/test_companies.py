"""Companies: the table and its export, the tree, founding under the right parent, and discarding with care."""

import re

import pytest
import sqlalchemy as sa

from bindings.binding import Binding
from control.pages.parts import company_rows
from tenants.sign_in import SignIn
from tenants.trail import Entry
from tenants.tree import Kind, Scope, Tenant
from tests.cast import bind, house_work, work_as
from tests.control.pages.visit import Panel, choices, words

pytestmark = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


async def found(panel: Panel, parent: str, count: int, kind: Kind = Kind.CUSTOMER) -> None:
    async with house_work(panel.store) as session:
        above = await session.get_one(Tenant, panel.cast.tenant(parent).id)
        for number in range(count):
            await Tenant.found(session, above, kind, f"{kind.value.title()} {number:02}", None, panel.clock.now)


async def test_a_line_says_what_is_right_there_and_who_closed_it(panel: Panel) -> None:
    nora, olaf = panel.cast.actor("Nora"), panel.cast.actor("Olaf")
    async with work_as(panel.store, nora) as session:
        bakery = await session.get_one(Tenant, panel.cast.tenant("Bakery").id)
        await bakery.suspend(session, nora, Scope.STAFF, "An open bill", panel.clock.now)
    async with work_as(panel.store, olaf) as session:
        clinic = await session.get_one(Tenant, panel.cast.tenant("Clinic").id)
        await clinic.suspend(session, olaf, Scope.ALL, "A move of house", panel.clock.now)
    hers = words((await panel.visit("Nora", "/companies")).shown)
    assert "Oak Reseller North 2 2 0 Open" in hers
    assert "Own staff suspended by North" in hers
    his = words((await panel.visit("Olaf", "/companies")).shown)
    assert "Own staff suspended set above you" in his
    assert "Suspended by Oak" in his
    assert "North" not in his


async def test_counting_stops_so_that_a_line_costs_the_same_everywhere(
    panel: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(company_rows, "MOST_COUNTED", 3)
    await found(panel, "Oak", 5)
    async with house_work(panel.store) as session:
        oak = await session.get_one(Tenant, panel.cast.tenant("Oak").id)
        assert (await company_rows.rows_of(session, [oak]))[0].below == 3


async def test_an_export_is_written_down_before_it_goes_and_holds_what_is_shown(panel: Panel) -> None:
    await found(panel, "Oak", 3)
    olaf = await panel.visit("Olaf", "/companies")
    text = (await olaf.open("/companies", q="customer", sort="-name", format="csv")).text
    assert re.findall(r"Customer \d\d", text) == ["Customer 02", "Customer 01", "Customer 00"]
    assert "Bakery" not in text
    async with house_work(panel.store) as session:
        last = (await session.scalars(sa.select(Entry).order_by(Entry.id.desc()).limit(1))).one()
    assert (last.verb, last.actor_name) == ("tenants.exported", "Olaf Olsen")
    assert last.details["filters"] == {"q": "customer", "sort": "-name"}
    assert (await olaf.open("/companies", sort="slug", format="csv")).status_code == 422


async def test_filters_narrow_by_kind_and_state(panel: Panel) -> None:
    ada = await panel.visit("Ada", "/companies?kind=distributor")
    assert re.findall(r'class="who" href="/companies/\d+">(\w+)<', ada.shown.text) == ["North", "South"]
    async with work_as(panel.store, panel.cast.actor("Olaf")) as session:
        clinic = await session.get_one(Tenant, panel.cast.tenant("Clinic").id)
        await clinic.discard(session, panel.cast.actor("Olaf"), panel.clock.now)
    said = words(await ada.open("/companies?state=discarded"))
    assert "Clinic" in said
    assert "Discarded by Oak" in said
    assert "Clinic" not in words(await ada.open("/companies"))


async def test_the_tree_shows_ten_and_leads_to_all(panel: Panel) -> None:
    await found(panel, "Oak", 12)
    olaf = await panel.visit("Olaf", "/companies?view=tree")
    body = olaf.shown.text[olaf.shown.text.index("<tbody>") :]
    assert len(re.findall(r'class="who"', body)) == 11
    assert "All 14 under Oak" in words(olaf.shown)
    assert "style=" not in body
    assert "North" not in words(olaf.shown)
    nora = await panel.visit("Nora", "/companies?view=tree")
    oak = panel.cast.tenant("Oak").id
    assert f'href="?view=tree&amp;open={oak}" aria-expanded="false"' in nora.shown.text
    opened = await nora.open(f"/companies?view=tree&open={oak}")
    assert 'aria-expanded="true"' in opened.text
    assert 'class="deep-2"' in opened.text or 'class="deep-3"' in opened.text


async def test_the_tree_opens_nothing_out_of_reach(panel: Panel) -> None:
    south = panel.cast.tenant("South").id
    nora = await panel.visit("Nora", f"/companies?view=tree&open={south}.{panel.cast.tenant('Elm').id}")
    assert "Zoo" not in words(nora.shown)
    assert (await nora.open("/companies?view=tree&open=x.-1.99999999999999999999")).status_code == 200


async def test_ada_chooses_among_parents_and_olaf_has_only_one(panel: Panel) -> None:
    ada = await panel.visit("Ada", "/companies/new")
    assert choices(ada.shown, "parent") == [
        "Acme (Platform)",
        "Elm (Reseller)",
        "North (Distributor)",
        "Oak (Reseller)",
        "Pine (Reseller)",
        "South (Distributor)",
    ]
    assert choices(ada.shown, "kind") == ["Company", "Reseller", "Distributor"]
    olaf = await panel.visit("Olaf", "/companies/new")
    assert choices(olaf.shown, "parent") == []
    assert "Add under Oak" in words(olaf.shown)
    assert choices(olaf.shown, "kind") == ["Company", "Reseller"]


async def test_many_parents_are_found_by_a_search(panel: Panel) -> None:
    await found(panel, "North", 55, Kind.RESELLER)
    nora = await panel.visit("Nora", "/companies/new")
    assert len(choices(nora.shown, "parent")) == 50
    assert "There are more" in words(nora.shown)
    assert choices(await nora.open("/companies/new?q=reseller+54"), "parent") == ["Reseller 54 (Reseller)"]
    assert "No organization that you can see" in words(await nora.open("/companies/new?q=elm"))


async def test_a_kind_that_may_not_sit_there_comes_back_with_the_choice_as_it_was(panel: Panel) -> None:
    ada, oak = await panel.visit("Ada", "/companies/new"), panel.cast.tenant("Oak").id
    wrong = await ada.send("/companies/new", {"chosen": "1", "parent": str(oak), "kind": "distributor", "name": "Big"})
    assert wrong.status_code == 422
    assert "cannot sit there" in words(wrong)
    assert f'<option value="{oak}" selected>' in wrong.text
    zoo = str(panel.cast.tenant("Zoo").id)
    olaf = await panel.visit("Olaf", "/companies/new")
    assert (await olaf.send("/companies/new", {"parent": zoo, "kind": "customer", "name": "Mine"})).status_code == 404


async def test_a_company_may_have_a_name_in_any_script(panel: Panel) -> None:
    olaf, oak = await panel.visit("Olaf", "/companies/new"), str(panel.cast.tenant("Oak").id)
    for number, name in enumerate(("Пекарня", "مخبز", "面包店 & Co", "<i>Brot</i>", "É" * 200)):
        sent = {"parent": oak, "kind": "customer", "name": name, "slug": f"shop-{number}"}
        shown = await olaf.follow(await olaf.send("/companies/new", sent))
        assert name in words(shown)
        assert "<i>Brot" not in shown.text
    for wrong in ("", "x" * 201, "x" * 10_000, "Bro\x07t", "\u202etorB"):
        await olaf.open("/companies/new")
        sent = {"parent": oak, "kind": "customer", "name": wrong, "slug": "wrong"}
        assert (await olaf.send("/companies/new", sent)).status_code == 422


async def test_neighbours_with_the_same_name_and_short_name_are_no_hint(panel: Panel) -> None:
    olaf, oak = await panel.visit("Olaf", "/companies/new"), str(panel.cast.tenant("Oak").id)
    made = await olaf.send("/companies/new", {"parent": oak, "kind": "customer", "name": "Zoo", "slug": "zoo"})
    assert made.status_code == 303


async def test_discarding_asks_for_the_short_name_and_tells_what_ends(panel: Panel) -> None:
    await bind(panel.store, panel.cast, "Olaf", "Bakery", "201")
    await panel.visit("Bea", "/home")
    bakery = panel.cast.tenant("Bakery").id
    olaf = await panel.visit("Olaf", f"/companies/{bakery}/discard")
    said = words(olaf.shown)
    assert "people lose access" in said
    assert "One binding no longer holds" in said
    wrong = await olaf.send(f"/companies/{bakery}/discard", {"slug": "Bakery"})
    assert wrong.status_code == 422
    assert "Type “bakery” to discard Bakery" in words(wrong)
    await olaf.follow(await olaf.send(f"/companies/{bakery}/discard", {"slug": "bakery"}))
    assert "Discarded: nobody signs in here" in words(olaf.shown)
    async with house_work(panel.store) as session:
        bea = panel.cast.user("Bea").id
        assert (await session.scalars(sa.select(SignIn.ended_cause).where(SignIn.user_id == bea))).one()
    assert (await panel.stranger().sign_in("bea@bakery.example")).status_code == 422


async def test_an_old_proof_is_asked_again_before_a_company_goes(panel: Panel) -> None:
    clinic = panel.cast.tenant("Clinic").id
    olaf = await panel.visit("Olaf", f"/companies/{clinic}/discard")
    panel.clock.pass_(minutes=20)
    led = await olaf.send(f"/companies/{clinic}/discard", {"slug": "clinic"})
    assert led.status_code == 303
    assert led.headers["location"].startswith("/prove?next=")
    async with house_work(panel.store) as session:
        assert (await session.get_one(Tenant, clinic)).discarded_at is None


async def test_it_comes_back_without_its_bindings_and_only_at_the_level_that_discarded_it(panel: Panel) -> None:
    await bind(panel.store, panel.cast, "Olaf", "Clinic", "301")
    clinic = panel.cast.tenant("Clinic").id
    nora = await panel.visit("Nora", f"/companies/{clinic}/discard")
    await nora.send(f"/companies/{clinic}/discard", {"slug": "clinic"})
    olaf = await panel.visit("Olaf", f"/companies/{clinic}")
    assert f'action="/companies/{clinic}/undiscard"' in olaf.shown.text
    refused = await olaf.send(f"/companies/{clinic}/undiscard")
    assert refused.status_code == 403
    assert "set above you" in words(refused)
    await nora.open(f"/companies/{clinic}")
    await nora.follow(await nora.send(f"/companies/{clinic}/undiscard"))
    assert "Open" in words(nora.shown)
    async with house_work(panel.store) as session:
        binding = (await session.scalars(sa.select(Binding).where(Binding.tenant_id == clinic))).one()
        assert (binding.ended_cause, (await session.get_one(Tenant, clinic)).slug) == ("subject_discarded", "clinic")


async def test_nobody_discards_their_own_or_what_has_others_below_it(panel: Panel) -> None:
    boris, bakery = await panel.visit("Boris"), panel.cast.tenant("Bakery").id
    assert (await boris.open(f"/companies/{bakery}/discard")).status_code == 409
    nora, oak = await panel.visit("Nora"), panel.cast.tenant("Oak").id
    assert "2 are still below it" in words(await nora.open(f"/companies/{oak}/discard"))
    refused = await nora.send(f"/companies/{oak}/discard", {"slug": "oak"})
    assert refused.status_code == 409
    assert (await nora.open(f"/companies/{panel.cast.tenant('Zoo').id}/discard")).status_code == 404
