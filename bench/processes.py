"""What the kernel says of a process and its children, and where they run."""

import os
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
CPUS = sorted(os.sched_getaffinity(0))
SERVER_CPUS = {CPUS[0]}
OTHER_CPUS = {CPUS[1]} if len(CPUS) > 1 else {CPUS[0]}
"""The client and the database, which get the second CPU where there is one."""


def family(pid: int) -> list[int]:
    """The process and everything below it."""
    found = [pid]
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += family(int(child))
    except (FileNotFoundError, ProcessLookupError):
        pass  # it has just ended
    return found


def cpu_seconds(pid: int | None) -> float:
    """User and system time of a family so far; 0 of nobody."""
    total = 0
    for each in family(pid) if pid else ():
        try:
            words = Path(f"/proc/{each}/stat").read_text().rsplit(")", 1)[1].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += int(words[11]) + int(words[12])
    return total / TICKS


def resident_megabytes(pid: int) -> float:
    """Resident memory of a family."""
    pages = sum(int(Path(f"/proc/{each}/statm").read_text().split()[1]) for each in family(pid))
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
