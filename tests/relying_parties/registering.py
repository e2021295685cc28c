"""How a story registers an app of its own at the panel, as the docs say it is done."""

from datetime import UTC, datetime

from bindings.apps import App
from tenants.store import Store
from tenants.tree import find_tenant
from tests.cast import Cast, work_as


async def register(
    store: Store,
    cast: Cast,
    client_id: str,
    *,
    callback: str,
    after_logout: str,
    backchannel: str | None = None,
    kind: str = "web",
) -> str:
    """By the platform's admin, so that nobody is asked for consent; returns the client secret, if there is one."""
    ada, now = cast.actor("Ada"), datetime.now(UTC)
    async with work_as(store, ada, now) as session:
        _, secret = await App.register(
            session,
            ada,
            await find_tenant(session, cast.tenant("Acme").id),
            name=client_id.capitalize(),
            client_id=client_id,
            redirect_uris=[callback],
            post_logout_redirect_uris=[after_logout],
            backchannel_logout_uri=backchannel,
            kind=kind,
            first_party=True,
            now=now,
        )
    return secret or ""
