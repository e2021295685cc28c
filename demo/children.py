"""The programs that the demo starts, and their end: none outlives the demo, however that ends."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

GENTLY = 10.0
"""Seconds that a child has to end by itself once it was asked to."""

PR_SET_PDEATHSIG = 1
"""Linux's prctl(2): have the kernel send this process a signal when its parent dies."""


@dataclass(frozen=True)
class Child:
    """A running program, what people call it, and the file that its output goes to."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def last_words(self) -> str:
        """The last line that it wrote."""
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return lines[-1].strip() if lines else "it said nothing"


class Children:
    """Starts programs, sees when one of them ends, and ends them all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: list[Child] = []

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> Child:
        """Starts `command` in the folder; its output goes to `<name>.log` there."""
        log = self._folder / f"{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603 (our own programs, no shell)
                command,
                cwd=self._folder,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # Its own group: Ctrl-C reaches the demo alone, which then ends its children in order.
                process_group=0,
                preexec_fn=_dies_with_parent(),
            )
        child = Child(name, process, log)
        self._running.append(child)
        return child

    def wait(self, child: Child) -> int:
        """Waits for a child that ends by itself; gives its exit code."""
        code = child.process.wait()
        self._running.remove(child)
        return code

    def fallen(self) -> Child | None:
        """A child that ended though it should run on, if there is one."""
        return next((child for child in self._running if child.process.poll() is not None), None)

    def end(self) -> None:
        """Ends all, gently at first, the last started first."""
        for child in reversed(self._running):
            child.process.terminate()
        for child in reversed(self._running):
            try:
                child.process.wait(GENTLY)
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()
        self._running.clear()


def _dies_with_parent() -> Callable[[], None] | None:
    """Runs in the child before its program: has it killed when the demo is gone, even by kill -9."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    parent = os.getpid()

    def ask_the_kernel() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the kernel was asked
            os._exit(1)

    return ask_the_kernel
