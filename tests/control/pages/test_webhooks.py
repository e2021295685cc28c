"""Webhooks on the pages: Boris makes one, tests it, sees what became of it; whoever stands in as him does not."""

import re
from datetime import timedelta

import sqlalchemy as sa

from bindings.webhook_deliveries import WebhookDelivery
from bindings.webhooks import Webhook
from tests.cast import house_work
from tests.control.visits import House, Reader

URL = "https://hooks.bakery.example/understudy"


def place(pages: House, tenant: str = "Bakery") -> str:
    return f"/companies/{pages.cast.tenant(tenant).id}/webhooks"


async def made(pages: House, boris: Reader, **fields: str) -> tuple[int, str]:
    """Boris makes one; its id and its secret."""
    said = {"url": URL, "events": "binding.made"} | fields
    answer = await boris.post(f"{place(pages)}/new", at=f"{place(pages)}/new", status=200, **said)
    [secret] = re.findall(r'id="webhook-secret">(whsec_[^<]+)<', answer.text)
    async with house_work(pages.store) as session:
        number = await session.scalar(sa.select(sa.func.max(Webhook.id)))
    assert number is not None
    return number, str(secret)


async def given_up(pages: House, error: str | None = "status 500") -> None:
    """What waits did not arrive, or without an error has."""
    async with house_work(pages.store) as session:
        over = {"done_at": pages.clock.now, "try_at": None, "status": 500, "error": error, "tries": 9}
        await session.execute(sa.update(WebhookDelivery).values(**over))


async def test_boris_makes_one_and_reads_its_secret_once(pages: House) -> None:
    boris = await pages.visit("Boris")
    assert "No webhooks yet" in await boris.read(place(pages))
    number, secret = await made(pages, boris)
    for path in (place(pages), f"/webhooks/{number}"):
        html = await boris.get(path)
        assert URL in html
        assert secret not in html


async def test_what_is_wrong_stands_beside_the_field_and_what_was_typed_stays(pages: House) -> None:
    boris = await pages.visit("Boris")
    new = f"{place(pages)}/new"
    refused = await boris.post(new, at=new, status=422, url="https://10.0.0.7/", events="binding.made")
    assert "use https:// and a public host" in refused.text
    assert 'value="https://10.0.0.7/"' in refused.text
    assert 'value="binding.made" checked' in refused.text
    none = await boris.post(new, at=new, status=422, url=URL)
    assert "Choose events of this list" in none.text


async def test_boris_tests_it_sees_that_it_failed_and_sends_it_again(pages: House) -> None:
    boris = await pages.visit("Boris")
    number, _ = await made(pages, boris)
    here = f"/webhooks/{number}"
    await boris.post(f"{here}/test", at=here)
    assert "webhook.test" in await boris.read(here)
    await given_up(pages)
    shown = await boris.read(here)
    assert "Given up" in shown
    assert "status 500" in shown
    async with house_work(pages.store) as session:
        delivery = await session.scalar(sa.select(sa.func.max(WebhookDelivery.id)))
    await boris.post(f"{here}/deliveries/{delivery}/replay", at=here)
    assert "Waiting" in await boris.read(here)
    await given_up(pages)
    await boris.post(f"{here}/replay", at=here, status=422, since="never")
    today = pages.clock.now.date().isoformat()
    await boris.post(f"{here}/replay", at=here, since=today)
    assert "Waiting" in await boris.read(here)
    await given_up(pages, error=None)
    await boris.post(f"{here}/replay", at=here, since=today)
    assert "Waiting" not in await boris.read(here)
    await boris.post(f"{here}/replay", at=here, since=today, all="1")
    assert "Waiting" in await boris.read(here)


async def test_boris_changes_disables_enables_and_discards_it(pages: House) -> None:
    boris = await pages.visit("Boris")
    number, secret = await made(pages, boris)
    here = f"/webhooks/{number}"
    await boris.post(here, at=here, url=f"{URL}/2", events="impersonation.started")
    assert f"{URL}/2" in await boris.get(here)
    rotated = await boris.post(f"{here}/secret", at=f"{here}/secret", status=200)
    assert "whsec_" in rotated.text
    assert secret not in rotated.text
    await boris.post(f"{here}/disable", at=here)
    assert "Disabled since" in await boris.read(here)
    await boris.post(f"{here}/enable", at=here)
    await boris.post(f"{here}/discard", at=f"{here}/discard")
    assert "No webhooks yet" in await boris.read(place(pages))
    history = await boris.read(here)
    assert "disabled the webhook hooks.bakery.example" in history


async def test_another_address_asks_for_a_fresh_proof_and_disabling_does_not(pages: House) -> None:
    boris = await pages.visit("Boris")
    number, _ = await made(pages, boris)
    here = f"/webhooks/{number}"
    pages.clock.now += timedelta(minutes=16)
    assert "Enter your password to change them" in await boris.read(here)
    led = await boris.post(here, at=here, url="https://elsewhere.example/", events="binding.made")
    assert "/prove" in led.headers["location"]
    await boris.post(f"{here}/disable", at=here)
    async with house_work(pages.store) as session:
        row = await session.get_one(Webhook, number)
        assert (row.url, row.disabled_at) == (URL, pages.clock.now)


async def test_a_neighbour_is_told_that_it_is_not_there_and_an_operator_that_it_is_not_theirs(pages: House) -> None:
    boris = await pages.visit("Boris")
    number, _ = await made(pages, boris)
    pia, opal = await pages.visit("Pia"), await pages.visit("Opal")
    for path in (place(pages), f"/webhooks/{number}"):
        await pia.get(path, status=404)
        await opal.get(path, status=403)
