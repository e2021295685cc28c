"""Webhooks: where a company's programs are told of what happens there, and what became of each telling."""

from datetime import date, datetime, time
from typing import Any

import sqlalchemy as sa
from litestar import Request, Response, get, post
from litestar.response import Redirect, Template
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.webhook_deliveries import WebhookDelivery, find_delivery
from bindings.webhooks import OVERLAP, Webhook, find_webhook
from control.clock_words import zone_of
from control.pages.company import framed
from control.pages.parts.asked import words_in
from control.pages.parts.crumbs import crumbs_to
from control.pages.parts.fields import Fields, Id, read_fields
from control.pages.parts.forms import UNTOUCHED, errors_of
from control.pages.parts.history import past_of, zone_and_locale
from control.pages.parts.session import Session, acting, house_of
from control.pages.parts.webhook_words import event_choices, failure_words
from control.paging import page_of
from control.shell import page, see_other
from control.speech import speech
from control.visitor import Visitor
from control.writing.apps import require_sendable
from tenants.refusals import Conflict, Invalid, Refusal
from tenants.roles import Permission
from tenants.tree import Tenant, find_tenant

Asked = Request[Visitor, Any, Any]
MANAGE = Permission.MANAGE_POLICY
"""Where a company's events go is a rule of the company, and its admins' to make."""
EARLIEST = date(2000, 1, 1)
"""Nothing is older, and every clock knows that day."""


@get("/companies/{tenant_id:int}/webhooks", may=MANAGE, outlives=False, include_in_schema=False)
async def list_webhooks(request: Asked, session: Session, tenant_id: Id) -> Template:
    """Those in use of this one tenant."""
    tenant = await find_tenant(session, tenant_id)
    rows = sa.select(Webhook).where(Webhook.tenant_id == tenant.id, Webhook.discarded_at.is_(None))
    found = list(await session.scalars(rows.order_by(Webhook.id)))
    return await framed(request, session, tenant, "webhooks", "webhooks/list.html", webhooks=found)


@get("/companies/{tenant_id:int}/webhooks/new", may=MANAGE, outlives=True, proof=True, include_in_schema=False)
async def new_webhook(request: Asked, session: Session, tenant_id: Id) -> Response[Any]:
    """The form for one more."""
    return await _new(request, session, await find_tenant(session, tenant_id))


@post(
    "/companies/{tenant_id:int}/webhooks/new",
    may=MANAGE,
    outlives=True,
    proof=True,
    proof_at="/companies/{tenant_id}/webhooks/new",
    proof_keeps=("url", "events"),
    include_in_schema=False,
)
async def make_webhook(request: Asked, session: Session, tenant_id: Id) -> Response[Any]:
    """Make it; its secret is on the page that answers, and nowhere after."""
    tenant, fields, house = await find_tenant(session, tenant_id), await read_fields(request), house_of(request)
    try:
        url = _address(request, fields)
        made = await Webhook.make(
            session, house.settings.secret_key, tenant, url, fields.all("events"), request.user.now
        )
    except (Invalid, Conflict) as refusal:
        return await _new(request, session, tenant, fields, refusal)
    return await _told(request, session, *made)


async def _new(
    request: Asked, session: AsyncSession, tenant: Tenant, fields: Fields = UNTOUCHED, refusal: Refusal | None = None
) -> Response[Any]:
    if fields is UNTOUCHED:
        said = request.query_params
        fields = Fields({"url": (said.get("url", ""),), "events": tuple(said.getall("events", []))})
    return page(
        request,
        "webhooks/new.html",
        status=refusal.status if refusal else 200,
        title=speech(request)("New webhook"),
        crumbs=await crumbs_to(session, tenant.path, _place(request, tenant)),
        tenant=tenant,
        choices=event_choices(zone_and_locale(request.user)[1]),
        fields=fields,
        chosen=fields.all("events"),
        errors=errors_of(refusal),
    )


async def _told(request: Asked, session: AsyncSession, webhook: Webhook, secret: str) -> Template:
    crumbs = await _crumbs(request, session, webhook)
    return page(request, "webhooks/secret.html", title=webhook.label, crumbs=crumbs, webhook=webhook, secret=secret)


@get("/webhooks/{webhook_id:int}", may=MANAGE, outlives=False, include_in_schema=False)
async def show_webhook(request: Asked, session: Session, webhook_id: Id) -> Response[Any]:
    """What it is told, and what became of each telling."""
    return await _show(request, session, await find_webhook(session, webhook_id))


async def _show(
    request: Asked,
    session: AsyncSession,
    webhook: Webhook,
    fields: Fields = UNTOUCHED,
    refusal: Refusal | None = None,
) -> Response[Any]:
    cursor = words_in(request.query_params, "cursor") or None
    wanted = sa.select(WebhookDelivery).where(WebhookDelivery.webhook_id == webhook.id)
    found = await page_of(session, wanted, {"id": WebhookDelivery.id}, sort="-id", cursor=cursor)
    actor, typed, _ = acting(request), "url" in fields.values, speech(request)
    return page(
        request,
        "webhooks/show.html",
        status=refusal.status if refusal else 200,
        title=webhook.label,
        crumbs=await _crumbs(request, session, webhook),
        webhook=webhook,
        in_use=webhook.discarded_at is None,
        fresh=request.user.sign_in is not None and request.user.sign_in.fresh(request.user.now),
        choices=event_choices(zone_and_locale(request.user)[1]),
        chosen=fields.all("events") if typed else webhook.events,
        deliveries=[(each, failure_words(each.error, _) if each.error else None) for each in found.items],
        next=found.next,
        cursor=cursor,
        past=await past_of(request, session, "webhooks", webhook.id) if actor.may(Permission.READ_HISTORY) else None,
        fields=fields,
        typed=typed,
        errors=errors_of(refusal),
    )


@post(
    "/webhooks/{webhook_id:int}",
    may=MANAGE,
    outlives=True,
    proof=True,
    proof_at="/webhooks/{webhook_id}",
    include_in_schema=False,
)
async def change_webhook(request: Asked, session: Session, webhook_id: Id) -> Response[Any]:
    """Another address, or other events."""
    webhook, fields = await find_webhook(session, webhook_id), await read_fields(request)
    try:
        await webhook.change(session, url=_address(request, fields), events=fields.all("events"))
    except Invalid as refusal:
        return await _show(request, session, webhook, fields, refusal)
    return see_other(request, f"/webhooks/{webhook.id}", say=speech(request)("Saved."))


@get("/webhooks/{webhook_id:int}/secret", may=MANAGE, outlives=True, proof=True, include_in_schema=False)
async def ask_webhook_secret(request: Asked, session: Session, webhook_id: Id) -> Template:
    """The question before a new secret."""
    webhook = await find_webhook(session, webhook_id)
    hours = int(OVERLAP.total_seconds() // 3600)
    return page(request, "webhooks/rotate.html", title=webhook.label, webhook=webhook, hours=hours)


@post(
    "/webhooks/{webhook_id:int}/secret",
    may=MANAGE,
    outlives=True,
    proof=True,
    proof_at="/webhooks/{webhook_id}/secret",
    include_in_schema=False,
)
async def rotate_webhook(request: Asked, session: Session, webhook_id: Id) -> Template:
    """A new secret, on the page that answers and nowhere after."""
    webhook = await find_webhook(session, webhook_id)
    secret = await webhook.rotate(session, house_of(request).settings.secret_key, request.user.now)
    return await _told(request, session, webhook, secret)


@post("/webhooks/{webhook_id:int}/test", may=MANAGE, outlives=True, include_in_schema=False)
async def test_webhook(request: Asked, session: Session, webhook_id: Id) -> Redirect:
    """Send it an event that says nothing but that this works."""
    webhook = await find_webhook(session, webhook_id)
    await webhook.test(session, request.user.now)
    say = speech(request)("A test event is on its way. Load this page again to see what became of it.")
    return see_other(request, f"/webhooks/{webhook.id}", say=say)


@post("/webhooks/{webhook_id:int}/disable", may=MANAGE, outlives=True, include_in_schema=False)
async def disable_webhook(request: Asked, session: Session, webhook_id: Id) -> Redirect:
    """Tell it nothing more. It protects, so nobody has to prove anything first."""
    webhook = await find_webhook(session, webhook_id)
    await webhook.disable(session, request.user.now)
    return see_other(request, f"/webhooks/{webhook.id}", say=speech(request)("Disabled."))


@post(
    "/webhooks/{webhook_id:int}/enable",
    may=MANAGE,
    outlives=True,
    proof=True,
    proof_at="/webhooks/{webhook_id}",
    include_in_schema=False,
)
async def enable_webhook(request: Asked, session: Session, webhook_id: Id) -> Redirect:
    """Tell it again, of what happens from now on."""
    webhook = await find_webhook(session, webhook_id)
    await webhook.enable(session, request.user.now)
    return see_other(request, f"/webhooks/{webhook.id}", say=speech(request)("Enabled."))


@get("/webhooks/{webhook_id:int}/discard", may=MANAGE, outlives=True, include_in_schema=False)
async def ask_discard_webhook(request: Asked, session: Session, webhook_id: Id) -> Template:
    """The question before it."""
    webhook = await find_webhook(session, webhook_id)
    return page(request, "webhooks/discard.html", title=webhook.label, webhook=webhook)


@post("/webhooks/{webhook_id:int}/discard", may=MANAGE, outlives=True, include_in_schema=False)
async def discard_webhook(request: Asked, session: Session, webhook_id: Id) -> Redirect:
    """End it for good."""
    webhook = await find_webhook(session, webhook_id)
    await webhook.discard(session, request.user.now)
    say = speech(request)("%(name)s was discarded.") % {"name": webhook.label}
    return see_other(request, f"/companies/{webhook.tenant_id}/webhooks", say=say)


@post(
    "/webhooks/{webhook_id:int}/deliveries/{delivery_id:int}/replay",
    may=MANAGE,
    outlives=True,
    include_in_schema=False,
)
async def replay_delivery(request: Asked, session: Session, webhook_id: Id, delivery_id: Id) -> Redirect:
    """Send one again."""
    webhook = await find_webhook(session, webhook_id)
    await webhook.replay(session, await find_delivery(session, webhook.id, delivery_id), request.user.now)
    return see_other(request, f"/webhooks/{webhook.id}", say=speech(request)("It is sent again."))


@post("/webhooks/{webhook_id:int}/replay", may=MANAGE, outlives=True, include_in_schema=False)
async def replay_since(request: Asked, session: Session, webhook_id: Id) -> Response[Any]:
    """Send again what failed of everything since the beginning of a day, or all of it."""
    webhook, fields, _ = await find_webhook(session, webhook_id), await read_fields(request), speech(request)
    try:
        since = _since(request, fields)
        failed = fields.text("all") != "1"
        count = await webhook.replay_since(session, since, request.user.now, failed=failed)
    except Invalid as refusal:
        return await _show(request, session, webhook, fields, refusal)
    return see_other(request, f"/webhooks/{webhook.id}", say=_("Sent again: %(count)s.") % {"count": count})


def _since(request: Asked, fields: Fields) -> datetime:
    """The beginning of the day that was chosen, on the reader's calendar. Raises Invalid."""
    try:
        chosen = date.fromisoformat(fields.text("since"))
        return datetime.combine(max(chosen, EARLIEST), time(), zone_of(zone_and_locale(request.user)[0]))
    except ValueError:
        raise Invalid("Choose a day.", field="since") from None


def _address(request: Asked, fields: Fields) -> str:
    url = fields.text("url").strip()
    require_sendable(house_of(request).settings, url, "url")
    return url


def _place(request: Asked, tenant: Tenant) -> tuple[str, str]:
    return f"/companies/{tenant.id}/webhooks", speech(request)("Webhooks")


async def _crumbs(request: Asked, session: AsyncSession, webhook: Webhook) -> list[dict[str, Any]]:
    tenant = await find_tenant(session, webhook.tenant_id)
    here = (f"/webhooks/{webhook.id}", webhook.label)
    return await crumbs_to(session, tenant.path, _place(request, tenant), here)


ROUTES = [
    list_webhooks,
    new_webhook,
    make_webhook,
    show_webhook,
    change_webhook,
    ask_webhook_secret,
    rotate_webhook,
    test_webhook,
    disable_webhook,
    enable_webhook,
    ask_discard_webhook,
    discard_webhook,
    replay_delivery,
    replay_since,
]
