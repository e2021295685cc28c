"""Consent: what an app of others is about to learn of somebody, asked before it does. First-party apps ask nobody.

Somebody's own word is remembered. Whoever is bound to somebody answers for that one login, unless the subject agreed
themselves; whoever impersonates cannot answer at all, since a word given for another would outlive the impersonation.
"""

from typing import Any

from litestar import Response
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from bindings.app_consents import AppConsent, agreed
from bindings.apps import origin_of
from bindings.resolving import Because, Granted
from control.openid.asking import AUTHORIZE, Asking
from control.shell import page
from control.speech import speech
from control.visitor import look_around
from tenants.tree import Tenant

AGREED = f"{AUTHORIZE}/agreed"


async def consent_missing(connection: AsyncConnection, asking: Asking, granted: Granted) -> bool:
    """Whether the page comes first: nobody agreed yet, or the app wants them to be asked again."""
    if asking.app.first_party:
        return False
    if "consent" in asking.asked.prompts:
        return True
    return not await agreed(connection, asking.app, granted.subject.user_id, asking.asked.scope)


async def remember_consent(session: AsyncSession, asking: Asking, granted: Granted) -> None:
    """Their own word, for the next time; of a login through a binding nothing is kept."""
    if granted.because is Because.OWN and not asking.app.first_party:
        subject = granted.subject
        await AppConsent.give(session, asking.app, subject.user_id, subject.tenant_id, asking.asked.scope, asking.now)


async def ask_for_consent(session: AsyncSession, asking: Asking, granted: Granted) -> Response[Any]:
    """The page that names the app, its owner, and what it will learn; without a page, the error."""
    if asking.asked.silent:
        return asking.refuse("consent_required", "The person has not agreed to this app yet.")
    await look_around(session, asking.visitor)
    owner, _ = await session.get_one(Tenant, asking.app.tenant_id), speech(asking.request)
    return page(
        asking.request,
        "login/consent.html",
        forms_to=(origin_of(asking.asked.redirect_uri),),
        title=_("Log in to %(app)s") % {"app": asking.app.name},
        app=asking.app,
        owner=owner.name,
        subject=granted.subject,
        own=granted.because is Because.OWN,
        stand=asking.visitor.stand_in,
        scopes=asking.asked.scope.split(),
        action=AGREED,
        fields=asking.fields,
        back=asking.back(error="access_denied"),
    )
