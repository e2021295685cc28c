"""Apps through the API: registered with a secret that is shown once."""

from typing import Any

import pytest

from tests.control.api.conftest import Api

PHONE: dict[str, Any] = {"name": "Oak Phone", "redirect_uris": ["https://phone.oak.example/callback"]}


async def test_olaf_registers_a_web_app_and_sees_its_secret_once(api: Api) -> None:
    olaf = await api.as_("Olaf")
    made = await olaf.post("/apps", {**PHONE, "client_id": "oak-phone", "product": "Softphone"})
    assert (made.status_code, made.json()["client_id"]) == (201, "oak-phone")
    assert made.json()["client_secret"]
    assert "client_secret" not in (await olaf.get(f"/apps/{made.json()['id']}")).json()


@pytest.mark.parametrize("kind", ["spa", "native"])
async def test_a_public_client_has_no_secret(api: Api, kind: str) -> None:
    olaf = await api.as_("Olaf")
    made = (await olaf.post("/apps", {**PHONE, "type": kind})).json()
    assert "client_secret" not in made
    assert (await olaf.post(f"/apps/{made['id']}/secret")).json()["rule"] == "public_client"


async def test_a_new_secret_replaces_the_old(api: Api) -> None:
    olaf = await api.as_("Olaf")
    made = (await olaf.post("/apps", PHONE)).json()
    rotated = await olaf.post(f"/apps/{made['id']}/secret")
    assert rotated.status_code == 201
    assert rotated.json()["client_secret"] != made["client_secret"]


@pytest.mark.parametrize(
    "uri", ["http://phone.oak.example/", "javascript:alert(1)", "https://a@b.example/", "https://b.example/#x", ""]
)
async def test_an_address_that_cannot_be_used_is_refused(api: Api, uri: str) -> None:
    refused = await (await api.as_("Olaf")).post("/apps", {**PHONE, "redirect_uris": [uri]})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "redirect_uris")


async def test_first_party_is_no_field_of_the_api(api: Api) -> None:
    refused = await (await api.as_("Olaf")).post("/apps", {**PHONE, "first_party": True})
    assert refused.status_code == 422


async def test_olaf_uses_acmes_softphone_and_changes_nothing_of_it(api: Api) -> None:
    olaf, softphone = await api.as_("Olaf"), api.cast.app_id("softphone")
    assert (await olaf.get(f"/apps/{softphone}")).json()["tenant"] is None
    for refused in (
        await olaf.patch(f"/apps/{softphone}", {"name": "Mine"}),
        await olaf.post(f"/apps/{softphone}/secret"),
        await olaf.post(f"/apps/{softphone}/discard"),
    ):
        assert (refused.status_code, refused.json()["rule"]) == (403, "permission")


async def test_elsa_knows_nothing_of_olafs_app(api: Api) -> None:
    made = (await (await api.as_("Olaf")).post("/apps", {**PHONE, "client_id": "oak-phone"})).json()
    elsa = await api.as_("Elsa")
    assert (await elsa.get(f"/apps/{made['id']}")).status_code == 404
    taken = await elsa.post("/apps", {**PHONE, "client_id": "oak-phone"})
    assert (taken.status_code, "Oak" in taken.text) == (409, False)


async def test_a_key_renames_an_app_and_leaves_its_addresses(api: Api) -> None:
    olaf = await api.as_("Olaf")
    made = (await olaf.post("/apps", PHONE)).json()
    renamed = await olaf.patch(f"/apps/{made['id']}", {"name": "Oak Softphone", "product": "Softphone"})
    assert (renamed.json()["name"], renamed.json()["product"]["name"]) == ("Oak Softphone", "Softphone")
    moved = await olaf.patch(f"/apps/{made['id']}", {"redirect_uris": ["https://elsewhere.example/"]})
    assert (moved.status_code, moved.json()["rule"]) == (403, "proof")


async def test_an_app_says_where_it_is_opened_and_told_of_logouts(api: Api) -> None:
    olaf = await api.as_("Olaf")
    addresses = {
        "handoff_uri": "https://phone.oak.example/handoff",
        "backchannel_logout_uri": "https://phone.oak.example/logged-out",
    }
    made = (await olaf.post("/apps", {**PHONE, **addresses})).json()
    assert {name: made[name] for name in addresses} == addresses
    for name in addresses:
        moved = await olaf.patch(f"/apps/{made['id']}", {name: None})
        assert (moved.status_code, moved.json()["rule"]) == (403, "proof")
    same = await olaf.patch(f"/apps/{made['id']}", addresses)
    assert same.status_code == 200


@pytest.mark.parametrize(
    ("name", "uri"),
    [
        ("handoff_uri", "https://elsewhere.example/handoff"),
        ("backchannel_logout_uri", "https://10.0.0.7/logged-out"),
        ("backchannel_logout_uri", "https://169.254.169.254/latest"),
        ("backchannel_logout_uri", "http://phone.oak.example/"),
        ("backchannel_logout_uri", "com.oak.phone:/logout"),
    ],
)
async def test_an_address_that_is_not_its_own_or_nobodys_is_refused(api: Api, name: str, uri: str) -> None:
    refused = await (await api.as_("Olaf")).post("/apps", {**PHONE, name: uri})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, name)


async def test_a_discarded_app_is_nobodys_fallback(api: Api) -> None:
    olaf = await api.as_("Olaf")
    made = (await olaf.post("/apps", {**PHONE, "client_id": "oak-phone"})).json()
    assert (await olaf.post(f"/apps/{made['id']}/discard")).json()["discarded_at"] is not None
    other = await olaf.post("/apps", {**PHONE, "fallback": "oak-phone"})
    assert other.status_code == 404
