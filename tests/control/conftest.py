"""The panel of a story, as browsers meet it."""

from pathlib import Path

import pytest

from control.settings import Settings
from tenants.store import Store
from tests.cast import Cast, Clock
from tests.control.pages.visit import PANEL, Panel
from tests.control.visits import House
from tests.one_app import app_of


@pytest.fixture
def pages(store: Store, database: str, cast: Cast, clock: Clock, tmp_path: Path) -> House:
    """`olaf = await pages.visit("Olaf")`: the product over the story's database, at the story's time."""
    named = {
        "UNDERSTUDY_DATABASE_URL": database,
        "UNDERSTUDY_DATA_DIR": str(tmp_path / "data"),
        "UNDERSTUDY_PUBLIC_URL": PANEL,
    }
    app = app_of(Settings.load(named), store, clock)
    return House(Panel(app, store, cast, clock))


@pytest.fixture(params=["sqlite"])
def backend(request: pytest.FixtureRequest) -> str:
    """Pages and the API are told on one database: what differs is told in the two inner rooms, on both.

    Whoever knows of something that PostgreSQL does otherwise asks for it: `ON_BOTH` of tests/conftest.py.
    """
    return str(request.param)
