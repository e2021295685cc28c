"""A dressed environment and what every page is handed, as Pia of Pine sees it on an evening in November."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, DictLoader, Environment, FileSystemLoader, nodes

from control.looks import dress

TEMPLATES = Path(__file__).parents[2] / "templates"
EVENING = datetime(2026, 11, 20, 18, 2, tzinfo=UTC)


@dataclass
class Reader:
    """Who reads the page."""

    name: str = "Pia Pine"
    email: str = "pia@pine.example"
    role: str = "Admin"
    tenant_name: str = "Pine"
    zone: str = "Europe/London"
    theme: str = "system"
    keys_on: bool = True
    locale: str = "en"


@dataclass
class Banner:
    """A stand-in as the bar shows it; a binding to Dan unless told otherwise."""

    kind: str = "binding"
    actor_name: str = "Pia Pine"
    subject_name: str = "Dan Dale"
    subject_email: str = "dan@dairy.example"
    extension: str | None = "101"
    tenant: str = "Dairy"
    ends_at: datetime | None = None
    stop_action: str = "/bindings/77/release"
    record_href: str | None = "/bindings"
    stale_reason: str | None = None


def impersonating() -> Banner:
    """Pia as Dan, with 14 minutes and 32 seconds left."""
    return Banner(
        kind="impersonation",
        ends_at=EVENING + timedelta(minutes=14, seconds=32),
        stop_action="/impersonation/stop",
        record_href="/impersonations/3",
    )


def environment(**templates: str) -> Environment:
    """The panel's templates, and those of a test by their names."""
    made = {f"{name}.html": text for name, text in templates.items()}
    loader = ChoiceLoader([DictLoader(made), FileSystemLoader(TEMPLATES)])
    dressed = Environment(loader=loader, autoescape=True)
    dress(dressed)
    return dressed


def page(template: str = "{% extends 'base.html' %}", **context: Any) -> str:
    """A page drawn for Pia, unless the test names another reader, bar or moment."""
    shell: dict[str, Any] = {
        "me": Reader(),
        "nav": [{"title": None, "items": [{"href": "/users", "label": "1", "icon": "users", "current": True}]}],
        "crumbs": [{"href": "/companies/9", "label": "Dairy", "current": True, "switch": "/companies/9/siblings"}],
        "csrf": "token-of-pia",
        "acting_id": "12",
        "profile_count": 1,
        "title": "2",
        "now": EVENING,
    }
    return environment(page=template).get_template("page.html").render(**shell | context)


def typed_text(path: Path) -> str:
    """What a template's author typed as HTML, each expression in it replaced by one private character."""
    tree = environment().parse(path.read_text(encoding="utf-8"))
    pieces: list[str] = []
    for output in tree.find_all(nodes.Output):
        pieces += [node.data if isinstance(node, nodes.TemplateData) else "\ue000" for node in output.nodes]
    # A tag whose name is an expression is a tag all the same.
    return re.sub("(</?)\ue000", r"\1x", "".join(pieces))
