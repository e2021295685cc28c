"""Commands that run the house: serve, migrate, rotate its keys, and print what its API is."""

import asyncio
import contextlib

import uvicorn
from litestar import Litestar
from litestar.serialization import encode_json
from sqlalchemy.engine import make_url

from bindings.keys import rotate
from control.app import create_app
from control.commands.opening import EVERYWHERE, TERMINAL, open_store, opened
from control.log import configure
from control.set_up import never_set_up, set_up_token
from control.settings import Settings
from tenants.schema import grant, migrate

BACKLOG = 2048


def first_words(host: str, port: int) -> list[str]:
    """Prepare the database and return what to print before `listen`."""
    return asyncio.run(_hello(host, port))


async def _hello(host: str, port: int) -> list[str]:
    async with opened() as house:
        said = [f"Understudy listens at http://{host}:{port} for {house.settings.public_url}."]
        async with house.store.work(TERMINAL, EVERYWHERE, house.clock(), writes=False) as session:
            if await never_set_up(session):
                link = f"{house.settings.public_url}/setup?token={set_up_token(house.settings)}"
                said.append(f"Nobody is here yet. Make the first admin at {link}")
        return said


def listen(host: str, port: int) -> None:
    """Answer until told to stop. More than one worker starts as many processes."""
    settings = Settings.load()
    several = settings.workers > 1
    # Ctrl-C is how a server in a terminal is ended, so it is no fault.
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.run(
            "control.commands.serving:application" if several else application(),
            factory=several,
            host=host,
            port=port,
            workers=settings.workers,
            backlog=BACKLOG,
            # The app writes a line for each request, without the query that uvicorn's would show.
            access_log=False,
            log_level="warning",
            server_header=False,
            proxy_headers=bool(settings.trusted_proxies),
            forwarded_allow_ips=list(settings.trusted_proxies),
            timeout_graceful_shutdown=10,
        )


def application() -> Litestar:
    """The app of this process, with its log set up."""
    configure()
    return create_app(Settings.load())


async def migrate_tables() -> str:
    """Bring the tables up to date as their owner, and let the role that serves use them. Returns what to print."""
    settings = Settings.load()
    store = open_store(settings.migration_url)
    try:
        await migrate(store.writer)
        serving = make_url(settings.database_url).username
        if not store.embedded and serving and serving != store.url.username:
            await grant(store.writer, serving)
            return f"The tables are up to date, and {serving} may use them."
    finally:
        await store.close()
    return "The tables are up to date."


async def rotate_keys() -> list[str]:
    """New signing keys; what the old ones signed stays valid until it expires. Returns what to print."""
    async with opened() as house:
        now = house.clock()
        async with house.store.work(TERMINAL, EVERYWHERE, now) as session:
            keys = await rotate(session, house.settings.secret_key, now)
            return [f"{key.alg} {key.kid}" for key in keys]


def openapi() -> str:
    """The API's description, as `/schema/openapi.json` has it."""
    return encode_json(create_app(Settings.load()).openapi_schema.to_schema()).decode()
