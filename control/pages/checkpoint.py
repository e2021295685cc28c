"""The checkpoint: how far the history is sealed, who signed, and how somebody outside can check it."""

from typing import Any

from litestar import Request, get
from litestar.response import Template

from control.checkpoints import published
from control.house import House
from control.shell import page
from control.speech import speech
from control.visitor import Visitor
from tenants.roles import Permission


@get("/checkpoint", may=Permission.READ_HISTORY, outlives=False, include_in_schema=False)
async def show_checkpoint(request: Request[Visitor, Any, Any]) -> Template:
    """The newest note and its key, for those who read the history; programs find both without a sign-in."""
    house: House = request.app.state.house
    note, key = await published(house) or (None, None)
    return page(
        request,
        "history/checkpoint.html",
        title=speech(request)("Checkpoint"),
        note=note,
        key=key,
        commands=f"understudy trail export trail.jsonl\nunderstudy trail verify trail.jsonl --key '{key}'",
        size=int(note.splitlines()[1]) if note else 0,
        note_link=house.link("/.well-known/trail/checkpoint"),
        key_link=house.link("/.well-known/trail/key"),
    )


ROUTES = [show_checkpoint]
