"""Whom an app sees: the rules, and the page to show when it sees nobody yet.

`resolve` walks the table "what a login gives" of the product's rules, top to bottom. It changes nothing but a
binding that has gone stale, which ends for good the moment a login meets it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from bindings.apps import App
from bindings.binding import Binding, judged, live_binding
from bindings.impersonation import Impersonation
from tenants import policy
from tenants.actor import Identity
from tenants.identities import live_identities
from tenants.people import Membership, User
from tenants.phones import Extension, Licence, PhoneSystem
from tenants.reach import Reach
from tenants.records import Number, Record
from tenants.roles import ADMIN_ACCESS
from tenants.tree import Tenant

Asked = AsyncSession | AsyncConnection
"""Where `resolve` asks: a connection is enough to know whom the app will see; a page needs a session."""


class Because(StrEnum):
    """Why the app sees whom it sees."""

    OWN = "own"
    BINDING = "binding"
    IMPERSONATION = "impersonation"
    TOKEN = "token"


class Choice(Record):
    """Which of several own extensions somebody last chose at an app."""

    __tablename__ = "login_choices"
    __table_args__ = (sa.UniqueConstraint("user_id", "app_id"),)

    user_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("users.id"))
    app_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("apps.id"))
    membership_id: Mapped[int] = mapped_column(Number)
    extension_id: Mapped[int | None] = mapped_column(Number)
    chosen_at: Mapped[datetime]

    @classmethod
    def within(cls, reach: Reach) -> sa.ColumnElement[bool]:
        """One's own."""
        return cls.user_id == reach.user_id


@dataclass(frozen=True, slots=True)
class Seen:
    """Somebody an app may see: a membership, with the extension it has there."""

    membership_id: int
    user_id: int
    name: str
    tenant_id: int
    tenant_name: str
    path: str
    extension_id: int | None = None
    number: str | None = None
    phone_system: str | None = None


@dataclass(frozen=True, slots=True)
class Granted:
    """The app will see `subject`, because of this, until `ends_at`."""

    actor: Identity
    subject: Seen
    because: Because
    binding: Binding | None
    ends_at: datetime | None
    impersonation: Impersonation | None = None
    told: policy.Notice = policy.Notice.NONE
    """Whether the subject is told of each login through a binding, as the facts had it that the guard was asked by."""


@dataclass(frozen=True, slots=True)
class Notice:
    """No login yet: a page says why. `error` is what the app is told instead under `prompt=none` or on "back"."""

    kind: str
    """stale, proposed, choose, no_extension, no_licence, not_admin, not_yours, would_change"""
    error: str
    sentence: str
    binding: Binding | None = None
    choices: tuple[Seen, ...] = ()
    subject: Seen | None = None
    admins: tuple[Seen, ...] = ()
    fallback: App | None = None
    rule: str = ""
    """Why a binding is stale, by the rule's name."""


@dataclass(frozen=True, slots=True)
class Step:
    """One row of the table as it was walked: for the page that explains a login before it happens."""

    rule: str
    outcome: str
    pattern: str
    """The sentence, with a place for each name in `said`: translators have it whole."""
    said: Mapping[str, str] = field(default_factory=dict)

    @property
    def sentence(self) -> str:
        """In the language of the source."""
        return self.spoken(str)

    def spoken(self, say: Callable[[str], str]) -> str:
        """In the language that `say` translates into."""
        return say(self.pattern) % self.said if self.said else say(self.pattern)


async def resolve(
    session: Asked,
    user_id: int,
    app: App,
    now: datetime,
    *,
    current_membership_id: int | None = None,
    identities: Sequence[Identity] | None = None,
    chosen_extension_id: int | None = None,
    chosen_profile_id: int | None = None,
    as_myself: bool = False,
    choose: bool = False,
    steps: list[Step] | None = None,
) -> Granted | Notice:
    """Whom the app will see for this person now, or the page to show instead.

    `identities` are the person's live ones when this very request has read them already;
    `as_myself` passes over bindings, `choose` asks again as which of their profiles, `steps` collects how it was
    decided.
    """
    said = steps if steps is not None else []
    live = await live_identities(session, user_id=user_id) if identities is None else identities
    identities = sorted(live, key=lambda each: (each.membership_id != current_membership_id, each.membership_id))
    if not identities:
        return Notice("not_yours", "access_denied", "You are not active in any organization.")
    binding = None if as_myself else await live_binding(session, user_id, app.id)
    if binding is not None:
        stale, found = await judged(session, binding, now)
        if stale is not None:
            said.append(Step("binding", "stale", stale.sentence))
            return Notice("stale", "interaction_required", stale.sentence, binding=binding, rule=stale.rule)
        if binding.accepted_at is None:
            said.append(Step("binding", "proposed", "waits for an answer: %(name)s", {"name": binding.label}))
            return Notice("proposed", "interaction_required", "A binding waits for your answer.", binding=binding)
        said.append(Step("binding", "holds", "bound to %(name)s", {"name": binding.label}))
        told = found.facts.policy.notice if found else policy.Notice.NONE
        return await _bound(session, identities, binding, app, said, told)
    said.append(Step("binding", "none", "no binding for this app"))
    chosen = (chosen_extension_id, chosen_profile_id)
    return await _own(session, user_id, identities, app, said, chosen, choose)


async def _bound(
    session: Asked,
    identities: Sequence[Identity],
    binding: Binding,
    app: App,
    said: list[Step],
    told: policy.Notice,
) -> Granted | Notice:
    subject = await seen_at(session, binding.subject_membership_id, binding.extension_id)
    actor = next((each for each in identities if each.membership_id == binding.membership_id), None)
    if actor is None or subject is None:
        sentence = "The membership it was made with is not active."
        return Notice("stale", "interaction_required", sentence, binding, rule="live")
    refused = await fits(session, app, subject, actor, said)
    return refused or Granted(actor, subject, Because.BINDING, binding, binding.ends_at, told=told)


async def _own(
    session: Asked,
    user_id: int,
    identities: Sequence[Identity],
    app: App,
    said: list[Step],
    chosen: tuple[int | None, int | None],
    choose: bool,
) -> Granted | Notice:
    """Oneself, with the one own extension that fits, the last chosen one, or a chooser.

    `chosen` is what was picked there: an extension, or a membership that has none.
    """
    owner_path = await _owner_path(session, app)
    own = [seen for seen in await own_extensions(session, identities) if seen.path.startswith(owner_path)]
    licensed = [seen for seen in own if app.product_id is None or await licence_of(session, app, seen)]
    usable = licensed or own
    if (choose or chosen[1] is not None) and not app.needs_extension:
        usable = [*usable, *await _without_number(session, identities, owner_path, own)]
    if not usable:
        return await _without_extension(session, identities, app, owner_path, said)
    picked = await _pick(session, user_id, app, usable, chosen, choose)
    if picked is None:
        said.append(Step("own", "choose", "several extensions fit"))
        return Notice("choose", "interaction_required", "Which extension do you want to use?", choices=tuple(usable))
    names = {"number": picked.number or "", "tenant": picked.tenant_name}
    said.append(Step("own", "extension", "own extension %(number)s at %(tenant)s", names))
    actor = next(each for each in identities if each.membership_id == picked.membership_id)
    refused = await fits(session, app, picked, actor, said)
    return refused or Granted(actor, picked, Because.OWN, None, None)


async def _without_extension(
    session: Asked, identities: Sequence[Identity], app: App, owner_path: str, said: list[Step]
) -> Granted | Notice:
    here = [each for each in identities if each.path.startswith(owner_path)]
    if app.needs_extension or not here:
        said.append(Step("own", "no extension", "no extension of one's own for this app"))
        sentence = f"You have no extension for {app.name}." if here else f"{app.name} is not for your organization."
        return Notice("no_extension" if here else "not_yours", "access_denied", sentence)
    subject = await seen_at(session, here[0].membership_id, None)
    if subject is None:
        return Notice("not_yours", "access_denied", "You are not active there.")
    refused = await fits(session, app, subject, here[0], said)
    return refused or Granted(here[0], subject, Because.OWN, None, None)


async def _without_number(
    session: Asked, identities: Sequence[Identity], owner_path: str, own: Sequence[Seen]
) -> list[Seen]:
    """Their other profiles where the app may sign them in: the ones without an extension."""
    with_one = {seen.membership_id for seen in own}
    others = [each for each in identities if each.path.startswith(owner_path) and each.membership_id not in with_one]
    found = [await seen_at(session, each.membership_id, None) for each in others]
    return [seen for seen in found if seen is not None]


async def _pick(
    session: Asked, user_id: int, app: App, fits: list[Seen], chosen: tuple[int | None, int | None], choose: bool
) -> Seen | None:
    extension, profile = chosen
    if extension is not None:
        return next((seen for seen in fits if seen.extension_id == extension), None)
    if profile is not None:
        return next((seen for seen in fits if seen.extension_id is None and seen.membership_id == profile), None)
    if len(fits) == 1:
        return fits[0]
    if choose:
        return None
    rows = Choice.__table__
    last = await session.execute(
        sa.select(rows.c.extension_id).where(rows.c.user_id == user_id, rows.c.app_id == app.id)
    )
    extension_id = last.scalar_one_or_none()
    return next((seen for seen in fits if seen.extension_id == extension_id), None)


async def fits(session: Asked, app: App, subject: Seen, actor: Identity, said: list[Step]) -> Notice | None:
    """None when the app may sign this subject in, who holds its product, and is its app admin where it asks for one."""
    if not subject.path.startswith(await _owner_path(session, app)):
        said.append(Step("owner", "refused", "the app belongs to another organization"))
        return Notice("not_yours", "access_denied", f"{app.name} is not for {subject.tenant_name}.", subject=subject)
    if app.product_id is not None and subject.extension_id is not None:
        licence, number = await licence_of(session, app, subject), {"number": subject.number or ""}
        if licence is None:
            said.append(Step("licence", "missing", "extension %(number)s has no licence", number))
            sentence = f"Extension {subject.number} has no licence for {app.name}."
            return Notice("no_licence", "access_denied", sentence, subject=subject)
        said.append(Step("licence", "holds", "extension %(number)s has a licence", number))
        if app.admin_only and not (licence.app_admin and _passes_admin_on(actor, subject)):
            return await _not_admin(session, app, subject, said)
    elif app.admin_only:
        return await _not_admin(session, app, subject, said)
    return None


def _passes_admin_on(actor: Identity, subject: Seen) -> bool:
    """`app_admin` is one's own, or passed on only to an admin or operator."""
    return actor.membership_id == subject.membership_id or actor.role in ADMIN_ACCESS


async def _not_admin(session: Asked, app: App, subject: Seen, said: list[Step]) -> Notice:
    names = {"name": subject.name, "app": app.name}
    said.append(Step("admin", "refused", "%(name)s is not an admin of %(app)s", names))
    # A bare connection only learns that there will be a page; who draws it asks again with a session.
    fallback = None
    if isinstance(session, AsyncSession) and app.fallback_id is not None:
        fallback = await session.get(App, app.fallback_id)
    return Notice(
        "not_admin",
        "interaction_required",
        f"{subject.name} is not an admin of {app.name}.",
        subject=subject,
        admins=tuple(await app_admins(session, app, subject.tenant_id)),
        fallback=fallback,
    )


async def _owner_path(session: Asked, app: App) -> str:
    tree = Tenant.__table__
    return str((await session.execute(sa.select(tree.c.path).where(tree.c.id == app.tenant_id))).scalar_one())


_members, _people, _tree = Membership.__table__, User.__table__, Tenant.__table__
_phones, _systems, _licences = Extension.__table__, PhoneSystem.__table__, Licence.__table__

_SEEN = (
    sa.select(
        _members.c.id,
        _members.c.user_id,
        _people.c.name,
        _members.c.tenant_id,
        _tree.c.name.label("tenant_name"),
        _tree.c.path,
        _phones.c.id.label("extension_id"),
        _phones.c.number,
        _systems.c.name.label("phone_system"),
    )
    .select_from(_members)
    .join(_people, _people.c.id == _members.c.user_id)
    .join(_tree, _tree.c.id == _members.c.tenant_id)
)
_ON_EXTENSION = _SEEN.join(
    _phones, sa.and_(_phones.c.membership_id == _members.c.id, _phones.c.discarded_at.is_(None))
).join(_systems, sa.and_(_systems.c.id == _phones.c.phone_system_id, _systems.c.discarded_at.is_(None)))


async def own_extensions(session: Asked, identities: Sequence[Identity]) -> list[Seen]:
    """The extensions in use of these memberships, in order of number."""
    return await extensions_of(session, [each.membership_id for each in identities])


async def extensions_of(session: Asked, ids: Sequence[int]) -> list[Seen]:
    """The same by the memberships' ids."""
    rows = await session.execute(_ON_EXTENSION.where(_members.c.id.in_(ids)).order_by(_phones.c.number, _phones.c.id))
    return [Seen(*row) for row in rows]


async def seen_at(session: Asked, membership_id: int, extension_id: int | None) -> Seen | None:
    """A membership with that extension, or without any."""
    if extension_id is None:
        blank = sa.null().label
        wanted = _SEEN.with_only_columns(
            *list(_SEEN.selected_columns)[:6], blank("extension_id"), blank("number"), blank("phone_system")
        )
    else:
        wanted = _ON_EXTENSION.where(_phones.c.id == extension_id)
    row = (await session.execute(wanted.where(_members.c.id == membership_id))).one_or_none()
    return Seen(*row) if row else None


async def licence_of(session: Asked, app: App, seen: Seen) -> Any:
    """The live licence of this extension for the app's product; None without one."""
    wanted = sa.select(_licences.c.id, _licences.c.app_admin).where(
        _licences.c.extension_id == seen.extension_id,
        _licences.c.product_id == app.product_id,
        _licences.c.discarded_at.is_(None),
    )
    return (await session.execute(wanted.order_by(_licences.c.id).limit(1))).one_or_none()


async def app_admins(session: Asked, app: App, tenant_id: int) -> list[Seen]:
    """The people of a tenant who are admins of the app's product: whom to bind to instead."""
    wanted = _ON_EXTENSION.join(
        _licences,
        sa.and_(
            _licences.c.extension_id == _phones.c.id,
            _licences.c.app_admin.is_(True),
            _licences.c.discarded_at.is_(None),
            _licences.c.product_id == app.product_id,
        ),
    ).where(_members.c.tenant_id == tenant_id, _members.c.discarded_at.is_(None), _people.c.discarded_at.is_(None))
    return [Seen(*row) for row in await session.execute(wanted.order_by(_phones.c.number))]


async def remember_choice(session: AsyncSession, user_id: int, app: App, seen: Seen, now: datetime) -> None:
    """Which own extension was chosen: the next login does not ask again."""
    mine = sa.select(Choice).where(Choice.user_id == user_id, Choice.app_id == app.id).with_for_update()
    row = (await session.scalars(mine)).one_or_none()
    if row is None:
        row = Choice(user_id=user_id, app_id=app.id)
        session.add(row)
    row.membership_id, row.extension_id, row.chosen_at = seen.membership_id, seen.extension_id, now
    await session.flush()
