"""Webhooks: where a company's programs are told of what happens there and below. A secret is shown once."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import sqlalchemy as sa
from litestar.params import JSONBody, QueryParameter
from msgspec import UNSET, Meta, Struct, UnsetType
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.webhook_deliveries import WebhookDelivery, find_delivery
from bindings.webhooks import Webhook, find_webhook
from control.api.doors import Asked, Session, acting, alters, creates, reads
from control.api.lists import Asking, page
from control.api.shapes import Address, Id, Listed, Moment, Named, PathId, Sent, tenants_named, utc
from control.paging import LARGEST
from control.writing.apps import require_sendable
from tenants.roles import Permission
from tenants.tree import find_tenant

MANAGE = Permission.MANAGE_POLICY
Events = Annotated[list[Annotated[str, Meta(max_length=60)]], Meta(min_length=1, max_length=50)]


class WebhookShape(Struct, kw_only=True):
    """A webhook; disabled it is told nothing."""

    id: int
    tenant: Named | None
    url: str
    events: list[str]
    created_at: datetime
    disabled_at: datetime | None
    discarded_at: datetime | None
    secret: str | UnsetType = UNSET
    """Only in the answer that made it, and never in a replay."""


class DeliveryShape(Struct):
    """One event on its way, or what became of it."""

    id: int
    message: str
    """The `webhook-id`, the same for every try."""
    event: str
    entry: int
    """The entry of the history that it tells of."""
    state: str
    """`waiting`, `delivered` or `failed`."""
    tries: int
    status: int | None
    """What its end answered last."""
    error: str | None
    created_at: datetime
    next_at: datetime | None
    done_at: datetime | None


class NewWebhook(Sent):
    """Where to tell whom: `url` is reached from the internet by https; `tenant` is your own when it is left out."""

    url: Address
    events: Events
    tenant: Id | None = None


class WebhookChange(Sent):
    """What changes of a webhook."""

    url: Address | UnsetType = UNSET
    events: Events | UnsetType = UNSET


class ReplayFrom(Sent):
    """Which deliveries to send again: those that came to be since then."""

    since: Moment
    failed_only: bool = True
    """`false`: also those that arrived."""


class Replayed(Struct):
    """How many are sent again."""

    count: int


@reads("/webhooks", may=MANAGE, summary="List the webhooks in reach")
async def list_webhooks(
    session: Session,
    listing: Asking,
    tenant: Annotated[int | None, QueryParameter(ge=1, le=LARGEST, description="Only of this one.")] = None,
) -> Listed[WebhookShape]:
    """Those in use, oldest first; with `discarded` those that were discarded."""
    wanted = sa.select(Webhook).where(listing.like(Webhook.url), listing.still_there(Webhook.discarded_at))
    if tenant is not None:
        wanted = wanted.where(Webhook.tenant_id == tenant)

    async def shaped(rows: Sequence[Webhook]) -> list[WebhookShape]:
        return await _shapes(session, rows)

    return await page(session, wanted, {"id": Webhook.id}, listing, shaped, sort="id")


@reads("/webhooks/{webhook_id:int}", may=MANAGE, summary="Show a webhook")
async def show_webhook(session: Session, webhook_id: PathId) -> WebhookShape:
    """The webhook, when in reach; never its secret."""
    return await _shape(session, await find_webhook(session, webhook_id))


@creates("/webhooks", may=MANAGE, outlives=True, summary="Make a webhook")
async def make_webhook(request: Asked, session: Session, data: JSONBody[NewWebhook]) -> WebhookShape:
    """With its secret, shown once. It is told of what happens from now on."""
    settings = request.app.state.house.settings
    require_sendable(settings, data.url, "url")
    owner = await find_tenant(session, data.tenant if data.tenant is not None else acting(request).standing.tenant_id)
    made = await Webhook.make(session, settings.secret_key, owner, data.url, data.events, request.user.now)
    return await _shape(session, *made)


@alters("/webhooks/{webhook_id:int}", may=MANAGE, outlives=True, summary="Change a webhook")
async def change_webhook(
    request: Asked, session: Session, webhook_id: PathId, data: JSONBody[WebhookChange]
) -> WebhookShape:
    """Its address, or its events."""
    webhook = await find_webhook(session, webhook_id)
    url = data.url if isinstance(data.url, str) else None
    if url is not None:
        require_sendable(request.app.state.house.settings, url, "url")
    await webhook.change(session, url=url, events=data.events if isinstance(data.events, list) else None)
    return await _shape(session, webhook)


@creates("/webhooks/{webhook_id:int}/secret", may=MANAGE, outlives=True, summary="Make a new secret for a webhook")
async def rotate_webhook(request: Asked, session: Session, webhook_id: PathId) -> WebhookShape:
    """The new secret, shown once; for 24 hours messages are signed by the old one as well."""
    webhook = await find_webhook(session, webhook_id)
    secret = await webhook.rotate(session, request.app.state.house.settings.secret_key, request.user.now)
    return await _shape(session, webhook, secret)


@creates("/webhooks/{webhook_id:int}/test", may=MANAGE, outlives=True, summary="Send a test event")
async def test_webhook(request: Asked, session: Session, webhook_id: PathId) -> DeliveryShape:
    """An event `webhook.test`; what became of it is among the deliveries a moment later."""
    return _delivery(await (await find_webhook(session, webhook_id)).test(session, request.user.now))


@creates("/webhooks/{webhook_id:int}/disable", may=MANAGE, outlives=True, summary="Disable a webhook", status=200)
async def disable_webhook(request: Asked, session: Session, webhook_id: PathId) -> WebhookShape:
    """It is told nothing more, and what waits is given up."""
    webhook = await find_webhook(session, webhook_id)
    await webhook.disable(session, request.user.now)
    return await _shape(session, webhook)


@creates("/webhooks/{webhook_id:int}/enable", may=MANAGE, outlives=True, summary="Enable a webhook", status=200)
async def enable_webhook(request: Asked, session: Session, webhook_id: PathId) -> WebhookShape:
    """It is told of what happens from now on; what it missed is in the history."""
    webhook = await find_webhook(session, webhook_id)
    await webhook.enable(session, request.user.now)
    return await _shape(session, webhook)


@creates("/webhooks/{webhook_id:int}/discard", may=MANAGE, outlives=True, summary="Discard a webhook", status=200)
async def discard_webhook(request: Asked, session: Session, webhook_id: PathId) -> WebhookShape:
    """It is told nothing more, for good."""
    webhook = await find_webhook(session, webhook_id)
    await webhook.discard(session, request.user.now)
    return await _shape(session, webhook)


@reads("/webhooks/{webhook_id:int}/deliveries", may=MANAGE, summary="List what a webhook was told")
async def list_deliveries(session: Session, listing: Asking, webhook_id: PathId) -> Listed[DeliveryShape]:
    """The newest first. What is over is kept for 30 days. `q` looks at the names of events."""
    webhook = await find_webhook(session, webhook_id)
    wanted = sa.select(WebhookDelivery).where(WebhookDelivery.webhook_id == webhook.id)

    async def shaped(rows: Sequence[WebhookDelivery]) -> list[DeliveryShape]:
        return [_delivery(row) for row in rows]

    wanted = wanted.where(listing.like(WebhookDelivery.event))
    return await page(session, wanted, {"id": WebhookDelivery.id}, listing, shaped, sort="-id")


@creates(
    "/webhooks/{webhook_id:int}/deliveries/{delivery_id:int}/replay",
    may=MANAGE,
    outlives=True,
    summary="Send an event again",
    status=200,
)
async def replay_delivery(request: Asked, session: Session, webhook_id: PathId, delivery_id: PathId) -> DeliveryShape:
    """As the same message, whatever became of it before."""
    webhook = await find_webhook(session, webhook_id)
    delivery = await find_delivery(session, webhook.id, delivery_id)
    await webhook.replay(session, delivery, request.user.now)
    return _delivery(delivery)


@creates("/webhooks/{webhook_id:int}/replay", may=MANAGE, outlives=True, summary="Send events again", status=200)
async def replay_since(request: Asked, session: Session, webhook_id: PathId, data: JSONBody[ReplayFrom]) -> Replayed:
    """Every delivery that was given up of those that came to be since then, or every one that is over."""
    webhook = await find_webhook(session, webhook_id)
    since = utc(data.since, "since") or request.user.now
    return Replayed(await webhook.replay_since(session, since, request.user.now, failed=data.failed_only))


async def _shape(session: AsyncSession, webhook: Webhook, secret: str | None = None) -> WebhookShape:
    shape = (await _shapes(session, [webhook]))[0]
    if secret is not None:
        shape.secret = secret
    return shape


async def _shapes(session: AsyncSession, webhooks: Sequence[Webhook]) -> list[WebhookShape]:
    places = await tenants_named(session, [webhook.tenant_id for webhook in webhooks])
    return [
        WebhookShape(
            id=webhook.id,
            tenant=places.get(webhook.tenant_id),
            url=webhook.url,
            events=webhook.events,
            created_at=webhook.created_at,
            disabled_at=webhook.disabled_at,
            discarded_at=webhook.discarded_at,
        )
        for webhook in webhooks
    ]


def _delivery(row: WebhookDelivery) -> DeliveryShape:
    return DeliveryShape(
        row.id,
        row.message_id,
        row.event,
        row.entry_id,
        row.outcome.value,
        row.tries,
        row.status,
        row.error,
        row.created_at,
        row.try_at,
        row.done_at,
    )


ROUTES = [
    list_webhooks,
    show_webhook,
    make_webhook,
    change_webhook,
    rotate_webhook,
    test_webhook,
    disable_webhook,
    enable_webhook,
    discard_webhook,
    list_deliveries,
    replay_delivery,
    replay_since,
]
