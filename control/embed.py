"""Embed: the banner for apps that are not ours, as a script for their pages and as a frame for the stricter ones.

No cookie is used or read here: an app's page is another site's. The frame asks by hints (bindings/hints.py).
"""

import hashlib
from typing import Any
from urllib.parse import urlsplit

from litestar import MediaType, Request, Response, get, post
from litestar.exceptions import NotFoundException
from litestar.response import Template

from bindings.apps import App, known_client, origin_of
from bindings.clients import Rejected
from bindings.hints import NEXT_LIVES, give_hint, redeem_hint
from bindings.introspection import no_good_token
from control.doors import ANYONE
from control.looks import STATIC
from control.openid.acting import note_page, said_of
from control.openid.issuer import UNCACHED, form_fields, house_of, rejection
from control.visitor import Visitor

Asked = Request[Visitor, Any, Any]
FILES = {path.name: path.read_bytes() for path in (STATIC / "embed").iterdir() if path.suffix == ".js"}
MARKS = {name: f'"{hashlib.sha256(content).hexdigest()[:16]}"' for name, content in FILES.items()}
KEPT = "public, max-age=300"
"""Apps name the script without a version, so that a better one reaches them within minutes."""


@get(
    ["/embed/acting.js", "/embed/frame.js"],
    may=ANYONE,
    outlives=False,
    credential="none",
    include_in_schema=False,
)
async def script(request: Asked) -> Response[bytes]:
    """The banner's script, for pages of any origin: it holds nothing that is anybody's."""
    name = request.url.path.rpartition("/")[2]
    headers = {
        "Cache-Control": KEPT,
        "ETag": MARKS[name],
        "Access-Control-Allow-Origin": "*",
        "Cross-Origin-Resource-Policy": "cross-origin",
    }
    if MARKS[name] in request.headers.get("if-none-match", ""):
        return Response(b"", status_code=304, headers=headers)
    return Response(FILES[name], media_type="text/javascript", headers=headers)


@get(
    "/embed/frame",
    may=ANYONE,
    outlives=False,
    credential="none",
    include_in_schema=False,
)
async def frame(request: Asked, client_id: str = "") -> Template:
    """The banner in a frame, which pages of this app alone may show."""
    async with house_of(request).store.hot.connect() as connection:
        app = await known_client(connection, client_id[:80])
    origins = _origins(app) if app is not None else []
    if app is None or not origins:
        raise NotFoundException
    framed_by = (
        "default-src 'none'; script-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        f"require-trusted-types-for 'script'; trusted-types 'none'; frame-ancestors {' '.join(origins)}"
    )
    return Template(
        "embed/frame.html",
        context={"client_id": app.client_id, "origins": origins},
        headers={
            "Content-Security-Policy": framed_by,
            "Referrer-Policy": "no-referrer",
            # So that a page may show it that is isolated from others (COEP).
            "Cross-Origin-Resource-Policy": "cross-origin",
            "Cross-Origin-Embedder-Policy": "require-corp",
        },
        media_type=MediaType.HTML,
    )


@post("/embed/acting", may=ANYONE, outlives=False, credential="none", status_code=200, include_in_schema=False)
async def asked_by_frame(request: Asked) -> Response[Any]:
    """Who stands in, for one hint, with the hint for the next question; 204 when nobody does."""
    house, now = house_of(request), request.user.now
    try:
        ours = origin_of(house.settings.public_url)
        if request.headers.get("origin", ours) != ours:
            raise Rejected("invalid_request", "Only the frame itself asks here.", 403)
        fields = await form_fields(request)
        hint, key = fields.get("hint", ""), house.settings.secret_key
        standing = await redeem_hint(house.store, key, fields.get("client_id", ""), hint, now)
        if standing is None or standing.spell is None:
            raise Rejected("invalid_grant", "This hint is not valid, or was used, or is too old.")
        if standing.spell.over(now) is not None:
            raise no_good_token()
        await note_page(request, standing, fields)
    except Rejected as rejected:
        return rejection(rejected, "Bearer", {})
    said = said_of(request, standing)
    if said is None:
        return Response(b"", status_code=204, headers=UNCACHED)
    following = give_hint(key, standing.client.id, standing.spell.facts.sid, now, NEXT_LIVES)
    return Response(said | {"hint": following}, headers=UNCACHED)


def _origins(app: App) -> list[str]:
    """Where the app's own pages are."""
    addresses = [*app.redirect_uris, *([app.handoff_uri] if app.handoff_uri else [])]
    return sorted({origin_of(uri) for uri in addresses if urlsplit(uri).scheme in {"https", "http"}})


ROUTES = [script, frame, asked_by_frame]
