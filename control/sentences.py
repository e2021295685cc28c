"""Sentences that stand in the code as data, found for translators: what history says, how a login is decided, the menu.

Named in babel.cfg. They are translated where they are shown, so no mark stands beside them that could be forgotten.
"""

import ast
from collections.abc import Iterator, Mapping
from io import BytesIO
from typing import IO, Any

from babel.messages.extract import extract_python


def sentences(
    source: IO[bytes], keywords: Mapping[str, Any], comment_tags: list[str], options: Any
) -> Iterator[tuple[Any, ...]]:
    """What a Python file marks, and the sentences of its verbs, its steps and its menu."""
    text = source.read()
    yield from extract_python(BytesIO(text), keywords, comment_tags, options)
    for node in ast.walk(ast.parse(text)):
        for constant in (*_verbs(node), *_steps(node), *_menu(node)):
            if isinstance(constant, ast.Constant) and isinstance(constant.value, str):
                yield constant.lineno, None, constant.value, []


def _verbs(node: ast.AST) -> list[ast.expr]:
    """`BOUND = "binding.made", "bound to {record}"` in the class Verb: the second of the two."""
    if not (isinstance(node, ast.ClassDef) and node.name == "Verb"):
        return []
    pairs = [each.value for each in node.body if isinstance(each, ast.Assign) and isinstance(each.value, ast.Tuple)]
    return [pair.elts[1] for pair in pairs]


def _steps(node: ast.AST) -> list[ast.expr]:
    """`Step("own", "choose", "several extensions fit")`: the third."""
    called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Step"
    return node.args[2:3] if called and isinstance(node, ast.Call) else []


def _menu(node: ast.AST) -> list[ast.expr]:
    """`NAV`: the headings, and the second of each item."""
    if not (isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == "NAV"):
        return []
    tuples = [each for each in ast.walk(node) if isinstance(each, ast.Tuple) and len(each.elts) in {2, 4}]
    return [each.elts[0] if len(each.elts) == 2 else each.elts[1] for each in tuples]
