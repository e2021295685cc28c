"""Intent: who may do what at every route, written by hand from product.md and never read off the code.

A line names those whose role may. Whoever's role may not is refused (403), wherever the record lies; whoever's role
may and who reaches the record is let in; for everybody else it is not there (404). `but` names the people for whom a
rule beyond the role decides. A new route needs a new line here, thought of before the code is looked at.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

People = frozenset[str]

ADMINS = frozenset({"Ada", "Nora", "Olaf", "Boris", "Clara", "Sven", "Elsa", "Pia"})
OPERATORS = frozenset({"Opal", "Paul"})
SUPERVISORS = frozenset({"Bruno"})
AUDITORS = frozenset({"Axel", "Amos"})
MEMBERS = frozenset({"Bea", "Ben", "Cora", "Zoe", "Pete", "Dan", "Dina"})
EVERYBODY = ADMINS | OPERATORS | SUPERVISORS | AUDITORS | MEMBERS
STRANGER = "a stranger"

SEES = ADMINS | OPERATORS | SUPERVISORS | AUDITORS
"""Sees the tree, its people and its phones, as far as they reach."""
READS_HISTORY = ADMINS | OPERATORS | AUDITORS
SEES_APPS = ADMINS | OPERATORS | AUDITORS
INVITES = ADMINS | SUPERVISORS
EDITS_RECORDS = ADMINS | SUPERVISORS
KEEPS_TEAMS = ADMINS | SUPERVISORS
STANDS_IN = ADMINS | OPERATORS | SUPERVISORS
NOBODY: People = frozenset()

REACH: Mapping[str, People] = {
    "Bakery": frozenset({"Ada", "Axel", "Nora", "Olaf", "Opal", "Boris", "Bruno", "Amos"}),
    "Dairy": frozenset({"Ada", "Axel", "Pia", "Paul"}),
}
"""Who reaches what belongs to a company. Members reach only what is their own."""
ABOVE: Mapping[str, People] = {
    "Bakery": frozenset({"Ada", "Axel", "Nora", "Olaf", "Opal"}),
    "Dairy": frozenset({"Ada", "Axel", "Pia", "Paul"}),
}
"""Who reaches the organization above that company."""
KNOWS: Mapping[str, People] = {
    "Bakery": REACH["Bakery"] | {"Bea", "Ben"},
    "Clinic": frozenset({"Ada", "Axel", "Nora", "Olaf", "Opal", "Clara", "Cora", "Ben"}),
    "Zoo": frozenset({"Ada", "Axel", "Sven", "Elsa", "Zoe"}),
    "Dairy": REACH["Dairy"] | {"Dan", "Dina"},
}
"""Who may read a company's name anywhere at all."""

ITS_SUBJECT: Mapping[str, People] = {"Bakery": frozenset({"Bea"}), "Dairy": frozenset({"Dan"})}
"""Whose key, browser or stood-in self the place's record is."""
WHO_IS_BOUND: Mapping[str, People] = {"Bakery": frozenset({"Opal"}), "Dairy": frozenset({"Paul"})}
"""Who stands in by the place's binding."""
WHOLE_TREE = frozenset({"Ada", "Axel"})

IN = frozenset({200, 201, 204, 303, 409, 422})
"""Let in: done, or the form comes back because what was sent is not enough."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """Who may pass one route, and what happens to those who do."""

    who: People = NOBODY
    done: frozenset[int] = IN
    """The statuses of those who are let in."""
    sent: Mapping[str, Any] = field(default_factory=dict)
    """The body or form. `$extension` stands for the place's extension, `$me` for the one who asks."""
    query: str = ""
    path: Mapping[str, str] = field(default_factory=dict)
    """Parts of the address that are not the place's own record."""
    above: bool = False
    """What must be in reach is the organization above."""
    also: Mapping[str, People] = field(default_factory=dict)
    """Whose own the record is, though they reach nothing else."""
    only: Mapping[str, People] | None = None
    """Who reaches it, where those of the company's line do not."""
    but: Mapping[str, int] = field(default_factory=dict)
    turned: int = 403
    """The status of those whose role may not."""
    always: frozenset[int] | None = None
    """For everybody, strangers as well: the route checks its own credentials, or needs none."""
    stranger: frozenset[int] | None = None


def may(who: People, *done: int, **more: Any) -> Line:
    """These may."""
    return Line(who=who, done=frozenset(done) or IN, **more)


def always(*statuses: int, **more: Any) -> Line:
    """The same for everybody."""
    return Line(always=frozenset(statuses), **more)


KEEPS_RECORDS = ADMINS | SUPERVISORS
NOT_THEIR_COMPANY = dict.fromkeys(("Ada", "Axel", "Nora", "Olaf", "Opal", "Amos", "Pia", "Paul"), 403)
"""They reach a company's recordings without being of those who run it, so they decide nothing about its privacy."""
LOOKS_INTO_NONE = dict.fromkeys(("Axel", "Opal", "Amos", "Paul", "Bea", "Dan"), 403)
"""They reach recordings without editing any; their own they need not look into."""
FROM_ABOVE = dict.fromkeys(("Ada", "Nora", "Olaf", "Pia"), 403)
"""From above a company's rules are only tightened; Boris is told that nothing of Bakery's is set."""
OWN_HAND = {"Boris": 409}
"""Nobody closes their own organization."""
KEEPS_NO_RULES = dict.fromkeys(("Axel", "Opal", "Paul", "Bruno", "Amos"), 403)
"""They see it, and neither is it theirs nor do they keep the rules there."""
PLATFORMS: People = frozenset({"Ada"})
NOT_THEIRS_TO_END = {"Axel": 403, "Amos": 403, "Bruno": 403}
"""They see a binding and end only their own."""

API = {
    "GET /api/v1/me": may(EVERYBODY, 200),
    "GET /api/v1/me/accesses": may(EVERYBODY, 200),
    "GET /api/v1/me/account": may(EVERYBODY, 200),
    "PATCH /api/v1/me/account": may(EVERYBODY, 200, sent={"zone": "Europe/London"}),
    "GET /api/v1/me/keys": may(EVERYBODY, 200),
    "DELETE /api/v1/me/keys/{key_id}": may(EVERYBODY, 204, only=ITS_SUBJECT),
    "GET /api/v1/me/sign-ins": may(EVERYBODY, 200),
    "DELETE /api/v1/me/sign-ins/{sign_in_id}": may(EVERYBODY, 204, only=ITS_SUBJECT),
    "GET /api/v1/me/agreements": may(EVERYBODY, 200),
    "DELETE /api/v1/me/agreements/{app_consent_id}": may(EVERYBODY, 204, only=ITS_SUBJECT),
    # What is sold is no secret; what broke is for who sees phones, and mended by who manages them
    "GET /api/v1/products": may(EVERYBODY, 200),
    "GET /api/v1/products/{product_id}": may(EVERYBODY, 200, path={"product_id": "1"}),
    "GET /api/v1/orphans": may(SEES, 200),
    "POST /api/v1/orphans/mend": may(ADMINS, 200, 409, sent={"kind": "licences"}),
    # By two people, with a proof each, and in the panel; ended by whoever keeps the rules, and by the subject
    "GET /api/v1/break-glasses": may(EVERYBODY, 200),
    "GET /api/v1/break-glasses/{glass_id}": may(EVERYBODY, 200, also=ITS_SUBJECT),
    "DELETE /api/v1/break-glasses/{glass_id}": may(EVERYBODY, 204, also=ITS_SUBJECT, but=KEEPS_NO_RULES),
    "GET /api/v1/tenants/{tenant_id}/provisioning-keys": may(ADMINS, 200),
    "DELETE /api/v1/tenants/{tenant_id}/provisioning-keys/{key_id}": may(ADMINS, 404),
    # The tree
    "GET /api/v1/tenants": may(SEES, 200),
    "GET /api/v1/tenants/{tenant_id}": may(SEES, 200),
    "POST /api/v1/tenants": may(ADMINS, 201, sent={"parent": "$parent", "kind": "customer", "name": "New"}, above=True),
    "PATCH /api/v1/tenants/{tenant_id}": may(ADMINS, 200, sent={"name": "Renamed", "policy": {"ticket": True}}),
    "GET /api/v1/tenants/{tenant_id}/brand": may(SEES, 200),
    "PUT /api/v1/tenants/{tenant_id}/logo": may(ADMINS, 422),
    "DELETE /api/v1/tenants/{tenant_id}/logo": may(ADMINS, 204),
    "GET /api/v1/tenants/{tenant_id}/policy": may(SEES, 200),
    "GET /api/v1/tenants/{tenant_id}/loosening": may(SEES, 404),
    "DELETE /api/v1/tenants/{tenant_id}/loosening": may(ADMINS, 409),
    "POST /api/v1/tenants/{tenant_id}/suspension": may(ADMINS, 201, sent={"reason": "unpaid since May"}, but=OWN_HAND),
    "DELETE /api/v1/tenants/{tenant_id}/suspension": may(ADMINS, 409),
    "GET /api/v1/tenants/{tenant_id}/suspensions": may(SEES, 200),
    # It is under that parent already; the parent has to be in reach
    "POST /api/v1/tenants/{tenant_id}/move": may(ADMINS, 409, sent={"parent": "$parent"}, above=True),
    # Where a company's programs are told of what happens
    "GET /api/v1/webhooks": may(ADMINS, 200),
    "GET /api/v1/webhooks/{webhook_id}": may(ADMINS, 200),
    "POST /api/v1/webhooks": may(
        ADMINS, 201, sent={"tenant": "$tenant", "url": "https://hooks.example/", "events": ["binding.made"]}
    ),
    "PATCH /api/v1/webhooks/{webhook_id}": may(ADMINS, 200, sent={"events": ["binding.ended"]}),
    "POST /api/v1/webhooks/{webhook_id}/secret": may(ADMINS, 201),
    "POST /api/v1/webhooks/{webhook_id}/test": may(ADMINS, 201),
    "POST /api/v1/webhooks/{webhook_id}/disable": may(ADMINS, 200),
    "POST /api/v1/webhooks/{webhook_id}/enable": may(ADMINS, 409),
    "POST /api/v1/webhooks/{webhook_id}/discard": may(ADMINS, 200),
    "GET /api/v1/webhooks/{webhook_id}/deliveries": may(ADMINS, 200),
    "POST /api/v1/webhooks/{webhook_id}/deliveries/{delivery_id}/replay": may(ADMINS, 200),
    "POST /api/v1/webhooks/{webhook_id}/replay": may(ADMINS, 200, sent={"since": "2026-11-01T00:00:00Z"}),
    # Windows are given in the panel; who keeps the rules takes them back, and whose they are
    "GET /api/v1/consents": may(EVERYBODY, 200),
    "GET /api/v1/consents/{consent_id}": may(EVERYBODY, 200, also=ITS_SUBJECT),
    "DELETE /api/v1/consents/{consent_id}": may(EVERYBODY, 204, also=ITS_SUBJECT, but=KEEPS_NO_RULES),
    "POST /api/v1/consents/digits": may(STANDS_IN, 204, sent={"membership": "$member", "digits": "123456"}),
    "DELETE /api/v1/suspensions/{suspension_id}": may(ADMINS, 409),
    "POST /api/v1/tenants/{tenant_id}/discard": may(ADMINS, 200, but=OWN_HAND),
    "POST /api/v1/tenants/{tenant_id}/undiscard": may(ADMINS, 409),
    # People
    "GET /api/v1/users": may(SEES, 200),
    "GET /api/v1/users/{user_id}": may(SEES, 200),
    "POST /api/v1/users": may(INVITES, 201, sent={"tenant": "$tenant", "email": "new@new.example", "name": "New"}),
    "PATCH /api/v1/users/{user_id}": may(ADMINS, 200, sent={"name": "Renamed"}),
    "POST /api/v1/users/{user_id}/discard": may(ADMINS, 200),
    "POST /api/v1/users/{user_id}/undiscard": may(ADMINS, 409),
    # Only in the panel, by a person who has just proved who they are: refused before anybody is looked for
    "DELETE /api/v1/users/{user_id}/second-factor": may(ADMINS, 403, only={"Bakery": ADMINS, "Dairy": ADMINS}),
    "GET /api/v1/letters": may(ADMINS, 200),
    "GET /api/v1/letters/{letter_id}": may(ADMINS, 200),
    "POST /api/v1/letters/{letter_id}/try-again": may(ADMINS, 200),
    "GET /api/v1/invitations": may(SEES, 200),
    "GET /api/v1/invitations/{invitation_id}": may(SEES, 200),
    "POST /api/v1/invitations/{invitation_id}/link": may(INVITES, 201),
    "POST /api/v1/invitations/{invitation_id}/resend": may(INVITES, 200),
    "POST /api/v1/invitations/{invitation_id}/revoke": may(INVITES, 200),
    "POST /api/v1/users/{user_id}/password-reset": may(ADMINS, 200),
    "POST /api/v1/users/{user_id}/email": may(ADMINS, 201, sent={"email": "new@new.example"}),
    "DELETE /api/v1/users/{user_id}/email": may(ADMINS, 409),
    "GET /api/v1/memberships": may(SEES, 200),
    "GET /api/v1/memberships/{membership_id}": may(SEES, 200),
    "POST /api/v1/tenants/{tenant_id}/profile": may(STANDS_IN, 201, but={"Boris": 422, "Bruno": 403}),
    "POST /api/v1/memberships": may(ADMINS, 409, sent={"user": "$user", "tenant": "$tenant"}),
    "PATCH /api/v1/memberships/{membership_id}": may(ADMINS, 200, sent={"role": "supervisor"}),
    "POST /api/v1/memberships/{membership_id}/discard": may(ADMINS, 200),
    "POST /api/v1/memberships/{membership_id}/undiscard": may(ADMINS, 409),
    "GET /api/v1/service-accounts": may(ADMINS, 200),
    "GET /api/v1/service-accounts/{account_id}": may(ADMINS, 200),
    "PUT /api/v1/service-accounts/{account_id}/keys": may(ADMINS, 422, sent={"jwks": {"keys": []}}),
    "POST /api/v1/service-accounts/{account_id}/discard": may(ADMINS, 200),
    "GET /api/v1/teams": may(SEES, 200),
    "GET /api/v1/teams/{team_id}": may(SEES, 200),
    "POST /api/v1/teams": may(KEEPS_TEAMS, 201, sent={"tenant": "$tenant", "name": "New"}),
    "PATCH /api/v1/teams/{team_id}": may(KEEPS_TEAMS, 200, sent={"name": "Renamed"}),
    "POST /api/v1/teams/{team_id}/discard": may(KEEPS_TEAMS, 200),
    "POST /api/v1/teams/{team_id}/undiscard": may(KEEPS_TEAMS, 409),
    "POST /api/v1/teams/{team_id}/members": may(KEEPS_TEAMS, 201, sent={"membership": "$colleague"}),
    "PATCH /api/v1/teams/{team_id}/members/{membership_id}": may(
        ADMINS, 200, sent={"lead": False}, path={"membership_id": "$member"}
    ),
    "DELETE /api/v1/teams/{team_id}/members/{membership_id}": may(KEEPS_TEAMS, 204, path={"membership_id": "$member"}),
    # Phones
    "GET /api/v1/phone-systems": may(SEES, 200),
    "GET /api/v1/phone-systems/{system_id}": may(SEES, 200),
    "POST /api/v1/phone-systems": may(
        ADMINS, 201, sent={"tenant": "$tenant", "name": "New", "host": "new.pbx.example"}
    ),
    "PATCH /api/v1/phone-systems/{system_id}": may(ADMINS, 200, sent={"name": "Renamed"}),
    # It is that tenant's already; a move to the level above is that level's to make
    "POST /api/v1/phone-systems/{system_id}/move": may(ADMINS, 409, sent={"tenant": "$tenant"}),
    "GET /api/v1/extensions": may(SEES, 200),
    "GET /api/v1/extensions/{extension_id}": may(SEES, 200),
    "POST /api/v1/extensions": may(
        ADMINS, 201, sent={"phone_system": "$phone_system", "number": "299", "membership": "$colleague"}
    ),
    "PATCH /api/v1/extensions/{extension_id}": may(ADMINS, 200, sent={"membership": "$colleague"}),
    "POST /api/v1/extensions/{extension_id}/discard": may(ADMINS, 200),
    "GET /api/v1/licences": may(SEES, 200),
    "GET /api/v1/licences/{licence_id}": may(SEES, 200),
    "POST /api/v1/licences": may(ADMINS, 201, sent={"extension": "$spare", "product": "Desk"}),
    "PATCH /api/v1/licences/{licence_id}": may(ADMINS, 200, sent={"app_admin": False}),
    "DELETE /api/v1/licences/{licence_id}": may(ADMINS, 204),
    "POST /api/v1/phone-systems/{system_id}/discard": may(ADMINS, 200, sent={"with_extensions": True}),
    "GET /api/v1/tenants/{tenant_id}/seats": may(SEES, 200),
    "PUT /api/v1/tenants/{tenant_id}/seats": may(ADMINS, 200, sent={"product": "Desk", "seats": 2}),
    "GET /api/v1/numbers": may(SEES, 200),
    "GET /api/v1/numbers/{number_id}": may(SEES, 200),
    "POST /api/v1/numbers": may(ADMINS, 201, sent={"tenant": "$tenant", "number": "+442079460555"}),
    "PATCH /api/v1/numbers/{number_id}": may(ADMINS, 200, sent={"note": "Theirs"}),
    "POST /api/v1/numbers/{number_id}/discard": may(ADMINS, 200),
    "POST /api/v1/numbers/{number_id}/undiscard": may(ADMINS, 409),
    "GET /api/v1/recordings": may(EVERYBODY, 200),
    "GET /api/v1/recordings/{recording_id}": may(EVERYBODY, 200, also=ITS_SUBJECT),
    "POST /api/v1/recordings": may(
        ADMINS,
        201,
        sent={
            "tenant": "$tenant",
            "external_id": "new",
            "direction": "in",
            "party": "+442079460999",
            "started_at": "2026-11-20T09:00:00Z",
            "seconds": 60,
        },
    ),
    "PATCH /api/v1/recordings/{recording_id}": may(KEEPS_RECORDS, 200, sent={"notes": "Theirs"}),
    "PUT /api/v1/recordings/{recording_id}/private": may(
        EVERYBODY, 200, sent={"private": True}, also=ITS_SUBJECT, but=NOT_THEIR_COMPANY
    ),
    "POST /api/v1/recordings/{recording_id}/reveal": may(KEEPS_RECORDS, 409),
    "POST /api/v1/recordings/{recording_id}/discard": may(KEEPS_RECORDS, 200),
    # Apps: a supervisor has nothing to do with them
    "GET /api/v1/apps": may(SEES_APPS, 200),
    "GET /api/v1/apps/{app_id}": may(SEES_APPS, 200),
    "POST /api/v1/apps": may(
        ADMINS, 201, sent={"tenant": "$tenant", "name": "New", "redirect_uris": ["https://new.example/"]}
    ),
    "PATCH /api/v1/apps/{app_id}": may(ADMINS, 200, sent={"name": "Renamed"}),
    "POST /api/v1/apps/{app_id}/secret": may(ADMINS, 201),
    "DELETE /api/v1/apps/{app_id}/old-secret": may(ADMINS, 409),
    "PUT /api/v1/apps/{app_id}/keys": may(ADMINS, 422, sent={"jwks": {"keys": []}}),
    "PUT /api/v1/apps/{app_id}/signals": may(ADMINS, 200, sent={"signals_uri": "https://theirs.example/events"}),
    "POST /api/v1/apps/{app_id}/discard": may(ADMINS, 200),
    # Stand-ins: the subject sees and ends what concerns them; a supervisor binds nobody
    "GET /api/v1/bindings": may(EVERYBODY, 200),
    "GET /api/v1/bindings/{binding_id}": may(EVERYBODY, 200, also=ITS_SUBJECT),
    "POST /api/v1/bindings": may(STANDS_IN, 201, sent={"user": "$me", "extension": "$extension"}, but={"Bruno": 403}),
    "DELETE /api/v1/bindings/{binding_id}": may(EVERYBODY, 204, also=ITS_SUBJECT, but=NOT_THEIRS_TO_END),
    "GET /api/v1/impersonations": may(EVERYBODY, 200),
    "GET /api/v1/impersonations/{impersonation_id}": may(EVERYBODY, 200, also=ITS_SUBJECT),
    "POST /api/v1/impersonations/end": may(STANDS_IN, 200, sent={"tenant": "$tenant"}),
    "POST /api/v1/impersonations": may(
        STANDS_IN, 201, sent={"membership": "$member", "reason": "Their calls do not ring", "app": "softphone"}
    ),
    "DELETE /api/v1/impersonations/{impersonation_id}": may(EVERYBODY, 204, also=ITS_SUBJECT, but=NOT_THEIRS_TO_END),
    # The token API
    "GET /api/sys/users/impersonate": may(ADMINS | OPERATORS, 200, query="coworkerId=$member", turned=401),
    "GET /api/public/coworkers/{coworker_id}/impersonate": may(STANDS_IN, 200, path={"coworker_id": "$member"}),
    "POST /api/sys/users/exchange": always(401, sent={"token": "x"}),
    "GET /api/public/coworkers/profiles": may(EVERYBODY, 200),
    "PUT /api/public/coworkers/profiles/current": may(EVERYBODY, 200, 404, sent={"id": 1}),
    "GET /api/v1/explain": may(SEES, 200, query="actor=$colleague&subject=$member&act=bind"),
    "GET /api/v1/resolve": may(STANDS_IN, 200, query="user=$user&app=softphone"),
    # What a company does when
    "GET /api/v1/playbooks": may(SEES, 200),
    "GET /api/v1/playbooks/{playbook_id}": may(SEES, 200),
    "GET /api/v1/playbooks/{playbook_id}/versions": may(SEES, 200),
    "GET /api/v1/playbooks/{playbook_id}/versions/{number}": may(SEES, 200, path={"number": "1"}),
    "POST /api/v1/playbooks": may(EDITS_RECORDS, 201, sent={"tenant": "$tenant", "title": "New", "body": "Call Bea."}),
    "PATCH /api/v1/playbooks/{playbook_id}": may(EDITS_RECORDS, 200, sent={"body": "Call Ben.", "version": 1}),
    "POST /api/v1/playbooks/{playbook_id}/restore": may(EDITS_RECORDS, 409, sent={"version": 1}),
    "POST /api/v1/playbooks/{playbook_id}/discard": may(EDITS_RECORDS, 200),
    "POST /api/v1/playbooks/{playbook_id}/undiscard": may(EDITS_RECORDS, 409),
    # History
    "GET /api/v1/entries": may(READS_HISTORY, 200),
    "GET /api/v1/entries/{entry_id}": may(READS_HISTORY, 200),
    # Figures of the whole house: for those who hold the whole house
    "GET /metrics": may(SEES, 200, only={"": WHOLE_TREE}),
}

PAGES = {
    "GET /": may(EVERYBODY),
    "GET /home": may(EVERYBODY),
    "GET /home/accesses": may(EVERYBODY),
    "POST /home/consents": may(EVERYBODY, 422),
    "POST /home/digits": may(EVERYBODY, 200),
    "GET /find": may(EVERYBODY, query="q=a"),
    # One's own account, and nobody else's keys and browsers
    "GET /account": may(EVERYBODY),
    "POST /account": may(EVERYBODY, sent={"name": "Renamed", "zone": "Europe/London"}),
    "POST /account/notices": may(EVERYBODY, 303, sent={"letters": "1"}),
    "POST /account/theme": may(EVERYBODY, sent={"theme": "dark"}),
    "GET /account/email": may(EVERYBODY),
    "POST /account/email": may(EVERYBODY, sent={"email": "new@new.example"}),
    "POST /account/email/cancel": may(EVERYBODY),
    "POST /account/password": may(EVERYBODY, sent={"current": "wrong", "password": "short"}),
    "POST /account/api-keys": may(EVERYBODY, sent={"label": "New", "scopes": "read", "days": "9"}),
    "POST /account/api-keys/{key_id}/revoke": may(EVERYBODY, only=ITS_SUBJECT),
    "POST /account/app-consents/{app_consent_id}/revoke": may(EVERYBODY, 303, only=ITS_SUBJECT),
    "POST /account/sign-ins/{sign_in_id}/end": may(EVERYBODY, only=ITS_SUBJECT),
    # One's own second factors, and nobody else's
    "GET /account/second-factor": may(EVERYBODY, 200),
    "POST /account/second-factor/app": may(EVERYBODY, 303),
    "GET /account/second-factor/app": may(EVERYBODY, 303),
    "POST /account/second-factor/app/confirm": may(EVERYBODY, 409, sent={"code": "123456"}),
    "GET /account/second-factor/app/remove": may(EVERYBODY, 409),
    "POST /account/second-factor/app/remove": may(EVERYBODY, 409),
    "POST /account/second-factor/codes": may(EVERYBODY, 409),
    "POST /account/second-factor/later": may(EVERYBODY, 303),
    "GET /account/passkeys": may(EVERYBODY, 200),
    "POST /account/passkeys": may(EVERYBODY, 422, sent={"credential": "none", "name": "Laptop"}),
    "POST /account/passkeys/{passkey_id}/rename": may(EVERYBODY, 303, only=ITS_SUBJECT, sent={"name": "Laptop"}),
    "GET /account/passkeys/{passkey_id}/remove": may(EVERYBODY, 200, only=ITS_SUBJECT),
    "POST /account/passkeys/{passkey_id}/remove": may(EVERYBODY, 303, only=ITS_SUBJECT),
    "POST /sign-out": may(EVERYBODY),
    "POST /sign-out/everywhere": may(EVERYBODY),
    "GET /acting": may(EVERYBODY, 200, stranger=frozenset({401})),
    "GET /account/profiles": may(EVERYBODY),
    "POST /account/profiles": may(EVERYBODY),
    # The tree
    "GET /companies": may(SEES),
    "GET /companies/new": may(ADMINS),
    "POST /companies/new": may(ADMINS, sent={"parent": "$parent", "kind": "customer", "name": "New"}, above=True),
    "GET /companies/{tenant_id}": may(SEES),
    "GET /companies/{tenant_id}/edit": may(ADMINS),
    "POST /companies/{tenant_id}/edit": may(
        ADMINS, sent={"name": "Renamed", "slug": "renamed", "zone": "Europe/London"}
    ),
    "GET /companies/{tenant_id}/extensions": may(SEES),
    "GET /companies/{tenant_id}/phone-systems": may(SEES),
    "GET /companies/{tenant_id}/history": may(READS_HISTORY),
    "GET /companies/{tenant_id}/discard": may(ADMINS, but=OWN_HAND),
    "POST /companies/{tenant_id}/discard": may(ADMINS, 422, sent={"slug": "another"}, but=OWN_HAND),
    "POST /companies/{tenant_id}/undiscard": may(ADMINS, 409),
    "GET /companies/{tenant_id}/branding": may(SEES),
    "GET /companies/{tenant_id}/policy": may(SEES),
    "POST /companies/{tenant_id}/policy": may(ADMINS, sent={"ticket": "yes"}),
    "POST /companies/{tenant_id}/policy/loosening": may(
        ADMINS, 422, sent={"loose_stand_ins": "allowed"}, but=FROM_ABOVE
    ),
    "POST /companies/{tenant_id}/policy/loosening/cancel": may(ADMINS, 409),
    "GET /companies/{tenant_id}/consents": may(SEES, 200),
    "POST /companies/{tenant_id}/consents": may(ADMINS, 303, sent={"to": "$parent", "hours": "24"}, but=FROM_ABOVE),
    "GET /companies/{tenant_id}/webhooks": may(ADMINS, 200),
    "GET /companies/{tenant_id}/webhooks/new": may(ADMINS, 200),
    "POST /companies/{tenant_id}/webhooks/new": may(
        ADMINS, sent={"url": "https://hooks.example/", "events": "binding.made"}
    ),
    "GET /webhooks/{webhook_id}": may(ADMINS, 200),
    "POST /webhooks/{webhook_id}": may(ADMINS, 303, sent={"url": "https://hooks.example/", "events": "binding.made"}),
    "GET /webhooks/{webhook_id}/secret": may(ADMINS, 200),
    "POST /webhooks/{webhook_id}/secret": may(ADMINS),
    "POST /webhooks/{webhook_id}/test": may(ADMINS, 303),
    "POST /webhooks/{webhook_id}/disable": may(ADMINS, 303),
    "POST /webhooks/{webhook_id}/enable": may(ADMINS, 409),
    "GET /webhooks/{webhook_id}/discard": may(ADMINS, 200),
    "POST /webhooks/{webhook_id}/discard": may(ADMINS, 303),
    "POST /webhooks/{webhook_id}/deliveries/{delivery_id}/replay": may(ADMINS, 303),
    "POST /webhooks/{webhook_id}/replay": may(ADMINS, 303, sent={"since": "2026-11-01"}),
    "POST /consents/{consent_id}/revoke": may(EVERYBODY, 303, also=ITS_SUBJECT, but=KEEPS_NO_RULES),
    # Only the platform's admins, wherever it is; the scene's was asked for by somebody who may not
    "GET /break-glass": may(PLATFORMS, 200),
    "GET /break-glass/new": may(PLATFORMS, 200, query="membership=$member"),
    "POST /break-glass": may(PLATFORMS, 303, sent={"membership": "$member", "reason": "their calls do not ring"}),
    "POST /break-glass/{glass_id}/approve": may(PLATFORMS, 409),
    "POST /break-glass/{glass_id}/end": may(EVERYBODY, 303, also=ITS_SUBJECT, but=KEEPS_NO_RULES),
    "POST /companies/{tenant_id}/branding": may(ADMINS, sent={"name": "Bread", "hue": "20"}),
    "POST /companies/{tenant_id}/branding/reset": may(ADMINS, sent={"part": "hue"}),
    "GET /companies/{tenant_id}/siblings": may(SEES),
    "GET /companies/{tenant_id}/suspend": may(ADMINS, 200, but=OWN_HAND),
    "POST /companies/{tenant_id}/suspend": may(
        ADMINS, 303, sent={"scope": "staff", "reason": "unpaid since May"}, but=OWN_HAND
    ),
    "GET /companies/{tenant_id}/suspensions": may(SEES, 200),
    "POST /suspensions/{suspension_id}/lift": may(ADMINS, 409),
    # It is under that parent already; the parent has to be in reach
    "GET /companies/{tenant_id}/move": may(ADMINS, 409, query="parent=$parent", above=True),
    "POST /companies/{tenant_id}/move": may(
        ADMINS, 409, sent={"parent": "$parent", "expected_parent": "$parent"}, above=True
    ),
    "GET /companies/{tenant_id}/members": may(SEES),
    # A directory's key is made by an admin there or above; the scene's key is an ordinary one, which is not found here
    "GET /companies/{tenant_id}/provisioning": may(ADMINS),
    "POST /companies/{tenant_id}/provisioning": may(ADMINS, 200, sent={"label": "Directory", "days": 30}),
    "POST /companies/{tenant_id}/provisioning/{key_id}/revoke": may(ADMINS, 404),
    "GET /companies/{tenant_id}/service-accounts": may(ADMINS),
    "POST /companies/{tenant_id}/service-accounts": may(
        ADMINS, 200, sent={"name": "Till", "role": "member", "scopes": "read"}
    ),
    "POST /companies/{tenant_id}/service-accounts/{account_id}/secret": may(ADMINS, 200),
    "GET /companies/{tenant_id}/service-accounts/{account_id}/keys": may(ADMINS),
    "POST /companies/{tenant_id}/service-accounts/{account_id}/keys": may(ADMINS, 422, sent={"jwks": "{}"}),
    "POST /companies/{tenant_id}/service-accounts/{account_id}/discard": may(ADMINS),
    "GET /companies/{tenant_id}/members/{membership_id}/role": may(ADMINS),
    "POST /companies/{tenant_id}/members/{membership_id}/role": may(ADMINS, sent={"role": "supervisor"}),
    "GET /companies/{tenant_id}/members/{membership_id}/end": may(ADMINS),
    "POST /companies/{tenant_id}/members/{membership_id}/end": may(ADMINS),
    "POST /companies/{tenant_id}/members/{membership_id}/bring-back": may(ADMINS),
    # People
    "GET /users": may(SEES),
    "GET /users/new": may(INVITES),
    "POST /users/new": may(
        INVITES, sent={"tenant": "$tenant", "email": "new@new.example", "name": "New", "role": "member"}
    ),
    "GET /teams": may(SEES),
    "GET /teams/new": may(KEEPS_TEAMS),
    "POST /teams/new": may(KEEPS_TEAMS, sent={"company": "$tenant", "name": "New"}),
    "GET /teams/{team_id}": may(SEES),
    "POST /teams/{team_id}": may(KEEPS_TEAMS, sent={"name": "Renamed"}),
    "POST /teams/{team_id}/members": may(KEEPS_TEAMS, sent={"membership": "$colleague"}),
    "POST /teams/{team_id}/members/{membership_id}/lead": may(
        ADMINS, sent={"lead": "no"}, path={"membership_id": "$member"}
    ),
    "POST /teams/{team_id}/members/{membership_id}/remove": may(KEEPS_TEAMS, path={"membership_id": "$member"}),
    "POST /teams/{team_id}/discard": may(KEEPS_TEAMS),
    "POST /teams/{team_id}/undiscard": may(KEEPS_TEAMS),
    "GET /invitations": may(INVITES),
    "GET /invitations/{invitation_id}": may(SEES),
    "POST /invitations/{invitation_id}/revoke": may(INVITES),
    "POST /invitations/{invitation_id}/resend": may(INVITES),
    "POST /invitations/{invitation_id}/link": may(INVITES),
    "GET /invitations/send": may(INVITES),
    # What became of letters: for those who manage the people they go to
    "GET /letters": may(ADMINS, 200),
    "POST /letters/{letter_id}/try-again": may(ADMINS, 303),
    "POST /invitations/send": may(INVITES),
    "GET /users/{user_id}/email": may(ADMINS),
    "POST /users/{user_id}/email": may(ADMINS, sent={"email": "new@new.example"}),
    "POST /users/{user_id}/email/cancel": may(ADMINS),
    "POST /users/{user_id}/password-reset": may(ADMINS),
    "GET /users/{user_id}": may(SEES),
    "POST /users/{user_id}": may(ADMINS, sent={"name": "Renamed"}),
    "GET /users/{user_id}/discard": may(ADMINS),
    "POST /users/{user_id}/discard": may(ADMINS),
    "POST /users/{user_id}/undiscard": may(ADMINS),
    "GET /users/discard": may(ADMINS, query="id=$user"),
    "POST /users/discard": may(ADMINS, sent={"id": "$user"}),
    "POST /users/undiscard": may(ADMINS, query="ids=$user"),
    "GET /users/{user_id}/history": may(READS_HISTORY),
    "GET /users/{user_id}/security": may(SEES, 200),
    # For somebody with a passkey; what was sent is not enough
    "GET /users/{user_id}/security/disable": may(ADMINS, 200),
    "POST /users/{user_id}/security/disable": may(
        ADMINS, 422, sent={"checked": "1", "reason": "By phone, known voice"}
    ),
    "GET /users/{user_id}/accesses": may(READS_HISTORY),
    # Phones
    "GET /phone-systems": may(SEES),
    "GET /phone-systems/new": may(ADMINS),
    "POST /phone-systems/new": may(ADMINS, sent={"company": "$tenant", "name": "New", "host": "new.pbx.example"}),
    "GET /phone-systems/{system_id}": may(SEES),
    "POST /phone-systems/{system_id}": may(ADMINS, sent={"name": "Renamed", "host": "new.pbx.example"}),
    "GET /phone-systems/{system_id}/move": may(ADMINS, 409, query="owner=$tenant"),
    "POST /phone-systems/{system_id}/move": may(ADMINS, 409, sent={"owner": "$tenant", "expected_owner": "$tenant"}),
    "GET /phone-systems/{system_id}/extensions": may(SEES),
    "GET /phone-systems/{system_id}/history": may(READS_HISTORY),
    "GET /phone-systems/orphans": may(SEES),
    "GET /phone-systems/orphans/mend": may(ADMINS, query="kind=licences"),
    "POST /phone-systems/orphans/mend": may(ADMINS, sent={"kind": "licences"}),
    "GET /phone-systems/{system_id}/discard": may(ADMINS),
    "POST /phone-systems/{system_id}/discard": may(ADMINS, sent={"with_extensions": "1"}),
    "GET /companies/{tenant_id}/licences": may(SEES),
    "POST /companies/{tenant_id}/licences": may(ADMINS, sent={"product": "2", "seats": "2"}),
    "GET /extensions": may(SEES),
    "GET /extensions/new": may(ADMINS),
    "POST /extensions/new": may(ADMINS, sent={"phone_system": "$phone_system", "number": "299"}),
    "GET /extensions/{extension_id}": may(SEES),
    "POST /extensions/{extension_id}": may(ADMINS, sent={"name": "Renamed", "membership": "$colleague"}),
    "GET /extensions/{extension_id}/discard": may(ADMINS),
    "POST /extensions/{extension_id}/discard": may(ADMINS),
    "GET /extensions/{extension_id}/history": may(READS_HISTORY),
    "GET /recordings": may(EVERYBODY, 200),
    "GET /recordings/{recording_id}": may(EVERYBODY, 200, also=ITS_SUBJECT),
    "POST /recordings/{recording_id}": may(KEEPS_RECORDS, sent={"notes": "Theirs"}),
    "POST /recordings/{recording_id}/private": may(
        EVERYBODY, sent={"private": "1"}, also=ITS_SUBJECT, but=NOT_THEIR_COMPANY
    ),
    "GET /recordings/{recording_id}/reveal": may(EVERYBODY, also=ITS_SUBJECT, but=LOOKS_INTO_NONE),
    "POST /recordings/{recording_id}/reveal": may(EVERYBODY, 409, also=ITS_SUBJECT, but=LOOKS_INTO_NONE),
    "POST /recordings/{recording_id}/discard": may(KEEPS_RECORDS),
    "GET /recordings/{recording_id}/history": may(READS_HISTORY),
    "GET /numbers": may(SEES),
    "GET /numbers/new": may(ADMINS),
    "POST /numbers/new": may(ADMINS, sent={"company": "$tenant", "number": "+442079460555"}),
    "GET /numbers/lines": may(ADMINS),
    "POST /numbers/lines": may(ADMINS, sent={"company": "$tenant", "lines": "+442079460555"}),
    "GET /numbers/{number_id}": may(SEES),
    "POST /numbers/{number_id}": may(ADMINS, sent={"note": "Theirs"}),
    "GET /numbers/{number_id}/history": may(READS_HISTORY),
    "POST /numbers/{number_id}/discard": may(ADMINS),
    "POST /numbers/{number_id}/undiscard": may(ADMINS),
    "POST /extensions/{extension_id}/licences": may(ADMINS, sent={"product": "1"}),
    "POST /extensions/{extension_id}/licences/{licence_id}/app-admin": may(ADMINS, sent={"app_admin": "no"}),
    "POST /extensions/{extension_id}/licences/{licence_id}/withdraw": may(ADMINS),
    # Apps
    "GET /apps": may(SEES_APPS),
    "GET /apps/new": may(ADMINS),
    "POST /apps/new": may(ADMINS, sent={"name": "New", "redirect_uris": "https://new.example/", "type": "web"}),
    "GET /apps/{app_id}": may(SEES_APPS),
    "POST /apps/{app_id}": may(ADMINS, sent={"name": "Renamed"}),
    "GET /apps/{app_id}/secret": may(ADMINS),
    "POST /apps/{app_id}/secret": may(ADMINS),
    "POST /apps/{app_id}/old-secret/end": may(ADMINS, 409),
    "GET /apps/{app_id}/keys": may(ADMINS),
    "POST /apps/{app_id}/keys": may(ADMINS, 422, sent={"jwks": "{}"}),
    "GET /apps/{app_id}/rules": may(ADMINS),
    "POST /apps/{app_id}/rules": may(ADMINS, 303, sent={"product": "1", "id_token_alg": "RS256"}),
    "GET /apps/{app_id}/companies": may(SEES_APPS),
    "POST /apps/{app_id}/exchanges": may(
        ADMINS, 303, sent={"exchanges": "yes"}, but=dict.fromkeys(ADMINS - PLATFORMS, 403)
    ),
    "POST /apps/{app_id}/first-party": may(
        ADMINS, 303, sent={"first_party": "yes"}, but=dict.fromkeys(ADMINS - PLATFORMS, 403)
    ),
    # By which keys the panel signs: the platform's admins alone
    "GET /signing-keys": may(PLATFORMS, 200),
    "POST /signing-keys": may(PLATFORMS, 303),
    "GET /apps/{app_id}/test": may(ADMINS, 200),
    "POST /apps/{app_id}/test/end": may(ADMINS, 303),
    "GET /apps/{app_id}/signals": may(ADMINS, 200),
    "POST /apps/{app_id}/signals": may(ADMINS, 303, sent={"signals_uri": "https://theirs.example/events"}),
    "GET /apps/{app_id}/discard": may(ADMINS),
    "POST /apps/{app_id}/discard": may(ADMINS),
    # Stand-ins
    "GET /bindings": may(SEES),
    "GET /bindings/{binding_id}": may(EVERYBODY, also=ITS_SUBJECT),
    "POST /bindings/{binding_id}/release": may(EVERYBODY, also=ITS_SUBJECT, but=NOT_THEIRS_TO_END),
    # Proposed to somebody else: for everybody but them it is not here
    # A profile in a company below: Boris is in it, Bruno and the auditors are not above it
    "POST /companies/{tenant_id}/profile": may(STANDS_IN, but={"Boris": 422, "Bruno": 403}),
    "POST /bindings/{binding_id}/accept": may(EVERYBODY, only=WHO_IS_BOUND),
    "POST /bindings/{binding_id}/decline": may(EVERYBODY, only=WHO_IS_BOUND),
    # Undo of one's own release, and nobody released this one
    "POST /bindings/{binding_id}/again": may(STANDS_IN, only={}),
    "GET /users/{user_id}/bindings": may(SEES),
    "POST /users/{user_id}/bindings": may(
        STANDS_IN, path={"user_id": "$me"}, sent={"extension": "$extension"}, but={"Bruno": 403}
    ),
    "GET /resolve": may(STANDS_IN),
    "GET /impersonations": may(SEES),
    "GET /impersonations/rows": may(SEES),
    "GET /impersonations/live": may(SEES, 200),
    "GET /impersonations/{impersonation_id}": may(EVERYBODY, also=ITS_SUBJECT),
    "POST /impersonations/{impersonation_id}/end": may(EVERYBODY, also=ITS_SUBJECT, but=NOT_THEIRS_TO_END),
    "GET /impersonations/end-all": may(STANDS_IN, query="tenant=$tenant"),
    "POST /impersonations/end-all": may(STANDS_IN, sent={"tenant": "$tenant"}),
    # The platform's admins alone, and what is typed is wrong
    "GET /impersonations/stop-the-world": may(frozenset({"Ada"}), 200),
    "POST /impersonations/stop-the-world": may(frozenset({"Ada"}), 422, sent={"slug": "wrong"}),
    "GET /impersonations/new": may(STANDS_IN, 200, query="membership=$member"),
    "POST /impersonations": may(STANDS_IN, 303, sent={"membership": "$member", "reason": "Their calls do not ring"}),
    # Nobody stands in at their browser, and nothing of theirs has just ended
    "POST /impersonations/stop": may(EVERYBODY, 409),
    "POST /impersonations/over": may(EVERYBODY, 303),
    # What one did is told to who did it, once it is over; this one goes on
    "GET /impersonations/{impersonation_id}/done": may(EVERYBODY, only={}),
    # What a company does when
    "GET /playbooks": may(SEES),
    "GET /playbooks/new": may(EDITS_RECORDS),
    "POST /playbooks/new": may(EDITS_RECORDS, sent={"company": "$tenant", "title": "New", "body": "Call Bea."}),
    "GET /playbooks/{playbook_id}": may(SEES),
    "GET /playbooks/{playbook_id}/edit": may(EDITS_RECORDS),
    "POST /playbooks/{playbook_id}/edit": may(EDITS_RECORDS, sent={"title": "Renamed", "body": "Call Ben."}),
    "GET /playbooks/{playbook_id}/compare": may(SEES),
    "POST /playbooks/{playbook_id}/restore": may(EDITS_RECORDS, sent={"version": "1"}),
    "POST /playbooks/{playbook_id}/discard": may(EDITS_RECORDS),
    "POST /playbooks/{playbook_id}/undiscard": may(EDITS_RECORDS),
    # History
    "GET /history": may(READS_HISTORY),
    "GET /history/{entry_id}": may(READS_HISTORY),
    "GET /checkpoint": may(READS_HISTORY),
    # Before anybody is known
    "GET /api-docs": always(200),
    "GET /api-docs/{noun}": always(200, path={"noun": "bindings"}),
    "GET /sign-in": always(200, 303),
    "GET /sign-in/{name}": always(200, 303, path={"name": "nobody"}),
    "POST /sign-in": always(401, 403, 422, sent={"email": "nobody@nowhere.example", "password": "wrong"}),
    "GET /prove": may(EVERYBODY, 200),
    "POST /prove": may(EVERYBODY, 422, sent={"password": "wrong"}),
    "POST /prove/passkey": may(EVERYBODY, 422, sent={"credential": "none"}),
    # The password was right a moment ago, or one begins again
    "GET /sign-in/second-factor": always(303),
    "POST /sign-in/second-factor": always(303, 403, sent={"code": "123456"}),
    "POST /sign-in/second-factor/passkey": always(303, 403, sent={"credential": "none"}),
    "POST /sign-in/passkey": always(403, 422, sent={"credential": "none"}),
    # Whoever holds a letter's link; these are no letter's
    "GET /join/{token}": always(410, path={"token": "no-letter"}),
    "POST /join/{token}": always(403, 410, path={"token": "no-letter"}),
    "POST /join/{token}/letter": always(403, 410, path={"token": "no-letter"}),
    "GET /forgot": always(200),
    "POST /forgot": always(200, 403, 429, sent={"email": "nobody@nowhere.example"}),
    "GET /reset/{secret}": always(410, path={"secret": "no-letter"}),
    "POST /reset/{secret}": always(403, 410, 422, path={"secret": "no-letter"}),
    "GET /email/confirm/{secret}": always(410, path={"secret": "no-letter"}),
    "POST /email/confirm/{secret}": always(403, 410, path={"secret": "no-letter"}),
    "GET /email/agree/{secret}": always(410, path={"secret": "no-letter"}),
    "POST /email/agree/{secret}": always(403, 410, path={"secret": "no-letter"}),
    # The mark in the address is the right, whoever comes with it
    "GET /stop/{ticket}": always(404),
    "POST /stop/{ticket}": always(404),
    "GET /setup": always(404),
    "POST /setup": always(403, 404),
    "GET /{rest}": always(404),
}

# Nobody's ordinary key opens it, whatever their role: one made for a single company's directory does, and nothing else
BY_DIRECTORY = {
    "GET /scim/v2/ServiceProviderConfig": may(NOBODY),
    "GET /scim/v2/ResourceTypes": may(NOBODY),
    "GET /scim/v2/ResourceTypes/{name}": may(NOBODY),
    "GET /scim/v2/Schemas": may(NOBODY),
    "GET /scim/v2/Schemas/{name}": may(NOBODY),
    "GET /scim/v2/Me": may(NOBODY),
    "GET /scim/v2/Users": may(NOBODY),
    "POST /scim/v2/Users": may(NOBODY),
    "POST /scim/v2/Users/.search": may(NOBODY),
    "GET /scim/v2/Users/{number}": may(NOBODY),
    "PUT /scim/v2/Users/{number}": may(NOBODY),
    "PATCH /scim/v2/Users/{number}": may(NOBODY),
    "DELETE /scim/v2/Users/{number}": may(NOBODY),
    "GET /scim/v2/Groups": may(NOBODY),
    "POST /scim/v2/Groups": may(NOBODY),
    "POST /scim/v2/Groups/.search": may(NOBODY),
    "GET /scim/v2/Groups/{number}": may(NOBODY),
    "PUT /scim/v2/Groups/{number}": may(NOBODY),
    "PATCH /scim/v2/Groups/{number}": may(NOBODY),
    "DELETE /scim/v2/Groups/{number}": may(NOBODY),
    "POST /scim/v2/Bulk": may(NOBODY),
    "POST /scim/v2/.search": may(NOBODY),
}

PROTOCOL = {
    # These check the app's own credentials; nobody's cookie or key opens them.
    "GET /.well-known/openid-configuration": always(200),
    "GET /.well-known/oauth-authorization-server": always(200),
    "GET /.well-known/ssf-configuration": always(200),
    "GET /ssf/stream": always(401),
    "PATCH /ssf/stream": always(401),
    "DELETE /ssf/stream": always(401),
    "GET /ssf/status": always(401),
    "POST /ssf/status": always(401),
    "POST /ssf/verify": always(401),
    "GET /oauth/jwks": always(200),
    "GET /.well-known/trail/checkpoint": always(200, 404),
    "GET /.well-known/trail/key": always(200, 404),
    "GET /oauth/authorize": always(400),
    "POST /oauth/authorize": always(303, 400),
    "POST /oauth/authorize/as": may(EVERYBODY, 400),
    "POST /oauth/authorize/agreed": may(EVERYBODY, 400),
    "POST /oauth/token": always(400, 401),
    "POST /oauth/par": always(400, 401),
    "POST /oauth/introspect": always(400, 401),
    "POST /oauth/revoke": always(400, 401),
    "GET /oauth/userinfo": always(401),
    "POST /oauth/userinfo": always(401),
    "GET /oauth/acting": always(401),
    "POST /oauth/acting": always(401),
    # Without a valid ID token it asks first, and signs nobody out.
    "GET /oauth/logout": always(200, 303),
    "POST /oauth/logout": always(200, 303),
    "POST /oauth/logout/confirmed": may(EVERYBODY),
    "OPTIONS /oauth/token": always(200, 204),
    "OPTIONS /oauth/par": always(200, 204),
    "OPTIONS /oauth/revoke": always(200, 204),
    "OPTIONS /oauth/userinfo": always(200, 204),
    "OPTIONS /oauth/acting": always(200, 204),
}

OPEN = {
    "GET /healthz": always(200),
    "GET /readyz": always(200),
    "GET /static/{name}": always(200, path={"name": "app.css"}),
    "GET /embed/acting.js": always(200),
    "GET /embed/frame.js": always(200),
    # Of no app, and with no hint
    "GET /embed/frame": always(404),
    "POST /embed/acting": always(400),
    "GET /brand/{name}": always(404, path={"name": "0123.css"}),
    "GET /brand/logo/{name}": always(404, path={"name": "0123.png"}),
    "GET /schema": always(200, 404),
    "GET /schema/openapi.json": always(200),
    "GET /schema/{path}": always(404, path={"path": "nothing"}),
    "OPTIONS /schema": always(200, 204),
    "OPTIONS /schema/openapi.json": always(200, 204),
    "OPTIONS /schema/{path}": always(200, 204, path={"path": "nothing"}),
}

INTENT: Mapping[str, Line] = {**API, **PAGES, **BY_DIRECTORY, **PROTOCOL, **OPEN}

OPEN_TO_STAND_INS = frozenset(
    {
        # What one sees, as the person: every page that is no account's and asks for nothing that would outlive it
        "GET /",
        "GET /home",
        "GET /home/accesses",
        "GET /find",
        "GET /acting",
        "GET /companies",
        "GET /companies/{tenant_id}",
        "GET /companies/{tenant_id}/extensions",
        "GET /companies/{tenant_id}/phone-systems",
        "GET /companies/{tenant_id}/history",
        "GET /companies/{tenant_id}/branding",
        "GET /companies/{tenant_id}/policy",
        "GET /companies/{tenant_id}/siblings",
        "GET /companies/{tenant_id}/consents",
        "GET /companies/{tenant_id}/webhooks",
        "GET /webhooks/{webhook_id}",
        "GET /companies/{tenant_id}/suspensions",
        "GET /companies/{tenant_id}/members",
        "GET /companies/{tenant_id}/licences",
        "GET /users",
        "GET /users/{user_id}",
        "GET /users/{user_id}/history",
        "GET /users/{user_id}/security",
        "GET /users/{user_id}/accesses",
        "GET /users/{user_id}/bindings",
        "GET /teams",
        "GET /teams/{team_id}",
        "GET /invitations",
        "GET /invitations/{invitation_id}",
        "GET /letters",
        "GET /phone-systems",
        "GET /phone-systems/{system_id}",
        "GET /phone-systems/{system_id}/extensions",
        "GET /phone-systems/{system_id}/history",
        "GET /phone-systems/orphans",
        "GET /extensions",
        "GET /extensions/{extension_id}",
        "GET /extensions/{extension_id}/history",
        "GET /numbers",
        "GET /numbers/{number_id}",
        "GET /numbers/{number_id}/history",
        "GET /recordings",
        "GET /recordings/{recording_id}",
        "GET /recordings/{recording_id}/history",
        "GET /apps",
        "GET /apps/{app_id}",
        "GET /apps/{app_id}/companies",
        "GET /bindings",
        "GET /bindings/{binding_id}",
        "GET /resolve",
        "GET /playbooks",
        "GET /playbooks/{playbook_id}",
        "GET /playbooks/{playbook_id}/compare",
        "GET /history",
        "GET /history/{entry_id}",
        "GET /checkpoint",
        # Names and notes of what is there already, and what a company writes for itself
        "GET /companies/{tenant_id}/edit",
        "POST /companies/{tenant_id}/edit",
        "GET /teams/new",
        "POST /teams/new",
        "POST /teams/{team_id}",
        "POST /phone-systems/{system_id}",
        "POST /extensions/{extension_id}",
        "POST /numbers/{number_id}",
        "POST /recordings/{recording_id}",
        "GET /playbooks/new",
        "POST /playbooks/new",
        "GET /playbooks/{playbook_id}/edit",
        "POST /playbooks/{playbook_id}/edit",
        "POST /playbooks/{playbook_id}/restore",
        "POST /playbooks/{playbook_id}/undiscard",
        # What takes away and leaves nothing behind
        "GET /companies/{tenant_id}/members/{membership_id}/end",
        "POST /companies/{tenant_id}/members/{membership_id}/end",
        "POST /teams/{team_id}/members/{membership_id}/remove",
        "POST /teams/{team_id}/discard",
        "POST /invitations/{invitation_id}/revoke",
        "GET /phone-systems/{system_id}/discard",
        "POST /phone-systems/{system_id}/discard",
        "GET /extensions/{extension_id}/discard",
        "POST /extensions/{extension_id}/discard",
        "POST /extensions/{extension_id}/licences/{licence_id}/withdraw",
        "POST /numbers/{number_id}/discard",
        "POST /recordings/{recording_id}/discard",
        "POST /playbooks/{playbook_id}/discard",
        "POST /bindings/{binding_id}/release",
        # With a confirmation of its own
        "GET /recordings/{recording_id}/reveal",
        "POST /recordings/{recording_id}/reveal",
        # One profile is listed, and choosing another is refused by a rule of its own
        "GET /account/profiles",
        "POST /account/profiles",
        # A start is refused by a rule of its own
        "GET /impersonations/new",
        "POST /impersonations",
        # Who stands in for whom, and an end to it: nobody gains by one
        "GET /impersonations",
        "GET /impersonations/rows",
        "GET /impersonations/live",
        "GET /impersonations/{impersonation_id}",
        "POST /impersonations/{impersonation_id}/end",
        "GET /impersonations/end-all",
        "POST /impersonations/end-all",
        # An app asks who is there: the person at the browser proves it, and says as whom they go on
        "GET /prove",
        "POST /prove",
        "POST /prove/passkey",
        "POST /oauth/authorize/as",
        # The ways out
        "GET /stop/{ticket}",
        "POST /stop/{ticket}",
        "POST /impersonations/stop",
        "POST /impersonations/over",
        "POST /sign-out",
        "GET /oauth/logout",
        "POST /oauth/logout/confirmed",
        # Whoever is signed in is led on, and an app that asks is answered
        "GET /sign-in",
        "GET /sign-in/{name}",
        "GET /oauth/authorize",
        "GET /{rest}",
        # The same for everybody
        "GET /api-docs",
        "GET /api-docs/{noun}",
    }
)
"""What a page's cookie opens to somebody who stands in for its person, as far as rights are lent. All else is closed:
what creates or widens a credential, a grant, a destination for data or calls, or a place in the tree; whose account it
is; and, with each of these, the page that asks for it."""
