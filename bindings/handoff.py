"""Hand-off: how an impersonation is opened at an app, in a new tab, by a code that is good once and for a minute."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.app_consents import MISSING, agreed_part, not_agreed
from bindings.apps import App, origin_of
from bindings.codes import HANDOFF, Code
from bindings.impersonation import LONGEST, Impersonation
from bindings.login import begin_login
from bindings.resolving import Asked, Because, Granted, Notice, Seen, extensions_of, fits, licence_of, seen_at
from tenants.actor import Actor, Identity
from tenants.people import Membership
from tenants.refusals import Conflict, NotPermitted
from tenants.sign_in import SignIn
from tenants.tree import ancestors

SCOPE = "openid profile email"
"""What an app is told at a hand-off, which it did not ask for itself."""


@dataclass(frozen=True, slots=True)
class Opening:
    """An app that takes a hand-off. `barred` is why it cannot be opened as this subject; None where it can."""

    app: App
    barred: str | None


async def openings(
    session: AsyncSession, actor: Actor, subject: Membership, extension_id: int | None, now: datetime
) -> list[Opening]:
    """The apps of the subject's own organization and of those above that an impersonation can be opened at.

    `subject` has its user and tenant loaded.
    """
    if actor.true is None:
        return []
    owners = [each.id for each in await ancestors(session, subject.tenant.path)]
    apps = (
        sa.select(App)
        .where(App.tenant_id.in_(owners), App.handoff_uri.is_not(None), App.discarded_at.is_(None))
        .order_by(App.name, App.id)
    )
    # What one would be, for the rules to look at; it is never added to the session.
    stand = Impersonation(
        subject_membership_id=subject.id,
        subject_name=subject.user.name,
        extension_id=extension_id,
        ends_at=now + LONGEST,
    )
    found = []
    for app in await session.scalars(apps):
        outcome = await seen_through(session, stand, actor.true, app)
        barred = outcome.sentence if isinstance(outcome, Notice) else None
        if barred is None and await agreed_part(await session.connection(), app, subject.user_id, SCOPE) is None:
            barred = not_agreed(app, subject.user.name)
        found.append(Opening(app, barred))
    return found


async def seen_through(session: Asked, stand: Impersonation, actor: Identity, app: App) -> Granted | Notice:
    """Whom the app sees through an impersonation: its subject, if they may use the app, until its end."""
    own = await extensions_of(session, [stand.subject_membership_id])
    subject = await _with_extension(session, stand, app, own)
    if subject is None:
        return Notice("not_yours", "access_denied", f"{stand.subject_name} is not active there.")
    if app.needs_extension and subject.extension_id is None:
        sentence = f"{stand.subject_name} has no extension for {app.name}."
        return Notice("no_extension", "access_denied", sentence, subject=subject)
    refused = await fits(session, app, subject, actor, [])
    return refused or Granted(actor, subject, Because.IMPERSONATION, None, stand.ends_at, stand)


async def _with_extension(session: Asked, stand: Impersonation, app: App, own: list[Seen]) -> Seen | None:
    """The extension it was started at, else the first with a licence, else any, else the person alone."""
    chosen = [each for each in own if each.extension_id == stand.extension_id]
    licensed = [each for each in own if app.product_id is not None and await licence_of(session, app, each)]
    for found in (chosen, licensed, own):
        if found:
            return found[0]
    return await seen_at(session, stand.subject_membership_id, None)


async def hand_off(
    session: AsyncSession, actor: Actor, stand: Impersonation, app: App, sign_in: SignIn | None, now: datetime
) -> str:
    """Begin the login at the app and return the address that opens it, with the code in the fragment.

    Raises NotPermitted, by the notice's kind as its rule, where the subject cannot use the app, or never agreed to it.
    """
    if app.handoff_uri is None:
        raise Conflict(f"{app.name} cannot be opened from here.", rule="handoff")
    if actor.true is None:
        raise NotPermitted("Nobody stands in here.")
    outcome = await seen_through(session, stand, actor.true, app)
    if isinstance(outcome, Notice):
        raise NotPermitted(outcome.sentence, rule=outcome.kind)
    connection = await session.connection()
    scope = await agreed_part(connection, app, outcome.subject.user_id, SCOPE)
    if scope is None:
        raise NotPermitted(not_agreed(app, outcome.subject.name), rule=MISSING)
    login = await begin_login(connection, actor, outcome, app, sign_in, scope, now)
    _, secret = await Code.issue(
        connection,
        login,
        redirect_uri=origin_of(app.handoff_uri),
        nonce=None,
        code_challenge="",
        now=now,
        purpose=HANDOFF,
    )
    return f"{app.handoff_uri}#handoff={secret}"
