"""Figures for Prometheus: how many requests, how long they took, by route and status. Not open to the world."""

from typing import Any

from litestar import Request, Response, get
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, Histogram, generate_latest

from control.visitor import Visitor
from tenants.refusals import OutOfReach
from tenants.roles import Permission

REQUESTS = Counter("understudy_requests", "Requests answered.", ["method", "route", "status"])
SECONDS = Histogram("understudy_request_seconds", "Time to answer a request.", ["route"])
LOGOUTS = Counter("understudy_logouts", "Logouts that apps were told of: acknowledged, waiting, given up.", ["outcome"])
WEBHOOKS = Counter("understudy_webhooks", "Events sent to webhooks: delivered, waiting, failed.", ["outcome"])
EVENTS = Counter("understudy_security_events", "Waiting events pushed: accepted, waiting, given up.", ["outcome"])
PENDING = Gauge("understudy_oldest_pending_entry_seconds", "Age of the oldest entry that is not sealed yet.")
LETTERS = Counter("understudy_letters", "Letters tried: sent, put off or failed.", ["kind", "outcome"])


def count(method: str, route: str, status: int, seconds: float) -> None:
    """Count one answer. `route` is the template, never a raw path: paths carry ids."""
    REQUESTS.labels(method, route, str(status)).inc()
    SECONDS.labels(route).observe(seconds)


def count_letter(kind: str, outcome: str) -> None:
    """Count one try of a letter."""
    LETTERS.labels(kind, outcome).inc()


def note_pending(seconds: float) -> None:
    """How long the oldest entry has waited to be sealed; 0 where none waits."""
    PENDING.set(seconds)


def count_logout(outcome: str) -> None:
    """Count one try to tell an app."""
    LOGOUTS.labels(outcome).inc()


def count_webhook(outcome: str) -> None:
    """Count one try to tell a webhook."""
    WEBHOOKS.labels(outcome).inc()


def count_security_event(outcome: str) -> None:
    """Count one try to push an event that waited."""
    EVENTS.labels(outcome).inc()


@get("/metrics", may=Permission.SEE_TENANTS, outlives=True, credential="key", include_in_schema=False)
async def figures(request: Request[Visitor, Any, Any]) -> Response[bytes]:
    """The figures of this process, for a key whose reach is the whole tree."""
    actor = request.user.actor
    if actor is None or not actor.reach().whole:
        raise OutOfReach
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


ROUTES = [figures]
