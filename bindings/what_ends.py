"""What ends: how much of somebody's access goes with them when they are discarded, counted before it is done."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.binding import Binding
from tenants.api_keys import ApiKey
from tenants.people import Membership
from tenants.sign_in import IDLE, LONGEST, SignIn

# Nobody's reach holds other people's sign-ins; the others are counted beside them, in the same way.
_bindings, _sign_ins, _keys = Binding.__table__, SignIn.__table__, ApiKey.__table__
_members = Membership.__table__


@dataclass(frozen=True, slots=True)
class Ends:
    """What is live of one person. Bindings to them are others': those go stale."""

    bindings: int = 0
    bindings_to_them: int = 0
    sign_ins: int = 0
    keys: int = 0


async def what_ends(session: AsyncSession, user_ids: Sequence[int], now: datetime) -> dict[int, Ends]:
    """By user id, for whoever may discard them: it tells of every place they are in."""
    found: dict[int, dict[str, int]] = {user_id: {} for user_id in user_ids}
    for what, counted in _counts(user_ids, now).items():
        for user_id, count in await session.execute(counted):
            found[user_id][what] = count
    return {user_id: Ends(**counted) for user_id, counted in found.items()}


def _counts(user_ids: Sequence[int], now: datetime) -> dict[str, sa.Select[int, int]]:
    theirs = _members.c.user_id.in_(user_ids)
    made, signed_in = _bindings.c.user_id, _sign_ins.c.user_id
    # By the tenant as well, which the index on bindings knows.
    to_them = sa.and_(_bindings.c.subject_membership_id == _members.c.id, _bindings.c.tenant_id == _members.c.tenant_id)
    spell = sa.and_(_sign_ins.c.last_seen_at > now - IDLE, _sign_ins.c.created_at > now - LONGEST)
    return {
        "bindings": _by(made).where(made.in_(user_ids), _bindings.c.ended_at.is_(None)),
        "bindings_to_them": _by(_members.c.user_id)
        .join(_bindings, to_them)
        .where(theirs, _bindings.c.ended_at.is_(None)),
        "sign_ins": _by(signed_in).where(signed_in.in_(user_ids), _sign_ins.c.ended_at.is_(None), spell),
        "keys": _by(_members.c.user_id)
        .join(_keys, _keys.c.membership_id == _members.c.id)
        .where(theirs, _keys.c.revoked_at.is_(None), _keys.c.expires_at > now),
    }


def _by(whose: sa.Column[int]) -> sa.Select[int, int]:
    return sa.select(whose, sa.func.count()).group_by(whose)
