"""API keys of one's own: made for the membership one acts as, shown once, revoked at once."""

from typing import Any

from litestar import Request, Response, post

from control.pages.parts.account_page import again, show
from control.pages.parts.fields import Fields, Id, read_fields
from control.pages.parts.session import Session, changing
from control.shell import see_other
from control.speech import speech
from control.visitor import Visitor
from tenants.api_keys import ApiKey
from tenants.people import find_membership
from tenants.refusals import Invalid, OutOfReach
from tenants.roles import Permission
from tenants.text import named


@post(
    "/account/api-keys",
    may=Permission.OWN_ACCOUNT,
    outlives=True,
    proof=True,
    proof_at="/account",
    include_in_schema=False,
)
async def make_key(request: Request[Visitor, Any, Any]) -> Response[Any]:
    """A new key. The secret stands on the page that answers, and nowhere else ever."""
    fields, visitor = await read_fields(request), request.user
    if visitor.actor is None:
        raise OutOfReach
    try:
        async with changing(request) as session:
            membership = await find_membership(session, visitor.actor.standing.membership_id)
            _key, secret = await ApiKey.make(
                session,
                membership,
                named(fields.text("label"), "label"),
                fields.all("scopes"),
                days_in(fields),
                visitor.now,
            )
            return await show(request, session, secret=secret)
    except Invalid as refusal:
        return await again(request, "key", fields, refusal)


def days_in(fields: Fields) -> int:
    """How long the key lives. Invalid for what is no number of days."""
    days = fields.number("days")
    if days is None:
        raise Invalid("Give a number of days.", field="days")
    return days


@post("/account/api-keys/{key_id:int}/revoke", may=Permission.OWN_ACCOUNT, outlives=True, include_in_schema=False)
async def revoke_key(request: Request[Visitor, Any, Any], session: Session, key_id: Id) -> Response[Any]:
    """End one's own key."""
    key = await session.get(ApiKey, key_id)
    if key is None or request.user.user is None or key.user_id != request.user.user.id:
        raise OutOfReach
    await key.revoke(session, request.user.now)
    said = speech(request)("The key %(name)s is revoked.") % {"name": key.name}
    return see_other(request, "/account", say=said)


ROUTES = [make_key, revoke_key]
