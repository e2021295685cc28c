"""The form of a binding: phone system, then extension, then apps, reason, ticket and end."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from operator import itemgetter

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from bindings.apps import App
from bindings.binding import Binding
from bindings.proposal import propose
from control.clock_words import local, zone_of
from control.pages.parts.fields import Fields
from tenants.actor import Actor
from tenants.people import Membership, User, find_user
from tenants.phones import Extension, PhoneSystem, find_extension, find_phone_system
from tenants.policy import Policy
from tenants.refusals import Invalid, OutOfReach
from tenants.tree import Tenant, effective_policy

MOST = 500
"""How many choices one list holds; beyond that one types a number or name first."""
EVERY = "every"
FIELDS = ("phone_system", "extension", "apps", "reason", "ticket", "until", "until_date")


@dataclass(frozen=True, slots=True)
class Choices:
    """What the form offers the reader."""

    systems: list[tuple[str, list[tuple[int, str]]]]
    """By the company that owns them."""
    system: PhoneSystem | None
    extensions: list[tuple[int, str]]
    more: bool
    """There are more extensions than fit: narrow them by `q`."""
    apps: list[tuple[str, str, None]]
    policy: Policy
    """What the chosen phone system's tenant asks for."""


async def choices_for(session: AsyncSession, fields: Fields) -> Choices:
    """The phone systems in reach, and once one is chosen its extensions with their users. OutOfReach for another's."""
    wanted = (
        sa.select(PhoneSystem, Tenant.name)
        .join(Tenant, Tenant.id == PhoneSystem.tenant_id)
        .where(PhoneSystem.discarded_at.is_(None), Tenant.discarded_at.is_(None))
        .order_by(Tenant.name, Tenant.id, PhoneSystem.name, PhoneSystem.id)
        .limit(MOST)
    )
    found = [(place, each.id, each.name) for each, place in await session.execute(wanted)]
    system = await _chosen_system(session, fields)
    if system is not None and all(number != system.id for _place, number, _name in found):
        found.append((system.tenant.name, system.id, system.name))
    owned = groupby(found, key=itemgetter(0))
    systems = [(place, [(number, name) for _place, number, name in theirs]) for place, theirs in owned]
    if system is None:
        return Choices(systems, None, [], False, [], Policy())
    extensions = await _extensions(session, system, fields.text("q"))
    live = sa.select(App).where(App.discarded_at.is_(None)).order_by(App.name).limit(MOST)
    apps = [(app.client_id, app.name, None) for app in await session.scalars(live)]
    policy = await effective_policy(session, system.tenant.path)
    return Choices(systems, system, extensions[:MOST], len(extensions) > MOST, apps, policy)


async def _chosen_system(session: AsyncSession, fields: Fields) -> PhoneSystem | None:
    """The phone system that was chosen, or the one that the chosen extension is on."""
    number = fields.number("phone_system")
    if number is not None:
        return await find_phone_system(session, number)
    if fields.text("phone_system"):
        raise OutOfReach
    extension_id = fields.number("extension")
    if extension_id is None:
        return None
    extension = await find_extension(session, extension_id)
    return await find_phone_system(session, extension.phone_system_id)


async def _extensions(session: AsyncSession, system: PhoneSystem, q: str) -> list[tuple[int, str]]:
    """ "101 Dan Dale" for each extension in use, by number; one more than fits when there are more."""
    wanted = (
        sa.select(Extension)
        .outerjoin(Membership, Membership.id == Extension.membership_id)
        .outerjoin(User, User.id == Membership.user_id)
        .where(Extension.phone_system_id == system.id, Extension.discarded_at.is_(None))
        .options(joinedload(Extension.membership).joinedload(Membership.user))
        .order_by(sa.func.length(Extension.number), Extension.number)
        .limit(MOST + 1)
    )
    for word in q.split()[:5]:
        wanted = wanted.where(
            sa.or_(Extension.number.startswith(word, autoescape=True), User.name.icontains(word, autoescape=True))
        )
    return [(one.id, _label(one)) for one in await session.scalars(wanted)]


def _label(extension: Extension) -> str:
    who = extension.membership.user.name if extension.membership else "–"
    return f"{extension.number} {who}"


async def bind(session: AsyncSession, actor: Actor, user_id: int, fields: Fields, now: datetime) -> Binding:
    """What the form asks for: one's own binding at once, a colleague's as a proposal that they answer.

    Raises the guard's refusal, Invalid for what was left out, OutOfReach.
    """
    user = await find_user(session, user_id)
    number = fields.number("extension")
    if number is None:
        raise Invalid("Choose an extension.", field="extension")
    extension = await find_extension(session, number)
    own = actor.true is not None and actor.true.user_id == user.id
    return await (Binding.make if own else propose)(
        session,
        actor,
        user,
        extension,
        now,
        apps=await chosen_apps(session, fields.all("apps")),
        reason=fields.text("reason") or None,
        ticket=fields.text("ticket") or None,
        ends_at=end_of(fields, user.zone, now),
    )


async def chosen_apps(session: AsyncSession, client_ids: list[str]) -> list[App] | None:
    """The apps that were ticked; None for every app, which is what ticking none means."""
    if not client_ids or EVERY in client_ids:
        return None
    wanted = sa.select(App).where(App.client_id.in_(client_ids), App.discarded_at.is_(None))
    apps = list(await session.scalars(wanted))
    if len(apps) != len(set(client_ids)):
        raise Invalid("One of these apps cannot be chosen any more.", field="apps")
    return apps


def end_of(fields: Fields, zone: str, now: datetime) -> datetime | None:
    """When the binding ends, by the clock of the person who makes it; None until it is released."""
    today = local(now, zone).date()
    match fields.text("until") or "released":
        case "released":
            return None
        case "hour":
            return now + timedelta(hours=1)
        case "week":
            return now + timedelta(days=7)
        case "today":
            return _end_of_day(today, zone)
        case "date":
            return _end_of_day(_day(fields.text("until_date"), today), zone)
        case _:
            raise Invalid("Choose when it ends.", field="until")


def _day(text: str, today: date) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise Invalid("Give the last day as a date.", field="until_date") from None
    if day < today:
        raise Invalid("This day is over already.", field="until_date")
    if day.year > today.year + 10:
        raise Invalid("Choose a day within the next ten years.", field="until_date")
    return day


def _end_of_day(day: date, zone: str) -> datetime:
    """Midnight after that day, where the person is: the clock may be put forward or back in between."""
    return datetime.combine(day + timedelta(days=1), time.min, tzinfo=zone_of(zone)).astimezone(UTC)
