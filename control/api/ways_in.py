"""Ways in: somebody's reset letter and their address, for who outranks them everywhere they are."""

from datetime import datetime

from litestar.params import JSONBody
from msgspec import Struct

from control.api.doors import Asked, Session, acting, creates, removes
from control.api.shapes import PathId, Sent, Text
from control.api.users import UserShape, shape_user
from control.writing.addresses import ask_change
from control.writing.resets import send_reset
from tenants.email_changes import pending_change
from tenants.password_resets import require_resettable
from tenants.people import find_user, require_rank_everywhere
from tenants.refusals import Conflict, NotPermitted
from tenants.roles import Permission

MANAGE = Permission.MANAGE_PEOPLE


class NewAddress(Sent):
    """Another address."""

    email: Text


class AddressChange(Struct):
    """A change of somebody's address under way."""

    email: str
    created_at: datetime
    confirmed_at: datetime | None
    takes_effect_at: datetime | None
    """When it does by itself, 72 hours after the new address confirmed; the old one may agree before."""


@creates("/users/{user_id:int}/password-reset", may=MANAGE, outlives=True, summary="Send a reset letter", status=200)
async def send_password_reset(request: Asked, session: Session, user_id: PathId) -> UserShape:
    """To their verified address, by who outranks them everywhere. The link is in the letter and nowhere else."""
    user, actor, now = await find_user(session, user_id), acting(request), request.user.now
    await require_resettable(session, actor, user, now)
    await send_reset(request.app.state.house, session, user, now, who=actor.standing.shown_name)
    return await shape_user(session, user)


@creates("/users/{user_id:int}/email", may=MANAGE, outlives=True, summary="Ask for another address")
async def ask_address(request: Asked, session: Session, user_id: PathId, data: JSONBody[NewAddress]) -> AddressChange:
    """The new address confirms; then the old one agrees, or 72 hours pass in which it can cancel."""
    user, house = await find_user(session, user_id), request.app.state.house
    if acting(request).standing.user_id == user.id:
        raise NotPermitted("Change your own address in the panel, where you prove who you are.", rule="proof")
    change = await ask_change(house, session, acting(request), user, data.email, request.user.now)
    return AddressChange(change.email, change.created_at, change.confirmed_at, change.by_itself_at)


@removes("/users/{user_id:int}/email", may=MANAGE, outlives=True, summary="Cancel a change of address")
async def cancel_address(request: Asked, session: Session, user_id: PathId) -> None:
    """The address stays as it is."""
    user = await find_user(session, user_id)
    await require_rank_everywhere(session, acting(request), user)
    change = await pending_change(session, user.id, request.user.now)
    if change is None:
        raise Conflict("No change of the address is under way.")
    await change.cancel(session, request.user.now)


ROUTES = [send_password_reset, ask_address, cancel_address]
