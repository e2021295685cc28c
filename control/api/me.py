"""Me: whose key this is, and what it may do."""

from msgspec import Struct

from control.api.doors import Asked, acting, reads
from control.api.shapes import Named, PersonNamed
from control.doors import SIGNED_IN
from tenants.roles import Permission


class Me(Struct):
    """The membership that this key acts as."""

    membership: int
    user: PersonNamed
    tenant: Named
    role: str
    permissions: list[str]
    scopes: list[str]


@reads("/me", may=SIGNED_IN, summary="Show whose key this is")
async def show_me(request: Asked) -> Me:
    """Who acts, where and as what."""
    actor = acting(request)
    who = actor.standing
    return Me(
        who.membership_id,
        PersonNamed(who.user_id, who.shown_name, who.email),
        Named(who.tenant_id, who.tenant_name),
        who.role.value,
        sorted(permission.value for permission in Permission if actor.may(permission)),
        sorted(actor.scopes or ()),
    )


ROUTES = [show_me]
