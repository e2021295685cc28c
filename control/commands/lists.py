"""`understudy import extensions`: shows what a list would do, and does it."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import click
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from control.commands.opening import EVERYWHERE, TERMINAL, find_place, opened, slugs_to
from tenants.extension_import import Line, Outcome, Plan, apply, plan
from tenants.extension_list import Fault, Row, detect, read_extension_list
from tenants.phones import PhoneSystem
from tenants.refusals import Conflict, OutOfReach

SHOWN = 20
"""Lines printed unless all are asked for."""
STEP = 500
"""Lines between two moves of the progress bar."""


async def import_extensions(
    file: Path, system_slug: str, where: str | None, *, to_apply: bool, everything: bool
) -> tuple[list[str], bool]:
    """Import a list, or say what importing would do. Returns what to print, and whether a line was refused."""
    lines = detect(file).lines
    async with opened() as house:
        now = house.clock()
        async with house.store.work(TERMINAL, EVERYWHERE, now, writes=to_apply) as session:
            system = await _find_system(session, system_slug, where)
            with _bar("Reading", lines) as bar:
                rows = _watched(read_extension_list(file), bar)
                planned = await plan(session, system, rows, to_apply=to_apply)
            if to_apply:
                with _bar("Writing", len(planned.lines)) as bar:
                    await apply(session, planned, now, source=file.name, advance=bar.update)
    return _report(planned, to_apply, everything), planned.count(Outcome.REFUSED) > 0


async def _find_system(session: AsyncSession, slug: str, where: str | None) -> PhoneSystem:
    """The one phone system that is meant."""
    wanted = (
        sa.select(PhoneSystem)
        .where(PhoneSystem.slug == slug, PhoneSystem.discarded_at.is_(None))
        .options(joinedload(PhoneSystem.tenant))
    )
    if where is not None:
        wanted = wanted.where(PhoneSystem.tenant_id == (await find_place(session, where)).id)
    found = list(await session.scalars(wanted.limit(6)))
    if not found:
        raise OutOfReach(f"There is no phone system “{slug}”{f' at {where}' if where else ''}.")
    if len(found) > 1:
        places = ", ".join(["/".join(await slugs_to(session, system.tenant)) for system in found[:5]])
        raise Conflict(f"Several phone systems are called “{slug}”: say whose with --tenant ({places}).")
    return found[0]


def _bar(label: str, length: int) -> AbstractContextManager[Any]:
    """A progress bar on standard error, where somebody watches."""
    return click.progressbar(length=length, label=label, file=sys.stderr, hidden=not sys.stderr.isatty())


def _watched(rows: Iterable[Row | Fault], bar: Any) -> Iterator[Row | Fault]:
    told = 0
    for row in rows:
        if row.line - told >= STEP:
            bar.update(row.line - told)
            told = row.line
        yield row


def _report(planned: Plan, applied: bool, everything: bool) -> list[str]:
    """Each line that comes to something, and what they come to together."""
    telling = [line for line in planned.lines if line.outcome is not Outcome.UNCHANGED]
    # What is wrong comes first, or a long list would hide it.
    telling.sort(key=lambda line: line.outcome is not Outcome.REFUSED)
    shown = telling if everything else telling[:SHOWN]
    said = [_sentence(line) for line in shown]
    if len(telling) > len(shown):
        said.append(f"… and {len(telling) - len(shown)} more (use --all)")
    counts = ", ".join(
        f"{planned.count(outcome)} {words}"
        for outcome, words in (
            (Outcome.ADDED, "added" if applied else "to add"),
            (Outcome.CHANGED, "changed" if applied else "to change"),
            (Outcome.REFUSED, "refused"),
        )
    )
    quiet = planned.count(Outcome.UNCHANGED) + planned.count(Outcome.INVITED)
    people = f"{planned.invitations} {'invitation' if planned.invitations == 1 else 'invitations'}"
    done = "prepared" if applied else "to prepare"
    said.append(f"{planned.system_name}: {counts}, {quiet} as they were; {people} {done}.")
    if not applied:
        said.append("Nothing was changed. Use --apply to do it.")
    return said


def _sentence(line: Line) -> str:
    """`line 7  203  added  “Counter”, invites bo@bakery.example`."""
    if line.outcome is Outcome.REFUSED:
        words = f"{line.why} {f'({line.detail})' if line.detail else ''}".rstrip()
    else:
        parts = [_name_change(line), f"for {line.person}" if line.person else "", _invitation(line)]
        words = ", ".join(part for part in parts if part)
    return f"line {line.line:<6} {line.number or '-':<8} {line.outcome.value:<9} {words}".rstrip()


def _name_change(line: Line) -> str:
    before, after = line.before[0], line.after[0]
    if before == after or after is None:
        return ""
    return f"“{after}”" if before is None else f"“{before}” becomes “{after}”"


def _invitation(line: Line) -> str:
    return f"invites {line.invites}" if line.invites else ""
