"""Who an app sees: every row of the table "what a login gives"."""

import sqlalchemy as sa

from tenants.people import Membership
from tenants.phones import Extension, Licence, PhoneSystem, Product
from tenants.trail import Entry
from tenants.tree import Scope, Suspension, find_tenant
from tests.cast import bind, house_work, work_as
from tests.control.openid.story import ISSUER, STATE, Client, Panel, told


async def test_pia_is_herself_at_the_softphone(panel: Panel, softphone: Client) -> None:
    tokens = await softphone.log_in(await panel.sign_in("Pia"))
    assert (tokens.claims["name"], tokens.claims["extension"]) == ("Pia Pine", "100")
    assert tokens.claims["email_verified"] is True
    assert not {"act", "acr", "stand_in"} & tokens.claims.keys()


async def test_pia_bound_to_dan_is_dan_without_a_page(panel: Panel, softphone: Client) -> None:
    binding_id = await bind(panel.store, panel.cast, "Pia", "Dairy", "101")
    claims = (await softphone.log_in(await panel.sign_in("Pia"))).claims
    cast = panel.cast
    assert claims["sub"] == str(cast.membership_id("Dan"))
    assert claims["act"] == {"sub": str(cast.membership_id("Pia")), "name": "Pia Pine"}
    assert claims["tenant"] == {"id": str(cast.tenant("Dairy").id), "name": "Dairy", "kind": "customer"}
    assert (claims["extension"], claims["phone_system"]["name"]) == ("101", "Dairy PBX")
    assert claims["stand_in"] == {"kind": "binding", "id": str(binding_id), "ends_at": None, "mode": "full"}
    assert claims["acr"] == "urn:understudy:acr:stand-in"
    assert claims["email_verified"] is False


async def test_the_answer_names_the_issuer_and_returns_the_state(panel: Panel, softphone: Client) -> None:
    said = told(await softphone.ask(await panel.sign_in("Pia")))
    assert (said["iss"], said["state"]) == (ISSUER, STATE)


async def test_who_is_not_signed_in_is_sent_to_sign_in_and_back_to_the_same_request(
    panel: Panel, softphone: Client
) -> None:
    answer = await softphone.ask(panel.browser())
    assert answer.status_code == 302
    assert answer.headers["location"].startswith("/sign-in?next=%2Foauth%2Fauthorize%3F")
    assert told(await softphone.ask(panel.browser(), prompt="none"))["error"] == "login_required"


async def test_olaf_bound_to_bea_opens_desk_admin(panel: Panel, desk_admin: Client) -> None:
    await bind(panel.store, panel.cast, "Olaf", "Bakery", "201")
    claims = (await desk_admin.log_in(await panel.sign_in("Olaf"))).claims
    assert (claims["name"], claims["app_admin"]) == ("Bea Bell", True)


async def test_olaf_bound_to_ben_meets_a_page_that_names_bea_and_leads_to_desk_client(
    panel: Panel, desk_admin: Client
) -> None:
    await bind(panel.store, panel.cast, "Olaf", "Bakery", "202")
    olaf = await panel.sign_in("Olaf")
    page = await desk_admin.ask(olaf)
    assert page.status_code == 200
    assert "Bea Bell" in page.text
    assert 'href="http://desk-client.localhost:8001/login"' in page.text
    assert told(await desk_admin.ask(olaf, prompt="none"))["error"] == "interaction_required"


async def test_pages_in_the_flow_let_their_forms_end_at_the_app(panel: Panel, desk_admin: Client) -> None:
    await bind(panel.store, panel.cast, "Olaf", "Bakery", "202")
    page = await desk_admin.ask(await panel.sign_in("Olaf"))
    assert "form-action 'self' http://desk-admin.localhost:8001" in page.headers["content-security-policy"]


async def test_who_has_no_extension_meets_a_page_and_a_way_to_bind(panel: Panel, softphone: Client) -> None:
    page = await softphone.ask(await panel.sign_in("Olaf"))
    assert page.status_code == 200
    assert "No extension for this app" in page.text
    assert f'href="/users/{panel.cast.user("Olaf").id}/bindings"' in page.text
    page = await softphone.ask(await panel.sign_in("Amos"))
    assert "Bind me" not in page.text


async def test_the_subjects_extension_without_a_licence_is_refused(panel: Panel, desk_client: Client) -> None:
    await bind(panel.store, panel.cast, "Pia", "Dairy", "102")
    pia = await panel.sign_in("Pia")
    page = await desk_client.ask(pia)
    assert page.status_code == 200
    assert "no licence for Desk" in page.text
    assert told(await desk_client.ask(pia, prompt="none"))["error"] == "access_denied"


async def test_a_page_offers_the_way_back_to_the_app_with_the_error(panel: Panel, desk_client: Client) -> None:
    await bind(panel.store, panel.cast, "Pia", "Dairy", "102")
    page = await desk_client.ask(await panel.sign_in("Pia"))
    assert f"{desk_client.redirect_uri}?error=access_denied" in page.text
    assert "iss=http%3A%2F%2Flocalhost%3A8000" in page.text


async def test_a_binding_gone_stale_is_told_once_and_is_over_for_good(panel: Panel, softphone: Client) -> None:
    await bind(panel.store, panel.cast, "Pia", "Dairy", "101")
    pia = await panel.sign_in("Pia")
    await suspend(panel, "Dairy")
    assert told(await softphone.ask(pia, prompt="none"))["error"] == "interaction_required"
    page = await softphone.ask(pia)
    assert "Continue as yourself" in page.text
    assert "Dairy is suspended or discarded." in page.text
    await lift(panel, "Dairy")
    claims = (await softphone.log_in(pia)).claims
    assert claims["name"] == "Pia Pine"


async def test_a_silent_check_never_turns_somebody_into_somebody_else(panel: Panel, softphone: Client) -> None:
    pia = await panel.sign_in("Pia")
    tokens = await softphone.log_in(pia)
    await bind(panel.store, panel.cast, "Pia", "Dairy", "101")
    assert told(await softphone.ask(pia, prompt="none"))["error"] == "login_required"
    assert (await softphone.log_in(pia)).claims["name"] == "Dan Dale"
    hint = tokens.answer["id_token"]
    assert told(await softphone.ask(pia, prompt="none", id_token_hint=hint))["error"] == "login_required"
    assert "code" in told(await softphone.ask(pia, prompt="none"))


async def test_ben_chooses_among_his_extensions_and_is_not_asked_again(panel: Panel, softphone: Client) -> None:
    line = await a_second_extension_for_ben(panel)
    ben = await panel.sign_in("Ben")
    page = await softphone.ask(ben)
    assert "Which extension?" in page.text
    assert "302 at Clinic" in page.text
    assert (await softphone.log_in(ben, extension=str(line))).claims["extension"] == "302"
    assert (await softphone.log_in(ben)).claims["extension"] == "302"
    assert "Which extension?" in (await softphone.ask(ben, prompt="select_account")).text


async def test_ben_cannot_choose_zoes_extension(panel: Panel, softphone: Client) -> None:
    await a_second_extension_for_ben(panel)
    zoes = panel.cast.extension("Zoo", "201").id
    page = await softphone.ask(await panel.sign_in("Ben"), extension=str(zoes))
    assert "Which extension?" in page.text


async def suspend(panel: Panel, place: str) -> None:
    async with work_as(panel.store, panel.cast.actor("Ada"), panel.clock.now) as session:
        tenant = await find_tenant(session, panel.cast.tenant(place).id)
        await tenant.suspend(session, panel.cast.actor("Ada"), Scope.ALL, "unpaid since summer", panel.clock.now)


async def lift(panel: Panel, place: str) -> None:
    async with work_as(panel.store, panel.cast.actor("Ada"), panel.clock.now) as session:
        wanted = sa.select(Suspension).where(
            Suspension.tenant_id == panel.cast.tenant(place).id, Suspension.lifted_at.is_(None)
        )
        for suspension in await session.scalars(wanted):
            await suspension.lift(session, panel.cast.actor("Ada"), panel.clock.now)


async def a_second_extension_for_ben(panel: Panel) -> int:
    """Ben is a member at the Clinic too; there he gets 302, with a Softphone."""
    async with house_work(panel.store, panel.clock.now) as session:
        system = await session.get_one(PhoneSystem, panel.cast.phone_system_id("Clinic"))
        ben = await session.get_one(Membership, panel.cast.membership_id("Ben", at="Clinic"))
        softphone = await session.get_one(Product, panel.cast.product_id("Softphone"))
        line = await Extension.create(session, system, "302", panel.clock.now, membership=ben)
        await Licence.grant(session, line, softphone, panel.clock.now)
        return line.id


async def test_a_login_as_dan_is_written_down_under_both_names(panel: Panel, softphone: Client) -> None:
    await bind(panel.store, panel.cast, "Pia", "Dairy", "101")
    tokens = await softphone.log_in(await panel.sign_in("Pia"))
    entry = (await told_of(panel, "login.started"))[0]
    assert (entry.actor_name, entry.subject_name, entry.record_name) == ("Pia Pine", "Dan Dale", "Softphone")
    assert (entry.tenant_id, entry.details["sid"]) == (panel.cast.tenant("Dairy").id, tokens.claims["sid"])


async def test_a_refused_login_is_written_down_once_and_a_silent_check_not_at_all(
    panel: Panel, desk_admin: Client
) -> None:
    await bind(panel.store, panel.cast, "Olaf", "Bakery", "202")
    olaf = await panel.sign_in("Olaf")
    await desk_admin.ask(olaf, prompt="none")
    assert await told_of(panel, "login.refused") == []
    await desk_admin.ask(olaf)
    (entry,) = await told_of(panel, "login.refused")
    assert (entry.actor_name, entry.subject_name, entry.details) == ("Olaf Olsen", "Ben Bond", {"rule": "not_admin"})


async def told_of(panel: Panel, verb: str) -> list[Entry]:
    async with house_work(panel.store) as session:
        return list(await session.scalars(sa.select(Entry).where(Entry.verb == verb)))
