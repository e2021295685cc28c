"""Does each rule have a test that fails without it? `python -m tests.mutants` takes them away, one at a time.

The repository is copied, one rule of the guard, hook of the fence or of the trail, or trigger is taken out of the
copy, and the tests that should miss it are run. Prints a line for each and how many were noticed; ends with 1
unless all were.
"""

import inspect
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import Queue

from bindings.guard import RULES
from tenants.logos import Logo
from tenants.products import Product
from tenants.records import Record
from tenants.trail import Entry
from tests.kinds import KINDS
from tests.tenants.test_triggers import EXPECTED, TABLES, WRITTEN_ONCE

REPOSITORY = Path(__file__).resolve().parents[1]
COPIES = 2
"""How many run at once: one for each core of a small machine."""

GUARD, FACTS, BINDING = (f"tests/bindings/test_{name}.py" for name in ("guard", "facts", "binding"))
FENCE, TRAIL, TRIGGERS = (f"tests/tenants/test_{name}.py" for name in ("fence", "trail", "triggers"))
LISTS = (
    f"{GUARD}::test_the_rules_stand_in_the_order_of_the_documents",
    f"{TRIGGERS}::test_the_triggers_are_those_written_here",
)
"""These compare names and would notice anything: what counts is that somebody misses what the rule does."""

EVERYWHERE = "sa.true()"
MAKERS = "migrations/triggers.py"


@dataclass(frozen=True)
class Mutant:
    """One thing taken away: `old` becomes `new` in `file`, and one of the tests must fail."""

    name: str
    file: str
    old: str
    new: str
    tests: str
    which: str = "not postgresql"


@dataclass(frozen=True)
class Batch:
    """Triggers taken away together, each of another table: every table has tests that touch no other."""

    triggers: frozenset[str]


# What is taken away


def guard() -> Iterator[Mutant]:
    for rule in RULES:
        name = rule.__name__
        yield Mutant(f"guard: {name}", "bindings/guard.py", f"\n    {name},\n", "\n", GUARD)
    asked = "refused = judge(found.facts)\n"
    made, used = f"        {asked}        if refused is None:", f"    {asked}    return Staleness"
    for name, old in (("when a binding is made", made), ("at each use", used)):
        new = old.replace("judge(found.facts)", "None")
        yield Mutant(f"guard: asked {name}", "bindings/binding.py", old, new, BINDING)
    pinned = "if found.extension_membership_id != binding.subject_membership_id:"
    yield Mutant("guard: the extension's holder is pinned", "bindings/binding.py", pinned, "if False:", BINDING)


def fence() -> Iterator[Mutant]:
    file = "tenants/fence.py"
    for event in ("do_orm_execute", "before_flush"):
        yield Mutant(f"fence: hook {event}", file, f'@event.listens_for(FencedSession, "{event}")\n', "", FENCE)
    yield Mutant("fence: bulk inserts refused", file, "if state.is_insert:", "if False:", FENCE)
    narrowed = "state.statement = state.statement.options(_narrowing(reach))"
    yield Mutant("fence: statements narrowed", file, narrowed, "pass", FENCE)
    yield Mutant("fence: aliases narrowed", file, ", include_aliases=True", "", FENCE)
    nothing = "    if reach.extent is Extent.NOTHING:\n        raise OutOfReach\n"
    yield Mutant("fence: who reaches nothing writes nothing", file, nothing, "", FENCE)
    nobodys = "    if places is None:\n        raise OutOfReach\n    return places"
    yield Mutant("fence: what is nobody's is not written", file, nobodys, "    return places or set()", FENCE)
    outside = "if outside and not _all_inside(session, outside, reach):"
    yield Mutant("fence: writes outside refused", file, outside, "if False:", FENCE)
    new_place = "changed = {parent for parent in (*parents.added, *parents.deleted) if parent is not None}"
    yield Mutant("fence: a move touches both parents", "tenants/tree.py", new_place, "changed = set()", FENCE)
    yield Mutant("fence: a record is closed by default", "tenants/records.py", "sa.false()", EVERYWHERE, FENCE)
    yield from reach()


def reach() -> Iterator[Mutant]:
    file = "tenants/reach.py"
    subtree = (
        "return below(column, self.path)",
        "column.in_(sa.select(TREE.c.id).where(below(TREE.c.path, self.path)))",
    )
    tenant = ("return column == self.path", "return column == self.tenant_id")
    kinds = ("paths", "tenants")
    for kind, old in zip(kinds, subtree, strict=True):
        yield Mutant(f"fence: SUBTREE narrows {kind}", file, old, replaced(old), FENCE)
    for kind, old in zip(kinds, tenant, strict=True):
        yield Mutant(f"fence: SELF and TENANT narrow {kind}", file, old, replaced(old), FENCE)
    ends = {
        "paths": (
            "return column == self.path\n        return sa.false()",
            "return column == self.path\n        return sa.true()",
        ),
        "tenants": (
            "return column == self.tenant_id\n        return sa.false()",
            "return column == self.tenant_id\n        return sa.true()",
        ),
    }
    for kind, (old, new) in ends.items():
        yield Mutant(f"fence: NOTHING empties {kind}", file, old, new, FENCE)
    line = 'column < path[:-1] + "0"'
    yield Mutant("fence: a range has an end", file, line, EVERYWHERE, FENCE)


def kinds() -> Iterator[Mutant]:
    """What each kind of record says lies within a reach: everything, instead."""
    said = {next(each for each in kind.__mro__ if "within" in each.__dict__) for kind in KINDS}
    for kind in sorted(
        said - {Record, Product, Logo}, key=lambda each: each.__name__
    ):  # catalogue and logos: everybody's
        lines = inspect.getsource(kind).splitlines(keepends=True)
        start = next(number for number, line in enumerate(lines) if line.startswith("    def within("))
        body = start + 2  # after its docstring
        end = next((n for n in range(body, len(lines)) if lines[n].strip() and not lines[n].startswith(" " * 8)), None)
        old = "".join(lines[:end])
        new = "".join(lines[:body]) + f"        return {EVERYWHERE}\n\n"
        file = Path(inspect.getfile(kind)).relative_to(REPOSITORY).as_posix()
        tests, which = (TRAIL, "reads") if kind is Entry else (FENCE, "every_kind")
        yield Mutant(f"fence: {kind.__name__}.within", file, old, new, tests, f"{which} and not postgresql")


def replaced(old: str) -> str:
    return f"return {EVERYWHERE}" if old.startswith("return ") else EVERYWHERE


def trail() -> Iterator[Mutant]:
    file = "tenants/trail.py"
    for event in ('"before_flush", insert=False', '"before_commit"', '"after_soft_rollback"'):
        old = f"@event.listens_for(FencedSession, {event})\n"
        yield Mutant(f"trail: hook {event.split(',')[0]}", file, old, "", TRAIL)
    yield Mutant("trail: nothing silent", file, "    if silent:\n", "    if False:\n", TRAIL)
    by_hand = "if any(isinstance(row, Entry) for row in"
    yield Mutant("trail: no entry by hand", file, by_hand, f"if False and {by_hand[3:]}", TRAIL)
    yield Mutant("trail: no entry without an actor", file, "if actor is None:", "if False:", TRAIL)
    secret = "changes[key] = CHANGED if key in row.secret else [plain(before), plain(after)]"
    yield Mutant("trail: secrets only as changed", file, secret, "changes[key] = [plain(before), plain(after)]", TRAIL)
    listened = '@event.listens_for(Record, "attribute_instrument", propagate=True)\n'
    yield Mutant("trail: no false before", "tenants/records.py", listened, "", TRAIL)
    yield Mutant("trail: defaults are told", file, "            _fill_defaults(row)\n", "            pass\n", TRAIL)
    subject = "true, subject = actor.true, saying.subject or (actor.apparent if actor.standing_in else None)"
    yield Mutant("trail: both names", file, subject, "true, subject = actor.true, saying.subject", TRAIL)


def triggers() -> Iterator[Mutant]:
    """Those of the entries themselves, and what the triggers ask, one by one."""
    for backend, names in sorted(EXPECTED.items()):
        for name in sorted(name for name in names if name.startswith(WRITTEN_ONCE)):
            old, new = without({name})
            which = f"{backend} and (entr or version)"
            yield Mutant(f"{backend}: trigger {name}", MAKERS, old, new, TRIGGERS, which=which)
    awake = 'op.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}")'
    yield Mutant("postgresql: triggers are always awake", MAKERS, awake, "pass", TRIGGERS, which="postgresql")
    same = "AND e.transaction_id = CAST(CAST(pg_current_xact_id() AS text) AS bigint))"
    file = "migrations/versions/0002_the_trail_is_kept.py"
    yield Mutant("postgresql: an entry of this transaction", file, same, ")", TRIGGERS, which="postgresql")
    forward = "NEW.last_entry_id <= OLD.last_entry_id OR "
    yield Mutant("sqlite: an entry covers once", MAKERS, forward, "", TRIGGERS, which="sqlite")


def without(names: Iterable[str]) -> tuple[str, str]:
    """The two makers of triggers, made to pass over these."""
    old = '    op.execute(f"CREATE TRIGGER {name} '
    return old, f"    if name in {sorted(names)!r}:\n        return\n{old}"


def batches() -> list[Batch]:
    kinds = [("made",), ("changed",), ("stay",), ("stay_all", "stay_replaced"), ("stay_pushed",)]
    return [Batch(frozenset(f"{table}_{kind}" for table in TABLES for kind in together)) for together in kinds]


# Taking it away


class Copy:
    """A copy of the repository in which one thing at a time is missing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
        names = subprocess.run(listed, cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout
        for name in filter(None, names.split("\0")):
            if (source := REPOSITORY / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, folder / name)

    def pytest(self, *words: str) -> subprocess.CompletedProcess[str]:
        options = ["-q", "--tb=no", "-p", "no:cacheprovider", "-W", "ignore"]
        skipped = [f"--deselect={name}" for name in LISTS]
        command = [sys.executable, "-m", "pytest", *options, *skipped, *words]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)

    def changed(self, file: str, old: str, new: str, *words: str) -> subprocess.CompletedProcess[str]:
        """Run tests while `old` is `new`. Raises ValueError when there is nothing, or more than one, to change."""
        path = self.folder / file
        text = path.read_text(encoding="utf-8")
        times = text.count(old)
        if times == 0 or (times > 1 and "CREATE TRIGGER" not in old):
            raise ValueError(f"{file} holds {times} times: {old}")
        path.write_text(text.replace(old, new), encoding="utf-8")
        try:
            return self.pytest(*words)
        finally:
            path.write_text(text, encoding="utf-8")


def try_one(copies: "Queue[Copy]", mutant: Mutant) -> list[tuple[str, bool]]:
    copy = copies.get()
    try:
        run = copy.changed(mutant.file, mutant.old, mutant.new, "-x", "-k", mutant.which, mutant.tests)
    finally:
        copies.put(copy)
    # 1: a test failed. Anything else, such as a file that cannot be read any more, is no notice.
    return [told(mutant.name, run.returncode == 1)]


def try_batch(copies: "Queue[Copy]", batch: Batch) -> list[tuple[str, bool]]:
    copy = copies.get()
    try:
        old, new = without(batch.triggers)
        run = copy.changed(MAKERS, old, new, "-rf", TRIGGERS)
    finally:
        copies.put(copy)
    failed = [set(words.split("-")) for words in re.findall(r"^FAILED .*\[(.*?)\]", run.stdout, re.MULTILINE)]
    found = []
    for backend, names in sorted(EXPECTED.items()):
        for name in sorted(names & batch.triggers):
            table = next(table for table in sorted(TABLES, key=len, reverse=True) if name.startswith(f"{table}_"))
            found.append(told(f"{backend}: trigger {name}", any({backend, table} <= words for words in failed)))
    return found


def told(name: str, noticed: bool) -> tuple[str, bool]:
    sys.stdout.write(f"{'noticed' if noticed else 'MISSED '}  {name}\n")
    sys.stdout.flush()
    return name, noticed


def main() -> int:
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="understudy-mutants-") as folder:
        copies: Queue[Copy] = Queue()
        for number in range(COPIES):
            copies.put(Copy(Path(folder) / str(number)))
        whole = copies.get()
        baseline = whole.pytest("-x", "-k", "not postgresql or triggers", GUARD, FENCE, TRAIL, TRIGGERS, BINDING)
        copies.put(whole)
        if baseline.returncode != 0:
            sys.stdout.write(baseline.stdout)
            sys.stderr.write("The tests fail with everything in place: nothing can be said.\n")
            return 1
        mutants = [*guard(), *fence(), *kinds(), *trail(), *triggers()]
        with ThreadPoolExecutor(COPIES) as pool:
            tried = [pool.submit(try_batch, copies, batch) for batch in batches()]
            tried += [pool.submit(try_one, copies, mutant) for mutant in mutants]
            found = [each for one in tried for each in one.result()]
    missed = [name for name, noticed in found if not noticed]
    took = int(time.monotonic() - began)
    sys.stdout.write(f"{len(found) - len(missed)} of {len(found)} noticed, in {took} s\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
