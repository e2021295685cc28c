"""`active: false` from a company's directory: the next request is refused everywhere, to whoever stands in as well."""

import httpx

from bindings.impersonation import Impersonation
from tenants.api_keys import ApiKey
from tenants.people import find_membership
from tenants.tree import Tenant
from tests.cast import bind, house_work, impersonate, work_as
from tests.control.openid.story import Client, Panel, Tokens, told

PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


async def deactivate(panel: Panel, company: str, name: str) -> httpx.Response:
    """By a key that Ada made for the company."""
    ada = panel.cast.actor("Ada")
    async with work_as(panel.store, ada, panel.clock.now) as session:
        mine = await find_membership(session, panel.cast.membership_id("Ada"))
        tenant = await session.get_one(Tenant, panel.cast.tenant(company).id)
        _, key = await ApiKey.provision(session, mine, tenant, "directory", 1, panel.clock.now)
    body = {"schemas": [PATCH], "Operations": [{"op": "replace", "path": "active", "value": False}]}
    path = f"/scim/v2/Users/{panel.cast.membership_id(name)}"
    return await panel.browser().patch(path, json=body, headers={"Authorization": f"Bearer {key}"})


async def answers(softphone: Client, tokens: Tokens) -> tuple[bool, int, int]:
    """What introspection, userinfo and the token endpoint say."""
    active = (await softphone.introspect(tokens.access))["active"]
    return (
        active,
        (await softphone.userinfo(tokens.access)).status_code,
        (await softphone.renew(tokens.refresh)).status_code,
    )


async def test_dan_is_deactivated_while_pia_is_bound_to_him_and_stands_in(panel: Panel, softphone: Client) -> None:
    await bind(panel.store, panel.cast, "Pia", "Dairy", "101", panel.clock.now)
    bound = await softphone.log_in(await panel.sign_in("Pia"))
    own = await softphone.log_in(await panel.sign_in("Dan"))
    assert bound.claims["sub"] == own.claims["sub"] == str(panel.cast.membership_id("Dan"))
    stand = await impersonate(panel.store, panel.cast, "Pia", "Dan", panel.clock.now)
    answer = await deactivate(panel, "Dairy", "Dan")
    assert (answer.status_code, answer.json()["active"]) == (200, False), answer.text
    for tokens in (own, bound):
        assert await answers(softphone, tokens) == (False, 401, 400)
    async with house_work(panel.store, panel.clock.now) as session:
        standing_in = await session.get_one(Impersonation, stand)
        assert (standing_in.ended_at, standing_in.ended_cause) == (panel.clock.now, "membership_discarded")
    # Her binding is stale: it opens nothing, and she is told why before she is herself
    assert told(await softphone.ask(await panel.sign_in("Pia"), prompt="none"))["error"] == "interaction_required"


async def test_paul_is_deactivated_while_he_stands_in(panel: Panel, softphone: Client) -> None:
    """What he opened as somebody else ends with what he opened as himself; theirs goes on."""
    await bind(panel.store, panel.cast, "Paul", "Pine", "101", panel.clock.now)
    as_pete = await softphone.log_in(await panel.sign_in("Paul"))
    pete = await softphone.log_in(await panel.sign_in("Pete"))
    stand = await impersonate(panel.store, panel.cast, "Paul", "Dina", panel.clock.now)
    assert (await deactivate(panel, "Pine", "Paul")).status_code == 200
    assert await answers(softphone, as_pete) == (False, 401, 400)
    assert await answers(softphone, pete) == (True, 200, 200)
    async with house_work(panel.store, panel.clock.now) as session:
        assert (await session.get_one(Impersonation, stand)).ended_at == panel.clock.now
