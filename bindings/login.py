"""Login: one app's signed-in spell, begun as whom the app will see."""

import secrets
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from bindings.apps import App
from bindings.binding import Binding
from bindings.impersonation import Impersonation
from bindings.notices import LOGIN, note
from bindings.resolving import Asked, Because, Granted, Seen
from tenants.actor import Actor, Identity, Via
from tenants.people import Membership
from tenants.reach import Extent, Reach
from tenants.records import Json, Number, Record
from tenants.roles import Role
from tenants.sign_in import SignIn
from tenants.trail import tell
from tenants.verbs import Verb

LONGEST = timedelta(days=365)


class Login(Record):
    """One app's signed-in spell; its id is the `sid`. Within it the subject never changes."""

    __tablename__ = "logins"

    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True, sort_order=-10)  # type: ignore[assignment]
    app_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("apps.id"))
    sign_in_id: Mapped[int | None] = mapped_column(Number, sa.ForeignKey("sign_ins.id"))
    user_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("users.id"))
    actor_membership_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("memberships.id"))
    subject_membership_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("memberships.id"))
    tenant_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("tenants.id"))
    extension_id: Mapped[int | None] = mapped_column(Number, sa.ForeignKey("extensions.id"))
    because: Mapped[str] = mapped_column(sa.String(20))
    binding_id: Mapped[int | None] = mapped_column(Number, sa.ForeignKey("bindings.id"))
    impersonation_id: Mapped[int | None] = mapped_column(Number, sa.ForeignKey(Impersonation.__table__.c.id))
    scope: Mapped[str] = mapped_column(sa.String(200))
    auth_time: Mapped[datetime]
    methods: Mapped[list[str]] = mapped_column(Json)
    created_at: Mapped[datetime]
    ends_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    ended_cause: Mapped[str | None] = mapped_column(sa.String(40))
    tell: Mapped[bool] = mapped_column(default=False)
    """The app asked to be told when it ends: whatever ends it, `control/logouts.py` finds it and tells."""
    told_at: Mapped[datetime | None]
    """When the app acknowledged that, or we gave up, which `tell_error` says."""
    tell_tries: Mapped[int] = mapped_column(default=0)
    tell_at: Mapped[datetime | None]
    """Not to be tried again before then."""
    tell_error: Mapped[str | None] = mapped_column(sa.String(200))
    jkt: Mapped[str | None] = mapped_column(sa.String(64), default=None)
    """The thumbprint of the key that its tokens are bound to (RFC 9449 section 6)."""

    @classmethod
    def within(cls, reach: Reach) -> sa.ColumnElement[bool]:
        """Where its subject is, and one's own."""
        if reach.extent in {Extent.SELF, Extent.NOTHING}:
            return cls.user_id == reach.user_id
        return sa.or_(reach.tenants(cls.tenant_id), cls.user_id == reach.user_id)


async def last_seen_by(session: Asked, sign_in_id: int, app_id: int) -> int | None:
    """The membership that this app last saw in this browser; None when it saw nobody.

    What it saw by a hand-off is one tab's own: nobody else who logs in beside it is changed by that.
    """
    rows, stands = Login.__table__, Impersonation.__table__
    wanted = (
        sa.select(rows.c.subject_membership_id)
        .outerjoin(stands, stands.c.id == rows.c.impersonation_id)
        .where(rows.c.sign_in_id == sign_in_id, rows.c.app_id == app_id, stands.c.app_id.is_(None))
        .order_by(rows.c.created_at.desc())
        .limit(1)
    )
    return (await session.execute(wanted)).scalar_one_or_none()


async def start_login(
    session: AsyncSession, granted: Granted, app: App, sign_in: SignIn, scope: str, now: datetime
) -> Login:
    """Begin a login within a session's transaction, as its actor."""
    connection = await session.connection()
    return await begin_login(connection, session.sync_session.info["actor"], granted, app, sign_in, scope, now)


async def begin_login(
    connection: AsyncConnection,
    actor: Actor,
    granted: Granted,
    app: App,
    sign_in: SignIn | None,
    scope: str,
    now: datetime,
) -> Login:
    """Write the login and its entry: an access that the subject can see, when it is not their own.

    On a bare connection: a login is a handful of statements, and a session would cost more than they do.
    """
    row = _row_of(granted, app, sign_in, scope, now)
    await connection.execute(_INSERT, row)
    if granted.binding is not None:
        await connection.execute(_USED, {"binding": granted.binding.id, "now": now})
        await _note(connection, granted, granted.binding, now)
    other = granted.subject.membership_id != granted.actor.membership_id
    await tell(
        connection,
        replace(actor, via=_VIA.get(granted.because, actor.via)),
        now,
        Verb.LOGGED_IN,
        ("apps", str(app.id), app.name),
        place=granted.subject.tenant_id,
        path=granted.subject.path,
        subject=as_identity(granted.subject) if other else None,
        stand_in_id=row["binding_id"] or row["impersonation_id"],
        sid=row["id"],
        because=row["because"],
    )
    return Login(**row)


async def _note(connection: AsyncConnection, granted: Granted, binding: Binding, now: datetime) -> None:
    """The subject is told of it, where their rules say so; where they do not, no statement is spent."""
    await note(
        connection,
        granted.actor,
        granted.subject.membership_id,
        granted.subject.tenant_id,
        granted.told,
        now,
        via=LOGIN,
        stand_in_id=binding.id,
        reason=binding.reason,
    )


_VIA = {Because.BINDING: Via.BINDING, Because.IMPERSONATION: Via.IMPERSONATION, Because.TOKEN: Via.TOKEN}
_INSERT = sa.insert(Login.__table__)
_USED = (
    sa.update(Binding.__table__)
    .where(Binding.__table__.c.id == sa.bindparam("binding"))
    .values(last_used_at=sa.bindparam("now"))
)


def _row_of(granted: Granted, app: App, sign_in: SignIn | None, scope: str, now: datetime) -> dict[str, Any]:
    return {
        "id": secrets.token_hex(16),
        "app_id": app.id,
        "sign_in_id": sign_in.id if sign_in else None,
        "user_id": granted.actor.user_id,
        "actor_membership_id": granted.actor.membership_id,
        "subject_membership_id": granted.subject.membership_id,
        "tenant_id": granted.subject.tenant_id,
        "extension_id": granted.subject.extension_id,
        "because": granted.because.value,
        "binding_id": granted.binding.id if granted.binding else None,
        "impersonation_id": granted.impersonation.id if granted.impersonation else None,
        "scope": scope,
        "auth_time": sign_in.proof_at if sign_in else now,
        "methods": sign_in.methods.split() if sign_in else [],
        "created_at": now,
        "ends_at": granted.ends_at,
        "tell": app.backchannel_logout_uri is not None or app.signals_uri is not None,
    }


def as_identity(seen: Seen) -> Identity:
    """Somebody an app sees, as the trail names them."""
    return Identity(
        seen.membership_id, seen.user_id, seen.name, "", Role.MEMBER, seen.tenant_id, seen.tenant_name, "", seen.path
    )


async def end_logins_of(session: AsyncSession, user_id: int, cause: str, now: datetime) -> None:
    """End every login a person made, and every one made as them; the verb that asks for it writes the entry."""
    rows, members = Login.__table__, Membership.__table__
    theirs = sa.select(members.c.id).where(members.c.user_id == user_id)
    await session.execute(
        sa.update(rows)
        .where(sa.or_(rows.c.user_id == user_id, rows.c.subject_membership_id.in_(theirs)), rows.c.ended_at.is_(None))
        .values(ended_at=now, ended_cause=cause)
    )
