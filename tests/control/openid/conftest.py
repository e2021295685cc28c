"""The panel of a story, and the apps of the cast at it."""

from pathlib import Path

import pytest

from control.settings import Settings
from tenants.store import Store
from tests.cast import Cast, Clock
from tests.conftest import BACKENDS
from tests.control.openid.story import ISSUER, Client, Panel
from tests.one_app import app_of


@pytest.fixture
def panel(store: Store, cast: Cast, clock: Clock, tmp_path: Path) -> Panel:
    """The product over the story's house, at the story's time."""
    settings = Settings(
        database_url=str(store.url),
        migration_url=str(store.url),
        data_dir=tmp_path,
        public_url=ISSUER,
        secret_key=b"the secret key of a story, 32 bytes and more",
    )
    return Panel(app_of(settings, store, clock), store, cast, clock)


@pytest.fixture
def softphone(panel: Panel) -> Client:
    return demo_app(panel, "softphone")


@pytest.fixture
def desk_admin(panel: Panel) -> Client:
    return demo_app(panel, "desk-admin")


@pytest.fixture
def desk_client(panel: Panel) -> Client:
    return demo_app(panel, "desk-client")


def demo_app(panel: Panel, client_id: str) -> Client:
    """One of the three apps that the seed registers."""
    return Client(
        panel,
        client_id,
        panel.browser(),
        panel.cast.secrets[client_id],
        f"http://{client_id}.localhost:8001/callback",
    )


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    """The protocol is told on both: its hot path is written for each of them."""
    return str(request.param)
