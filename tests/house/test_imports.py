"""Three rooms, each looking only inward: control -> bindings -> tenants. Read from the syntax trees."""

import ast
import graphlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]

# What each part of the repository may know of the others. The demo apps are strangers to the product.
MAY_KNOW = {
    "tenants": {"tenants"},
    "bindings": {"bindings", "tenants"},
    "control": {"control", "bindings", "tenants"},
    "demo": {"demo"},
}
PARTS = {*MAY_KNOW, "tests", "bench", "migrations"}

# What would bring the web into a room that is to know nothing of it.
WEB = {"litestar", "advanced_alchemy.extensions", "jinja2", "uvicorn"}
BARRED = {"tenants": WEB | {"authlib", "httpx"}, "bindings": WEB}

# The command line imports late, or `understudy --help` would take seconds.
MAY_IMPORT_LATE = "control/cli.py"

# Authlib has the one adapter, so that what it does behind our back is looked for in one place.
AUTHLIB_ADAPTER = "bindings/oauth.py"

Sources = dict[str, str]  # text by path, such as "tenants/tree.py"


@dataclass(frozen=True)
class Import:
    """One imported name, with all its dots, and where."""

    file: str
    line: int
    name: str
    late: bool

    def __str__(self) -> str:
        return f"{self.file}:{self.line} imports {self.name}"

    @property
    def part(self) -> str:
        return self.file.split("/")[0]

    def is_of(self, package: str) -> bool:
        return f"{self.name}.".startswith(f"{package}.")


def imports(sources: Sources) -> Iterator[Import]:
    for file, text in sources.items():
        tree = ast.parse(text, file)
        in_functions = {id(node) for function in ast.walk(tree) if is_function(function) for node in ast.walk(function)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                for name in names(node, file):
                    yield Import(file, node.lineno, name, id(node) in in_functions)


def is_function(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)


def names(node: ast.Import | ast.ImportFrom, file: str) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    package = Path(file).parts[: -node.level] if node.level else ()
    start = ".".join([*package, *filter(None, [node.module])])
    return [f"{start}.{alias.name}" for alias in node.names]


def outward(sources: Sources) -> list[str]:
    return [str(found) for found in imports(sources) for other in PARTS - MAY_KNOW[found.part] if found.is_of(other)]


def barred(sources: Sources) -> list[str]:
    return [str(found) for found in imports(sources) for package in BARRED.get(found.part, ()) if found.is_of(package)]


def late(sources: Sources) -> list[str]:
    return [str(found) for found in imports(sources) if found.late and found.file != MAY_IMPORT_LATE]


def authlib(sources: Sources) -> list[str]:
    return [str(found) for found in imports(sources) if found.is_of("authlib") and found.file != AUTHLIB_ADAPTER]


def circle(sources: Sources) -> list[str]:
    """The modules of a circle, or none. Imports for the type checker alone count as well."""
    modules = {module(file): set[str]() for file in sources}
    for found in imports(sources):
        imported = found.name if found.name in modules else found.name.rpartition(".")[0]
        if imported in modules and imported != module(found.file) and not found.late:
            modules[module(found.file)].add(imported)
    try:
        graphlib.TopologicalSorter(modules).prepare()
    except graphlib.CycleError as error:
        return list(error.args[1])
    return []


def module(file: str) -> str:
    return file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


@pytest.fixture(scope="module")
def house() -> Sources:
    files = {part: list((REPOSITORY / part).rglob("*.py")) for part in MAY_KNOW}
    assert all(files.values()), "a part of the house was not found"
    return {
        file.relative_to(REPOSITORY).as_posix(): file.read_text(encoding="utf-8")
        for part in files.values()
        for file in sorted(part)
    }


def test_imports_look_inward(house: Sources) -> None:
    assert outward(house) == []


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("tenants/tree.py", "from bindings import guard"),
        ("tenants/tree.py", "import control.app"),
        ("bindings/login.py", "from control.settings import Settings"),
        ("control/app.py", "from tests.cast import olaf"),
        ("demo/softphone.py", "from tenants.people import User"),
        ("tenants/tree.py", "def later():\n    from bindings import guard"),
        ("tenants/tree.py", "if TYPE_CHECKING:\n    from ..bindings.guard import Facts"),
    ],
)
def test_an_import_that_looks_outward_is_seen(file: str, text: str) -> None:
    assert len(outward({file: text})) == 1


def test_an_import_that_looks_inward_is_no_fault() -> None:
    assert outward({"control/app.py": "from bindings.guard import ask\nimport tenants.tree, controls"}) == []


def test_the_inner_rooms_know_nothing_of_the_web(house: Sources) -> None:
    assert barred(house) == []


def test_the_web_in_an_inner_room_is_seen() -> None:
    assert barred({"tenants/tree.py": "from litestar import get"}) == ["tenants/tree.py:1 imports litestar.get"]
    assert barred({"bindings/login.py": "import advanced_alchemy.extensions.litestar"}) != []
    assert barred({"tenants/tree.py": "from advanced_alchemy.base import BigIntBase"}) == []


def test_one_file_alone_imports_authlib(house: Sources) -> None:
    assert authlib(house) == []


def test_authlib_in_a_second_file_is_seen() -> None:
    assert authlib({"control/openid/__init__.py": "from authlib.oauth2 import rfc6749"}) != []
    assert authlib({"bindings/oauth.py": "from authlib.oauth2 import rfc6749"}) == []


def test_nothing_is_imported_inside_a_function(house: Sources) -> None:
    assert late(house) == []


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_an_import_inside_a_function_is_seen(kind: str) -> None:
    text = f"class Tenant:\n    {kind} move(self):\n        import json"
    assert late({"tenants/tree.py": text}) == ["tenants/tree.py:3 imports json"]
    assert late({"control/cli.py": text}) == []


def test_no_imports_run_in_a_circle(house: Sources) -> None:
    assert circle(house) == []


def test_a_circle_is_seen() -> None:
    house = {
        "tenants/__init__.py": "",
        "tenants/tree.py": "from tenants import people",
        "tenants/people.py": "from tenants.roles import Role",
        "tenants/roles.py": "from .tree import Tenant",
    }
    assert set(circle(house)) == {"tenants.tree", "tenants.people", "tenants.roles"}


def test_a_ladder_is_no_circle() -> None:
    house = {"tenants/tree.py": "from tenants.roles import Role", "tenants/roles.py": "import enum"}
    assert circle(house) == []
