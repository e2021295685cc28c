"""Protections: a tenant's stand-in rules, tightened at once by whoever holds it, never loosened here.

Loosening is for the tenant's own admins, told to all of them and in force a day later: tenants/loosenings.py.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from tenants.policy import Policy
from tenants.refusals import Invalid, NotPermitted
from tenants.tree import Tenant, ancestors

YES_NO = ("no", "yes")

# What each rule may be, loosest first; a cap stands apart.
LEVELS: dict[str, tuple[str, ...]] = {
    "stand_ins": ("allowed", "consent", "never"),
    "look": ("full", "look_first", "look_only"),
    "binding_reach": ("subtree", "layer"),
    "reason": YES_NO,
    "ticket": YES_NO,
    "second_factor": YES_NO,
    "notice": ("none", "digest", "at_once"),
    "require_factor": YES_NO,
}
MOST: dict[str, int] = {"binding_days": 3650, "minutes": 20}
"""The caps, and the most that each may be: days of a binding, minutes of an impersonation."""
RULES = (*LEVELS, *MOST)

Word = str | bool | int | None
"""What a rule is, as it is set and shown: one of its levels, yes or no, or a cap (None where there is none)."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule at a tenant: what is in force, what it says itself, and who is the nearest that asks for so much."""

    name: str
    effective: Word
    own: Word
    source: Tenant | None
    """None where nobody asks for anything. It may lie out of the reader's reach: then it is not named."""

    @property
    def tighter(self) -> Sequence[Word]:
        """What it could still be tightened to, loosest first; of a cap the most that would be tighter, if any."""
        if self.name in MOST:
            cap = MOST[self.name] + 1 if self.effective is None else int(self.effective)
            return (cap - 1,) if cap > 1 else ()
        levels = LEVELS[self.name]
        return [_level(self.name, number) for number in range(_number(self.name, self.effective) or 0, len(levels))][1:]

    @property
    def looser(self) -> Sequence[Word]:
        """What the tenant's own part could be loosened to, loosest first; of a cap None, and the most there is."""
        if not _asks(self.name, self.own):
            return ()
        if self.name in MOST:
            return (None,) if self.own == MOST[self.name] else (None, MOST[self.name])
        return [_level(self.name, number) for number in range(_number(self.name, self.own) or 0)]

    def loosened_by(self, value: Word) -> bool:
        """Whether its own part would be looser as `value`. Invalid for what the rule cannot be."""
        before, after = _number(self.name, self.own), _number(self.name, value)
        return _looser(f"policy_{self.name}", before, after)

    def overruled(self, value: Word) -> bool:
        """Whether somebody above asks for more than `value`, so that setting it here would change nothing."""
        return _looser(f"policy_{self.name}", _number(self.name, self.effective), _number(self.name, value))


def in_words(tenant: Tenant) -> dict[str, Word]:
    """The tenant's own rules, before inheriting, in the words they are set with."""
    return {name: _word(name, tenant.own_policy) for name in RULES}


async def rules_of(session: AsyncSession, tenant: Tenant) -> list[Rule]:
    """Every rule at a tenant with where it comes from, past the fence."""
    line = await ancestors(session, tenant.path)
    effective = Policy.tightest(each.own_policy for each in line)
    rules = []
    for name in RULES:
        value = _word(name, effective)
        nearest = next((each for each in reversed(line) if _word(name, each.own_policy) == value), None)
        rules.append(Rule(name, value, _word(name, tenant.own_policy), nearest if _asks(name, value) else None))
    return rules


async def tighten(session: AsyncSession, tenant: Tenant, wanted: Mapping[str, Word]) -> None:
    """Set these rules. NotPermitted (rule `policy`) for one that is looser than before."""
    columns = columns_of(wanted)
    # Held, so that a loosening which comes into force at this moment is seen.
    await session.refresh(tenant, list(columns), with_for_update=True)
    for column, after in columns.items():
        before: int | None = getattr(tenant, column)
        if _looser(column, before, after):
            raise NotPermitted(
                f"“{column.removeprefix('policy_')}” would be looser than it is. Rules are only tightened here. "
                f"Only {tenant.name}'s own admins can loosen it, those who were not made admin from above in the last "
                "30 days; all its admins are told, and it is in force a day later.",
                rule="policy",
            )
    await tenant.change(session, **columns)


def columns_of(wanted: Mapping[str, Word]) -> dict[str, int | None]:
    """The tenant's columns for these rules. Raises Invalid."""
    return {f"policy_{name}": _number(name, value) for name, value in wanted.items()}


def _word(name: str, policy: Policy) -> Word:
    number: int | None = getattr(policy, name)
    return number if name in MOST else _level(name, number or 0)


def _level(name: str, number: int) -> Word:
    return bool(number) if LEVELS[name] == YES_NO else LEVELS[name][number]


def _asks(name: str, value: Word) -> bool:
    """Whether this is more than nothing."""
    return value is not None if name in MOST else value != _level(name, 0)


def _number(name: str, value: Word) -> int | None:
    if name in MOST:
        if value is not None and (isinstance(value, str | bool) or not 1 <= value <= MOST[name]):
            raise Invalid(f"A cap is a number from 1 to {MOST[name]}.", field=name)
        return None if value is None else int(value)
    levels = LEVELS.get(name)
    word = YES_NO[value] if isinstance(value, bool) else value
    if levels is None or word not in levels:
        raise Invalid(f"One of {', '.join(levels or RULES)}.", field=name)
    return levels.index(str(word))


def _looser(column: str, before: int | None, after: int | None) -> bool:
    if column.removeprefix("policy_") in MOST:
        return before is not None and (after is None or after > before)
    return (after or 0) < (before or 0)
