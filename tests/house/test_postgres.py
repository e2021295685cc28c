"""The PostgreSQL of the tests is a real one, is theirs alone, and never outlives them."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from tests.postgres import Cluster


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster() as cluster:
        yield cluster


async def ask(url: str, question: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(question)
    finally:
        await connection.close()


def someone_answers(port: int) -> bool:
    with socket.socket() as visitor:
        return visitor.connect_ex(("127.0.0.1", port)) == 0


async def test_it_is_a_real_postgresql(cluster: Cluster) -> None:
    assert str(await ask(cluster.url(), "SELECT version()")).startswith("PostgreSQL ")


async def test_times_are_not_in_utc_by_luck(cluster: Cluster) -> None:
    assert await ask(cluster.url(), "SHOW timezone") == "Pacific/Auckland"


async def test_a_database_is_copied_from_a_template_and_dropped(cluster: Cluster) -> None:
    cluster.create_database("house")
    cluster.run("CREATE TABLE person (name text); INSERT INTO person VALUES ('Olaf')", "house")
    cluster.create_database("house_copy", template="house")
    assert await ask(cluster.url("house_copy"), "SELECT name FROM person") == "Olaf"

    cluster.drop_database("house_copy")
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await ask(cluster.url("house_copy"), "SELECT 1")


async def test_a_database_is_dropped_under_a_visitor(cluster: Cluster) -> None:
    cluster.create_database("visited")
    visitor = await asyncpg.connect(cluster.url("visited"))
    cluster.drop_database("visited")
    with pytest.raises((asyncpg.AdminShutdownError, asyncpg.ConnectionDoesNotExistError)):
        await visitor.fetchval("SELECT 1")
    await visitor.close()


async def test_only_the_owner_makes_tables(cluster: Cluster) -> None:
    for role in ("understudy_owner", "understudy_app", "understudy_app"):
        cluster.create_role(role)
    cluster.create_database("owned", owner="understudy_owner")

    await ask(cluster.url("owned", "understudy_owner"), "CREATE TABLE person (name text)")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await ask(cluster.url("owned", "understudy_app"), "SELECT name FROM person")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await ask(cluster.url("owned", "understudy_app"), "CREATE TABLE mine (name text)")


def test_a_failing_statement_is_not_swallowed(cluster: Cluster) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        cluster.run("SELECT nothing FROM nowhere")


def test_it_ends_with_the_with_block() -> None:
    with Cluster() as cluster:
        assert someone_answers(cluster.port)
    assert not someone_answers(cluster.port)
    assert not cluster.folder.exists()


def test_two_clusters_do_not_meet(cluster: Cluster) -> None:
    with Cluster() as other:
        assert (other.port, other.folder) != (cluster.port, cluster.folder)
        other.create_database("house_next_door")
        with pytest.raises(subprocess.CalledProcessError):
            cluster.run("SELECT 1", "house_next_door")


TESTS_THAT_WILL_BE_KILLED = """
import sys
from tests.postgres import Cluster

with Cluster() as cluster:
    print(cluster.port, cluster.folder, sep="\\n", flush=True)
    sys.stdin.read()
"""


def test_it_ends_when_the_tests_are_killed() -> None:
    tests = subprocess.Popen(
        [sys.executable, "-c", TESTS_THAT_WILL_BE_KILLED],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert tests.stdout is not None
    port, folder = int(tests.stdout.readline()), Path(tests.stdout.readline().strip())
    assert someone_answers(port)

    tests.kill()
    # The keeper shares the standard error of those who started it, so its end is the end of the keeper.
    tests.communicate()
    assert not someone_answers(port)
    assert not folder.exists()


def test_a_server_that_cannot_start_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TEST_PG_BIN", str(tmp_path))
    with pytest.raises(RuntimeError, match="did not start"), Cluster():
        pytest.fail("there is no server here")
