"""The panel tells the demo's softphone over a real socket: the next page is signed out, and asks nobody."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx
import sqlalchemy as sa
import uvicorn

from bindings.apps import App
from bindings.binding import Binding
from bindings.login import Login
from control.logouts import Teller
from control.outbound import Outbound
from demo.app import make_apps
from tests.cast import bind, house_work, work_as
from tests.control.openid.story import ISSUER, Panel
from tests.postgres import reserved_port


class Cut(httpx.AsyncBaseTransport):
    """The way from the apps to the panel, which a story can cut."""

    def __init__(self, panel: Panel) -> None:
        app: Any = panel.app
        self.way = httpx.ASGITransport(app)
        self.cut = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Pass it on, or nobody is there."""
        if self.cut:
            raise httpx.ConnectError("the panel is away")
        return await self.way.handle_async_request(request)


@asynccontextmanager
async def served(panel: Panel, way: Cut, port: int) -> AsyncIterator[None]:
    """The demo's apps, listening."""
    apps: Any = make_apps(
        issuer=ISSUER,
        port=port,
        client_secrets=panel.cast.secrets,
        clock=lambda: panel.clock.now.timestamp(),
        transport=way,
    )
    config = uvicorn.Config(apps, host="127.0.0.1", port=port, log_config=None, access_log=False, lifespan="off")
    server = uvicorn.Server(config)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(server.serve())
        try:
            while not server.started and not task.done():
                await asyncio.wait({task}, timeout=0.01)
            yield
        finally:
            server.should_exit = True


async def moved(panel: Panel, port: int) -> None:
    """The softphone lives at this port."""
    origin = f"http://softphone.localhost:{port}"
    async with house_work(panel.store, panel.clock.now) as session:
        app = await session.get_one(App, panel.cast.app_id("softphone"))
        told = f"{origin}/backchannel-logout"
        await app.change(session, redirect_uris=[f"{origin}/callback"], handoff_uri=None, backchannel_logout_uri=told)


async def test_olaf_releases_and_the_softphone_knows_without_asking(panel: Panel) -> None:
    number, way = await bind(panel.store, panel.cast, "Olaf", "Bakery", "201"), Cut(panel)
    with reserved_port() as port:
        await moved(panel, port)
        host = {"Host": f"softphone.localhost:{port}"}
        async with served(panel, way, port), httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as phone:
            olaf = await panel.sign_in("Olaf")
            asked = (await phone.get("/login", headers=host)).headers["location"]
            answer = (await olaf.get(asked.removeprefix(ISSUER))).headers["location"]
            back = urlsplit(answer)
            cookies = "; ".join(f"{name}={value}" for name, value in phone.cookies.items())
            landed = await phone.get(f"{back.path}?{back.query}", headers=host | {"Cookie": cookies})
            mine = host | {"Cookie": landed.headers["set-cookie"].partition(";")[0]}
            assert "Bea Bell" in (await phone.get("/", headers=mine)).text
            actor = panel.cast.actor("Olaf")
            async with work_as(panel.store, actor, panel.clock.now) as session:
                await (await session.get_one(Binding, number)).release(session, actor, panel.clock.now)
            teller = Teller(panel.app.state.house, Outbound(loopback=True))
            assert await teller.look(panel.clock.now) == 1
            await teller.arrive()
            way.cut = True
            page = (await phone.get("/", headers=mine)).text
            assert "Bea Bell" not in page
            assert "signed out" in page.lower()
    async with house_work(panel.store, panel.clock.now) as session:
        login = (await session.scalars(sa.select(Login))).one()
    assert (login.ended_cause, login.told_at, login.tell_error) == ("binding_released", panel.clock.now, None)
