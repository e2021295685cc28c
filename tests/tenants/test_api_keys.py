"""API keys: one membership, narrowed, until a day; shown once and kept as a hash."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from tenants.api_keys import DAYS, MOST_DAYS, PREFIX, ApiKey
from tenants.credentials import digest
from tenants.people import Membership
from tenants.refusals import Conflict, Invalid, OutOfReach
from tenants.store import Store
from tenants.trail import Entry
from tests.cast import NOW, Cast, house_work, work_as


async def make(
    store: Store, cast: Cast, by: str, *, of: str | None = None, scopes: tuple[str, ...] = ("read",), days: int = DAYS
) -> tuple[ApiKey, str]:
    async with work_as(store, cast.actor(by)) as session:
        membership = await session.get(Membership, cast.membership_id(of or by))
        if membership is None:
            raise OutOfReach
        return await ApiKey.make(session, membership, "nightly export", list(scopes), days, NOW)


async def test_a_key_acts_as_one_membership_until_a_day(store: Store, cast: Cast) -> None:
    key, secret = await make(store, cast, "Boris", scopes=("stand_in", "read"))
    assert (key.membership_id, key.user_id) == (cast.membership_id("Boris"), cast.user("Boris").id)
    assert key.scopes == "read stand_in"
    assert key.expires_at == NOW + timedelta(days=90)
    assert secret.startswith(PREFIX)


async def test_the_key_itself_is_stored_nowhere(store: Store, cast: Cast) -> None:
    key, secret = await make(store, cast, "Boris")
    async with house_work(store) as session:
        assert (await session.get_one(ApiKey, key.id)).key_hash == digest(secret)
        entry = await session.get_one(Entry, key.last_entry_id)
        assert entry.changes["key_hash"] == "changed"
        assert secret.encode() not in entry.leaf
        assert digest(secret).encode() not in entry.leaf


@pytest.mark.parametrize("scopes", [(), ("everything",), ("read", "root")])
async def test_unknown_scopes_are_refused(store: Store, cast: Cast, scopes: tuple[str, ...]) -> None:
    with pytest.raises(Invalid):
        await make(store, cast, "Boris", scopes=scopes)


@pytest.mark.parametrize("days", [0, -1, MOST_DAYS + 1])
async def test_a_key_lives_a_year_at_most(store: Store, cast: Cast, days: int) -> None:
    with pytest.raises(Invalid):
        await make(store, cast, "Boris", days=days)
    key, _ = await make(store, cast, "Boris", days=MOST_DAYS)
    assert key.expires_at == NOW + timedelta(days=MOST_DAYS)


async def test_a_key_is_revoked_once(store: Store, cast: Cast) -> None:
    key, _ = await make(store, cast, "Boris")
    async with work_as(store, cast.actor("Boris")) as session:
        mine = await session.get_one(ApiKey, key.id)
        await mine.revoke(session, NOW)
        with pytest.raises(Conflict):
            await mine.revoke(session, NOW)
    assert mine.revoked_at == NOW


async def test_keys_of_two_people_never_share_an_id(store: Store, cast: Cast) -> None:
    """T6: by colliding ids one key could end another's sessions."""
    keys = [await make(store, cast, name) for name in ("Boris", "Elsa", "Boris")]
    assert len({key.id for key, _ in keys}) == 3
    assert len({secret for _, secret in keys}) == 3


async def test_a_key_is_seen_where_its_membership_is(store: Store, cast: Cast) -> None:
    key, _ = await make(store, cast, "Boris")
    seen = {}
    for name in ("Olaf", "Boris", "Bea", "Clara", "Elsa"):
        async with work_as(store, cast.actor(name)) as session:
            seen[name] = await session.scalar(sa.select(sa.func.count(ApiKey.id)).where(ApiKey.id == key.id))
    assert seen == {"Olaf": 1, "Boris": 1, "Bea": 0, "Clara": 0, "Elsa": 0}


async def test_nobody_makes_a_key_for_somebody_out_of_reach(store: Store, cast: Cast) -> None:
    with pytest.raises(OutOfReach):
        await make(store, cast, "Elsa", of="Boris")
