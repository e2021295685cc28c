"""What the larger directories send beside the standard, put into its words before anything is made of it."""

import re
from collections.abc import Callable
from typing import Any

from scim2_models import MutabilityException

Operation = dict[str, Any]


def with_known_address(raw: dict[str, Any], email: str) -> dict[str, Any]:
    """A PATCH where "emails" is taken for what it tells, the `userName`: Entra ID repeats it there.

    MutabilityException for another address, or for taking it away.
    """

    def known(operation: Operation) -> Operation:
        path, sent = _path(operation), operation.get("value")
        if _names(path, "emails"):
            _require_same(operation, path, sent, email)
            return {"op": "replace", "path": "userName", "value": email}
        if _names(path, "userName"):
            return operation | {"value": email} if _is(sent, email) else operation
        if path or not isinstance(sent, dict):
            return operation
        left: dict[str, Any] = {}
        for name, each in sent.items():
            if _names(name, "emails"):
                _require_same(operation, name, each, email)
                left.setdefault("userName", email)
            else:
                left[name] = email if _names(name, "userName") and _is(each, email) else each
        return operation | {"value": left}

    return _rewritten(raw, known)


SINGLE_ROLE = re.compile(r'(urn:[^\[]*:)?roles\[\s*primary\s+eq\s+"?true"?\s*\]\.value', re.IGNORECASE)


def with_plain_roles(raw: dict[str, Any]) -> dict[str, Any]:
    """A PATCH whose roles are named in the standard's way: Entra ID means the only one as the primary one."""

    def plain(operation: Operation) -> Operation:
        path, sent = _path(operation), operation.get("value")
        if SINGLE_ROLE.fullmatch(path):
            only = {"op": "replace", "value": _valued(sent)} if sent is not None else {"op": "remove"}
            return only | {"path": "roles"}
        if path.rpartition(":")[2].lower() == "roles" and sent is not None:
            return operation | {"value": _valued(sent)}
        return operation

    return _rewritten(raw, plain)


def with_bare_members(raw: dict[str, Any]) -> dict[str, Any]:
    """A PATCH whose members are named by their numbers alone: Entra ID adds an empty "$ref", Okta a "display"."""

    def bare(operation: Operation) -> Operation:
        path, sent = _path(operation), operation.get("value")
        if _names(path, "members") and "[" not in path and sent is not None:
            return operation | {"value": _valued(sent)}
        if path or not isinstance(sent, dict):
            return operation
        said = {name: _valued(each) if _names(name, "members") else each for name, each in sent.items()}
        return operation | {"value": said}

    return _rewritten(raw, bare)


def _rewritten(raw: dict[str, Any], change: Callable[[Operation], Operation]) -> dict[str, Any]:
    key = next((each for each in raw if each.lower() == "operations"), "")
    operations = raw.get(key)
    if not isinstance(operations, list):
        return raw
    return raw | {key: [change(each) if isinstance(each, dict) else each for each in operations]}


def _is(sent: Any, email: str) -> bool:
    return isinstance(sent, str) and sent.lower() == email


def _require_same(operation: Operation, path: str, sent: Any, email: str) -> None:
    said = set() if path.lower().endswith((".type", ".primary")) else {str(each).lower() for each in _values(sent)}
    if str(operation.get("op")).lower() == "remove" or said - {email}:
        raise MutabilityException(detail="“emails” tells the userName, and no other address is taken.")


def _names(path: str, attribute: str) -> bool:
    """Whether a path is the attribute's or within it, with the schema's name before it or without."""
    return re.match(rf"(urn:[^\[]*:)?{attribute}(?![a-z])", path, re.IGNORECASE) is not None


def _path(operation: Operation) -> str:
    found = operation.get("path")
    return found if isinstance(found, str) else ""


def _values(sent: Any) -> list[Any]:
    """The values in one value, one object or a list of either."""
    each_of = sent if isinstance(sent, list) else [sent]
    return [each.get("value") if isinstance(each, dict) else each for each in each_of]


def _valued(sent: Any) -> list[dict[str, Any]]:
    return [{"value": each} for each in _values(sent)] if sent is not None else []
