"""The database held against what was acknowledged, and the rows against their entries."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.binding import Binding, BindingApp
from bindings.login import Login
from bindings.tokens import Token
from tenants.trail import Entry
from tenants.verbs import Verb
from tests.fold import misfits
from tests.kills.acks import Ack, Bound, LoggedIn, Refreshed, Released

Rows = dict[Any, Any]


@dataclass
class Stored:
    """What the database has, by what an acknowledgement names."""

    bindings: Rows
    logins: Rows
    refresh_tokens: Rows
    entries: set[tuple[str, str]]
    """(verb, binding's id or login's sid) of each entry that speaks of one."""


async def judge(session: AsyncSession, acks: Iterable[Ack]) -> list[str]:
    """Everything that is missing or does not agree, one line each."""
    stored = await read(session)
    found = [f"{ack}: {missing}" for ack in acks for missing in missing_of(ack, stored)]
    found += disagreements(stored) + await misfits(session)
    live = sa.select(BindingApp.user_id).where(BindingApp.live.is_(True))
    twice = Counter((await session.scalars(live)).all())
    return found + [f"user {user_id} has {count} live bindings" for user_id, count in twice.items() if count > 1]


async def read(session: AsyncSession) -> Stored:
    """All of it: a story about kills is small enough."""
    entries = Entry.__table__
    wanted = sa.select(entries.c.verb, entries.c.record_type, entries.c.record_id, entries.c.details)
    told = {
        (verb, number if kind == Binding.__tablename__ else str(details.get("sid")))
        for verb, kind, number, details in await session.execute(wanted)
    }
    return Stored(
        await rows(session, Binding.__table__, "id"),
        await rows(session, Login.__table__, "id"),
        await rows(session, Token.__table__, "token_hash", Token.kind == "refresh"),
        told,
    )


async def rows(session: AsyncSession, table: Any, key: str, *where: Any) -> Rows:
    return {row[key]: row for row in (await session.execute(sa.select(table).where(*where))).mappings()}


def missing_of(ack: Ack, stored: Stored) -> list[str]:
    """What of an acknowledged change is not there."""
    match ack:
        case Bound():
            return missing_of_bound(ack, stored)
        case Released():
            row = stored.bindings.get(ack.binding_id)
            ended = row is not None and row["ended_cause"] == "released"
            return [] if ended else ["it is not released"]
        case LoggedIn():
            return missing_of_login(ack, stored)
        case Refreshed():
            return missing_of_refresh(ack, stored)


def missing_of_bound(ack: Bound, stored: Stored) -> list[str]:
    row = stored.bindings.get(ack.binding_id)
    if row is None:
        return ["there is no such binding"]
    wanted = (ack.user_id, ack.extension_id)
    return [] if (row["user_id"], row["extension_id"]) == wanted else [f"the binding is another's: {row}"]


def missing_of_login(ack: LoggedIn, stored: Stored) -> list[str]:
    row = stored.logins.get(ack.sid)
    if row is None:
        return ["there is no such login"]
    as_told = (row["subject_membership_id"], row["actor_membership_id"], row["binding_id"])
    found = [] if as_told == (ack.subject_id, ack.actor_id, ack.binding_id) else [f"it is another login: {row}"]
    token = stored.refresh_tokens.get(ack.refresh_hash)
    return found if token is not None and token["login_id"] == ack.sid else [*found, "its refresh token is not there"]


def missing_of_refresh(ack: Refreshed, stored: Stored) -> list[str]:
    spent, fresh = stored.refresh_tokens.get(ack.spent_hash), stored.refresh_tokens.get(ack.fresh_hash)
    found = [] if spent is not None and spent["consumed_at"] is not None else ["the old token is not spent"]
    return found if fresh is not None and fresh["login_id"] == ack.sid else [*found, "the new token is not there"]


def disagreements(stored: Stored) -> list[str]:
    """Rows against entries, acknowledged or not: what is there is told, and what has ended took its logins along."""
    found = [
        f"binding {number} has no entry {verb}"
        for number, row in stored.bindings.items()
        for verb in (Verb.BOUND, Verb.BINDING_ENDED)
        if (verb is Verb.BOUND or row["ended_at"] is not None) and (verb.value, str(number)) not in stored.entries
    ]
    found += [f"login {sid} has no entry" for sid in stored.logins if (Verb.LOGGED_IN.value, sid) not in stored.entries]
    told = {sid for verb, sid in stored.entries if verb == Verb.LOGGED_IN.value}
    found += [f"login {sid} is told of but not there" for sid in told - set(stored.logins)]
    for sid, row in stored.logins.items():
        binding = stored.bindings.get(row["binding_id"])
        if binding is not None and binding["ended_at"] is not None and row["ended_at"] is None:
            found.append(f"login {sid} goes on though binding {binding['id']} has ended")
    return found
