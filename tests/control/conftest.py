"""The panel of a story, as browsers meet it."""

from pathlib import Path

import pytest

from control.app import create_app
from control.settings import Settings
from tenants.store import Store
from tests.cast import Cast, Clock
from tests.control.pages.visit import PANEL, Panel
from tests.control.visits import House


@pytest.fixture
def pages(store: Store, database: str, cast: Cast, clock: Clock, tmp_path: Path) -> House:
    """`olaf = await pages.visit("Olaf")`: the product over the story's database, at the story's time."""
    named = {
        "UNDERSTUDY_DATABASE_URL": database,
        "UNDERSTUDY_DATA_DIR": str(tmp_path / "data"),
        "UNDERSTUDY_PUBLIC_URL": PANEL,
    }
    app = create_app(Settings.load(named), clock=lambda: clock.now, store=store)
    return House(Panel(app, store, cast, clock))
