"""`understudy explain`: what the guard says of two people, and by which rule."""

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.facts import fetch_facts
from bindings.guard import Act, judge
from control.commands.opening import EVERYWHERE, TERMINAL, opened
from tenants.people import Membership, User
from tenants.refusals import OutOfReach
from tenants.sign_in import find_by_email

DONE = {Act.BIND: "bind to", Act.IMPERSONATE: "sign in as", Act.TOKEN: "get a token as"}


async def explain(actor: str, subject: str, act: Act, reason: str | None, ticket: str | None) -> tuple[list[str], bool]:
    """What the guard answers for each pair of memberships. Returns what to print, and whether any is allowed."""
    said, allowed = [], False
    async with (
        opened() as house,
        house.store.work(TERMINAL, EVERYWHERE, house.clock(), writes=False) as session,
    ):
        subjects = await _memberships(session, subject)
        for actor_id, actor_words in await _memberships(session, actor):
            for subject_id, subject_words in subjects:
                found = await fetch_facts(
                    session, act, actor_id, subject_membership_id=subject_id, reason=reason, ticket=ticket
                )
                if found is None:
                    continue
                refused = judge(found.facts)
                allowed = allowed or refused is None
                pair = f"{actor_words} {'may' if refused is None else 'may not'} {DONE[act]} {subject_words}"
                said.append(f"{pair}." if refused is None else f"{pair}: {refused.rule}. {refused.sentence}")
    return said, allowed


async def _memberships(session: AsyncSession, who: str) -> list[tuple[int, str]]:
    """The memberships of an address, or the one with this id; each with who that is."""
    wanted = (
        sa.select(Membership)
        .options(sa.orm.joinedload(Membership.user), sa.orm.joinedload(Membership.tenant))
        .order_by(Membership.id)
    )
    if who.isdecimal() and len(who) < 19:
        wanted = wanted.where(Membership.id == int(who))
    else:
        user: User | None = await find_by_email(session, who)
        wanted = wanted.where(Membership.user_id == (user.id if user else None))
    found = [
        (each.id, f"{each.user.name} ({each.role} at {each.tenant.name})") for each in await session.scalars(wanted)
    ]
    if not found:
        raise OutOfReach(f"There is nobody “{who}”: name an address or the id of a membership.")
    return found
