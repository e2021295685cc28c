"""The list of users through the API: the filters and columns of the page, in the key's reach."""

import pytest

from tenants.people import User
from tests.cast import bind, house_work
from tests.control.api.conftest import Api

pytestmark = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


async def names(api: Api, name: str, query: str) -> list[str]:
    answer = await (await api.as_(name)).get(f"/users?{query}")
    assert answer.status_code == 200, answer.text
    return [user["name"] for user in answer.json()["items"]]


async def test_the_filters_are_those_of_the_page(api: Api) -> None:
    await bind(api.store, api.cast, "Pia", "Dairy", "101", api.clock.now)
    async with house_work(api.store) as session:
        dan = await session.get_one(User, api.cast.user("Dan").id)
        await dan.change(session, second_factor=True)
    dairy, pine = api.cast.tenant("Dairy").id, api.cast.tenant("Pine").id
    await (await api.as_("Pia")).post(f"/users/{api.cast.user('Pete').id}/discard")
    assert await names(api, "Pia", "state=discarded") == await names(api, "Pia", "discarded=true") == ["Pete Pratt"]
    assert await names(api, "Pia", f"company={pine}&state=all&role=member") == ["Dan Dale", "Dina Dove", "Pete Pratt"]
    assert await names(api, "Pia", f"tenant={pine}") == ["Paul Penn", "Pia Pine"]
    assert await names(api, "Pia", f"company={dairy}&factor=true") == ["Dan Dale"]
    assert await names(api, "Pia", "bound=true") == ["Pia Pine"]
    assert await names(api, "Pia", "bound=false&role=operator") == ["Paul Penn"]
    assert await names(api, "Pia", "seen=never&factor=false&sort=-last_sign_in_at&role=member") == ["Dina Dove"]
    assert await names(api, "Pia", "seen=not-in-90-days&role=admin") == ["Pia Pine"]


async def test_a_role_at_a_tenant_is_one_membership(api: Api) -> None:
    clinic = api.cast.tenant("Clinic").id
    assert await names(api, "Olaf", f"tenant={clinic}&role=admin") == ["Clara Cole"]
    assert await names(api, "Olaf", f"company={clinic}&role=member") == ["Ben Bond", "Cora Crane"]


async def test_columns_tell_nothing_of_elsewhere(api: Api) -> None:
    ben = api.cast.user("Ben").id
    seen = (await (await api.as_("Boris")).get(f"/users/{ben}")).json()
    assert [team["name"] for team in seen["teams"]] == ["Front"]
    assert [place["tenant"]["name"] for place in seen["memberships"]] == ["Bakery"]
    assert (seen["second_factor"], seen["last_sign_in_at"]) == (False, None)
    assert (await (await api.as_("Clara")).get(f"/users/{ben}")).json()["teams"] == []


@pytest.mark.parametrize("query", ["state=gone", "factor=maybe", "seen=today", "role=king", "company=0"])
async def test_what_is_no_filter_is_refused(api: Api, query: str) -> None:
    assert (await (await api.as_("Pia")).get(f"/users?{query}")).status_code in {400, 422}


async def test_a_company_out_of_reach_is_not_there(api: Api) -> None:
    pia = await api.as_("Pia")
    theirs = await pia.get(f"/users?company={api.cast.tenant('Bakery').id}")
    nobodys = await pia.get("/users?company=999999")
    assert (theirs.status_code, theirs.json()["detail"]) == (nobodys.status_code, nobodys.json()["detail"])
    assert theirs.status_code == 404
