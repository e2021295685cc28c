"""The tree: tenants under tenants, and the suspensions that close them."""

from dataclasses import fields as fields_of
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.orm.attributes import set_committed_value

from tenants.actor import Actor, Identity
from tenants.policy import Policy, PolicyColumns
from tenants.reach import Extent, Reach, below
from tenants.records import Audited, Number, Path, Record
from tenants.refusals import Conflict, Invalid, NotPermitted, OutOfReach
from tenants.text import named, slugged
from tenants.trail import numbered, record
from tenants.verbs import Verb


class Kind(StrEnum):
    PLATFORM = "platform"
    DISTRIBUTOR = "distributor"
    RESELLER = "reseller"
    CUSTOMER = "customer"


PARENTS: dict[Kind, frozenset[Kind]] = {
    Kind.PLATFORM: frozenset(),
    Kind.DISTRIBUTOR: frozenset({Kind.PLATFORM}),
    Kind.RESELLER: frozenset({Kind.PLATFORM, Kind.DISTRIBUTOR, Kind.RESELLER}),
    Kind.CUSTOMER: frozenset({Kind.PLATFORM, Kind.DISTRIBUTOR, Kind.RESELLER}),
}
"""Under which kinds of tenant each kind may sit. Customers are leaves, the platform is the one root."""


SLUG_LENGTH = 80
PATH_LENGTH = 600
"""How long a path may be: some seventy levels."""
MOVES = 0x554E444D
"""The advisory lock that lets one move go on at a time ("UNDM")."""


class Scope(StrEnum):
    """What a suspension closes: the tenant's own people, or it and everything below."""

    STAFF = "staff"
    ALL = "all"


class Tenant(Record, Audited, PolicyColumns):
    """A node of the tree. `path` is its place: the ids from the root down, `/1/4/9/`."""

    __tablename__ = "tenants"
    noun = "tenant"
    derived = frozenset({"path", "depth"})
    lends = frozenset({"name", "zone"})

    parent_id: Mapped[int | None] = mapped_column(Number, sa.ForeignKey("tenants.id"))
    kind: Mapped[str] = mapped_column(sa.String(20))
    name: Mapped[str] = mapped_column(sa.String(200))
    slug: Mapped[str] = mapped_column(sa.String(80))
    path: Mapped[str] = mapped_column(Path)
    depth: Mapped[int]
    zone: Mapped[str] = mapped_column(sa.String(64), default="Etc/UTC")
    created_at: Mapped[datetime]
    discarded_at: Mapped[datetime | None]
    discarded_level_id: Mapped[int | None] = mapped_column(Number)
    brand_name: Mapped[str | None] = mapped_column(sa.String(200))
    brand_hue: Mapped[int | None]
    """The one colour of the panel below here, in degrees."""
    brand_support: Mapped[str | None] = mapped_column(sa.String(500))
    brand_logo: Mapped[str | None] = mapped_column(sa.String(64))
    """The hash of a Logo."""

    @classmethod
    def within(cls, reach: Reach) -> sa.ColumnElement[bool]:
        """A tenant lies in the reach by its place in the tree, never by who made it."""
        return reach.paths(cls.path)

    @property
    def place(self) -> int | None:
        """Its own history is its own."""
        return self.id

    def touches(self, reach: Reach) -> set[int] | None:
        """A new tenant concerns its parent; a changed one itself, and both parents when it moves.

        A new root concerns nobody's reach: only the house itself founds one.
        """
        if reach.extent is Extent.SELF:
            return None
        parents = sa.inspect(self).attrs.parent_id.history
        changed = {parent for parent in (*parents.added, *parents.deleted) if parent is not None}
        return (changed or None) if sa.inspect(self).pending else changed | {self.id}

    @classmethod
    async def found(
        cls,
        session: AsyncSession,
        parent: "Tenant | None",
        kind: Kind,
        name: str,
        slug: str | None,
        now: datetime,
    ) -> "Tenant":
        """A new tenant under `parent`. Invalid when the kind may not sit there or the slug is taken there."""
        if (Kind(parent.kind) if parent else None) not in (PARENTS[kind] or {None}):
            raise Invalid(f"A {kind} cannot sit there.", field="kind")
        above = await _held(session, parent.id) if parent else None
        if parent is not None and above is not None and above.discarded_at is not None:
            raise Conflict(f"{parent.name} is discarded.")
        if parent is None and (await session.scalars(sa.select(cls.id).limit(1))).first() is not None:
            raise Conflict("There is one platform, and it is here already.")
        name = named(name)
        slug = slugged(slug or name)
        taken = sa.select(cls.id).where(cls.parent_id == (parent.id if parent else None), cls.slug == slug)
        if (await session.scalars(taken)).first() is not None:
            raise Invalid(f"“{slug}” is already used under {parent.name if parent else 'the root'}.", field="slug")
        number = await numbered(session, cls.__tablename__)
        if parent is None:
            number = 1  # The root's path is a constant; a sequence does not go back after a failed first founding.
        path = f"{above.path if above else '/'}{number}/"
        _require_short(path)
        tenant = cls(
            id=number,
            parent_id=parent.id if parent else None,
            kind=kind.value,
            name=name,
            slug=slug,
            path=path,
            depth=above.depth + 1 if above else 0,
            created_at=now,
        )
        session.add(tenant)
        record(session, Verb.TENANT_CREATED, tenant)
        await session.flush()
        return tenant

    async def change(self, session: AsyncSession, **fields: Any) -> None:
        """Rename, re-slug, or set zone and policy columns; one entry with what really changed."""
        if "name" in fields:
            fields["name"] = named(fields["name"])
        if "slug" in fields and fields["slug"] != self.slug:
            fields["slug"] = slugged(fields["slug"])
            taken = sa.select(Tenant.id).where(Tenant.parent_id == self.parent_id, Tenant.slug == fields["slug"])
            if (await session.scalars(taken)).first() is not None:
                raise Invalid(f"“{fields['slug']}” is already used here.", field="slug")
        changed = {key: value for key, value in fields.items() if getattr(self, key) != value}
        if not changed:
            return
        for key, value in changed.items():
            setattr(self, key, value)
        record(session, Verb.TENANT_CHANGED, self)
        await session.flush()

    async def move(
        self, session: AsyncSession, actor: Actor, parent: "Tenant", *, expected_parent_id: int | None = None
    ) -> None:
        """Hang it, with all below, under `parent`; the stand-in rules in force where it was become its own.

        OutOfReach unless the reach holds the old parent too. Conflict (rule `moved`) when it is not under the
        parent that the actor was shown, or another move is going on.
        """
        await _alone(session)
        await session.refresh(self, ["parent_id", "path", "depth", "discarded_at"], with_for_update=True)
        await session.refresh(parent, ["path", "depth", "discarded_at"], with_for_update={"read": True})
        await self.require_movable(session, actor, parent, expected_parent_id)
        policy, came_from, hangs_at = await effective_policy(session, self.path), self.path, f"{parent.path}{self.id}/"
        for rule in fields_of(policy):
            value: int | None = getattr(policy, rule.name)
            setattr(self, f"policy_{rule.name}", None if value is None else int(value))
        self.parent_id = parent.id
        record(session, Verb.TENANT_MOVED, self)
        await session.flush()
        await _rehang(session, came_from, hangs_at, parent.depth + 1 - self.depth)

    async def require_movable(
        self, session: AsyncSession, actor: Actor, parent: "Tenant", expected_parent_id: int | None = None
    ) -> None:
        """What forbids a move whatever the place, in the order in which somebody may learn of it."""
        who = actor.apparent
        if who is None or self.path == who.path or self.parent_id is None:
            raise Conflict("An organization cannot move itself.", rule="own_hand")
        if await session.get(Tenant, self.parent_id) is None:
            raise OutOfReach
        if expected_parent_id is not None and expected_parent_id != self.parent_id:
            raise Conflict(f"{self.name} was moved in the meantime. Look again.", rule="moved")
        if parent.path.startswith(self.path):
            raise Conflict(f"{parent.name} is {self.name} itself, or below it.", rule="cycle")
        await self._require_room(session, parent)
        await self._require_open(session, actor, parent)

    async def _require_room(self, session: AsyncSession, parent: "Tenant") -> None:
        """What forbids this one place."""
        if Kind(parent.kind) not in PARENTS[Kind(self.kind)]:
            raise Invalid(f"A {self.kind} cannot sit under a {parent.kind}.", field="parent")
        if parent.id == self.parent_id:
            raise Conflict(f"{self.name} is under {parent.name} already.", rule="there")
        gone = next((one for one in (self, parent) if one.discarded_at is not None), None)
        if gone is not None:
            raise Conflict(f"{gone.name} is discarded.", rule="discarded")
        taken = sa.select(Tenant.id).where(Tenant.parent_id == parent.id, Tenant.slug == self.slug)
        if (await session.scalars(taken)).first() is not None:
            raise Conflict(
                f"“{self.slug}” is already used under {parent.name}. Give {self.name} another short name first.",
                rule="slug",
            )

    async def _require_open(self, session: AsyncSession, actor: Actor, parent: "Tenant") -> None:
        """Nothing is moved to where it would be closed, nor out of what somebody above the actor has closed."""
        # Asked for a place below it: what closes its own staff alone would not close what hangs there.
        if await closed(session, f"{parent.path}0/"):
            raise Conflict(f"{parent.name} is closed with everything below it. Lift that first.", rule="closed")
        tree, rows = Tenant.__table__, Suspension.__table__
        left = set(Reach.ancestors_of(self.path)) - set(Reach.ancestors_of(parent.path)) - {self.path}
        levels = (
            sa.select(rows.c.level_id)
            .join(tree, tree.c.id == rows.c.tenant_id)
            .where(tree.c.path.in_(left), rows.c.scope == Scope.ALL.value, rows.c.lifted_at.is_(None))
        )
        for level_id in (await session.execute(levels)).scalars().all():
            await require_level(session, actor, level_id)

    async def suspend(
        self, session: AsyncSession, actor: Actor, scope: Scope, reason: str, now: datetime
    ) -> "Suspension":
        """Close this tenant, or it and all below. It can be lifted only at the actor's level or above."""
        who = self.require_closable(actor)
        row = Suspension(
            tenant_id=self.id,
            scope=scope.value,
            reason=reason.strip(),
            level_id=who.tenant_id,
            created_at=now,
        )
        row.about = self.name
        session.add(row)
        record(session, Verb.TENANT_SUSPENDED, row, reason=reason.strip())
        await session.flush()
        return row

    def require_closable(self, actor: Actor) -> Identity:
        """Who may close it: somebody above. Nobody closes the root, or where they themselves are."""
        who = actor.apparent
        if who is None or self.path == who.path or self.kind == Kind.PLATFORM:
            raise Conflict("An organization cannot suspend itself.", rule="own_hand")
        return who

    async def discard(self, session: AsyncSession, actor: Actor, now: datetime) -> None:
        """Access goes at once, the record stays; its short name is free again. The root and one's own tenant stay."""
        who = actor.apparent
        if self.kind == Kind.PLATFORM or who is None or who.path == self.path:
            raise Conflict("This one cannot be discarded by its own hand.", rule="own_hand")
        if self.discarded_at is not None:
            raise Conflict(f"{self.name} is discarded already.")
        # Held, so that nothing is founded under it or moved there at this moment.
        await session.refresh(self, ["path"], with_for_update=True)
        live_below = sa.select(Tenant.id).where(Tenant.parent_id == self.id, Tenant.discarded_at.is_(None)).limit(1)
        if (await session.scalars(live_below)).first() is not None:
            raise Conflict(f"{self.name} still has organizations or companies below it. Discard or move them first.")
        self.discarded_at, self.discarded_level_id = now, who.tenant_id
        self.slug = f"{self.slug[: SLUG_LENGTH - len(self._set_aside)]}{self._set_aside}"
        record(session, Verb.TENANT_DISCARDED, self)
        await session.flush()

    async def undiscard(self, session: AsyncSession, actor: Actor) -> None:
        """Bring the record back, at the discarder's level or above; with its short name, unless that is in use now."""
        if self.discarded_at is None:
            raise Conflict(f"{self.name} is not discarded.")
        await require_level(session, actor, self.discarded_level_id)
        before = self.slug.removesuffix(self._set_aside)
        taken = sa.select(Tenant.id).where(Tenant.parent_id == self.parent_id, Tenant.slug == before)
        free = (await session.scalars(taken)).first() is None
        self.discarded_at = self.discarded_level_id = None
        self.slug = before if free else self.slug
        record(session, Verb.TENANT_UNDISCARDED, self)
        await session.flush()

    @property
    def _set_aside(self) -> str:
        """What the short name of a discarded tenant ends with, so that another may have it."""
        return f"-{self.id}"


class Suspension(Record, Audited):
    """A reason why a tenant is closed. Several may stack; each is lifted by its level or above."""

    __tablename__ = "suspensions"
    noun = "suspension"

    tenant_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("tenants.id"))
    scope: Mapped[str] = mapped_column(sa.String(10))
    reason: Mapped[str] = mapped_column(sa.String(1000))
    level_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("tenants.id"))
    created_at: Mapped[datetime]
    lifted_at: Mapped[datetime | None]

    about = ""

    @property
    def label(self) -> str:
        """The name of the tenant it closes."""
        return self.about or f"suspension {self.id}"

    @classmethod
    def within(cls, reach: Reach) -> sa.ColumnElement[bool]:
        """Where its tenant is; its reason is nothing for members."""
        return sa.false() if reach.extent is Extent.SELF else reach.tenants(cls.tenant_id)

    def touches(self, reach: Reach) -> set[int] | None:
        """Its tenant."""
        return None if reach.extent is Extent.SELF else {self.tenant_id}

    async def lift(self, session: AsyncSession, actor: Actor, now: datetime) -> None:
        """End this suspension, at the level that set it or above. Nothing that it ended comes back."""
        if self.lifted_at is not None:
            raise Conflict("This suspension is lifted already.")
        await require_level(session, actor, self.level_id)
        self.about = (await session.get_one(Tenant, self.tenant_id)).name
        self.lifted_at = now
        record(session, Verb.SUSPENSION_LIFTED, self)
        await session.flush()


async def _held(session: AsyncSession, tenant_id: int) -> sa.Row[str, int, datetime | None]:
    """Where a tenant is now: it stays there until this transaction is over, and whoever moves it waits."""
    tree = Tenant.__table__
    place = sa.select(tree.c.path, tree.c.depth, tree.c.discarded_at).where(tree.c.id == tenant_id)
    return (await session.execute(place.with_for_update(read=True))).one()


async def _alone(session: AsyncSession) -> None:
    """One move at a time. SQLite has one writer, so nobody else can be at it."""
    if session.get_bind().dialect.name != "postgresql":
        return
    if not (await session.execute(sa.select(sa.func.pg_try_advisory_xact_lock(MOVES)))).scalar_one():
        raise Conflict("Somebody else is moving things just now. Look again in a moment.", rule="moved")


async def _rehang(session: AsyncSession, came_from: str, hangs_at: str, deeper: int) -> None:
    """Every path below follows. Said again until none is left: one founded while a statement waited is not in it."""
    tree = Tenant.__table__
    everything = below(tree.c.path, came_from)
    longest = (
        await session.execute(sa.select(sa.func.max(sa.func.length(tree.c.path))).where(everything))
    ).scalar_one()
    _require_short("x" * (longest - len(came_from) + len(hangs_at)))
    path = sa.literal(hangs_at) + sa.func.substr(tree.c.path, len(came_from) + 1)
    follow = sa.update(tree).where(everything).values(path=path, depth=tree.c.depth + deeper)
    left = sa.select(tree.c.id).where(everything).limit(1)
    while (await session.execute(left)).first() is not None:
        await session.execute(follow)
    for row in session.sync_session.identity_map.values():
        if isinstance(row, Tenant) and row.__dict__.get("path", "").startswith(came_from):
            set_committed_value(row, "path", hangs_at + row.path.removeprefix(came_from))
            set_committed_value(row, "depth", row.depth + deeper)


def _require_short(path: str) -> None:
    if len(path) > PATH_LENGTH:
        raise Conflict("The tree would be too deep there.", rule="depth")


async def require_level(session: AsyncSession, actor: Actor, level_id: int | None) -> None:
    """The actor stands at the tenant `level_id` or above it; otherwise 403, "set above you"."""
    tree = Tenant.__table__
    level = (await session.execute(sa.select(tree.c.path).where(tree.c.id == level_id))).scalar_one_or_none()
    if actor.apparent is None or level is None or not level.startswith(actor.apparent.path):
        raise NotPermitted("This was set above you. Ask them to lift it.", rule="level")


async def find_tenant(session: AsyncSession, tenant_id: int) -> Tenant:
    """The tenant, when it lies in the session's reach; otherwise OutOfReach, the same as for none at all."""
    tenant = await session.get(Tenant, tenant_id)
    if tenant is None:
        raise OutOfReach
    return tenant


async def ancestors(session: AsyncSession, path: str) -> list[Tenant]:
    """The tenant at `path` and all above it, root first: for policy, closing and branding, past the fence."""
    tree = Tenant.__table__
    rows = sa.select(Tenant).from_statement(
        sa.select(tree).where(tree.c.path.in_(Reach.ancestors_of(path))).order_by(tree.c.depth)
    )
    return list(await session.scalars(rows))


async def effective_policy(session: AsyncSession, path: str) -> Policy:
    """The stand-in policy in force at `path`: the tightest of its own and all above."""
    return Policy.tightest(tenant.own_policy for tenant in await ancestors(session, path))


async def closed(session: AsyncSession, path: str) -> bool:
    """Whether the tenant at `path` is closed: discarded or suspended, itself or (scope all) from above."""
    tree, rows = Tenant.__table__, Suspension.__table__
    shut = (
        sa.select(tree.c.id)
        .outerjoin(rows, sa.and_(rows.c.tenant_id == tree.c.id, rows.c.lifted_at.is_(None)))
        .where(
            tree.c.path.in_(Reach.ancestors_of(path)),
            sa.or_(
                tree.c.discarded_at.is_not(None),
                rows.c.scope == Scope.ALL.value,
                sa.and_(rows.c.scope == Scope.STAFF.value, tree.c.path == path),
            ),
        )
        .limit(1)
    )
    return (await session.execute(shut)).first() is not None
