"""The feed of webhooks: from entries that are committed for good to deliveries, each exactly once.

What a webhook is told of lies at its tenant or below as the tree stands now, so that whoever lost a company to another
line hears of it no more. The cursors and the deliveries are written in one transaction.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.committed import Position, anything_between, entries_between, position_now
from bindings.webhook_deliveries import WebhookDelivery
from bindings.webhooks import KNOWN, Webhook
from tenants.identities import closed_paths
from tenants.trail import Entry
from tenants.tree import Tenant
from tenants.verbs import Verb

AT_ONCE = 500
"""Entries that one transaction looks at."""
STRIDE = 5000
"""So far cursors may lag behind where nothing was to be told: moving them is a write too."""

_LIVE = sa.and_(Webhook.disabled_at.is_(None), Webhook.discarded_at.is_(None))
_LOGINS = (Verb.LOGGED_IN.value, Verb.LOGIN_ENDED.value)
"""Told of where somebody stood in."""
_TOLD = sa.and_(Entry.verb.in_(KNOWN), sa.or_(Entry.verb.not_in(_LOGINS), Entry.stand_in_id.is_not(None)))


async def anything_new(session: AsyncSession) -> bool:
    """Whether a look is worth a write: two small readings where nothing has happened."""
    cursors = sa.select(Webhook.seen_transaction, Webhook.seen_entry_id).where(_LIVE)
    first = (await session.execute(cursors.order_by(*cursors.selected_columns).limit(1))).one_or_none()
    if first is None:
        return False
    start, until = Position(*first), await position_now(session)
    lag = (until.transaction - start.transaction) or (until.entry_id - start.entry_id)
    return abs(lag) > STRIDE or await anything_between(session, start, until, _TOLD)


async def feed(session: AsyncSession, now: datetime) -> int:
    """Write the deliveries of what has happened since, and how far that was; returns how many deliveries."""
    # Of several processes each takes the webhooks that nobody else has just now.
    wanted = sa.select(Webhook).where(_LIVE).order_by(Webhook.id).with_for_update(skip_locked=True)
    webhooks = list(await session.scalars(wanted))
    if not webhooks:
        return 0
    # Asked for after they are ours: whoever had them before has not been further.
    until = await position_now(session)
    # A cursor behind the end is of another cluster, from which this database was restored.
    start = min(min(webhook.seen, until) for webhook in webhooks)
    rows = await entries_between(session, start, until, _TOLD, AT_ONCE)
    reached = until if len(rows) < AT_ONCE else rows[-1][0]
    deliveries = await _deliveries(session, webhooks, until, rows, now)
    session.add_all(deliveries)
    await session.flush()
    behind = [each.id for each in webhooks if each.seen < reached or each.seen > until]
    moved = {"seen_transaction": reached.transaction, "seen_entry_id": reached.entry_id}
    moving = sa.update(Webhook).where(Webhook.id.in_(behind)).values(**moved)
    await session.execute(moving.execution_options(synchronize_session=False))
    return len(deliveries)


async def _deliveries(
    session: AsyncSession,
    webhooks: Sequence[Webhook],
    until: Position,
    rows: Sequence[tuple[Position, Entry]],
    now: datetime,
) -> list[WebhookDelivery]:
    """Who is told of what, without those that have been told."""
    if not rows:
        return []
    entries = [entry for _, entry in rows]
    paths = await paths_of(session, [*(each.tenant_id for each in webhooks), *(each.tenant_id for each in entries)])
    shut = await closed_paths(session, [paths[webhook.tenant_id] for webhook in webhooks])
    known = await _known(session, entries)
    return [
        WebhookDelivery.of(webhook.id, webhook.tenant_id, entry.id, entry.verb, now)
        for webhook in webhooks
        if paths[webhook.tenant_id] not in shut
        for position, entry in rows
        if entry.verb in webhook.events
        and position > min(webhook.seen, until)
        and entry.occurred_at >= webhook.created_at
        and lies_within(paths, entry, webhook.tenant_id)
        and (webhook.id, entry.id) not in known
    ]


def lies_within(paths: dict[int, str], entry: Entry, tenant_id: int) -> bool:
    """Whether what it tells of lies at that tenant or below it now."""
    return entry.tenant_id is not None and paths[entry.tenant_id].startswith(paths[tenant_id])


async def paths_of(session: AsyncSession, tenant_ids: Iterable[int | None]) -> dict[int, str]:
    """Where these tenants stand now."""
    wanted = {number for number in tenant_ids if number is not None}
    rows = await session.execute(sa.select(Tenant.id, Tenant.path).where(Tenant.id.in_(wanted)))
    return {row.id: row.path for row in rows}


async def _known(session: AsyncSession, entries: Sequence[Entry]) -> set[tuple[int, int]]:
    told = sa.select(WebhookDelivery.webhook_id, WebhookDelivery.entry_id)
    rows = await session.execute(told.where(WebhookDelivery.entry_id.in_([entry.id for entry in entries])))
    return {(row.webhook_id, row.entry_id) for row in rows}
