"""A house in which every kind of audited record has a row."""

from datetime import timedelta

from bindings.impersonation import Impersonation
from tenants.api_keys import ApiKey
from tenants.invitations import Invitation
from tenants.people import Membership
from tenants.roles import Role
from tenants.store import Store
from tenants.trail import record
from tenants.tree import Scope, Tenant
from tenants.verbs import Verb
from tests.cast import NOW, Cast, bind, house_work, work_as


async def furnish(store: Store, cast: Cast) -> None:
    """Add what the cast has none of: a suspension, an invitation, a key, a binding, an impersonation."""
    ada, boris = cast.actor("Ada"), cast.actor("Boris")
    async with work_as(store, ada) as session:
        zoo = await session.get_one(Tenant, cast.tenant("Zoo").id)
        await zoo.suspend(session, ada, Scope.STAFF, "unpaid since May", NOW)
    async with work_as(store, boris) as session:
        here = cast.tenant("Bakery").id
        invitation = await Invitation.prepare(session, boris, here, "bo@new.example", "Bo", Role.MEMBER, NOW)
        invitation.token_hash = "0" * 64
        record(session, Verb.INVITATION_PREPARED, invitation)
        await session.flush()
        mine = await session.get_one(Membership, cast.membership_id("Boris"))
        await ApiKey.make(session, mine, "nightly export", ["read"], 90, NOW)
    await bind(store, cast, "Olaf", "Bakery", "201", reason="Bea's headset does not ring")
    async with house_work(store) as session:
        session.add(
            row := Impersonation(
                kind="impersonation",
                actor_membership_id=cast.membership_id("Olaf"),
                subject_membership_id=cast.membership_id("Bea"),
                tenant_id=cast.tenant("Bakery").id,
                mode="full",
                created_at=NOW,
                ends_at=NOW + timedelta(minutes=20),
            )
        )
        record(session, Verb.REFUSED, row)
