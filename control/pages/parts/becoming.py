"""Becoming somebody: whose row has the button that leads to the question, and whose says why it is off."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from sqlalchemy.ext.asyncio import AsyncSession

from bindings.rehearsal import Somebody, at_first_sight
from tenants.actor import Actor
from tenants.roles import Permission


@dataclass(frozen=True, slots=True)
class Becoming:
    """The button on somebody's row. `barred` is the rule that refuses, in words; None where the question opens."""

    membership_id: int
    name: str
    tenant_name: str
    href: str
    """Of the question; without the page to come back to."""
    barred: str | None

    def at(self, extension_id: int) -> "Becoming":
        """The same for one of their extensions."""
        return replace(self, href=question(self.membership_id, extension_id))


async def becoming(session: AsyncSession, actor: Actor | None, people: Collection[Somebody]) -> dict[int, Becoming]:
    """The buttons of these people, by membership: none for a role that never stands in, and none for oneself."""
    if actor is None or actor.true is None or actor.standing_in or not actor.may(Permission.STAND_IN):
        return {}
    others = [each for each in people if each[1].id != actor.true.user_id]
    refused = await at_first_sight(session, actor, others)
    return {
        membership.id: Becoming(
            membership.id,
            user.name,
            tenant.name,
            question(membership.id),
            refused[membership.id].sentence if membership.id in refused else None,
        )
        for membership, user, tenant in others
    }


def question(membership_id: int, extension_id: int | None = None) -> str:
    """The address of the question whether to become this membership, at this extension."""
    asked = {"membership": membership_id} | ({"extension": extension_id} if extension_id is not None else {})
    return f"/impersonations/new?{urlencode(asked)}"


def best_of(offers: Collection[Becoming]) -> Becoming | None:
    """The one button of a person with several: the first that opens, else the first that says why not."""
    return next((each for each in offers if each.barred is None), next(iter(offers), None))
