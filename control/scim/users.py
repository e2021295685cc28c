"""Users over SCIM: the people of one company. Making one is an invitation, whoever it is for."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from scim2_models import Context, InvalidValueException, Meta, MutabilityException, Reference, Resource, SearchRequest

from bindings import endings, role_change
from control.scim.asking import Attributes, Exact, Several, find
from control.scim.dialects import with_known_address, with_plain_roles
from control.scim.documents import POLICY, Address, GivenRole, Group, InTeam, User, WholeName
from control.scim.opening import Work
from control.scim.records import Listed, Told, external_id_in, number_in, patched, require_version, told
from control.writing.invitations import send_invitations
from tenants.invitations import Invitation
from tenants.people import find_membership
from tenants.provisioning import Provisioned, find_provisioned, invite, people, places, teams_of_people
from tenants.refusals import Conflict
from tenants.roles import Role
from tenants.text import email_address, named

KIND: type[Resource[Any]] = User


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody is to be."""

    name: str
    active: bool
    role: Role
    external_id: str | None


async def listed(work: Work, asked: SearchRequest[Any]) -> Listed:
    """A page of them."""
    everybody = people(work.tenant.id)
    found = await find(work.session, everybody, _attributes(everybody, work.tenant.id), asked, "number")
    rows = [Provisioned(*row) for row in found.rows]
    return Listed(found.total, found.start, [told(each, asked) for each in await _shapes(work, rows)])


async def shown(work: Work, number: str, asked: SearchRequest[Any] | None = None) -> Told:
    """One of them."""
    return told(await _shape(work, await _found(work, number)), asked)


async def created(work: Work, raw: dict[str, Any]) -> str:
    """An invitation with its letter, by the number that its membership will have: never a word on who is known.

    With `active` false the letter waits until it is true.
    """
    sent = _filled(raw, name=None, active=True)
    resource = User.model_validate(sent, scim_ctx=Context.RESOURCE_CREATION_REQUEST, scim_policy=POLICY)
    wanted = _wanted(resource, None)
    invitation = await invite(
        work.session,
        work.actor,
        work.tenant,
        str(resource.user_name),
        wanted.name,
        wanted.role,
        wanted.external_id,
        work.now,
    )
    if wanted.active:
        await send_invitations(work.house, work.session, work.actor, [invitation], work.now)
    return str(invitation.membership_number)


async def replaced(work: Work, number: str, raw: dict[str, Any], version: str | None) -> None:
    """As it is sent; what is left out of name and `active` stays."""
    person, before = await _held(work, number, version)
    sent = _filled(raw, name=person.name, active=person.active)
    resource = User.model_validate(sent, scim_ctx=Context.RESOURCE_REPLACEMENT_REQUEST, scim_policy=POLICY)
    await _settle(work, person, before, resource)


async def changed(work: Work, number: str, raw: dict[str, Any], version: str | None) -> None:
    """What the operations change of it."""
    person, before = await _held(work, number, version)
    said = with_plain_roles(with_known_address(raw, person.email))
    await _settle(work, person, before, patched(User, before, said))


async def removed(work: Work, number: str, version: str | None) -> None:
    """The membership ends with all its access, and is not told of any more; a waiting invitation is taken back."""
    person, _ = await _held(work, number, version)
    if person.membership_id is None:
        await (await _invitation(work, person)).revoke(work.session, work.actor, work.now)
        return
    membership = await find_membership(work.session, person.membership_id)
    if membership.discarded_at is None:
        await endings.discard_membership(work.session, work.actor, membership, work.now)
    await membership.withdraw(work.session)


async def _settle(work: Work, person: Provisioned, before: User, resource: User) -> None:
    """Make them what is wanted. The address is nothing that is changed over SCIM."""
    if email_address(str(resource.user_name or ""), "userName") != person.email:
        raise MutabilityException(
            detail="An address is changed by the person, or in the panel, where the old address can object."
        )
    wanted = _wanted(resource, before)
    if person.membership_id is None:
        await _settle_invited(work, person, wanted)
    else:
        await _settle_joined(work, person, wanted)


async def _settle_invited(work: Work, person: Provisioned, wanted: Wanted) -> None:
    invitation = await _invitation(work, person)
    said = {"name": wanted.name, "role": wanted.role, "external_id": wanted.external_id}
    await invitation.rewrite(work.session, work.actor, **said)  # type: ignore[arg-type]
    if wanted.active and not person.active:
        await send_invitations(work.house, work.session, work.actor, [invitation], work.now)
    elif person.active and not wanted.active:
        await invitation.hold_back(work.session, work.actor, work.now)


async def _settle_joined(work: Work, person: Provisioned, wanted: Wanted) -> None:
    session, actor, now = work.session, work.actor, work.now
    membership = await find_membership(session, person.membership_id or 0)
    await membership.keep_external_id(session, wanted.external_id)
    # A guest's name is kept by their home: theirs stays, and whatever else was sent is done.
    if wanted.name != person.name and membership.user.home_tenant_id == work.tenant.id:
        await membership.user.change(session, name=wanted.name)
    if person.active and not wanted.active:
        await endings.discard_membership(session, actor, membership, now)
        return
    if wanted.active and not person.active:
        await endings.undiscard_membership(session, actor, membership, now)
    if wanted.active and wanted.role != membership.role:
        await role_change.change_role(session, actor, membership, wanted.role, now)


async def _invitation(work: Work, person: Provisioned) -> Invitation:
    """The waiting invitation, held; Conflict when it was taken up meanwhile."""
    wanted = sa.select(Invitation).where(Invitation.id == person.invitation_id).with_for_update()
    found = (await work.session.scalars(wanted.execution_options(populate_existing=True))).one_or_none()
    if found is None or not found.open:
        raise Conflict("They have just joined. Read it again.")
    return found


async def _found(work: Work, number: str) -> Provisioned:
    return await find_provisioned(work.session, work.tenant.id, number_in(number))


async def _held(work: Work, number: str, version: str | None) -> tuple[Provisioned, User]:
    """The person and what is told of them, in the version that is meant; their teams only for that."""
    person = await _found(work, number)
    before = await _shape(work, person) if version is not None else _shaped(work.root, person, {})
    require_version(before, version)
    return person, before


async def _shape(work: Work, person: Provisioned) -> User:
    return (await _shapes(work, [person]))[0]


async def _shapes(work: Work, found: list[Provisioned]) -> list[User]:
    teams = await teams_of_people(work.session, {each.number for each in found}, work.tenant.id) if found else {}
    return [_shaped(work.root, each, teams[each.number]) for each in found]


def _shaped(root: str, person: Provisioned, teams: dict[int, str]) -> User:
    inside = [
        InTeam(value=str(team_id), ref=Reference[Group](f"{root}/Groups/{team_id}"), display=name)
        for team_id, name in teams.items()
    ]
    return User(
        id=str(person.number),
        external_id=person.external_id,
        user_name=person.email,
        display_name=person.name,
        name=WholeName(formatted=person.name),
        active=person.active,
        emails=[Address(value=person.email, type="work", primary=True)],
        roles=[GivenRole(value=person.role)] if person.role != Role.MEMBER else None,
        groups=inside or None,
        meta=Meta(
            resource_type="User",
            created=person.created_at,
            last_modified=person.changed_at,
            location=f"{root}/Users/{person.number}",
        ),
    )


def _filled(raw: dict[str, Any], *, name: str | None, active: bool) -> dict[str, Any]:
    """What was sent, with what directories leave out: one line for the name, and whether they are in use.

    The line is `displayName`, else `name.formatted`, else the given and the family name, else `name` or the address.
    """
    sent = {key: value for key, value in raw.items() if key.lower() not in {"displayname", "name", "active"}}
    by_name = {key.lower(): value for key, value in raw.items()}
    parts = by_name.get("name")
    parts = {key.lower(): value for key, value in parts.items()} if isinstance(parts, dict) else {}
    both = " ".join(str(parts[key]) for key in ("givenname", "familyname") if parts.get(key))
    address = str(by_name.get("username") or "")
    line = by_name.get("displayname") or parts.get("formatted") or both or name or address.partition("@")[0]
    sent["displayName"] = line
    sent["name"] = {"formatted": parts.get("formatted") or line}
    sent["active"] = active if by_name.get("active") is None else by_name["active"]
    return sent


def _wanted(resource: User, before: User | None) -> Wanted:
    """What is wanted, where the name can be said in two places and the role is one of a list."""
    line = str(resource.display_name or "")
    formatted = resource.name.formatted if resource.name is not None else None
    if before is not None and line == before.display_name and formatted:
        line = formatted
    roles = {str(each.value).lower() for each in resource.roles or []}
    had = {str(each.value) for each in (before.roles if before is not None else None) or []}
    new = roles - had if len(roles) > 1 else roles
    if len(new) > 1:
        raise InvalidValueException(detail="Somebody has one role in a company.")
    value = next(iter(new), Role.MEMBER.value)
    if value not in set(Role):
        raise InvalidValueException(detail=f"Roles are {', '.join(Role)}.")
    return Wanted(named(line, "displayName"), bool(resource.active), Role(value), external_id_in(resource))


def _attributes(everybody: sa.Subquery, tenant_id: int) -> Attributes:
    """What they are found by and put in order by."""
    column, taken = everybody.c, places(tenant_id)
    role = sa.case((column.role == Role.MEMBER.value, None), else_=column.role)
    groups = {"value": sa.cast(taken.c.team_id, Exact()), "display": taken.c.name}
    return Attributes(
        {
            "id": sa.cast(column.number, Exact()),
            "externalid": sa.type_coerce(column.external_id, Exact()),
            "username": column.email,
            "displayname": column.name,
            "name.formatted": column.name,
            "active": column.active,
            "emails": column.email,
            "emails.value": column.email,
            "emails.type": sa.literal("work"),
            "emails.primary": sa.true(),
            "roles": role,
            "roles.value": role,
            "meta.resourcetype": sa.literal("User", Exact()),
            "meta.created": column.created_at,
            "meta.lastmodified": column.changed_at,
        },
        {"groups": Several(groups, sa.select(taken.c.number).where(taken.c.number == column.number))},
    )
