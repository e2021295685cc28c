"""Unfit logins: what an app, a licence or an extension let in ends with it.

Each use asks for all of that anyhow (`Spell.over`). These make the end come at once, with its line in history and its
word to the app. An extension's logins are few, and end in the transaction of the change. An app's may be many: the
change leaves `sweep_since` on the app, and the reaper ends them a batch at a time, whoever may have died meanwhile.

Doors call these rather than the verbs of the records, which know nothing of logins.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.apps import App
from bindings.impersonation import Impersonation, end_all
from bindings.login import Login
from bindings.logout import identity_now
from tenants import phone_endings
from tenants.people import Membership
from tenants.phones import Extension, Licence, PhoneSystem
from tenants.roles import ADMIN_ACCESS
from tenants.trail import record
from tenants.verbs import Verb

BATCH = 500
"""Logins that one transaction of a sweep ends."""
LATE = timedelta(seconds=5)
"""For so long after the change a sweep looks again: for logins that were being made just then."""
APPS = 20
"""Apps that one transaction of a sweep looks at."""

DISCARDED, NO_LICENCE, NO_ADMIN = "app_discarded", "stale_licence", "stale_not_admin"
REASSIGNED, OUT_OF_USE = "stale_reassigned", "stale_extension"

Condition = sa.ColumnElement[bool]

# Nobody's reach holds other people's logins, so these are read and ended as plain tables.
_logins, _apps, _licences, _members = Login.__table__, App.__table__, Licence.__table__, Membership.__table__
_TOLD = (
    _logins.c.id,
    _logins.c.app_id,
    _logins.c.subject_membership_id,
    _logins.c.tenant_id,
    _logins.c.binding_id,
    _logins.c.impersonation_id,
)


async def discard_app(session: AsyncSession, app: App, now: datetime) -> None:
    """Discard it; its logins are swept."""
    app.sweep_since = now
    await app.discard(session, now)


async def change_app(session: AsyncSession, app: App, now: datetime, **fields: Any) -> None:
    """Change it; where it asks for another product by that, or for its admins, its logins are swept."""
    before = app.product_id, app.admin_only
    await app.change(session, **fields)
    if before != (app.product_id, app.admin_only):
        app.sweep_since = now
        await session.flush()


async def withdraw_licence(session: AsyncSession, licence: Licence, now: datetime) -> None:
    """Take it back, and end the logins that it let in."""
    await licence.withdraw(session, now)
    await _end_licensed(session, licence, now)


async def set_app_admin(session: AsyncSession, licence: Licence, app_admin: bool, now: datetime) -> None:
    """Give or take the app-admin grant, and end the logins at apps for admins alone that it let in."""
    await licence.set_app_admin(session, app_admin)
    await _end_licensed(session, licence, now)


async def change_extension(session: AsyncSession, extension: Extension, now: datetime, **fields: Any) -> None:
    """Rename it or give it to somebody else or nobody; what was open with it, as or by whoever had it, ends."""
    before = extension.membership_id
    await extension.change(session, **fields)
    if before is not None and before != extension.membership_id:
        await _end_at_once(session, _with(extension.id, before), REASSIGNED, now)


async def discard_extension(session: AsyncSession, extension: Extension, now: datetime) -> None:
    """Out of use with all that hangs on it, and what was open with it ends."""
    await phone_endings.discard_extension(session, extension, now)
    await _end_at_once(session, _with(extension.id, extension.membership_id), OUT_OF_USE, now)


async def discard_phone_system(
    session: AsyncSession, system: PhoneSystem, now: datetime, *, with_extensions: bool = False
) -> None:
    """Out of use, empty or with all its extensions, and what was open with them ends."""
    lines = sa.select(Extension.id, Extension.membership_id).where(
        Extension.phone_system_id == system.id, Extension.discarded_at.is_(None)
    )
    held = (await session.execute(lines)).all()
    await phone_endings.discard_phone_system(session, system, now, with_extensions=with_extensions)
    for extension_id, membership_id in held:
        await _end_at_once(session, _with(extension_id, membership_id), OUT_OF_USE, now)


async def sweep(session: AsyncSession, now: datetime) -> bool:
    """End a batch of the logins that no longer fit their app; whether there may be more of them at once.

    For a session of the house.
    """
    wanted = sa.select(App).where(App.sweep_since.is_not(None)).order_by(App.id).limit(APPS)
    left = BATCH
    for app in (await session.scalars(wanted.with_for_update(skip_locked=True, key_share=True))).all():
        for cause, unfit in _unfit(app):
            found, ended = await _end(session, sa.and_(_logins.c.app_id == app.id, unfit), cause, now, left)
            left -= found
            # A line for each that stood in; those of people themselves are counted when all of them are over.
            await _tell(session, [row for row in ended if row.binding_id or row.impersonation_id], cause)
            if left <= 0:
                return True
        if app.sweep_since is not None and now >= app.sweep_since + LATE:
            await _sum_up(session, app, app.sweep_since)
            app.sweep_since = None
    return False


async def _end_licensed(session: AsyncSession, licence: Licence, now: datetime) -> None:
    holder = await session.scalar(sa.select(Extension.membership_id).where(Extension.id == licence.extension_id))
    apps = sa.select(App).where(_apps.c.product_id == licence.product_id, _apps.c.discarded_at.is_(None))
    for app in (await session.scalars(apps)).all():
        for cause, unfit in _unfit(app):
            here = sa.and_(_logins.c.app_id == app.id, _with(licence.extension_id, holder), unfit)
            await _end_at_once(session, here, cause, now)


def _with(extension_id: int, membership_id: int | None) -> Condition:
    """The logins with an extension: whoever had it was seen there, and an index knows the logins of each."""
    return sa.and_(_logins.c.subject_membership_id == membership_id, _logins.c.extension_id == extension_id)


def _unfit(app: App) -> list[tuple[str, Condition]]:
    """Which of its logins no longer fit it, by the cause that they end with: what `Spell.over` says, of many rows."""
    if app.discarded_at is not None:
        return [(DISCARDED, sa.true())]
    if app.product_id is None:
        return [(NO_ADMIN, sa.true())] if app.admin_only else []
    held = sa.select(_licences.c.id).where(
        _licences.c.extension_id == _logins.c.extension_id,
        _licences.c.product_id == app.product_id,
        _licences.c.discarded_at.is_(None),
    )
    unfit: list[tuple[str, Condition]] = [(NO_LICENCE, sa.and_(_logins.c.extension_id.is_not(None), ~held.exists()))]
    if app.admin_only:
        passed_on = sa.select(_members.c.id).where(
            _members.c.id == _logins.c.actor_membership_id, _members.c.role.in_([role.value for role in ADMIN_ACCESS])
        )
        own = _logins.c.actor_membership_id == _logins.c.subject_membership_id
        entitled = sa.and_(held.where(_licences.c.app_admin).exists(), sa.or_(own, passed_on.exists()))
        unfit.append((NO_ADMIN, ~entitled))
    return unfit


async def _end_at_once(session: AsyncSession, which: Condition, cause: str, now: datetime) -> None:
    """All of them, each with its line."""
    _, ended = await _end(session, which, cause, now)
    await _tell(session, ended, cause)


async def _end(
    session: AsyncSession, which: Condition, cause: str, now: datetime, most: int | None = None
) -> tuple[int, list[Any]]:
    """End open logins, and the impersonations that were opened at an app by one; how many were found, and the logins
    that this ended itself: an impersonation has a line of its own, and ends its logins."""
    wanted = sa.select(*_TOLD).where(which, _logins.c.ended_at.is_(None)).order_by(_logins.c.id).limit(most)
    rows = (await session.execute(wanted)).all()
    if not rows:
        return 0, []
    stands = {row.impersonation_id for row in rows} - {None}
    opened = sa.select(Impersonation).where(
        Impersonation.id.in_(stands), Impersonation.app_id.is_not(None), Impersonation.ended_at.is_(None)
    )
    if stands:
        # Their rows are locked before those of their logins, as everywhere.
        mine = (await session.scalars(opened.order_by(Impersonation.id))).all()
        await end_all(session, mine, cause.removeprefix("stale_"), now)
    free = sa.select(_logins.c.id).where(_logins.c.id.in_([row.id for row in rows]), _logins.c.ended_at.is_(None))
    over = sa.update(_logins).where(_logins.c.id.in_(free.order_by(_logins.c.id).with_for_update(skip_locked=True)))
    told = await session.execute(over.values(ended_at=now, ended_cause=cause).returning(_logins.c.id))
    ended = set(told.scalars())
    return len(rows), [row for row in rows if row.id in ended]


async def _tell(session: AsyncSession, rows: Iterable[Any], cause: str) -> None:
    rows = list(rows)
    named = sa.select(_apps.c.id, _apps.c.name).where(_apps.c.id.in_({row.app_id for row in rows}))
    names = {app.id: app.name for app in await session.execute(named)} if rows else {}
    for row in rows:
        record(
            session,
            Verb.LOGIN_ENDED,
            named=("apps", str(row.app_id), names[row.app_id]),
            place=row.tenant_id,
            subject=await identity_now(session, row.subject_membership_id),
            stand_in_id=row.binding_id or row.impersonation_id,
            sid=row.id,
            cause=cause,
        )


async def _sum_up(session: AsyncSession, app: App, since: datetime) -> None:
    """One line for all that a sweep has ended of people themselves."""
    own = sa.and_(_logins.c.binding_id.is_(None), _logins.c.impersonation_id.is_(None))
    swept = sa.and_(
        _logins.c.app_id == app.id,
        _logins.c.ended_at >= since,
        _logins.c.ended_cause.in_([DISCARDED, NO_LICENCE, NO_ADMIN]),
    )
    counted = sa.select(_logins.c.ended_cause, sa.func.count()).where(swept, own).group_by(_logins.c.ended_cause)
    for cause, count in (await session.execute(counted)).all():
        named = ("apps", str(app.id), app.name)
        record(session, Verb.LOGINS_SWEPT, named=named, place=app.tenant_id, cause=cause, logins=count)
