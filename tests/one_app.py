"""One app for all stories of a run: what differs from story to story is the house behind it.

Making an app costs more than most stories do: every route's signature is worked out and every template compiled anew.
"""

from functools import cache
from pathlib import Path

from litestar import Litestar

from control.app import create_app
from control.house import House
from control.settings import Settings
from control.streams import Streams
from tenants.store import Store
from tests.cast import Clock


def app_of(settings: Settings, store: Store, clock: Clock) -> Litestar:
    """The product over this story's house, at this story's time, with nothing left of the story before."""
    # A stream that nobody reads ends with its first word.
    return app_for(House(settings, store, lambda: clock.now, streams=Streams(every=0.0, ticks=0)))


def app_for(house: House) -> Litestar:
    """The product over a house, with nothing left of the one before."""
    app = made(house.settings.public_url)
    for kept in [name for name in app.state if name not in {"house", "shell"}]:
        del app.state[kept]
    app.state.house = house
    return app


@cache
def made(public_url: str) -> Litestar:
    """The product over no house yet."""
    nowhere = "sqlite:///nowhere.db"
    return create_app(Settings(nowhere, nowhere, Path("nowhere"), public_url, b"nobody's"), store=Store(nowhere))
