"""The schema: made on both databases, and on PostgreSQL served by a role that cannot touch the trail's guards."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from tenants import schema
from tenants.actor import Actor
from tenants.reach import Reach
from tenants.store import Store
from tenants.tree import Kind, Tenant
from tests.postgres import Cluster

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster() as started:
        started.create_role("understudy_owner")
        started.create_role("understudy_app")
        started.create_database("split", owner="understudy_owner")
        yield started


async def test_a_serving_role_may_work_but_not_rewrite_the_trail(cluster: Cluster) -> None:
    owner = Store(cluster.url("split", role="understudy_owner"))
    await schema.migrate(owner.writer)
    await schema.grant(owner.writer, "understudy_app")
    assert await schema.owns_the_trail(owner.writer)
    serving = Store(cluster.url("split", role="understudy_app"))
    try:
        assert await schema.current(serving.writer)
        assert not await schema.owns_the_trail(serving.writer)
        async with serving.work(Actor.house("test"), Reach.everywhere("test"), NOW) as session:
            await Tenant.found(session, None, Kind.PLATFORM, "Acme", None, NOW)
        for forbidden in (
            "DELETE FROM entries",
            "UPDATE entries SET verb = 'x'",
            "TRUNCATE entries CASCADE",
            "DROP TRIGGER entries_keep_rows ON entries",
            "ALTER TABLE entries DISABLE TRIGGER ALL",
            "ALTER TABLE tenants DISABLE TRIGGER ALL",
        ):
            async with serving.writer.connect() as connection:
                with pytest.raises(DBAPIError):
                    await connection.execute(sa.text(forbidden))
    finally:
        await serving.close()
        await owner.close()


async def test_migrating_twice_changes_nothing(cluster: Cluster) -> None:
    cluster.create_database("twice")
    store = Store(cluster.url("twice"))
    try:
        assert not await schema.current(store.writer)
        await schema.migrate(store.writer)
        await schema.migrate(store.writer)
        assert await schema.current(store.writer)
    finally:
        await store.close()
