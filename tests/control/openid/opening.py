"""How the stories open an impersonation at an app: the panel's half, up to the address of the new tab."""

from dataclasses import dataclass
from typing import Any

import httpx
import sqlalchemy as sa

from bindings.apps import find_client
from bindings.handoff import hand_off
from bindings.impersonation import Asked, Impersonation
from tenants.people import find_membership
from tenants.reach import Reach
from tenants.sign_in import SignIn
from tests.cast import WHY, house_work
from tests.control.openid.story import Client, Panel

GRANT = "urn:understudy:handoff"


@dataclass
class Opened:
    """An impersonation that was begun at an app, and the code that its tab was opened with."""

    id: int
    address: str

    @property
    def code(self) -> str:
        """What stands in the fragment."""
        return self.address.partition("#handoff=")[2]


async def open_as(
    panel: Panel,
    name: str,
    subject: str,
    client_id: str = "softphone",
    *,
    mode: str = "full",
    at: str | None = None,
    sign_in: SignIn | None = None,
) -> Opened:
    """Somebody starts at an app, in a new tab."""
    actor, now = panel.cast.actor(name), panel.clock.now
    # As the panel's own page does it: within the person's reach, with the app of somebody above.
    async with panel.store.work(actor, actor.reach(), now) as session:
        app = await find_client(session, client_id)
        assert app is not None
        there = await find_membership(session, panel.cast.membership_id(subject, at=at))
        stand = await Impersonation.start(session, actor, there, Asked.of(WHY, mode=mode, app_id=app.id), now)
        return Opened(stand.id, await hand_off(session, actor, stand, app, sign_in, now))


async def take_over(client: Client, code: str, *, origin: str | None = None, **said: str | None) -> httpx.Response:
    """Send a hand-off to the token endpoint, from a server or from the page of an origin."""
    if origin is not None:
        client.http.headers["origin"] = origin
    try:
        return await client.post("/oauth/token", grant_type=GRANT, handoff=code, **said)
    finally:
        client.http.headers.pop("origin", None)


async def taken(client: Client, opened: Opened) -> dict[str, Any]:
    """What the app gets for a hand-off that is good."""
    answer = await take_over(client, opened.code)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def the_row(panel: Panel, stand_id: int) -> Impersonation:
    """How its row stands now."""
    async with house_work(panel.store, panel.clock.now) as session:
        return (await session.scalars(sa.select(Impersonation).where(Impersonation.id == stand_id))).one()


async def end_as_house(panel: Panel, stand_id: int, cause: str) -> None:
    """It ends, by whatever the story tells."""
    async with panel.store.work(panel.cast.actor("Ada"), Reach.everywhere("tests"), panel.clock.now) as session:
        row = await session.get_one(Impersonation, stand_id)
        assert await row.end(session, cause, panel.clock.now)
