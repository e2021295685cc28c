"""Companies, members, phone systems, extensions, licences, apps and the login test, as people use their pages."""

import re

import sqlalchemy as sa

from bindings.apps import App
from bindings.binding import Binding
from tenants.people import Membership, User
from tenants.phones import Extension, Licence, PhoneSystem, Product, find_extension
from tenants.roles import Role
from tenants.trail import Entry
from tenants.tree import Kind, Scope, Tenant
from tests.cast import bind, house_work, work_as
from tests.control.visits import Form, House, main_of, words_of

HUGE = 10**30
FORMULA = '=HYPERLINK("http://evil.example")'
NASTY = "<img src=x onerror=alert(1)> & Söhne"


def neighbours(pages: House) -> list[str]:
    """Every page of a record at Zoo, which lies in another line of the tree than Oak."""
    zoo, phones = pages.cast.tenant("Zoo").id, pages.cast.phone_system_id("Zoo")
    line = pages.cast.extension("Zoo", "201").id
    zoe = pages.cast.membership_id("Zoe")
    return [
        *(f"/companies/{zoo}{tab}" for tab in ("", "/extensions", "/members", "/phone-systems", "/history", "/edit")),
        f"/companies/{zoo}/siblings",
        f"/companies/{zoo}/members/{zoe}/role",
        f"/companies/{zoo}/members/{zoe}/end",
        f"/companies/new?parent={zoo}",
        f"/companies?parent={zoo}",
        *(f"/phone-systems/{phones}{tab}" for tab in ("", "/extensions", "/history")),
        f"/phone-systems/new?company={zoo}",
        *(f"/extensions/{line}{tab}" for tab in ("", "/history", "/discard")),
        f"/extensions/new?phone_system={phones}",
        f"/extensions?phone_system={phones}",
        f"/history?company={zoo}",
    ]


async def test_what_lies_at_a_neighbours_is_not_there_for_olaf(pages: House) -> None:
    olaf = await pages.visit("Olaf")
    for path in neighbours(pages):
        said = await olaf.read(path, status=404)
        assert "Nothing here that you can see" in said
        assert "Zoo" not in said


async def test_olaf_changes_nothing_at_a_neighbours(pages: House) -> None:
    olaf, zoe = await pages.visit("Olaf"), pages.cast.membership_id("Zoe")
    zoo, phones = pages.cast.tenant("Zoo").id, pages.cast.phone_system_id("Zoo")
    line = pages.cast.extension("Zoo", "201").id
    async with house_work(pages.store) as session:
        licence = (await session.scalars(sa.select(Licence.id).where(Licence.extension_id == line))).first()
        before = (await session.scalars(sa.select(sa.func.max(Entry.id)).where(Entry.tenant_id == zoo))).one()
    attempts: dict[str, Form] = {
        "/companies/new": {"parent": str(zoo), "kind": "customer", "name": "Mine"},
        f"/companies/{zoo}/edit": {"name": "Mine", "slug": "mine", "zone": "Europe/London"},
        f"/companies/{zoo}/members/{zoe}/role": {"role": "admin"},
        f"/companies/{zoo}/members/{zoe}/end": {},
        f"/companies/{zoo}/members/{zoe}/bring-back": {},
        "/phone-systems/new": {"company": str(zoo), "name": "Mine", "host": "mine.example"},
        f"/phone-systems/{phones}": {"name": "Mine", "host": "mine.example"},
        "/extensions/new": {"phone_system": str(phones), "number": "299"},
        f"/extensions/{line}": {"name": "Mine"},
        f"/extensions/{line}/discard": {},
        f"/extensions/{line}/licences": {"product": str(pages.cast.product_id("Desk"))},
        f"/extensions/{line}/licences/{licence}/withdraw": {},
        f"/extensions/{line}/licences/{licence}/app-admin": {"app_admin": "1"},
    }
    for path, fields in attempts.items():
        await olaf.post(path, at="/companies/new", status=404, **fields)
    async with house_work(pages.store) as session:
        after = (await session.scalars(sa.select(sa.func.max(Entry.id)).where(Entry.tenant_id == zoo))).one()
    assert after == before


async def test_names_are_text_on_every_page(pages: House) -> None:
    bakery, phones = pages.cast.tenant("Bakery").id, pages.cast.phone_system_id("Bakery")
    line = pages.cast.extension("Bakery", "201").id
    await bind(pages.store, pages.cast, "Olaf", "Bakery", "201", reason=NASTY)
    async with house_work(pages.store) as session:
        for thing in (
            await session.get_one(Tenant, bakery),
            await session.get_one(PhoneSystem, phones),
            await session.get_one(Extension, line),
            await session.get_one(User, pages.cast.user("Bea").id),
            await session.get_one(App, pages.cast.app_id("softphone")),
        ):
            await thing.change(session, name=NASTY)
    ada = await pages.visit("Ada")
    for path in (
        "/companies",
        "/companies?view=tree",
        *(
            f"/companies/{bakery}{tab}"
            for tab in ("", "/extensions", "/members", "/phone-systems", "/history", "/edit")
        ),
        "/phone-systems",
        f"/phone-systems/{phones}",
        f"/phone-systems/new?company={bakery}",
        "/extensions",
        *(f"/extensions/{line}{tab}" for tab in ("", "/history", "/discard")),
        "/history",
        "/apps",
        f"/apps/{pages.cast.app_id('softphone')}",
        "/resolve?user=bea@bakery.example&app=softphone",
    ):
        html = await ada.get(path)
        assert "<img src=x" not in html
        assert "&lt;img src=x" in html or path == "/companies?view=tree"


async def test_a_number_that_is_no_record_is_refused_cleanly(pages: House) -> None:
    ada = await pages.visit("Ada")
    for path in ("companies", "phone-systems", "extensions", "apps", "history"):
        for number in ("0", "999999", str(HUGE), "abc", "-1"):
            assert (await ada.ask(f"/{path}/{number}")).status_code in {400, 404}


async def test_a_list_refuses_filters_that_make_no_sense(pages: House) -> None:
    olaf = await pages.visit("Olaf")
    for wrong in ("sort=evil", "cursor=x", "kind=moon", f"parent={HUGE}", "q=%00", f"q={'x' * 999}"):
        assert (await olaf.ask(f"/companies?{wrong}")).status_code == 422


# --- Companies


async def test_olaf_sees_his_companies_and_no_others(pages: House) -> None:
    said = await (await pages.visit("Olaf")).read("/companies")
    assert "Bakery" in said
    assert "Clinic" in said
    assert "Zoo" not in said
    assert "North" not in said


async def test_a_search_narrows_and_the_other_header_turns_the_order(pages: House) -> None:
    olaf = await pages.visit("Olaf")
    assert "Clinic" not in await olaf.read("/companies?q=bak")
    html = await olaf.get("/companies?sort=-name")
    assert html.index("Oak</a>") < html.index("Clinic</a>") < html.index("Bakery</a>")
    assert 'aria-sort="descending"' in html


async def test_pages_of_fifty_lead_on_by_their_cursor(pages: House) -> None:
    async with house_work(pages.store) as session:
        oak = await session.get_one(Tenant, pages.cast.tenant("Oak").id)
        for number in range(60):
            await Tenant.found(session, oak, Kind.CUSTOMER, f"Shop {number:02}", None, pages.clock.now)
    olaf = await pages.visit("Olaf")
    first = await olaf.get("/companies?q=shop")
    following = re.search(r'href="(\?[^"]*cursor=[^"]*)" *>Next|rel="next" href="([^"]*)"', first)
    assert following is not None
    second = await olaf.get("/companies" + (following[1] or following[2]).replace("&amp;", "&"))
    seen = re.findall(r">(Shop \d\d)</a>", first), re.findall(r">(Shop \d\d)</a>", second)
    assert (len(seen[0]), len(seen[1])) == (50, 10)
    assert not set(seen[0]) & set(seen[1])


async def test_the_tree_opens_one_level_at_a_time(pages: House) -> None:
    nora, oak = await pages.visit("Nora"), pages.cast.tenant("Oak").id
    assert "Bakery" not in await nora.read("/companies?view=tree")
    assert "Bakery" in await nora.read(f"/companies?view=tree&open={oak}")


async def test_olaf_adds_a_company_and_may_not_use_a_short_name_twice(pages: House) -> None:
    olaf, oak = await pages.visit("Olaf"), pages.cast.tenant("Oak").id
    fields: Form = {"parent": str(oak), "kind": "customer", "name": NASTY, "slug": "soehne"}
    answer = await olaf.post("/companies/new", at="/companies/new", **fields)
    html = await olaf.get(answer.headers["location"])
    assert "<img src=x" not in html
    assert "&lt;img src=x" in html
    again = await olaf.post("/companies/new", at="/companies/new", status=422, **fields)
    assert "already used" in words_of(again.text)
    assert 'value="soehne"' in again.text


async def test_a_company_cannot_have_companies_below(pages: House) -> None:
    olaf, bakery = await pages.visit("Olaf"), pages.cast.tenant("Bakery").id
    assert "it is a company" in await olaf.read(f"/companies/new?parent={bakery}", status=409)
    fields: Form = {"parent": str(bakery), "kind": "customer", "name": "Below"}
    await olaf.post("/companies/new", at="/companies/new", status=409, **fields)


async def test_boris_renames_his_company_and_nothing_is_saved_twice(pages: House) -> None:
    boris, bakery = await pages.visit("Boris"), pages.cast.tenant("Bakery").id
    edit = f"/companies/{bakery}/edit"
    await boris.post(edit, at=edit, name="Bread & Co", slug="bakery", zone="Europe/Paris")
    assert "Bread & Co" in await boris.read(f"/companies/{bakery}")
    assert "Europe/Paris" in await boris.read(f"/companies/{bakery}")
    wrong = await boris.post(edit, at=edit, status=422, name="Moon base", slug="bakery", zone="Moon/Sea")
    assert "This is not a time zone" in words_of(wrong.text)
    assert "Moon base" not in await boris.read(f"/companies/{bakery}")


async def test_a_suspended_company_says_so_with_the_reason(pages: House) -> None:
    olaf, nora = pages.cast.actor("Olaf"), await pages.visit("Nora")
    async with work_as(pages.store, olaf) as session:
        bakery = await session.get_one(Tenant, pages.cast.tenant("Bakery").id)
        await bakery.suspend(session, olaf, Scope.ALL, "The bill of May is open", pages.clock.now)
    assert "The bill of May is open" in await nora.read(f"/companies/{pages.cast.tenant('Bakery').id}")
    assert "Bakery" in await nora.read("/companies?state=suspended")
    assert "Clinic" not in await nora.read("/companies?state=suspended")


async def test_the_trail_above_a_page_starts_at_ones_own_root(pages: House) -> None:
    bakery = pages.cast.tenant("Bakery").id
    html = await (await pages.visit("Olaf")).get(f"/companies/{bakery}")
    crumbs = html[html.index('class="crumbs"') : html.index('id="switcher"')]
    assert re.findall(r">(\w+)</a>", crumbs) == ["Oak", "Bakery"]
    assert f'href="/companies/{bakery}/siblings"' in crumbs
    assert f"/companies/{pages.cast.tenant('Oak').id}/siblings" not in crumbs


async def test_the_switcher_knows_siblings_in_reach_only(pages: House) -> None:
    bakery = f"/companies/{pages.cast.tenant('Bakery').id}/siblings"
    assert "Clinic" in await (await pages.visit("Olaf")).read(bakery)
    assert "Clinic" not in await (await pages.visit("Boris")).read(bakery)


async def test_a_spreadsheet_gets_no_formula_and_only_what_was_filtered(pages: House) -> None:
    olaf, oak = await pages.visit("Olaf"), pages.cast.tenant("Oak").id
    fields: Form = {"parent": str(oak), "kind": "customer", "name": FORMULA, "slug": "formula"}
    await olaf.post("/companies/new", at="/companies/new", **fields)
    text = await olaf.get("/companies?q=hyper&format=csv")
    assert '"\'=HYPERLINK(""http://evil.example"")"' in text
    assert "Bakery" not in text


# --- Members


async def test_boris_makes_ben_supervisor_and_bruno_may_not(pages: House) -> None:
    bakery, ben = pages.cast.tenant("Bakery").id, pages.cast.membership_id("Ben", at="Bakery")
    role = f"/companies/{bakery}/members/{ben}/role"
    await (await pages.visit("Boris")).post(role, at=role, role="supervisor")
    async with house_work(pages.store) as session:
        assert (await session.get_one(Membership, ben)).role == "supervisor"
    await (await pages.visit("Bruno")).get(role, status=403)
    async with house_work(pages.store) as session:
        last = sa.select(Entry).order_by(Entry.id.desc()).limit(1)
        refused = (await session.scalars(last)).one()
        assert (refused.verb, refused.actor_name) == ("refused", "Bruno Brook")


async def test_a_role_that_one_may_not_give_is_refused_and_written_down(pages: House) -> None:
    acme, ada = pages.cast.tenant("Acme").id, pages.cast.actor("Ada")
    async with work_as(pages.store, ada, pages.clock.now) as session:
        axel = await session.get_one(Membership, pages.cast.membership_id("Axel"))
        await axel.change_role(session, ada, Role.ADMIN, pages.clock.now)
    role = f"/companies/{acme}/members/{axel.id}/role"
    answer = await (await pages.visit("Ada")).post(role, at=role, status=403, role="member")
    assert "Your role is not above theirs" in words_of(answer.text)
    async with house_work(pages.store) as session:
        last = (await session.scalars(sa.select(Entry).order_by(Entry.id.desc()).limit(1))).one()
        assert (last.verb, last.details["rule"]) == ("refused", "rank")


async def test_nobody_operates_in_a_company_and_the_last_admin_stays(pages: House) -> None:
    bakery = pages.cast.tenant("Bakery").id
    boris, mine = await pages.visit("Boris"), pages.cast.membership_id("Boris")
    role = f"/companies/{bakery}/members/{mine}/role"
    last = await boris.post(role, at=role, status=409, role="member")
    assert "You are the last admin here" in words_of(last.text)
    other = f"/companies/{bakery}/members/{pages.cast.membership_id('Bea')}/role"
    assert 'value="operator"' not in await boris.get(other)
    await boris.post(other, at=other, status=422, role="operator")
    await boris.post(other, at=other, status=422, role="emperor")


async def test_a_membership_ends_and_is_brought_back_as_a_plain_member(pages: House) -> None:
    bakery, bruno = pages.cast.tenant("Bakery").id, pages.cast.membership_id("Bruno")
    boris, members = await pages.visit("Boris"), f"/companies/{pages.cast.tenant('Bakery').id}/members"
    await boris.post(f"{members}/{bruno}/end", at=f"{members}/{bruno}/end")
    said = await boris.get(members)
    assert "bruno@bakery.example" not in said
    assert f'action="/companies/{bakery}/members/{bruno}/bring-back"' in said
    assert "bruno@bakery.example" in await boris.read(f"{members}?state=ended")
    await boris.post(f"{members}/{bruno}/bring-back", at=members)
    async with house_work(pages.store) as session:
        assert (await session.get_one(Membership, bruno)).role == "member"


# --- Auditors look and change nothing


async def test_an_auditor_sees_and_changes_nothing(pages: House) -> None:
    amos, bakery = await pages.visit("Amos"), pages.cast.tenant("Bakery").id
    phones, line = pages.cast.phone_system_id("Bakery"), pages.cast.extension("Bakery", "201").id
    shown = f"/companies/{bakery}", f"/phone-systems/{phones}", f"/extensions/{line}"
    for path in shown:
        assert 'method="post"' not in main_of(await amos.get(path))
    for path in (f"/companies/{bakery}/edit", "/companies/new", "/phone-systems/new", "/extensions/new", "/apps/new"):
        await amos.get(path, status=403)
    changes = {
        f"/companies/{bakery}/edit": {"name": "Mine", "slug": "mine", "zone": "Europe/London"},
        f"/phone-systems/{phones}": {"name": "Mine", "host": "mine.example"},
        f"/extensions/{line}": {"name": "Mine"},
        f"/extensions/{line}/licences": {"product": "1"},
        f"/extensions/{line}/discard": {},
    }
    for path, fields in changes.items():
        await amos.post(path, at=shown[0], status=403, **fields)
    async with house_work(pages.store) as session:
        assert (await session.get_one(Tenant, bakery)).name == "Bakery"
        assert (await session.get_one(PhoneSystem, phones)).name == "Bakery PBX"
        assert (await session.get_one(Extension, line)).discarded_at is None


async def test_a_member_has_none_of_these_pages(pages: House) -> None:
    bea = await pages.visit("Bea")
    for path in ("/companies", "/phone-systems", "/extensions", "/history", "/apps", "/resolve"):
        await bea.get(path, status=403)


# --- Phone systems


async def test_olaf_adds_a_phone_system_to_clinic_and_gives_it_another_host(pages: House) -> None:
    olaf, clinic = await pages.visit("Olaf"), pages.cast.tenant("Clinic").id
    new = f"/phone-systems/new?company={clinic}"
    fields: Form = {"company": str(clinic), "name": "Annexe", "host": "annexe.pbx.example"}
    made = (await olaf.post("/phone-systems/new", at=new, **fields)).headers["location"]
    await olaf.post(made, at=made, name="Annexe", host="other.pbx.example")
    assert "other.pbx.example" in await olaf.get(made)
    wrong = await olaf.post(made, at=made, status=422, name="Annexe", host="not a host")
    assert "A host is a name such as" in words_of(wrong.text)


async def test_a_phone_system_begins_with_the_choice_of_a_company(pages: House) -> None:
    olaf = await pages.visit("Olaf")
    said = await olaf.read("/phone-systems/new")
    assert "Bakery" in said
    assert "Zoo" not in said
    assert "Bakery" not in await olaf.read("/phone-systems/new?q=clinic")


# --- Extensions


async def test_the_list_crosses_companies_and_the_words_narrow_it_together(pages: House) -> None:
    olaf = await pages.visit("Olaf")
    everything = await olaf.read("/extensions")
    assert "bea@bakery.example" in everything
    assert "cora@clinic.example" in everything
    assert "zoe@zoo.example" not in everything
    narrowed = await olaf.read("/extensions?q=20+bakery")
    assert "cora@clinic.example" not in narrowed
    assert "bea@bakery.example" in narrowed


async def test_who_is_desk_admin_is_a_filter(pages: House) -> None:
    said = await (await pages.visit("Boris")).read("/extensions?product=desk:admin")
    assert "bea@bakery.example" in said
    assert "ben@bakery.example" not in said


async def test_numbers_without_a_user_are_a_filter(pages: House) -> None:
    said = await (await pages.visit("Boris")).read("/extensions?free=1")
    assert "203" in said
    assert "201" not in said


async def test_bind_me_leads_to_ones_own_user_bindings(pages: House) -> None:
    olaf, line = await pages.visit("Olaf"), pages.cast.extension("Bakery", "201")
    href = f"/users/{pages.cast.user('Olaf').id}/bindings?phone_system={line.phone_system_id}&amp;extension={line.id}"
    assert f'href="{href}"' in await olaf.get("/extensions")
    assert "Bind me to 203" not in await olaf.get("/extensions")
    assert "Bind me" not in await (await pages.visit("Amos")).get("/extensions")


async def test_the_list_says_who_is_bound(pages: House) -> None:
    await bind(pages.store, pages.cast, "Olaf", "Bakery", "201")
    assert "Olaf Olsen" in main_of(await (await pages.visit("Opal")).get("/extensions?q=201"))


async def test_olaf_adds_an_extension_with_its_user(pages: House) -> None:
    olaf, phones = await pages.visit("Olaf"), pages.cast.phone_system_id("Bakery")
    new = f"/extensions/new?phone_system={phones}"
    bruno = str(pages.cast.membership_id("Bruno"))
    fields: Form = {"phone_system": str(phones), "number": "210", "name": "Office", "membership": bruno}
    made = (await olaf.post("/extensions/new", at=new, **fields)).headers["location"]
    assert "Bruno Brook" in await olaf.read(made)
    taken = await olaf.post("/extensions/new", at=new, status=422, **fields)
    assert "210 is already used" in words_of(taken.text)


async def test_an_extension_goes_to_somebody_of_its_own_company_only(pages: House) -> None:
    line = pages.cast.extension("Bakery", "203")
    path, olaf = f"/extensions/{line.id}", await pages.visit("Olaf")
    cora = str(pages.cast.membership_id("Cora"))
    refused = await olaf.post(path, at=path, status=422, name="", membership=cora)
    assert "Nobody of this company fits" in words_of(refused.text)
    bruno = pages.cast.membership_id("Bruno")
    await olaf.post(path, at=path, name="Night bell", membership=str(bruno))
    async with house_work(pages.store) as session:
        extension = await find_extension(session, line.id)
        assert (extension.name, extension.membership_id) == ("Night bell", bruno)


async def test_an_extension_out_of_use_frees_its_number(pages: House) -> None:
    line, olaf = pages.cast.extension("Bakery", "203"), await pages.visit("Olaf")
    await olaf.post(f"/extensions/{line.id}/discard", at=f"/extensions/{line.id}/discard")
    assert "203" not in await olaf.read("/extensions?company=" + str(line.tenant_id))
    await olaf.post(f"/extensions/{line.id}/discard", at="/companies/new", status=409)


# --- Licences


async def test_a_licence_is_given_made_admin_and_taken_back(pages: House) -> None:
    olaf, line = await pages.visit("Olaf"), pages.cast.extension("Bakery", "203").id
    path, desk = f"/extensions/{line}", str(pages.cast.product_id("Desk"))
    await olaf.post(f"{path}/licences", at=path, product=desk)
    async with house_work(pages.store) as session:
        licence = (await session.scalars(sa.select(Licence).where(Licence.extension_id == line))).one()
    base = f"{path}/licences/{licence.id}"
    assert not licence.app_admin
    await olaf.post(f"{base}/app-admin", at=path, app_admin="1")
    assert "desk:admin" in await olaf.get("/extensions")
    assert "203" in await olaf.read("/extensions?product=desk:admin")
    await olaf.post(f"{base}/withdraw", at=path)
    assert "203" not in await olaf.read("/extensions?product=desk")
    await olaf.post(f"{base}/withdraw", at=path, status=409)


async def test_a_licence_belongs_to_the_extension_of_the_address(pages: House) -> None:
    olaf = await pages.visit("Olaf")
    bea, ben = (pages.cast.extension("Bakery", number).id for number in ("201", "202"))
    async with house_work(pages.store) as session:
        theirs = (await session.scalars(sa.select(Licence.id).where(Licence.extension_id == bea))).first()
    await olaf.post(f"/extensions/{ben}/licences/{theirs}/withdraw", at=f"/extensions/{ben}", status=404)


# --- Apps


async def test_ada_registers_an_app_and_sees_its_secret_once(pages: House) -> None:
    ada = await pages.visit("Ada")
    fields: Form = {"name": "Wallboard", "type": "web", "client_id": "wallboard"}
    answer = await ada.post(
        "/apps/new", at="/apps/new", status=200, redirect_uris="https://wall.example/callback", **fields
    )
    secret = re.search(r'id="client-secret">([^<]+)<', answer.text)
    assert secret is not None
    assert answer.headers["cache-control"] == "no-store"
    async with house_work(pages.store) as session:
        app = (await session.scalars(sa.select(App).where(App.client_id == "wallboard"))).one()
    assert secret[1] not in await ada.get(f"/apps/{app.id}")


async def test_an_app_goes_to_no_address_that_is_not_safe(pages: House) -> None:
    ada, path = await pages.visit("Ada"), f"/apps/{pages.cast.app_id('softphone')}"
    fields: Form = {"name": "Wallboard", "type": "web", "client_id": "wallboard"}
    for address in ("", "http://wall.example/callback", "https://wall.example/#x", "javascript:alert(1)"):
        await ada.post("/apps/new", at="/apps/new", status=422, redirect_uris=address, **fields)
        await ada.post(path, at=path, status=422, name="Softphone", redirect_uris=address)


async def test_where_logins_end_up_is_changed_only_after_a_fresh_proof(pages: House) -> None:
    ada, path = await pages.visit("Ada"), f"/apps/{pages.cast.app_id('softphone')}"
    pages.clock.pass_(minutes=16)
    assert 'name="redirect_uris"' not in await ada.get(path)
    moved: Form = {"name": "Softphone", "redirect_uris": "https://elsewhere.example/"}
    for at in (path, f"{path}/secret", "/apps/new"):
        answer = await ada.post(at, at="/account", **moved)
        assert answer.headers["location"].startswith("/prove?next=")
    async with house_work(pages.store) as session:
        softphone = await session.get_one(App, pages.cast.app_id("softphone"))
        assert "https://elsewhere.example/" not in softphone.redirect_uris


async def test_a_new_secret_ends_the_old_one(pages: House) -> None:
    ada, path = await pages.visit("Ada"), f"/apps/{pages.cast.app_id('softphone')}/secret"
    shown = (await ada.post(path, at=path, status=200)).text
    secret = re.search(r'id="client-secret">([^<]+)<', shown)
    assert secret is not None
    assert secret[1] != pages.cast.secrets["softphone"]


async def test_an_app_is_discarded_by_typing_its_client_id(pages: House) -> None:
    ada, path = await pages.visit("Ada"), f"/apps/{pages.cast.app_id('desk-client')}"
    await ada.post(f"{path}/discard", at=f"{path}/discard", status=422, client_id="softphone")
    await ada.post(f"{path}/discard", at=f"{path}/discard", client_id="desk-client")
    assert "desk-client" not in await ada.read("/apps")


async def test_an_app_of_a_level_above_is_seen_and_not_touched(pages: House) -> None:
    olaf, path = await pages.visit("Olaf"), f"/apps/{pages.cast.app_id('softphone')}"
    said = await olaf.read(path)
    assert "belongs to a level above yours" in said
    assert "Acme" not in said
    await olaf.post(path, at="/apps/new", status=403, name="Mine", redirect_uris="https://mine.example/")
    await olaf.get(f"{path}/secret", status=403)


# --- What a login would give


async def test_a_login_is_tried_without_logging_in(pages: House) -> None:
    await bind(pages.store, pages.cast, "Olaf", "Bakery", "201")
    opal = await pages.visit("Opal")
    said = await opal.read("/resolve?user=olaf@oak.example&app=softphone")
    assert "Softphone sees Bea Bell" in said
    assert "Olaf Olsen" in said


async def test_the_test_names_the_rule_that_refuses(pages: House) -> None:
    boris = await pages.visit("Boris")
    said = await boris.read("/resolve?user=ben@bakery.example&app=desk-admin")
    assert "App admins there: Bea Bell" in said
    assert "They can continue in Desk Client" in said


async def test_looking_at_a_stale_binding_leaves_it_as_it_is(pages: House) -> None:
    number = await bind(pages.store, pages.cast, "Olaf", "Bakery", "201")
    async with house_work(pages.store) as session:
        extension = await find_extension(session, pages.cast.extension("Bakery", "201").id)
        await extension.change(session, membership=None)
    said = await (await pages.visit("Opal")).read("/resolve?user=olaf@oak.example&app=softphone")
    assert "belongs to somebody else" in said
    async with house_work(pages.store) as session:
        assert (await session.get_one(Binding, number)).ended_at is None


async def test_a_login_that_opens_as_a_stranger_tells_nothing_of_them(pages: House) -> None:
    async with house_work(pages.store) as session:
        extension = await find_extension(session, pages.cast.extension("Bakery", "202").id)
        await extension.change(session, membership=None)
        clinic = await session.get_one(PhoneSystem, pages.cast.phone_system_id("Clinic"))
        there = await session.get_one(Membership, pages.cast.membership_id("Ben", at="Clinic"))
        made = await Extension.create(session, clinic, "377", pages.clock.now, membership=there)
        softphone = await session.get_one(Product, pages.cast.product_id("Softphone"))
        await Licence.grant(session, made, softphone, pages.clock.now)
    said = await (await pages.visit("Boris")).read("/resolve?user=ben@bakery.example&app=softphone")
    assert "somebody whom you cannot see" in said
    assert "377" not in said
    assert "Clinic" not in said


async def test_nobody_out_of_reach_can_be_tried(pages: House) -> None:
    olaf = await pages.visit("Olaf")
    stranger = await olaf.read("/resolve?user=zoe@zoo.example&app=softphone", status=404)
    nobody = await olaf.read("/resolve?user=nobody@zoo.example&app=softphone", status=404)
    assert stranger == nobody
