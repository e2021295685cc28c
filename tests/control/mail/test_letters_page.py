"""The page of letters: who manages people sees what became of them, in their own reach, and nothing they say."""

import httpx
import pytest

from tenants.api_keys import SCOPES, ApiKey
from tenants.letters import LetterKind, Stage
from tenants.people import find_membership
from tests.cast import work_as
from tests.control.mail.conftest import Outbox
from tests.control.mail.post_office import PostOffice
from tests.control.pages.visit import PANEL, Panel, words

pytestmark = pytest.mark.parametrize("backend", ["sqlite"])


LINKS = {"link": f"{PANEL}/reset/secret-of-the-link"}


async def a_refused_letter(outbox: Outbox, office: PostOffice, **more: str) -> int:
    office.to_recipient = "550 5.1.1 no such user"
    letter_id = await outbox.put(LetterKind.PASSWORD_RESET, to="bea@bakery.example", name="Bea Baker", **LINKS, **more)
    await outbox.send()
    return letter_id


async def test_olaf_sees_that_beas_letter_was_refused_and_nothing_of_what_it_said(
    panel: Panel, outbox: Outbox, office: PostOffice
) -> None:
    await a_refused_letter(outbox, office)
    olaf = await panel.visit("Olaf", "/letters")
    said = words(olaf.shown)
    for shown in ("Bea Baker", "bea@bakery.example", "Link for a new password", "Bakery", "Failed"):
        assert shown in said
    assert "The mail server refused it 550 5.1.1 no such user" in said
    assert "Ask for a new one where this came from." in said
    assert "secret-of-the-link" not in olaf.shown.text


@pytest.mark.parametrize(("name", "sees"), [("Boris", True), ("Nora", True), ("Clara", False), ("Elsa", False)])
async def test_who_reaches_bakery_sees_its_letters_and_neighbours_do_not(
    panel: Panel, outbox: Outbox, name: str, sees: bool
) -> None:
    await outbox.put(LetterKind.PASSWORD_RESET, name="Bea Baker", **LINKS)
    visit = await panel.visit(name, "/letters")
    assert ("Bea Baker" in words(visit.shown)) is sees


@pytest.mark.parametrize("name", ["Opal", "Bruno", "Amos", "Bea"])
async def test_who_does_not_manage_people_does_not_see_letters(panel: Panel, name: str) -> None:
    assert (await panel.visit(name, "/letters")).shown.status_code == 403


async def test_a_letter_that_waits_is_tried_again_now(panel: Panel, outbox: Outbox, office: PostOffice) -> None:
    office.to_recipient = "451 4.3.0 later"
    letter_id = await outbox.put(LetterKind.PASSWORD_RESET, name="Bea Baker", **LINKS)
    await outbox.send()
    boris = await panel.visit("Boris", "/letters")
    assert "The mail server asked to wait 451 4.3.0 later" in words(boris.shown)
    office.to_recipient = "250 OK"
    assert await outbox.send() == 0
    outbox.house.posted.clear()
    page = await boris.follow(await boris.send(f"/letters/{letter_id}/try-again"))
    assert "It is tried again now." in words(page)
    assert outbox.house.posted.is_set()
    await outbox.send()
    assert (await outbox.letter(letter_id)).stage is Stage.SENT
    assert (await boris.send(f"/letters/{letter_id}/try-again")).status_code == 409


async def test_a_letter_that_failed_cannot_be_tried_again(panel: Panel, outbox: Outbox, office: PostOffice) -> None:
    letter_id = await a_refused_letter(outbox, office)
    boris = await panel.visit("Boris", "/letters")
    assert (await boris.send(f"/letters/{letter_id}/try-again")).status_code == 409


async def test_a_neighbours_letter_is_not_there(panel: Panel, outbox: Outbox) -> None:
    letter_id = await outbox.put(LetterKind.PASSWORD_RESET, **LINKS)
    clara = await panel.visit("Clara", "/letters")
    assert (await clara.send(f"/letters/{letter_id}/try-again")).status_code == 404
    assert (await clara.send("/letters/999999/try-again")).status_code == 404


async def test_letters_are_found_by_words_state_and_kind(panel: Panel, outbox: Outbox, office: PostOffice) -> None:
    await a_refused_letter(outbox, office)
    office.to_recipient = "250 OK"
    await outbox.put(LetterKind.EMAIL_CHANGED, to="ben@bakery.example", name="Ben Bread", email="b@b.example")
    await outbox.send()
    boris = await panel.visit("Boris", "/letters")

    async def shown(**asked: str) -> set[str]:
        said = words(await boris.open("/letters", **asked))
        return {name for name in ("Bea Baker", "Ben Bread") if name in said}

    assert await shown() == {"Bea Baker", "Ben Bread"}
    assert await shown(q="bread") == {"Ben Bread"}
    assert await shown(stage="failed") == {"Bea Baker"}
    assert await shown(stage="sent") == {"Ben Bread"}
    assert await shown(kind="password_reset") == {"Bea Baker"}
    assert await shown(stage="waiting") == set()
    assert (await boris.open("/letters", stage="lost")).status_code == 422


async def test_names_are_text_in_the_list(panel: Panel, outbox: Outbox) -> None:
    await outbox.put(LetterKind.PASSWORD_RESET, name="<script>alert(1)</script>", **LINKS)
    boris = await panel.visit("Boris", "/letters")
    assert "<script>alert" not in boris.shown.text
    assert "&lt;script&gt;alert(1)" in boris.shown.text


async def test_a_program_lists_letters_and_is_told_no_more_than_people(
    panel: Panel, outbox: Outbox, office: PostOffice
) -> None:
    letter_id = await a_refused_letter(outbox, office)
    olaf = await _program(panel, "Olaf")
    (listed,) = (await olaf.get("/api/v1/letters", params={"stage": "failed", "kind": "password_reset"})).json()[
        "items"
    ]
    assert listed == {
        "id": letter_id,
        "kind": "password_reset",
        "email": "bea@bakery.example",
        "name": "Bea Baker",
        "tenant": {"id": outbox.cast.tenant("Bakery").id, "name": "Bakery"},
        "stage": "failed",
        "created_at": "2026-11-21T09:00:00Z",
        "next_try_at": None,
        "sent_at": None,
        "failed_at": "2026-11-21T09:00:00Z",
        "tries": 1,
        "error": "refused 550 5.1.1 no such user",
    }
    assert (await olaf.get(f"/api/v1/letters/{letter_id}")).json() == listed
    assert (await olaf.get("/api/v1/letters", params={"stage": "lost"})).status_code == 422
    clara = await _program(panel, "Clara")
    assert (await clara.get("/api/v1/letters")).json()["items"] == []
    assert (await clara.get(f"/api/v1/letters/{letter_id}")).status_code == 404
    assert (await (await _program(panel, "Opal")).get("/api/v1/letters")).status_code == 403


async def _program(panel: Panel, name: str) -> httpx.AsyncClient:
    """A program with somebody's key."""
    async with work_as(panel.store, panel.cast.actor(name), panel.clock.now) as session:
        membership = await find_membership(session, panel.cast.membership_id(name))
        _, secret = await ApiKey.make(session, membership, "story", list(SCOPES), 90, panel.clock.now)
    client = panel.stranger().http
    client.headers["Authorization"] = f"Bearer {secret}"
    return client
