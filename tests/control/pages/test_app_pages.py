"""An app's pages: how it proves itself, who gets in, who uses it, and what it would be told of somebody."""

import json
import re
from datetime import timedelta
from html import unescape

import pytest
import sqlalchemy as sa
from joserfc.jwk import ECKey, RSAKey

from bindings.apps import App
from bindings.login import Login
from tests.cast import bind, house_work
from tests.control.pages.test_app_addresses import ended
from tests.control.visits import House

KEY = ECKey.generate_key("P-256", {"kid": "one"})


async def softphone(pages: House) -> App:
    async with house_work(pages.store, pages.clock.now) as session:
        return await session.get_one(App, pages.cast.app_id("softphone"))


async def test_ada_gives_the_old_secret_a_day_and_then_ends_it_sooner(pages: House) -> None:
    ada, here = await pages.visit("Ada"), f"/apps/{pages.cast.app_id('softphone')}"
    before = (await softphone(pages)).secret_hash
    shown = await ada.post(f"{here}/secret", at=f"{here}/secret", status=200, keep="86400")
    assert "The old secret is good until" in shown.text
    assert "no-store" in shown.headers["cache-control"]
    app = await softphone(pages)
    assert (app.old_secret_hash == before, app.secret_hash == before) == (True, False)
    await ada.post(f"{here}/old-secret/end", at=here)
    assert "earlier secret" not in (await ada.read(here)).split("History")[0]
    await ada.post(f"{here}/old-secret/end", at=here, status=409)
    await ada.post(f"{here}/secret", at=f"{here}/secret", status=422, keep="604801")


async def test_an_overlap_that_is_over_is_not_spoken_of(pages: House) -> None:
    ada, here = await pages.visit("Ada"), f"/apps/{pages.cast.app_id('softphone')}"
    await ada.post(f"{here}/secret", at=f"{here}/secret", status=200, keep="3600")
    assert "End the earlier secret now" in await ada.read(here)
    pages.clock.pass_(hours=1)
    assert "End the earlier secret now" not in await ada.read(here)


async def test_ada_has_it_prove_itself_by_keys_and_by_a_secret_again(pages: House) -> None:
    ada, here = await pages.visit("Ada"), f"/apps/{pages.cast.app_id('softphone')}"
    for wrong in ("", "x", "{}", json.dumps(KEY.as_dict(private=True)), json.dumps({"keys": []})):
        await ada.post(f"{here}/keys", at=f"{here}/keys", status=422, jwks=wrong)
    await ada.post(f"{here}/keys", at=f"{here}/keys", jwks=json.dumps(KEY.as_dict(private=False)), keep="3600")
    app = await softphone(pages)
    assert (app.jwks, app.secret_hash) == ({"keys": [KEY.as_dict(private=False)]}, None)
    assert "By keys of its own (private_key_jwt): one EC P-256 An earlier secret is good until" in await ada.read(here)
    assert "Its keys end at once" in await ada.read(f"{here}/secret")
    await ada.post(f"{here}/secret", at=f"{here}/secret", status=200, keep="86400")
    app = await softphone(pages)
    assert (app.jwks, app.old_secret_hash) == (None, None)


async def test_a_private_half_that_was_pasted_is_nowhere_afterwards(pages: House) -> None:
    ada, here = await pages.visit("Ada"), f"/apps/{pages.cast.app_id('softphone')}/keys"
    pasted = RSAKey.generate_key(2048).as_dict(private=True)
    answer = await ada.post(here, at=here, status=422, jwks=json.dumps(pasted))
    assert "This holds a private key" in answer.text
    assert str(pasted["d"]) not in answer.text
    said = {"name": "Board", "redirect_uris": "https://wall.example/callback", "jwks": json.dumps(pasted)}
    assert str(pasted["d"]) not in (await ada.post("/apps/new", at="/apps/new", status=422, **said)).text


async def test_keys_are_registered_with_the_app(pages: House) -> None:
    ada = await pages.visit("Ada")
    said = {"name": "Wallboard", "client_id": "wallboard", "redirect_uris": "https://wall.example/callback"}
    keys = json.dumps(KEY.as_dict(private=False))
    await ada.post("/apps/new", at="/apps/new", status=422, type="spa", jwks=keys, **said)
    shown = await ada.post("/apps/new", at="/apps/new", status=200, type="web", jwks=keys, **said)
    assert ("client-secret" in shown.text, "it proves itself by its keys" in shown.text) == (False, True)


async def test_ada_changes_who_gets_in_and_what_it_is_told(pages: House) -> None:
    ada, here = await pages.visit("Ada"), f"/apps/{pages.cast.app_id('softphone')}"
    other = str(pages.cast.app_id("desk-client"))
    product = str((await softphone(pages)).product_id)
    said = {"product": product, "admin_only": "1", "fallback": other, "scopes": "profile", "id_token_alg": "RS256"}
    await ada.post(f"{here}/rules", at=f"{here}/rules", dpop="1", **said)
    app = await softphone(pages)
    assert (app.needs_extension, app.admin_only, app.fallback_id) == (False, True, int(other))
    assert (app.scopes, app.id_token_alg, app.dpop) == (["openid", "profile"], "RS256", True)
    told = await ada.read(here)
    assert "Lets in App admins of Softphone Others continue in Desk Client May ask for openid, profile" in told


@pytest.mark.parametrize(
    ("wrong", "field"),
    [({"admin_only": "1"}, "admin_only"), ({"scopes": "panel"}, "scopes"), ({"id_token_alg": "none"}, "id_token_alg")],
)
async def test_rules_that_make_no_sense_are_refused(pages: House, wrong: dict[str, str], field: str) -> None:
    ada, here = await pages.visit("Ada"), f"/apps/{pages.cast.app_id('softphone')}/rules"
    answer = await ada.post(here, at=here, status=422, **wrong)
    assert f"field-{field}" in answer.text


async def test_nobody_is_led_in_a_circle_or_to_an_app_that_is_not_for_them(pages: House) -> None:
    ada, cast = await pages.visit("Ada"), pages.cast
    client, admin = cast.app_id("desk-client"), cast.app_id("desk-admin")
    said = {"product": "2", "scopes": "profile"}
    for onward in (admin, client):
        # The admins' app leads to the client already.
        await ada.post(f"/apps/{client}/rules", at=f"/apps/{client}/rules", status=422, fallback=str(onward), **said)
    olaf = await pages.visit("Olaf")
    fields = {"name": "Board", "client_id": "oak-board", "redirect_uris": "https://oak.example/callback"}
    await olaf.post("/apps/new", at="/apps/new", status=200, **fields)
    async with house_work(pages.store) as session:
        oaks = (await session.scalars(sa.select(App.id).where(App.client_id == "oak-board"))).one()
    await ada.post(f"/apps/{client}/rules", at=f"/apps/{client}/rules", status=422, fallback=str(oaks), **said)


async def test_what_changed_meanwhile_is_told_before_it_is_overwritten(pages: House) -> None:
    ada, here = await pages.visit("Ada"), f"/apps/{pages.cast.app_id('softphone')}/rules"
    await ada.visit.open(here)
    async with house_work(pages.store, pages.clock.now) as session:
        await (await session.get_one(App, pages.cast.app_id("softphone"))).change(session, dpop=True)
    seen = ada.visit.hidden("_seen")
    answer = await ada.visit.send(here, {"product": "1", "scopes": "profile", "_seen": seen})
    assert (answer.status_code, "Tokens bound to a key" in answer.text) == (409, True)


async def test_nothing_of_it_is_changed_without_a_fresh_proof(pages: House) -> None:
    ada, here = await pages.visit("Ada"), f"/apps/{pages.cast.app_id('softphone')}"
    pages.clock.pass_(minutes=16)
    for path in (f"{here}/rules", f"{here}/keys", f"{here}/secret", f"{here}/first-party"):
        answer = await ada.post(path, at="/account")
        assert answer.headers["location"].startswith("/prove?next="), path


async def test_only_the_platform_says_that_nobody_is_asked_for_consent(pages: House) -> None:
    olaf = await pages.visit("Olaf")
    fields = {"name": "Board", "client_id": "oak-board", "redirect_uris": "https://oak.example/callback"}
    await olaf.post("/apps/new", at="/apps/new", status=200, **fields)
    async with house_work(pages.store) as session:
        oaks = (await session.scalars(sa.select(App.id).where(App.client_id == "oak-board"))).one()
    assert "What the platform alone says" not in await olaf.read(f"/apps/{oaks}")
    await olaf.post(f"/apps/{oaks}/first-party", at=f"/apps/{oaks}", status=403, first_party="yes")
    ada = await pages.visit("Ada")
    await ada.post(f"/apps/{oaks}/first-party", at=f"/apps/{oaks}", first_party="yes")
    assert "First party Yes, no consent page" in await ada.read(f"/apps/{oaks}")


async def test_who_uses_it_is_told_as_far_as_the_reader_reaches(pages: House) -> None:
    here = f"/apps/{pages.cast.app_id('softphone')}/companies"
    of_olaf = await (await pages.visit("Olaf")).read(here)
    assert ("Bakery" in of_olaf, "Dairy" in of_olaf, "3 of 3" in of_olaf) == (True, False, True)
    found = await (await pages.visit("Pia")).read(f"{here}?q=dai")
    assert re.search("Dairy [Cc]\\w+ 0 Never", found)
    assert ("1 of 1" in found, "Pine" in found) == (True, False)
    assert "Seen by 2 companies" in await (await pages.visit("Pia")).read(here.removesuffix("/companies"))
    assert "No company is called that" in await (await pages.visit("Pia")).read(f"{here}?q=bakery")


async def test_people_are_counted_once_and_who_stood_in_is_not(pages: House) -> None:
    for seconds, name in enumerate(("Bea", "Bea", "Ben"), start=5):
        await ended(pages, name, timedelta(seconds=seconds))
    here, cast = f"/apps/{pages.cast.app_id('softphone')}", pages.cast
    async with house_work(pages.store) as session:
        bens = (await session.scalars(sa.select(Login).where(Login.user_id == cast.user("Ben").id))).one()
        bens.actor_membership_id, bens.user_id = cast.identity("Olaf").membership_id, cast.user("Olaf").id
    olaf = await pages.visit("Olaf")
    assert re.search("Bakery [Cc]\\w+ 1 08:00", await olaf.read(f"{here}/companies"))
    assert re.search("Softphone softphone .* 08:00", await olaf.read("/apps"))
    assert "Last login Never" in await (await pages.visit("Sven")).read(here)


async def test_what_it_would_be_told_of_a_bound_user_names_both(pages: House) -> None:
    await bind(pages.store, pages.cast, "Olaf", "Bakery", "201")
    opal = await pages.visit("Opal")
    html = await opal.get("/resolve?user=olaf@oak.example&app=softphone")
    shown = re.search(r"<pre[^>]*>(.*?)</pre>", html, re.S)
    assert shown is not None
    claims = json.loads(unescape(shown[1]))
    assert (claims["name"], claims["act"]["name"], claims["stand_in"]["kind"]) == ("Bea Bell", "Olaf Olsen", "binding")
    assert "<pre" not in await (await pages.visit("Boris")).get(
        "/resolve?user=olaf@oak.example&app=softphone", status=404
    )


async def test_ada_rotates_the_signing_keys(pages: House) -> None:
    ada = await pages.visit("Ada")
    one = re.findall(r'<code class="mono">([\w-]+)</code>', await ada.get("/signing-keys"))
    await ada.post("/signing-keys", at="/signing-keys")
    two = re.findall(r'<code class="mono">([\w-]+)</code>', await ada.get("/signing-keys"))
    assert (len(one), len(two), two[1]) == (1, 2, one[0])
    said = await ada.read("/signing-keys")
    assert re.search(r"ES256 Signs .* ES256 Retired", said)


async def test_keys_that_have_signed_for_long_are_due(pages: House) -> None:
    ada = await pages.visit("Ada")
    assert "rotate" not in (await ada.read("/signing-keys")).split("ES256")[0].replace("Rotate the keys", "")
    pages.clock.pass_(days=90)
    ada = await pages.visit("Ada")
    assert "A key has signed for longer than 90 days: rotate." in await ada.read("/signing-keys")
    olaf = await pages.visit("Olaf")
    await olaf.get("/signing-keys", status=403)
    assert "Signing keys" not in await olaf.get("/")
