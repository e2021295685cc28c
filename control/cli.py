"""The `understudy` command. Whatever takes time to import is imported by the command that needs it."""

import asyncio
import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click

REFUSED, MISUSED, INTERRUPTED = 1, 2, 130
"""Exit codes; 0 is done."""

SCOPES = ("read", "write", "stand_in")
PROVISIONING = "scim"


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def understudy() -> None:
    """Lets one person be seen as another at a telephone app: bound, dated, explained and recorded."""


def main(words: Sequence[str] | None = None) -> int:
    """Run a command line, the process's own by default; returns the exit code.

    What went wrong is one plain line on standard error.
    """
    try:
        code = understudy.main(words, prog_name="understudy", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return MISUSED
    except click.ClickException as error:
        return _say_no(error.format_message(), error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        return _say_no("stopped", INTERRUPTED)
    except Exception as error:
        sentence = _sentence(error)
        if sentence is None:
            raise
        return _say_no(sentence, REFUSED)
    return code if isinstance(code, int) else 0


def _say_no(sentence: str, code: int) -> int:
    click.echo(f"understudy: {' '.join(sentence.split())}", err=True)
    return code


def _sentence(error: Exception) -> str | None:
    """What to tell a person about it; None for a fault of ours."""
    import asyncpg
    from sqlalchemy.exc import DBAPIError

    from control.settings import Unusable
    from tenants.refusals import Refusal

    if isinstance(error, Refusal):
        return error.sentence
    if isinstance(error, Unusable):
        return str(error)
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, DBAPIError | asyncpg.PostgresError | OSError):
        return f"The database cannot be used: {getattr(error, 'orig', None) or error}"
    return None


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(line)


def _bar(label: str, length: int) -> Any:
    """A progress bar on standard error, where somebody watches."""
    return click.progressbar(length=length, label=label, file=sys.stderr, hidden=not sys.stderr.isatty())


@contextlib.contextmanager
def _later_bar(label: str) -> Iterator[Callable[[int], Callable[[int], None]]]:
    """A progress bar for what learns only on the way how much there is to do."""
    with contextlib.ExitStack() as bars:
        yield lambda length: bars.enter_context(_bar(label, length)).update


@understudy.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535))
def serve(host: str, port: int) -> None:
    """Answer browsers, apps and programs.

    The embedded database is made and upgraded first; PostgreSQL's tables are made by `understudy migrate`.
    """
    from control.commands import serving

    _say(serving.first_words(host, port))
    sys.stdout.flush()
    serving.listen(host, port)


@understudy.command()
def migrate() -> None:
    """Make the tables, or bring them up to date, as their owner (UNDERSTUDY_MIGRATION_URL)."""
    from control.commands import serving

    click.echo(asyncio.run(serving.migrate_tables()))


@understudy.group()
def admin() -> None:
    """Make admins, and let one back in."""


@admin.command("create")
@click.argument("email")
@click.option("--name", help="The person's name; made from the address when left out.")
@click.option("--tenant", help="Slug of the tenant, such as bakery or oak/bakery; the platform when left out.")
@click.option("--organization", default="Platform", show_default=True, help="The platform's name, if it is made now.")
def create_admin(email: str, name: str | None, tenant: str | None, organization: str) -> None:
    """Make EMAIL an admin, and print a password for somebody new."""
    from control.commands import people

    _say(asyncio.run(people.create_admin(email, name, tenant, organization)))


@admin.command("recover")
@click.argument("email")
def recover_admin(email: str) -> None:
    """Let EMAIL back into the platform: undiscarded, admin again, new password, no second factors."""
    from control.commands import people

    _say(asyncio.run(people.recover_admin(email)))


@understudy.group()
def key() -> None:
    """Make API keys."""


@key.command("create")
@click.argument("email")
@click.option("--tenant", help="Slug of the tenant, where EMAIL is in several.")
@click.option("--days", default=90, show_default=True, type=click.IntRange(1, 365), help="How long it lives.")
@click.option("--scopes", default=",".join(SCOPES), show_default=True, help="What it may do, separated by commas.")
@click.option("--name", default="command line", show_default=True, help="What the panel calls it.")
def create_key(email: str, tenant: str | None, days: int, scopes: str, name: str) -> None:
    """Make an API key that acts as EMAIL, and print it and nothing else. It is kept nowhere.

    With "scim" as its one scope it provisions the people of --tenant, by an admin there or above.
    """
    asked = [scope for scope in scopes.replace(" ", ",").split(",") if scope]
    if asked != [PROVISIONING] and (not asked or set(asked) - set(SCOPES)):
        raise click.BadParameter(f"scopes are {', '.join(SCOPES)}, or {PROVISIONING} alone", param_hint="--scopes")
    from control.commands import people

    click.echo(asyncio.run(people.create_key(email, tenant, days, asked, name)))


@understudy.group()
def seed() -> None:
    """Fill an empty database, to show or to measure."""


@seed.command("cast")
@click.option("--apps-port", default=8001, show_default=True, type=click.IntRange(1, 65535))
@click.option("--secrets-file", type=click.Path(dir_okay=False, path_type=Path), help="Keep the apps' secrets here.")
def seed_cast(apps_port: int, secrets_file: Path | None) -> None:
    """Make the cast of the demo, whose passwords everybody knows. A second run only moves the apps."""
    from control.commands import seeding

    _say(asyncio.run(seeding.make_cast(apps_port, secrets_file)))


@seed.command("load")
@click.option("--tenants", required=True, type=click.IntRange(0, 10_000_000))
@click.option("--extensions", required=True, type=click.IntRange(0, 10_000_000))
def seed_load(tenants: int, extensions: int) -> None:
    """Add a large random tree, and extensions with users spread over its customers."""
    if extensions and tenants < 2:
        raise click.UsageError("extensions need at least 2 tenants: a reseller and its customer")
    from control.commands import seeding

    with _bar("Loading", tenants + extensions) as bar:
        asyncio.run(seeding.make_load(tenants, extensions, bar.update))
    click.echo(f"Added {tenants} tenants and {extensions} extensions.")


@understudy.group("import")
def import_() -> None:
    """Bring in what other systems know."""


@import_.command("extensions")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--phone-system", required=True, metavar="SLUG", help="Where to, such as bakery-pbx.")
@click.option("--tenant", metavar="SLUG", help="Whose it is, where several phone systems are called the same.")
@click.option("--apply", "to_apply", is_flag=True, help="Do it; without this, nothing is changed.")
@click.option("--all", "everything", is_flag=True, help="Print every line that comes to something.")
def import_extensions(file: Path, phone_system: str, tenant: str | None, to_apply: bool, everything: bool) -> int:
    """Bring in the extension list of FreePBX (bulk handler) or 3CX, as CSV.

    An address with a membership in that very tenant gets the extension; for any other an invitation is prepared.
    Exits with 1 when a line was refused; the others are done nevertheless.
    """
    from control.commands import lists

    said, refused = asyncio.run(
        lists.import_extensions(file, phone_system, tenant, to_apply=to_apply, everything=everything)
    )
    _say(said)
    return REFUSED if refused else 0


@understudy.group()
def keys() -> None:
    """Look after the keys that sign what apps are told."""


@keys.command("rotate")
def rotate_keys() -> None:
    """Sign with new keys from now on; what the old ones signed stays valid until it expires."""
    from control.commands import serving

    _say(asyncio.run(serving.rotate_keys()))


@understudy.group()
def trail() -> None:
    """Sign for the history, export it, and check that nothing in it was changed."""


@trail.command("checkpoint")
def print_checkpoint() -> None:
    """Seal what is pending, and print the newest checkpoint: keep it where nobody of this house can change it."""
    from control.commands import sealing

    click.echo(asyncio.run(sealing.checkpoint()), nl=False)


@trail.command("export")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--tenant", metavar="SLUG", help="Only what its History shows, each entry with its proof.")
def export_trail(file: Path, tenant: str | None) -> None:
    """Write the sealed history to FILE, with its checkpoint and the key to check it with.

    `understudy trail verify FILE`, or any program that knows RFC 6962, checks it without the database.
    """
    from control.commands import sealing

    with _later_bar("Exporting") as begin:
        said = asyncio.run(sealing.export(file, tenant, begin))
    click.echo(said)


@trail.command("verify")
@click.argument("bundle", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--key", help="The key that you were given before, such as the panel publishes it.")
def verify_trail(bundle: Path | None, key: str | None) -> None:
    """Check a BUNDLE, or the database when none is named. Exits with 1 and names the first fault.

    Of the database it checks that every entry is what was sealed, that every checkpoint is that of the entries
    before it, and that no entry is missing.
    """
    from control.commands import sealing

    if bundle is None and key is not None:
        raise click.UsageError("--key belongs to a bundle")
    if bundle is not None:
        with _bar("Checking", bundle.stat().st_size) as bar:
            said = sealing.verify_bundle(bundle, key, bar.update)
        _say(said)
        return
    with _later_bar("Checking") as begin:
        sentence = asyncio.run(sealing.verify(begin))
    click.echo(sentence)


@understudy.command()
def doctor() -> int:
    """Print the settings in force, secrets masked, and what is wrong. Exits with 1 if anything is."""
    from control.commands import doctor

    said, healthy = asyncio.run(doctor.examine())
    _say(said)
    return 0 if healthy else REFUSED


@understudy.command()
@click.argument("actor")
@click.argument("subject")
@click.option("--act", default="bind", show_default=True, type=click.Choice(["bind", "impersonate", "token"]))
@click.option("--reason", help="As the actor would give it.")
@click.option("--ticket", help="As the actor would give it.")
def explain(actor: str, subject: str, act: str, reason: str | None, ticket: str | None) -> int:
    """Say whether ACTOR may stand in for SUBJECT, and by which rule not.

    Each is an e-mail address or the id of a membership. Exits with 1 when no pair of memberships is allowed.
    """
    from bindings.guard import Act
    from control.commands import explaining

    said, allowed = asyncio.run(explaining.explain(actor, subject, Act(act), reason, ticket))
    _say(said)
    return 0 if allowed else REFUSED


@understudy.command()
def openapi() -> None:
    """Print the description of the JSON API."""
    from control.commands import serving

    click.echo(serving.openapi())
