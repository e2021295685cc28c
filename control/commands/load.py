"""`understudy seed load`: a large tree with people and phones, for measuring. Chunks of a few thousand rows."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlalchemy.sql.schema import ScalarElementColumnDefault

from control.cast import PASSWORD, SOFTPHONE
from control.seed import REACH, SEED, is_cast
from control.set_up import never_set_up, root_tenant
from tenants.credentials import hash_password
from tenants.people import Membership, User
from tenants.phones import Extension, Licence, PhoneSystem, Product
from tenants.records import Audited, Record
from tenants.refusals import Conflict
from tenants.roles import Role
from tenants.store import Store
from tenants.trail import CHANGED, Told, made, next_ids, tell_in_bulk
from tenants.tree import Kind, Tenant
from tenants.verbs import Verb

AT_ONCE = 2000
"""Rows of a kind in one transaction."""
RESELLERS = 20
"""One tenant in so many is a reseller, with an admin; the others are customers."""
SEED_NUMBER = 7
"""The same tree each time."""


@dataclass(frozen=True, slots=True)
class _Node:
    id: int
    path: str
    depth: int

    def child(self, id_: int) -> "_Node":
        """The place of a tenant right below."""
        return _Node(id_, f"{self.path}{id_}/", self.depth + 1)


Rows = list[dict[str, Any]]


async def load(
    store: Store, now: datetime, tenants: int, extensions: int, advance: Callable[[int], None] = lambda rows: None
) -> None:
    """Add a random tree of `tenants` below the platform, and `extensions` spread over its customers.

    A reseller hangs under a random earlier one, a customer under a random reseller; each extension has a user of
    its own, who signs in with the cast's password. Raises Conflict on a database that somebody uses. `advance`
    hears how many tenants and extensions are done.
    """
    password_hash = await hash_password(PASSWORD)
    async with store.work(SEED, REACH, now) as session:
        root = await root_tenant(session)
        if root is None and await never_set_up(session):
            root = await Tenant.found(session, None, Kind.PLATFORM, "Load", None, now)
        elif root is None or not (root.slug == "load" or await is_cast(session, root)):
            raise Conflict("This database is in use. Load an empty one, or the cast's.")
        softphone = (await session.scalars(sa.select(Product.id).where(Product.name == SOFTPHONE))).first()
    loading = _Loading(store, now, password_hash, softphone, advance)
    await loading.everything(_Node(root.id, root.path, root.depth), tenants, extensions)


class _Loading:
    """One load: what all its chunks share."""

    def __init__(
        self, store: Store, now: datetime, password_hash: str, softphone: int | None, advance: Callable[[int], None]
    ) -> None:
        self.store, self.now, self.advance = store, now, advance
        self.password_hash, self.softphone = password_hash, softphone
        self.chance = random.Random(SEED_NUMBER)  # noqa: S311 (a shape, no secret)

    async def everything(self, root: _Node, tenants: int, extensions: int) -> None:
        resellers = max(1, tenants // RESELLERS) if tenants else 0
        above = [root]
        for count in _chunks(resellers):
            await self._in_one(self._resellers, above, count)
        customers = tenants - resellers
        done = 0
        for count in _chunks(customers):
            nodes = await self._in_one(self._customers, above, count)
            done += count
            share = extensions * done // customers - extensions * (done - count) // customers
            await self._phones(nodes, share)

    async def _phones(self, nodes: list[_Node], share: int) -> None:
        """Spread so many extensions over these customers."""
        if not share:
            return
        having = nodes[: min(len(nodes), share)]
        systems = await self._in_one(self._systems, having)
        for start in range(0, share, AT_ONCE):
            numbers = range(start, min(start + AT_ONCE, share))
            await self._in_one(self._extensions, [(*systems[n % len(systems)], n // len(systems)) for n in numbers])

    async def _in_one(self, step: Callable[..., Any], *given: Any) -> Any:
        """A step in a transaction of its own."""
        async with self.store.work(SEED, REACH, self.now) as session:
            return await session.run_sync(lambda inner: step(inner, *given))

    def _resellers(self, session: Session, above: list[_Node], count: int) -> None:
        """Each under the platform or an earlier reseller, and with an admin; they join those above."""
        first = len(above)
        parents = []
        for id_ in next_ids(session.connection(), Tenant.__tablename__, count):
            parents.append(self.chance.choice(above))
            above.append(parents[-1].child(id_))
        self._tenants(session, parents, above[first:], Kind.RESELLER)
        self._people(session, above[first:], Role.ADMIN)

    def _customers(self, session: Session, above: list[_Node], count: int) -> list[_Node]:
        """Each under one of those above."""
        parents = [self.chance.choice(above) for _ in range(count)]
        ids = next_ids(session.connection(), Tenant.__tablename__, count)
        nodes = [parent.child(id_) for id_, parent in zip(ids, parents, strict=True)]
        self._tenants(session, parents, nodes, Kind.CUSTOMER)
        return nodes

    def _tenants(self, session: Session, parents: list[_Node], nodes: list[_Node], kind: Kind) -> None:
        defaults = _defaults(Tenant)
        rows = [
            defaults
            | {
                "id": node.id,
                "parent_id": parent.id,
                "kind": kind.value,
                "name": f"{kind.value.title()} {node.id}",
                "slug": f"load-{node.id}",
                "path": node.path,
                "depth": node.depth,
                "created_at": self.now,
            }
            for node, parent in zip(nodes, parents, strict=True)
        ]
        _insert(session, Tenant, Verb.TENANT_CREATED, rows, nodes)
        self.advance(len(rows))

    def _people(self, session: Session, nodes: list[_Node], role: Role) -> list[int]:
        """A user with a membership in each of these tenants; gives the memberships' ids."""
        user_ids = next_ids(session.connection(), User.__tablename__, len(nodes))
        users = [
            _defaults(User)
            | {
                "id": id_,
                "home_tenant_id": node.id,
                "name": f"Person {id_}",
                "email": f"person-{id_}@load.example",
                "email_verified_at": self.now,
                "password_hash": self.password_hash,
                "created_at": self.now,
            }
            for id_, node in zip(user_ids, nodes, strict=True)
        ]
        _insert(session, User, Verb.USER_CREATED, users, nodes)
        ids = next_ids(session.connection(), Membership.__tablename__, len(nodes))
        memberships = [
            _defaults(Membership)
            | {
                "id": id_,
                "user_id": user_id,
                "tenant_id": node.id,
                "role": role.value,
                "role_given_at": self.now,
                "created_at": self.now,
            }
            for id_, user_id, node in zip(ids, user_ids, nodes, strict=True)
        ]
        _insert(session, Membership, Verb.MEMBERSHIP_CREATED, memberships, nodes)
        return ids

    def _systems(self, session: Session, nodes: list[_Node]) -> list[tuple[_Node, int]]:
        ids = next_ids(session.connection(), PhoneSystem.__tablename__, len(nodes))
        rows = [
            {
                "id": id_,
                "tenant_id": node.id,
                "name": "PBX",
                "slug": "pbx",
                "host": f"pbx-{id_}.load.example",
                "created_at": self.now,
            }
            for id_, node in zip(ids, nodes, strict=True)
        ]
        _insert(session, PhoneSystem, Verb.PHONE_SYSTEM_CREATED, rows, nodes)
        return list(zip(nodes, ids, strict=True))

    def _extensions(self, session: Session, places: list[tuple[_Node, int, int]]) -> None:
        """An extension with a user of its own for each (tenant, phone system, how many came before it there)."""
        nodes = [node for node, _, _ in places]
        members = self._people(session, nodes, Role.MEMBER)
        ids = next_ids(session.connection(), Extension.__tablename__, len(nodes))
        rows = [
            {
                "id": id_,
                "tenant_id": node.id,
                "phone_system_id": system_id,
                "number": str(100 + before),
                "membership_id": member,
                "created_at": self.now,
            }
            for id_, member, (node, system_id, before) in zip(ids, members, places, strict=True)
        ]
        _insert(session, Extension, Verb.EXTENSION_CREATED, rows, nodes)
        if self.softphone is not None:
            self._licences(
                session, [(node, id_, before == 0) for id_, (node, _, before) in zip(ids, places, strict=True)]
            )
        self.advance(len(rows))

    def _licences(self, session: Session, holders: list[tuple[_Node, int, bool]]) -> None:
        """The softphone for each; the first of a tenant is its app admin."""
        ids = next_ids(session.connection(), Licence.__tablename__, len(holders))
        rows = [
            {
                "id": id_,
                "tenant_id": node.id,
                "extension_id": extension_id,
                "product_id": self.softphone,
                "app_admin": first,
                "created_at": self.now,
            }
            for id_, (node, extension_id, first) in zip(ids, holders, strict=True)
        ]
        _insert(session, Licence, Verb.LICENCE_GRANTED, rows, [node for node, _, _ in holders])


def _chunks(count: int) -> Iterator[int]:
    for start in range(0, count, AT_ONCE):
        yield min(AT_ONCE, count - start)


def _defaults(kind: type[Record]) -> dict[str, Any]:
    """The plain column defaults, which the first entry of a row tells too."""
    return {
        column.key: column.default.arg
        for column in kind.__table__.columns
        if isinstance(column.default, ScalarElementColumnDefault)
    }


def _insert(session: Session, kind: type[Any], verb: Verb, rows: Rows, nodes: list[_Node]) -> None:
    """Rows of a kind, each in its tenant, their entries first."""
    told = []
    for row, node in zip(rows, nodes, strict=True):
        label = str(row.get("number") or row.get("name") or f"{kind.noun} {row['id']}")
        told.append(Told(verb, (kind.__tablename__, row["id"], label), node.id, node.path, _changes(kind, row)))
    for row, entry_id in zip(rows, tell_in_bulk(session, told), strict=True):
        row["last_entry_id"] = entry_id
    session.connection().execute(sa.insert(kind.__table__), rows)


def _changes(kind: type[Audited], row: dict[str, Any]) -> dict[str, Any]:
    shown = {key: value for key, value in row.items() if key not in kind.derived | kind.secret}
    return made(shown) | {key: CHANGED for key in kind.secret if row.get(key) is not None}
