"""New users and their ways in, through the API."""

import pytest

from tests.control.api.conftest import Api

pytestmark = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


async def test_one_letter_for_two_companies_and_an_extension(api: Api) -> None:
    olaf, bakery, clinic = await api.as_("Olaf"), api.cast.tenant("Bakery").id, api.cast.tenant("Clinic").id
    line = api.cast.extension("Bakery", "203").id
    places = [{"tenant": bakery, "extension": line}, {"tenant": clinic, "role": "admin"}]
    made = (await olaf.post("/users", {"email": "nick@new.example", "name": "Nick", "memberships": places})).json()
    assert (made["tenant"]["name"], made["extension"]["id"], made["sent_at"] is not None) == ("Bakery", line, True)
    [other] = made["together"]
    shown = (await olaf.get(f"/invitations/{other}")).json()
    assert (shown["tenant"]["name"], shown["role"], shown["together"]) == ("Clinic", "admin", [made["id"]])
    boris = (await (await api.as_("Boris")).get(f"/invitations/{made['id']}")).json()
    assert boris["together"] == [], "Clinic's is out of his reach"


@pytest.mark.parametrize("body", [{}, {"tenant": 1, "memberships": [{"tenant": 1}]}])
async def test_either_a_tenant_or_memberships(api: Api, body: dict[str, object]) -> None:
    answer = await (await api.as_("Ada")).post("/users", {"email": "nick@new.example", "name": "Nick", **body})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "tenant")


async def test_an_extension_that_somebody_has_or_of_another_company_is_refused(api: Api) -> None:
    olaf, bakery = await api.as_("Olaf"), api.cast.tenant("Bakery").id
    for number, tenant, status in (("201", "Bakery", 422), ("301", "Clinic", 422), ("201", "Zoo", 404)):
        body = {
            "email": "n@new.example",
            "name": "N",
            "tenant": bakery,
            "extension": api.cast.extension(tenant, number).id,
        }
        assert (await olaf.post("/users", body)).status_code == status


async def test_an_invitation_is_sent_again_and_taken_back(api: Api) -> None:
    boris = await api.as_("Boris")
    body = {"email": "nick@new.example", "name": "Nick", "tenant": api.cast.tenant("Bakery").id}
    made = (await boris.post("/users", body)).json()
    api.clock.pass_(days=1)
    again = (await boris.post(f"/invitations/{made['id']}/resend")).json()
    assert again["expires_at"] > made["expires_at"]
    assert (await boris.post(f"/invitations/{made['id']}/revoke")).json()["revoked_at"] is not None
    assert (await boris.post(f"/invitations/{made['id']}/resend")).status_code == 409
    assert (await (await api.as_("Elsa")).post(f"/invitations/{made['id']}/resend")).status_code == 404


async def test_no_answer_holds_a_link(api: Api) -> None:
    boris = await api.as_("Boris")
    body = {"email": "nick@new.example", "name": "Nick", "tenant": api.cast.tenant("Bakery").id}
    made = await boris.post("/users", body)
    dan = api.cast.user("Bea").id
    answers = [
        made,
        await boris.post(f"/users/{dan}/password-reset"),
        await boris.post(f"/users/{dan}/email", {"email": "b@n.example"}),
    ]
    for answer in answers:
        assert answer.is_success
        assert not any(word in answer.text for word in ("/join/", "/reset/", "/email/", "token"))


async def test_an_address_is_asked_for_and_the_wish_taken_back(api: Api) -> None:
    pia, dan = await api.as_("Pia"), api.cast.user("Dan").id
    asked = await pia.post(f"/users/{dan}/email", {"email": "Dan@New.example"})
    assert (asked.status_code, asked.json()["email"], asked.json()["takes_effect_at"]) == (201, "dan@new.example", None)
    assert (await pia.delete(f"/users/{dan}/email")).status_code == 204
    assert (await pia.delete(f"/users/{dan}/email")).status_code == 409
    assert (await pia.post(f"/users/{api.cast.user('Pia').id}/email", {"email": "p@new.example"})).status_code == 403
    clara = await api.as_("Clara")
    refused = await clara.post(f"/users/{api.cast.user('Ben').id}/email", {"email": "ben@new.example"})
    assert (refused.status_code, refused.json()["rule"]) == (403, "rank")


async def test_b17_a_reset_letter_is_for_who_is_below(api: Api) -> None:
    olaf = await api.as_("Olaf")
    assert (await olaf.post(f"/users/{api.cast.user('Bea').id}/password-reset")).status_code == 200
    assert (await olaf.post(f"/users/{api.cast.user('Olaf').id}/password-reset")).status_code == 403
    assert (await olaf.post(f"/users/{api.cast.user('Nora').id}/password-reset")).status_code == 404
    statuses = [(await olaf.post(f"/users/{api.cast.user('Bea').id}/password-reset")).status_code for _ in range(5)]
    assert statuses == [200] * 4 + [429]
