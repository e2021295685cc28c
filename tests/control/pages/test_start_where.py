"""From where one becomes somebody: lists, pages, the palette; and where the button is off, why."""

from html import unescape
from urllib.parse import quote

import pytest

from tests.control.pages.test_standing_in import become
from tests.control.pages.visit import words
from tests.control.visits import House


def question(house: House, name: str, at: str, extension: str | None = None) -> str:
    """The address of the question, without where to come back to."""
    asked = f"/impersonations/new?membership={house.cast.membership_id(name, at=at)}"
    return f"{asked}&extension={house.cast.extension(at, extension).id}" if extension else asked


@pytest.mark.parametrize(
    ("page", "word", "extension"),
    [
        ("/users?q=bea", "Become", None),
        ("/users/{user}", "Sign in as this user", None),
        ("/companies/{tenant}/members", "Impersonate", None),
        ("/teams/{team}", "Sign in as", None),
        ("/extensions?q=201", "Sign in as", "201"),
        ("/extensions/{extension}", "Sign in as", "201"),
        ("/companies/{tenant}/extensions", "Sign in as", "201"),
        ("/find?q=201", "Sign in as", "201"),
    ],
)
async def test_olaf_becomes_bea_from_where_she_stands(
    pages: House, page: str, word: str, extension: str | None
) -> None:
    cast = pages.cast
    path = page.format(
        user=cast.user("Bea").id,
        tenant=cast.tenant("Bakery").id,
        team=cast.teams["Front"],
        extension=cast.extension("Bakery", "201").id,
    )
    olaf = await pages.visit("Olaf")
    shown = unescape(await olaf.get(path))
    back = "" if page.startswith("/find") else f"&back={quote(path, safe='/')}"
    asked = question(pages, "Bea", "Bakery", extension) + back
    assert f'href="{asked}"' in shown
    assert word in shown
    assert "Sign in as Bea Bell?" in await olaf.get(asked)


async def test_the_palette_offers_it_by_shift_and_enter(pages: House) -> None:
    olaf = await pages.visit("Olaf")
    found = await olaf.visit.http.get("/find?q=bea", headers={"X-Fragment": "1", "Accept": "text/html"})
    assert f'data-as-href="{question(pages, "Bea", "Bakery")}"' in unescape(found.text)
    assert f'data-as-href="{question(pages, "Bea", "Bakery", "201")}"' in unescape(found.text)


async def test_where_a_rule_is_known_to_refuse_the_button_is_off_and_says_which(pages: House) -> None:
    opal = await pages.visit("Opal")
    person = words(await opal.ask(f"/users/{pages.cast.user('Olaf').id}"))
    assert "Sign in as this user You may stand in only for people below you" in person
    row = await opal.get("/users?q=olaf")
    assert 'aria-disabled="true" title="You may stand in only for people below you' in row
    assert "/impersonations/new" not in row


async def test_bruno_becomes_whom_he_leads_and_nobody_else(pages: House) -> None:
    bruno = await pages.visit("Bruno")
    members = unescape(await bruno.get(f"/companies/{pages.cast.tenant('Bakery').id}/members"))
    assert question(pages, "Bea", "Bakery") in members
    assert question(pages, "Ben", "Bakery") in members
    assert question(pages, "Boris", "Bakery") not in members
    assert "Your role may not stand in for this person." in members


@pytest.mark.parametrize("name", ["Axel", "Amos"])
async def test_who_never_stands_in_sees_no_such_button(pages: House, name: str) -> None:
    reader = await pages.visit(name)
    for path in ("/users", f"/users/{pages.cast.user('Bea').id}", "/extensions", "/find?q=bea"):
        shown = await reader.get(path)
        assert "/impersonations/new" not in shown
        assert "Become" not in shown


async def test_nobody_is_offered_to_become_themselves(pages: House) -> None:
    olaf = await pages.visit("Olaf")
    assert "Sign in as this user" not in await olaf.get(f"/users/{pages.cast.user('Olaf').id}")
    assert "Become Olaf" not in await olaf.get("/users?q=olaf")


async def test_while_standing_in_there_is_no_such_button(pages: House) -> None:
    olaf = await pages.visit("Olaf")
    await become(olaf, pages, "Boris", at="Bakery")
    for path in ("/users", f"/users/{pages.cast.user('Bea').id}", "/extensions", "/find?q=bea"):
        assert "/impersonations/new" not in await olaf.get(path)


async def test_ben_of_two_companies_is_offered_at_each(pages: House) -> None:
    olaf = await pages.visit("Olaf")
    page = unescape(await olaf.get(f"/users/{pages.cast.user('Ben').id}"))
    for place in ("Bakery", "Clinic"):
        assert question(pages, "Ben", place) in page
        assert f"Sign in as Ben Bond at {place}" in page
    asked = unescape(await olaf.get(question(pages, "Ben", "Bakery")))
    assert question(pages, "Ben", "Clinic") in asked
    # Clara sees him in her own company alone, and is not told of the other.
    clara = await pages.visit("Clara")
    assert question(pages, "Ben", "Bakery") not in unescape(await clara.get(f"/users/{pages.cast.user('Ben').id}"))


async def test_a_discarded_person_has_no_button(pages: House) -> None:
    olaf = await pages.visit("Olaf")
    path = f"/users/{pages.cast.user('Bea').id}"
    await olaf.post(f"{path}/discard", at=f"{path}/discard")
    assert "/impersonations/new" not in await olaf.get(path)
    assert "/impersonations/new" not in await olaf.get("/users?state=discarded")
