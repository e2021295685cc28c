"""Groups over SCIM: the teams of one company. Who leads a team is said by its admins, and not here."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from scim2_models import Context, InvalidValueException, Meta, Reference, Resource, SearchRequest

from bindings.recheck import recheck
from control.scim.asking import Attributes, Exact, Several, find
from control.scim.dialects import with_bare_members
from control.scim.documents import POLICY, Group, TeamMate, User
from control.scim.opening import Work
from control.scim.records import Listed, Told, external_id_in, number_in, patched, require_version, told
from tenants.invitations import Invitation
from tenants.people import find_membership
from tenants.provisioning import Provisioned, people, people_of_teams, places, provisioned
from tenants.refusals import OutOfReach
from tenants.teams import Team, find_place
from tenants.trail import Entry

KIND: type[Resource[Any]] = Group


async def listed(work: Work, asked: SearchRequest[Any]) -> Listed:
    """A page of them."""
    teams = _teams(work.tenant.id)
    found = await find(work.session, teams, _attributes(teams, work.tenant.id), asked, "number")
    return Listed(found.total, found.start, [told(each, asked) for each in await _shapes(work, found.rows)])


async def shown(work: Work, number: str, asked: SearchRequest[Any] | None = None) -> Told:
    """One of them."""
    return told(await _shape(work, number_in(number)), asked)


async def created(work: Work, raw: dict[str, Any]) -> str:
    """A new team with these people."""
    resource = Group.model_validate(raw, scim_ctx=Context.RESOURCE_CREATION_REQUEST, scim_policy=POLICY)
    team = await Team.create(work.session, work.tenant, str(resource.display_name), work.now)
    await team.keep_external_id(work.session, external_id_in(resource))
    await _seat(work, team, set(), _numbers(resource))
    return str(team.id)


async def replaced(work: Work, number: str, raw: dict[str, Any], version: str | None) -> None:
    """As it is sent: whoever is not in the list is out of the team."""
    before = await _shape(work, number_in(number))
    require_version(before, version)
    resource = Group.model_validate(raw, scim_ctx=Context.RESOURCE_REPLACEMENT_REQUEST, scim_policy=POLICY)
    await _settle(work, number_in(number), before, resource)


async def changed(work: Work, number: str, raw: dict[str, Any], version: str | None) -> None:
    """What the operations change of it."""
    before = await _shape(work, number_in(number))
    require_version(before, version)
    await _settle(work, number_in(number), before, patched(Group, before, with_bare_members(raw)))


async def removed(work: Work, number: str, version: str | None) -> None:
    """Nobody leads or is in it any more; the record stays."""
    require_version(await _shape(work, number_in(number)), version)
    team = await work.session.get_one(Team, number_in(number))
    await team.discard(work.session, work.now)
    await recheck(work.session, work.tenant, work.now)


async def _settle(work: Work, number: int, before: Group, resource: Group) -> None:
    team = await work.session.get_one(Team, number)
    await team.rename(work.session, str(resource.display_name or ""))
    await team.keep_external_id(work.session, external_id_in(resource))
    await _seat(work, team, _numbers(before), _numbers(resource))


async def _seat(work: Work, team: Team, before: set[int], wanted: set[int]) -> None:
    """Put in who is new, take out who is not wanted any more."""
    for person in await _known(work, wanted - before):
        await _put_in(work, team, person)
    gone = await provisioned(work.session, work.tenant.id, before - wanted) if before - wanted else []
    for person in gone:
        if person.membership_id is not None:
            await (await find_place(work.session, team.id, person.membership_id)).leave(work.session, work.now)
        else:
            invitation = await work.session.get_one(Invitation, person.invitation_id)
            await invitation.mean_teams(work.session, invitation.teams - {team.id})
    if gone:
        await recheck(work.session, work.tenant, work.now)


async def _known(work: Work, numbers: set[int]) -> list[Provisioned]:
    """People of this company by these numbers; InvalidValueException for anybody else's, or for nobody's."""
    found = await provisioned(work.session, work.tenant.id, numbers) if numbers else []
    if missing := numbers - {person.number for person in found}:
        raise InvalidValueException(detail=f"There is no user {min(missing)} here.")
    return found


async def _put_in(work: Work, team: Team, person: Provisioned) -> None:
    """Into the team now, or once they have joined."""
    if person.membership_id is None:
        invitation = await work.session.get_one(Invitation, person.invitation_id)
        await invitation.mean_teams(work.session, invitation.teams | {team.id})
        return
    if not person.active:
        raise InvalidValueException(detail=f"User {person.number} is not active.")
    await team.add(work.session, work.actor, await find_membership(work.session, person.membership_id))


def _numbers(resource: Group) -> set[int]:
    found = set()
    for each in resource.members or []:
        try:
            found.add(number_in(each.value))
        except OutOfReach:
            raise InvalidValueException(detail="A member is a user, by id.") from None
    return found


def _teams(tenant_id: int) -> sa.Subquery:
    """The company's teams in use."""
    return (
        sa.select(
            Team.id.label("number"),
            Team.name.label("name"),
            Team.external_id.label("external_id"),
            Team.created_at.label("created_at"),
            sa.func.coalesce(Entry.occurred_at, Team.created_at).label("changed_at"),
        )
        .outerjoin(Entry, Entry.id == Team.last_entry_id)
        .where(Team.tenant_id == tenant_id, Team.discarded_at.is_(None))
        .subquery("teams_in_use")
    )


async def _shape(work: Work, number: int) -> Group:
    teams = _teams(work.tenant.id)
    found = (await work.session.execute(sa.select(*teams.c).where(teams.c.number == number))).all()
    if not found:
        raise OutOfReach
    return (await _shapes(work, found))[0]


async def _shapes(work: Work, found: Sequence[Any]) -> list[Group]:
    inside = await people_of_teams(work.session, {row.number for row in found}, work.tenant.id) if found else {}
    return [_shaped(work.root, row, inside[row.number]) for row in found]


def _shaped(root: str, row: Any, inside: set[int]) -> Group:
    mates = [TeamMate(value=str(number), ref=Reference[User](f"{root}/Users/{number}")) for number in sorted(inside)]
    return Group(
        id=str(row.number),
        external_id=row.external_id,
        display_name=row.name,
        members=mates or None,
        meta=Meta(
            resource_type="Group",
            created=row.created_at,
            last_modified=row.changed_at,
            location=f"{root}/Groups/{row.number}",
        ),
    )


def _attributes(teams: sa.Subquery, tenant_id: int) -> Attributes:
    """What they are found by and put in order by."""
    column, taken = teams.c, places(tenant_id)
    known = sa.select(people(tenant_id).c.number)
    inside = sa.select(taken.c.number).where(taken.c.team_id == column.number, taken.c.number.in_(known))
    return Attributes(
        {
            "id": sa.cast(column.number, Exact()),
            "externalid": sa.type_coerce(column.external_id, Exact()),
            "displayname": column.name,
            "meta.resourcetype": sa.literal("Group", Exact()),
            "meta.created": column.created_at,
            "meta.lastmodified": column.changed_at,
        },
        {"members": Several({"value": sa.cast(taken.c.number, Exact())}, inside)},
    )
