"""Our own style, script and icon, read once at the start; their addresses carry a hash, so they may be kept."""

from litestar import Response, get
from litestar.exceptions import NotFoundException

from control.doors import ANYONE
from control.looks import STATIC, fingerprints

KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
FILES = {path.name: path.read_bytes() for path in STATIC.iterdir() if path.suffix in KINDS}
MARKS = fingerprints(STATIC)


@get("/static/{name:str}", may=ANYONE, outlives=False, credential="none", include_in_schema=False)
async def static_file(name: str, v: str | None = None) -> Response[bytes]:
    """One file; kept for a year under its hash, asked again otherwise."""
    if name not in FILES:
        raise NotFoundException
    kept = "public, max-age=31536000, immutable" if v == MARKS[name] else "no-cache"
    kind = KINDS["." + name.rpartition(".")[2]]
    return Response(FILES[name], media_type=kind, headers={"Cache-Control": kept, "ETag": f'"{MARKS[name]}"'})


ROUTES = [static_file]
