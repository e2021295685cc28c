"""The hand-off: an impersonation is opened at an app by a code that is good once, for a minute, for that app alone."""

import asyncio
from datetime import timedelta

import pytest
import sqlalchemy as sa

from bindings.apps import find_client
from bindings.codes import Code
from bindings.impersonation import LONGEST, Impersonation
from bindings.standing import REFRESH
from bindings.tokens import Token
from control.seed import seed_cast
from tenants.credentials import digest, new_secret
from tenants.people import find_membership
from tenants.refusals import NotPermitted
from tenants.roles import Role
from tenants.trail import Entry
from tenants.tree import Tenant
from tenants.verbs import Verb
from tests.cast import WHY, house_work, work_as
from tests.control.openid.opening import GRANT, end_as_house, open_as, take_over, taken, the_row
from tests.control.openid.story import ISSUER, Client, Panel, app_of
from tests.control.visits import House

HERE = "http://softphone.localhost:8001"


async def test_olaf_opens_the_softphone_as_bea(panel: Panel, softphone: Client) -> None:
    opened = await open_as(panel, "Olaf", "Bea")
    assert opened.address.startswith(f"{HERE}/acting#handoff=")
    answer = await taken(softphone, opened)
    row, claims = await the_row(panel, opened.id), await softphone.read(answer["access_token"])
    cast = panel.cast
    assert claims["sub"] == str(cast.membership_id("Bea"))
    assert claims["act"] == {"sub": str(cast.membership_id("Olaf")), "name": "Olaf Olsen"}
    assert claims["acr"] == "urn:understudy:acr:stand-in"
    assert (claims["aud"], claims["extension"], claims["email_verified"]) == ("softphone", "201", False)
    stand_in = {"kind": "impersonation", "id": str(row.id), "ends_at": row.ends_at.isoformat(), "mode": "full"}
    assert claims["stand_in"] == stand_in
    said = await softphone.introspect(answer["access_token"])
    person = (await softphone.userinfo(answer["access_token"])).json()
    for name in ("sub", "act", "stand_in", "sid", "tenant", "phone_system", "app_admin"):
        assert claims[name] == said[name] == person[name], name
    assert (await softphone.read(answer["id_token"]))["act"] == claims["act"]


async def test_it_begins_on_a_page_of_the_panel_and_the_code_is_in_the_fragment_alone(pages: House) -> None:
    olaf = await pages.visit("Olaf")
    bea = str(pages.cast.membership_id("Bea"))
    asked = f"/impersonations/new?membership={bea}"
    answer = await olaf.post("/impersonations", at=asked, membership=bea, reason=WHY, app="softphone")
    address, fragment, code = answer.headers["location"].partition("#handoff=")
    assert (address, fragment) == (f"{HERE}/acting", "#handoff=")
    assert answer.text.count(code) == 0
    assert 'data-stand-in="impersonation"' not in await olaf.get("/users")
    async with house_work(pages.store) as session:
        told = [str(entry.to_dict()) for entry in await session.scalars(sa.select(Entry))]
        codes = [str(row.to_dict()) for row in await session.scalars(sa.select(Code))]
    assert not [each for each in (*told, *codes) if code in each]


async def test_discovery_tells_of_the_grant(panel: Panel) -> None:
    known = (await panel.browser().get("/.well-known/openid-configuration")).json()
    assert GRANT in known["grant_types_supported"]


async def test_t26_twenty_redeem_one_hand_off_and_one_gets_a_token(panel: Panel, softphone: Client) -> None:
    opened = await open_as(panel, "Olaf", "Bea")
    answers = await asyncio.gather(*(take_over(softphone, opened.code) for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [200, *[400] * 19]
    assert {answer.json()["error"] for answer in answers if answer.status_code == 400} == {"invalid_grant"}
    async with house_work(panel.store) as session:
        assert len((await session.scalars(sa.select(Token))).all()) == 1
    # Somebody holds the code who should not, so what it opened is over.
    winner = next(answer.json()["access_token"] for answer in answers if answer.status_code == 200)
    assert await softphone.introspect(winner) == {"active": False}
    assert (await the_row(panel, opened.id)).ended_cause == "replay"


async def test_one_that_comes_again_ends_what_it_opened_and_is_written_down(panel: Panel, softphone: Client) -> None:
    opened = await open_as(panel, "Olaf", "Bea")
    token = (await taken(softphone, opened))["access_token"]
    panel.clock.pass_(minutes=5)
    assert (await take_over(softphone, opened.code)).json()["error"] == "invalid_grant"
    assert await softphone.introspect(token) == {"active": False}
    async with house_work(panel.store) as session:
        verbs = list(await session.scalars(sa.select(Entry.verb).order_by(Entry.id)))
    assert verbs.count(Verb.CODE_REPLAYED) == 1
    assert verbs.count(Verb.IMPERSONATION_ENDED) == 1


async def test_it_is_dead_after_a_minute(panel: Panel, softphone: Client) -> None:
    opened = await open_as(panel, "Olaf", "Bea")
    panel.clock.pass_(seconds=60)
    assert (await take_over(softphone, opened.code)).json()["error"] == "invalid_grant"
    async with house_work(panel.store) as session:
        assert (await session.scalars(sa.select(Token))).all() == []


async def test_b15_it_is_for_its_app_alone(panel: Panel, softphone: Client, desk_client: Client) -> None:
    opened = await open_as(panel, "Olaf", "Bea")
    assert (await take_over(desk_client, opened.code)).json()["error"] == "invalid_grant"
    secret, softphone.secret = softphone.secret, None
    assert (await take_over(softphone, opened.code)).json()["error"] == "invalid_client"
    assert (await take_over(softphone, opened.code, client_secret="wrong")).json()["error"] == "invalid_client"
    softphone.secret = secret
    assert (await take_over(softphone, opened.code)).status_code == 200


async def test_a_page_redeems_it_from_its_own_origin_alone(panel: Panel, softphone: Client) -> None:
    opened = await open_as(panel, "Olaf", "Bea")
    for elsewhere in ("http://desk-client.localhost:8001", "https://evil.example", ISSUER, "null"):
        answer = await take_over(softphone, opened.code, origin=elsewhere)
        assert answer.json()["error"] == "invalid_grant", elsewhere
    answer = await take_over(softphone, opened.code, origin=HERE)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == HERE
    assert (answer.headers["cache-control"], answer.headers["pragma"]) == ("no-store", "no-cache")


async def test_a_browser_app_without_a_secret_takes_one_over(panel: Panel) -> None:
    spa = await app_of(panel, "Acme", "web-phone", kind="spa", uris=["https://phone.example/callback"])
    async with house_work(panel.store, panel.clock.now) as session:
        app = await find_client(session, "web-phone")
        assert app is not None
        await app.change(session, handoff_uri="https://phone.example/acting")
    opened = await open_as(panel, "Olaf", "Bea", "web-phone")
    answer = await take_over(spa, opened.code, origin="https://phone.example")
    assert answer.status_code == 200
    assert (await spa.userinfo(answer.json()["access_token"])).json()["name"] == "Bea Bell"


async def test_t15_the_token_lives_to_the_end_of_the_impersonation_whatever_is_sent(
    panel: Panel, softphone: Client
) -> None:
    opened = await open_as(panel, "Olaf", "Bea")
    panel.clock.pass_(seconds=30)
    more = {"ttl": "99999", "expires_in": "99999", "ends_at": "2030-01-01T00:00:00Z", "exp": "9999999999"}
    answer = (await take_over(softphone, opened.code, **more)).json()
    row, claims = await the_row(panel, opened.id), await softphone.read(answer["access_token"])
    assert row.ends_at - row.created_at == LONGEST == timedelta(minutes=20)
    assert claims["exp"] == int(row.ends_at.timestamp())
    assert claims["exp"] - claims["iat"] == answer["expires_in"] == 1170


async def test_t15_a_clock_that_is_set_back_gives_no_more_than_twenty_minutes(panel: Panel, softphone: Client) -> None:
    opened = await open_as(panel, "Olaf", "Bea")
    panel.clock.pass_(hours=-3)
    answer = await taken(softphone, opened)
    claims = await softphone.read(answer["access_token"])
    assert claims["exp"] - claims["iat"] == answer["expires_in"] == 1200


async def test_t15_a_shorter_impersonation_gives_a_shorter_token(panel: Panel, softphone: Client) -> None:
    async with house_work(panel.store, panel.clock.now) as session:
        tenant = await session.get_one(Tenant, panel.cast.tenant("Bakery").id)
        await tenant.change(session, policy_minutes=5)
    answer = await taken(softphone, await open_as(panel, "Olaf", "Bea"))
    claims = await softphone.read(answer["access_token"])
    assert claims["exp"] - claims["iat"] == answer["expires_in"] == 300


async def test_t17_there_is_nothing_to_refresh_it_with(panel: Panel, softphone: Client) -> None:
    opened = await open_as(panel, "Olaf", "Bea")
    answer = (await take_over(softphone, opened.code, scope="openid offline_access")).json()
    assert "refresh_token" not in answer
    assert "offline_access" not in answer["scope"]
    for token in (answer["access_token"], answer["id_token"], opened.code):
        assert (await softphone.renew(token)).json()["error"] == "invalid_grant"
    assert (await softphone.introspect(answer["access_token"]))["active"] is True


async def test_t17_a_refresh_token_that_somebody_put_there_is_refused(panel: Panel, softphone: Client) -> None:
    opened = await open_as(panel, "Olaf", "Bea")
    await taken(softphone, opened)
    secret = new_secret()
    async with house_work(panel.store, panel.clock.now) as session:
        access = (await session.scalars(sa.select(Token))).one()
        kept = {"login_id": access.login_id, "app_id": access.app_id, "scope": "openid", "token_hash": digest(secret)}
        until = panel.clock.now + timedelta(days=30)
        await session.execute(
            sa.insert(Token.__table__).values(kind=REFRESH, created_at=panel.clock.now, expires_at=until, **kept)
        )
    assert (await softphone.renew(secret)).json()["error"] == "invalid_grant"


async def test_t18_an_acting_token_cannot_be_exchanged_for_a_clean_one(panel: Panel, softphone: Client) -> None:
    token = (await taken(softphone, await open_as(panel, "Olaf", "Bea")))["access_token"]
    exchange = "urn:ietf:params:oauth:grant-type:token-exchange"
    answer = await softphone.post("/oauth/token", grant_type=exchange, subject_token=token)
    # Of apps that may exchange, test_exchange.py tells.
    assert answer.json()["error"] == "unauthorized_client"


async def test_t27_each_kind_of_secret_opens_its_own_door_alone(panel: Panel, softphone: Client) -> None:
    code = await softphone.code(await panel.sign_in("Pia"))
    assert (await take_over(softphone, code)).json()["error"] == "invalid_grant"
    opened = await open_as(panel, "Olaf", "Bea")
    assert (await softphone.redeem(opened.code)).json()["error"] == "invalid_grant"
    assert (await softphone.renew(opened.code)).json()["error"] == "invalid_grant"
    assert (await softphone.userinfo(opened.code)).status_code == 401
    # Neither attempt used the other's secret up.
    assert (await softphone.redeem(code)).status_code == 200
    assert (await take_over(softphone, opened.code)).status_code == 200


async def test_a_hand_off_is_asked_for_in_the_right_words(panel: Panel, softphone: Client) -> None:
    assert (await softphone.post("/oauth/token", grant_type=GRANT)).json()["error"] == "invalid_request"
    assert (await take_over(softphone, "made up")).json()["error"] == "invalid_grant"
    assert (await take_over(softphone, "x" * 5000)).json()["error"] == "invalid_request"


async def test_t16_after_each_kind_of_end_the_token_is_worth_nothing_at_once(panel: Panel, softphone: Client) -> None:
    for cause in ("stopped", "replaced", "tab_closed", "ended_by_admin", "ended_by_subject", "tenant_suspended"):
        opened = await open_as(panel, "Olaf", "Bea")
        token = (await taken(softphone, opened))["access_token"]
        assert (await softphone.introspect(token))["active"] is True
        await end_as_house(panel, opened.id, cause)
        assert await softphone.introspect(token) == {"active": False}, cause
        assert (await softphone.userinfo(token)).status_code == 401, cause


async def test_t16_after_twenty_minutes_it_is_worth_nothing(panel: Panel, softphone: Client) -> None:
    token = (await taken(softphone, await open_as(panel, "Olaf", "Bea")))["access_token"]
    panel.clock.pass_(minutes=19, seconds=59)
    assert (await softphone.introspect(token))["active"] is True
    panel.clock.pass_(seconds=1)
    assert await softphone.introspect(token) == {"active": False}
    assert (await softphone.userinfo(token)).status_code == 401


async def test_t16_who_may_no_longer_stand_in_holds_nothing(panel: Panel, softphone: Client) -> None:
    token = (await taken(softphone, await open_as(panel, "Opal", "Bea")))["access_token"]
    olaf = panel.cast.actor("Olaf")
    async with work_as(panel.store, olaf, panel.clock.now) as session:
        opal = await find_membership(session, panel.cast.membership_id("Opal"))
        await opal.change_role(session, olaf, Role.MEMBER, panel.clock.now)
    assert await softphone.introspect(token) == {"active": False}
    assert (await softphone.userinfo(token)).status_code == 401


async def test_a_hand_off_of_an_impersonation_that_is_over_opens_nothing(panel: Panel, softphone: Client) -> None:
    opened = await open_as(panel, "Olaf", "Bea")
    await end_as_house(panel, opened.id, "stopped")
    assert (await take_over(softphone, opened.code)).json()["error"] == "invalid_grant"
    # A new one of Olaf's ends the one whose tab has not even loaded yet.
    late = await open_as(panel, "Olaf", "Bea")
    newer = await open_as(panel, "Olaf", "Ben", at="Bakery")
    assert (await take_over(softphone, late.code)).json()["error"] == "invalid_grant"
    assert (await take_over(softphone, newer.code)).status_code == 200


async def test_one_that_nobody_takes_is_over_after_a_while(panel: Panel) -> None:
    opened = await open_as(panel, "Olaf", "Bea")
    panel.clock.pass_(seconds=149)
    assert (await the_row(panel, opened.id)).over(panel.clock.now) is None
    panel.clock.pass_(seconds=1)
    assert (await the_row(panel, opened.id)).over(panel.clock.now) == ("tab_closed", panel.clock.now)


async def test_giving_the_token_back_ends_it(panel: Panel, softphone: Client) -> None:
    opened = await open_as(panel, "Olaf", "Bea")
    token = (await taken(softphone, opened))["access_token"]
    assert (await softphone.post("/oauth/revoke", token=token)).status_code == 200
    assert await softphone.introspect(token) == {"active": False}
    row = await the_row(panel, opened.id)
    assert (row.ended_cause, row.ended_at) == ("stopped", panel.clock.now)


async def test_logging_out_at_the_app_ends_it_and_is_olafs_own_act(panel: Panel, softphone: Client) -> None:
    opened = await open_as(panel, "Olaf", "Bea")
    answer = await taken(softphone, opened)
    await panel.browser().get("/oauth/logout", params={"id_token_hint": answer["id_token"]})
    assert await softphone.introspect(answer["access_token"]) == {"active": False}
    assert (await the_row(panel, opened.id)).ended_cause == "stopped"
    async with house_work(panel.store) as session:
        (stopped,) = await session.scalars(sa.select(Entry).where(Entry.verb == Verb.IMPERSONATION_STOPPED))
    assert (stopped.actor_name, stopped.subject_name, stopped.details["cause"]) == ("Olaf Olsen", "Bea Bell", "stopped")


async def test_opening_at_an_app_is_an_access_that_bea_can_see(panel: Panel, softphone: Client) -> None:
    opened = await open_as(panel, "Olaf", "Bea")
    async with house_work(panel.store) as session:
        (login,) = await session.scalars(sa.select(Entry).where(Entry.verb == Verb.LOGGED_IN))
    assert (login.actor_name, login.subject_name, login.stand_in_id) == ("Olaf Olsen", "Bea Bell", opened.id)
    assert (login.via, login.details["because"]) == ("impersonation", "impersonation")


async def test_what_bea_cannot_open_olaf_cannot_open_as_her(panel: Panel) -> None:
    """Ben is no desk admin, and Dina has no Desk: the panel's page says so, and nothing was started."""
    with pytest.raises(NotPermitted) as refused:
        await open_as(panel, "Olaf", "Ben", "desk-admin", at="Bakery")
    assert refused.value.rule == "not_admin"
    with pytest.raises(NotPermitted) as refused:
        await open_as(panel, "Pia", "Dina", "desk-client")
    assert refused.value.rule == "no_licence"
    async with house_work(panel.store) as session:
        assert (await session.scalars(sa.select(Impersonation))).all() == []


async def test_a_supervisor_is_no_desk_admin_through_bea(panel: Panel, softphone: Client) -> None:
    """C13: `app_admin` is passed on only to admins and operators."""
    answer = await taken(softphone, await open_as(panel, "Bruno", "Bea"))
    assert (await softphone.read(answer["access_token"]))["app_admin"] is False
    answer = await taken(softphone, await open_as(panel, "Opal", "Bea"))
    assert (await softphone.read(answer["access_token"]))["app_admin"] is True


async def test_t29_neither_the_panel_nor_the_apps_own_login_changes(panel: Panel, softphone: Client) -> None:
    """Pia's own softphone stays hers while she has it open as Dan in another tab, and after that has ended."""
    pia = await panel.sign_in("Pia")
    own = await softphone.log_in(pia)
    opened = await open_as(panel, "Pia", "Dan")
    token = (await taken(softphone, opened))["access_token"]
    assert (await softphone.introspect(own.access))["name"] == "Pia Pine"
    assert (await softphone.introspect(token))["name"] == "Dan Dale"
    await end_as_house(panel, opened.id, "stopped")
    assert (await softphone.renew(own.refresh)).status_code == 200
    assert await softphone.introspect(token) == {"active": False}


async def test_t24_a_token_whose_impersonation_is_another_is_worth_nothing(panel: Panel, softphone: Client) -> None:
    opened = await open_as(panel, "Olaf", "Bea")
    token = (await taken(softphone, opened))["access_token"]
    column = {"actor_membership_id": "Nora", "subject_membership_id": "Bruno"}
    for name, other in column.items():
        async with house_work(panel.store) as session:
            before = (await session.execute(sa.text(f"SELECT {name} FROM logins"))).scalar_one()
            other_id = panel.cast.membership_id(other)
            await session.execute(sa.text(f"UPDATE logins SET {name} = :id"), {"id": other_id})
        assert await softphone.introspect(token) == {"active": False}, name
        async with house_work(panel.store) as session:
            await session.execute(sa.text(f"UPDATE logins SET {name} = :id"), {"id": before})
    assert (await softphone.introspect(token))["active"] is True
    async with house_work(panel.store) as session:
        await session.execute(sa.text("UPDATE logins SET impersonation_id = NULL"))
    assert await softphone.introspect(token) == {"active": False}


async def test_the_seed_moves_the_hand_off_with_the_apps(panel: Panel, softphone: Client) -> None:
    await seed_cast(panel.store, panel.clock.now, apps_port=9001)
    opened = await open_as(panel, "Olaf", "Bea")
    assert opened.address.startswith("http://softphone.localhost:9001/acting#handoff=")
    assert (await take_over(softphone, opened.code, origin=HERE)).json()["error"] == "invalid_grant"
