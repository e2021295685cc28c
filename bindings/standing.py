"""How a login stands now: one statement fetches client, token, login, claims and the guard's facts together.

Asked at each use: refresh, userinfo, introspection, `/oauth/acting`. The rows are the truth; a token whose row is
gone, whose login has ended or whose binding the guard no longer allows is worth nothing, however well it is signed.
"""

import hmac
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from advanced_alchemy.types import DateTimeUTC
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from bindings.apps import SCOPES, App, may_ask
from bindings.binding import broken, run_out
from bindings.claims import LoginFacts, Phone, StandIn
from bindings.facts import ROW_OF_FACTS, WINDOWS, Found, found_in, parts_of_facts
from bindings.guard import Act, judge
from bindings.impersonation import Impersonation
from bindings.login import LONGEST
from bindings.resolving import Because
from tenants.credentials import digest
from tenants.records import Json
from tenants.roles import Role
from tenants.sign_in import STRONG

ACCESS, REFRESH = "access", "refresh"

_ASKED = """asked AS (
    SELECT c.id AS app_id, c.client_id, c.name AS app_name, c.type AS app_type, c.secret_hash, c.id_token_alg,
           c.old_secret_hash, c.old_secret_until, c.jwks, c.dpop, c.scopes,
           c.product_id, c.needs_extension, c.admin_only, ow.path AS owner_path, {token},
           l.id AS sid, l.actor_membership_id AS actor_id, l.subject_membership_id AS subject_id,
           l.extension_id AS pinned_extension_id, l.because, l.binding_id, l.scope AS login_scope, l.auth_time,
           l.methods, l.created_at AS begun_at, l.ends_at AS until, l.ended_at AS over_at, l.ended_cause AS over_cause,
           b.subject_membership_id AS b_subject, b.number AS b_number, b.created_at AS b_created_at,
           b.ends_at AS b_ends_at, b.last_used_at AS b_last_used_at, b.ended_at AS b_ended_at,
           b.ended_cause AS b_ended_cause, b.reason AS b_reason, b.ticket AS b_ticket, b.mode AS b_mode,
           i.id AS i_id, i.kind AS i_kind, i.reason AS i_reason, i.ticket AS i_ticket, i.mode AS i_mode,
           i.strong AS i_strong, i.app_id AS i_app_id, i.created_at AS i_created_at, i.ends_at AS i_ends_at,
           i.ended_at AS i_ended_at, i.ended_cause AS i_ended_cause, i.seen_at AS i_seen_at, i.beat_at AS i_beat_at,
           i.goodbye_at AS i_goodbye_at, i.document AS i_document,
           su.email, su.email_verified_at, ph.id AS phone_id, ph.name AS phone_name, ph.host AS phone_host,
           li.id AS licence_id, li.app_admin, spt.name AS sponsor_name
      FROM {source}
      JOIN tenants ow ON ow.id = c.tenant_id
      LEFT JOIN bindings b ON b.id = l.binding_id
      LEFT JOIN impersonations i ON i.id = l.impersonation_id
      LEFT JOIN memberships sm ON sm.id = l.subject_membership_id
      LEFT JOIN users su ON su.id = sm.user_id
      LEFT JOIN extensions ex ON ex.id = l.extension_id
      LEFT JOIN phone_systems ph ON ph.id = ex.phone_system_id
      LEFT JOIN licences li ON li.extension_id = ex.id AND li.product_id = c.product_id AND li.discarded_at IS NULL
      LEFT JOIN memberships am ON am.id = l.actor_membership_id
      LEFT JOIN memberships asp ON asp.id = am.sponsor_id
      LEFT JOIN tenants spt ON spt.id = asp.tenant_id
     WHERE {where}
)"""

_TIMES = (
    "token_created_at",
    "token_expires_at",
    "token_consumed_at",
    "token_revoked_at",
    "old_secret_until",
    "auth_time",
    "begun_at",
    "until",
    "over_at",
    "b_created_at",
    "b_ends_at",
    "b_last_used_at",
    "b_ended_at",
    "i_created_at",
    "i_ends_at",
    "i_ended_at",
    "i_seen_at",
    "i_beat_at",
    "i_goodbye_at",
    "email_verified_at",
    *WINDOWS,
)


_WHOLE = "WITH RECURSIVE {asked}, {parts} SELECT q.*, f.* FROM asked q LEFT JOIN ({facts}) f ON TRUE"
_NAMED = "(SELECT {column} FROM asked)"


def _statement(source: str, token: str, where: str) -> sa.TextualSelect:
    parties = (_NAMED.format(column=column) for column in ("actor_id", "subject_id", "pinned_extension_id"))
    whole = _WHOLE.format(
        asked=_ASKED.format(source=source, token=token, where=where),
        parts=parts_of_facts(*parties),
        facts=ROW_OF_FACTS,
    )
    times = {name: DateTimeUTC(timezone=True) for name in _TIMES}
    return sa.text(whole).columns(methods=Json, jwks=Json, scopes=Json, **times)


_BY_TOKEN = _statement(
    "apps c LEFT JOIN tokens k ON k.token_hash = :hash AND k.kind = :kind AND k.app_id = c.id "
    "LEFT JOIN logins l ON l.id = k.login_id",
    "k.id AS token_id, k.scope AS token_scope, k.created_at AS token_created_at, k.expires_at AS token_expires_at, "
    "k.consumed_at AS token_consumed_at, k.revoked_at AS token_revoked_at, k.jkt AS token_jkt",
    "c.client_id = :client AND c.discarded_at IS NULL",
)
_BY_CODE = _statement(
    "apps c LEFT JOIN codes k ON k.code_hash = :hash AND k.purpose = :kind AND k.app_id = c.id "
    "LEFT JOIN logins l ON l.id = k.login_id",
    "k.id AS token_id, k.scope AS token_scope, k.created_at AS token_created_at, k.expires_at AS token_expires_at, "
    "k.consumed_at AS token_consumed_at, NULL AS token_revoked_at, NULL AS token_jkt, "
    "k.redirect_uri, k.nonce, k.code_challenge, k.dpop_jkt",
    "c.client_id = :client AND c.discarded_at IS NULL",
)
_BY_LOGIN = _statement(
    "apps c JOIN logins l ON l.id = :login AND l.app_id = c.id",
    ", ".join(f"NULL AS token_{each}" for each in ("id", "scope", "created_at", "expires_at", "consumed_at"))
    + ", NULL AS token_revoked_at, NULL AS token_jkt",
    "c.client_id = :client AND c.discarded_at IS NULL",
)


@dataclass(frozen=True, slots=True)
class Client:
    """An app, as far as the protocol's endpoints look at it."""

    id: int
    client_id: str
    name: str
    type: str
    secret_hash: str | None
    id_token_alg: str
    old_secret_hash: str | None = None
    """The one before the last rotation, while it is still good."""
    keyed: bool = False
    """It proves itself by a key of its own (RFC 7523): its secret opens nothing."""
    dpop: bool = False
    """Its tokens are bound to a key, always (RFC 9449)."""
    may_ask: tuple[str, ...] = SCOPES
    """The scopes that its tokens may have, as its owner has it now."""

    def proven_by(self, secret: str | None) -> bool:
        """A web app shows its secret, or for a while the one of before; an app that cannot keep one has none to show.

        Of an app that went over to keys of its own only the secret of before is taken, as long as that is good.
        """
        current = None if self.keyed else self.secret_hash
        good = [each for each in (current, self.old_secret_hash) if each is not None]
        if not good:
            return secret is None and not self.keyed
        return secret is not None and any(hmac.compare_digest(digest(secret), each) for each in good)


@dataclass(frozen=True, slots=True)
class Held:
    """The row of a token or code."""

    id: int
    scope: str
    created_at: datetime
    expires_at: datetime
    consumed_at: datetime | None
    revoked_at: datetime | None
    jkt: str | None = None
    """The key that it is bound to (RFC 9449)."""

    def live(self, now: datetime) -> bool:
        """Neither used up, nor revoked, nor expired."""
        return self.consumed_at is None and self.revoked_at is None and now < self.expires_at


@dataclass(frozen=True, slots=True)
class Issued:
    """What a code was issued for: what its redeemer has to show again."""

    redirect_uri: str
    nonce: str | None
    code_challenge: str
    dpop_jkt: str | None = None
    """The key that alone redeems it, where the app named one (RFC 9449 section 10)."""


@dataclass(frozen=True, slots=True)
class Bond:
    """The binding of a login, as staleness looks at it."""

    id: int
    subject_membership_id: int
    number: str
    created_at: datetime
    ends_at: datetime | None
    last_used_at: datetime | None
    ended_at: datetime | None
    ended_cause: str | None
    reason: str | None
    ticket: str | None


@dataclass(frozen=True, slots=True)
class Spell:
    """A login with what decides whether it still holds."""

    facts: LoginFacts
    scope: str
    begun_at: datetime
    ends_at: datetime | None
    ended_cause: str | None
    because: str
    bond: Bond | None
    stand: Impersonation | None
    """The impersonation it came through, as a reading that no session knows."""
    found: Found | None
    owner_path: str
    extension_id: int | None
    licensed: bool
    """The extension has a licence for the app's product, or the app has none to ask for."""
    entitled: bool
    """The app is not for admins only, or the subject is its admin."""

    def over(self, now: datetime) -> str | None:
        """Why this login no longer holds; None while it does."""
        if self.ended_cause is not None:
            return self.ended_cause
        if now >= self.begun_at + LONGEST or (self.ends_at is not None and now >= self.ends_at):
            return "expired"
        return self._stale(now) or self._misfit()

    def _stale(self, now: datetime) -> str | None:
        """A binding is asked as at each login; one's own login needs oneself alive and the extension one's own."""
        if self.bond is not None:
            stale = run_out(self.bond, now) or broken(self.bond, self.found)
            return f"stale_{stale.rule}" if stale else None
        if self.stand is not None:
            return self._stopped(self.stand, now)
        if self.because != Because.OWN or self.found is None:
            return "stale_live"
        actor = self.found.facts.actor
        if not actor.live or actor.closed:
            return "stale_live"
        if self.extension_id is None:
            return None
        mine = self.found.extension_live and self.found.extension_membership_id == actor.membership_id
        return None if mine else "stale_reassigned"

    def _stopped(self, stand: Impersonation, now: datetime) -> str | None:
        """An impersonation is asked by its row and by the guard."""
        over = stand.over(now)
        if over is not None:
            return f"impersonation_{over[0]}"[:40]
        refused = judge(self.found.facts) if self.found else None
        if refused or not self.found:
            return f"stale_{refused.rule if refused else 'live'}"
        # The person may be stood in for still, and no longer with this number.
        theirs = self.found.extension_live and self.found.extension_membership_id == self.facts.subject_id
        return None if self.extension_id is None or theirs else "stale_reassigned"

    def _misfit(self) -> str | None:
        """The app may still sign this subject in, they hold its product, and are its admin where it asks for one."""
        if not self.found or not self.found.facts.place_path.startswith(self.owner_path):
            return "stale_owner"
        if not self.licensed:
            return "stale_licence"
        return None if self.entitled else "stale_not_admin"


@dataclass(frozen=True, slots=True)
class Standing:
    """What one statement found: the client, its token or code if there is such a row, and the login of that."""

    client: Client
    held: Held | None = None
    spell: Spell | None = None
    issued: Issued | None = None

    def active(self, now: datetime) -> bool:
        """Whether the token is good now (RFC 7662 section 2.2)."""
        return self.held is not None and self.held.live(now) and self.spell is not None and not self.spell.over(now)


async def by_token(
    connection: AsyncConnection | AsyncSession, client_id: str, kind: str, token_hash: str, now: datetime
) -> Standing | None:
    """A client with one of its own tokens; None where there is no such client."""
    asked = {"client": client_id, "kind": kind, "hash": token_hash}
    return _standing((await connection.execute(_BY_TOKEN, asked)).one_or_none(), now)


async def by_code(
    connection: AsyncConnection | AsyncSession, client_id: str, purpose: str, code_hash: str, now: datetime
) -> Standing | None:
    """A client with a code of this kind that it was given; None where there is no such client."""
    asked = {"client": client_id, "kind": purpose, "hash": code_hash}
    row = (await connection.execute(_BY_CODE, asked)).one_or_none()
    standing = _standing(row, now)
    if standing is None or standing.held is None or row is None:
        return standing
    return replace(standing, issued=Issued(row.redirect_uri, row.nonce, row.code_challenge, row.dpop_jkt))


async def by_login(
    connection: AsyncConnection | AsyncSession, client_id: str, login_id: str, now: datetime
) -> Standing | None:
    """A client with a login of its own that no token was given for yet; None where there is no such login."""
    row = (await connection.execute(_BY_LOGIN, {"client": client_id, "login": login_id})).one_or_none()
    return _standing(row, now)


def client_of(app: App, now: datetime) -> Client:
    """An app that was read by itself, as the endpoints look at it."""
    return _client(app.id, app.name, app.type, app, now)


def _client(app_id: int, name: str, kind: str, row: Any, now: datetime) -> Client:
    overlap = row.old_secret_until is not None and now < row.old_secret_until
    return Client(
        app_id,
        row.client_id,
        name,
        kind,
        row.secret_hash,
        row.id_token_alg,
        old_secret_hash=row.old_secret_hash if overlap else None,
        keyed=bool(row.jwks),
        dpop=bool(row.dpop),
        may_ask=may_ask(row.scopes),
    )


def _standing(row: Any, now: datetime) -> Standing | None:
    if row is None:
        return None
    client = _client(row.app_id, row.app_name, row.app_type, row, now)
    held = None
    if row.token_id is not None:
        held = Held(
            row.token_id,
            row.token_scope,
            row.token_created_at,
            row.token_expires_at,
            row.token_consumed_at,
            row.token_revoked_at,
            row.token_jkt,
        )
    return Standing(client, held, _spell(row, now) if row.sid is not None else None)


def _spell(row: Any, now: datetime) -> Spell:
    bond = _bond(row) if row.binding_id is not None else None
    stand = _stand(row) if row.i_id is not None else None
    asked: dict[str, Any] = {"strong": not STRONG.isdisjoint(row.methods)}
    if bond is not None:
        asked |= {"reason": bond.reason, "ticket": bond.ticket, "mode": row.b_mode}
    if stand is not None:
        asked = {"reason": stand.reason, "ticket": stand.ticket, "mode": stand.mode, "strong": stand.strong}
    found = found_in(row, stand.act if stand else Act.BIND, now, **asked)
    facts = _facts(row, bond, stand)
    return Spell(
        facts=facts,
        scope=row.login_scope,
        begun_at=row.begun_at,
        ends_at=row.until,
        ended_cause=(row.over_cause or "ended") if row.over_at is not None else None,
        because=row.because,
        bond=bond,
        stand=stand,
        found=found,
        owner_path=row.owner_path,
        extension_id=row.pinned_extension_id,
        licensed=row.product_id is None or row.pinned_extension_id is None or row.licence_id is not None,
        entitled=not row.admin_only or facts.passes_admin_on,
    )


def _bond(row: Any) -> Bond:
    return Bond(
        row.binding_id,
        row.b_subject,
        row.b_number,
        row.b_created_at,
        row.b_ends_at,
        row.b_last_used_at,
        row.b_ended_at,
        row.b_ended_cause,
        row.b_reason,
        row.b_ticket,
    )


def _stand(row: Any) -> Impersonation:
    return Impersonation(
        id=row.i_id,
        kind=row.i_kind,
        app_id=row.i_app_id,
        reason=row.i_reason,
        ticket=row.i_ticket,
        mode=row.i_mode,
        strong=bool(row.i_strong),
        created_at=row.i_created_at,
        ends_at=row.i_ends_at,
        ended_at=row.i_ended_at,
        ended_cause=row.i_ended_cause,
        seen_at=row.i_seen_at,
        beat_at=row.i_beat_at,
        goodbye_at=row.i_goodbye_at,
        document=row.i_document,
    )


def _stand_in(row: Any, bond: Bond | None, stand: Impersonation | None) -> StandIn | None:
    if stand is not None:
        return StandIn(row.because, stand.id, stand.ends_at, stand.mode)
    return StandIn(row.because, bond.id, row.until, row.b_mode) if bond else None


def _facts(row: Any, bond: Bond | None, stand: Impersonation | None) -> LoginFacts:
    sponsor = f" ({row.sponsor_name})" if row.sponsor_name else ""
    on_phone = row.phone_id is not None
    return LoginFacts(
        sid=row.sid,
        auth_time=row.auth_time,
        methods=tuple(row.methods),
        subject_id=row.subject_id,
        subject_name=row.s_name,
        email=row.email,
        email_verified=row.email_verified_at is not None,
        tenant_id=row.p_tenant,
        tenant_name=row.p_name,
        tenant_kind=row.p_kind,
        extension=row.e_number if on_phone else None,
        phone=Phone(row.phone_id, row.phone_name, row.phone_host) if on_phone else None,
        app_admin=bool(row.app_admin),
        actor_id=row.actor_id,
        actor_name=f"{row.a_name}{sponsor}",
        actor_role=Role(row.a_role or Role.MEMBER),
        stand_in=_stand_in(row, bond, stand),
    )
