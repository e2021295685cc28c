"""Policy: what a company asks of whoever stands in for its people, where each rule comes from, and tightening it."""

from dataclasses import dataclass
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
from tenants.protections import LEVELS, MOST, RULES, YES_NO, Rule, Word, rules_of, tighten
from tenants.refusals import Invalid, Refusal
from tenants.roles import Permission
from tenants.tree import Tenant, find_tenant


@dataclass(frozen=True, slots=True)
class ShownRule:
    """A rule as the page has it. `source` is `own`, `named`, `above` or `none`; `tenant` the one that is named."""

    rule: Rule
    source: str
    tenant: Tenant | None = None


@get("/companies/{tenant_id:int}/policy", may=Permission.SEE_TENANTS, outlives=False, include_in_schema=False)
async def show_policy(request: Request[Visitor, Any, Any], session: Session, tenant_id: Id) -> Response[Any]:
    """Every rule in force here, who asks for it, and the form that tightens."""
    return await _show(request, session, await find_tenant(session, tenant_id))


@post("/companies/{tenant_id:int}/policy", may=Permission.MANAGE_POLICY, outlives=True, include_in_schema=False)
async def tighten_policy(request: Request[Visitor, Any, Any], session: Session, tenant_id: Id) -> Response[Any]:
    """Tighten what was chosen; first it is said how many bindings that would break, unless none."""
    tenant, fields = await find_tenant(session, tenant_id), await read_fields(request)
    try:
        wanted = _wanted(fields)
        breaks = await what_breaks(session, tenant, wanted, request.user.now)
    except Invalid as refusal:
        return await _show(request, session, tenant, fields, refusal)
    if breaks.bindings and fields.number("breaks") != breaks.bindings:
        return await _show(request, session, tenant, fields, breaks=breaks)
    await tighten(session, tenant, wanted)
    await recheck(session, tenant, request.user.now)
    return see_other(request, f"/companies/{tenant.id}/policy", say=speech(request)("Saved."))


def _wanted(fields: Fields) -> dict[str, Word]:
    """The rules that were chosen; what was left as it is does not come along."""
    wanted: dict[str, Word] = {}
    for name in RULES:
        typed = fields.text(name).strip()
        if not typed:
            continue
        if name in MOST:
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


async def _show(
    request: Request[Visitor, Any, Any],
    session: AsyncSession,
    tenant: Tenant,
    fields: Fields = UNTOUCHED,
    refusal: Refusal | None = None,
    breaks: Breaks | None = None,
) -> Response[Any]:
    actor = request.user.actor
    rules = await rules_of(session, tenant)
    answer = await framed(
        request,
        session,
        tenant,
        "policy",
        "companies/policy.html",
        rules=[_shown(request.user, tenant, rule) for rule in rules],
        may_tighten=actor is not None and actor.may(Permission.MANAGE_POLICY) and tenant.discarded_at is None,
        fields=fields,
        errors=errors_of(refusal),
        breaks=breaks,
    )
    answer.status_code = refusal.status if refusal else 409 if breaks else 200
    return answer


def _shown(visitor: Visitor, tenant: Tenant, rule: Rule) -> ShownRule:
    """Who stands above the reader is not named."""
    if rule.source is None:
        return ShownRule(rule, "none")
    if rule.source.id == tenant.id:
        return ShownRule(rule, "own")
    reached = visitor.actor is not None and visitor.actor.reach().holds(rule.source.path)
    return ShownRule(rule, "named", rule.source) if reached else ShownRule(rule, "above")


ROUTES = [show_policy, tighten_policy]
