"""The Bindings page: who becomes whom, and the end of it by whoever may."""

import sqlalchemy as sa

from bindings.binding import Binding
from tests.cast import bind, house_work
from tests.control.pages.visit import Panel, words


async def ended_cause(panel: Panel, binding_id: int) -> str | None:
    async with house_work(panel.store) as session:
        return (await session.get_one(Binding, binding_id)).ended_cause


async def release(panel: Panel, name: str, binding_id: int) -> int:
    visit = await panel.visit(name)
    return (await visit.send(f"/bindings/{binding_id}/release")).status_code


async def test_everybody_above_sees_who_becomes_whom_and_siblings_see_nothing(panel: Panel) -> None:
    await bind(panel.store, panel.cast, "Olaf", "Bakery", "201", panel.clock.now, reason="Ticket 4417: no ring")
    for name in ("Olaf", "Opal", "Nora", "Axel", "Boris", "Bruno", "Amos"):
        shown = words((await panel.visit(name, "/bindings")).shown)
        assert "Bea Bell ext 201 at Bakery Every app Ticket 4417: no ring" in shown, name
    for name in ("Pia", "Elsa", "Sven", "Clara"):
        page = (await panel.visit(name, "/bindings")).shown
        assert page.status_code == 200
        assert "Olaf" not in page.text, name


async def test_boris_sees_the_name_of_olaf_but_is_not_led_to_his_record(panel: Panel) -> None:
    await bind(panel.store, panel.cast, "Olaf", "Bakery", "201", panel.clock.now)
    boris = await panel.visit("Boris", "/bindings")
    assert "Olaf Olsen" in words(boris.shown)
    assert f"/users/{panel.cast.user('Olaf').id}" not in boris.shown.text


async def test_pia_releases_from_the_bar_where_she_is_and_takes_it_back(panel: Panel) -> None:
    binding_id = await bind(panel.store, panel.cast, "Pia", "Dairy", "101", panel.clock.now, reason="No ring, 4417")
    pia = await panel.visit("Pia", "/users?q=dan")
    assert f'action="/bindings/{binding_id}/release"' in pia.shown.text
    answer = await pia.send(f"/bindings/{binding_id}/release", Referer="http://localhost:8000/users?q=dan")
    assert answer.headers["location"] == "/users?q=dan"
    assert await ended_cause(panel, binding_id) == "released"
    await pia.follow(answer)
    assert 'data-stand-in="binding"' not in pia.shown.text
    assert "Released. Your apps no longer open as Dan Dale, ext 101." in words(pia.shown)
    await pia.follow(await pia.send(f"/bindings/{binding_id}/again"))
    assert 'data-stand-in="binding"' in pia.shown.text
    async with house_work(panel.store) as session:
        again = (await session.scalars(sa.select(Binding).where(Binding.ended_at.is_(None)))).one()
    assert (again.subject_name, again.reason) == ("Dan Dale", "No ring, 4417")


async def test_a_release_is_led_back_only_to_our_own_pages(panel: Panel) -> None:
    binding_id = await bind(panel.store, panel.cast, "Pia", "Dairy", "101", panel.clock.now)
    pia = await panel.visit("Pia")
    answer = await pia.send(f"/bindings/{binding_id}/release", Referer="https://evil.example/users")
    assert answer.headers["location"] == "/bindings"


async def test_what_has_ended_cannot_be_ended_or_taken_back_twice(panel: Panel) -> None:
    binding_id = await bind(panel.store, panel.cast, "Pia", "Dairy", "101", panel.clock.now)
    pia = await panel.visit("Pia")
    assert (await pia.send(f"/bindings/{binding_id}/again")).status_code == 404
    assert (await pia.send(f"/bindings/{binding_id}/release")).status_code == 303
    assert (await pia.send(f"/bindings/{binding_id}/release")).status_code == 409
    ada = await panel.visit("Ada")
    assert (await ada.send(f"/bindings/{binding_id}/again")).status_code == 404


async def test_who_may_end_somebody_elses_binding(panel: Panel) -> None:
    by_olaf = await bind(panel.store, panel.cast, "Olaf", "Bakery", "201", panel.clock.now)
    for name, status in (("Pia", 404), ("Clara", 404), ("Amos", 403), ("Opal", 403), ("Ben", 404)):
        assert await release(panel, name, by_olaf) == status, name
    assert await ended_cause(panel, by_olaf) is None
    assert await release(panel, "Boris", by_olaf) == 303
    assert await ended_cause(panel, by_olaf) == "ended_by_admin"


async def test_the_button_is_offered_to_whom_it_works_for(panel: Panel) -> None:
    by_olaf = await bind(panel.store, panel.cast, "Olaf", "Bakery", "201", panel.clock.now)
    by_opal = await bind(panel.store, panel.cast, "Opal", "Bakery", "202", panel.clock.now)
    both: set[int] = {by_olaf, by_opal}
    for name, buttons in (("Olaf", both), ("Boris", both), ("Opal", {by_opal}), ("Bruno", set()), ("Amos", set())):
        page = (await panel.visit(name, "/bindings")).shown.text
        table = page.partition("<table")[2]
        assert {each for each in both if f"/bindings/{each}/release" in table} == buttons, name


async def test_bea_sees_at_home_who_opens_the_apps_as_her_and_ends_it(panel: Panel) -> None:
    why = "Ticket 4417: no ring"
    binding_id = await bind(panel.store, panel.cast, "Opal", "Bakery", "201", panel.clock.now, reason=why)
    bea = await panel.visit("Bea", "/home")
    assert f"Opal Orr Every app {why}" in words(bea.shown)
    assert "Opal Orr Oak 09:00 London bound to Bea Bell, ext 201 at Bakery" in words(bea.shown)
    assert (await bea.send(f"/bindings/{binding_id}/release")).headers["location"] == "/home"
    assert await ended_cause(panel, binding_id) == "ended_by_subject"
    ben = await panel.visit("Ben", "/home")
    assert "Opal" not in words(ben.shown)


async def test_the_list_is_searched_sorted_and_keeps_what_has_ended(panel: Panel) -> None:
    first = await bind(panel.store, panel.cast, "Ada", "Dairy", "101", panel.clock.now)
    await bind(panel.store, panel.cast, "Pia", "Dairy", "102", panel.clock.now)
    ada = await panel.visit("Ada", "/bindings?q=dina")
    assert ("Dina Dove" in words(ada.shown), "1 of 1" in words(ada.shown)) == (True, True)
    assert "No binding matches" in words(await ada.open("/bindings?q=nobody"))
    await ada.send(f"/bindings/{first}/release")
    assert "Released" in words(await ada.open("/bindings?state=ended&sort=becomes"))
    assert (await ada.open("/bindings?sort=reason")).status_code == 422
    assert (await ada.open("/bindings?cursor=nonsense")).status_code == 422
    assert (await ada.open("/bindings?state=sideways")).status_code == 422
