"""Set-up: the first admin of an empty house, by the link from the terminal, once and never again."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from control.set_up import set_up_token
from control.settings import Settings
from tenants.schema import migrate
from tenants.store import Store
from tests.cast import Cast, Clock
from tests.conftest import ON_BOTH, tell
from tests.control.pages.visit import PANEL, Panel, words
from tests.one_app import app_of
from tests.postgres import Cluster

TYPED = {
    "organization": "Acme",
    "name": "Ada Ash",
    "email": "ada@acme.example",
    "password": "a password of twelve",
}


@pytest.fixture
async def empty(
    request: pytest.FixtureRequest, backend: str, cast: Cast, clock: Clock, tmp_path: Path
) -> AsyncIterator[Panel]:
    """The panel over a house in which nobody ever was."""
    url = f"sqlite:///{tmp_path / 'empty.db'}"
    if backend == "postgresql":
        cluster: Cluster = request.getfixturevalue("cluster")
        await tell(cluster, 'CREATE DATABASE "empty_house"')
        url = cluster.url("empty_house")
    store = Store(url)
    await migrate(store.writer)
    settings = Settings(url, url, tmp_path, PANEL, b"the secret key of a story, 32 bytes and more")
    yield Panel(app_of(settings, store, clock), store, cast, clock)
    await store.close()
    if backend == "postgresql":
        await tell(cluster, 'DROP DATABASE "empty_house" WITH (FORCE)')


def token_of(panel: Panel) -> str:
    return set_up_token(panel.app.state.house.settings)


async def test_ada_sets_up_and_is_signed_in_as_admin_of_the_platform(empty: Panel) -> None:
    ada = empty.stranger()
    assert "Set up Understudy" in words(await ada.open("/setup", token=token_of(empty)))
    answer = await ada.send("/setup", TYPED | {"token": token_of(empty)})
    assert "Overview" in words(await ada.follow(answer))
    assert (await ada.open("/companies")).status_code == 200
    assert (await empty.stranger().open("/setup", token=token_of(empty))).status_code == 404
    assert (
        await ada.send("/setup", TYPED | {"token": token_of(empty), "email": "eve@evil.example"})
    ).status_code == 404
    assert (await empty.stranger().sign_in("ada@acme.example", TYPED["password"])).status_code == 303


async def test_without_the_link_there_is_nothing_here(empty: Panel) -> None:
    eve = empty.stranger()
    assert (await eve.open("/setup")).status_code == 404
    assert (await eve.open("/setup", token="guessed")).status_code == 404
    await eve.open("/sign-in")
    assert (await eve.send("/setup", TYPED | {"token": "ü"})).status_code == 404


WRONG: list[dict[str, str]] = [
    {"password": "short"},
    {"email": "no address"},
    {"name": ""},
    {"organization": ""},
    {"organization": "名"},
]


async def test_what_cannot_be_right_is_said_and_can_be_mended(empty: Panel) -> None:
    ada = empty.stranger()
    await ada.open("/setup", token=token_of(empty))
    said = TYPED | {"token": token_of(empty)}
    for wrong in WRONG:
        answer = await ada.send("/setup", said | wrong)
        assert (answer.status_code, "Nothing was saved yet" in words(answer)) == (422, True), wrong
    assert (await ada.send("/setup", said)).status_code == 303


@ON_BOTH
async def test_of_two_at_once_one_is_the_first_admin(empty: Panel) -> None:
    both = [empty.stranger(), empty.stranger()]
    for visit in both:
        await visit.open("/setup", token=token_of(empty))
    said = TYPED | {"token": token_of(empty)}
    answers = await asyncio.gather(
        *(visit.send("/setup", said | {"email": f"a{n}@acme.example"}) for n, visit in enumerate(both))
    )
    assert sorted(answer.status_code for answer in answers)[0] == 303
    assert sorted(answer.status_code for answer in answers)[1] in {404, 409}


async def test_c26_set_up_stays_shut_in_a_house_with_people(panel: Panel) -> None:
    assert (await panel.stranger().open("/setup", token=token_of(panel))).status_code == 404
