"""A server in a process of its own on the first CPU: started, waited for, ended."""

import contextlib
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.processes import SERVER_CPUS

PATIENCE = 60
"""Seconds until it has to answer."""
UNHELD = {
    "UNDERSTUDY_RATE_LIMIT": "100000000",
    "UNDERSTUDY_RATE_LIMIT_APPS": "100000000",
    "UNDERSTUDY_RATE_LIMIT_STRANGERS": "100000000",
}
"""Every request is counted, as it is in use, and none is held back."""


@dataclass(frozen=True, slots=True)
class Server:
    """One that answers, and the seconds that it took to the first 200."""

    pid: int
    port: int
    start: float


@contextlib.contextmanager
def serving(
    words: Sequence[str], environment: Mapping[str, str], folder: Path, port: int, ready: str
) -> Iterator[Server]:
    """Run a command in a folder until its `ready` path answers 200. Raises RuntimeError with its last words."""
    begun = time.perf_counter()
    with (folder / "server.log").open("ab") as log:
        process = subprocess.Popen(
            [str(word) for word in words], env=os.environ | environment, cwd=folder, stdout=log, stderr=log
        )
    try:
        os.sched_setaffinity(process.pid, SERVER_CPUS)
        while not answers(f"http://127.0.0.1:{port}{ready}"):
            if process.poll() is not None or time.perf_counter() > begun + PATIENCE:
                raise RuntimeError(f"no server: {(folder / 'server.log').read_text(errors='replace')[-2000:]}")
            time.sleep(0.005)
        yield Server(process.pid, port, time.perf_counter() - begun)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def answers(address: str) -> bool:
    """Whether there is a 200 to be had."""
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
