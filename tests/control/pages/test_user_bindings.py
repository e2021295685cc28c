"""The User Bindings tab: phone system, extension, apps, reason, end, Save."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from bindings.binding import Binding
from tenants.trail import Entry
from tenants.tree import Tenant
from tenants.verbs import Verb
from tests.cast import bind, house_work
from tests.control.pages.visit import Panel, Visit, choices, words


def tab_of(panel: Panel, name: str) -> str:
    return f"/users/{panel.cast.user(name).id}/bindings"


async def at_own_tab(panel: Panel, name: str, tenant: str | None = None) -> Visit:
    """Somebody at their own tab, with the phone system of a tenant chosen."""
    chosen = f"?phone_system={panel.cast.phone_system_id(tenant)}" if tenant else ""
    return await panel.visit(name, tab_of(panel, name) + chosen)


def asked(panel: Panel, tenant: str, number: str, **more: str) -> dict[str, str]:
    """What the form says for this extension."""
    extension = panel.cast.extension(tenant, number)
    return {"phone_system": str(extension.phone_system_id), "extension": str(extension.id)} | more


async def open_binding(panel: Panel, name: str) -> Binding | None:
    async with house_work(panel.store) as session:
        theirs = sa.select(Binding).where(Binding.user_id == panel.cast.user(name).id, Binding.ended_at.is_(None))
        return (await session.scalars(theirs)).one_or_none()


async def refusals(panel: Panel) -> list[str]:
    async with house_work(panel.store) as session:
        entries = await session.scalars(sa.select(Entry).where(Entry.verb == Verb.REFUSED.value))
        return [entry.details["rule"] for entry in entries]


async def test_pia_finds_the_tab_by_users_and_her_own_name(panel: Panel) -> None:
    pia = await panel.visit("Pia", "/users")
    own = f"/users/{panel.cast.user('Pia').id}"
    assert f'href="{own}">Pia Pine</a>' in pia.shown.text
    assert f'href="{own}/bindings">User Bindings</a>' in (await pia.open(own)).text


async def test_pia_binds_herself_to_dan(panel: Panel) -> None:
    pia = await at_own_tab(panel, "Pia")
    assert choices(pia.shown, "phone_system") == ["Choose a phone system", "Dairy PBX", "Pine PBX"]
    assert choices(pia.shown, "extension") == []
    await pia.open(tab_of(panel, "Pia"), phone_system=str(panel.cast.phone_system_id("Dairy")))
    assert choices(pia.shown, "extension") == ["Choose an extension", "101 Dan Dale", "102 Dina Dove"]
    answer = await pia.send(tab_of(panel, "Pia"), asked(panel, "Dairy", "101", reason="No ring on transfer"))
    shown = words(await pia.follow(answer))
    assert "Your app logins open as Dan Dale , ext 101 at Dairy" in shown
    assert "Saved. From your next login your apps open as Dan Dale, ext 101 at Dairy." in shown
    assert 'data-stand-in="binding"' in pia.shown.text
    binding = await open_binding(panel, "Pia")
    assert binding is not None
    assert (binding.subject_name, binding.reason, binding.ends_at) == ("Dan Dale", "No ring on transfer", None)


async def test_the_users_list_says_whom_pia_is_bound_to(panel: Panel) -> None:
    await bind(panel.store, panel.cast, "Pia", "Dairy", "101", panel.clock.now)
    pia = await panel.visit("Pia", "/users")
    assert "Dan Dale (User Bindings of Pia Pine) ext 101 at Dairy" in words(pia.shown)


async def test_olaf_cannot_bind_to_zoe(panel: Panel) -> None:
    olaf = await at_own_tab(panel, "Olaf")
    assert "Zoo" not in words(olaf.shown)
    answer = await olaf.send(tab_of(panel, "Olaf"), asked(panel, "Zoo", "201"))
    assert answer.status_code == 404
    assert "Zoe" not in answer.text
    nobody = await olaf.send(tab_of(panel, "Olaf"), {"extension": "999999"})
    assert nobody.status_code == 404
    assert await open_binding(panel, "Olaf") is None
    assert await refusals(panel) == ["reach", "reach"]


async def test_olaf_cannot_look_into_another_phone_system(panel: Panel) -> None:
    olaf = await panel.visit("Olaf")
    theirs = panel.cast.phone_system_id("Zoo")
    assert (await olaf.open(tab_of(panel, "Olaf"), phone_system=str(theirs))).status_code == 404
    assert (await olaf.open(tab_of(panel, "Olaf"), phone_system="' or 1=1")).status_code == 404
    assert (await olaf.open(tab_of(panel, "Olaf"), phone_system="9" * 30)).status_code == 404


async def test_elsa_meets_layer_at_zoe_and_is_told_the_way(panel: Panel) -> None:
    elsa = await at_own_tab(panel, "Elsa", "Zoo")
    answer = await elsa.send(tab_of(panel, "Elsa"), asked(panel, "Zoo", "201", reason="Voicemail does not play"))
    assert answer.status_code == 403
    assert "Create my profile in Zoo" in words(answer)
    assert f'action="/companies/{panel.cast.tenant("Zoo").id}/profile"' in answer.text
    assert 'value="Voicemail does not play"' in answer.text
    assert await open_binding(panel, "Elsa") is None
    assert await refusals(panel) == ["layer"]


@pytest.mark.parametrize(
    ("who", "tenant", "number", "status", "sentence"),
    [
        ("Olaf", "Bakery", "203", 422, "This extension has no user."),
        ("Pia", "Pine", "100", 422, "This is you already."),
        ("Paul", "Pine", "100", 403, "You may stand in only for people below you"),
        ("Opal", "Bakery", "201", 303, ""),
        ("Ada", "Zoo", "201", 403, "Create your own user in Zoo"),
    ],
)
async def test_the_guards_answer_comes_back_with_the_form(
    panel: Panel, who: str, tenant: str, number: str, status: int, sentence: str
) -> None:
    visit = await at_own_tab(panel, who, tenant)
    answer = await visit.send(tab_of(panel, who), asked(panel, tenant, number))
    assert answer.status_code == status
    assert sentence in words(answer)
    assert (await open_binding(panel, who) is not None) == (status == 303)


async def test_a_supervisor_and_an_auditor_find_no_form(panel: Panel) -> None:
    for name in ("Bruno", "Amos"):
        visit = await at_own_tab(panel, name)
        assert visit.shown.status_code == 200
        assert choices(visit.shown, "phone_system") == []
        assert (await visit.send(tab_of(panel, name), asked(panel, "Bakery", "201"))).status_code == 403


async def test_dan_has_no_such_tab(panel: Panel) -> None:
    dan = await panel.visit("Dan")
    assert (await dan.open(tab_of(panel, "Dan"))).status_code == 403
    assert (await dan.send(tab_of(panel, "Dan"), asked(panel, "Dairy", "102"))).status_code == 403


async def test_the_tab_of_somebody_above_can_be_seen_but_not_set(panel: Panel) -> None:
    opal = await panel.visit("Opal", tab_of(panel, "Olaf"))
    assert "You cannot set a binding for Olaf Olsen" in words(opal.shown)
    assert choices(opal.shown, "phone_system") == []
    assert (await opal.send(tab_of(panel, "Olaf"), asked(panel, "Bakery", "201"))).status_code == 403
    assert await open_binding(panel, "Olaf") is None
    assert (await opal.open(tab_of(panel, "Zoe"))).status_code == 404


@pytest.mark.parametrize(
    ("until", "ends_at"),
    [
        ("released", None),
        ("hour", timedelta(hours=1)),
        ("week", timedelta(days=7)),
        # Midnight in London, where Pia is: in November that is midnight UTC too.
        ("today", datetime(2026, 11, 22, tzinfo=UTC)),
    ],
)
async def test_an_end_is_reckoned_by_pias_clock(panel: Panel, until: str, ends_at: datetime | timedelta | None) -> None:
    pia = await at_own_tab(panel, "Pia", "Dairy")
    await pia.send(tab_of(panel, "Pia"), asked(panel, "Dairy", "101", until=until))
    binding = await open_binding(panel, "Pia")
    assert binding is not None
    assert binding.ends_at == (panel.clock.now + ends_at if isinstance(ends_at, timedelta) else ends_at)


async def test_a_day_ends_at_its_midnight_also_when_the_clocks_have_changed(panel: Panel) -> None:
    pia = await at_own_tab(panel, "Pia", "Dairy")
    await pia.send(tab_of(panel, "Pia"), asked(panel, "Dairy", "101", until="date", until_date="2027-06-30"))
    binding = await open_binding(panel, "Pia")
    assert binding is not None
    # British Summer Time: the day is over at eleven in the evening, UTC.
    assert binding.ends_at == datetime(2027, 6, 30, 23, tzinfo=UTC)


NONSENSE: list[dict[str, str]] = [
    {"until": "date", "until_date": "2026-11-20"},
    {"until": "date", "until_date": "tomorrow"},
    {"until": "date", "until_date": "9999-12-31"},
    {"until": "date"},
    {"until": "for ever"},
    {"apps": "no-such-app"},
    {"reason": "x" * 1001},
    {"reason": "right \u202e to left"},
    {"extension": ""},
    {"extension": "9" * 40},
]


async def test_what_makes_no_sense_comes_back_with_a_sentence(panel: Panel) -> None:
    pia = await at_own_tab(panel, "Pia", "Dairy")
    for more in NONSENSE:
        answer = await pia.send(tab_of(panel, "Pia"), asked(panel, "Dairy", "101") | more)
        assert (answer.status_code, "Nothing was saved yet" in words(answer)) == (422, True), more
    assert await open_binding(panel, "Pia") is None


async def test_chosen_apps_are_those_ticked_and_none_means_every_app(panel: Panel) -> None:
    pia = await at_own_tab(panel, "Pia", "Dairy")
    chosen = {**asked(panel, "Dairy", "101"), "apps": ["softphone", "desk-client"]}
    await pia.follow(await pia.send(tab_of(panel, "Pia"), chosen))
    assert "Desk Client, Softphone" in words(pia.shown)
    await pia.follow(await pia.send(tab_of(panel, "Pia"), asked(panel, "Dairy", "102", apps="every")))
    assert "Dina Dove ext 102 at Dairy Every app" in words(pia.shown)
    assert "Replaced by a newer one" in words(pia.shown)


async def test_a_company_that_asks_for_a_reason_gets_one(panel: Panel) -> None:
    async with house_work(panel.store) as session:
        dairy = await session.get_one(Tenant, panel.cast.tenant("Dairy").id)
        await dairy.change(session, policy_reason=1)
    pia = await at_own_tab(panel, "Pia", "Dairy")
    answer = await pia.send(tab_of(panel, "Pia"), asked(panel, "Dairy", "101"))
    assert (answer.status_code, "Dairy asks for a reason." in words(answer)) == (403, True)
    given = await pia.send(tab_of(panel, "Pia"), asked(panel, "Dairy", "101", reason="Ticket 4417, no ring"))
    assert given.status_code == 303


async def test_an_old_proof_is_asked_again_and_the_form_is_as_it_was(panel: Panel) -> None:
    pia = await at_own_tab(panel, "Pia", "Dairy")
    panel.clock.pass_(minutes=16)
    answer = await pia.send(tab_of(panel, "Pia"), asked(panel, "Dairy", "101", reason="No ring on transfer"))
    assert answer.headers["location"].startswith("/prove?next=")
    await pia.follow(answer)
    proof = {"password": "understudy-demo", "next": pia.hidden("next")}
    await pia.follow(await pia.send("/prove", proof))
    assert 'value="No ring on transfer"' in pia.shown.text
    assert f'value="{panel.cast.extension("Dairy", "101").id}" selected' in pia.shown.text
    assert await open_binding(panel, "Pia") is None


async def test_a_form_without_its_token_or_from_another_tab_changes_nothing(panel: Panel) -> None:
    pia = await at_own_tab(panel, "Pia", "Dairy")
    said = asked(panel, "Dairy", "101")
    assert (await pia.http.post(tab_of(panel, "Pia"), data=said)).status_code == 403
    assert (await pia.send(tab_of(panel, "Pia"), said, Sec_Fetch_Site="cross-site")).status_code == 403
    assert (await pia.send(tab_of(panel, "Pia"), said, Origin="https://evil.example")).status_code == 403
    assert (await pia.send(tab_of(panel, "Pia"), {**said, "_acting": "1"})).status_code == 409
    assert await open_binding(panel, "Pia") is None


async def test_a_stale_binding_says_why(panel: Panel) -> None:
    await bind(panel.store, panel.cast, "Pia", "Dairy", "101", panel.clock.now, ends_at=panel.clock.now + timedelta(1))
    panel.clock.pass_(days=2)
    pia = await at_own_tab(panel, "Pia")
    assert "No longer works The binding reached its end." in words(pia.shown)
    assert "no longer works: The binding reached its end." in words(pia.shown)
