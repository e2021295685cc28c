"""Policy: every rule with who asks for it, tightened after a look at what that breaks, loosened by its own a day on."""

from typing import Any

import pytest

from control.writing.loosenings import settle_loosenings
from tenants.letters import LetterKind
from tenants.people import Membership
from tenants.roles import Role
from tenants.tree import Tenant
from tests.cast import bind, house_work, work_as
from tests.control.pages.post import letters_to, newest_to
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


# Loosening


async def protected(panel: Panel, tenant: str = "Bakery", **rules: Any) -> str:
    """A company that protects itself; returns its page."""
    async with house_work(panel.store) as session:
        row = await session.get_one(Tenant, panel.cast.tenant(tenant).id)
        await row.change(session, **{f"policy_{rule}": value for rule, value in rules.items()})
    return policy(panel, tenant)


async def stands(panel: Panel) -> tuple[int, int | None]:
    """Whether anybody may stand in at Bakery, and for how many days."""
    async with house_work(panel.store) as session:
        bakery = await session.get_one(Tenant, panel.cast.tenant("Bakery").id)
        return bakery.policy_stand_ins, bakery.policy_binding_days


async def test_boris_loosens_and_all_admins_of_bakery_are_told(panel: Panel) -> None:
    path = await protected(panel, stand_ins=2, binding_days=7)
    async with work_as(panel.store, panel.cast.actor("Boris"), panel.clock.now) as session:
        bruno = await session.get_one(Membership, panel.cast.membership_id("Bruno"))
        await bruno.change_role(session, panel.cast.actor("Boris"), Role.ADMIN, panel.clock.now)
    boris = await panel.visit("Boris", path)
    assert choices(boris.shown, "loose_stand_ins") == ["As it is", "Allowed", "With consent"]
    await boris.follow(
        await boris.send(f"{path}/loosening", {"loose_stand_ins": "allowed", "loose_binding_days_none": "1"})
    )
    said = words(boris.shown)
    assert "Asked for. All admins of Bakery are told by letter" in said
    assert "Boris Birch asked for this. It takes effect at 22 Nov, 09:00 London" in said
    assert "Standing in for people was Never → now Allowed Longest binding was 7 days → now No limit" in said
    for address in ("boris@bakery.example", "bruno@bakery.example"):
        told = await newest_to(panel, address, LetterKind.LOOSENING_ASKED)
        assert (told["who"], told["tenant"], told["until"]) == ("Boris Birch", "Bakery", "2026-11-22T09:00:00+00:00")
        assert told["link"].endswith(path)
        assert '"before": "never", "after": "allowed"' in told["rules"]
    assert await letters_to(panel, "olaf@oak.example") == []
    assert await stands(panel) == (2, 7)
    panel.clock.pass_(hours=24)
    for _ in range(2):
        await settle_loosenings(panel.app.state.house, panel.clock.now)
    assert await stands(panel) == (0, None)
    kinds = [kind for kind, _ in await letters_to(panel, "bruno@bakery.example")]
    assert kinds == [LetterKind.LOOSENING_ASKED, LetterKind.LOOSENING_APPLIED]


async def test_olaf_loosens_nothing_of_bakerys_and_is_told_who_can(panel: Panel) -> None:
    path = await protected(panel, stand_ins=2)
    olaf = await panel.visit("Olaf", path)
    assert "Only Bakery's own admins can loosen what it set for itself" in words(olaf.shown)
    assert 'name="loose_stand_ins"' not in olaf.shown.text
    refused = await olaf.send(f"{path}/loosening", {"loose_stand_ins": "allowed"})
    assert refused.status_code == 403
    assert "Only Bakery's own admins" in words(refused)
    assert await stands(panel) == (2, None)


async def test_whom_olaf_made_admin_yesterday_loosens_nothing_either(panel: Panel) -> None:
    path = await protected(panel, stand_ins=2)
    async with work_as(panel.store, panel.cast.actor("Olaf"), panel.clock.now) as session:
        bruno = await session.get_one(Membership, panel.cast.membership_id("Bruno"))
        await bruno.change_role(session, panel.cast.actor("Olaf"), Role.ADMIN, panel.clock.now)
    panel.clock.pass_(days=1)
    bruno_there = await panel.visit("Bruno", path)
    assert 'name="stand_ins"' not in bruno_there.shown.text or "own admins" in words(bruno_there.shown)
    assert 'name="loose_stand_ins"' not in bruno_there.shown.text
    assert (await bruno_there.send(f"{path}/loosening", {"loose_stand_ins": "allowed"})).status_code == 403


async def test_an_old_proof_is_asked_again_and_the_wish_is_as_it_was(panel: Panel) -> None:
    path = await protected(panel, stand_ins=2)
    boris = await panel.visit("Boris", path)
    panel.clock.pass_(minutes=16)
    sent = await boris.send(f"{path}/loosening", {"loose_stand_ins": "consent"})
    assert sent.headers["location"].startswith("/prove?next=")
    back = await boris.open(f"{path}?loose_stand_ins=consent")
    assert '<option value="consent" selected>' in back.text
    assert await letters_to(panel, "boris@bakery.example") == []


@pytest.mark.parametrize("name", ["Boris", "Olaf"])
async def test_it_is_cancelled_there_or_from_above(panel: Panel, name: str) -> None:
    path = await protected(panel, stand_ins=2)
    boris = await panel.visit("Boris", path)
    await boris.send(f"{path}/loosening", {"loose_stand_ins": "allowed"})
    other = await panel.visit(name, path)
    await other.follow(await other.send(f"{path}/loosening/cancel"))
    assert "Cancelled. The rules stay as they are." in words(other.shown)
    assert (await other.send(f"{path}/loosening/cancel")).status_code == 409
    panel.clock.pass_(hours=25)
    await settle_loosenings(panel.app.state.house, panel.clock.now)
    assert await stands(panel) == (2, None)


async def test_an_operator_sees_that_it_waits_and_cancels_nothing(panel: Panel) -> None:
    path = await protected(panel, stand_ins=2)
    boris = await panel.visit("Boris", path)
    await boris.send(f"{path}/loosening", {"loose_stand_ins": "allowed"})
    opal = await panel.visit("Opal", path)
    assert "Looser rules wait" in words(opal.shown)
    assert "/loosening/cancel" not in opal.shown.text
    assert (await opal.send(f"{path}/loosening/cancel")).status_code == 403
    assert (await (await panel.visit("Elsa")).send(f"{path}/loosening/cancel")).status_code == 404


async def test_nonsense_is_named_at_its_field_and_nothing_waits(panel: Panel) -> None:
    path = await protected(panel, stand_ins=1, minutes=10)
    boris = await panel.visit("Boris", path)
    for wrong in ({"loose_stand_ins": "never"}, {"loose_minutes": "10"}, {"loose_minutes": "21"}, {}):
        answer = await boris.send(f"{path}/loosening", wrong)
        assert answer.status_code == 422
        assert all(f'id="error-{name}"' in answer.text for name in wrong)
    assert await letters_to(panel, "boris@bakery.example") == []


async def test_what_oak_asks_for_is_not_offered_at_bakery(panel: Panel) -> None:
    await protected(panel, "Oak", ticket=1)
    path = await protected(panel, stand_ins=2)
    boris = await panel.visit("Boris", path)
    assert choices(boris.shown, "loose_ticket") == []
    refused = await boris.send(f"{path}/loosening", {"loose_ticket": "no"})
    assert (refused.status_code, "An organization above asks for this" in words(refused)) == (403, True)


async def test_history_says_what_was_wanted_and_what_became_of_it(panel: Panel) -> None:
    path = await protected(panel, stand_ins=2, ticket=1, binding_days=7)
    boris = await panel.visit("Boris", path)
    wanted = {"loose_stand_ins": "consent", "loose_ticket": "no", "loose_binding_days_none": "1"}
    await boris.send(f"{path}/loosening", wanted)
    panel.clock.pass_(hours=24)
    await settle_loosenings(panel.app.state.house, panel.clock.now)
    said = words((await panel.visit("Boris", f"/companies/{panel.cast.tenant('Bakery').id}/history")).shown)
    assert "Boris Birch asked to loosen the rules of Bakery" in said
    assert "Standing in: never → consent; Ticket asked for: yes → no; Longest binding, in days: 7 → no limit" in said
    assert "Understudy, loosening put the looser rules of Bakery in force" in said
    assert "Ticket asked for was yes → now no" in said
