"""Find, Overview and Home: one's own view of what lies in reach."""

import re

from tests.cast import bind
from tests.control.pages.visit import Panel, words


async def hits(panel: Panel, name: str, sought: str) -> list[str]:
    """What the palette offers somebody."""
    visit = await panel.visit(name)
    answer = await visit.http.get("/find", params={"q": sought}, headers={"X-Fragment": "1"})
    assert "<html" not in answer.text
    return re.findall(r'role="option".*?<span>([^<]*)<small>', answer.text, flags=re.S)


FOUND = [
    ("Pia", "101", ["101 Dan Dale", "101 Pete Pratt"]),
    ("Pia", "101 dairy", ["101 Dan Dale"]),
    ("Pia", "dale", ["101 Dan Dale", "Dan Dale"]),
    ("Pia", "1", ["100 Pia Pine", "101 Dan Dale", "101 Pete Pratt", "102 Dina Dove"]),
    ("Olaf", "201", ["201 Bea Bell"]),
    ("Olaf", "zoe", []),
    ("Olaf", "elm", []),
    ("Olaf", "bakery 20", ["201 Bea Bell", "202 Ben Bond", "203"]),
    ("Dan", "dina", []),
    ("Pia", "%", []),
    ("Pia", "", []),
]


async def test_find_shows_what_lies_in_reach_and_holds_every_word(panel: Panel) -> None:
    for name, sought, found in FOUND:
        assert await hits(panel, name, sought) == found, (name, sought)


async def test_who_may_bind_is_led_to_their_own_tab_with_the_extension_chosen(panel: Panel) -> None:
    line = panel.cast.extension("Dairy", "101")
    tab = f"/users/{panel.cast.user('Pia').id}/bindings"
    pia = await panel.visit("Pia", "/find?q=101+dan")
    assert f'href="{tab}?phone_system={line.phone_system_id}&amp;extension={line.id}"' in pia.shown.text
    amos = await panel.visit("Amos", "/find?q=201")
    assert "Bind me" not in words(amos.shown)


async def test_find_works_without_script_and_says_when_there_is_nothing(panel: Panel) -> None:
    olaf = await panel.visit("Olaf", "/find?q=zoo")
    assert "Nothing that you can see matches" in words(olaf.shown)
    assert (await olaf.open("/find", q="x" * 500)).status_code == 422


async def test_the_overview_counts_and_tells_what_lies_in_reach(panel: Panel) -> None:
    await bind(panel.store, panel.cast, "Pia", "Dairy", "101", panel.clock.now)
    await bind(panel.store, panel.cast, "Olaf", "Bakery", "201", panel.clock.now)
    shown = words((await panel.visit("Pia", "/")).shown)
    assert "1 Bindings on 2 Organizations and companies 5 Users 2 Phone systems 4 Extensions" in shown
    assert "Pia Pine bound to Dan Dale, ext 101 at Dairy" in shown
    assert "Olaf" not in shown


async def test_a_supervisor_sees_an_overview_without_history(panel: Panel) -> None:
    bruno = await panel.visit("Bruno", "/")
    assert (bruno.shown.status_code, "Latest changes" in words(bruno.shown)) == (200, False)


async def test_dan_sees_his_extension_and_his_apps_at_home(panel: Panel) -> None:
    dan = await panel.visit("Dan", "/home")
    shown = words(dan.shown)
    assert "Number 101 Phone system Dairy PBX Company Dairy Products Desk, Softphone" in shown
    assert 'href="http://softphone.localhost:8001/login"' in dan.shown.text
    assert "Dina" not in shown


async def test_ben_at_home_is_where_his_profile_is(panel: Panel) -> None:
    ben = await panel.visit("Ben", "/home", at="Clinic")
    assert "You have no extension at Clinic." in words(ben.shown)
