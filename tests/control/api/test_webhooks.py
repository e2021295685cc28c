"""Webhooks through the API: a secret once, addresses of the public internet alone, neighbours nowhere."""

from typing import Any

import pytest

from tests.control.api.conftest import Api

HOOK: dict[str, Any] = {
    "url": "https://hooks.oak.example/understudy",
    "events": ["binding.made", "impersonation.started"],
}


async def test_olaf_makes_a_webhook_and_sees_its_secret_once(api: Api) -> None:
    olaf = await api.as_("Olaf")
    made = await olaf.post("/webhooks", HOOK, once="one")
    assert (made.status_code, made.json()["tenant"]["name"]) == (201, "Oak")
    assert made.json()["events"] == ["impersonation.started", "binding.made"]
    assert made.json()["secret"].startswith("whsec_")
    again = await olaf.post("/webhooks", HOOK, once="one")
    assert again.json()["id"] == made.json()["id"]
    shown = await olaf.get(f"/webhooks/{made.json()['id']}")
    listed = await olaf.get("/webhooks")
    for answer in (again, shown, listed):
        assert made.json()["secret"] not in answer.text


async def test_a_new_secret_is_another_one(api: Api) -> None:
    olaf = await api.as_("Olaf")
    made = (await olaf.post("/webhooks", HOOK)).json()
    rotated = await olaf.post(f"/webhooks/{made['id']}/secret")
    assert rotated.status_code == 201
    assert rotated.json()["secret"] != made["secret"]


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.oak.example/",
        "https://10.0.0.7/",
        "https://169.254.169.254/latest",
        "https://[fd00::1]/",
        "https://user@hooks.oak.example/",
        "ftp://hooks.oak.example/",
        "",
    ],
)
async def test_an_address_that_nothing_is_sent_to_is_refused(api: Api, url: str) -> None:
    olaf = await api.as_("Olaf")
    refused = await olaf.post("/webhooks", {**HOOK, "url": url})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "url")
    made = (await olaf.post("/webhooks", HOOK)).json()
    assert (await olaf.patch(f"/webhooks/{made['id']}", {"url": url})).status_code == 422


@pytest.mark.parametrize("events", [[], ["user.password_changed"], ["binding.made", "everything"]])
async def test_events_that_are_not_of_the_list_are_refused(api: Api, events: list[str]) -> None:
    refused = await (await api.as_("Olaf")).post("/webhooks", {**HOOK, "events": events})
    assert refused.status_code == 422


@pytest.mark.parametrize("name", ["Opal", "Amos", "Bruno", "Bea"])
async def test_only_admins_have_webhooks(api: Api, name: str) -> None:
    who = await api.as_(name)
    assert (await who.post("/webhooks", HOOK)).status_code == 403
    assert (await who.get("/webhooks")).status_code == 403


async def test_pia_knows_nothing_of_oaks_webhook(api: Api) -> None:
    made = (await (await api.as_("Olaf")).post("/webhooks", HOOK)).json()
    pia = await api.as_("Pia")
    assert (await pia.get("/webhooks")).json()["items"] == []
    for path in ("", "/deliveries"):
        assert (await pia.get(f"/webhooks/{made['id']}{path}")).status_code == 404
    for path in ("secret", "test", "disable", "enable", "discard"):
        assert (await pia.post(f"/webhooks/{made['id']}/{path}")).status_code == 404
    bakery = {"tenant": api.cast.tenant("Bakery").id}
    assert (await pia.post("/webhooks", {**HOOK, **bakery})).status_code == 404


async def test_a_test_event_is_listed_and_can_be_sent_again_when_it_is_over(api: Api) -> None:
    olaf = await api.as_("Olaf")
    made = (await olaf.post("/webhooks", HOOK)).json()
    base = f"/webhooks/{made['id']}"
    sent = await olaf.post(f"{base}/test")
    assert (sent.status_code, sent.json()["event"], sent.json()["state"]) == (201, "webhook.test", "waiting")
    replay = f"{base}/deliveries/{sent.json()['id']}/replay"
    assert (await olaf.post(replay)).json()["rule"] == "waiting"
    assert (await olaf.post(f"{base}/disable")).json()["disabled_at"] is not None
    assert (await olaf.post(f"{base}/test")).json()["rule"] == "disabled"
    [listed] = (await olaf.get(f"{base}/deliveries")).json()["items"]
    assert (listed["state"], listed["error"]) == ("failed", "disabled")
    assert (await olaf.post(replay)).json()["rule"] == "disabled"
    assert (await olaf.post(f"{base}/enable")).json()["disabled_at"] is None
    assert (await olaf.post(replay)).json()["state"] == "waiting"
    since = {"since": "2026-01-01T00:00:00Z"}
    assert (await olaf.post(f"{base}/replay", since)).json() == {"count": 0}
    assert (await olaf.post(f"{base}/replay", {**since, "failed_only": False})).json() == {"count": 0}


async def test_a_delivery_of_another_webhook_is_not_there(api: Api) -> None:
    olaf = await api.as_("Olaf")
    one, other = [(await olaf.post("/webhooks", HOOK)).json()["id"] for _ in range(2)]
    sent = (await olaf.post(f"/webhooks/{one}/test")).json()["id"]
    assert (await olaf.post(f"/webhooks/{other}/deliveries/{sent}/replay")).status_code == 404


async def test_a_discarded_one_is_listed_apart_and_over(api: Api) -> None:
    olaf = await api.as_("Olaf")
    made = (await olaf.post("/webhooks", HOOK)).json()
    assert (await olaf.post(f"/webhooks/{made['id']}/discard")).json()["discarded_at"] is not None
    assert (await olaf.get("/webhooks")).json()["items"] == []
    [found] = (await olaf.get("/webhooks?discarded=true")).json()["items"]
    assert found["id"] == made["id"]
    assert (await olaf.patch(f"/webhooks/{made['id']}", {"events": ["binding.made"]})).status_code == 409
