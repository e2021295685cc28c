"""Minting: a token of a minute for one use, and what it is exchanged for: the panel's API as somebody else.

A mint starts nothing and replaces nothing; the stand-in, of kind `token`, begins at the exchange, where the guard is
asked again. Both are JSON Web Tokens whose rows are the truth: neither is worth anything without its row.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from bindings.facts import fetch_facts
from bindings.guard import Act, Refused, judge
from bindings.impersonation import TOKEN, Asked, Impersonation
from bindings.keys import ALGORITHMS, Signer
from bindings.tokens import ACCESS_TYPE, Issuer
from tenants.actor import Actor
from tenants.credentials import digest
from tenants.people import Membership
from tenants.records import Number, Record
from tenants.refusals import OutOfReach, Refusal
from tenants.text import reason_given
from tenants.trail import record
from tenants.verbs import Verb

LIVES = timedelta(seconds=60)
MINTED_TYPE = "mint+jwt"


class Mint(Record):
    """One minted token. Nobody's reach holds it: it is good for whoever shows it, once."""

    __tablename__ = "mints"

    token_hash: Mapped[str] = mapped_column(sa.String(64), unique=True)
    actor_membership_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("memberships.id"))
    subject_membership_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("memberships.id"))
    reason: Mapped[str | None] = mapped_column(sa.String(1000))
    strong: Mapped[bool]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    consumed_at: Mapped[datetime | None]


@dataclass(frozen=True, slots=True)
class Exchanged:
    """The bearer token that a minted one was exchanged for."""

    access_token: str
    expires_in: int
    """Seconds."""
    stand_in: Impersonation


class Spent(Refusal):
    """The token is not ours, was used, is older than a minute, or is no longer allowed: never told apart."""

    def __init__(self) -> None:
        super().__init__("This token is not valid, or was used, or is older than a minute.", rule="token", status=401)


_mints = Mint.__table__
_INSERT = sa.insert(_mints)
_CONSUME = (
    sa.update(_mints)
    .where(
        _mints.c.token_hash == sa.bindparam("hash"),
        _mints.c.consumed_at.is_(None),
        _mints.c.expires_at > sa.bindparam("now"),
    )
    .values(consumed_at=sa.bindparam("now"))
    .returning(_mints.c.actor_membership_id, _mints.c.subject_membership_id, _mints.c.reason, _mints.c.strong)
)


def audience_of_mints(issuer: Issuer) -> str:
    """Whom a minted token is for: the exchange alone."""
    return f"{issuer.url}/api/sys/users/exchange"


def audience_of_panel(issuer: Issuer) -> str:
    """Whom an exchanged token is for: the panel's API alone."""
    return f"{issuer.url}/api"


async def mint_for(
    session: AsyncSession, issuer: Issuer, actor: Actor, subject_membership_id: int, reason: str | None, now: datetime
) -> str:
    """A token for standing in for a membership in reach. Raises the guard's Refused, OutOfReach, Invalid."""
    # Before the transaction begins: the first key of a house is made in one of its own.
    signer = await issuer.keys.signer(ALGORITHMS[0], now)
    who = actor.true
    # By the fence: of whoever is out of reach nobody is told anything.
    subject = await session.get(Membership, subject_membership_id)
    if who is None or subject is None:
        raise OutOfReach
    said = reason_given(reason, asked=True)
    found = await fetch_facts(
        session, Act.TOKEN, who.membership_id, subject_membership_id=subject.id, reason=said, strong=actor.strong
    )
    refused = judge(found.facts) if found else OutOfReach()
    if refused is not None or found is None or found.facts.subject is None:
        raise refused or OutOfReach()
    jti = secrets.token_urlsafe(24)
    row = {
        "token_hash": digest(jti),
        "actor_membership_id": who.membership_id,
        "subject_membership_id": subject.id,
        "reason": said,
        "strong": actor.strong,
        "created_at": now,
        "expires_at": now + LIVES,
    }
    await (await session.connection()).execute(_INSERT, row)
    named = ("memberships", str(subject.id), found.facts.subject.name)
    record(session, Verb.TOKEN_MINTED, None, named=named, place=subject.tenant_id, reason=said)
    claims = {
        "iss": issuer.url,
        "aud": audience_of_mints(issuer),
        "sub": str(subject.id),
        "act": {"sub": str(who.membership_id), "name": who.shown_name},
        "iat": int(now.timestamp()),
        "exp": int((now + LIVES).timestamp()),
        "jti": jti,
    }
    return signer.sign(claims, MINTED_TYPE)


async def read_mint(issuer: Issuer, token: str, now: datetime) -> str:
    """The `jti` of a minted token of ours that has not run out. Raises Spent."""
    said = await issuer.keys.verify(token, now, MINTED_TYPE) if token.count(".") == 2 else None
    if said is None or said.get("iss") != issuer.url or said.get("aud") != audience_of_mints(issuer):
        raise Spent
    until, jti = said.get("exp"), said.get("jti")
    if not isinstance(until, int) or now.timestamp() >= until or not isinstance(jti, str):
        raise Spent
    return jti


async def consume_mint(connection: AsyncConnection | AsyncSession, jti: str, now: datetime) -> Any:
    """Use it up: the row for exactly one of all who try, None for everybody else."""
    return (await connection.execute(_CONSUME, {"hash": digest(jti), "now": now})).one_or_none()


async def begin(
    session: AsyncSession, issuer: Issuer, signer: Signer, actor: Actor, minted: Any, now: datetime
) -> Exchanged:
    """The stand-in begins, and takes the place of the same actor's for the same subject. Raises Spent.

    `actor` is the minting membership as it is now; `minted` is the row that was used up.
    """
    subject = await session.get(Membership, minted.subject_membership_id)
    if subject is None:
        raise Spent
    jti = secrets.token_urlsafe(24)
    try:
        stand = await Impersonation.start(session, actor, subject, Asked(minted.reason), now, kind=TOKEN, jti=jti)
    except (Refused, OutOfReach):
        raise Spent from None
    token = signer.sign(_claims(issuer, stand, jti, now), ACCESS_TYPE)
    return Exchanged(token, int((stand.ends_at - now).total_seconds()), stand)


def _claims(issuer: Issuer, stand: Impersonation, jti: str, now: datetime) -> dict[str, Any]:
    return {
        "iss": issuer.url,
        "aud": audience_of_panel(issuer),
        "sub": str(stand.subject_membership_id),
        "act": {"sub": str(stand.actor_membership_id), "name": stand.actor_name},
        "iat": int(now.timestamp()),
        "exp": int(stand.ends_at.timestamp()),
        "jti": jti,
        "scope": "panel",
        "stand_in": {"kind": TOKEN, "id": str(stand.id), "ends_at": stand.ends_at.isoformat(), "mode": stand.mode},
    }


async def stand_in_of(
    issuer: Issuer, connection: AsyncConnection | AsyncSession, token: str, now: datetime
) -> Impersonation | None:
    """The stand-in that a bearer token of the panel's API is, as a reading; None for any other token.

    Whether it still goes on is for the caller to ask: the row first, then the guard.
    """
    said = await issuer.keys.verify(token, now, ACCESS_TYPE) if token.count(".") == 2 else None
    if said is None or said.get("iss") != issuer.url or said.get("aud") != audience_of_panel(issuer):
        return None
    shown, jti, act = said.get("stand_in"), said.get("jti"), said.get("act")
    if not isinstance(shown, dict) or not isinstance(jti, str) or not isinstance(act, dict):
        return None
    rows = Impersonation.__table__
    wanted = sa.select(*rows.c).where(rows.c.token_hash == digest(jti), rows.c.kind == TOKEN)
    row = (await connection.execute(wanted)).mappings().one_or_none()
    if row is None:
        return None
    told = (str(shown.get("id")), said.get("sub"), act.get("sub"))
    known = (str(row["id"]), str(row["subject_membership_id"]), str(row["actor_membership_id"]))
    return Impersonation(**row) if told == known else None
