"""Moving a tenant, with all that joins it and what is below it to the tenants outside.

Every relation is declared here: what is cut ends for good in the same transaction, what follows goes along, what
refuses stands in the way. A test walks the schema and fails on a relation that nobody declared.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.apps import App
from bindings.binding import Binding
from bindings.endings import end_membership_access
from bindings.impersonation import Impersonation, end_all
from bindings.login import LONGEST as LOGIN_LASTS
from bindings.login import Login
from tenants.actor import Actor
from tenants.api_keys import ApiKey
from tenants.consents import Consent
from tenants.email_changes import EmailChange
from tenants.invitations import Invitation
from tenants.people import Membership, User
from tenants.phones import Extension, Licence, PhoneSystem
from tenants.policy import Policy
from tenants.products import Product
from tenants.reach import Reach, below
from tenants.refusals import Conflict
from tenants.seats import limits_over, seats_used
from tenants.trail import record
from tenants.tree import Tenant, closed, effective_policy
from tenants.verbs import Verb

CAUSE = "tenant_moved"
NAMED = 5
"""How many of a kind a preview names."""


class Fate(StrEnum):
    """What a move does to a relation between what moves and what stays."""

    CUT = "cut"
    FOLLOW = "follow"
    REFUSE = "refuse"


RELATIONS: dict[str, Fate] = {
    # Stand-ins and what they opened: whoever stood in from outside starts anew, if the new place allows it
    "bindings.membership_id": Fate.CUT,
    "bindings.subject_membership_id": Fate.CUT,
    "bindings.tenant_id": Fate.CUT,
    "bindings.user_id": Fate.FOLLOW,
    "bindings.extension_id": Fate.FOLLOW,
    "bindings.made_by_id": Fate.FOLLOW,
    "binding_apps.user_id": Fate.FOLLOW,
    "binding_apps.app_id": Fate.FOLLOW,
    "impersonations.actor_membership_id": Fate.CUT,
    "impersonations.subject_membership_id": Fate.CUT,
    "impersonations.tenant_id": Fate.CUT,
    "impersonations.app_id": Fate.FOLLOW,
    "impersonations.user_id": Fate.FOLLOW,
    "impersonations.actor_tenant_id": Fate.FOLLOW,
    "impersonations.sign_in_id": Fate.FOLLOW,
    "impersonations.extension_id": Fate.FOLLOW,
    "sign_ins.impersonation_id": Fate.FOLLOW,
    # Consent was given to those who were above; whoever breaks the glass is above every place
    "consents.tenant_id": Fate.FOLLOW,
    "consents.membership_id": Fate.FOLLOW,
    "consents.to_tenant_id": Fate.CUT,
    "consents.operator_id": Fate.CUT,
    "consents.granted_by_id": Fate.FOLLOW,
    "break_glasses.tenant_id": Fate.FOLLOW,
    "break_glasses.subject_membership_id": Fate.FOLLOW,
    "break_glasses.asked_by_id": Fate.FOLLOW,
    "break_glasses.approved_by_id": Fate.FOLLOW,
    "loosenings.tenant_id": Fate.FOLLOW,
    "loosenings.asked_by_id": Fate.FOLLOW,
    "mints.actor_membership_id": Fate.FOLLOW,
    "mints.subject_membership_id": Fate.FOLLOW,
    "notices.tenant_id": Fate.FOLLOW,
    # A webhook stays its tenant's; what it is told of is asked of the tree as it stands then
    "webhooks.tenant_id": Fate.FOLLOW,
    "webhooks.seen_entry_id": Fate.FOLLOW,
    "webhook_deliveries.tenant_id": Fate.FOLLOW,
    "security_events.app_id": Fate.FOLLOW,
    "notices.subject_membership_id": Fate.FOLLOW,
    "notices.actor_membership_id": Fate.FOLLOW,
    "notices.stand_in_id": Fate.FOLLOW,
    # Logins from outside, and those at apps whose owner is no longer above
    "logins.actor_membership_id": Fate.CUT,
    "logins.subject_membership_id": Fate.CUT,
    "logins.tenant_id": Fate.CUT,
    "logins.app_id": Fate.CUT,
    "logins.user_id": Fate.FOLLOW,
    "logins.extension_id": Fate.FOLLOW,
    "login_choices.user_id": Fate.FOLLOW,
    "login_choices.app_id": Fate.FOLLOW,
    "login_choices.membership_id": Fate.FOLLOW,
    "login_choices.extension_id": Fate.FOLLOW,
    "codes.app_id": Fate.FOLLOW,
    "tokens.app_id": Fate.FOLLOW,
    "pushed_requests.app_id": Fate.FOLLOW,
    "app_consents.user_id": Fate.FOLLOW,
    "app_consents.tenant_id": Fate.FOLLOW,
    "app_consents.app_id": Fate.FOLLOW,
    # A profile lives by a sponsor above it; it takes its own sign-ins and keys along
    "memberships.sponsor_id": Fate.CUT,
    "memberships.tenant_id": Fate.FOLLOW,
    "memberships.user_id": Fate.FOLLOW,
    "memberships.role_given_by_id": Fate.FOLLOW,
    "sign_ins.user_id": Fate.FOLLOW,
    "sign_ins.membership_id": Fate.FOLLOW,
    "api_keys.tenant_id": Fate.FOLLOW,
    # A directory's key is of somebody in the company, or above it
    "api_keys.membership_id": Fate.CUT,
    "api_keys.user_id": Fate.FOLLOW,
    "service_accounts.tenant_id": Fate.FOLLOW,
    "service_accounts.membership_id": Fate.FOLLOW,
    "idempotent_answers.membership_id": Fate.FOLLOW,
    # Offers and wishes of those who are no longer above
    "invitations.invited_by_id": Fate.CUT,
    "invitations.tenant_id": Fate.FOLLOW,
    "invitations.extension_id": Fate.FOLLOW,
    "invitations.accepted_by_id": Fate.FOLLOW,
    "invitations.together_id": Fate.FOLLOW,
    "email_changes.asked_by_id": Fate.CUT,
    "email_changes.user_id": Fate.FOLLOW,
    "email_changes.tenant_id": Fate.FOLLOW,
    # People keep their home, wherever it hangs
    "users.home_tenant_id": Fate.FOLLOW,
    "links.user_id": Fate.FOLLOW,
    "links.about_id": Fate.FOLLOW,
    "totps.user_id": Fate.FOLLOW,
    "totps.tenant_id": Fate.FOLLOW,
    "recovery_codes.user_id": Fate.FOLLOW,
    "passkeys.user_id": Fate.FOLLOW,
    "passkeys.tenant_id": Fate.FOLLOW,
    "letters.tenant_id": Fate.FOLLOW,
    "letters.user_id": Fate.FOLLOW,
    # Levels: whoever stands above both the level and the place may lift; the mover always does
    "tenants.parent_id": Fate.FOLLOW,
    "tenants.discarded_level_id": Fate.FOLLOW,
    "users.discarded_level_id": Fate.FOLLOW,
    "memberships.discarded_level_id": Fate.FOLLOW,
    "suspensions.tenant_id": Fate.FOLLOW,
    "suspensions.level_id": Fate.FOLLOW,
    # Seats are the level's above: what has more than fits there does not go there
    "licences.tenant_id": Fate.REFUSE,
    "seat_limits.tenant_id": Fate.REFUSE,
    "licences.extension_id": Fate.FOLLOW,
    # What lies within one tenant
    "teams.tenant_id": Fate.FOLLOW,
    "team_members.tenant_id": Fate.FOLLOW,
    "team_members.membership_id": Fate.FOLLOW,
    "phone_systems.tenant_id": Fate.FOLLOW,
    "extensions.tenant_id": Fate.FOLLOW,
    "extensions.membership_id": Fate.FOLLOW,
    "numbers.tenant_id": Fate.FOLLOW,
    "numbers.extension_id": Fate.FOLLOW,
    "recordings.tenant_id": Fate.FOLLOW,
    "recordings.extension_id": Fate.FOLLOW,
    "recordings.membership_id": Fate.FOLLOW,
    "playbooks.tenant_id": Fate.FOLLOW,
    "playbook_versions.tenant_id": Fate.FOLLOW,
    "playbook_versions.author_membership_id": Fate.FOLLOW,
    # An app goes with its owner, and serves nobody who was not below it
    "apps.tenant_id": Fate.FOLLOW,
    "apps.fallback_id": Fate.FOLLOW,
    # History stays as it was written; whose reach holds the tenant now reads it
    "entries.tenant_id": Fate.FOLLOW,
    "entries.actor_membership_id": Fate.FOLLOW,
    "entries.actor_user_id": Fate.FOLLOW,
    "entries.actor_tenant_id": Fate.FOLLOW,
    "entries.subject_membership_id": Fate.FOLLOW,
    "entries.subject_user_id": Fate.FOLLOW,
    "entries.stand_in_id": Fate.FOLLOW,
}
"""table.column -> what becomes of it."""

_tree, _members = Tenant.__table__, Membership.__table__
_logins, _apps = Login.__table__, App.__table__

Asked = sa.SQLColumnExpression[int] | sa.SQLColumnExpression[int | None]
Rows = sa.Select[*tuple[Any, ...]]
"""A question about rows, whichever of their columns it asks for."""


@dataclass(frozen=True, slots=True)
class Border:
    """Between what moves and everything else, and the line above the new place."""

    path: str
    line: tuple[str, ...]
    """The paths of the new parent and all above it."""
    now: datetime

    def holds(self, tenant_id: Asked) -> sa.ColumnElement[bool]:
        """A tenant moves."""
        return tenant_id.in_(sa.select(_tree.c.id).where(below(_tree.c.path, self.path)))

    def holds_member(self, membership_id: Asked) -> sa.ColumnElement[bool]:
        """A membership is of a tenant that moves."""
        return membership_id.in_(sa.select(_members.c.id).where(self.holds(_members.c.tenant_id)))

    def parts(self, tenant_id: Asked, membership_id: Asked) -> sa.ColumnElement[bool]:
        """One side moves and the other stays."""
        goes, member_goes = self.holds(tenant_id), self.holds_member(membership_id)
        return sa.or_(sa.and_(goes, sa.not_(member_goes)), sa.and_(sa.not_(goes), member_goes))

    def knows_member(self, membership_id: Asked) -> sa.ColumnElement[bool]:
        """A membership moves, or is above the new place."""
        above = sa.select(_tree.c.id).where(_tree.c.path.in_(self.line))
        here = sa.or_(self.holds(_members.c.tenant_id), _members.c.tenant_id.in_(above))
        return membership_id.in_(sa.select(_members.c.id).where(here))


@dataclass(frozen=True, slots=True)
class Cut:
    """What a move ends of one kind: how many, and the first of them by name."""

    kind: str
    count: int
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Move:
    """A move before it is made."""

    tenant: Tenant
    old_parent: Tenant
    parent: Tenant
    cuts: tuple[Cut, ...]
    follows: dict[str, int]
    """How many of each kind of record go along."""
    rules: dict[str, tuple[Any, Any]]
    """Stand-in rules that become tighter: what is in force now, and there."""
    opens: bool
    """It is closed from above now, and would not be there."""


async def what_moves(
    session: AsyncSession,
    actor: Actor,
    tenant: Tenant,
    parent: Tenant,
    now: datetime,
    *,
    expected_parent_id: int | None = None,
) -> Move:
    """What `move_tenant` would do now. Refuses as it would."""
    await tenant.require_movable(session, actor, parent, expected_parent_id)
    await _require_seats(session, tenant, parent)
    border = _border(tenant, parent, now)
    old_parent = await session.get_one(Tenant, tenant.parent_id)
    return Move(
        tenant,
        old_parent,
        parent,
        tuple([await _told(session, cutting, border) for cutting in CUTTINGS]),
        {name: await _count(session, sa.select(kind).where(live)) for name, kind, live in _following(border)},
        await _tightened(session, tenant, parent),
        await closed(session, f"{old_parent.path}0/"),
    )


async def move_tenant(
    session: AsyncSession,
    actor: Actor,
    tenant: Tenant,
    parent: Tenant,
    now: datetime,
    *,
    expected_parent_id: int | None = None,
) -> None:
    """Hang it under `parent` with everything below, and cut what would lead across: all of it or nothing."""
    await tenant.require_movable(session, actor, parent, expected_parent_id)
    await _require_seats(session, tenant, parent, hold=True)
    await tenant.move(session, actor, parent, expected_parent_id=expected_parent_id)
    border = _border(tenant, parent, now)
    for cutting in CUTTINGS:
        await cutting.end(session, actor, border)


def _border(tenant: Tenant, parent: Tenant, now: datetime) -> Border:
    return Border(tenant.path, tuple(Reach.ancestors_of(parent.path)), now)


async def _require_seats(session: AsyncSession, tenant: Tenant, parent: Tenant, *, hold: bool = False) -> None:
    """Conflict (rule `seats`) when a level of the new line, that was not above before, has too few of a product."""
    known, held, tree = Reach.ancestors_of(tenant.path), Licence.__table__, _tree
    moving = sa.select(tree.c.id).where(below(tree.c.path, tenant.path))
    brought = sa.select(held.c.product_id).where(held.c.tenant_id.in_(moving), held.c.discarded_at.is_(None))
    products = sa.select(Product).where(Product.id.in_(brought)).order_by(Product.id)
    for product in (await session.scalars(products)).all():
        coming = (await seats_used(session, tenant.path, [product.id])).get(product.id, 0)
        for limit in await limits_over(session, parent.path, product.id, hold=hold):
            if limit.path in known:
                continue
            used = (await seats_used(session, limit.path, [product.id])).get(product.id, 0)
            if used + coming > limit.seats:
                raise Conflict(
                    f"{tenant.name} holds more seats of {product.name} than there is room for under {parent.name}.",
                    rule="seats",
                )


async def _tightened(session: AsyncSession, tenant: Tenant, parent: Tenant) -> dict[str, tuple[Any, Any]]:
    now, there = await effective_policy(session, tenant.path), await effective_policy(session, parent.path)
    then = Policy.tightest([now, there])
    pairs = {rule.name: (getattr(now, rule.name), getattr(then, rule.name)) for rule in fields(Policy)}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _following(border: Border) -> list[tuple[str, Any, sa.ColumnElement[bool]]]:
    """The kinds of record that go along, and which of them count."""
    kinds: list[tuple[str, Any]] = [
        ("tenants", Tenant),
        ("memberships", Membership),
        ("phone_systems", PhoneSystem),
        ("extensions", Extension),
        ("apps", App),
    ]
    return [
        (
            name,
            kind,
            sa.and_(border.holds(kind.id if kind is Tenant else kind.tenant_id), kind.discarded_at.is_(None)),
        )
        for name, kind in kinds
    ]


# What is cut: which rows of a kind lead across, how a preview names them, and how they end


@dataclass(frozen=True, slots=True)
class Cutting:
    """One kind of what a move ends."""

    kind: str
    rows: Callable[[Border], Rows]
    words: Callable[[Rows], Rows]
    """The same rows as the texts by which people know them."""
    end: Callable[[AsyncSession, Actor, Border], Awaitable[None]]


async def _told(session: AsyncSession, cutting: Cutting, border: Border) -> Cut:
    rows = cutting.rows(border)
    first = await session.execute(cutting.words(rows).limit(NAMED))
    return Cut(cutting.kind, await _count(session, rows), tuple(", ".join(map(str, each)) for each in first))


async def _count(session: AsyncSession, rows: Rows) -> int:
    return await session.scalar(rows.with_only_columns(sa.func.count(), maintain_column_froms=True)) or 0


def _bindings(border: Border) -> Rows:
    across = border.parts(Binding.tenant_id, Binding.membership_id)
    return sa.select(Binding).where(Binding.ended_at.is_(None), across)


async def _end_bindings(session: AsyncSession, actor: Actor, border: Border) -> None:
    for binding in (await session.scalars(_bindings(border))).all():
        await binding.end(session, CAUSE, border.now)


def _impersonations(border: Border) -> Rows:
    row = Impersonation
    across = border.parts(row.tenant_id, row.actor_membership_id)
    return sa.select(row).where(row.ended_at.is_(None), row.ends_at > border.now, across)


async def _end_impersonations(session: AsyncSession, actor: Actor, border: Border) -> None:
    await end_all(session, (await session.scalars(_impersonations(border))).all(), CAUSE, border.now)


def _open_logins(border: Border) -> Rows:
    """From outside, or at an app that belongs to neither what moves nor a level above its new place."""
    across = border.parts(Login.tenant_id, Login.actor_membership_id)
    above = sa.select(_tree.c.id).where(_tree.c.path.in_(border.line))
    served = sa.select(_apps.c.id).where(sa.or_(border.holds(_apps.c.tenant_id), _apps.c.tenant_id.in_(above)))
    left = sa.and_(border.holds(Login.tenant_id), Login.app_id.not_in(served))
    return sa.select(Login).where(
        Login.ended_at.is_(None),
        sa.or_(Login.ends_at.is_(None), Login.ends_at > border.now),
        Login.created_at > border.now - LOGIN_LASTS,
        sa.or_(across, left),
    )


async def _end_logins(session: AsyncSession, actor: Actor, border: Border) -> None:
    ids = (await session.scalars(_open_logins(border).with_only_columns(Login.id))).all()
    over = {"ended_at": border.now, "ended_cause": CAUSE}
    for start in range(0, len(ids), 500):
        some = _logins.c.id.in_(ids[start : start + 500])
        await session.execute(sa.update(_logins).where(some).values(**over))


def _sponsored(border: Border) -> Rows:
    """Profiles whose sponsor is not above any more."""
    return sa.select(Membership).where(
        Membership.discarded_at.is_(None),
        Membership.sponsor_id.is_not(None),
        border.holds(Membership.tenant_id),
        sa.not_(border.knows_member(Membership.sponsor_id)),
    )


async def _end_sponsored(session: AsyncSession, actor: Actor, border: Border) -> None:
    ended = []
    for membership in (await session.scalars(_sponsored(border).options(sa.orm.joinedload(Membership.user)))).all():
        await membership.discard(session, actor, border.now)
        ended.append(membership.id)
    for number in ended:
        await end_membership_access(session, number, CAUSE, border.now)


def _invitations(border: Border) -> Rows:
    """Offers that wait, of somebody who is not above any more."""
    return sa.select(Invitation).where(
        Invitation.accepted_at.is_(None),
        Invitation.revoked_at.is_(None),
        border.holds(Invitation.tenant_id),
        Invitation.invited_by_id.is_not(None),
        sa.not_(border.knows_member(Invitation.invited_by_id)),
    )


async def _end_invitations(session: AsyncSession, actor: Actor, border: Border) -> None:
    for invitation in (await session.scalars(_invitations(border))).all():
        await invitation.revoke(session, actor, border.now)


def _keys(border: Border) -> Rows:
    """By which a company is provisioned in the name of somebody who is not above any more."""
    live = sa.and_(ApiKey.revoked_at.is_(None), ApiKey.expires_at > border.now)
    return sa.select(ApiKey).where(
        live, border.holds(ApiKey.tenant_id), sa.not_(border.knows_member(ApiKey.membership_id))
    )


async def _end_keys(session: AsyncSession, actor: Actor, border: Border) -> None:
    for key in (await session.scalars(_keys(border))).all():
        await key.revoke(session, border.now)


def _email_changes(border: Border) -> Rows:
    """Another address for somebody whose home moves, asked for by who is not above any more."""
    return sa.select(EmailChange).where(
        EmailChange.applied_at.is_(None),
        EmailChange.cancelled_at.is_(None),
        border.holds(EmailChange.tenant_id),
        EmailChange.own.is_(False),
        sa.not_(border.knows_member(EmailChange.asked_by_id)),
    )


async def _end_email_changes(session: AsyncSession, actor: Actor, border: Border) -> None:
    for change in (await session.scalars(_email_changes(border))).all():
        change.cancelled_at = border.now
        record(session, Verb.EMAIL_CHANGE_CANCELLED, change, cause=CAUSE)
        await session.flush()


def _consents(border: Border) -> Rows:
    """Windows of those who are not above any more; digits that nobody has said yet are for whoever is."""
    above = sa.select(_tree.c.id).where(_tree.c.path.in_(border.line))
    known = sa.or_(border.holds(Consent.to_tenant_id), Consent.to_tenant_id.in_(above))
    lost = sa.or_(
        sa.and_(Consent.to_tenant_id.is_not(None), sa.not_(known)),
        sa.and_(Consent.operator_id.is_not(None), sa.not_(border.knows_member(Consent.operator_id))),
    )
    return sa.select(Consent).where(Consent.open_at(border.now), border.holds(Consent.tenant_id), lost)


async def _end_consents(session: AsyncSession, actor: Actor, border: Border) -> None:
    for consent in (await session.scalars(_consents(border))).all():
        await consent.cut(session, border.now, CAUSE)


def _words_of_consents(rows: Rows) -> Rows:
    """Whom it was for: the person, or the company."""
    named = rows.with_only_columns(sa.func.coalesce(User.name, Tenant.name), maintain_column_froms=True)
    return (
        named.join(Tenant, Tenant.id == Consent.tenant_id)
        .outerjoin(Membership, Membership.id == Consent.membership_id)
        .outerjoin(User, User.id == Membership.user_id)
        .order_by(Consent.id)
    )


def _subjects(rows: Rows, membership_id: Any, *more: Any) -> Rows:
    """The person at the other end, by name."""
    named = rows.with_only_columns(User.name, *more, maintain_column_froms=True)
    return named.join(Membership, Membership.id == membership_id).join(User, User.id == Membership.user_id)


def _words_of_logins(rows: Rows) -> Rows:
    return _subjects(rows, Login.subject_membership_id, App.name).join(App, App.id == Login.app_id).order_by(Login.id)


CUTTINGS = (
    Cutting(
        "bindings",
        _bindings,
        lambda rows: rows.with_only_columns(Binding.actor_name, Binding.subject_name, Binding.number).order_by(
            Binding.id
        ),
        _end_bindings,
    ),
    Cutting(
        "impersonations",
        _impersonations,
        lambda rows: _subjects(rows, Impersonation.subject_membership_id).order_by(Impersonation.id),
        _end_impersonations,
    ),
    Cutting("logins", _open_logins, _words_of_logins, _end_logins),
    Cutting(
        "memberships",
        _sponsored,
        lambda rows: (
            rows.with_only_columns(User.name, maintain_column_froms=True)
            .join(User, User.id == Membership.user_id)
            .order_by(Membership.id)
        ),
        _end_sponsored,
    ),
    Cutting(
        "invitations",
        _invitations,
        lambda rows: rows.with_only_columns(Invitation.email).order_by(Invitation.id),
        _end_invitations,
    ),
    Cutting(
        "email_changes",
        _email_changes,
        lambda rows: rows.with_only_columns(EmailChange.email).order_by(EmailChange.id),
        _end_email_changes,
    ),
    Cutting("api_keys", _keys, lambda rows: rows.with_only_columns(ApiKey.name).order_by(ApiKey.id), _end_keys),
    Cutting("consents", _consents, _words_of_consents, _end_consents),
)
"""Everything that is declared `cut`, in the order in which it ends."""
