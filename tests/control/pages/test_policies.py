"""Policy: every rule with who asks for it, tightened after a look at what that breaks, and never loosened here."""

import pytest

from tenants.tree import Tenant
from tests.cast import bind, house_work
from tests.control.pages.visit import Panel, choices, words

pytestmark = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


def policy(panel: Panel, name: str) -> str:
    return f"/companies/{panel.cast.tenant(name).id}/policy"


async def test_each_rule_says_who_asks_for_it_as_far_as_one_may_know(panel: Panel) -> None:
    async with house_work(panel.store) as session:
        oak = await session.get_one(Tenant, panel.cast.tenant("Oak").id)
        await oak.change(session, policy_reason=1, policy_binding_days=30)
        bakery = await session.get_one(Tenant, panel.cast.tenant("Bakery").id)
        await bakery.change(session, policy_stand_ins=1, policy_binding_days=60)
    boris = words((await panel.visit("Boris", policy(panel, "Bakery"))).shown)
    assert "Standing in for people With consent Set here With consent" in boris
    assert "A reason Asked for Set above you Not asked for" in boris
    assert "Longest binding 30 days Set above you 60 days" in boris
    assert "Oak" not in boris
    olaf = words((await panel.visit("Olaf", policy(panel, "Bakery"))).shown)
    assert "A reason Asked for Oak Not asked for" in olaf


async def test_only_what_is_tighter_can_be_chosen(panel: Panel) -> None:
    async with house_work(panel.store) as session:
        oak = await session.get_one(Tenant, panel.cast.tenant("Oak").id)
        await oak.change(session, policy_look=1, policy_ticket=1, policy_minutes=5)
    page = (await panel.visit("Boris", policy(panel, "Bakery"))).shown
    assert choices(page, "look") == ["As it is", "Looking only"]
    assert choices(page, "stand_ins") == ["As it is", "With consent", "Never"]
    assert choices(page, "ticket") == []
    assert "At most 4 minutes" in words(page)


async def test_boris_tightens_and_cannot_loosen_again(panel: Panel) -> None:
    path = policy(panel, "Bakery")
    boris = await panel.visit("Boris", path)
    await boris.follow(await boris.send(path, {"stand_ins": "never", "minutes": "10", "notice": "digest"}))
    async with house_work(panel.store) as session:
        bakery = await session.get_one(Tenant, panel.cast.tenant("Bakery").id)
        assert (bakery.policy_stand_ins, bakery.policy_minutes, bakery.policy_notice) == (2, 10, 1)
    for looser in ({"stand_ins": "allowed"}, {"minutes": "11"}, {"notice": "none"}):
        refused = await boris.send(path, looser)
        assert refused.status_code == 403
        assert "Only Bakery's own admins can loosen it" in words(refused)
        assert "policy" in words(refused)


async def test_what_a_rule_breaks_is_told_first_and_nothing_is_kept_until_it_is_said_again(panel: Panel) -> None:
    path = policy(panel, "Bakery")
    await bind(panel.store, panel.cast, "Olaf", "Bakery", "201")
    await bind(panel.store, panel.cast, "Opal", "Bakery", "202")
    olaf = await panel.visit("Olaf", path)
    warned = await olaf.send(path, {"stand_ins": "never"})
    assert warned.status_code == 409
    assert "2 live bindings would no longer hold" in words(warned)
    async with house_work(panel.store) as session:
        assert (await session.get_one(Tenant, panel.cast.tenant("Bakery").id)).policy_stand_ins == 0
    olaf.page = warned
    assert olaf.hidden("breaks") == "2"
    await olaf.follow(await olaf.send(path, {"stand_ins": "never", "breaks": "2"}))
    assert "no longer works" in (await olaf.open("/")).text


async def test_a_rule_that_breaks_nothing_is_set_at_once(panel: Panel) -> None:
    path = policy(panel, "Bakery")
    await bind(panel.store, panel.cast, "Olaf", "Bakery", "201")
    olaf = await panel.visit("Olaf", path)
    assert (await olaf.send(path, {"require_factor": "yes"})).status_code == 303


async def test_nonsense_is_refused_and_an_empty_form_says_so(panel: Panel) -> None:
    path = policy(panel, "Bakery")
    boris = await panel.visit("Boris", path)
    for wrong in ({}, {"stand_ins": "sometimes"}, {"minutes": "0"}, {"minutes": "21"}, {"binding_days": "1e3"}):
        assert (await boris.send(path, wrong)).status_code == 422


async def test_an_operator_looks_and_tightens_nothing(panel: Panel) -> None:
    path = policy(panel, "Bakery")
    opal = await panel.visit("Opal", path)
    assert 'name="stand_ins"' not in opal.shown.text
    assert (await opal.send(path, {"stand_ins": "never"})).status_code == 403
    elsa = await panel.visit("Elsa", policy(panel, "Zoo"))
    assert (await elsa.send(path, {"stand_ins": "never"})).status_code == 404
