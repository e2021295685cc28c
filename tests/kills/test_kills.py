"""Whatever the panel acknowledged is there after kill -9, and the trail agrees with the rows.

`bin/test kills` does this two hundred times; here it is done often enough to notice when it stops working.
"""

from pathlib import Path

from tenants.store import Store
from tests.cast import Cast, house_work
from tests.kills.acks import Ack, Bound, LoggedIn, Refreshed, Released
from tests.kills.rounds import kill_again_and_again
from tests.kills.verdict import judge


async def test_nothing_acknowledged_is_lost_by_a_kill(database: str, cast: Cast, tmp_path: Path) -> None:
    figures = await kill_again_and_again(database, tmp_path, cast, rounds=6, seed=2)
    assert figures.misses == []
    assert figures.acks["Bound"] > 0
    assert figures.acks["LoggedIn"] > 0


async def test_what_is_missing_is_seen(store: Store, cast: Cast) -> None:
    acks: list[Ack] = [
        Bound(7, cast.user("Pia").id, cast.extension("Dairy", "101").id),
        Released(7),
        LoggedIn("no-such-login", 1, 2, 7, "no-such-token"),
        Refreshed("no-such-login", "no-such-token", "nor-this"),
    ]
    async with house_work(store) as session:
        found = await judge(session, acks)
    assert [line.partition("): ")[2] for line in found] == [
        "there is no such binding",
        "it is not released",
        "there is no such login",
        "the old token is not spent",
        "the new token is not there",
    ]
