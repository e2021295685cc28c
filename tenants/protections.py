"""Protections: a tenant's stand-in rules, tightened at once by whoever holds it, never loosened here.

Loosening is for the tenant's own admins, told to all of them and in force a day later; without letters to tell it
by, it is refused.
"""

from sqlalchemy.ext.asyncio import AsyncSession

from tenants.refusals import Invalid, NotPermitted
from tenants.tree import Tenant

MOST_DAYS = 3650

# What each rule may be, loosest first; a cap in days stands apart.
LEVELS: dict[str, tuple[str, ...]] = {
    "stand_ins": ("allowed", "consent", "never"),
    "look": ("full", "look_first", "look_only"),
    "binding_reach": ("subtree", "layer"),
    "reason": ("no", "yes"),
    "ticket": ("no", "yes"),
    "second_factor": ("no", "yes"),
    "notice": ("no", "yes"),
}


def in_words(tenant: Tenant) -> dict[str, str | bool | int | None]:
    """The tenant's own rules, before inheriting, in the words they are set with."""
    said: dict[str, str | bool | int | None] = {"binding_days": tenant.policy_binding_days}
    for name, levels in LEVELS.items():
        number: int = getattr(tenant, f"policy_{name}")
        said[name] = bool(number) if levels == ("no", "yes") else levels[number]
    return said


async def tighten(session: AsyncSession, tenant: Tenant, wanted: dict[str, str | bool | int | None]) -> None:
    """Set these rules. NotPermitted (rule `policy`) for one that is looser than before."""
    columns = {f"policy_{name}": _number(name, value) for name, value in wanted.items()}
    for column, after in columns.items():
        before: int | None = getattr(tenant, column)
        if _looser(column, before, after):
            raise NotPermitted(
                f"“{column.removeprefix('policy_')}” would be looser than it is. Rules are only tightened here.",
                rule="policy",
            )
    await tenant.change(session, **columns)


def _number(name: str, value: str | bool | int | None) -> int | None:
    if name == "binding_days":
        if value is not None and (isinstance(value, str | bool) or not 1 <= value <= MOST_DAYS):
            raise Invalid(f"A cap is 1 to {MOST_DAYS} days.", field=name)
        return value if value is None else int(value)
    levels = LEVELS.get(name)
    word = {True: "yes", False: "no"}.get(value, value) if isinstance(value, bool) else value
    if levels is None or word not in levels:
        raise Invalid(f"One of {', '.join(levels or LEVELS)}.", field=name)
    return levels.index(str(word))


def _looser(column: str, before: int | None, after: int | None) -> bool:
    if column == "policy_binding_days":
        return before is not None and (after is None or after > before)
    return (after or 0) < (before or 0)
