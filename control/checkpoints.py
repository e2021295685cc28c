"""The newest checkpoint of the sealed trail and the key that signed it, published for programs of anybody."""

from typing import Any

from litestar import MediaType, Request, Response, get

from control.doors import ANYONE
from control.house import House
from control.visitor import Visitor
from tenants.actor import Actor
from tenants.reach import Reach
from tenants.sealed_trail import newest_checkpoint, trail_key


async def published(house: House) -> tuple[str, str] | None:
    """The newest note and the key that signed it; None while nothing is sealed."""
    everywhere = Reach.everywhere("published checkpoint")
    async with house.store.work(Actor.house("sealer"), everywhere, house.clock(), writes=False) as session:
        newest, key = await newest_checkpoint(session), await trail_key(session)
    return (newest.note, str(key.verifier)) if newest is not None and key is not None else None


async def _text(request: Request[Visitor, Any, Any], part: int) -> Response[str]:
    """Plain text, for programs of anybody; 404 while nothing is sealed."""
    found = await published(request.app.state.house)
    if found is None:
        return Response("Nothing is sealed yet.\n", media_type=MediaType.TEXT, status_code=404)
    text = found[part] if found[part].endswith("\n") else f"{found[part]}\n"
    return Response(text, media_type=MediaType.TEXT, headers={"Access-Control-Allow-Origin": "*"})


@get("/.well-known/trail/checkpoint", may=ANYONE, outlives=False, credential="none", include_in_schema=False)
async def checkpoint(request: Request[Visitor, Any, Any]) -> Response[str]:
    """The newest checkpoint, a signed note (c2sp.org/tlog-checkpoint): how many entries, and the root over them."""
    return await _text(request, 0)


@get("/.well-known/trail/key", may=ANYONE, outlives=False, credential="none", include_in_schema=False)
async def key(request: Request[Visitor, Any, Any]) -> Response[str]:
    """The key that checks it (c2sp.org/signed-note): one line, to be kept by whoever wants to check later."""
    return await _text(request, 1)


ROUTES = [checkpoint, key]
