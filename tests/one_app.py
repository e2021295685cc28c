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
    app = _made(settings.public_url)
    for kept in [name for name in app.state if name not in {"house", "shell"}]:
        del app.state[kept]
    # A stream that nobody reads ends with its first word.
    app.state.house = House(settings, store, lambda: clock.now, streams=Streams(every=0.0, ticks=0))
    return app


@cache
def _made(public_url: str) -> Litestar:
    nowhere = "sqlite:///nowhere.db"
    return create_app(Settings(nowhere, nowhere, Path("nowhere"), public_url, b"nobody's"), store=Store(nowhere))
