"""Logging in to an app while the panel's sign-in is impersonating: a page asks, the person answers, the app never does.

"Continue as Bea" shows the app the subject, through that very impersonation and to its end; "As myself" is the login
that it would have been without. Nothing in the app's own address chooses: the answer is our form, with our token.
"""

from collections.abc import Mapping
from typing import Any

from litestar import Response

from bindings.apps import origin_of
from control.openid.asking import AUTHORIZE, Asking, Party
from control.openid.issuer import house_of
from control.shell import page
from control.speech import speech
from control.visitor import look_around
from tenants.actor import Actor
from tenants.identities import live_identities
from tenants.reach import Reach
from tenants.refusals import OutOfReach

CONTINUE = f"{AUTHORIZE}/as"
SUBJECT, MYSELF = "subject", "myself"
EVERYWHERE = Reach.everywhere("ask who stands in how to go on")


def choice_of(fields: Mapping[str, str]) -> str | None:
    """What the person pressed."""
    choice = fields.get("choice")
    return choice if choice in {SUBJECT, MYSELF} else None


async def oneself(asking: Asking) -> Party:
    """The person at the browser as themselves, though they stand in just now: the visitor lists the subject alone."""
    visitor, actor = asking.visitor, asking.visitor.oneself
    if actor is None or visitor.sign_in is None:
        raise OutOfReach
    async with house_of(asking.request).store.hot.connect() as connection:
        return Party(actor, await live_identities(connection, user_id=visitor.sign_in.user_id))


async def offer(asking: Asking) -> Response[Any]:
    """The page: continue as the subject, or as oneself."""
    request, visitor = asking.request, asking.visitor
    actor, _ = visitor.actor or Actor.house("log in"), speech(request)
    async with house_of(request).store.work(actor, EVERYWHERE, asking.now, writes=False) as session:
        await look_around(session, visitor)
    return page(
        request,
        "login/continue.html",
        forms_to=(origin_of(asking.asked.redirect_uri),),
        title=_("Log in to %(app)s") % {"app": asking.app.name},
        app=asking.app,
        stand=visitor.stand_in,
        fields=asking.fields,
        back=asking.back(error="access_denied"),
    )


def say_that_it_is_over(asking: Asking) -> Response[Any]:
    """It has ended, and nobody has read so: nobody is logged in as anybody before they have."""
    return page(
        asking.request,
        "impersonations/over.html",
        status=409,
        forms_to=(origin_of(asking.asked.redirect_uri),),
        title=speech(asking.request)("This impersonation has ended"),
        over=asking.visitor.over,
        onward=asking.again(),
    )
