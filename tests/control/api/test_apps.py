"""Apps through the API: registered with a secret that is shown once."""

from datetime import timedelta
from typing import Any

import pytest
from joserfc.jwk import ECKey

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


async def test_a_new_secret_leaves_the_old_one_some_time(api: Api) -> None:
    olaf = await api.as_("Olaf")
    made = (await olaf.post("/apps", PHONE)).json()
    path = f"/apps/{made['id']}"
    assert (made["proof"], made["old_secret_until"], made["scopes"]) == ("secret", None, ["openid", "profile", "email"])
    rotated = (await olaf.post(f"{path}/secret", {"old_secret_seconds": 3600})).json()
    assert rotated["old_secret_until"] == (api.clock.now + timedelta(hours=1)).isoformat().replace("+00:00", "Z")
    assert (await olaf.post(f"{path}/secret", {"old_secret_seconds": 604_801})).status_code == 422
    assert (await olaf.delete(f"{path}/old-secret")).status_code == 204
    assert (await olaf.get(path)).json()["old_secret_until"] is None
    assert (await olaf.delete(f"{path}/old-secret")).json()["rule"] == "no_old_secret"


async def test_the_description_says_which_body_may_be_left_out(api: Api) -> None:
    paths = api.app.openapi_schema.to_schema()["paths"]
    bodies = [paths[f"/api/v1/apps/{{app_id}}/{name}"][verb] for name, verb in (("secret", "post"), ("keys", "put"))]
    assert [each["requestBody"]["required"] for each in bodies] == [False, True]


async def test_keys_take_the_place_of_a_secret(api: Api) -> None:
    olaf, key = await api.as_("Olaf"), ECKey.generate_key("P-256", {"kid": "one"})
    keys = {"keys": [key.as_dict(private=False)]}
    made = (await olaf.post("/apps", {**PHONE, "jwks": keys, "dpop": True, "scopes": ["openid"]})).json()
    assert ("client_secret" in made, made["proof"], made["jwks"]) == (False, "keys", keys)
    assert (made["dpop"], made["scopes"]) == (True, ["openid"])
    other = (await olaf.post("/apps", PHONE)).json()
    said = await olaf.send("PUT", f"/apps/{other['id']}/keys", {"jwks": keys, "old_secret_seconds": 60})
    assert (said.json()["proof"], said.json()["old_secret_until"] is None) == ("keys", False)
    whole = {"keys": [key.as_dict(private=True)]}
    refused = await olaf.send("PUT", f"/apps/{other['id']}/keys", {"jwks": whole})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "jwks")
    back = await olaf.post(f"/apps/{other['id']}/secret")
    assert (back.json()["proof"], back.json()["jwks"]) == ("secret", None)
    assert (await olaf.post("/apps", {**PHONE, "type": "spa", "jwks": keys})).status_code == 422


async def test_a_key_says_once_where_an_app_is_told_of_security_events(api: Api) -> None:
    olaf = await api.as_("Olaf")
    path = f"/apps/{(await olaf.post('/apps', PHONE)).json()['id']}"
    here = {"signals_uri": "https://phone.oak.example/events", "signals_token": "their-token"}
    said = await olaf.send("PUT", f"{path}/signals", here)
    assert (said.json()["signals_uri"], "their-token" in said.text) == (here["signals_uri"], False)
    assert (await olaf.send("PUT", f"{path}/signals", {**here, "signals_token": "another"})).status_code == 200
    for other in ("https://elsewhere.example/events", None):
        refused = await olaf.send("PUT", f"{path}/signals", {"signals_uri": other})
        assert (refused.status_code, refused.json()["rule"]) == (403, "proof")
    inside = (await olaf.post("/apps", PHONE)).json()["id"]
    refused = await olaf.send("PUT", f"/apps/{inside}/signals", {"signals_uri": "https://10.0.0.7/events"})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "signals_uri")


async def test_what_an_app_may_ask_and_for_whom_it_is_changes_by_key(api: Api) -> None:
    olaf = await api.as_("Olaf")
    path = f"/apps/{(await olaf.post('/apps', PHONE)).json()['id']}"
    said = {"scopes": ["profile"], "dpop": True, "id_token_alg": "RS256", "needs_extension": True}
    changed = (await olaf.patch(path, said)).json()
    assert {name: changed[name] for name in said} == said | {"scopes": ["openid", "profile"]}
    for wrong in ({"scopes": ["panel"]}, {"id_token_alg": "none"}, {"admin_only": True}):
        assert (await olaf.patch(path, wrong)).status_code == 422, wrong


async def test_resolving_says_what_the_app_would_be_told(api: Api) -> None:
    pia, dan = await api.as_("Pia"), api.cast.user("Dan").id
    said = (await pia.get(f"/resolve?user={dan}&app=softphone")).json()["claims"]
    assert (said["name"], said["extension"], said["aud"]) == ("Dan Dale", "101", "softphone")
    assert (await pia.get(f"/resolve?user={api.cast.user('Bea').id}&app=softphone")).status_code == 404
