"""Seats and inbound numbers through the API."""

import pytest

from tests.control.api.conftest import Api


@pytest.fixture(params=["sqlite"])
def backend(request: pytest.FixtureRequest) -> str:
    """One database does here."""
    return str(request.param)


def desk(answer: dict[str, list[dict[str, object]]]) -> dict[str, object]:
    """The line of the product Desk."""
    return next(each for each in answer["items"] if each["product"]["name"] == "Desk")  # type: ignore[index]


async def test_seats_are_told_as_far_as_the_reader_reaches(api: Api) -> None:
    oak, bakery = api.cast.tenant("Oak"), api.cast.tenant("Bakery")
    nora, olaf, boris = await api.as_("Nora"), await api.as_("Olaf"), await api.as_("Boris")
    await nora.send("PUT", f"/tenants/{oak.id}/seats", {"product": "desk", "seats": 4})
    set_ = await olaf.send("PUT", f"/tenants/{bakery.id}/seats", {"product": "Desk", "seats": 4})
    assert (set_.status_code, set_.json()["limit"]) == (200, 4)
    seen = desk((await olaf.get(f"/tenants/{bakery.id}/seats")).json())
    assert (seen["used_here"], seen["used"], seen["left"]) == (2, 2, 1)
    assert (seen["limited_by"], seen["limited_above"]) == ({"id": oak.id, "name": "Oak"}, False)
    seen = desk((await boris.get(f"/tenants/{bakery.id}/seats")).json())
    assert (seen["limited_by"], seen["left"]) == ({"id": bakery.id, "name": "Bakery"}, 2)
    assert seen["limited_above"] is True


async def test_the_last_seat_is_refused_with_its_rule(api: Api) -> None:
    nora, boris = await api.as_("Nora"), await api.as_("Boris")
    await nora.send("PUT", f"/tenants/{api.cast.tenant('Oak').id}/seats", {"product": "Desk", "seats": 3})
    refused = await boris.post("/licences", {"extension": api.cast.extension("Bakery", "203").id, "product": "Desk"})
    assert (refused.status_code, refused.json()["rule"]) == (409, "seats")
    assert "Oak" not in refused.text


async def test_boris_cannot_raise_his_own_limit(api: Api) -> None:
    boris, path = await api.as_("Boris"), f"/tenants/{api.cast.tenant('Bakery').id}/seats"
    assert (await boris.send("PUT", path, {"product": "Desk", "seats": 3})).status_code == 200
    for wider in (4, None):
        refused = await boris.send("PUT", path, {"product": "Desk", "seats": wider})
        assert (refused.status_code, refused.json()["rule"]) == (403, "level")
    assert (await boris.send("PUT", path, {"product": "Desk", "seats": -1})).status_code == 422
    assert (await boris.send("PUT", path, {"product": "Fax", "seats": 1})).status_code == 422


async def test_boris_adds_routes_discards_and_brings_back_a_number(api: Api) -> None:
    boris, bakery = await api.as_("Boris"), api.cast.tenant("Bakery").id
    made = await boris.post(
        "/numbers", {"tenant": bakery, "number": "020 7946 0123", "region": "gb", "note": "Reception"}
    )
    assert (made.status_code, made.json()["number"], made.json()["shown"]) == (201, "+442079460123", "+44 20 7946 0123")
    path = f"/numbers/{made.json()['id']}"
    routed = await boris.patch(path, {"extension": api.cast.extension("Bakery", "201").id})
    assert (routed.json()["extension"]["number"], routed.json()["note"]) == ("201", "Reception")
    foreign = await boris.patch(path, {"extension": api.cast.extension("Zoo", "201").id})
    assert foreign.status_code == 404
    for q in ("020%207946%200123", "%2B44%20(20)%207946%20012", "reception", "7946-0123"):
        assert len((await boris.get(f"/numbers?q={q}")).json()["items"]) == 1, q
    assert (await boris.get("/numbers?q=999")).json()["items"] == []
    assert (await boris.post(f"{path}/discard")).json()["discarded_at"] is not None
    assert (await boris.get("/numbers?q=0123")).json()["items"] == []
    assert len((await boris.get("/numbers?discarded=true")).json()["items"]) == 1
    assert (await boris.post(f"{path}/undiscard")).json()["discarded_at"] is None


async def test_a_number_twice_is_refused_here_and_no_hint_is_given_there(api: Api) -> None:
    boris, clara = await api.as_("Boris"), await api.as_("Clara")
    bakery, clinic = api.cast.tenant("Bakery").id, api.cast.tenant("Clinic").id
    first = await boris.post("/numbers", {"tenant": bakery, "number": "+442079460123"})
    there = await clara.post("/numbers", {"tenant": clinic, "number": "+442079460123"})
    assert (first.status_code, there.status_code) == (201, 201)
    assert first.json().keys() == there.json().keys()
    again = await boris.post("/numbers", {"tenant": bakery, "number": "+442079460123"})
    assert (again.status_code, again.json()["errors"][0]["field"]) == (422, "number")
    assert (await (await api.as_("Elsa")).get(f"/numbers/{first.json()['id']}")).status_code == 404


async def test_bakerys_phone_system_is_discarded_with_its_extensions_or_not_at_all(api: Api) -> None:
    boris, path = await api.as_("Boris"), f"/phone-systems/{api.cast.phone_system_id('Bakery')}/discard"
    refused = await boris.post(path, {})
    assert (refused.status_code, refused.json()["rule"]) == (409, "in_use")
    assert (await boris.post(path, {"with_extensions": True})).json()["discarded_at"] is not None
    assert (await boris.get("/extensions")).json()["items"] == []
    assert (await boris.get("/licences")).json()["items"] == []
