"""A live panel, Pia with her browser, and Pia bound to Dan."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bindings.binding import find_binding
from tenants.store import Store
from tests.cast import Cast, bind, work_as
from tests.relying_parties.browser import Browser
from tests.relying_parties.live_panel import live_panel

SOFTPHONE = "softphone"
CALLBACK = "http://softphone.localhost:8001/callback"
"""As the cast is seeded. Nobody has to listen there: the browser hands over the address it was led to."""


@dataclass(frozen=True)
class Bound:
    """Pia's binding to Dan, in the panel's own database."""

    store: Store
    cast: Cast
    binding_id: int

    async def release(self) -> None:
        """Pia releases it."""
        pia, now = self.cast.actor("Pia"), datetime.now(UTC)
        async with work_as(self.store, pia, now) as session:
            await (await find_binding(session, self.binding_id)).release(session, pia, now)


@pytest.fixture
def issuer(database: str, tmp_path: Path) -> Iterator[str]:
    """The address of a panel that listens."""
    with live_panel(database, tmp_path) as issuer:
        yield issuer


@pytest.fixture
def pias_browser() -> Iterator[Browser]:
    browser = Browser("pia@pine.example")
    yield browser
    browser.close()


@pytest.fixture
async def bound(store: Store, cast: Cast) -> Bound:
    """Pia is bound to Dan's extension, for every app."""
    binding_id = await bind(store, cast, "Pia", "Dairy", "101", datetime.now(UTC))
    return Bound(store, cast, binding_id)


def expect_dan_acted_by_pia(claims: dict[str, object], cast: Cast) -> None:
    """The claims of a bound login, wherever they are read: ID token, userinfo or introspection."""
    assert claims["sub"] == str(cast.membership_id("Dan"))
    assert claims["act"] == {"sub": str(cast.membership_id("Pia")), "name": "Pia Pine"}
    assert claims["name"] == "Dan Dale"
    assert claims["email"] == "dan@dairy.example"
    assert claims["email_verified"] is False
    assert claims["tenant"] == {"id": str(cast.tenant("Dairy").id), "name": "Dairy", "kind": "customer"}
    assert claims["extension"] == "101"
    assert claims["app_admin"] is True
