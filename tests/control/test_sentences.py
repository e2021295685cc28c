"""What stands in the code as data reaches the translators: verbs, the steps of a login, the menu."""

from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg

from bindings.resolving import Step
from control.shell import NAV
from control.words import PSEUDO, stretch, words
from tenants.people import User
from tenants.verbs import Verb
from tests.cast import house_work
from tests.control.visits import House

REPOSITORY = Path(__file__).parents[2]


def extracted() -> set[str]:
    """The messages of the catalogue's template, as babel.cfg finds them in the rooms that speak."""
    with (REPOSITORY / "babel.cfg").open(encoding="utf-8") as settings:
        methods, options = parse_mapping_cfg(settings)
    found = set()
    for room in ("tenants", "bindings", "control"):
        here = [(pattern.removeprefix(f"{room}/"), method) for pattern, method in methods if pattern.startswith(room)]
        said = {pattern.removeprefix(f"{room}/"): each for pattern, each in options.items()}
        messages = extract_from_dir(REPOSITORY / room, here, said, keywords={"_": None})
        found |= {message for _, _, message, _, _ in messages if isinstance(message, str)}
    return found


def test_every_sentence_that_is_data_is_found_for_translators() -> None:
    found = extracted()
    assert [verb.name for verb in Verb if verb.sentence not in found] == []
    assert [label for _, items in NAV for _, label, _, _ in items if label not in found] == []
    assert [title for title, _ in NAV if title and title not in found] == []
    assert "own extension %(number)s at %(tenant)s" in found
    assert "Nothing was changed" not in found


def test_a_step_speaks_the_readers_language_with_its_names_in_place() -> None:
    step = Step("own", "extension", "own extension %(number)s at %(tenant)s", {"number": "201", "tenant": "100 % Oak"})
    assert step.sentence == "own extension 201 at 100 % Oak"
    spoken = step.spoken(words(PSEUDO).gettext)
    assert "201" in spoken
    assert "own extension" not in spoken
    assert Step("binding", "stale", "100 % stale").sentence == "100 % stale"


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_history_speaks_it_too(pages: House) -> None:
    async with house_work(pages.store, pages.clock.now) as session:
        await (await session.get_one(User, pages.cast.user("Boris").id)).change(session, locale=PSEUDO)
    said = await (await pages.visit("Boris")).read("/history")
    assert stretch("changed the user {record}").replace("{record}", "Boris Birch") in said
