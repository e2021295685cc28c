"""The views of one person: Profile, User Bindings, History; and the trail that leads to them."""

from typing import Any

from litestar import Request

from control.shell import shell
from control.speech import speech
from control.visitor import Visitor
from tenants.people import User
from tenants.roles import Permission


def user_tabs(request: Request[Visitor, Any, Any], user: User, here: str) -> list[dict[str, Any]]:
    """The tabs the reader may open; `here` is the one that is shown."""
    _, actor = speech(request), request.user.actor
    offered = (
        ("profile", f"/users/{user.id}", _("Profile"), Permission.SEE_PEOPLE),
        ("bindings", f"/users/{user.id}/bindings", _("User Bindings"), Permission.SEE_STAND_INS),
        ("security", f"/users/{user.id}/security", _("Security"), Permission.SEE_PEOPLE),
        ("accesses", f"/users/{user.id}/accesses", _("Accesses"), Permission.READ_HISTORY),
        ("history", f"/users/{user.id}/history", _("History"), Permission.READ_HISTORY),
    )
    return [
        {"href": href, "label": label, "current": name == here, "count": None}
        for name, href, label, permission in offered
        if actor is not None and actor.may(permission)
    ]


def crumbs(request: Request[Visitor, Any, Any], user: User | None = None) -> list[dict[str, Any]]:
    """The reader's own organization, Users, and the person."""
    trail = [{**crumb, "current": False} for crumb in shell(request).get("crumbs", [])]
    trail.append({"href": "/users", "label": speech(request)("Users"), "current": user is None, "switch": None})
    if user is not None:
        trail.append({"href": f"/users/{user.id}", "label": user.name, "current": True, "switch": None})
    return trail
