"""Proposals: a binding that somebody sets for a colleague, in force when they accept it at their next login.

It pins what a binding pins and holds no app until then, so whatever the colleague has set themselves stays.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import partial

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.apps import App
from bindings.binding import Binding, BindingApp, Wish, authorise, give_way, judged
from tenants.actor import Actor
from tenants.identities import live_identities
from tenants.people import Membership, User, require_rank_over
from tenants.phones import Extension
from tenants.refusals import Conflict, NotPermitted
from tenants.roles import ADMIN_ACCESS
from tenants.trail import record
from tenants.tree import Tenant
from tenants.verbs import Verb


async def propose(
    session: AsyncSession,
    actor: Actor,
    user: User,
    extension: Extension,
    now: datetime,
    *,
    apps: Sequence[App] | None = None,
    reason: str | None = None,
    ticket: str | None = None,
    ends_at: datetime | None = None,
    mode: str = "full",
) -> Binding:
    """Set a colleague's binding. Both guards are asked, the proposer's and the colleague's; and rank over them.

    A newer proposal takes the place of one that still waits. Raises Refused, NotPermitted.
    """
    asked = Wish.of(user, extension, apps, reason, ticket, ends_at, mode)
    if not any(each.role in ADMIN_ACCESS for each in await live_identities(session, user_id=user.id)):
        raise NotPermitted(f"{user.name} has no Admin Access: only an admin or operator can be bound.")
    ask = partial(authorise, session, actor, extension=extension, reason=asked.reason, ticket=asked.ticket, mode=mode)
    await ask(user_id=actor.standing.user_id)
    authorised = await ask(user_id=user.id)
    pinned = await session.get_one(Membership, authorised[0].membership_id)
    require_rank_over(actor, pinned, await session.get_one(Tenant, pinned.tenant_id))
    await session.execute(sa.select(User.id).where(User.id == user.id).with_for_update())
    for waiting in await waiting_for(session, user.id):
        await waiting.end(session, "replaced", now)
    return await Binding.write(session, actor, asked, authorised, now, accepted_at=None)


async def accept(session: AsyncSession, actor: Actor, binding: Binding, now: datetime) -> None:
    """It is in force from the next login on, if the guard still allows it. Only by the one it was proposed to."""
    _require_own_and_waiting(actor, binding)
    stale, found = await judged(session, binding, now)
    if stale is not None:
        raise Conflict(stale.sentence, rule=stale.rule)
    await session.execute(sa.select(User.id).where(User.id == binding.user_id).with_for_update())
    # Pressed twice: the second waited for the first, and must not take the binding's apps from itself.
    await session.refresh(binding, with_for_update=True)
    _require_own_and_waiting(actor, binding)
    rows = list(await session.scalars(sa.select(BindingApp).where(BindingApp.binding_id == binding.id)))
    await give_way(session, binding.user_id, [row.app_id for row in rows], now)
    binding.accepted_at = now
    record(session, Verb.BINDING_ACCEPTED, binding, stand_in_id=binding.id)
    await session.flush()
    for row in rows:
        row.live = True
    await session.flush()
    pinned = next(iter(await live_identities(session, membership_id=binding.membership_id)), None)
    if pinned is not None and found is not None:
        await binding.note(session, pinned, found, now)


async def decline(session: AsyncSession, actor: Actor, binding: Binding, now: datetime) -> None:
    """They stay themselves; the proposal is over."""
    _require_own_and_waiting(actor, binding)
    await binding.end(session, "declined", now)


async def waiting_for(session: AsyncSession, user_id: int) -> list[Binding]:
    """The proposals that wait for this person's answer, newest first."""
    wanted = sa.select(Binding).where(
        Binding.user_id == user_id, Binding.ended_at.is_(None), Binding.accepted_at.is_(None)
    )
    return list(await session.scalars(wanted.order_by(Binding.id.desc())))


def _require_own_and_waiting(actor: Actor, binding: Binding) -> None:
    if actor.true is None or actor.standing_in or actor.true.user_id != binding.user_id:
        raise NotPermitted("Only the person it was proposed to answers it.")
    if binding.ended_at is not None or binding.accepted_at is not None:
        raise Conflict("This proposal was answered already, or taken back.")
