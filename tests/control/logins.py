"""Somebody of the cast logs in to an app, as whomever they are bound to."""

from bindings.apps import App
from bindings.login import start_login
from bindings.resolving import Granted, resolve
from tenants.sign_in import SignIn
from tests.cast import ORIGIN, house_work, work_as
from tests.control.visits import House


async def log_in(pages: House, name: str, client_id: str = "softphone") -> None:
    """A login without a page, at the story's time."""
    now = pages.clock.now
    async with house_work(pages.store, now) as session:
        sign_in, _ = await SignIn.start(session, pages.cast.identity(name), ORIGIN, "a browser", now)
    async with work_as(pages.store, pages.cast.actor(name), now) as session:
        app = await session.get_one(App, pages.cast.app_id(client_id))
        granted = await resolve(session, sign_in.user_id, app, now)
        assert isinstance(granted, Granted)
        await start_login(session, granted, app, sign_in, "openid", now)
