"""The guard: who may stand in for whom. One pure function over a row of facts, one statement that fetches them.

It is asked when a stand-in starts and at each use. It answers nothing, or raises the rule that refused.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from tenants.policy import BindingReach, Look, Policy, StandIns
from tenants.refusals import Refusal
from tenants.roles import RIGHTS, Permission, Role, Span, above, may
from tenants.text import REASON_LEAST

NO_POLICY = Policy()


class Act(StrEnum):
    """The three kinds of stand-in: one rule-set."""

    BIND = "bind"
    IMPERSONATE = "impersonate"
    TOKEN = "token"


@dataclass(frozen=True, slots=True)
class Party:
    """One side of a stand-in: a membership, what it ranks as and whether it is live."""

    membership_id: int
    user_id: int
    name: str
    role: Role
    tenant_id: int
    tenant_name: str
    tenant_kind: str
    path: str
    live: bool
    """Neither the membership nor its user is discarded, and a sponsor it needs is live and above."""
    closed: bool
    """Its tenant is discarded or suspended, itself or from above."""
    sponsored: bool = False
    service: bool = False
    """It is a program's and no person's."""


@dataclass(frozen=True, slots=True)
class Facts:
    """All that the guard looks at. `subject` is None when the extension has no user."""

    act: Act
    actor: Party
    subject: Party | None
    place_path: str
    """The path of the tenant that holds the subject or, without one, the extension."""
    place_id: int = 0
    policy: Policy = NO_POLICY
    standing_in: bool = False
    leads: bool = False
    """An admin made the actor lead of a team that the subject is in."""
    consented: bool = False
    """A window of consent is open for this actor and this subject."""
    broken_glass: bool = False
    """A second person approved that the actor goes past `never` and consent, for this subject and an hour."""
    second_factor: bool = False
    reason: str | None = None
    ticket: str | None = None
    mode: str = "full"


class Refused(Refusal):
    """The guard said no; `rule` says which rule."""

    def __init__(self, rule: str, status: int, sentence: str) -> None:
        super().__init__(sentence, rule=rule, status=status)


def reach(facts: Facts) -> Refused | None:
    """The subject lies outside the actor's reach."""
    actor, span = facts.actor, RIGHTS[facts.actor.role].span
    if actor.sponsored and span is Span.SUBTREE:
        span = Span.TENANT
    inside = {
        Span.SUBTREE: facts.place_path.startswith(actor.path),
        Span.TENANT: facts.place_path == actor.path,
        Span.SELF: facts.subject is not None and facts.subject.membership_id == actor.membership_id,
    }[span]
    return None if inside else Refused("reach", 404, "Nothing here that you can see.")


def permission(facts: Facts) -> Refused | None:
    """The actor's role has no such act there, or one of the two is a program: nobody to be, and without a browser."""
    if (facts.subject is not None and facts.subject.service) or (facts.actor.service and facts.act is Act.BIND):
        return Refused("permission", 403, "A service account is a program: nobody stands in for it or is bound by it.")
    role = facts.actor.role
    allowed = may(role, Permission.STAND_IN)
    if role is Role.SUPERVISOR and facts.subject is not None:
        own = facts.subject.user_id == facts.actor.user_id
        allowed = allowed and (own or facts.leads) and facts.act is not Act.BIND
    if allowed:
        return None
    return Refused("permission", 403, "Your role may not stand in for this person. Ask an admin of your organization.")


def self_or_unassigned(facts: Facts) -> Refused | None:
    """The subject is the actor's own user, or the extension has no user."""
    if facts.subject is None:
        return unassigned()
    if facts.subject.user_id == facts.actor.user_id:
        return Refused("self", 422, "This is you already.")
    return None


def unassigned() -> Refused:
    """Nobody has the extension, so there is nobody to stand in for."""
    return Refused("unassigned", 422, "This extension has no user. Give it to somebody first.")


def rank(facts: Facts) -> Refused | None:
    """The subject's tenant is not strictly below, nor the same with the actor's role above the subject's."""
    actor, subject = facts.actor, _subject(facts)
    sentence = "You may stand in only for people below you, or of a lower role in your own organization."
    if subject.tenant_kind == "platform" and subject.role is Role.ADMIN:
        return Refused("rank", 403, sentence)
    if actor.sponsored and subject.path == actor.path:
        return None
    below = subject.path != actor.path and subject.path.startswith(actor.path)
    if below or (subject.path == actor.path and above(actor.role, subject.role)):
        return None
    return Refused("rank", 403, sentence)


def live(facts: Facts) -> Refused | None:
    """A membership, its user or its tenant is discarded or closed; ancestors' staff may still look."""
    actor, subject = facts.actor, _subject(facts)
    if not actor.live or actor.closed:
        return Refused("live", 409, "Your own membership or organization is not active.")
    if not subject.live:
        return Refused("live", 409, f"{subject.name} is not active there.")
    if subject.closed and not (facts.mode == "look" and facts.act is not Act.BIND and subject.path != actor.path):
        return Refused("live", 409, f"{subject.tenant_name} is suspended or discarded.")
    return None


def nested(facts: Facts) -> Refused | None:
    """The actor is standing in already."""
    if facts.standing_in:
        return Refused("nested", 409, "You are signed in as somebody else. Stop that first.")
    return None


def policy(facts: Facts) -> Refused | None:
    """The subject's tenant forbids it or asks for something that is missing."""
    wants, subject = facts.policy, _subject(facts)
    where = subject.tenant_name
    # Breaking the glass is for quick help: it opens no binding, which stays.
    broken = facts.broken_glass and facts.act is Act.IMPERSONATE
    missing = (
        (wants.stand_ins is StandIns.NEVER and not broken, f"{where} lets nobody stand in for its people."),
        (
            wants.stand_ins is StandIns.CONSENT and not facts.consented and not broken,
            f"{where} asks for consent first.",
        ),
        (bool(wants.reason) and len(facts.reason or "") < REASON_LEAST, f"{where} asks for a reason."),
        (bool(wants.ticket) and not facts.ticket, f"{where} asks for a ticket."),
        (wants.look is Look.LOOK_ONLY and facts.mode != "look", f"{where} allows looking only."),
        (bool(wants.second_factor) and not facts.second_factor, f"{where} asks that you use a second factor."),
    )
    for absent, sentence in missing:
        if absent:
            return Refused("policy", 403, sentence)
    return None


def layer(facts: Facts) -> Refused | None:
    """A tenant above set `binding_reach = layer`, and the actor is not of the very tenant that owns the phones."""
    if facts.policy.binding_reach is BindingReach.LAYER and facts.actor.tenant_id != facts.place_id:
        where = _subject(facts).tenant_name
        return Refused(
            "layer",
            403,
            f"{where}'s phone system is managed in its own layer. Create your own user in {where}, "
            "then bind from that user.",
        )
    return None


RULES: tuple[Callable[[Facts], Refused | None], ...] = (
    reach,
    permission,
    self_or_unassigned,
    rank,
    live,
    nested,
    policy,
    layer,
)
"""In this order: what may not be known is asked before what may not be done."""


def judge(facts: Facts) -> Refused | None:
    """None when the actor may stand in for the subject, or the first rule that refuses."""
    for rule in RULES:
        refused = rule(facts)
        if refused is not None:
            return refused
    return None


def _subject(facts: Facts) -> Party:
    # `self_or_unassigned` stands before every rule that calls this; a mutant that removes it must not pass.
    if facts.subject is None:
        raise unassigned()
    return facts.subject
