"""Every kind of record that the two inner rooms know, whichever of them a test happens to import."""

import importlib
import pkgutil
from typing import Any

import bindings
import tenants
from tenants.records import Audited, Record

for room in (tenants, bindings):
    for module in pkgutil.iter_modules(room.__path__, f"{room.__name__}."):
        importlib.import_module(module.name)

KINDS: list[type[Record]] = sorted(
    (mapper.class_ for mapper in Record.registry.mappers), key=lambda kind: str(kind.__name__)
)
AUDITED: list[Any] = [kind for kind in list[Any](KINDS) if issubclass(kind, Audited)]
