"""The pages of service accounts, and where the platform lets an app exchange tokens."""

import json
import re
from html import unescape

import httpx
import sqlalchemy as sa

from bindings.apps import App
from tenants.service_accounts import ServiceAccount
from tests.cast import house_work
from tests.control.openid.test_client_proofs import KEY, public
from tests.control.visits import House


def page_of(pages: House, company: str = "Bakery") -> str:
    return f"/companies/{pages.cast.tenant(company).id}/service-accounts"


async def make(pages: House, name: str = "Till", role: str = "auditor", scopes: str = "read") -> tuple[str, str]:
    """Boris makes one: its client id and its secret, as the page shows them."""
    boris = await pages.visit("Boris")
    page = page_of(pages)
    answer = await boris.post(page, at=page, status=200, name=name, role=role, scopes=scopes)
    client = re.search(r"service-[0-9a-f]{16}", answer.text)
    secret = re.search(r'id="client-secret">([^<]+)<', answer.text)
    assert client is not None
    assert secret is not None
    return client[0], secret[1]


async def ask(pages: House, client: tuple[str, str]) -> httpx.Response:
    http = pages.panel.stranger().http
    return await http.post("/oauth/token", data={"grant_type": "client_credentials"}, auth=client)


async def the_account(pages: House) -> ServiceAccount:
    async with house_work(pages.store, pages.clock.now) as session:
        return (await session.scalars(sa.select(ServiceAccount))).one()


async def test_boris_makes_one_and_its_secret_is_shown_once(pages: House) -> None:
    client, secret = await make(pages)
    assert (await ask(pages, (client, secret))).status_code == 200
    boris = await pages.visit("Boris")
    shown = await boris.get(page_of(pages))
    assert client in shown
    assert secret not in shown
    assert "Auditor" in await boris.read(page_of(pages))


async def test_what_is_wrong_is_said_beside_the_form_and_nothing_is_made(pages: House) -> None:
    boris, page = await pages.visit("Boris"), page_of(pages)
    for wrong in (
        {"name": "", "role": "member", "scopes": "read"},
        {"name": "Till", "role": "operator", "scopes": "read"},
        {"name": "Till", "role": "", "scopes": "read"},
        {"name": "Till", "role": "member"},
        {"name": "Till", "role": "member", "scopes": "everything"},
    ):
        await boris.post(page, at=page, status=422, **wrong)
    async with house_work(pages.store, pages.clock.now) as session:
        assert (await session.scalars(sa.select(ServiceAccount))).all() == []


async def test_a_new_secret_takes_the_place_of_the_old_one(pages: House) -> None:
    client, secret = await make(pages)
    boris, page = await pages.visit("Boris"), page_of(pages)
    answer = await boris.post(f"{page}/{(await the_account(pages)).id}/secret", at=page, status=200)
    fresh = re.search(r'id="client-secret">([^<]+)<', answer.text)
    assert fresh is not None
    assert (await ask(pages, (client, secret))).status_code == 401
    assert (await ask(pages, (client, fresh[1]))).status_code == 200


async def test_boris_discards_it(pages: House) -> None:
    client = await make(pages)
    boris, page = await pages.visit("Boris"), page_of(pages)
    await boris.post(f"{page}/{(await the_account(pages)).id}/discard", at=page)
    assert (await ask(pages, client)).status_code == 401
    assert client[0] not in await boris.get(page)


async def test_one_of_another_company_is_not_there(pages: House) -> None:
    await make(pages)
    number = (await the_account(pages)).id
    olaf, clara = await pages.visit("Olaf"), await pages.visit("Clara")
    await olaf.post(f"{page_of(pages, 'Clinic')}/{number}/discard", at=page_of(pages, "Clinic"), status=404)
    await clara.post(f"{page_of(pages, 'Clinic')}/{number}/secret", at=page_of(pages, "Clinic"), status=404)
    assert (await the_account(pages)).discarded_at is None


async def test_making_one_asks_who_is_there(pages: House) -> None:
    boris, page = await pages.visit("Boris"), page_of(pages)
    pages.clock.pass_(minutes=16)
    answer = await boris.post(page, at=page, name="Till", role="member", scopes="read")
    assert answer.headers["location"].startswith("/prove")


async def test_ada_lets_an_app_exchange_tokens_and_olaf_cannot(pages: House) -> None:
    app = pages.cast.app_id("softphone")
    ada, olaf = await pages.visit("Ada"), await pages.visit("Olaf")
    assert "Let it exchange tokens" in await ada.read(f"/apps/{app}")
    assert "Let it exchange tokens" not in await olaf.read(f"/apps/{app}")
    await ada.post(f"/apps/{app}/exchanges", at=f"/apps/{app}", exchanges="yes")
    async with house_work(pages.store, pages.clock.now) as session:
        assert (await session.get_one(App, app)).exchanges is True
    await olaf.post(f"/apps/{app}/exchanges", at=f"/apps/{app}", status=403, exchanges="no")
    await ada.post(f"/apps/{app}/exchanges", at=f"/apps/{app}", exchanges="no")
    async with house_work(pages.store, pages.clock.now) as session:
        assert (await session.get_one(App, app)).exchanges is False


async def test_boris_gives_one_keys_in_place_of_its_secret(pages: House) -> None:
    client = await make(pages)
    boris, page = await pages.visit("Boris"), f"{page_of(pages)}/{(await the_account(pages)).id}/keys"
    assert "It proves itself by a secret now." in await boris.read(page)
    for wrong in ("", "no JSON", "{}", json.dumps(KEY.as_dict(private=True))):
        answer = await boris.post(page, at=page, status=422, jwks=wrong)
        assert 'aria-invalid="true"' in answer.text
    assert (await ask(pages, client)).status_code == 200
    await boris.post(page, at=page, jwks=json.dumps(public(KEY)))
    assert (await ask(pages, client)).status_code == 401
    account = await the_account(pages)
    assert (account.secret_hash, account.jwks) == (None, public(KEY))
    assert KEY.as_dict(private=False)["x"] in unescape(await boris.get(page))


async def test_one_is_made_with_keys_and_has_no_secret(pages: House) -> None:
    boris, page = await pages.visit("Boris"), page_of(pages)
    said = {"name": "Till", "role": "member", "scopes": "read"}
    await boris.post(page, at=page, status=422, jwks="[]", **said)
    answer = await boris.post(page, at=page, status=200, jwks=json.dumps(public(KEY)), **said)
    assert "client-secret" not in answer.text
    assert (await the_account(pages)).jwks == public(KEY)
