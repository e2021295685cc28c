"""Looser rules over the API: seen and cancelled while they wait, and asked for in the panel alone."""

from control.writing.loosenings import ask_loosening, settle_loosenings
from tenants.tree import Tenant
from tests.cast import house_work, work_as
from tests.control.api.conftest import Api


async def wait_at_bakery(api: Api) -> int:
    """Bakery lets nobody stand in, and Boris asks that somebody may; returns its id."""
    house, actor, number = api.app.state.house, api.cast.actor("Boris"), api.cast.tenant("Bakery").id
    async with house_work(api.store) as session:
        await (await session.get_one(Tenant, number)).change(session, policy_stand_ins=2)
    async with work_as(api.store, actor, api.clock.now) as session:
        tenant = await session.get_one(Tenant, number)
        await ask_loosening(house, session, actor, tenant, {"stand_ins": "consent"}, api.clock.now)
    return number


async def test_what_waits_is_shown_to_who_sees_the_company(api: Api) -> None:
    bakery = await wait_at_bakery(api)
    for name in ("Boris", "Opal", "Amos"):
        shown = (await (await api.as_(name)).get(f"/tenants/{bakery}/loosening")).json()
        assert shown["rules"] == [{"rule": "stand_ins", "before": "never", "after": "consent"}]
        assert shown["asked_by"] == {"id": api.cast.membership_id("Boris"), "name": "Boris Birch"}
        assert shown["takes_effect_at"] == "2026-11-22T09:00:00Z"
    assert (await (await api.as_("Elsa")).get(f"/tenants/{bakery}/loosening")).status_code == 404
    oak = api.cast.tenant("Oak").id
    assert (await (await api.as_("Olaf")).get(f"/tenants/{oak}/loosening")).status_code == 404


async def test_olaf_cancels_it_and_it_never_takes_effect(api: Api) -> None:
    bakery = await wait_at_bakery(api)
    assert (await (await api.as_("Opal")).delete(f"/tenants/{bakery}/loosening")).status_code == 403
    olaf = await api.as_("Olaf")
    assert (await olaf.delete(f"/tenants/{bakery}/loosening")).status_code == 204
    assert (await olaf.delete(f"/tenants/{bakery}/loosening")).json()["rule"] == "loosening"
    await settle_loosenings(api.app.state.house, api.clock.pass_(hours=24))
    shown = (await olaf.get(f"/tenants/{bakery}")).json()
    assert shown["policy"]["stand_ins"] == "never"


async def test_a_key_loosens_nothing_not_even_boriss(api: Api) -> None:
    bakery = await wait_at_bakery(api)
    refused = await (await api.as_("Boris")).patch(f"/tenants/{bakery}", {"policy": {"stand_ins": "allowed"}})
    assert (refused.status_code, refused.json()["rule"]) == (403, "policy")
    assert "own admins" in refused.json()["detail"]
