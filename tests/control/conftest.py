"""The panel of a story, as browsers meet it."""

from pathlib import Path

import pytest

from control.settings import Settings
from tenants.store import Store
from tests.cast import Cast, Clock
from tests.control.visits import House, open_house


@pytest.fixture
def pages(store: Store, database: str, cast: Cast, clock: Clock, tmp_path: Path) -> House:
    """`olaf = await pages.visit("Olaf")`: the product over the story's database, at the story's time."""
    settings = Settings.load({"UNDERSTUDY_DATABASE_URL": database, "UNDERSTUDY_DATA_DIR": str(tmp_path / "data")})
    return open_house(store, cast, clock, settings)
