"""The cast: the people and phones that the demo shows and the tests tell their stories with."""

from dataclasses import dataclass

from tenants.roles import Role
from tenants.tree import Kind

PASSWORD = "understudy-demo"
"""Everybody's in the demo, which listens on this machine alone."""
ZONE = "Europe/London"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody in a tenant, with the number and the products they have there."""

    first: str
    family: str
    role: Role
    number: str | None = None
    products: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """As the panel shows it."""
        return f"{self.first} {self.family}"

    def email(self, tenant: str) -> str:
        """`ben@bakery.example` for Ben, whose home is Bakery."""
        return f"{self.first}@{tenant}.example".lower()


@dataclass(frozen=True, slots=True)
class Place:
    """A tenant with its people; `phones` when it has a PBX, `spare` for a number on it that nobody has."""

    name: str
    kind: Kind
    parent: str | None
    people: tuple[Person, ...]
    phones: bool = False
    spare: str | None = None
    layer: bool = False
    """Whether its phones and those below are bound to only from within their own tenant."""


@dataclass(frozen=True, slots=True)
class DemoApp:
    """One of the apps that `bin/demo` serves."""

    client_id: str
    name: str
    product: str
    admin_only: bool = False
    fallback: str | None = None


SOFTPHONE, DESK = "Softphone", "Desk"
BOTH = (SOFTPHONE, DESK)

# The first holder of a product in a tenant becomes its app admin: Bea stands before Ben, Dan before Dina.
PLACES = (
    Place(
        "Acme",
        Kind.PLATFORM,
        None,
        (Person("Ada", "Ash", Role.ADMIN), Person("Axel", "Arden", Role.AUDITOR)),
    ),
    Place("North", Kind.DISTRIBUTOR, "Acme", (Person("Nora", "Nash", Role.ADMIN),)),
    Place(
        "Oak",
        Kind.RESELLER,
        "North",
        (Person("Olaf", "Olsen", Role.ADMIN), Person("Opal", "Orr", Role.OPERATOR)),
    ),
    Place(
        "Bakery",
        Kind.CUSTOMER,
        "Oak",
        (
            Person("Boris", "Birch", Role.ADMIN),
            Person("Bruno", "Brook", Role.SUPERVISOR),
            Person("Amos", "Abbot", Role.AUDITOR),
            Person("Bea", "Bell", Role.MEMBER, "201", BOTH),
            Person("Ben", "Bond", Role.MEMBER, "202", BOTH),
        ),
        phones=True,
        spare="203",
    ),
    Place(
        "Clinic",
        Kind.CUSTOMER,
        "Oak",
        (
            Person("Clara", "Cole", Role.ADMIN),
            Person("Cora", "Crane", Role.MEMBER, "301", BOTH),
        ),
        phones=True,
    ),
    Place("South", Kind.DISTRIBUTOR, "Acme", (Person("Sven", "Strand", Role.ADMIN),), layer=True),
    Place("Elm", Kind.RESELLER, "South", (Person("Elsa", "Eden", Role.ADMIN),)),
    # The same number as Bea's, on purpose: numbers are a tenant's own.
    Place("Zoo", Kind.CUSTOMER, "Elm", (Person("Zoe", "Zeller", Role.MEMBER, "201", BOTH),), phones=True),
    Place(
        "Pine",
        Kind.RESELLER,
        "Acme",
        (
            Person("Pia", "Pine", Role.ADMIN, "100", BOTH),
            Person("Paul", "Penn", Role.OPERATOR),
            Person("Pete", "Pratt", Role.MEMBER, "101", (SOFTPHONE,)),
        ),
        phones=True,
    ),
    Place(
        "Dairy",
        Kind.CUSTOMER,
        "Pine",
        (
            Person("Dan", "Dale", Role.MEMBER, "101", BOTH),
            Person("Dina", "Dove", Role.MEMBER, "102", (SOFTPHONE,)),
        ),
        phones=True,
    ),
)
"""Every tenant, each after its parent."""

ALSO = (("ben@bakery.example", "Clinic", Role.MEMBER),)
"""Second memberships: whose, where, as what."""

APPS = (
    DemoApp("softphone", "Softphone", SOFTPHONE),
    DemoApp("desk-client", "Desk Client", DESK),
    DemoApp("desk-admin", "Desk Admin", DESK, admin_only=True, fallback="desk-client"),
)
"""Each app after the one it falls back to."""

TEAM = "Front"
TEAM_PLACE = "Bakery"
TEAM_MADE_BY = "boris@bakery.example"
TEAM_LEAD = "bruno@bakery.example"
TEAM_MEMBERS = ("bea@bakery.example", "ben@bakery.example")

NUMBERS = (
    ("Bakery", "+442079460101", "201", "Front desk"),
    ("Bakery", "+442079460102", None, None),
    ("Dairy", "+442079460201", "101", "Orders"),
)
"""Inbound numbers: of whom, which (of a range kept for stories), the extension that rings, and a note."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call that was recorded, so many hours before the cast came to be."""

    place: str
    number: str
    external_id: str
    direction: str
    party: str
    hours_ago: int
    seconds: int
    private: bool = False


CALLS = (
    Call("Bakery", "201", "bakery-1", "in", "+442079460901", 30, 312),
    Call("Bakery", "201", "bakery-2", "out", "+442079460902", 5, 48, private=True),
    Call("Bakery", "202", "bakery-3", "in", "+442079460903", 3, 95),
    Call("Dairy", "101", "dairy-1", "in", "+442079460904", 4, 187),
)
