"""Actor: the two people in every request, who really acts and who they appear as."""

from dataclasses import dataclass, field
from enum import StrEnum

from tenants.reach import Reach
from tenants.refusals import OutOfReach
from tenants.roles import RIGHTS, Permission, Role, Span

PROVISIONING = frozenset({"scim"})
"""The scopes of a key that provisions the people of one company and does nothing else."""


class Via(StrEnum):
    """How something was done: directly, or through which kind of stand-in, or by the house itself."""

    DIRECT = "direct"
    BINDING = "binding"
    IMPERSONATION = "impersonation"
    TOKEN = "token"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Identity:
    """One membership as of now: the identity everything speaks of."""

    membership_id: int
    user_id: int
    name: str
    email: str
    role: Role
    tenant_id: int
    tenant_name: str
    tenant_kind: str
    path: str
    sponsor: str | None = None
    """The sponsor's tenant name, when this is a sponsored profile: shown as "Elsa (Elm)"."""
    has_factor: bool = False
    """The person has a second factor set up."""
    needs_factor: bool = False
    """Its tenant, or one above, asks its admins and operators for a second factor, and this is one of them."""

    @property
    def shown_name(self) -> str:
        """The name as lists and entries show it; a sponsored profile names where it comes from."""
        return f"{self.name} ({self.sponsor})" if self.sponsor else self.name


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request came from, for the trail and the throttle."""

    request_id: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: `true` is the real person (None for the house itself), `apparent` who they appear as.

    Rights come from the narrower of the two; the record names the true one.
    """

    true: Identity | None
    apparent: Identity | None
    via: Via
    origin: Origin = field(default_factory=Origin)
    stand_in_id: int | None = None
    scopes: frozenset[str] | None = None
    """What the credential was narrowed to (`read`, `write`, `stand_in`); None where a sign-in holds all."""
    sign_in_id: int | None = None
    api_key_id: int | None = None
    system: str | None = None
    strong: bool = False
    """A second factor was used for the sign-in that this is; never so for a key."""
    look: bool = False
    """Standing in to look only: nothing is changed and nothing secret is shown."""

    @classmethod
    def of(
        cls,
        identity: Identity,
        origin: Origin | None = None,
        *,
        sign_in_id: int | None = None,
        api_key_id: int | None = None,
        scopes: frozenset[str] | None = None,
        strong: bool = False,
    ) -> "Actor":
        """Somebody acting as themselves."""
        return cls(
            identity,
            identity,
            Via.DIRECT,
            origin or Origin(),
            sign_in_id=sign_in_id,
            api_key_id=api_key_id,
            scopes=scopes,
            strong=strong,
        )

    @classmethod
    def house(cls, what: str, origin: Origin | None = None) -> "Actor":
        """The house itself at work: sign-in before anybody is known, the command line, the seed."""
        return cls(None, None, Via.SYSTEM, origin or Origin(), system=what)

    @property
    def standing(self) -> Identity:
        """The membership this request acts as; OutOfReach for the house itself, which has no place in the tree."""
        if self.apparent is None:
            raise OutOfReach
        return self.apparent

    @property
    def provisioning(self) -> bool:
        """Whether this is a system that provisions a company's people, by the key that is for nothing else."""
        return self.scopes == PROVISIONING

    @property
    def standing_in(self) -> bool:
        """Whether the person appears as somebody else in this request."""
        return self.true is not self.apparent and self.true != self.apparent

    def may(self, permission: Permission) -> bool:
        """Whether this request may do it: the apparent role's right, within what the true role may lend."""
        if self.true is None or self.apparent is None:
            return False
        if permission not in RIGHTS[self.apparent.role].may:
            return False
        return not self.standing_in or permission in RIGHTS[self.true.role].lends

    def reach(self) -> Reach:
        """What this request may touch: the apparent membership's reach, or nothing."""
        who = self.apparent
        if who is None:
            return Reach.nothing()
        span = RIGHTS[who.role].span
        if who.sponsor is not None and span is Span.SUBTREE:
            span = Span.TENANT
        # A stand-in is for one membership: what is the person's own elsewhere stays theirs.
        user_id = 0 if self.standing_in else who.user_id
        return Reach.of_membership(span, who.path, who.tenant_id, user_id, who.membership_id)
