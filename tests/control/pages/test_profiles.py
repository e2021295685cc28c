"""Profiles: one person in several companies; and a profile of one's own in a customer's layer."""

import asyncio

import sqlalchemy as sa

from bindings.impersonation import Impersonation
from tenants.actor import Actor
from tenants.people import Membership, User
from tenants.roles import Role
from tenants.sign_in import SignIn
from tenants.tree import Tenant
from tests.cast import ORIGIN, house_work, impersonate
from tests.conftest import ON_BOTH
from tests.control.pages.visit import Panel, Visit, words


def bindings_of(panel: Panel, name: str) -> str:
    return f"/users/{panel.cast.user(name).id}/bindings"


async def switch(visit: Visit, membership_id: int, **more: str) -> str:
    """Choose a profile; what the page that follows says."""
    await visit.open("/account/profiles")
    return words(await visit.follow(await visit.send("/account/profiles", {"membership": str(membership_id), **more})))


async def test_ben_is_in_bakery_and_in_clinic_and_chooses(panel: Panel) -> None:
    ben = await panel.visit("Ben", "/account/profiles", at="Bakery")
    assert "Bakery, as Member" in words(ben.shown)
    assert "Clinic, as Member" in words(ben.shown)
    said = await switch(ben, panel.cast.membership_id("Ben", at="Clinic"))
    assert "You are Ben Bond at Clinic now." in said
    assert "Clinic" in words(await ben.open("/account"))


async def test_pia_goes_on_as_another_profile_and_what_she_stood_in_by_ends(panel: Panel) -> None:
    """She opened the softphone as Dan from Pine; as Oak's operator she is not the one who may."""
    now = panel.clock.now
    async with house_work(panel.store, now) as session:
        person = await session.get_one(User, panel.cast.user("Pia").id)
        oak = await session.get_one(Tenant, panel.cast.tenant("Oak").id)
        there = await Membership.create(session, panel.cast.actor("Ada"), person, oak, Role.OPERATOR, now)
    pia = await panel.visit("Pia", "/account/profiles", at="Pine")
    async with house_work(panel.store, now) as session:
        newest = sa.select(SignIn.id).where(SignIn.user_id == person.id).order_by(SignIn.id.desc())
        sign_in_id = (await session.scalars(newest)).first()
    acting = Actor.of(panel.cast.identity("Pia"), ORIGIN, sign_in_id=sign_in_id)
    number = await impersonate(panel.store, panel.cast, "Pia", "Dan", now, app="softphone", actor=acting)
    assert "at Oak now" in await switch(pia, there.id)
    async with house_work(panel.store, now) as session:
        assert (await session.get_one(Impersonation, number)).ended_cause == "profile"


async def test_bea_has_one_profile_and_is_not_asked(panel: Panel) -> None:
    bea = await panel.visit("Bea", "/account")
    assert "Switch profile" not in bea.shown.text
    assert "Switch profile" in (await panel.visit("Ben", "/account")).shown.text


async def test_ben_cannot_choose_beas_profile_or_one_that_has_ended(panel: Panel) -> None:
    ben = await panel.visit("Ben", "/account/profiles", at="Bakery")
    answer = await ben.send("/account/profiles", {"membership": str(panel.cast.membership_id("Bea"))})
    assert answer.status_code == 404
    assert (await ben.send("/account/profiles", {"membership": "zwölf"})).status_code == 422
    assert (await ben.send("/account/profiles")).status_code == 422


async def test_a_form_of_the_other_profile_saves_nothing(panel: Panel) -> None:
    """A61: two tabs, one switched: the page that was open before speaks for somebody else now."""
    ben = await panel.visit("Ben", "/account", at="Bakery")
    before = {name: ben.hidden(name) for name in ("_csrf_token", "_acting")}
    await switch(ben, panel.cast.membership_id("Ben", at="Clinic"))
    answer = await ben.http.post("/account", data={**before, "name": "Ben", "zone": "Etc/UTC"})
    assert answer.status_code == 409


async def test_elsa_makes_her_profile_in_zoo_with_one_button_and_binds_to_zoe(panel: Panel) -> None:
    zoo, zoe = panel.cast.tenant("Zoo"), panel.cast.extension("Zoo", "201")
    fields = {"phone_system": str(zoe.phone_system_id), "extension": str(zoe.id), "reason": "Voicemail is silent"}
    elsa = await panel.visit("Elsa", f"{bindings_of(panel, 'Elsa')}?phone_system={zoe.phone_system_id}")
    refused = await elsa.send(bindings_of(panel, "Elsa"), fields)
    assert refused.status_code == 403
    elsa.page = refused
    made = await elsa.send(f"/companies/{zoo.id}/profile", {"extension": str(zoe.id)})
    said = words(await elsa.follow(made))
    assert "Your profile in Zoo is made." in said
    saved = words(await elsa.follow(await elsa.send(bindings_of(panel, "Elsa"), fields)))
    assert "From your next login your apps open as Zoe" in saved


@ON_BOTH
async def test_the_button_pressed_twice_makes_one_profile(panel: Panel) -> None:
    zoo = panel.cast.tenant("Zoo").id
    elsa = await panel.visit("Elsa", f"/companies/{zoo}")
    answers = await asyncio.gather(*(elsa.send(f"/companies/{zoo}/profile") for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [303, 409, 409, 409]


async def test_elsas_profile_is_shown_with_where_she_comes_from(panel: Panel) -> None:
    elsa = await panel.visit("Elsa", f"/companies/{panel.cast.tenant('Zoo').id}")
    assert "Create my profile in Zoo" in words(elsa.shown)
    await elsa.send(f"/companies/{panel.cast.tenant('Zoo').id}/profile")
    await elsa.open(f"/companies/{panel.cast.tenant('Zoo').id}")
    assert "Create my profile" not in words(elsa.shown)
    members = words(await elsa.open(f"/companies/{panel.cast.tenant('Zoo').id}/members"))
    assert f"{panel.cast.user('Elsa').name} (Elm)" in members


async def test_olaf_makes_no_profile_in_a_company_of_another_branch(panel: Panel) -> None:
    olaf = await panel.visit("Olaf")
    assert (await olaf.send(f"/companies/{panel.cast.tenant('Zoo').id}/profile")).status_code == 404


async def test_opal_is_proposed_a_binding_by_olaf_and_answers_at_her_next_login(panel: Panel) -> None:
    bea = panel.cast.extension("Bakery", "201")
    fields = {"phone_system": str(bea.phone_system_id), "extension": str(bea.id), "reason": "Bea hears nobody"}
    olaf = await panel.visit("Olaf", f"{bindings_of(panel, 'Opal')}?phone_system={bea.phone_system_id}")
    assert "Propose" in words(olaf.shown)
    said = words(await olaf.follow(await olaf.send(bindings_of(panel, "Opal"), fields)))
    assert "answers it at their next login to an app." in said
    assert "Waits for an answer" in said
    opal = await panel.visit("Opal")
    assert "Your app logins open as" not in words(opal.shown)


async def test_opal_sets_nothing_for_olaf(panel: Panel) -> None:
    opal = await panel.visit("Opal", bindings_of(panel, "Olaf"))
    assert "your role has to be above theirs" in words(opal.shown)
    bea = panel.cast.extension("Bakery", "201")
    answer = await opal.send(bindings_of(panel, "Olaf"), {"extension": str(bea.id), "reason": "Bea hears nobody"})
    assert answer.status_code == 403
