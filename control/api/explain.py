"""Explain and resolve: why the guard allows or refuses, and what a login would give now."""

from datetime import datetime
from typing import Annotated, Any

from litestar.params import QueryParameter
from msgspec import Struct

from bindings.claims_preview import preview_claims
from bindings.guard import Act
from bindings.rehearsal import explain, rehearse_login
from bindings.resolving import Granted, Seen
from control.api.apps import known_client
from control.api.doors import Asked, Session, acting, reads
from control.paging import LARGEST
from tenants.people import find_membership, find_user
from tenants.roles import Permission
from tenants.text import clean

PersonId = Annotated[int, QueryParameter(ge=1, le=LARGEST)]


class Explanation(Struct):
    """What the guard says, and what the actor's rights would be while standing in."""

    allowed: bool
    rule: str | None
    sentence: str
    gains: list[str]
    loses: list[str]


class Party(Struct):
    """Somebody an app would see."""

    membership: int
    name: str
    tenant: str
    extension: str | None
    phone_system: str | None


class StepShape(Struct):
    """One row of the table as it was walked."""

    rule: str
    outcome: str
    sentence: str


class Resolution(Struct):
    """What a login would give now, step by step."""

    granted: bool
    because: str | None
    subject: Party | None
    actor: Party | None
    binding: int | None
    ends_at: datetime | None
    page: str | None
    """Which page is shown instead of a login, and in `error` what the app is told."""
    error: str | None
    sentence: str
    steps: list[StepShape]
    claims: dict[str, Any] | None
    """What the ID token would say of a login that began now, but for its own `sid`, `nonce` and `at_hash`."""


@reads("/explain", may=Permission.SEE_STAND_INS, summary="Explain who may stand in for whom")
async def explain_stand_in(
    session: Session,
    actor: PersonId,
    subject: PersonId,
    act: Act,
    reason: Annotated[str | None, QueryParameter(max_length=1000)] = None,
    ticket: Annotated[str | None, QueryParameter(max_length=100)] = None,
) -> Explanation:
    """Both are memberships in reach. Nothing starts and nothing is written."""
    one, other = await find_membership(session, actor), await find_membership(session, subject)
    said = await explain(session, one, other, act, reason=reason, ticket=ticket)
    allowed = f"{one.user.name} may stand in for {other.user.name}."
    return Explanation(
        said.refused is None,
        said.refused.rule if said.refused else None,
        said.refused.sentence if said.refused else allowed,
        [each.value for each in said.gains],
        [each.value for each in said.loses],
    )


@reads("/resolve", may=Permission.STAND_IN, summary="Try a login without logging in")
async def resolve_login(
    request: Asked, session: Session, user: PersonId, app: Annotated[str, QueryParameter(max_length=80)]
) -> Resolution:
    """Whom the app would see if this person logged in now."""
    person, client = await find_user(session, user), await known_client(session, clean(app, "app"))
    outcome, steps = await rehearse_login(session, acting(request).reach(), person, client, request.user.now)
    walked = [StepShape(step.rule, step.outcome, step.sentence) for step in steps]
    if not isinstance(outcome, Granted):
        binding = outcome.binding.id if outcome.binding else None
        subject = _shown(outcome.subject) if outcome.subject else None
        return Resolution(
            False, None, subject, None, binding, None, outcome.kind, outcome.error, outcome.sentence, walked, None
        )
    who, seen = outcome.actor, outcome.subject
    actor = None
    if who.membership_id != seen.membership_id:
        actor = Party(who.membership_id, who.shown_name, who.tenant_name, None, None)
    return Resolution(
        True,
        outcome.because.value,
        _shown(seen),
        actor,
        outcome.binding.id if outcome.binding else None,
        outcome.ends_at,
        None,
        None,
        f"{client.name} opens as {seen.name}.",
        walked,
        await preview_claims(session, request.app.state.house.issuer.url, client, outcome, request.user.now),
    )


def _shown(seen: Seen) -> Party:
    return Party(seen.membership_id, seen.name, seen.tenant_name, seen.number, seen.phone_system)


ROUTES = [explain_stand_in, resolve_login]
