"""The three demo apps: one small web server that tells them apart by the host name asked for.

Each is an OpenID Connect client of its own, on its own origin. They show whom they see and nothing more.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from litestar import Litestar
from litestar.datastructures import MutableScopeHeaders
from litestar.di import Provide
from litestar.plugins.jinja import JinjaTemplateEngine
from litestar.template.config import TemplateConfig
from litestar.types import Message, Scope

from demo import acting, pages
from demo.backchannel import backchannel_logout
from demo.problems import show_problem
from demo.provider import Provider
from demo.relying_party import Registration, RelyingParty
from demo.visit import App, find_visit

TEMPLATES = Path(__file__).parent / "templates"


def make_apps(
    *,
    issuer: str,
    port: int,
    client_secrets: Mapping[str, str],
    clock: Callable[[], float],
    transport: httpx.AsyncBaseTransport | None = None,
) -> Litestar:
    """The server of all apps in `client_secrets`, at `http://<client id>.localhost:<port>`.

    `clock` gives seconds since the epoch and is read once in each request.
    """
    # No proxy lies between this machine and itself, whatever the environment says.
    http = httpx.AsyncClient(transport=transport, trust_env=False, timeout=10.0)

    @asynccontextmanager
    async def close_connections(_: Litestar) -> AsyncGenerator[None, None]:
        async with http:
            yield

    served = Litestar(
        route_handlers=[
            pages.home,
            pages.login,
            pages.check_again,
            pages.callback,
            pages.logout,
            backchannel_logout,
            acting.opened_here,
            acting.take_over,
            acting.seen_here,
            acting.script,
            pages.style,
            pages.icon,
        ],
        dependencies={"visit": Provide(find_visit, sync_to_thread=False)},
        exception_handlers={Exception: show_problem},
        template_config=TemplateConfig(directory=TEMPLATES, engine=JinjaTemplateEngine, engine_callback=_name_style),
        before_send=[_header_adder(issuer)],
        lifespan=[close_connections],
        openapi_config=None,
        logging_config=None,  # Litestar's would have httpx note each of its requests
    )
    provider = Provider(issuer, http)
    apps = [_make_app(client_id, secret, port, provider) for client_id, secret in client_secrets.items()]
    served.state.apps = {app.host: app for app in apps}
    served.state.clock = clock
    return served


def _make_app(client_id: str, client_secret: str, port: int, provider: Provider) -> App:
    origin = f"http://{client_id}.localhost:{port}"
    registration = Registration(client_id, client_secret, f"{origin}/callback", f"{origin}/")
    return App(client_id, port, RelyingParty(registration, provider))


def _name_style(engine: JinjaTemplateEngine) -> None:
    engine.engine.globals["style_url"] = pages.STYLE_URL


def _header_adder(issuer: str) -> Callable[[Message, Scope], Awaitable[None]]:
    headers = _security_headers(issuer)

    async def add_headers(message: Message, scope: Scope) -> None:
        if message["type"] == "http.response.start":
            sent = MutableScopeHeaders.from_message(message)
            sent.update(headers)
            if scope["path"].startswith("/acting"):
                sent["Referrer-Policy"] = "no-referrer"
            sent.setdefault("Cache-Control", "no-store")

    return add_headers


def _security_headers(issuer: str) -> dict[str, str]:
    # `form-action` holds along redirects: logging out is a form here that leads to the panel and back.
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; base-uri 'none';"
        f" frame-ancestors 'none'; connect-src 'self' {issuer}; form-action 'self' {issuer}"
    )
    return {
        "Content-Security-Policy": policy,
        "Cross-Origin-Opener-Policy": "same-origin",
        # Not `no-referrer`, but for the page of a hand-off: it would blank the Origin of our own logout form.
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
    }
