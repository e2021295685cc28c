"""The one table of roles, held against product.md section 3, written down here a second time by hand."""

import pytest

from tenants.actor import Actor, Identity, Via
from tenants.reach import Extent
from tenants.roles import ADMIN_ACCESS, RIGHTS, Permission, Role, Span, above, grants, may

P = Permission

INTENT: dict[Role, tuple[Span, str, str, str]] = {
    # role: (reach, may, may grant, above in the same tenant)
    Role.ADMIN: (
        Span.SUBTREE,
        "everything",
        "admin operator supervisor auditor member",
        "operator supervisor auditor member",
    ),
    Role.OPERATOR: (
        Span.SUBTREE,
        "see_tenants see_people see_phones see_apps see_stand_ins read_history own_account stand_in end_stand_ins "
        "see_company_records",
        "",
        "supervisor member",
    ),
    Role.SUPERVISOR: (
        Span.TENANT,
        "see_tenants see_people see_phones invite_members edit_company_records stand_in see_stand_ins end_stand_ins "
        "own_account see_company_records keep_teams",
        "member",
        "member",
    ),
    Role.AUDITOR: (
        Span.SUBTREE,
        "see_tenants see_people see_phones see_apps see_stand_ins read_history export_history own_account "
        "see_company_records",
        "",
        "",
    ),
    Role.MEMBER: (Span.SELF, "own_account", "", ""),
}
MANAGING = {P.MANAGE_PEOPLE, P.MANAGE_POLICY, P.MANAGE_APPS, P.MANAGE_TENANTS, P.INVITE_MEMBERS, P.KEEP_TEAMS}


@pytest.mark.parametrize("role", Role)
def test_the_table_is_what_was_intended(role: Role) -> None:
    span, permissions, granted, outranked = INTENT[role]
    rights = RIGHTS[role]
    assert rights.span is span
    everything = " ".join(Permission)
    assert sorted(rights.may) == sorted((everything if permissions == "everything" else permissions).split())
    assert sorted(rights.grants) == sorted(granted.split())
    assert sorted(rights.above) == sorted(outranked.split())


def test_what_each_role_lends() -> None:
    assert RIGHTS[Role.ADMIN].lends == set(Permission)
    assert RIGHTS[Role.OPERATOR].lends == set(Permission) - MANAGING
    assert RIGHTS[Role.SUPERVISOR].lends == RIGHTS[Role.MEMBER].may
    assert RIGHTS[Role.AUDITOR].lends == set()
    assert RIGHTS[Role.MEMBER].lends == set()


def test_nobody_is_above_themselves_and_nobody_above_an_admin() -> None:
    assert not any(above(role, role) for role in Role)
    assert not any(above(role, Role.ADMIN) for role in Role)


def test_an_auditor_changes_nothing() -> None:
    changes = ("manage", "invite", "edit", "keep")
    changing = {permission for permission in Permission if permission.value.startswith(changes)}
    assert not RIGHTS[Role.AUDITOR].may & (changing | {P.STAND_IN, P.END_STAND_INS})


def test_admin_access_is_admin_or_operator() -> None:
    assert {Role.ADMIN, Role.OPERATOR} == ADMIN_ACCESS


@pytest.mark.parametrize("unknown", ["", "root", "superadmin", "ADMIN"])
def test_an_unknown_role_holds_nothing(unknown: str) -> None:
    """B20: what is not in the table is refused, not passed."""
    assert not may(unknown, P.OWN_ACCOUNT)  # type: ignore[arg-type]
    assert not grants(unknown, Role.MEMBER)  # type: ignore[arg-type]
    assert not above(unknown, Role.MEMBER)  # type: ignore[arg-type]


# Two people in one request


def identity(number: int, role: Role, *, sponsor: str | None = None) -> Identity:
    return Identity(number, number, f"N{number}", "n@x.example", role, 4, "Bakery", "customer", "/1/2/3/4/", sponsor)


@pytest.mark.parametrize("true", Role)
@pytest.mark.parametrize("apparent", Role)
def test_standing_in_never_adds_a_right(true: Role, apparent: Role) -> None:
    """B2: what somebody may as another is within what the other may, and within what they may lend."""
    acting = Actor(identity(1, true), identity(2, apparent), via=Via.IMPERSONATION)
    allowed = {permission for permission in Permission if acting.may(permission)}
    assert allowed == RIGHTS[apparent].may & RIGHTS[true].lends


def test_as_oneself_nothing_is_taken_away() -> None:
    acting = Actor.of(identity(1, Role.OPERATOR))
    assert not acting.standing_in
    assert {permission for permission in Permission if acting.may(permission)} == RIGHTS[Role.OPERATOR].may


def test_the_house_itself_has_no_rights_and_no_place() -> None:
    house = Actor.house("seed")
    assert not any(house.may(permission) for permission in Permission)
    assert house.reach().extent is Extent.NOTHING


@pytest.mark.parametrize(
    ("role", "extent"),
    [
        (Role.ADMIN, Extent.SUBTREE),
        (Role.OPERATOR, Extent.SUBTREE),
        (Role.SUPERVISOR, Extent.TENANT),
        (Role.AUDITOR, Extent.SUBTREE),
        (Role.MEMBER, Extent.SELF),
    ],
)
def test_how_far_a_request_reaches(role: Role, extent: Extent) -> None:
    assert Actor.of(identity(1, role)).reach().extent is extent


def test_standing_in_one_reaches_what_the_other_reaches() -> None:
    acting = Actor(identity(1, Role.ADMIN), identity(2, Role.MEMBER), via=Via.IMPERSONATION)
    assert acting.reach().extent is Extent.SELF
    assert acting.reach().membership_id == 2


def test_a_profile_from_above_reaches_its_one_company() -> None:
    assert Actor.of(identity(1, Role.OPERATOR, sponsor="Elm")).reach().extent is Extent.TENANT
