"""Role x Permission: the one table that says which role may do what, grant what and lend what."""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    ADMIN = "admin"
    OPERATOR = "operator"
    SUPERVISOR = "supervisor"
    AUDITOR = "auditor"
    MEMBER = "member"


class Permission(StrEnum):
    SEE_TENANTS = "see_tenants"
    MANAGE_TENANTS = "manage_tenants"
    SEE_PEOPLE = "see_people"
    MANAGE_PEOPLE = "manage_people"
    INVITE_MEMBERS = "invite_members"
    SEE_PHONES = "see_phones"
    MANAGE_PHONES = "manage_phones"
    SEE_APPS = "see_apps"
    MANAGE_APPS = "manage_apps"
    SEE_STAND_INS = "see_stand_ins"
    STAND_IN = "stand_in"
    END_STAND_INS = "end_stand_ins"
    MANAGE_POLICY = "manage_policy"
    READ_HISTORY = "read_history"
    EXPORT_HISTORY = "export_history"
    SEE_COMPANY_RECORDS = "see_company_records"
    EDIT_COMPANY_RECORDS = "edit_company_records"
    KEEP_TEAMS = "keep_teams"
    OWN_ACCOUNT = "own_account"


class Span(StrEnum):
    """How far a role's reach goes from the tenant of its membership."""

    SUBTREE = "subtree"
    TENANT = "tenant"
    SELF = "self"


@dataclass(frozen=True)
class Rights:
    """One row of the table: what a role may do, how far, and what it may grant, outrank and lend."""

    span: Span
    may: frozenset[Permission]
    grants: frozenset[Role]
    above: frozenset[Role]
    lends: frozenset[Permission]


_P = Permission
_EVERYTHING = frozenset(Permission)
_SEE = frozenset(
    {
        _P.SEE_TENANTS,
        _P.SEE_PEOPLE,
        _P.SEE_PHONES,
        _P.SEE_APPS,
        _P.SEE_STAND_INS,
        _P.READ_HISTORY,
        _P.SEE_COMPANY_RECORDS,
        _P.OWN_ACCOUNT,
    }
)
_MANAGING = frozenset(
    {_P.MANAGE_PEOPLE, _P.MANAGE_POLICY, _P.MANAGE_APPS, _P.MANAGE_TENANTS, _P.INVITE_MEMBERS, _P.KEEP_TEAMS}
)
_MEMBERS_OWN = frozenset({_P.OWN_ACCOUNT})

RIGHTS: dict[Role, Rights] = {
    Role.ADMIN: Rights(
        span=Span.SUBTREE,
        may=_EVERYTHING,
        # A tenant's own admins may grant admin, though nobody is above an admin of the same tenant.
        grants=frozenset(Role),
        above=frozenset({Role.OPERATOR, Role.SUPERVISOR, Role.AUDITOR, Role.MEMBER}),
        lends=_EVERYTHING,
    ),
    Role.OPERATOR: Rights(
        span=Span.SUBTREE,
        may=_SEE | {_P.STAND_IN, _P.END_STAND_INS},
        grants=frozenset(),
        above=frozenset({Role.SUPERVISOR, Role.MEMBER}),
        lends=_EVERYTHING - _MANAGING,
    ),
    Role.SUPERVISOR: Rights(
        span=Span.TENANT,
        may=frozenset(
            {
                _P.SEE_TENANTS,
                _P.SEE_PEOPLE,
                _P.SEE_PHONES,
                _P.INVITE_MEMBERS,
                _P.SEE_COMPANY_RECORDS,
                _P.EDIT_COMPANY_RECORDS,
                _P.KEEP_TEAMS,
                _P.STAND_IN,
            }
        )
        | _MEMBERS_OWN
        | {_P.SEE_STAND_INS, _P.END_STAND_INS},
        grants=frozenset({Role.MEMBER}),
        above=frozenset({Role.MEMBER}),
        lends=_MEMBERS_OWN,
    ),
    Role.AUDITOR: Rights(
        span=Span.SUBTREE,
        may=_SEE | {_P.EXPORT_HISTORY},
        grants=frozenset(),
        above=frozenset(),
        lends=frozenset(),
    ),
    Role.MEMBER: Rights(
        span=Span.SELF,
        may=_MEMBERS_OWN,
        grants=frozenset(),
        above=frozenset(),
        lends=frozenset(),
    ),
}

ADMIN_ACCESS = frozenset({Role.ADMIN, Role.OPERATOR})
"""The roles that seed 000 calls "Admin Access": they may be bound."""


def may(role: Role, permission: Permission) -> bool:
    """Whether a role holds a permission; unknown roles hold none."""
    rights = RIGHTS.get(role)
    return rights is not None and permission in rights.may


def grants(role: Role, granted: Role) -> bool:
    """Whether somebody of `role` may give `granted` to another membership of the same tenant or below."""
    rights = RIGHTS.get(role)
    return rights is not None and granted in rights.grants


def above(role: Role, other: Role) -> bool:
    """Whether `role` outranks `other` within one tenant."""
    rights = RIGHTS.get(role)
    return rights is not None and other in rights.above
