"""At the terminal: what each command prints, what it writes, and how it says no."""

import asyncio
import contextlib
import json
import os
import re
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa

from bindings.keys import SigningKey
from control.cli import main
from control.commands import serving
from control.set_up import set_up, set_up_token
from control.settings import Settings
from tenants.api_keys import PREFIX, ApiKey
from tenants.credentials import digest, verify_password
from tenants.factors import keep_flag
from tenants.invitations import Invitation
from tenants.passkeys import Passkey
from tenants.people import Membership, User, find_membership, find_user
from tenants.phones import Extension, PhoneSystem
from tenants.reach import ROOT
from tenants.refusals import Conflict
from tenants.schema import current
from tenants.sign_in import SignIn
from tenants.store import Store
from tenants.trail import Entry
from tenants.tree import Tenant
from tests.cast import NOW, ORIGIN, Cast, house_work, work_as
from tests.conftest import ON_BOTH
from tests.fold import misfits
from tests.postgres import Cluster

SAMPLE = Path(__file__).parents[1] / "samples" / "freepbx-20.csv"


@dataclass(frozen=True)
class Said:
    """How a command ended."""

    code: int
    out: str
    err: str


Terminal = Callable[..., Awaitable[Said]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data folder of a house that nobody has used yet, and nothing in the environment but that."""
    for name in [name for name in os.environ if name.startswith("UNDERSTUDY_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "var"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("UNDERSTUDY_DATA_DIR", str(folder))
    return folder


@pytest.fixture
def open_folder(folder: Path) -> Path:
    """The same, left open to everybody on the machine."""
    folder.chmod(0o755)
    return folder


@pytest.fixture
def bare(folder: Path, capsys: pytest.CaptureFixture[str]) -> Terminal:
    """A terminal beside that house. Commands run in a thread, since each has an event loop of its own."""

    async def type_(*words: str) -> Said:
        capsys.readouterr()
        code = await asyncio.to_thread(main, words)
        said = capsys.readouterr()
        return Said(code, said.out, said.err)

    return type_


@pytest.fixture
def terminal(bare: Terminal, database: str, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal of the cast's house."""
    monkeypatch.setenv("UNDERSTUDY_DATABASE_URL", database)
    return bare


@pytest.fixture
async def new_house(folder: Path, bare: Terminal) -> AsyncIterator[Store]:
    """The embedded house that the commands make by themselves."""
    store = Store(f"sqlite:///{folder}/understudy.db")
    yield store
    await store.close()


def refused(said: Said, sentence: str, code: int = 1) -> bool:
    """One plain line on standard error, and nothing else."""
    return (said.code, said.out) == (code, "") and said.err.count("\n") == 1 and sentence in said.err


async def count(store: Store, kind: type[Entry | Extension | Tenant | User]) -> int:
    async with house_work(store) as session:
        return (await session.execute(sa.select(sa.func.count()).select_from(kind))).scalar_one()


# How it is used


def test_help_answers_in_under_half_a_second() -> None:
    program = Path(sys.executable).with_name("understudy")
    seconds = []
    for _ in range(3):
        begun = time.perf_counter()
        helped = subprocess.run([program, "--help"], capture_output=True, text=True, check=True)
        seconds.append(time.perf_counter() - begun)
    assert "serve" in helped.stdout
    assert min(seconds) < 0.5


@pytest.mark.parametrize(
    "words",
    [
        ["fly"],
        ["admin", "create"],
        ["key", "create", "pia@pine.example", "--scopes", "read,fly"],
        ["key", "create", "pia@pine.example", "--days", "366"],
        ["import", "extensions", "nowhere.csv", "--phone-system", "bakery-pbx"],
        ["seed", "load", "--tenants", "1", "--extensions", "1"],
        ["serve", "--port", "65536"],
    ],
)
async def test_used_wrongly_is_one_line_and_two(bare: Terminal, words: list[str]) -> None:
    assert refused(await bare(*words), "", code=2)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("UNDERSTUDY_PUBLIC_URL", "http://panel.example", "https"),
        ("UNDERSTUDY_DATABASE_URL", "mysql://u:hush@db.example/u", "postgresql://"),
        ("UNDERSTUDY_DATABASE_URL", "postgresql://u:hush@127.0.0.1:1/u", "database"),
        ("UNDERSTUDY_DATABASE_URL", "no address", "UNDERSTUDY_DATABASE_URL"),
        ("UNDERSTUDY_WORKERS", "2", "PostgreSQL"),
    ],
)
async def test_a_setting_that_cannot_be_used_is_one_line(
    bare: Terminal, monkeypatch: pytest.MonkeyPatch, name: str, value: str, sentence: str
) -> None:
    monkeypatch.setenv(name, value)
    said = await bare("keys", "rotate")
    assert refused(said, sentence)
    assert "hush" not in said.err


# The first admin, and the way back


async def test_the_first_admin_of_a_new_house(bare: Terminal, new_house: Store) -> None:
    said = await bare("admin", "create", "Ada.Ash@Acme.example", "--organization", "Acme")
    assert said.code == 0
    async with house_work(new_house) as session:
        ada = (await session.scalars(sa.select(User))).one()
        membership = (await session.scalars(sa.select(Membership))).one()
        root = (await session.scalars(sa.select(Tenant))).one()
    assert (ada.name, ada.email, root.name, root.path) == ("Ada Ash", "ada.ash@acme.example", "Acme", "/1/")
    assert (membership.role, membership.tenant_id) == ("admin", root.id)
    [password] = re.findall(r"this once: (\S+)", said.out)
    assert await verify_password(password, ada.password_hash) == (True, None)


@pytest.fixture
async def new_server(cluster: Cluster, bare: Terminal, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Store]:
    """A house on PostgreSQL with nobody in it."""
    url = cluster.url("cli_nobody")
    cluster.create_database("cli_nobody")
    monkeypatch.setenv("UNDERSTUDY_DATABASE_URL", url)
    await bare("migrate")
    store = Store(url)
    yield store
    await store.close()
    cluster.drop_database("cli_nobody")


async def test_of_two_who_set_up_at_once_one_is_too_late(new_server: Store) -> None:
    async def by(name: str) -> None:
        async with house_work(new_server) as session:
            await set_up(session, name, name, f"{name}@acme.example", "no password", NOW)

    ended = await asyncio.gather(by("ada"), by("eve"), by("ida"), return_exceptions=True)
    assert [type(each) for each in ended if each] == [Conflict, Conflict]
    assert (await count(new_server, User), await count(new_server, Tenant)) == (1, 1)


async def test_a_mistyped_address_does_not_cost_the_platform_its_place(bare: Terminal, new_server: Store) -> None:
    assert refused(await bare("admin", "create", "ada at acme", "--name", "Ada"), "not an e-mail address")
    assert (await bare("admin", "create", "ada@acme.example")).code == 0
    async with house_work(new_server) as session:
        assert list(await session.scalars(sa.select(Tenant.path))) == [ROOT]


async def test_an_admin_is_made_where_the_tenant_says(terminal: Terminal, store: Store, cast: Cast) -> None:
    said = await terminal("admin", "create", "kim@dairy.example", "--tenant", "pine/dairy", "--name", "Kim Knoll")
    assert said.out.startswith("Kim Knoll <kim@dairy.example> is an admin of Dairy.")
    assert await count(store, User) == len(cast.people) + 1


async def test_somebody_known_becomes_admin_and_keeps_their_password(terminal: Terminal, store: Store) -> None:
    said = await terminal("admin", "create", "nora@north.example")
    assert said.out == "Nora Nash <nora@north.example> is an admin of Acme.\n"


async def test_nobody_is_made_admin_twice_or_nowhere(terminal: Terminal, store: Store) -> None:
    before = await count(store, Entry)
    assert refused(await terminal("admin", "create", "ada@acme.example"), "has been in Acme before")
    assert refused(await terminal("admin", "create", "kim@x.example", "--tenant", "north/bakery"), "no tenant")
    assert refused(await terminal("admin", "create", "kim at x"), "not an e-mail address")
    assert await count(store, Entry) == before


async def test_an_admin_who_was_shut_out_comes_back(terminal: Terminal, store: Store, cast: Cast) -> None:
    async with house_work(store) as session:
        membership = await find_membership(session, cast.membership_id("Axel"))
        user = await find_user(session, cast.user("Axel").id)
        spell, _ = await SignIn.start(session, cast.identity("Axel"), ORIGIN, "a browser", NOW)
    async with work_as(store, cast.actor("Ada")) as session:
        user = await find_user(session, user.id)
        await user.discard(session, cast.actor("Ada"), NOW)

    said = await terminal("admin", "recover", "axel@acme.example")
    assert said.code == 0
    async with house_work(store) as session:
        membership = await find_membership(session, membership.id)
        spell = await session.get_one(SignIn, spell.id)
        told = await session.scalars(sa.select(Entry.verb).where(Entry.actor_name == "system: command line"))
        assert set(told) == {"user.undiscarded", "membership.changed", "user.password_changed"}
    assert (membership.role, membership.user.discarded_at) == ("admin", None)
    assert (spell.ended_at is None, spell.ended_cause) == (False, "recovered")
    [password] = re.findall(r"this once: (\S+)", said.out)
    assert (await verify_password(password, membership.user.password_hash))[0]


async def test_a_lost_second_factor_is_no_way_out_for_good(terminal: Terminal, store: Store, cast: Cast) -> None:
    async with house_work(store) as session:
        axel = await find_user(session, cast.user("Axel").id)
        lost = {"name": "Lost", "credential_id": "lost", "public_key": "key", "sign_count": 0, "transports": []}
        passkey = await Passkey.add(session, axel, now=NOW, **lost)
        await keep_flag(session, axel, NOW)
    said = await terminal("admin", "recover", "axel@acme.example")
    assert "The second factors are gone" in said.out
    async with house_work(store) as session:
        axel = await find_user(session, axel.id)
        assert (axel.second_factor, axel.factors_reset_at is None) == (False, False)
        assert (await session.get_one(Passkey, passkey.id)).discarded_at is not None
        told = await session.scalars(sa.select(Entry.verb).where(Entry.actor_name == "system: command line"))
        assert {"user.factors_reset", "factor.passkey_removed"} <= set(told)


async def test_only_who_was_in_the_platform_is_recovered(terminal: Terminal) -> None:
    assert refused(await terminal("admin", "recover", "nora@north.example"), "never was in the platform")
    assert refused(await terminal("admin", "recover", "nobody@nowhere.example"), "never was in the platform")


# API keys


async def test_a_key_is_printed_and_nothing_else(terminal: Terminal, store: Store, cast: Cast) -> None:
    said = await terminal("key", "create", "pia@pine.example", "--days", "7")
    assert (said.code, said.err) == (0, "")
    assert re.fullmatch(rf"{PREFIX}[\w-]+\n", said.out)
    async with house_work(store) as session:
        key = (await session.scalars(sa.select(ApiKey))).one()
    assert (key.key_hash, key.membership_id) == (digest(said.out.strip()), cast.membership_id("Pia"))
    assert (key.scopes, (key.expires_at - key.created_at).days) == ("read write stand_in", 7)


async def test_a_key_acts_as_one_membership(terminal: Terminal, store: Store, cast: Cast) -> None:
    assert refused(await terminal("key", "create", "ben@bakery.example"), "say where with --tenant")
    assert refused(await terminal("key", "create", "ben@bakery.example", "--tenant", "zoo"), "no live membership")
    assert refused(await terminal("key", "create", "nobody@x.example"), "no live membership")
    said = await terminal("key", "create", "ben@bakery.example", "--tenant", "clinic", "--scopes", "read")
    async with house_work(store) as session:
        key = (await session.scalars(sa.select(ApiKey))).one()
    assert (said.code, key.membership_id, key.scopes) == (0, cast.membership_id("Ben", at="Clinic"), "read")


async def test_a_directorys_key_is_for_one_company_and_by_an_admin_there_or_above(
    terminal: Terminal, store: Store, cast: Cast
) -> None:
    asked = ("key", "create", "elsa@elm.example", "--tenant", "zoo", "--scopes")
    sideways = await terminal("key", "create", "olaf@oak.example", "--tenant", "zoo", "--scopes", "scim")
    assert (await terminal(*asked, "scim,read")).code == 2
    assert refused(sideways, "above it")
    said = await terminal(*asked, "scim")
    assert (said.code, said.err) == (0, "")
    async with house_work(store) as session:
        key = (await session.scalars(sa.select(ApiKey))).one()
    assert (key.scopes, key.tenant_id, key.membership_id) == ("scim", cast.tenant("Zoo").id, cast.membership_id("Elsa"))


# Seeds


async def test_the_cast_is_seeded_and_its_secrets_kept(bare: Terminal, new_house: Store, tmp_path: Path) -> None:
    file = tmp_path / "secrets.json"
    assert (await bare("seed", "cast", "--secrets-file", str(file))).code == 0
    secrets = json.loads(file.read_text())
    assert set(secrets) == {"softphone", "desk-client", "desk-admin"}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600

    before = await count(new_house, Entry)
    assert (await bare("seed", "cast", "--secrets-file", str(file))).code == 0
    assert (json.loads(file.read_text()), await count(new_house, Entry)) == (secrets, before)

    file.unlink()
    assert (await bare("seed", "cast", "--secrets-file", str(file), "--apps-port", "9001")).code == 0
    assert json.loads(file.read_text()).keys() == secrets.keys()
    assert json.loads(file.read_text()) != secrets


async def test_secrets_that_cannot_be_kept_are_not_made(bare: Terminal, new_house: Store, tmp_path: Path) -> None:
    assert refused(await bare("seed", "cast", "--secrets-file", str(tmp_path / "no" / "s.json")), "No such file")
    assert not (await current(new_house.reader))


async def test_a_house_in_use_is_not_seeded(bare: Terminal, new_house: Store) -> None:
    await bare("admin", "create", "ida@somebody.example")
    assert refused(await bare("seed", "cast"), "in use")
    assert refused(await bare("seed", "load", "--tenants", "2", "--extensions", "1"), "in use")
    assert await count(new_house, User) == 1


async def test_a_load_is_as_large_as_asked_and_every_row_has_its_entry(terminal: Terminal, store: Store) -> None:
    tenants, extensions, entries = await count(store, Tenant), await count(store, Extension), await count(store, Entry)
    said = await terminal("seed", "load", "--tenants", "60", "--extensions", "150")
    assert said.out == "Added 60 tenants and 150 extensions.\n"
    assert await count(store, Tenant) == tenants + 60
    assert await count(store, Extension) == extensions + 150
    # The tenants; 3 resellers' admins; phone systems of 57 customers; extensions, their users and licences.
    assert await count(store, Entry) == entries + 60 + 3 * 2 + 57 + 150 * 4
    async with house_work(store) as session:
        loaded = {tenant.id: tenant for tenant in await session.scalars(sa.select(Tenant).where(Tenant.id > tenants))}
        everybody = {tenant.id: tenant for tenant in await session.scalars(sa.select(Tenant))}
        told = sa.select(Entry).where(Entry.verb == "tenant.created", Entry.record_id == str(max(loaded)))
        entry = (await session.scalars(told)).one()
        assert await misfits(session) == []
    for tenant in loaded.values():
        assert tenant.path == f"{everybody[tenant.parent_id or 0].path}{tenant.id}/"
    assert entry.changes["name"] == [None, loaded[max(loaded)].name]


# Importing extensions


async def test_a_dry_run_says_what_would_be_done(terminal: Terminal, store: Store) -> None:
    before = await count(store, Entry)
    said = await terminal("import", "extensions", str(SAMPLE), "--phone-system", "bakery-pbx")
    assert (said.code, said.err) == (0, "")
    assert "line 2      401      added     “Milo Marten”, invites milo@mill.example" in said.out
    assert "Bakery PBX: 20 to add, 0 to change, 0 refused, 0 as they were; 17 invitations to prepare." in said.out
    assert said.out.endswith("Nothing was changed. Use --apply to do it.\n")
    assert await count(store, Entry) == before


async def test_apply_does_it_and_a_second_run_nothing(terminal: Terminal, store: Store) -> None:
    before = await count(store, Entry)
    words = ("import", "extensions", str(SAMPLE), "--phone-system", "bakery-pbx", "--apply")
    said = await terminal(*words)
    assert "Bakery PBX: 20 added, 0 changed, 0 refused, 0 as they were; 17 invitations prepared." in said.out
    assert await count(store, Entry) == before + 20 + 17 + 1
    again = await terminal(*words)
    assert again.out == "Bakery PBX: 0 added, 0 changed, 0 refused, 20 as they were; 0 invitations prepared.\n"
    assert await count(store, Entry) == before + 20 + 17 + 1


async def test_a_long_list_is_cut_and_what_is_wrong_comes_first(
    terminal: Terminal, store: Store, tmp_path: Path
) -> None:
    file = tmp_path / "long.csv"
    numbers = [*range(1000, 1030), 1000]
    file.write_text("extension,name\n" + "".join(f"{number},Oven\n" for number in numbers))
    words = ("import", "extensions", str(file), "--phone-system", "bakery-pbx")
    said = await terminal(*words)
    assert said.code == 1
    assert said.out.startswith("line 32     1000     refused   This number already stands on an earlier line. (2)\n")
    assert "… and 11 more (use --all)" in said.out
    assert "more" not in (await terminal(*words, "--all")).out
    assert (await terminal(*words, "--apply")).code == 1
    assert await count(store, Extension) == 9 + 30


async def test_ada_and_a_stranger_are_invited_in_the_same_words(
    terminal: Terminal, store: Store, tmp_path: Path
) -> None:
    answers = set()
    for address in ("ada@acme.example", "eve@nowhere.example"):
        file = tmp_path / "list.csv"
        file.write_text(f"extension,name,email\n203,,{address}\n")
        said = await terminal("import", "extensions", str(file), "--phone-system", "bakery-pbx", "--apply")
        answers.add(said.out.replace(address, "ADDRESS"))
    assert answers == {
        "line 2      203      invited   invites ADDRESS\n"
        "Bakery PBX: 0 added, 0 changed, 0 refused, 1 as they were; 1 invitation prepared.\n"
    }
    async with house_work(store) as session:
        counter = (await session.scalars(sa.select(Extension).where(Extension.number == "203"))).one()
        waiting = list(await session.scalars(sa.select(Invitation.extension_id)))
    assert (counter.membership_id, waiting) == (None, [counter.id, counter.id])


async def test_a_phone_system_must_be_there_and_be_the_one(terminal: Terminal, store: Store, cast: Cast) -> None:
    words = ("import", "extensions", str(SAMPLE), "--phone-system")
    assert refused(await terminal(*words, "attic-pbx"), "no phone system")
    assert refused(await terminal(*words, "bakery-pbx", "--tenant", "clinic"), "no phone system")
    async with house_work(store) as session:
        for name in ("Clinic", "Zoo"):
            place = await session.get_one(Tenant, cast.tenant(name).id)
            await PhoneSystem.create(session, place, "Main", "main.example", NOW)
    assert refused(await terminal(*words, "main"), "say whose with --tenant (")
    assert (await terminal(*words, "main", "--tenant", "oak/clinic")).code == 0


async def test_what_is_no_list_is_one_line(terminal: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_bytes(b"PK\x03\x04 a workbook")
    said = await terminal("import", "extensions", str(file), "--phone-system", "bakery-pbx", "--apply")
    assert refused(said, "save it as CSV first")


# Keys, doctor, explain, openapi, migrate, serve


async def test_keys_are_rotated(terminal: Terminal, store: Store) -> None:
    first, second = await terminal("keys", "rotate"), await terminal("keys", "rotate")
    async with house_work(store) as session:
        kids = list(await session.scalars(sa.select(SigningKey.kid).order_by(SigningKey.id)))
    assert [first.out, second.out] == [f"ES256 {kid}\n" for kid in kids]


@ON_BOTH
async def test_the_doctor_finds_a_good_house_good(terminal: Terminal, backend: str) -> None:
    said = await terminal("doctor")
    assert said.code == 0
    assert "ok       the tables are up to date" in said.out
    assert "ok       the platform has 1 admin" in said.out
    assert "ok       letters are kept in" in said.out
    assert "ok       no letter failed" in said.out
    if backend == "sqlite":
        assert "WAL, full sync" in said.out
    else:
        assert "warning  this role could take the triggers of the trail away" in said.out


async def test_the_doctor_masks_secrets_and_finds_what_is_wrong(
    bare: Terminal, open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNDERSTUDY_DATABASE_URL", "postgresql://u:hush@127.0.0.1:1/u")
    monkeypatch.setenv("UNDERSTUDY_SECRET_KEY", "hush" * 8)
    monkeypatch.setenv("UNDERSTUDY_SMTP_URL", "smtp://u:hush@mail.example:587?starttls=1")
    said = await bare("doctor")
    assert said.code == 1
    assert "hush" not in said.out + said.err
    assert "postgresql://u:***@127.0.0.1:1/u" in said.out
    assert "wrong    the database does not answer" in said.out
    assert "ok       letters go to mail.example:587 by SMTP, with STARTTLS" in said.out
    assert f"warning  others on this machine may open {open_folder}" in said.out


async def test_the_doctor_leaves_a_new_house_as_it_is(bare: Terminal, folder: Path) -> None:
    said = await bare("doctor")
    assert (said.code, "there is no database yet" in said.out) == (0, True)
    assert not (folder / "understudy.db").exists()


@pytest.mark.parametrize(
    ("actor", "subject", "sentence"),
    [
        ("pia@pine.example", "dan@dairy.example", "Pia Pine (admin at Pine) may bind to Dan Dale (member at Dairy)."),
        ("elsa@elm.example", "zoe@zoo.example", "Elsa Eden (admin at Elm) may not bind to Zoe Zeller"),
        ("elsa@elm.example", "bea@bakery.example", ": reach. "),
        ("olaf@oak.example", "ada@acme.example", ": reach. "),
        ("bea@bakery.example", "bea@bakery.example", ": permission. "),
        ("paul@pine.example", "pia@pine.example", ": rank. "),
    ],
)
async def test_explain_names_the_rule(terminal: Terminal, actor: str, subject: str, sentence: str) -> None:
    said = await terminal("explain", actor, subject)
    assert sentence in said.out
    assert said.code == (0 if " may bind " in said.out else 1)


async def test_explain_asks_for_each_membership(terminal: Terminal, cast: Cast) -> None:
    said = await terminal("explain", "olaf@oak.example", "ben@bakery.example")
    assert [line.rpartition("(")[2] for line in said.out.splitlines()] == ["member at Bakery).", "member at Clinic)."]
    one = await terminal("explain", "olaf@oak.example", str(cast.membership_id("Ben", at="Clinic")))
    assert one.out == said.out.splitlines()[1] + "\n"
    assert refused(await terminal("explain", "nobody@x.example", "9" * 30), "There is nobody")


async def test_openapi_is_printed(bare: Terminal) -> None:
    described = json.loads((await bare("openapi")).out)
    assert described["openapi"].startswith("3.")


async def test_serve_prints_the_set_up_link_until_somebody_is_there(bare: Terminal, new_house: Store) -> None:
    link = f"http://localhost:8000/setup?token={set_up_token(Settings.load())}"
    said = await asyncio.to_thread(serving.first_words, "127.0.0.1", 8000)
    assert said[1:] == [f"Nobody is here yet. Make the first admin at {link}"]
    await bare("admin", "create", "ada@acme.example")
    assert await asyncio.to_thread(serving.first_words, "127.0.0.1", 8000) == said[:1]


async def test_the_owner_migrates_and_the_serving_role_cannot_touch_the_trail(
    bare: Terminal, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.create_role("cli_owner")
    cluster.create_role("cli_serving")
    cluster.create_database("cli_migrate", owner="cli_owner")
    monkeypatch.setenv("UNDERSTUDY_DATABASE_URL", cluster.url("cli_migrate", "cli_serving"))
    monkeypatch.setenv("UNDERSTUDY_MIGRATION_URL", cluster.url("cli_migrate", "cli_owner"))

    assert refused(await bare("serve"), "Run `understudy migrate` first")
    assert (await bare("doctor")).code == 1
    assert (await bare("migrate")).out == "The tables are up to date, and cli_serving may use them.\n"
    assert (await bare("migrate")).code == 0
    assert (await bare("seed", "cast")).code == 0
    assert "ok       this role cannot touch the triggers of the trail" in (await bare("doctor")).out


# The sealed trail


@ON_BOTH
async def test_the_trail_is_sealed_exported_and_checked(terminal: Terminal, tmp_path: Path) -> None:
    note = (await terminal("trail", "checkpoint")).out
    assert note.startswith("localhost:8000/trail\n")
    exported = await terminal("trail", "export", "trail.jsonl")
    assert exported.code == 0
    lines = (tmp_path / "trail.jsonl").read_bytes().splitlines()
    assert f"Wrote {len(lines) - 1} entries" in exported.out
    assert stat.S_IMODE((tmp_path / "trail.jsonl").stat().st_mode) == 0o600
    checked = await terminal("trail", "verify", "trail.jsonl")
    assert f"{len(lines) - 1} entries as sealed: the whole trail." in checked.out
    key = json.loads(lines[-1])["key"]
    assert key in checked.out
    assert (await terminal("trail", "verify", "trail.jsonl", "--key", key)).code == 0
    found = await terminal("trail", "verify")
    assert (found.code, f"{len(lines) - 1} entries as sealed" in found.out) == (0, True)


async def test_a_bundle_needs_no_database_and_a_fault_is_one_line(
    terminal: Terminal, bare: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await terminal("trail", "export", "--tenant", "bakery", "bakery.jsonl")
    monkeypatch.setenv("UNDERSTUDY_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    said = await bare("trail", "verify", "bakery.jsonl")
    assert (said.code, "part of a trail of" in said.out) == (0, True)
    lines = (tmp_path / "bakery.jsonl").read_text().splitlines()
    (tmp_path / "bakery.jsonl").write_text("\n".join(lines[:-1]))
    assert refused(await bare("trail", "verify", "bakery.jsonl"), "without its checkpoint")
    assert refused(await bare("trail", "verify", "nowhere.jsonl"), "", code=2)
    assert refused(await bare("trail", "verify", "--key", "x"), "--key", code=2)


async def test_a_changed_entry_is_one_line(terminal: Terminal, store: Store) -> None:
    await terminal("trail", "checkpoint")
    with contextlib.closing(sqlite3.connect(str(store.url.database))) as connection, connection:
        connection.execute("DROP TRIGGER entries_keep_update")
        connection.execute("UPDATE entries SET reason = 'mended' WHERE id = 9")
    assert refused(await terminal("trail", "verify"), "Entry 9 was changed")


async def test_a_new_house_has_nothing_to_sign_for(bare: Terminal) -> None:
    assert refused(await bare("trail", "checkpoint"), "Nothing is sealed yet")
    assert (await bare("trail", "verify")).code == 0


async def test_the_doctor_tells_how_far_the_trail_is_sealed(terminal: Terminal) -> None:
    assert "warning  entries wait to be sealed since" in (await terminal("doctor")).out
    await terminal("trail", "checkpoint")
    assert re.search(r"ok       \d+ entries are sealed, none waits", (await terminal("doctor")).out)


async def test_the_page_about_checking_the_trail_is_right(terminal: Terminal, tmp_path: Path) -> None:
    """Each command of docs/verify-the-trail.md, in order; the last one is a program that is not ours."""
    docs = Path(__file__).parents[2] / "docs"
    blocks = re.findall(r"```sh\n(.*?)```", (docs / "verify-the-trail.md").read_text(), re.DOTALL)
    commands = [line for block in blocks for line in block.splitlines()]
    assert len(commands) == 7
    for command in commands[:-1]:
        program, *words = command.split()
        assert (program, (await terminal(*words)).code) == ("understudy", 0)
    assert commands[-1].startswith("python docs/verify_trail.py trail.jsonl ")
    lines = (tmp_path / "trail.jsonl").read_bytes().splitlines(keepends=True)
    key = json.loads(lines[-1])["key"]
    for bundle in ("trail.jsonl", "bakery.jsonl"):
        assert foreign(docs, bundle, key).returncode == 0
    assert foreign(docs, "trail.jsonl", key.replace("localhost", "elsewhere")).returncode == 1
    for changed in (
        lines[1:],
        [lines[1], lines[0], *lines[2:]],
        [lines[0].replace(b'"leaf": "', b'"leaf": "AAAA'), *lines[1:]],
    ):
        (tmp_path / "changed.jsonl").write_bytes(b"".join(changed))
        assert foreign(docs, "changed.jsonl", key).returncode == 1


def foreign(docs: Path, bundle: str, key: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, docs / "verify_trail.py", bundle, key], capture_output=True, text=True, check=False
    )
