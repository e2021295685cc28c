"""The end of one login: by logging out at the app, by a replay, or because it no longer holds."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from bindings.apps import App
from bindings.impersonation import STOPPED, Impersonation, end_all
from bindings.login import Login
from tenants.actor import Actor, Identity, Origin
from tenants.identities import live_identities
from tenants.people import Membership, User
from tenants.reach import Reach
from tenants.roles import Role
from tenants.store import Store
from tenants.trail import record
from tenants.tree import Tenant
from tenants.verbs import Verb

_logins, _apps = Login.__table__, App.__table__
_TOLD = (
    _logins.c.app_id,
    _logins.c.actor_membership_id,
    _logins.c.subject_membership_id,
    _logins.c.tenant_id,
    _logins.c.binding_id,
    _logins.c.impersonation_id,
)
_END = (
    sa.update(_logins)
    .where(_logins.c.id == sa.bindparam("sid"), _logins.c.ended_at.is_(None))
    .values(ended_at=sa.bindparam("now"), ended_cause=sa.bindparam("cause"))
    .returning(*_TOLD)
)


async def end_login(
    store: Store, sid: str, cause: str, now: datetime, *, verb: Verb = Verb.LOGIN_ENDED, origin: Origin | None = None
) -> bool:
    """End a login with its entry, in a small transaction of its own; False when it had ended already.

    From then on every token it gave is refused. A replay is written down each time it is tried, so that is told
    even when there was nothing left to end. An impersonation that was opened at an app is that one login: it ends
    with it, while one of the panel goes on.
    """
    house, everywhere = Actor.house("login path", origin), Reach.everywhere("end a login")
    async with store.work(house, everywhere, now) as session:
        opened = (await session.scalars(_opened_by(sid))).one_or_none()
        ended = (await session.execute(_END, {"sid": sid, "now": now, "cause": cause})).one_or_none()
        if ended is None and verb is Verb.LOGIN_ENDED:
            return False
        row = ended or (await session.execute(sa.select(*_TOLD).where(_logins.c.id == sid))).one()
        by_hand = verb is Verb.LOGIN_ENDED and cause in ({"logout"} if opened is None else {"logout", "revoked"})
        if by_hand:
            await _speak_for(session, row.actor_membership_id, origin)
        app = (await session.execute(sa.select(_apps.c.name).where(_apps.c.id == row.app_id))).scalar_one()
        other = row.subject_membership_id != row.actor_membership_id
        record(
            session,
            verb,
            None,
            named=("apps", str(row.app_id), app),
            place=row.tenant_id,
            subject=await identity_now(session, row.subject_membership_id) if other else None,
            stand_in_id=row.binding_id or row.impersonation_id,
            sid=sid,
            cause=cause,
        )
        if opened is not None and ended is not None:
            await end_all(session, [opened], STOPPED if by_hand else cause, now)
        return ended is not None


def _opened_by(sid: str) -> sa.Select[Impersonation]:
    """The impersonation that was opened at an app by this login, if it was; locked before the login's own row is."""
    theirs = sa.select(_logins.c.impersonation_id).where(_logins.c.id == sid)
    wanted = sa.select(Impersonation).where(Impersonation.id == theirs.scalar_subquery())
    return wanted.where(Impersonation.app_id.is_not(None)).with_for_update()


async def _speak_for(session: AsyncSession, membership_id: int, origin: Origin | None) -> None:
    """Logging out is the person's own act, while they are live; what the house finds out is the house's."""
    people = await live_identities(session, membership_id=membership_id)
    if people:
        session.sync_session.info["actor"] = Actor.of(people[0], origin)


async def identity_now(session: AsyncSession, membership_id: int) -> Identity:
    """Somebody as they are now, as the trail names them: the person an app saw."""
    members, people, tree = Membership.__table__, User.__table__, Tenant.__table__
    row = (
        await session.execute(
            sa.select(
                members.c.user_id, people.c.name, members.c.role, tree.c.id, tree.c.name.label("place"), tree.c.kind
            )
            .join(people, people.c.id == members.c.user_id)
            .join(tree, tree.c.id == members.c.tenant_id)
            .where(members.c.id == membership_id)
        )
    ).one()
    return Identity(membership_id, row.user_id, row.name, "", Role(row.role), row.id, row.place, row.kind, "")


_HERE = (
    sa.select(_logins.c.id, _apps.c.name)
    .join(_apps, _apps.c.id == _logins.c.app_id)
    .where(_logins.c.sign_in_id == sa.bindparam("sign_in"), _logins.c.ended_at.is_(None))
    .order_by(_logins.c.created_at)
)


async def logins_here(connection: AsyncConnection, sign_in_id: int, app_id: int | None) -> list[tuple[str, str]]:
    """The open logins that came from one sign-in, at one app or at all: (sid, name of the app)."""
    wanted = _HERE if app_id is None else _HERE.where(_logins.c.app_id == app_id)
    return [(row.id, row.name) for row in await connection.execute(wanted, {"sign_in": sign_in_id})]
