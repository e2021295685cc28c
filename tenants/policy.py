"""Stand-in policy of a tenant: each rule is a number, the greater the tighter, so inheriting is taking the maximum."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from enum import IntEnum

from sqlalchemy.orm import Mapped, mapped_column


class StandIns(IntEnum):
    """Whether anybody may stand in for people of the tenant."""

    ALLOWED = 0
    CONSENT = 1
    NEVER = 2


class Look(IntEnum):
    """Whether a stand-in may change things: full, full but `look` is offered first, `look` only."""

    FULL = 0
    LOOK_FIRST = 1
    LOOK_ONLY = 2


class BindingReach(IntEnum):
    """From where one may bind: anywhere above, or only from a membership in the very tenant."""

    SUBTREE = 0
    LAYER = 1


class Notice(IntEnum):
    """Whether people get letters about who stood in for them: none, gathered once a day, at each start."""

    NONE = 0
    DIGEST = 1
    AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules in force at a tenant, after inheriting."""

    stand_ins: StandIns = StandIns.ALLOWED
    look: Look = Look.FULL
    binding_reach: BindingReach = BindingReach.SUBTREE
    reason: int = 0
    ticket: int = 0
    second_factor: int = 0
    notice: Notice = Notice.NONE
    binding_days: int | None = None
    """The longest a binding may last, in days; None where nobody set a cap. Here the smaller is the tighter."""
    minutes: int | None = None
    """The longest an impersonation may last, in minutes, below the twenty of the house."""
    require_factor: int = 0
    """Admins and operators at the tenant or below need a second factor of their own to sign in."""

    @classmethod
    def tightest(cls, policies: "Iterable[Policy]") -> "Policy":
        """The policy of a tenant from its own and those of all above it."""
        all_of = list(policies)
        maxima = {
            each.name: max((getattr(policy, each.name) for policy in all_of), default=0)
            for each in fields(cls)
            if each.name not in CAPS
        }
        return cls(
            StandIns(maxima["stand_ins"]),
            Look(maxima["look"]),
            BindingReach(maxima["binding_reach"]),
            maxima["reason"],
            maxima["ticket"],
            maxima["second_factor"],
            Notice(maxima["notice"]),
            _least(policy.binding_days for policy in all_of),
            _least(policy.minutes for policy in all_of),
            maxima["require_factor"],
        )


CAPS = frozenset({"binding_days", "minutes"})
"""The rules that are a most: of these the smaller is the tighter, and none is no cap."""


def _least(caps: Iterable[int | None]) -> int | None:
    return min((cap for cap in caps if cap is not None), default=None)


class PolicyColumns:
    """A tenant's own rules, before inheriting."""

    policy_stand_ins: Mapped[int] = mapped_column(default=0)
    policy_look: Mapped[int] = mapped_column(default=0)
    policy_binding_reach: Mapped[int] = mapped_column(default=0)
    policy_reason: Mapped[int] = mapped_column(default=0)
    policy_ticket: Mapped[int] = mapped_column(default=0)
    policy_second_factor: Mapped[int] = mapped_column(default=0)
    policy_notice: Mapped[int] = mapped_column(default=0)
    policy_binding_days: Mapped[int | None] = mapped_column(default=None)
    policy_minutes: Mapped[int | None] = mapped_column(default=None)
    policy_require_factor: Mapped[int] = mapped_column(default=0)

    @property
    def own_policy(self) -> Policy:
        """This tenant's own rules."""
        return Policy(
            StandIns(self.policy_stand_ins),
            Look(self.policy_look),
            BindingReach(self.policy_binding_reach),
            self.policy_reason,
            self.policy_ticket,
            self.policy_second_factor,
            Notice(self.policy_notice),
            self.policy_binding_days,
            self.policy_minutes,
            self.policy_require_factor,
        )
