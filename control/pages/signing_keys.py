"""Signing keys: by which keys the panel signs, since when, and another one in their place."""

from typing import Any

from litestar import Request, get, post
from litestar.response import Redirect, Template

from bindings.keys import DUE_AFTER
from control.pages.parts.session import acting, house_of
from control.shell import page, see_other
from control.speech import speech
from control.visitor import Visitor
from tenants.actor import Actor
from tenants.break_glasses import is_platform_admin
from tenants.refusals import NotPermitted
from tenants.roles import Permission

PAGE = "/signing-keys"
Asked = Request[Visitor, Any, Any]


@get(PAGE, may=Permission.MANAGE_APPS, outlives=True, include_in_schema=False)
async def list_keys(request: Asked) -> Template:
    """The keys that are published, those that sign and those that are only verified by."""
    _platform_admin(request)
    now = request.user.now
    keys = await house_of(request).issuer.keys.listed(now)
    return page(
        request,
        "signing-keys.html",
        title=speech(request)("Signing keys"),
        keys=keys,
        due=any(key.due_at is not None and key.due_at <= now for key in keys),
        days=DUE_AFTER.days,
    )


@post(PAGE, may=Permission.MANAGE_APPS, outlives=True, proof=True, proof_at=PAGE, include_in_schema=False)
async def rotate_keys(request: Asked) -> Redirect:
    """A new key for every algorithm in use; what the old ones signed stays good until it expires."""
    await house_of(request).issuer.keys.rotate(_platform_admin(request), request.user.now)
    say = speech(request)("New keys sign from now on. What the old ones signed stays good until it expires.")
    return see_other(request, PAGE, say=say)


def _platform_admin(request: Asked) -> Actor:
    """NotPermitted for whoever is no admin of the platform, as themselves."""
    actor = acting(request)
    if actor.standing_in or not is_platform_admin(actor.true):
        raise NotPermitted("Only admins of the platform see to its signing keys.", rule="platform")
    return actor


ROUTES = [list_keys, rotate_keys]
