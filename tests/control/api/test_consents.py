"""Consents by the API: programs read them, take them back, and say digits; giving them is for people in the panel."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from tenants.consents import Consent
from tenants.protections import tighten
from tenants.tree import Tenant
from tests.cast import house_work, work_as
from tests.control.api.conftest import Api

pytestmark = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


async def ask_consent(api: Api) -> None:
    async with house_work(api.store) as session:
        bakery = await session.get_one(Tenant, api.cast.tenant("Bakery").id)
        await tighten(session, bakery, {"stand_ins": "consent"})


async def window(api: Api) -> int:
    """Bea lets Oak in for a day."""
    bea, now = api.cast.actor("Bea"), api.clock.now
    async with work_as(api.store, bea) as session:
        bakery, to = await session.get_one(Tenant, api.cast.tenant("Bakery").id), api.cast.tenant("Oak").id
        mine, until = bea.standing.membership_id, now + timedelta(days=1)
        return (await Consent.grant(session, bea, bakery, mine, to, until, now)).id


async def digits(api: Api) -> str:
    bea = api.cast.actor("Bea")
    async with work_as(api.store, bea) as session:
        return await Consent.offer(session, api.app.state.house.settings.secret_key, bea, api.clock.now)


async def test_bea_and_olaf_read_it_and_elsa_does_not(api: Api) -> None:
    number = await window(api)
    for name, status in (("Bea", 200), ("Olaf", 200), ("Elsa", 404), ("Ben", 404)):
        answer = await (await api.as_(name)).get(f"/consents/{number}")
        assert answer.status_code == status, name
    listed = (await (await api.as_("Olaf")).get("/consents")).json()["items"]
    [row] = listed
    assert (row["membership"]["name"], row["to"]["name"], row["granted_by"]["name"]) == ("Bea Bell", "Oak", "Bea Bell")
    assert row["operator"] is None


async def test_bea_takes_it_back(api: Api) -> None:
    number = await window(api)
    assert (await (await api.as_("Opal")).delete(f"/consents/{number}")).status_code == 403
    assert (await (await api.as_("Bea")).delete(f"/consents/{number}")).status_code == 204
    assert (await (await api.as_("Bea")).delete(f"/consents/{number}")).status_code == 409
    listed = (await (await api.as_("Bea")).get("/consents?discarded=true")).json()["items"]
    assert [row["id"] for row in listed] == [number]


async def test_nobody_gives_one_by_a_key(api: Api) -> None:
    """A key proves nothing: it may lie with those whom the window would let in."""
    answer = await (await api.as_("Bea")).post("/consents", {"to": api.cast.tenant("Oak").id})
    assert answer.status_code == 405


async def test_olafs_program_says_beas_digits(api: Api) -> None:
    await ask_consent(api)
    said = {"membership": api.cast.membership_id("Bea"), "digits": await digits(api)}
    assert (await (await api.as_("Elsa")).post("/consents/digits", said)).status_code == 404
    assert (await (await api.as_("Olaf")).post("/consents/digits", said)).status_code == 204
    wrong = await (await api.as_("Opal")).post("/consents/digits", said)
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "digits")
    async with house_work(api.store) as session:
        row = (await session.scalars(sa.select(Consent))).one()
    assert row.operator_id == api.cast.membership_id("Olaf")


async def test_a_wrong_try_is_kept(api: Api) -> None:
    await ask_consent(api)
    right = await digits(api)
    said = {"membership": api.cast.membership_id("Bea"), "digits": f"{(int(right) + 1) % 10**6:06}"}
    assert (await (await api.as_("Olaf")).post("/consents/digits", said)).status_code == 422
    async with house_work(api.store) as session:
        assert (await session.scalars(sa.select(Consent.tries))).one() == 1
