"""Phones: PBXs owned by tenants, the extensions on them, and who holds a licence for what is sold."""

import re
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, joinedload, mapped_column, relationship

from tenants.people import Membership
from tenants.products import Product as Product
from tenants.reach import Extent, Reach
from tenants.records import Audited, Number, Record
from tenants.refusals import Conflict, Invalid, OutOfReach
from tenants.seats import reserve_seat
from tenants.text import named, slugged
from tenants.trail import numbered, record
from tenants.tree import SLUG_LENGTH, Tenant
from tenants.verbs import Verb

NUMBER = re.compile(r"[0-9]{1,20}")
HOST = re.compile(r"(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*")


class PhoneSystem(Record, Audited):
    """A PBX owned by a tenant."""

    __tablename__ = "phone_systems"
    noun = "phone system"
    lends = frozenset({"name"})
    __table_args__ = (sa.UniqueConstraint("id", "tenant_id"), sa.UniqueConstraint("tenant_id", "slug"))

    tenant_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("tenants.id"))
    name: Mapped[str] = mapped_column(sa.String(200))
    slug: Mapped[str] = mapped_column(sa.String(80))
    host: Mapped[str] = mapped_column(sa.String(253))
    created_at: Mapped[datetime]
    discarded_at: Mapped[datetime | None]

    tenant: Mapped[Tenant] = relationship(lazy="raise")

    @classmethod
    def within(cls, reach: Reach) -> sa.ColumnElement[bool]:
        """Where its tenant is; a member sees the one their extension is on."""
        if reach.extent is Extent.SELF:
            phones = Extension.__table__
            return cls.id.in_(sa.select(phones.c.phone_system_id).where(phones.c.membership_id == reach.membership_id))
        return reach.tenants(cls.tenant_id)

    def touches(self, reach: Reach) -> set[int] | None:
        """Its tenant."""
        return None if reach.extent is Extent.SELF else {self.tenant_id}

    @classmethod
    async def create(
        cls,
        session: AsyncSession,
        tenant: Tenant,
        name: str,
        host: str,
        now: datetime,
        slug: str | None = None,
    ) -> "PhoneSystem":
        """A new PBX of `tenant`."""
        name = named(name)
        slug = slugged(slug or name)
        taken = sa.select(cls.id).where(cls.tenant_id == tenant.id, cls.slug == slug)
        if (await session.scalars(taken)).first() is not None:
            raise Invalid(f"“{slug}” is already used at {tenant.name}.", field="slug")
        system = cls(
            id=await numbered(session, cls.__tablename__),
            tenant_id=tenant.id,
            name=name,
            slug=slug,
            host=_host(host),
            created_at=now,
        )
        system.tenant = tenant
        session.add(system)
        record(session, Verb.PHONE_SYSTEM_CREATED, system)
        await session.flush()
        return system

    async def change(self, session: AsyncSession, **fields: Any) -> None:
        """Rename it or give it another host. It changes owner only by its own move verb."""
        if "name" in fields:
            fields["name"] = named(fields["name"])
        if "host" in fields:
            fields["host"] = _host(fields["host"])
        changed = {key: value for key, value in fields.items() if getattr(self, key) != value}
        for key, value in changed.items():
            setattr(self, key, value)
        if changed:
            record(session, Verb.PHONE_SYSTEM_CHANGED, self)
            await session.flush()

    async def discard(self, session: AsyncSession, now: datetime) -> None:
        """Take an empty PBX out of use; its short name is free again. Conflict while extensions are on it."""
        if self.discarded_at is not None:
            raise Conflict(f"{self.name} is discarded already.")
        # Held, so that no extension is added at this moment by somebody who found it in use.
        await session.refresh(self, ["slug"], with_for_update=True)
        live = sa.select(Extension.id).where(Extension.phone_system_id == self.id, Extension.discarded_at.is_(None))
        if (await session.scalars(live.limit(1))).first() is not None:
            raise Conflict(f"{self.name} still has extensions. Discard them with it, or first.", rule="in_use")
        self.discarded_at = now
        aside = f"-{self.id}"
        self.slug = f"{self.slug[: SLUG_LENGTH - len(aside)]}{aside}"
        record(session, Verb.PHONE_SYSTEM_DISCARDED, self)
        await session.flush()

    def move_to(self, session: AsyncSession, owner: Tenant) -> None:
        """Give it to another tenant, told at both; what hangs on it follows or is cut by bindings/moving_phones.py."""
        left = self.tenant_id
        self.tenant_id, self.tenant = owner.id, owner
        record(session, Verb.PHONE_SYSTEM_MOVED, self, place=left)
        record(session, Verb.PHONE_SYSTEM_MOVED, self)


class Extension(Record, Audited):
    """A number on a PBX, with at most one membership of that same tenant: composite keys say so."""

    __tablename__ = "extensions"
    noun = "extension"
    lends = frozenset({"name"})
    __table_args__ = (
        sa.ForeignKeyConstraint(["phone_system_id", "tenant_id"], ["phone_systems.id", "phone_systems.tenant_id"]),
        sa.ForeignKeyConstraint(["membership_id", "tenant_id"], ["memberships.id", "memberships.tenant_id"]),
        sa.UniqueConstraint("id", "tenant_id"),
    )

    tenant_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("tenants.id"))
    phone_system_id: Mapped[int] = mapped_column(Number)
    number: Mapped[str] = mapped_column(sa.String(20))
    name: Mapped[str | None] = mapped_column(sa.String(200))
    membership_id: Mapped[int | None] = mapped_column(Number)
    created_at: Mapped[datetime]
    discarded_at: Mapped[datetime | None]
    moved_at: Mapped[datetime | None]
    """When it came to this tenant from another, with its PBX."""

    phone_system: Mapped[PhoneSystem] = relationship(
        lazy="raise", viewonly=True, primaryjoin=PhoneSystem.id == sa.orm.foreign(phone_system_id)
    )
    membership: Mapped[Membership | None] = relationship(
        lazy="raise", viewonly=True, primaryjoin=Membership.id == sa.orm.foreign(membership_id)
    )
    tenant: Mapped[Tenant] = relationship(lazy="raise", viewonly=True)

    @property
    def label(self) -> str:
        """Its number."""
        return self.number

    @classmethod
    def within(cls, reach: Reach) -> sa.ColumnElement[bool]:
        """Where its tenant is; a member sees their own."""
        if reach.extent is Extent.SELF:
            return cls.membership_id == reach.membership_id
        return reach.tenants(cls.tenant_id)

    def touches(self, reach: Reach) -> set[int] | None:
        """Its tenant."""
        return None if reach.extent is Extent.SELF else {self.tenant_id}

    @classmethod
    async def create(
        cls,
        session: AsyncSession,
        system: PhoneSystem,
        number: str,
        now: datetime,
        *,
        name: str | None = None,
        membership: Membership | None = None,
    ) -> "Extension":
        """A new number on a PBX. Invalid when the number is in use there, or the person is of another tenant."""
        if not NUMBER.fullmatch(number):
            raise Invalid("A number has 1 to 20 digits.", field="number")
        if system.discarded_at is not None:
            raise Conflict(f"{system.name} is discarded.")
        taken = sa.select(cls.id).where(
            cls.phone_system_id == system.id, cls.number == number, cls.discarded_at.is_(None)
        )
        if (await session.scalars(taken)).first() is not None:
            raise Invalid(f"{number} is already used on {system.name}.", field="number")
        extension = cls(
            id=await numbered(session, cls.__tablename__),
            tenant_id=system.tenant_id,
            phone_system_id=system.id,
            number=number,
            name=named(name) if name else None,
            membership_id=_own_member(system.tenant_id, membership),
            created_at=now,
        )
        session.add(extension)
        record(session, Verb.EXTENSION_CREATED, extension)
        await session.flush()
        return extension

    async def change(self, session: AsyncSession, **fields: Any) -> None:
        """Rename it or give it to another membership of the same tenant (or nobody)."""
        if "membership" in fields:
            fields["membership_id"] = _own_member(self.tenant_id, fields.pop("membership"))
        if fields.get("name"):
            fields["name"] = named(fields["name"])
        changed = {key: value for key, value in fields.items() if getattr(self, key) != value}
        for key, value in changed.items():
            setattr(self, key, value)
        if changed:
            record(session, Verb.EXTENSION_CHANGED, self)
            await session.flush()

    async def discard(self, session: AsyncSession, now: datetime) -> None:
        """Take the number out of use; it is free again."""
        if self.discarded_at is not None:
            raise Conflict(f"Extension {self.number} is discarded already.")
        self.discarded_at = now
        record(session, Verb.EXTENSION_DISCARDED, self)
        await session.flush()


class Licence(Record, Audited):
    """Lets an extension use a product. `app_admin` is a stored grant, never inherited silently."""

    __tablename__ = "licences"
    noun = "licence"
    __table_args__ = (
        sa.ForeignKeyConstraint(["extension_id", "tenant_id"], ["extensions.id", "extensions.tenant_id"]),
    )

    tenant_id: Mapped[int] = mapped_column(Number)
    extension_id: Mapped[int] = mapped_column(Number)
    product_id: Mapped[int] = mapped_column(Number, sa.ForeignKey("products.id"))
    app_admin: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]
    discarded_at: Mapped[datetime | None]

    product: Mapped[Product] = relationship(lazy="raise")

    about = ""

    @property
    def label(self) -> str:
        """Which product for which extension."""
        return self.about or f"licence {self.id}"

    @classmethod
    def within(cls, reach: Reach) -> sa.ColumnElement[bool]:
        """Where its extension is."""
        if reach.extent is Extent.SELF:
            phones = Extension.__table__
            return cls.extension_id.in_(sa.select(phones.c.id).where(phones.c.membership_id == reach.membership_id))
        return reach.tenants(cls.tenant_id)

    def touches(self, reach: Reach) -> set[int] | None:
        """Its tenant."""
        return None if reach.extent is Extent.SELF else {self.tenant_id}

    @classmethod
    async def grant(
        cls,
        session: AsyncSession,
        extension: Extension,
        product: Product,
        now: datetime,
        *,
        app_admin: bool = False,
    ) -> "Licence":
        """Give an extension a product. The first own holder of it in a tenant, ever, becomes its app admin.

        Conflict (rule `seats`) when a limit on the way to the root is reached.
        """
        if extension.discarded_at is not None:
            raise Conflict(f"Extension {extension.number} is discarded.")
        # The tenant's row is the lock: two first licences at once make one admin, not two.
        await session.execute(sa.select(Tenant.id).where(Tenant.id == extension.tenant_id).with_for_update())
        # Those that came along ended with a PBX were another tenant's.
        came = sa.select(Extension.id).where(Extension.id == cls.extension_id, Extension.moved_at >= cls.created_at)
        same = sa.select(cls).where(cls.tenant_id == extension.tenant_id, cls.product_id == product.id, ~came.exists())
        held = list(await session.scalars(same))
        if any(one.extension_id == extension.id and one.discarded_at is None for one in held):
            raise Conflict(f"Extension {extension.number} has {product.name} already.")
        await reserve_seat(session, extension.tenant_id, product)
        first = not held and await _own_holder(session, extension)
        licence = cls(
            id=await numbered(session, cls.__tablename__),
            tenant_id=extension.tenant_id,
            extension_id=extension.id,
            product_id=product.id,
            app_admin=app_admin or first,
            created_at=now,
        )
        licence.product, licence.about = product, _about(product.name, extension.number)
        session.add(licence)
        record(session, Verb.LICENCE_GRANTED, licence, product=product.slug, extension=extension.number)
        await session.flush()
        return licence

    async def withdraw(self, session: AsyncSession, now: datetime) -> None:
        """Take the licence back; nobody becomes app admin by that."""
        if self.discarded_at is not None:
            raise Conflict("This licence was taken back already.")
        await self._name(session)
        self.discarded_at, self.app_admin = now, False
        record(session, Verb.LICENCE_WITHDRAWN, self)
        await session.flush()

    async def set_app_admin(self, session: AsyncSession, app_admin: bool) -> None:
        """Give or take the app-admin grant."""
        if self.discarded_at is not None:
            raise Conflict("This licence was taken back already.")
        if self.app_admin != app_admin:
            await self._name(session)
            self.app_admin = app_admin
            record(session, Verb.LICENCE_CHANGED, self)
            await session.flush()

    async def _name(self, session: AsyncSession) -> None:
        """Look up what history calls it, before it is changed."""
        named = sa.select(Product.name, Extension.number).where(
            Product.id == self.product_id, Extension.id == self.extension_id
        )
        product, number = (await session.execute(named)).one()
        self.about = _about(product, number)


def _about(product: str, number: str) -> str:
    return f"{product} for {number}"


def _own_member(tenant_id: int, membership: Membership | None) -> int | None:
    if membership is None:
        return None
    if membership.tenant_id != tenant_id:
        raise Invalid("An extension belongs to somebody of the same company.", field="membership")
    if membership.discarded_at is not None:
        raise Invalid("This membership has ended.", field="membership")
    return membership.id


async def _own_holder(session: AsyncSession, extension: Extension) -> bool:
    """Somebody holds the extension, and is of the tenant itself rather than sponsored from above."""
    if extension.membership_id is None:
        return False
    sponsored = sa.select(Membership.sponsor_id).where(Membership.id == extension.membership_id)
    return (await session.execute(sponsored)).scalar_one_or_none() is None


def _host(host: str) -> str:
    host = host.strip().lower()
    if not HOST.fullmatch(host):
        raise Invalid("A host is a name such as pbx.example.", field="host")
    return host


async def find_phone_system(session: AsyncSession, system_id: int) -> PhoneSystem:
    """The PBX with its tenant, when in reach; otherwise OutOfReach."""
    wanted = sa.select(PhoneSystem).where(PhoneSystem.id == system_id).options(joinedload(PhoneSystem.tenant))
    system = (await session.scalars(wanted)).one_or_none()
    if system is None:
        raise OutOfReach
    return system


async def find_extension(session: AsyncSession, extension_id: int) -> Extension:
    """The extension with its PBX, tenant and person, when in reach; otherwise OutOfReach."""
    wanted = (
        sa.select(Extension)
        .where(Extension.id == extension_id)
        .options(
            joinedload(Extension.phone_system),
            joinedload(Extension.tenant),
            joinedload(Extension.membership).joinedload(Membership.user),
        )
    )
    extension = (await session.scalars(wanted)).one_or_none()
    if extension is None:
        raise OutOfReach
    return extension
