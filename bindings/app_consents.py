"""AppConsent: what somebody lets an app of others learn of them. First-party apps are the house's own and ask nobody.

It is the person's own: nobody who stands in gives it, and a login of somebody who is bound to them is agreed to by
that somebody for that login alone, and remembered nowhere. Where no page can ask (a hand-off, a token exchange) only
what the subject agreed to themselves counts: whoever stands in cannot answer for them.
"""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from bindings.apps import App
from bindings.login import Login
from tenants.people import Membership, User
from tenants.reach import Extent, Reach
from tenants.records import Audited, Number, Record
from tenants.refusals import OutOfReach
from tenants.trail import numbered, record
from tenants.verbs import Verb

TAKEN_BACK = "consent_revoked"
"""Why a login ended."""
MISSING = "app_consent"
"""The rule by which an app of others is not opened as somebody who never agreed to it."""


class AppConsent(Record, Audited):
    """One person's word for one app: the scopes that they agreed to, until they take it back."""

    __tablename__ = "app_consents"
    noun = "consent"

    user_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("users.id"))
    tenant_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("tenants.id"))
    app_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("apps.id"))
    scopes: Mapped[str] = mapped_column(sa.String(200))
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]

    @classmethod
    def within(cls, reach: Reach) -> sa.ColumnElement[bool]:
        """Where they were when they agreed; of a member their own."""
        return cls.user_id == reach.user_id if reach.extent is Extent.SELF else reach.tenants(cls.tenant_id)

    def touches(self, reach: Reach) -> set[int] | None:
        """One's own; otherwise where it was given."""
        if self.user_id == reach.user_id:
            return set()
        return None if reach.extent is Extent.SELF else {self.tenant_id}

    @classmethod
    async def give(
        cls, session: AsyncSession, app: App, user_id: int, tenant_id: int, scope: str, now: datetime
    ) -> "AppConsent":
        """Remember it; what they agreed to before stays. An entry unless nothing is new."""
        # Of two tabs that agree at once the second waits, and finds the row of the first.
        await session.execute(sa.select(User.id).where(User.id == user_id).with_for_update())
        mine = sa.select(cls).where(cls.user_id == user_id, cls.app_id == app.id, cls.revoked_at.is_(None))
        row = (await session.scalars(mine)).one_or_none()
        if row is not None and covers(row.scopes, scope):
            return row
        if row is None:
            number = await numbered(session, cls.__tablename__)
            row = cls(id=number, user_id=user_id, tenant_id=tenant_id, app_id=app.id, scopes=scope, created_at=now)
            session.add(row)
        else:
            row.scopes = " ".join(dict.fromkeys([*row.scopes.split(), *scope.split()]))
        record(session, Verb.APP_AGREED, row, named=(cls.__tablename__, str(row.id), app.name))
        await session.flush()
        return row

    async def take_back(self, session: AsyncSession, app_name: str, now: datetime) -> None:
        """The app is asked for again at its next login; the logins that the word was given for end."""
        self.revoked_at = now
        record(session, Verb.APP_DISAGREED, self, named=(self.__tablename__, str(self.id), app_name))
        await session.flush()
        theirs = sa.select(Membership.__table__.c.id).where(Membership.__table__.c.user_id == self.user_id)
        await session.execute(
            sa.update(_logins)
            .where(
                _logins.c.app_id == self.app_id,
                _logins.c.subject_membership_id.in_(theirs),
                _logins.c.ended_at.is_(None),
            )
            .values(ended_at=now, ended_cause=TAKEN_BACK)
        )


_logins, _rows = Login.__table__, AppConsent.__table__
_AGREED = sa.select(_rows.c.scopes).where(
    _rows.c.user_id == sa.bindparam("user"), _rows.c.app_id == sa.bindparam("app"), _rows.c.revoked_at.is_(None)
)


async def agreed(connection: AsyncConnection, app: App, user_id: int, scope: str) -> bool:
    """Whether this person agreed that the app learns what these scopes tell. First-party apps need no word."""
    if app.first_party:
        return True
    said = (await connection.execute(_AGREED, {"user": user_id, "app": app.id})).scalar_one_or_none()
    return said is not None and covers(said, scope)


async def agreed_part(connection: AsyncConnection, app: App, user_id: int, scope: str) -> str | None:
    """As much of these scopes as this person agreed to; None where the app may not know them. First-party: all."""
    if app.first_party:
        return scope
    said = (await connection.execute(_AGREED, {"user": user_id, "app": app.id})).scalar_one_or_none() or ""
    kept = [each for each in scope.split() if each in said.split()]
    return " ".join(kept) if "openid" in kept else None


def not_agreed(app: App, name: str) -> str:
    """Why somebody else's app is not opened as this person."""
    return f"{name} has not let {app.name} know who they are. Nobody agrees to this for another."


def covers(agreed_to: str, scope: str) -> bool:
    """Whether all that is asked was agreed to."""
    return set(scope.split()) <= set(agreed_to.split())


async def consents_of(session: AsyncSession, user_id: int, most: int) -> Sequence[tuple[AppConsent, str]]:
    """What somebody agreed to and did not take back, each with the name of its app; the newest first."""
    names = App.__table__
    wanted = (
        sa.select(AppConsent, names.c.name)
        .join(names, names.c.id == AppConsent.app_id)
        .where(AppConsent.user_id == user_id, AppConsent.revoked_at.is_(None))
        .order_by(AppConsent.id.desc())
        .limit(most)
    )
    return [(row[0], row[1]) for row in await session.execute(wanted)]


async def own_consent(session: AsyncSession, user_id: int, consent_id: int) -> tuple[AppConsent, str]:
    """One's own word for an app, with the app's name; OutOfReach for anybody else's, or one taken back."""
    found = [each for each in await consents_of(session, user_id, most=1000) if each[0].id == consent_id]
    if not found:
        raise OutOfReach
    return found[0]
