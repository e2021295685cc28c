"""The causes by which a stand-in ends (product.md section 6), each by the functions that the panel's doors call."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from bench.ending_worlds import World
from bindings.binding import Binding
from bindings.consenting import revoke_consent
from bindings.ending_all import end_by_hand, live_into
from bindings.endings import (
    discard_membership,
    discard_tenant,
    discard_user,
    suspend_tenant,
)
from bindings.factor_resets import disable_factors
from bindings.impersonation import GOODBYE, Asked, Impersonation, end_those_of, find_impersonation
from bindings.login import end_logins_of
from bindings.moving import move_tenant
from bindings.recheck import recheck
from bindings.resets import reset_access
from bindings.role_change import change_role
from bindings.unfit_logins import change_extension, withdraw_licence
from control.pages.parts.leaving import end_everywhere, end_logins_from
from tenants.actor import Actor, Identity
from tenants.consents import Consent
from tenants.people import Membership, User
from tenants.phones import Licence, find_extension
from tenants.protections import tighten
from tenants.reach import Reach
from tenants.roles import Role
from tenants.second_factors import Totp
from tenants.sign_in import SignIn
from tenants.store import Store
from tenants.tree import Scope, find_tenant
from tests.cast import ORIGIN, Cast

WHY = "A measured ending"
LEFT = timedelta(seconds=10)
"""How long one that is to run out goes on: long enough to be opened on a busy machine."""


@dataclass(frozen=True, slots=True)
class Open:
    """A stand-in that is open at the app: an impersonation, or a binding with a login through it."""

    store: Store
    cast: Cast
    secret_key: bytes
    world: World
    number: int
    """Of the impersonation or the binding."""
    sid: str
    token: str
    sign_in_id: int
    ends_at: datetime | None
    tell: Callable[["Open", str], Awaitable[None]]
    """Over HTTP, as the app: `goodbye` or `stop`."""

    @asynccontextmanager
    async def as_(self, who: Identity, *, wide: bool = False) -> AsyncIterator[tuple[AsyncSession, Actor, datetime]]:
        """Somebody at work in one transaction; `wide` as the doors do it whose act reaches other places too."""
        actor, now = Actor.of(who, ORIGIN), datetime.now(UTC)
        reach = Reach.everywhere("bench") if wide else actor.reach()
        async with self.store.work(actor, reach, now) as session:
            yield session, actor, now


Act = Callable[[Open], Awaitable[datetime | None]]
"""Ends it; returns the moment, where that is not now."""


@dataclass(frozen=True, slots=True)
class Cause:
    """One cause. A world that it `spoils` is not used again; `ago` is how long before its time was begun."""

    name: str
    act: Act
    spoils: bool = False
    bound: bool = False
    ago: timedelta = timedelta(0)
    lasts: timedelta | None = None
    """Until when a binding holds."""
    before: Callable[[Store, World], Awaitable[None]] | None = None
    """What has to be so before anybody may start."""
    lanes: int | None = None
    """How many go on at once: many where each mostly waits, one where the product lets one at a time."""


async def stop(it: Open, who: Identity) -> None:
    async with it.as_(who) as (session, actor, now):
        await (await find_impersonation(session, it.number)).stop(session, actor, now)


async def stopped(it: Open) -> None:
    await stop(it, it.world.operator)


async def stopped_at_the_app(it: Open) -> None:
    await it.tell(it, "stop")


async def ended_by_the_subject(it: Open) -> None:
    await stop(it, it.world.subject)


async def ended_by_an_admin(it: Open) -> None:
    await stop(it, it.world.boss)


async def ended_with_all_into_the_company(it: Open) -> None:
    async with it.as_(it.world.boss) as (session, actor, now):
        company = await find_tenant(session, it.world.company)
        await end_by_hand(session, actor, await live_into(session, company, now), now)


async def ran_out(it: Open) -> datetime | None:
    if it.ends_at is not None:
        await asyncio.sleep(max(0.0, (it.ends_at - datetime.now(UTC)).total_seconds()))
    return it.ends_at


async def closed_the_tab(it: Open) -> datetime:
    await it.tell(it, "seen")
    await it.tell(it, "goodbye")
    async with it.as_(it.world.boss) as (session, _, _now):
        row = await find_impersonation(session, it.number)
        over = (row.goodbye_at or row.created_at) + GOODBYE
    await asyncio.sleep(max(0.0, (over - datetime.now(UTC)).total_seconds()))
    return over


async def replaced(it: Open) -> None:
    async with it.as_(it.world.operator) as (session, actor, now):
        subject = await session.get_one(Membership, it.world.subject.membership_id)
        await Impersonation.start(session, actor, subject, Asked.of(WHY), now)


async def the_actor_signed_out(it: Open) -> None:
    async with it.as_(it.world.operator, wide=True) as (session, _, now):
        row = await session.get_one(SignIn, it.sign_in_id)
        await end_logins_from(session, row.id, now)
        await row.end(session, it.world.operator, "signed_out", now)


async def signed_out_everywhere(it: Open, who: Identity) -> None:
    async with it.as_(who, wide=True) as (session, _, now):
        await end_everywhere(session, await session.get_one(User, who.user_id), now)


async def the_actor_signed_out_everywhere(it: Open) -> None:
    await signed_out_everywhere(it, it.world.operator)


async def the_subject_signed_out_everywhere(it: Open) -> None:
    await signed_out_everywhere(it, it.world.subject)


async def changed_the_password(it: Open, who: Identity) -> None:
    async with it.as_(who, wide=True) as (session, _, now):
        await end_those_of(session, who.user_id, "password_changed", now)
        await end_logins_of(session, who.user_id, "password_changed", now)


async def the_actor_changed_the_password(it: Open) -> None:
    await changed_the_password(it, it.world.operator)


async def the_subject_changed_the_password(it: Open) -> None:
    await changed_the_password(it, it.world.subject)


async def reset_the_password(it: Open, who: Identity) -> None:
    async with it.as_(who, wide=True) as (session, _, now):
        await reset_access(session, await session.get_one(User, who.user_id), "password_reset", now)


async def the_actor_reset_the_password(it: Open) -> None:
    await reset_the_password(it, it.world.operator)


async def the_subject_reset_the_password(it: Open) -> None:
    await reset_the_password(it, it.world.subject)


async def the_subjects_factors_were_reset(it: Open) -> None:
    who = it.world.subject
    async with it.as_(who) as (session, _, now):
        totp = await Totp.prepare(session, it.secret_key, await session.get_one(User, who.user_id), now)
        code = totp.generator(it.secret_key).generate(time=int(now.timestamp())).token
        await totp.confirm(session, it.secret_key, code, now)
    async with it.as_(it.world.admin, wide=True) as (session, actor, now):
        await disable_factors(session, actor, await session.get_one(User, who.user_id), WHY, now)


async def the_subject_was_discarded(it: Open) -> None:
    async with it.as_(it.world.admin) as (session, actor, now):
        await discard_user(session, actor, await session.get_one(User, it.world.subject.user_id), now)


async def the_actor_was_discarded(it: Open) -> None:
    async with it.as_(it.world.admin) as (session, actor, now):
        await discard_user(session, actor, await session.get_one(User, it.world.operator.user_id), now)


async def the_membership_was_discarded(it: Open) -> None:
    async with it.as_(it.world.boss) as (session, actor, now):
        subject = await session.get_one(Membership, it.world.subject.membership_id)
        await discard_membership(session, actor, subject, now)


async def the_company_was_discarded(it: Open) -> None:
    async with it.as_(it.world.admin) as (session, actor, now):
        await discard_tenant(session, actor, await find_tenant(session, it.world.company), now)


async def the_actor_lost_the_role(it: Open) -> None:
    async with it.as_(it.world.admin) as (session, actor, now):
        operator = await session.get_one(Membership, it.world.operator.membership_id)
        await session.refresh(operator, ["tenant", "user"])
        await change_role(session, actor, operator, Role.AUDITOR, now)


async def the_policy_said_never(it: Open) -> None:
    async with it.as_(it.world.boss) as (session, _, now):
        company = await find_tenant(session, it.world.company)
        await tighten(session, company, {"stand_ins": "never"})
        await recheck(session, company, now)


async def let_in(store: Store, world: World) -> None:
    """The company asks for consent, and the subject gives it to the reseller."""
    now = datetime.now(UTC)
    boss, subject = Actor.of(world.boss, ORIGIN), Actor.of(world.subject, ORIGIN)
    async with store.work(boss, boss.reach(), now) as session:
        company = await find_tenant(session, world.company)
        if company.own_policy.stand_ins == 0:
            await tighten(session, company, {"stand_ins": "consent"})
    async with store.work(subject, subject.reach(), now) as session:
        company = await find_tenant(session, world.company)
        until = now + timedelta(hours=1)
        await Consent.grant(session, subject, company, world.subject.membership_id, world.reseller, until, now)


async def took_the_consent_back(it: Open) -> None:
    async with it.as_(it.world.subject) as (session, actor, now):
        open_ones = sa.select(Consent).where(Consent.open_at(now))
        for consent in (await session.scalars(open_ones)).all():
            await revoke_consent(session, actor, consent, now)


async def the_company_was_suspended(it: Open) -> None:
    async with it.as_(it.world.admin) as (session, actor, now):
        company = await find_tenant(session, it.world.company)
        await suspend_tenant(session, actor, company, Scope.ALL, WHY, now)


async def the_actors_staff_was_suspended(it: Open) -> None:
    async with it.as_(it.cast.identity("Nora")) as (session, actor, now):
        reseller = await find_tenant(session, it.world.reseller)
        await suspend_tenant(session, actor, reseller, Scope.STAFF, WHY, now)


async def the_company_moved(it: Open) -> None:
    async with it.as_(it.cast.identity("Nora")) as (session, actor, now):
        company, to = await find_tenant(session, it.world.company), await find_tenant(session, it.world.elsewhere)
        await move_tenant(session, actor, company, to, now, expected_parent_id=it.world.reseller)


async def released(it: Open) -> None:
    async with it.as_(it.world.operator) as (session, actor, now):
        await (await session.get_one(Binding, it.number)).release(session, actor, now)


async def rebound(it: Open) -> None:
    async with it.as_(it.world.operator) as (session, actor, now):
        user = await session.get_one(User, it.world.operator.user_id)
        extension = await find_extension(session, it.world.extension)
        await Binding.make(session, actor, user, extension, now, reason=WHY)


async def the_licence_was_taken_back(it: Open) -> None:
    async with it.as_(it.world.boss) as (session, _, now):
        held = sa.select(Licence).where(Licence.extension_id == it.world.extension, Licence.discarded_at.is_(None))
        await withdraw_licence(session, (await session.scalars(held)).one(), now)


async def the_extension_was_given_away(it: Open) -> None:
    async with it.as_(it.world.boss) as (session, _, now):
        other = await session.get_one(Membership, it.world.boss.membership_id)
        await change_extension(session, await find_extension(session, it.world.extension), now, membership=other)


CAUSES = (
    Cause("stopped", stopped),
    Cause("stopped at the app", stopped_at_the_app),
    Cause("expired", ran_out, ago=timedelta(minutes=20) - LEFT, lanes=24),
    Cause("tab closed", closed_the_tab, lanes=40),
    Cause("replaced", replaced),
    Cause("ended by the subject", ended_by_the_subject),
    Cause("ended by an admin", ended_by_an_admin),
    Cause("ended with all into the company", ended_with_all_into_the_company),
    Cause("actor signed out", the_actor_signed_out),
    Cause("actor signed out everywhere", the_actor_signed_out_everywhere),
    Cause("subject signed out everywhere", the_subject_signed_out_everywhere),
    Cause("actor changed the password", the_actor_changed_the_password),
    Cause("subject changed the password", the_subject_changed_the_password),
    Cause("actor's password reset", the_actor_reset_the_password),
    Cause("subject's password reset", the_subject_reset_the_password),
    Cause("subject's factors reset", the_subjects_factors_were_reset, spoils=True),
    Cause("subject discarded", the_subject_was_discarded, spoils=True),
    Cause("actor discarded", the_actor_was_discarded, spoils=True),
    Cause("membership discarded", the_membership_was_discarded, spoils=True),
    Cause("company discarded", the_company_was_discarded, spoils=True),
    Cause("actor lost the role", the_actor_lost_the_role, spoils=True),
    Cause("policy: never", the_policy_said_never, spoils=True),
    Cause("consent taken back", took_the_consent_back, before=let_in),
    Cause("company suspended", the_company_was_suspended, spoils=True),
    Cause("actor's staff suspended", the_actors_staff_was_suspended, spoils=True),
    Cause("company moved", the_company_moved, spoils=True, lanes=1),
    Cause("licence taken back", the_licence_was_taken_back, spoils=True),
    Cause("extension given away", the_extension_was_given_away, spoils=True, bound=True),
    Cause("binding released", released, bound=True),
    Cause("binding replaced", rebound, bound=True),
    Cause("binding expired", ran_out, bound=True, lasts=LEFT, lanes=24),
)
