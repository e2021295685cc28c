"""Sending to webhooks: which deliveries are due, what their messages say, and what becomes of a try."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.webhook_deliveries import Failure, Outcome, WebhookDelivery
from bindings.webhook_feed import lies_within, paths_of
from bindings.webhooks import Webhook
from tenants.identities import closed_paths
from tenants.trail import Entry

LEASE = timedelta(seconds=30)
"""How long a delivery that was taken is left to who took it: longer than any try lasts."""
PAUSES = tuple(timedelta(seconds=each) for each in (5, 300, 1800, 7200, 18000, 36000, 50400, 72000))
"""Between two tries: two days and four hours in all, then it is given up."""
PATIENCE = timedelta(days=5)
"""A webhook to which nothing has come for so long is disabled."""
GONE = 410

_row = WebhookDelivery


@dataclass(frozen=True, slots=True)
class Sending:
    """A delivery that is ours for one try; `tries` counts it. What `sealed` holds signs it."""

    delivery_id: int
    webhook_id: int
    message_id: str
    url: str
    sealed: str
    tries: int
    body: bytes


async def due(session: AsyncSession, now: datetime, busy: Collection[int], most: int) -> list[int]:
    """The first delivery that is due of each webhook, none of `busy` ones; those first that wait the longest."""
    first = sa.func.min(_row.id)
    waiting = sa.select(first).where(_row.done_at.is_(None), _row.try_at <= now, _row.webhook_id.not_in(busy))
    wanted = waiting.group_by(_row.webhook_id).order_by(sa.func.min(_row.try_at), first).limit(most)
    return list((await session.execute(wanted)).scalars())


async def take(session: AsyncSession, ids: Sequence[int], now: datetime) -> list[Sending]:
    """Take these, for a try each: nobody else gets them for LEASE. Those are over that are not to be told any more."""
    free = sa.select(_row).where(_row.id.in_(ids), _row.done_at.is_(None), _row.try_at <= now).order_by(_row.id)
    rows = list(await session.scalars(free.with_for_update(skip_locked=True)))
    hooks = {
        hook.id: hook
        for hook in await session.scalars(sa.select(Webhook).where(Webhook.id.in_([row.webhook_id for row in rows])))
    }
    told = sa.select(Entry).where(Entry.id.in_([row.entry_id for row in rows]))
    entries = {entry.id: entry for entry in await session.scalars(told)}
    places = [*(row.tenant_id for row in rows), *(entry.tenant_id for entry in entries.values())]
    paths = await paths_of(session, [*places, *(entry.actor_tenant_id for entry in entries.values())])
    shut = await closed_paths(session, [paths[row.tenant_id] for row in rows])
    taken: list[Sending] = []
    for row in rows:
        hook, entry = hooks[row.webhook_id], entries[row.entry_id]
        why = _why_not(hook, entry, paths, shut)
        if why is not None:
            row.done_at, row.try_at, row.error = now, None, why.value
            continue
        row.try_at, row.tries = now + LEASE, row.tries + 1
        body = _body(row.event, entry, paths, paths[row.tenant_id])
        taken.append(Sending(row.id, hook.id, row.message_id, hook.url, hook.sealed, row.tries, body))
    await session.flush()
    return taken


def _why_not(hook: Webhook, entry: Entry, paths: dict[int, str], shut: set[str]) -> Failure | None:
    if hook.disabled_at is not None or hook.discarded_at is not None:
        return Failure.DISABLED
    if paths[hook.tenant_id] in shut:
        return Failure.CLOSED
    return None if lies_within(paths, entry, hook.tenant_id) else Failure.MOVED


def _body(event: str, entry: Entry, paths: dict[int, str], under: str) -> bytes:
    """The message as the webhook's tenant may read it in its history: names as of then, no numbers of outsiders."""
    actor_inside = entry.actor_tenant_id is not None and paths.get(entry.actor_tenant_id, "").startswith(under)
    data: dict[str, Any] = {
        "entry": entry.id,
        "tenant": entry.tenant_id,
        "actor": {
            "membership": entry.actor_membership_id if actor_inside else None,
            "name": entry.actor_name,
            "tenant": entry.actor_tenant_name,
        },
        "subject": {"membership": entry.subject_membership_id, "name": entry.subject_name}
        if entry.subject_name is not None
        else None,
        "record": {"type": entry.record_type, "id": entry.record_id, "name": entry.record_name}
        if entry.record_type is not None
        else None,
        "via": entry.via,
        "reason": entry.reason,
        "ticket": entry.ticket,
        "cause": entry.details.get("cause"),
    }
    said = {"type": event, "timestamp": entry.occurred_at.isoformat(), "data": data}
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True)
class Noted:
    """What became of a try."""

    outcome: Outcome
    disabled: Webhook | None = None
    """The webhook, where this was the end of it,"""
    cause: str = ""
    """and why."""


async def note(
    session: AsyncSession, sending: Sending, status: int | None, trouble: str | None, now: datetime
) -> Noted:
    """Write down what became of a try. Who took it when our lease was over has the last word, unless we arrived."""
    row = await session.get_one(WebhookDelivery, sending.delivery_id, with_for_update=True)
    if row.done_at is not None or (trouble is not None and row.tries != sending.tries):
        return Noted(row.outcome)
    row.status, row.error = status, trouble[:200] if trouble is not None else None
    final = trouble is None or sending.tries > len(PAUSES) or status == GONE
    row.done_at = now if final else None
    row.try_at = None if final else now + PAUSES[sending.tries - 1]
    await session.flush()
    if not final or trouble is None:
        return Noted(row.outcome)
    webhook = await session.get_one(Webhook, sending.webhook_id, with_for_update=True)
    cause = await _dead(session, webhook, status, now)
    if cause is None:
        return Noted(row.outcome)
    await webhook.disable(session, now, cause)
    return Noted(row.outcome, webhook, cause)


async def _dead(session: AsyncSession, webhook: Webhook, status: int | None, now: datetime) -> str | None:
    """Why it is told no more: it says it is gone, or has taken nothing for PATIENCE since anybody touched it."""
    if webhook.disabled_at is not None or webhook.discarded_at is not None:
        return None
    if status == GONE:
        return "gone"
    return "failing" if await _failing_since(session, webhook) <= now - PATIENCE else None


async def _failing_since(session: AsyncSession, webhook: Webhook) -> datetime:
    """When the oldest came to be of those that failed, with nothing that arrived after it."""
    mine = sa.and_(_row.webhook_id == webhook.id, _row.entry_id > webhook.last_entry_id)
    arrived = await session.scalar(
        sa.select(sa.func.max(_row.done_at)).where(_row.webhook_id == webhook.id, _row.error.is_(None))
    )
    failed = sa.select(sa.func.min(_row.created_at)).where(mine, _row.error.is_not(None))
    if arrived is not None:
        failed = failed.where(_row.created_at > arrived)
    oldest = await session.scalar(failed)
    return oldest or datetime.max.replace(tzinfo=webhook.created_at.tzinfo)
