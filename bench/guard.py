"""W4: may this actor stand in for the user of this extension? The guard's own statement, on trees of any size."""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from bench.house import Database, opened
from bench.load import BadAnswer, Figures
from bench.processes import cpu_seconds
from bindings.facts import fetch_facts
from bindings.guard import Act, judge
from control.commands.load import load
from tenants.people import Membership
from tenants.phones import Extension
from tenants.roles import Role
from tenants.schema import migrate
from tenants.store import Store
from tenants.tree import Kind, Tenant
from tests.cast import house_work

PHONES = 2000
"""Extensions in a tree, at most: the questions are about these."""
ASKED = 20_000
"""Questions in a run, at most."""


@dataclass(frozen=True, slots=True)
class Question:
    """An admin, an extension, and what has to come of it: the tenants' paths alone say."""

    actor: int
    extension: int
    rule: str | None


async def plant(at: Database, tenants: int) -> None:
    """A tree of so many tenants, as `understudy seed load` makes it."""
    async with opened(at.url) as store:
        await migrate(store.writer)
        await load(store, datetime.now(UTC), tenants, min(PHONES, tenants))
        if not store.embedded:
            async with store.hot.connect() as connection:
                await connection.execute(sa.text("ANALYZE"))


async def measure_guard(at: Database, rounds: int, seconds: float) -> list[Figures]:
    """Ask one question after another over one connection; every answer is checked."""
    async with opened(at.url) as store:
        questions = await questions_of(store)
        await one_run(store, at.pid, questions, seconds / 4)
        return [await one_run(store, at.pid, questions, seconds) for _ in range(rounds)]


async def one_run(store: Store, database_pid: int | None, questions: Sequence[Question], seconds: float) -> Figures:
    """For so long. Raises BadAnswer when the guard and the paths disagree."""
    taken: list[float] = []
    async with store.hot.connect() as connection:
        cpu, database_cpu, begun = time.process_time(), cpu_seconds(database_pid), time.perf_counter()
        while len(taken) < ASKED and time.perf_counter() < begun + seconds:
            question = questions[len(taken) % len(questions)]
            start = time.perf_counter()
            found = await fetch_facts(connection, Act.BIND, question.actor, extension_id=question.extension)
            refused = judge(found.facts) if found is not None else None
            taken.append(time.perf_counter() - start)
            if found is None or (refused.rule if refused else None) != question.rule:
                raise BadAnswer(f"{question}: {refused}")
        elapsed = time.perf_counter() - begun
        spent = time.process_time() - cpu, cpu_seconds(database_pid) - database_cpu
    return Figures.of(taken, elapsed, *spent)


async def questions_of(store: Store, count: int = 500) -> list[Question]:
    """Half about people below the admin, half about anybody."""
    async with house_work(store, datetime.now(UTC)) as session:
        admins = await paths(session, Membership, Membership.role == Role.ADMIN, Tenant.kind == Kind.RESELLER)
        phones = await paths(session, Extension, Extension.number.is_not(None))
    chance = random.Random(4)
    questions: list[Question] = []
    while len(questions) < count:
        phone, place = chance.choice(phones)
        above = [each for each in admins if place.startswith(each[1])] if len(questions) % 2 else []
        actor, path = chance.choice(above or admins)
        questions.append(Question(actor, phone, None if place.startswith(path) else "reach"))
    return questions


async def paths(
    session: AsyncSession, kind: type[Membership] | type[Extension], *where: sa.ColumnElement[bool]
) -> list[tuple[int, str]]:
    """Records with the path of the tenant that each is in."""
    wanted = sa.select(kind.id, Tenant.path).join(Tenant, Tenant.id == kind.tenant_id).where(*where)
    return [(number, path) for number, path in await session.execute(wanted.order_by(kind.id))]
