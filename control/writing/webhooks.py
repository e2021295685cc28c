"""Letters about webhooks: the panel gave one up, and the company's admins are told."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from bindings.app_use import who_speaks_for
from bindings.webhooks import Webhook
from control.house import House
from control.writing.resets import reader
from tenants.letters import LetterKind
from tenants.tree import find_tenant


async def tell_webhook_disabled(
    house: House, session: AsyncSession, webhook: Webhook, cause: str, now: datetime
) -> None:
    """In the transaction that disabled it. Of a company without an admin, those of the nearest above are told."""
    tenant = await find_tenant(session, webhook.tenant_id)
    for each in await who_speaks_for(session, [tenant]):
        await house.letter(
            session,
            LetterKind.WEBHOOK_DISABLED,
            reader(each.user),
            each.tenant_id,
            now,
            address=webhook.label,
            tenant=tenant.name,
            cause=cause,
            link=house.link(f"/webhooks/{webhook.id}"),
        )
