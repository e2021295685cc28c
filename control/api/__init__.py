"""The JSON API at /api/v1: how a program reaches the house. Each file is one noun and lists its doors as ROUTES."""

from typing import Any

from litestar import Request, Response, Router
from litestar.di import Provide
from litestar.exceptions import ValidationException
from litestar.types import ControllerRouterHandler

from control import answers
from control.api import (
    account,
    app_credentials,
    apps,
    bindings,
    break_glasses,
    consents,
    entries,
    explain,
    extensions,
    impersonations,
    invitations,
    letters,
    licences,
    looks,
    loosenings,
    me,
    memberships,
    moves,
    new_users,
    numbers,
    orphans,
    phone_systems,
    playbooks,
    products,
    provisioning,
    recordings,
    seats,
    service_accounts,
    suspensions,
    teams,
    tenants,
    token_api,
    users,
    ways_in,
    webhooks,
)
from control.api.lists import listing
from control.visitor import Visitor
from tenants.refusals import Invalid, OutOfReach

NOUNS = {
    "me": [*me.ROUTES, *account.ROUTES],
    "products": products.ROUTES,
    "orphans": orphans.ROUTES,
    "break-glasses": break_glasses.ROUTES,
    "tenants": [
        *tenants.ROUTES,
        *suspensions.ROUTES,
        *moves.ROUTES,
        *looks.ROUTES,
        *loosenings.ROUTES,
        *provisioning.ROUTES,
    ],
    "users": [*users.ROUTES, *new_users.ROUTES, *ways_in.ROUTES],
    "invitations": invitations.ROUTES,
    "letters": letters.ROUTES,
    "memberships": memberships.ROUTES,
    "teams": teams.ROUTES,
    "phone-systems": phone_systems.ROUTES,
    "extensions": extensions.ROUTES,
    "licences": licences.ROUTES,
    "seats": seats.ROUTES,
    "service-accounts": service_accounts.ROUTES,
    "numbers": numbers.ROUTES,
    "recordings": recordings.ROUTES,
    "playbooks": playbooks.ROUTES,
    "apps": [*apps.ROUTES, *app_credentials.ROUTES],
    "bindings": bindings.ROUTES,
    "impersonations": impersonations.ROUTES,
    "consents": consents.ROUTES,
    "explain": explain.ROUTES,
    "entries": entries.ROUTES,
    "webhooks": webhooks.ROUTES,
}


SAID = {
    "me": "Whose key this is, what it may do, and one's own account.",
    "products": "What is sold, and licences are for.",
    "orphans": "Links that broke because what they lead to is out of use.",
    "break-glasses": "Ways round somebody's protection, which two admins of the platform opened for an hour.",
    "tenants": "The tree: distributors, resellers and companies; their rules, looks, suspensions and moves.",
    "users": "People, each with the memberships in reach; the ways they sign in by.",
    "invitations": "Who is asked to join, and has not yet.",
    "letters": "What was written to whom and whether it went out, never what it says.",
    "memberships": "Who somebody is in a tenant, and as what: the identity that everything speaks of.",
    "teams": "Groups of people inside one company, with leads.",
    "phone-systems": "The PBXs that tenants own.",
    "extensions": "Numbers on a phone system, each with at most one person.",
    "licences": "Which product an extension may use, and who is its app admin.",
    "seats": "How many licences of a product there may be, at a tenant and below.",
    "service-accounts": "Programs of a company, which get tokens by client credentials.",
    "numbers": "What the world dials, and which extension rings.",
    "recordings": "Calls that were recorded, some of them private.",
    "playbooks": "What a company does when, with every version.",
    "apps": "OpenID Connect clients: the end-user apps.",
    "bindings": "Who stands in for whom at the apps, from the next login on.",
    "impersonations": "Who stands in for whom just now, for at most twenty minutes.",
    "consents": "Who may stand in where an organization asks for consent first.",
    "explain": "Why, and what if: it starts and writes nothing.",
    "entries": "The history, which nobody can rewrite.",
    "webhooks": "Where a company's programs are told of what happens.",
    "token API": "Standing in at the panel's API by a program, in two steps.",
}
"""What each noun is, in one sentence."""


def routes() -> list[ControllerRouterHandler]:
    """Every noun's doors, under the one address."""
    return [
        Router(
            "/api/v1",
            route_handlers=[Router("/", route_handlers=doors, tags=[noun]) for noun, doors in NOUNS.items()],
            dependencies={"listing": Provide(listing)},
            exception_handlers={ValidationException: not_valid, RecursionError: too_deep},
            security=[{"bearer": []}],
            include_in_schema=True,
        ),
        Router("/", route_handlers=token_api.ROUTES, security=[{"bearer": []}], include_in_schema=True),
    ]


def not_valid(request: Request[Visitor, Any, Any], error: ValidationException) -> Response[Any]:
    """Input that breaks its schema is 422 with the fields; an id in the address that cannot be one is not there."""
    found = [each for each in (error.extra if isinstance(error.extra, list) else []) if isinstance(each, dict)]
    if any(each.get("source") == "path" for each in found):
        return answers.refused(request, OutOfReach())
    if any(each.get("message") == "'data'" for each in found):
        return answers.refused(request, Invalid("A body is needed: a JSON object."))
    errors = [{"field": str(each.get("key", "")), "detail": str(each.get("message", ""))} for each in found]
    detail = errors[0]["detail"] if errors else "The input breaks a rule."
    return answers.answer(request, 422, detail, rule="invalid", errors=errors)


def too_deep(request: Request[Visitor, Any, Any], error: RecursionError) -> Response[Any]:
    """JSON nested deeper than anything here is."""
    return answers.answer(request, 400, "The body is nested too deeply.")
