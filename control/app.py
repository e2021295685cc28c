"""The app: doors, pages, API and protocol put together, refusing to start with a bare door."""

import secrets
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from functools import cache
from pathlib import Path

import structlog
from jinja2 import Environment, FileSystemLoader
from litestar import Litestar, Router
from litestar.contrib.jinja import JinjaTemplateEngine
from litestar.datastructures import MutableScopeHeaders
from litestar.di import Provide
from litestar.enums import ScopeType
from litestar.exceptions import HTTPException, NotFoundException
from litestar.middleware import DefineMiddleware
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Server, Tag
from litestar.template import TemplateConfig
from litestar.types import ASGIApp, ControllerRouterHandler, Message, Receive, Scope, Send
from litestar.utils import normalize_path
from sqlalchemy.exc import IntegrityError

from control import answers, api, checkpoints, embed, health, metrics, openid, pages, scim, shell, static_files
from control.api.description import ABOUT, Description, components, operation_id
from control.doors import ANYONE, check_every_door, door, session_of
from control.house import Clock, House
from control.logouts import telling
from control.looks import dress
from control.mail.sender import sending
from control.pages import nowhere
from control.pages.nowhere import NOWHERE
from control.reaping import reaping
from control.sealing import sealing
from control.security_events import pushing
from control.settings import Settings
from control.settling import settling
from control.streams import leaving_in_time
from control.visitor import FindVisitor
from control.webhooks import posting
from tenants.refusals import Refusal
from tenants.store import Store

TEMPLATES = Path(__file__).resolve().parent.parent / "templates"
BODY = 2 * 1024 * 1024
"""The largest request body, in bytes."""

EVENTS = b"text/event-stream; charset=utf-8"
"""What a stream of events calls itself."""

log = structlog.get_logger()


def routes() -> list[ControllerRouterHandler]:
    """Every room's doors."""
    return [
        *health.ROUTES,
        *metrics.ROUTES,
        *checkpoints.ROUTES,
        *static_files.ROUTES,
        *openid.routes(),
        *embed.ROUTES,
        *pages.routes(),
        *api.routes(),
        *scim.routes(),
        *nowhere.ROUTES,
    ]


def create_app(
    settings: Settings,
    *,
    clock: Callable[[], datetime] | None = None,
    store: Store | None = None,
    more_routes: Sequence[ControllerRouterHandler] = (),
) -> Litestar:
    """The panel for these settings. Raises BareDoor when a route does not say who may pass."""
    house = House(settings, store or Store(settings.database_url), clock or Clock())

    @asynccontextmanager
    async def life(app: Litestar) -> AsyncIterator[None]:
        if isinstance(house.clock, Clock):
            await house.clock.set_by(house.store)
        async with AsyncExitStack() as tasks:
            for task in (sending, settling, telling, pushing, posting, reaping, sealing):
                await tasks.enter_async_context(task(house))
            await tasks.enter_async_context(leaving_in_time(house.streams))
            yield
        await house.store.close()

    app = Litestar(
        route_handlers=[*routes(), *more_routes],
        guards=[door],
        dependencies={"session": Provide(session_of)},
        middleware=[_number_and_log, DefineMiddleware(FindVisitor, exclude_http_methods=[])],
        exception_handlers={
            Refusal: answers.refused,
            HTTPException: answers.http_error,
            IntegrityError: answers.at_once,
            Exception: answers.fault,
        },
        template_config=TemplateConfig(instance=_templates()),
        openapi_config=_openapi(settings.public_url),
        request_max_body_size=BODY,
        lifespan=[life],
        logging_config=None,
    )
    app.state.house = house
    app.state.shell = shell.shell
    check_every_door(app)
    app.asgi_handler = _lead_strays(app, app.asgi_handler)
    return app


def _lead_strays(app: Litestar, answered: ASGIApp) -> ASGIApp:
    """An address that looks like one of ours and is none (`/users/x`) goes where all go that lead nowhere.

    The framework answers those before it knows who asks: their page would have no banner.
    """

    async def led(scope: Scope, receive: Receive, send: Send) -> None:
        # A program is told in its own words, by where it asked.
        path, method = scope["path"], scope.get("method")
        program = path.startswith(("/api/", "/scim/"))
        if scope["type"] == ScopeType.HTTP and method in {"GET", "HEAD"} and not program:
            try:
                app.asgi_router.handle_routing(path=normalize_path(path), method=method)
            except NotFoundException:
                scope["path"] = NOWHERE
            except HTTPException:
                pass  # another method is meant, which is told as ever
        await answered(scope, receive, send)

    return led


def _openapi(public_url: str) -> Description:
    # The document alone: every bundled viewer fetches its script from elsewhere.
    doors = {"may": ANYONE, "outlives": False, "credential": "none"}
    return Description(
        title="Understudy",
        version="1",
        description=ABOUT,
        servers=[Server(url=public_url)],
        tags=[Tag(name=noun, description=said) for noun, said in api.SAID.items()],
        components=components(),
        operation_id_creator=operation_id,
        use_handler_docstrings=True,
        openapi_router=Router("/schema", route_handlers=[], opt=doors, include_in_schema=False),
        render_plugins=[JsonRenderPlugin()],
    )


@cache
def _templates() -> JinjaTemplateEngine:
    """What pages are written with, compiled once for all apps of a process."""
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True)
    dress(environment)
    return JinjaTemplateEngine.from_environment(environment)


def _guard(message: Message) -> None:
    """What every answer carries unless its handler said otherwise: error pages too, which no handler has seen."""
    headers = MutableScopeHeaders.from_message(message)
    for name, value in {
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Content-Security-Policy": shell.policy(),
        "Cache-Control": "no-store",
    }.items():
        headers.setdefault(name, value)
    # It knows no list of origins: where some may frame an answer, the policy alone says so.
    if "frame-ancestors 'none'" in headers["Content-Security-Policy"]:
        headers.setdefault("X-Frame-Options", "DENY")


def _number_and_log(app: ASGIApp) -> ASGIApp:
    """Give each request a number and log what became of it: path and status, never a secret, a query or a body."""

    async def numbered(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await app(scope, receive, send)
            return
        number, begun, status, begun_after = secrets.token_hex(8), time.perf_counter(), 0, None
        scope["request_id"] = number  # type: ignore[typeddict-unknown-key]

        async def tell(message: Message) -> None:
            nonlocal status, begun_after
            if message["type"] == "http.response.start":
                status = message["status"]
                _guard(message)
                meter = getattr(scope.get("user"), "meter", None)
                if meter is not None:
                    message["headers"] = [*message["headers"], *meter.answered(status)]
                # A stream goes on for minutes: what took time is how long it was until it began.
                if (b"content-type", EVENTS) in message["headers"]:
                    begun_after = time.perf_counter() - begun
                message["headers"] = [*message["headers"], (b"x-request-id", number.encode())]
            await send(message)

        try:
            await app(scope, receive, tell)
        finally:
            visitor, seconds = scope.get("user"), begun_after or time.perf_counter() - begun
            identity = getattr(visitor, "identity", None)
            route = scope.get("path_template") or "unknown"
            metrics.count(str(scope.get("method")), route, status, seconds)
            log.info(
                "request",
                request_id=number,
                method=scope.get("method"),
                route=route,
                status=status,
                milliseconds=round(seconds * 1000, 1),
                membership=identity.membership_id if identity else None,
            )

    return numbered
