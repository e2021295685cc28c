"""Policy: what a company asks of whoever stands in for its people, where each rule comes from, and tightening it.

Loosening it is asked for on the same page: control/pages/loosenings.py.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from litestar import Request, Response, get, post
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.recheck import recheck
from bindings.tightening import Breaks, what_breaks
from control.pages.company import framed
from control.pages.parts.fields import Fields, Id, read_fields
from control.pages.parts.forms import UNTOUCHED, errors_of
from control.pages.parts.session import Session
from control.shell import see_other
from control.speech import speech
from control.visitor import Visitor
from tenants.loosenings import waiting_in
from tenants.own_admins import SETTLED, is_own_admin
from tenants.people import find_membership
from tenants.protections import LEVELS, MOST, RULES, YES_NO, Rule, Word, rules_of, tighten
from tenants.refusals import Invalid, Refusal
from tenants.roles import Permission
from tenants.tree import Tenant, find_tenant

LOOSE = "loose_"
"""What the fields of the form that loosens begin with: both forms stand on one page."""
LOOSENED = tuple(f"{LOOSE}{name}{more}" for name in RULES for more in ("", "_none"))


@dataclass(frozen=True, slots=True)
class ShownRule:
    """A rule as the page has it. `source` is `own`, `named`, `above` or `none`; `tenant` the one that is named."""

    rule: Rule
    source: str
    tenant: Tenant | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """Looser rules that were asked for: each with what it is and what it is to be."""

    who: str
    takes_effect_at: datetime
    rules: list[tuple[Word, ...]]


@get("/companies/{tenant_id:int}/policy", may=Permission.SEE_TENANTS, outlives=False, include_in_schema=False)
async def show_policy(request: Request[Visitor, Any, Any], session: Session, tenant_id: Id) -> Response[Any]:
    """Every rule in force here, who asks for it, the form that tightens, and what its own admins may loosen."""
    said = request.query_params
    fields = Fields({name: (said.get(name, ""),) for name in LOOSENED})
    return await show(request, session, await find_tenant(session, tenant_id), fields)


@post("/companies/{tenant_id:int}/policy", may=Permission.MANAGE_POLICY, outlives=True, include_in_schema=False)
async def tighten_policy(request: Request[Visitor, Any, Any], session: Session, tenant_id: Id) -> Response[Any]:
    """Tighten what was chosen; first it is said how many bindings that would break, unless none."""
    tenant, fields = await find_tenant(session, tenant_id), await read_fields(request)
    try:
        wanted = wanted_in(fields)
        breaks = await what_breaks(session, tenant, wanted, request.user.now)
    except Invalid as refusal:
        return await show(request, session, tenant, fields, refusal)
    if breaks.bindings and fields.number("breaks") != breaks.bindings:
        return await show(request, session, tenant, fields, breaks=breaks)
    await tighten(session, tenant, wanted)
    await recheck(session, tenant, request.user.now)
    return see_other(request, f"/companies/{tenant.id}/policy", say=speech(request)("Saved."))


def wanted_in(fields: Fields, prefix: str = "") -> dict[str, Word]:
    """The rules that were chosen; what was left as it is does not come along."""
    wanted: dict[str, Word] = {}
    for name in RULES:
        typed = fields.text(f"{prefix}{name}").strip()
        if fields.text(f"{prefix}{name}_none"):
            wanted[name] = None
        elif not typed:
            continue
        elif name in MOST:
            wanted[name] = _cap(name, typed)
        else:
            wanted[name] = typed == "yes" if LEVELS[name] == YES_NO and typed in YES_NO else typed
    if not wanted:
        raise Invalid("Nothing was chosen: every rule stays as it is.")
    return wanted


def _cap(name: str, typed: str) -> int:
    if not (typed.isascii() and typed.isdigit() and len(typed) <= 6):
        raise Invalid(f"A cap is a number from 1 to {MOST[name]}.", field=name)
    return int(typed)


async def show(
    request: Request[Visitor, Any, Any],
    session: AsyncSession,
    tenant: Tenant,
    fields: Fields = UNTOUCHED,
    refusal: Refusal | None = None,
    breaks: Breaks | None = None,
    *,
    loosening: bool = False,
) -> Response[Any]:
    """The page, with what was typed into one of its two forms: the one that loosens, or the one that tightens."""
    actor, now = request.user.actor, request.user.now
    errors = errors_of(refusal)
    rules = await rules_of(session, tenant)
    return await framed(
        request,
        session,
        tenant,
        "policy",
        "companies/policy.html",
        status=refusal.status if refusal else 409 if breaks else 200,
        rules=[_shown(request.user, tenant, rule) for rule in rules],
        may_tighten=actor is not None and actor.may(Permission.MANAGE_POLICY) and tenant.discarded_at is None,
        may_loosen=actor is not None and await is_own_admin(session, actor, tenant, now),
        settled=SETTLED.days,
        waiting=await _waiting(session, tenant),
        fields=fields,
        errors={} if loosening else errors,
        loosening_errors={f"{LOOSE}{name}" if name else name: said for name, said in errors.items()}
        if loosening
        else {},
        breaks=breaks,
    )


async def _waiting(session: AsyncSession, tenant: Tenant) -> Waiting | None:
    row = await waiting_in(session, tenant.id)
    if row is None:
        return None
    asker = await find_membership(session, row.asked_by_id)
    return Waiting(asker.user.name, row.takes_effect_at, [(name, *change) for name, change in row.wanted.items()])


def _shown(visitor: Visitor, tenant: Tenant, rule: Rule) -> ShownRule:
    """Who stands above the reader is not named."""
    if rule.source is None:
        return ShownRule(rule, "none")
    if rule.source.id == tenant.id:
        return ShownRule(rule, "own")
    reached = visitor.actor is not None and visitor.actor.reach().holds(rule.source.path)
    return ShownRule(rule, "named", rule.source) if reached else ShownRule(rule, "above")


ROUTES = [show_policy, tighten_policy]
