"""`bin/demo` stays on this machine, spares what is not its own, and leaves nothing running."""

import json
import os
import select
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from demo.__main__ import ADDRESSES, DemoError, Plan, check_all_run, read_plan, seed_once
from demo.children import Children

REPOSITORY = Path(__file__).parents[2]
NAP = [sys.executable, "-c", "import signal; signal.pause()"]
START_A_NAP = f"""
import os, signal, sys
from pathlib import Path
from demo.children import Children
child = Children(Path(sys.argv[1])).start("napper", {NAP!r}, os.environ)
print(child.process.pid, flush=True)
signal.pause()
"""


def demo(*words: str) -> subprocess.CompletedProcess[str]:
    """`bin/demo` with words that keep it from starting."""
    command = [sys.executable, "-m", "demo", *words]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--host", "0.0.0.0"], "listens on this machine alone"),
        (["--port", "8001"], "cannot share port 8001"),
        (["--port", "70000"], "is no port"),
        (["--prot", "8000"], "unrecognized"),
    ],
)
def test_wrong_words_are_named_in_one_line(words: list[str], told: str) -> None:
    ended = demo(*words)
    assert ended.returncode == 2
    assert told in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_a_port_in_use_is_named_and_nothing_is_made(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = demo("--port", str(port), "--data", str(tmp_path / "a folder"))
    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1)
    assert f"port {port} is in use" in ended.stderr
    assert not (tmp_path / "a folder" / "understudy.db").exists()


def test_a_database_that_no_demo_made_gets_no_cast(tmp_path: Path) -> None:
    (tmp_path / "understudy.db").write_text("somebody's")
    with pytest.raises(DemoError, match="not a demo's"):
        seed_once(Plan(8000, 8001, tmp_path), Children(tmp_path))
    assert (tmp_path / "understudy.db").read_text() == "somebody's"


def test_the_apps_are_told_of_again_when_they_moved_or_changed(tmp_path: Path) -> None:
    """A demo of before knows no address for an impersonation: the seed runs again, and fails here for want of room."""
    plan, notes = Plan(8000, 8001, tmp_path), tmp_path / "demo.json"
    plan.secrets_file.write_text("{}")
    notes.write_text(json.dumps({"apps_port": 8001, "addresses": ADDRESSES}))
    seed_once(plan, Children(tmp_path))
    assert not (tmp_path / "seed.log").exists()
    for before in ({"apps_port": 8001}, {"apps_port": 9001, "addresses": ADDRESSES}, {"apps_port": None}):
        notes.write_text(json.dumps(before))
        (tmp_path / "seed.log").mkdir(exist_ok=True)
        with pytest.raises(IsADirectoryError):
            seed_once(plan, Children(tmp_path))


def test_the_callers_settings_stay_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNDERSTUDY_DATABASE_URL", "postgresql://the.real.one/panel")
    ours = {name: value for name, value in Plan(1, 2, tmp_path).environment.items() if "UNDERSTUDY" in name}
    assert ours == {
        "UNDERSTUDY_DATA_DIR": str(tmp_path),
        "UNDERSTUDY_PUBLIC_URL": "http://localhost:1",
    }


def test_what_is_used_when_nothing_is_said() -> None:
    assert read_plan([]) == Plan(8000, 8001, REPOSITORY / "var" / "demo")


def test_a_child_that_ends_is_noticed_with_its_last_words(tmp_path: Path) -> None:
    children = Children(tmp_path)
    child = children.start("panel", [sys.executable, "-c", "print('no room'); exit(3)"], os.environ)
    child.process.wait()
    with pytest.raises(DemoError, match="the panel ended: no room"):
        check_all_run(children)


def test_children_end_with_the_demo(tmp_path: Path) -> None:
    children = Children(tmp_path)
    nappers = [children.start(name, NAP, os.environ) for name in ("panel", "apps")]
    check_all_run(children)
    children.end()
    assert all(child.process.returncode is not None for child in nappers)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
def test_children_die_when_the_demo_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", START_A_NAP, str(tmp_path)]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        napper = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
    try:
        died, _, _ = select.select([napper], [], [], 30)
        assert died
    finally:
        os.close(napper)
