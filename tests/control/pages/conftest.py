"""The panel of a story about pages."""

from pathlib import Path

import pytest

from control.settings import Settings
from tenants.store import Store
from tests.cast import Cast, Clock
from tests.control.pages.visit import PANEL, Panel
from tests.one_app import app_of


@pytest.fixture
def panel(store: Store, cast: Cast, clock: Clock, tmp_path: Path) -> Panel:
    """The product over the story's house, at the story's time."""
    settings = Settings(
        database_url=str(store.url),
        migration_url=str(store.url),
        data_dir=tmp_path,
        public_url=PANEL,
        secret_key=b"the secret key of a story, 32 bytes and more",
    )
    return Panel(app_of(settings, store, clock), store, cast, clock)
