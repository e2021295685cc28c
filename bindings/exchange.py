"""Token exchange (RFC 8693): an app trades an operator's token for one as a person that the operator may stand in for.

Only an app with a secret that the platform lets exchange, only for a token of its own, which says who asks: where that
token is missing or broken nobody is asked instead. What comes back is no stronger than what was shown: the same app,
no wider scope, no refresh token, at most 20 minutes, one actor deep.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.app_consents import MISSING, agreed_part, not_agreed
from bindings.apps import App, known_client
from bindings.clients import Credentials, Rejected, confidential
from bindings.facts import fetch_facts
from bindings.guard import Act, Refused, judge, unassigned
from bindings.handoff import seen_through
from bindings.impersonation import TOKEN, Asked, Impersonation
from bindings.introspection import read_access_token
from bindings.keys import ALGORITHMS
from bindings.login import Login, begin_login
from bindings.resolving import Because, Notice
from bindings.standing import ACCESS, Spell, Standing, by_login, by_token
from bindings.tokens import ACCESS_TYPE, Issuer, mint, store_tokens
from tenants.actor import Actor, Identity, Origin
from tenants.factors import factor_missing
from tenants.identities import live_identities
from tenants.people import Membership
from tenants.phones import Extension
from tenants.reach import Reach
from tenants.refusals import Invalid, OutOfReach
from tenants.sign_in import STRONG, SignIn
from tenants.text import reason_given
from tenants.trail import record
from tenants.verbs import Verb

EXCHANGE_GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN_TYPE = "urn:ietf:params:oauth:token-type:access_token"
EVERYWHERE = Reach.everywhere("token exchange")
HERE = "/oauth/token"
LONGEST_NUMBER = 18
"""Digits of an id."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What an app showed that may exchange: its own token, by which an operator asks, and how far that reaches."""

    app: App
    standing: Standing
    spell: Spell
    scope: str
    actor: Actor
    jkt: str | None
    """The key that the app showed (RFC 9449), which what it gets is bound to."""


async def exchange(
    issuer: Issuer, credentials: Credentials, fields: Mapping[str, str], now: datetime, origin: Origin
) -> dict[str, Any]:
    """A token as `requested_subject`, for a token of the operator's own. Raises Rejected.

    `requested_subject` is `membership:ID`, `extension:ID` or `user:ID`; `reason` says why, where a policy asks.
    """
    shown = await _shown(issuer, credentials, fields, now, origin)
    # Before the transaction begins: the first key of a house is made in one of its own.
    for algorithm in {ALGORITHMS[0], shown.standing.client.id_token_alg}:
        await issuer.keys.signer(algorithm, now)
    try:
        async with issuer.store.work(shown.actor, shown.actor.reach(), now) as session:
            return await _begin(session, issuer, shown, fields, now)
    except Invalid as invalid:
        raise Rejected("invalid_request", str(invalid)) from None
    except OutOfReach:
        refused = Refused("reach", 404, "Nothing here that you can see.")
    except Refused as said:
        refused = said
    await _mark(issuer, shown.actor, shown.actor.standing.tenant_id, refused.rule, now)
    raise Rejected("access_denied", str(refused))


async def _shown(
    issuer: Issuer, credentials: Credentials, fields: Mapping[str, str], now: datetime, origin: Origin
) -> Shown:
    """The client first, then that it may, then what it asks, then the token that says who asks."""
    token = fields.get("subject_token", "")
    said = await read_access_token(issuer, token, now) if "." in token else None
    async with issuer.store.hot.connect() as connection:
        found = await by_token(connection, credentials.client_id, ACCESS, said["jti"] if said else "", now)
        standing = credentials.prove(found)
        app = await known_client(connection, credentials.client_id)
    if app is None or not confidential(standing.client) or not app.exchanges:
        if app is not None:
            await _mark(issuer, Actor.house("exchange", origin), app.tenant_id, "exchange", now)
        raise Rejected("unauthorized_client", "This app may not exchange tokens. The platform's admins decide that.")
    _check_fields(fields, app)
    if await _acting(issuer, token, standing, now):
        await _mark(issuer, Actor.house("exchange", origin), app.tenant_id, "nested", now)
        raise Rejected("invalid_grant", "This token stands in for somebody already.")
    spell, held = standing.spell, standing.held
    if spell is None or held is None or said is None or not standing.active(now) or not _agrees(said, spell):
        raise Rejected("invalid_request", "The subject_token is no access token of this app's that is good now.")
    if held.jkt is not None and held.jkt != credentials.jkt:
        raise Rejected("invalid_dpop_proof", "The subject_token is bound to a key: send a DPoP proof of that key.")
    scope = _scope_within(fields.get("scope"), held.scope, app)
    return Shown(app, standing, spell, scope, await _actor_of(issuer, spell, origin), credentials.jkt)


def _check_fields(fields: Mapping[str, str], app: App) -> None:
    """Section 2.1, with what is not offered refused by name rather than passed over. Raises Rejected."""
    if "subject_token" not in fields or "subject_token_type" not in fields:
        raise Rejected("invalid_request", "The subject_token or its subject_token_type is missing.")
    if fields["subject_token_type"] != ACCESS_TOKEN_TYPE:
        raise Rejected("invalid_request", f"The only subject_token_type is {ACCESS_TOKEN_TYPE}.")
    if fields.get("requested_token_type", ACCESS_TOKEN_TYPE) != ACCESS_TOKEN_TYPE:
        raise Rejected("invalid_request", f"The only requested_token_type is {ACCESS_TOKEN_TYPE}.")
    # No token of ours says that somebody may act for its subject, so nobody named here could be the one.
    if "actor_token" in fields or "actor_token_type" in fields:
        raise Rejected("invalid_request", "The subject_token names nobody who may act, so no actor_token is taken.")
    if "resource" in fields or fields.get("audience", app.client_id) != app.client_id:
        raise Rejected("invalid_target", f"An exchanged token is for {app.client_id} itself.")
    _wanted(fields)


async def _acting(issuer: Issuer, token: str, standing: Standing, now: datetime) -> bool:
    """Whether the token is one of a stand-in, by what it says or by its row, whoever it was made for."""
    claims = await issuer.keys.verify(token, now, ACCESS_TYPE) if token.count(".") == 2 else None
    return (claims is not None and "act" in claims) or (
        standing.spell is not None and standing.spell.facts.stand_in is not None
    )


def _agrees(said: Mapping[str, Any], spell: Spell) -> bool:
    """The token speaks of the very people that its row does."""
    return (said.get("sid"), said.get("sub")) == (spell.facts.sid, str(spell.facts.subject_id))


def _scope_within(asked: str | None, held: str, app: App) -> str:
    """What the operator's token has and the app may have, or less; never a refresh token. Raises Rejected."""
    usual = [each for each in held.split() if each != "offline_access"]
    most = [each for each in usual if app.scopes is None or each == "openid" or each in app.scopes]
    wanted = set(asked.split()) if asked is not None else set(most)
    if not wanted <= set(most):
        raise Rejected("invalid_scope", "An exchange cannot ask for more than the subject_token has.")
    return " ".join(each for each in most if each in wanted)


def _wanted(fields: Mapping[str, str]) -> tuple[str, int]:
    """What kind of thing the subject is named by, and its number. Raises Rejected."""
    kind, colon, number = fields.get("requested_subject", "").partition(":")
    digits = number.isascii() and number.isdigit() and len(number) <= LONGEST_NUMBER
    if not colon or kind not in {"membership", "extension", "user"} or not digits:
        raise Rejected(
            "invalid_request", "A requested_subject is membership:ID, extension:ID or user:ID, with a number."
        )
    return kind, int(number)


async def _actor_of(issuer: Issuer, spell: Spell, origin: Origin) -> Actor:
    """The operator, as at their login: with the sign-in that it was made by, and how that was proved."""
    rows = Login.__table__
    wanted = sa.select(rows.c.sign_in_id).where(rows.c.id == spell.facts.sid)
    async with issuer.store.hot.connect() as connection:
        sign_in_id = (await connection.execute(wanted)).scalar_one_or_none()
        live = await live_identities(connection, membership_id=spell.facts.actor_id)
    if not live:
        raise Rejected("invalid_request", "The subject_token is of nobody who is active.")
    strong = not STRONG.isdisjoint(spell.facts.methods)
    return Actor.of(live[0], origin, sign_in_id=sign_in_id, strong=strong)


async def _begin(
    session: AsyncSession, issuer: Issuer, shown: Shown, fields: Mapping[str, str], now: datetime
) -> dict[str, Any]:
    """The stand-in, its login and its one token, all at once or none. Raises Refused, OutOfReach, Invalid, Rejected."""
    actor, app, who = shown.actor, shown.app, shown.actor.standing
    sign_in = await session.get(SignIn, actor.sign_in_id) if actor.sign_in_id is not None else None
    _require_factor(who, actor)
    reason = reason_given(fields.get("reason"), asked=True)
    subject, extension_id = await _subject(session, actor, fields, reason, now)
    asked = Asked(reason, extension_id=extension_id, app_id=app.id)
    stand = await Impersonation.start(session, actor, subject, asked, now, kind=TOKEN)
    # It is in use from here on: no tab has to say so.
    stand.seen_at = now
    granted = await seen_through(session, stand, who, app)
    if isinstance(granted, Notice):
        raise Refused(granted.kind, 403, granted.sentence)
    connection = await session.connection()
    granted = replace(granted, because=Because.TOKEN)
    scope = await agreed_part(connection, app, granted.subject.user_id, shown.scope)
    if scope is None:
        raise Refused(MISSING, 403, not_agreed(app, granted.subject.name))
    login = await begin_login(connection, actor, granted, app, sign_in, scope, now)
    begun = await by_login(session, app.client_id, login.id, now)
    if begun is None or begun.spell is None:
        raise OutOfReach
    minted = await mint(issuer, begun.client, begun.spell, now, scope=scope, refresh_scope=None, jkt=shown.jkt)
    await store_tokens(connection, minted)
    given = {name: minted.answer[name] for name in ("access_token", "token_type", "expires_in", "scope")}
    return given | {"issued_token_type": ACCESS_TOKEN_TYPE}


def _require_factor(who: Identity, actor: Actor) -> None:
    """What the door asks of who uses the panel is asked of who stands in through an app, too."""
    if factor_missing(who, None) or (who.needs_factor and not actor.strong):
        raise Refused("second_factor", 403, f"{who.tenant_name} asks its admins and operators for a second factor.")


async def _subject(
    session: AsyncSession, actor: Actor, fields: Mapping[str, str], reason: str | None, now: datetime
) -> tuple[Membership, int | None]:
    """Whom it is to be, within the actor's reach. Raises OutOfReach, Refused, Rejected."""
    kind, number = _wanted(fields)
    if kind == "user":
        return await _only_membership(session, actor, number, reason, now), None
    extension_id = number if kind == "extension" else None
    if kind == "extension":
        extension = await session.get(Extension, number)
        if extension is None or extension.discarded_at is not None:
            raise OutOfReach
        if extension.membership_id is None:
            raise unassigned()
        number = extension.membership_id
    membership = await session.get(Membership, number)
    if membership is None:
        raise OutOfReach
    return membership, extension_id


async def _only_membership(
    session: AsyncSession, actor: Actor, user_id: int, reason: str | None, now: datetime
) -> Membership:
    """The one membership of a person that the guard allows; of several the app has to say which."""
    theirs = sa.select(Membership).where(Membership.user_id == user_id, Membership.discarded_at.is_(None))
    allowed, refusals = [], []
    for membership in await session.scalars(theirs.order_by(Membership.id)):
        found = await fetch_facts(
            session,
            Act.TOKEN,
            actor.standing.membership_id,
            subject_membership_id=membership.id,
            reason=reason,
            strong=actor.strong,
            now=now,
        )
        refused = judge(found.facts) if found else None
        if refused is None and found is not None:
            allowed.append(membership)
        elif refused is not None:
            refusals.append(refused)
    if len(allowed) > 1:
        named = ", ".join(f"membership:{each.id}" for each in allowed)
        raise Rejected("invalid_request", f"This person is in several organizations. Say which: {named}.")
    if allowed:
        return allowed[0]
    raise refusals[0] if refusals else OutOfReach()


async def _mark(issuer: Issuer, actor: Actor, place: int, rule: str | None, now: datetime) -> None:
    """A refusal is written down, in a small transaction of its own: of what was begun nothing is left."""
    reach = EVERYWHERE if actor.apparent is None else actor.reach()
    async with issuer.store.work(actor, reach, now) as session:
        record(session, Verb.REFUSED, None, place=place, rule=rule, path=HERE)
