"""Passkeys at the pages: who we are to a browser, and what its answer is worth."""

from typing import Any

import sqlalchemy as sa
from litestar import Request
from sqlalchemy.ext.asyncio import AsyncSession

from control.house import House
from control.visitor import Visitor
from tenants.actor import Actor
from tenants.ceremonies import Answer, Ceremony, Copied, Party
from tenants.passkeys import Passkey
from tenants.people import User
from tenants.reach import Reach
from tenants.refusals import Invalid
from tenants.trail import record
from tenants.verbs import Verb


def party_of(request: Request[Visitor, Any, Any]) -> Party:
    """Us and this browser. A stranger's browser needs its cookie first (`visiting`)."""
    settings = request.app.state.house.settings
    return Party(settings.public_url, settings.secret_key, request.user.csrf_seed)


async def find_passkey(session: AsyncSession, answer: Answer, user_id: int | None = None) -> tuple[Passkey, User]:
    """The passkey that answered, and whose it is. Invalid for an unknown or removed one, or another person's."""
    wanted = sa.select(Passkey).where(Passkey.credential_id == answer.credential_id, Passkey.discarded_at.is_(None))
    passkey = (await session.scalars(wanted)).one_or_none()
    if passkey is None or user_id not in {None, passkey.user_id}:
        raise Invalid("This passkey is not known here. Sign in in another way.", field="credential")
    return passkey, await session.get_one(User, passkey.user_id)


async def take_passkey(
    request: Request[Visitor, Any, Any], session: AsyncSession, ceremony: Ceremony, answer: Answer, user_id: int | None
) -> tuple[User, str]:
    """Believe it, or raise Invalid, Gone or Copied; returns the person and how it proves them (`hwk`, `swk`)."""
    passkey, user = await find_passkey(session, answer, user_id)
    how = await party_of(request).take(session, ceremony, passkey, user, answer, request.user.now)
    return user, how


async def mark_copied(house: House, visitor: Visitor, copied: Copied) -> None:
    """That there may be a copy of a passkey is written down, in a transaction of its own."""
    actor = visitor.oneself or Actor.house("sign-in", visitor.origin)
    async with house.store.work(actor, Reach.everywhere("sign-in"), visitor.now) as session:
        record(session, Verb.PASSKEY_REFUSED, None, place=copied.place, named=copied.named)
