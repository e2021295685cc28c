"""The guard, rule by rule: each with the story that it refuses and, beside it, the one that it lets pass."""

from dataclasses import replace

import pytest

from bindings.guard import RULES, Act, Facts, Party, Refused, judge
from control.cast import PLACES
from tenants.policy import BindingReach, Look, Policy, StandIns
from tenants.roles import Role

ACTS = list(Act)
SITE_VISIT = "Bea's headset does not ring"


def paths() -> dict[str, str]:
    """Where each tenant of the cast hangs: `/1/2/3/`."""
    found: dict[str, str] = {}
    for number, place in enumerate(PLACES, 1):
        found[place.name] = f"{found[place.parent] if place.parent else '/'}{number}/"
    return found


PATHS = paths()
PARTIES = {
    person.first: Party(
        membership_id=10 * number + place_number,
        user_id=number * 100 + place_number,
        name=person.name,
        role=person.role,
        tenant_id=int(PATHS[place.name].split("/")[-2]),
        tenant_name=place.name,
        tenant_kind=place.kind,
        path=PATHS[place.name],
        live=True,
        closed=False,
    )
    for place_number, place in enumerate(PLACES, 1)
    for number, person in enumerate(place.people, 1)
}


def facts(actor: str | Party, subject: str | Party, act: Act = Act.IMPERSONATE, **others: object) -> Facts:
    """What the guard knows when `actor` wants to stand in for `subject`."""
    acting = PARTIES[actor] if isinstance(actor, str) else actor
    seen = PARTIES[subject] if isinstance(subject, str) else subject
    blank = Facts(act, acting, seen, place_path=seen.path, place_id=seen.tenant_id)
    return replace(blank, **others)  # type: ignore[arg-type]


def answer(asked: Facts) -> tuple[str, int] | None:
    """The rule that refuses and its status; None when the guard allows."""
    refused = judge(asked)
    return (refused.rule, refused.status) if refused else None


def sponsored(name: str, at: str) -> Party:
    """Somebody's profile in a company below: "Elsa (Elm)" in Zoo."""
    company = next(place for place in PLACES if place.name == at)
    return replace(
        PARTIES[name],
        membership_id=999,
        role=Role.OPERATOR,
        tenant_id=int(PATHS[at].split("/")[-2]),
        tenant_name=at,
        tenant_kind=company.kind,
        path=PATHS[at],
        sponsored=True,
    )


def test_the_rules_stand_in_the_order_of_the_documents() -> None:
    names = ["reach", "permission", "self_or_unassigned", "rank", "live", "nested", "policy", "layer"]
    assert [rule.__name__ for rule in RULES] == names


# reach: what is not yours does not exist


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize(
    ("actor", "subject"),
    [
        ("Olaf", "Zoe"),  # a cousin's customer
        ("Olaf", "Nora"),  # a parent
        ("Olaf", "Ada"),  # the root
        ("Olaf", "Sven"),  # an uncle
        ("Olaf", "Elsa"),  # a cousin
        ("Clara", "Bea"),  # a sibling
        ("Pia", "Bea"),
        ("Sven", "Bea"),
        ("Bruno", "Cora"),  # a supervisor sees one company
        ("Bea", "Ben"),  # a member sees themselves
    ],
)
def test_outside_the_reach_nothing_exists(act: Act, actor: str, subject: str) -> None:
    assert answer(facts(actor, subject, act)) == ("reach", 404)


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize(
    ("actor", "subject"), [("Olaf", "Bea"), ("Olaf", "Cora"), ("Nora", "Bea"), ("Ada", "Zoe"), ("Pia", "Dan")]
)
def test_below_oneself_one_may(act: Act, actor: str, subject: str) -> None:
    assert answer(facts(actor, subject, act)) is None


def test_a_tenant_whose_number_begins_alike_is_not_below() -> None:
    olaf = replace(PARTIES["Olaf"], path="/1/2/3/")
    neighbour = replace(PARTIES["Bea"], path="/1/2/33/", tenant_id=33)
    assert answer(facts(olaf, neighbour)) == ("reach", 404)


def test_an_auditor_sees_a_person_and_still_learns_nothing_of_others() -> None:
    assert answer(facts("Amos", "Cora")) == ("reach", 404)


def test_a_profile_reaches_its_one_company_only() -> None:
    elsa = sponsored("Elsa", at="Zoo")
    below = replace(PARTIES["Zoe"], path=elsa.path + "77/", tenant_id=77)
    assert answer(facts(elsa, below)) == ("reach", 404)
    assert answer(facts(elsa, "Zoe")) is None


# permission: seeing is not standing in


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize(("actor", "subject"), [("Axel", "Bea"), ("Axel", "Nora"), ("Amos", "Bea")])
def test_an_auditor_stands_in_for_nobody(act: Act, actor: str, subject: str) -> None:
    assert answer(facts(actor, subject, act)) == ("permission", 403)


def test_a_member_stands_in_for_nobody() -> None:
    assert answer(facts("Bea", "Bea")) == ("permission", 403)


@pytest.mark.parametrize("act", [Act.IMPERSONATE, Act.TOKEN])
def test_a_supervisor_stands_in_for_the_team_they_lead(act: Act) -> None:
    assert answer(facts("Bruno", "Bea", act, leads=True)) is None
    assert answer(facts("Bruno", "Bea", act, leads=False)) == ("permission", 403)


def test_a_supervisor_is_never_bound() -> None:
    assert answer(facts("Bruno", "Bea", Act.BIND, leads=True)) == ("permission", 403)


@pytest.mark.parametrize("act", ACTS)
def test_an_operator_stands_in_below(act: Act) -> None:
    assert answer(facts("Opal", "Bea", act)) is None
    assert answer(facts("Paul", "Dan", act)) is None


# self, unassigned


def test_nobody_stands_in_for_themselves() -> None:
    assert answer(facts("Pia", "Pia")) == ("self", 422)


def test_nobody_stands_in_for_their_own_other_profile() -> None:
    elsa_in_zoo = sponsored("Elsa", at="Zoo")
    assert answer(facts("Elsa", elsa_in_zoo)) == ("self", 422)


@pytest.mark.parametrize("act", ACTS)
def test_an_extension_without_a_user_is_nobody_to_be(act: Act) -> None:
    empty = Facts(act, PARTIES["Olaf"], None, place_path=PATHS["Bakery"], place_id=4)
    assert answer(empty) == ("unassigned", 422)


def test_an_extension_without_a_user_is_not_told_to_a_stranger() -> None:
    empty = Facts(Act.BIND, PARTIES["Elsa"], None, place_path=PATHS["Bakery"], place_id=4)
    assert answer(empty) == ("reach", 404)


# rank


@pytest.mark.parametrize(
    ("actor", "subject", "allowed"),
    [
        ("Olaf", "Opal", True),  # an admin is above an operator
        ("Opal", "Olaf", False),  # not the other way round
        ("Boris", "Bruno", True),
        ("Boris", "Amos", True),
        ("Pia", "Pete", True),
        ("Paul", "Pete", True),
        ("Paul", "Pia", False),
        ("Opal", "Boris", True),  # whoever is strictly below, whatever they are there
        ("Nora", "Olaf", True),
    ],
)
def test_rank(actor: str, subject: str, allowed: bool) -> None:
    assert answer(facts(actor, subject)) == (None if allowed else ("rank", 403))


@pytest.mark.parametrize("role", [Role.ADMIN, Role.OPERATOR])
def test_nobody_outranks_their_equal(role: Role) -> None:
    one = replace(PARTIES["Olaf"], role=role)
    other = replace(one, membership_id=98, user_id=98)
    assert answer(facts(one, other)) == ("rank", 403)


def test_an_operator_is_not_above_an_auditor() -> None:
    auditor = replace(PARTIES["Opal"], membership_id=98, user_id=98, role=Role.AUDITOR)
    assert answer(facts("Opal", auditor)) == ("rank", 403)


def test_a_supervisor_is_not_above_an_auditor_in_their_team() -> None:
    assert answer(facts("Bruno", "Amos", leads=True)) == ("rank", 403)


def test_nobody_stands_in_for_a_platform_admin() -> None:
    second = replace(PARTIES["Ada"], membership_id=98, user_id=98)
    assert answer(facts("Ada", second)) == ("rank", 403)
    assert answer(facts("Ada", "Axel")) is None


def test_even_a_root_above_the_root_would_not_be_a_platform_admin() -> None:
    upstart = replace(PARTIES["Olaf"], path="/")
    assert answer(facts(upstart, "Ada")) == ("rank", 403)


def test_a_profile_ranks_as_its_sponsor() -> None:
    elsa = sponsored("Elsa", at="Zoo")
    zoes_admin = replace(PARTIES["Zoe"], role=Role.ADMIN)
    zoes_auditor = replace(PARTIES["Zoe"], role=Role.AUDITOR)
    assert answer(facts(elsa, zoes_admin)) is None
    assert answer(facts(elsa, zoes_auditor)) is None
    plain_operator = replace(elsa, sponsored=False)
    assert answer(facts(plain_operator, zoes_admin)) == ("rank", 403)


# live


@pytest.mark.parametrize("act", ACTS)
def test_who_is_discarded_stands_in_for_nobody(act: Act) -> None:
    gone = replace(PARTIES["Olaf"], live=False)
    assert answer(facts(gone, "Bea", act)) == ("live", 409)


@pytest.mark.parametrize("act", ACTS)
def test_nobody_stands_in_for_who_is_discarded(act: Act) -> None:
    gone = replace(PARTIES["Bea"], live=False)
    assert answer(facts("Olaf", gone, act)) == ("live", 409)
    assert answer(facts("Olaf", gone, act, mode="look")) == ("live", 409)


@pytest.mark.parametrize("act", ACTS)
def test_the_staff_of_a_closed_tenant_stands_in_for_nobody(act: Act) -> None:
    closed = replace(PARTIES["Olaf"], closed=True)
    assert answer(facts(closed, "Bea", act)) == ("live", 409)
    assert answer(facts(closed, "Bea", act, mode="look")) == ("live", 409)


def test_at_a_closed_company_the_staff_above_may_still_look() -> None:
    closed = replace(PARTIES["Bea"], closed=True)
    assert answer(facts("Olaf", closed)) == ("live", 409)
    assert answer(facts("Olaf", closed, mode="look")) is None


def test_nobody_binds_to_a_closed_company_not_even_to_look() -> None:
    closed = replace(PARTIES["Bea"], closed=True)
    assert answer(facts("Olaf", closed, Act.BIND, mode="look")) == ("live", 409)


def test_at_a_closed_company_its_own_staff_does_not_look() -> None:
    boris, bea = (replace(PARTIES[name], closed=True) for name in ("Boris", "Bea"))
    assert answer(facts(boris, bea, mode="look")) == ("live", 409)
    # Whoever is of the same company is no ancestor, were it only half closed.
    assert answer(facts("Boris", bea, mode="look")) == ("live", 409)


# nested


@pytest.mark.parametrize("act", ACTS)
def test_who_stands_in_already_cannot_go_on_from_there(act: Act) -> None:
    assert answer(facts("Olaf", "Bea", act, standing_in=True)) == ("nested", 409)
    assert answer(facts("Olaf", "Bea", act, standing_in=False)) is None


# policy


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize(
    ("policy", "missing", "given"),
    [
        (Policy(stand_ins=StandIns.NEVER), {"consented": True}, None),
        (Policy(stand_ins=StandIns.CONSENT), {}, {"consented": True}),
        (Policy(reason=1), {}, {"reason": SITE_VISIT}),
        (Policy(reason=1), {"reason": "too short"}, {"reason": SITE_VISIT}),
        (Policy(ticket=1), {"ticket": ""}, {"ticket": "T-1"}),
        (Policy(look=Look.LOOK_ONLY), {"mode": "full"}, {"mode": "look"}),
        (Policy(second_factor=1), {}, {"second_factor": True}),
        (Policy(reason=1, ticket=1), {"reason": SITE_VISIT}, {"reason": SITE_VISIT, "ticket": "T-1"}),
    ],
)
def test_what_a_company_asks_for_is_asked_of_every_stand_in(
    act: Act, policy: Policy, missing: dict[str, object], given: dict[str, object] | None
) -> None:
    assert answer(facts("Olaf", "Bea", act, policy=policy, **missing)) == ("policy", 403)
    if given is not None:
        assert answer(facts("Olaf", "Bea", act, policy=policy, **given)) is None


def test_looking_first_is_an_offer_and_refuses_nothing() -> None:
    assert answer(facts("Olaf", "Bea", policy=Policy(look=Look.LOOK_FIRST))) is None


# layer


LAYER = Policy(binding_reach=BindingReach.LAYER)


@pytest.mark.parametrize("act", ACTS)
def test_elsa_meets_layer_at_zoe_and_her_profile_in_zoo_does_not(act: Act) -> None:
    assert answer(facts("Elsa", "Zoe", act, policy=LAYER)) == ("layer", 403)
    assert answer(facts(sponsored("Elsa", at="Zoo"), "Zoe", act, policy=LAYER)) is None


def test_layer_holds_for_everybody_above_even_the_platform() -> None:
    assert answer(facts("Sven", "Zoe", policy=LAYER)) == ("layer", 403)
    assert answer(facts("Ada", "Zoe", policy=LAYER)) == ("layer", 403)


def test_layer_lets_the_companys_own_admin() -> None:
    boris, bea = PARTIES["Boris"], PARTIES["Bea"]
    assert answer(facts(boris, bea, policy=LAYER)) is None


def test_layer_does_not_lift_rank() -> None:
    admin = replace(PARTIES["Zoe"], role=Role.ADMIN)
    peer = replace(admin, membership_id=98, user_id=98)
    assert answer(facts(peer, admin, policy=LAYER)) == ("rank", 403)


# The order, and the words


def test_what_may_not_be_known_is_asked_first() -> None:
    gone = replace(PARTIES["Zoe"], live=False, closed=True)
    everything = facts("Olaf", gone, standing_in=True, policy=Policy(stand_ins=StandIns.NEVER))
    assert answer(everything) == ("reach", 404)


def test_outside_the_reach_every_cause_has_the_same_words() -> None:
    variants = [
        facts("Olaf", "Zoe"),
        facts("Olaf", replace(PARTIES["Zoe"], live=False)),
        facts("Olaf", replace(PARTIES["Zoe"], closed=True)),
        facts("Olaf", "Ada"),
        Facts(Act.BIND, PARTIES["Olaf"], None, place_path=PATHS["Zoo"], place_id=9),
    ]
    assert len({str(judge(each)) for each in variants}) == 1


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_taken_alone_lets_the_plain_case_pass(rule: object) -> None:
    assert callable(rule)
    assert rule(facts("Olaf", "Bea")) is None


def test_a_refusal_carries_rule_status_and_a_sentence_for_people() -> None:
    refused = judge(facts("Elsa", "Zoe", policy=LAYER))
    assert isinstance(refused, Refused)
    assert "Create your own user in Zoo" in refused.sentence
