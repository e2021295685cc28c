"""`understudy doctor`: the settings in force, and what is wrong with the house."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection

from control.commands.opening import open_store
from control.house import Clock
from control.settings import LOOPBACK, Settings
from tenants.roles import Role
from tenants.schema import current, owns_the_trail
from tenants.sealed_trail import oldest_pending
from tenants.store import Store

OTHERS = 0o077
"""What the group and everybody else may do with a file."""
FULL = 2
"""SQLite's number for synchronous=FULL."""
MASK = "***"
SEALED_WITHIN = timedelta(minutes=1)
"""An entry that waits longer to be sealed is worth a warning: a serving process seals every second."""


class Health(StrEnum):
    """How a check came out."""

    GOOD = "ok"
    ODD = "warning"
    BAD = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `sentence` says what to do unless it is good."""

    health: Health
    sentence: str


async def examine() -> tuple[list[str], bool]:
    """Returns what to print, and whether all that must be right is right."""
    settings = Settings.load()
    findings = [_public_url(settings), _mail(settings), *_files(settings), *await _database(settings)]
    said = [f"{name:<32} {value}" for name, value in in_force(settings).items()]
    said += [f"{finding.health.value:<8} {finding.sentence}" for finding in findings]
    return said, all(finding.health is not Health.BAD for finding in findings)


def in_force(settings: Settings) -> dict[str, str]:
    """Every setting as people may see it."""
    return {
        "UNDERSTUDY_DATABASE_URL": masked(settings.database_url),
        "UNDERSTUDY_DATA_DIR": str(settings.data_dir),
        "UNDERSTUDY_MAIL_FROM": settings.sender_address,
        "UNDERSTUDY_MIGRATION_URL": masked(settings.migration_url),
        "UNDERSTUDY_PUBLIC_URL": settings.public_url,
        "UNDERSTUDY_RATE_LIMIT": _quota(settings.quotas.key, settings.workers),
        "UNDERSTUDY_RATE_LIMIT_APPS": _quota(settings.quotas.app, settings.workers),
        "UNDERSTUDY_RATE_LIMIT_STRANGERS": _quota(settings.quotas.network, settings.workers),
        "UNDERSTUDY_SECRET_KEY": MASK,
        "UNDERSTUDY_SMTP_URL": masked(settings.smtp_url) if settings.smtp_url else "none: letters stay in the data dir",
        "UNDERSTUDY_WORKERS": str(settings.workers),
        "UNDERSTUDY_TRUSTED_PROXIES": ", ".join(settings.trusted_proxies) or "none",
    }


def _quota(quota: int, workers: int) -> str:
    """Each worker counts for itself."""
    if not quota:
        return "none"
    return f"{quota} a minute" + (f", in each of {workers} workers" if workers > 1 else "")


def masked(url: str) -> str:
    """An address without its password."""
    try:
        return make_url(url).render_as_string(hide_password=True)
    except sa.exc.ArgumentError:
        return MASK


def _public_url(settings: Settings) -> Finding:
    if settings.https:
        return Finding(Health.GOOD, "people come by https")
    host = make_url(settings.public_url).host or ""
    if host in LOOPBACK or host.endswith(".localhost"):
        return Finding(Health.GOOD, "plain http, for this machine alone")
    return Finding(Health.BAD, "UNDERSTUDY_PUBLIC_URL must be https")


def _mail(settings: Settings) -> Finding:
    server = settings.mail_server
    if server is not None:
        private = "TLS" if server.tls else "STARTTLS" if server.starttls else "nothing to keep them private"
        return Finding(Health.GOOD, f"letters go to {server.host}:{server.port} by SMTP, with {private}")
    kept = settings.data_dir / "letters"
    if settings.https:
        return Finding(Health.ODD, f"nobody gets letters: set UNDERSTUDY_SMTP_URL (they are kept in {kept})")
    return Finding(Health.GOOD, f"letters are kept in {kept}, for this machine alone")


def _files(settings: Settings) -> list[Finding]:
    """Nobody else on the machine reads what we keep."""
    kept = [settings.data_dir, settings.data_dir / "secret.key"]
    database = _file(settings)
    if database is not None:
        kept.append(database)
    return [_private(path) for path in kept if path.exists()]


def _private(path: Path) -> Finding:
    mode = path.stat().st_mode
    if not mode & OTHERS:
        return Finding(Health.GOOD, f"{path} is ours alone")
    inside = path.parent.stat().st_mode
    if path.is_file() and not inside & OTHERS:
        return Finding(Health.GOOD, f"{path} stands in a folder that is ours alone")
    right = "700" if path.is_dir() else "600"
    return Finding(Health.ODD, f"others on this machine may open {path}: chmod {right} {path}")


def _file(settings: Settings) -> Path | None:
    url = make_url(settings.database_url)
    return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None


async def _database(settings: Settings) -> list[Finding]:
    file = _file(settings)
    if file is not None and not file.exists():
        return [Finding(Health.ODD, "there is no database yet; `understudy serve` makes it")]
    store = open_store(settings.database_url)
    try:
        return await _look_inside(store)
    except (OSError, sa.exc.SQLAlchemyError) as error:
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        return [Finding(Health.BAD, f"the database does not answer: {reason}")]
    finally:
        await store.close()


async def _look_inside(store: Store) -> list[Finding]:
    findings = []
    async with store.reader.connect() as connection:
        findings.append(Finding(Health.GOOD, f"the database answers ({await _version(connection)})"))
        if store.embedded:
            findings.append(await _durability(connection))
    if not await current(store.reader):
        how = "`understudy serve` upgrades them" if store.embedded else "run `understudy migrate`"
        return [*findings, Finding(Health.BAD, f"the tables are not up to date; {how}")]
    findings.append(Finding(Health.GOOD, "the tables are up to date"))
    if not store.embedded:
        findings.append(await _trail_keeper(store))
    clock = Clock()
    await clock.set_by(store)
    async with store.reader.connect() as connection:
        findings.append(await _sealing(connection, clock()))
        findings.append(await _admins(connection))
        findings.append(await _letters(connection))
    return findings


async def _version(connection: AsyncConnection) -> str:
    name = connection.dialect.name
    asked = "SELECT sqlite_version()" if name == "sqlite" else "SHOW server_version"
    label = "SQLite" if name == "sqlite" else "PostgreSQL"
    return f"{label} {(await connection.execute(sa.text(asked))).scalar_one()}"


async def _durability(connection: AsyncConnection) -> Finding:
    journal = (await connection.execute(sa.text("PRAGMA journal_mode"))).scalar_one()
    synchronous = (await connection.execute(sa.text("PRAGMA synchronous"))).scalar_one()
    if (journal, synchronous) == ("wal", FULL):
        return Finding(Health.GOOD, "what is acknowledged is on the disk (WAL, full sync)")
    return Finding(Health.BAD, f"the disk is not waited for: journal_mode={journal}, synchronous={synchronous}")


async def _trail_keeper(store: Store) -> Finding:
    if await owns_the_trail(store.reader):
        return Finding(
            Health.ODD,
            "this role could take the triggers of the trail away: serve with another role than "
            "UNDERSTUDY_MIGRATION_URL's and run `understudy migrate`",
        )
    return Finding(Health.GOOD, "this role cannot touch the triggers of the trail")


async def _sealing(connection: AsyncConnection, now: datetime) -> Finding:
    """How far the trail is sealed, and how long the oldest entry has waited for it."""
    asked = sa.text("SELECT COALESCE(MAX(size), 0) FROM checkpoints")
    size = (await connection.execute(asked)).scalar_one()
    oldest = await oldest_pending(connection)
    if oldest is None:
        return Finding(Health.GOOD, f"{size} entries are sealed, none waits")
    if now - oldest < SEALED_WITHIN:
        return Finding(Health.GOOD, f"{size} entries are sealed, the oldest that waits is of {oldest:%H:%M:%S} UTC")
    return Finding(
        Health.ODD,
        f"entries wait to be sealed since {oldest:%Y-%m-%d %H:%M} UTC, {size} are sealed: "
        "`understudy serve` and `understudy trail checkpoint` seal them",
    )


async def _admins(connection: AsyncConnection) -> Finding:
    """Somebody must be able to manage the platform."""
    asked = sa.text(
        "SELECT COUNT(*) FROM memberships m JOIN tenants t ON t.id = m.tenant_id JOIN users u ON u.id = m.user_id "
        "WHERE t.parent_id IS NULL AND m.role = :role AND m.discarded_at IS NULL AND u.discarded_at IS NULL"
    )
    count = (await connection.execute(asked, {"role": Role.ADMIN.value})).scalar_one()
    if count:
        return Finding(Health.GOOD, f"the platform has {count} {'admin' if count == 1 else 'admins'}")
    return Finding(Health.ODD, "the platform has no admin: run `understudy admin create EMAIL`")


async def _letters(connection: AsyncConnection) -> Finding:
    """What did not go out: the page of letters says why."""
    asked = sa.text(
        "SELECT COUNT(CASE WHEN failed_at IS NOT NULL THEN 1 END), COUNT(CASE WHEN failed_at IS NULL THEN 1 END) "
        "FROM letters WHERE sent_at IS NULL AND (failed_at IS NOT NULL OR error IS NOT NULL)"
    )
    failed, waiting = (await connection.execute(asked)).one()
    if not failed and not waiting:
        return Finding(Health.GOOD, "no letter failed")
    return Finding(Health.ODD, f"letters failed: {failed}, waiting for another try: {waiting}; /letters says why")
