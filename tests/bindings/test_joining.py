"""Joining, where many come at once: one link lets one person in, on both databases."""

import asyncio

import pytest
import sqlalchemy as sa

from bindings.joining import join, newcomer
from bindings.resets import reset_password
from tenants.actor import Actor
from tenants.credentials import hash_password
from tenants.email_changes import EmailChange, apply_due
from tenants.invitations import Invitation, by_letter, send
from tenants.links import Link, Purpose
from tenants.password_resets import LIVES
from tenants.people import Membership, User
from tenants.reach import Reach
from tenants.refusals import Gone
from tenants.roles import Role
from tenants.store import Store
from tenants.trail import Entry
from tenants.verbs import Verb
from tests.cast import NOW, Cast, house_work, work_as

EVERYWHERE = Reach.everywhere("tests")


async def sent(store: Store, cast: Cast, by: str, email: str) -> str:
    """What the link of a new invitation to Bakery carries."""
    actor = cast.actor(by)
    async with work_as(store, actor) as session:
        here = cast.tenant("Bakery").id
        invitation = await Invitation.prepare(session, actor, here, email, "Nick", Role.MEMBER, NOW)
        return await send(session, actor, [invitation], NOW)


async def come_in(store: Store, token: str, password_hash: str) -> int:
    """What the join page does; how many places it gave."""
    async with store.work(Actor.house("story"), EVERYWHERE, NOW) as session:
        offered = await by_letter(session, token, NOW, hold=True)
        if not offered:
            return 0
        user = await newcomer(session, offered[0], "Nick", password_hash, NOW)
        return len((await join(session, offered, user, NOW)).memberships)


async def test_of_twenty_who_come_at_once_with_one_link_one_comes_in(store: Store, cast: Cast) -> None:
    token, password_hash = (
        await sent(store, cast, "Olaf", "nick@new.example"),
        await hash_password("long enough to be one"),
    )
    given = await asyncio.gather(*(come_in(store, token, password_hash) for _each in range(20)))
    assert sorted(given) == [0] * 19 + [1]
    async with house_work(store) as session:
        users = select_users("nick@new.example")
        assert await session.scalar(users) == 1
        made = sa.select(sa.func.count()).select_from(Membership).join(User, User.id == Membership.user_id)
        assert await session.scalar(made.where(User.email == "nick@new.example")) == 1
        told = sa.select(sa.func.count()).select_from(Entry).where(Entry.verb == Verb.INVITATION_ACCEPTED.value)
        assert await session.scalar(told) == 1


def select_users(email: str) -> sa.Select[int]:
    return sa.select(sa.func.count()).select_from(User).where(User.email == email)


async def test_of_twenty_who_use_one_reset_link_one_sets_the_password(store: Store, cast: Cast) -> None:
    async with house_work(store) as session:
        secret = await Link.make(session, Purpose.RESET, LIVES, NOW, user_id=cast.user("Dan").id)

    async def reset(number: int) -> bool:
        try:
            async with store.work(Actor.house("story"), EVERYWHERE, NOW) as session:
                await reset_password(session, secret, f"hash {number}", NOW)
        except Gone:
            return False
        return True

    assert sorted(await asyncio.gather(*(reset(number) for number in range(20)))) == [False] * 19 + [True]


async def test_a_change_that_is_due_is_applied_once_by_many_who_look(store: Store, cast: Cast) -> None:
    actor = cast.actor("Olaf")
    async with work_as(store, actor) as session:
        bea = await session.get_one(User, cast.user("Bea").id)
        change = await EmailChange.ask(session, actor, bea, "bea@new.example", NOW)
    async with house_work(store) as session:
        await (await session.get_one(EmailChange, change.id)).confirm(session, NOW)
    later = NOW.replace(day=NOW.day + 4)

    async def look() -> int:
        async with store.work(Actor.house("story"), EVERYWHERE, later) as session:
            return len(await apply_due(session, later))

    assert sorted(await asyncio.gather(*(look() for _each in range(8)))) == [0] * 7 + [1]


@pytest.mark.parametrize("purpose", [each for each in Purpose if each is not Purpose.RESET])
async def test_t27_a_link_for_one_thing_opens_nothing_else(store: Store, cast: Cast, purpose: Purpose) -> None:
    async with house_work(store) as session:
        secret = await Link.make(session, purpose, LIVES, NOW, user_id=cast.user("Dan").id)
    with pytest.raises(Gone):
        async with house_work(store) as session:
            await reset_password(session, secret, "hash", NOW)
