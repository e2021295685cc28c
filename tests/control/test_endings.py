"""A small run of `bench.endings`: after each ending the app is refused at once, and is told of it soon."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench.ending_causes import CAUSES

REPOSITORY = Path(__file__).parents[2]
FEW = 3
SOON = 5.0
"""Seconds: how late the worst may be."""
LINE = re.compile(r"(.+?) +(\d+) ended +(\d+) inactive +(\d+) arrived .* worst +([\d.]+) s")


@pytest.mark.timeout(300)
def test_an_ending_is_felt_at_once_and_arrives_soon() -> None:
    causes = ["stopped", "company suspended", "binding released"]
    words = [sys.executable, "-m", "bench.endings", "--database", "sqlite", "--count", str(FEW), "--only", *causes]
    done = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [found for found in map(LINE.match, done.stdout.splitlines()) if found]
    assert [line[1] for line in lines] == causes
    for line in lines:
        assert {line[2], line[3], line[4]} == {str(FEW)}
        assert float(line[5]) < SOON


def test_no_two_causes_are_called_the_same() -> None:
    names = [cause.name for cause in CAUSES]
    assert len(set(names)) == len(names)
