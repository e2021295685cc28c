"""Answers when something goes wrong: problem+json for programs (RFC 9457), a page for people."""

from typing import Any

import sqlalchemy.exc
import structlog
from litestar import MediaType, Request, Response
from litestar.exceptions import HTTPException, NotAuthorizedException
from litestar.response import Redirect, Template

from bindings.dpop import SCHEME
from bindings.public_keys import ALGORITHMS
from control.doors import ItIsOver
from control.pages.parts.ended_how import ended_how
from control.proof import FactorFirst, ProveFirst
from control.speech import speech
from control.visitor import Visitor
from tenants.refusals import Conflict, Invalid, Refusal, TooMany

PROGRAMS = (
    "/oauth/token",
    "/oauth/introspect",
    "/oauth/revoke",
    "/oauth/par",
    "/oauth/userinfo",
    "/oauth/acting",
    "/embed/acting",
    "/ssf/",
)
PROVISIONING = "/scim/"

log = structlog.get_logger()

TITLES = {
    400: "Bad request",
    401: "Not signed in",
    403: "Not permitted",
    404: "Not found",
    405: "Not in this way",
    409: "Conflict",
    413: "Too large",
    422: "Not valid",
    429: "Too many",
    500: "Our fault",
    503: "Not available",
}


def at_once(request: Request[Visitor, Any, Any], error: sqlalchemy.exc.IntegrityError) -> Response[Any]:
    """Two did the same thing at once and the database kept one: the other may look and ask again.

    Anything else that the database refuses, such as a change without its entry, is a fault of ours.
    """
    said = str(error.orig).lower()
    if "unique" not in said and "foreign key" not in said:
        return fault(request, error)
    return refused(request, Conflict("Somebody else did this at the same moment. Look again."))


def refused(request: Request[Visitor, Any, Any], refusal: Refusal) -> Response[Any]:
    """One of the house's own refusals."""
    if isinstance(refusal, FactorFirst) and not wants_json(request):
        return Redirect(refusal.back, status_code=303)
    if isinstance(refusal, ItIsOver) and not wants_json(request):
        return it_is_over(request)
    if isinstance(refusal, ProveFirst) and not wants_json(request):
        return Redirect("/prove", query_params={"next": refusal.back}, status_code=303)
    extra: dict[str, Any] = {"rule": refusal.rule}
    if isinstance(refusal, Invalid) and refusal.field:
        extra["errors"] = [{"field": refusal.field, "detail": refusal.sentence}]
    headers = {"Retry-After": str(refusal.retry_after)} if isinstance(refusal, TooMany) else {}
    return answer(request, refusal.status, refusal.sentence, headers=headers, **extra)


def it_is_over(request: Request[Visitor, Any, Any]) -> Response[Any]:
    """The page that says how an impersonation ended, whatever was asked for: nothing was done, nobody is switched."""
    over, reader = request.user.over, request.user.reader
    context = {
        **request.app.state.shell(request),
        "over": over,
        "how": ended_how(over.ended_cause if over else None, reader.locale if reader else "en"),
        "title": speech(request)("This impersonation has ended"),
    }
    headers = {"Cache-Control": "no-store", "Vary": "Cookie"}
    return Template(
        "impersonations/over.html", context=context, status_code=409, headers=headers, media_type=MediaType.HTML
    )


def http_error(request: Request[Visitor, Any, Any], error: HTTPException) -> Response[Any]:
    """What the framework refused: unknown path, wrong method, malformed input, nobody signed in."""
    if isinstance(error, NotAuthorizedException) and not wants_json(request):
        target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return Redirect("/sign-in", query_params={"next": target} if request.method == "GET" else {}, status_code=303)
    errors = [
        {"field": str(each.get("key", "")), "detail": str(each.get("message", ""))}
        for each in (error.extra if isinstance(error.extra, list) else [])
        if isinstance(each, dict)
    ]
    headers = dict(error.headers or {})
    if error.status_code == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="understudy"'
    extra = {"errors": errors} if errors else {}
    detail = error.detail if error.status_code < 500 else ""
    unproven = request.user.unproven if error.status_code == 401 and "user" in request.scope else None
    if unproven is not None:
        # A token that is bound to a key was shown without its holder's proof (RFC 9449 section 7.1).
        detail = unproven.sentence
        algorithms = " ".join(ALGORITHMS)
        headers["WWW-Authenticate"] = f'{SCHEME} realm="understudy", error="{unproven.error}", algs="{algorithms}"'
    if error.status_code == 404:
        detail = "Nothing here that you can see."
    return answer(request, error.status_code, detail, headers=headers, **extra)


def fault(request: Request[Visitor, Any, Any], error: Exception) -> Response[Any]:
    """A fault of ours: 500 without a word about its insides; 503 when the database is away."""
    away = database_away(error)
    log.error("fault", request_id=request.scope.get("request_id"), path=request.url.path, exc_info=error)
    if away:
        return answer(request, 503, "The database cannot be reached. Try again shortly.", headers={"Retry-After": "5"})
    return answer(request, 500, "Something went wrong here. Nothing was changed.")


def database_away(error: BaseException) -> bool:
    """No connection to be had, or the one there was is gone: it comes back by itself, and nothing was changed."""
    if isinstance(error, (sqlalchemy.exc.OperationalError, sqlalchemy.exc.InterfaceError)):
        return True
    if isinstance(error, (sqlalchemy.exc.TimeoutError, OSError)):
        return True
    if isinstance(error, sqlalchemy.exc.DBAPIError) and error.connection_invalidated:
        return True
    # The driver's own error while connecting is not wrapped: connection, resources, or the server going or coming.
    state = getattr(error, "sqlstate", None) or getattr(getattr(error, "orig", None), "sqlstate", None)
    return str(state or "").startswith(("08", "53", "57P"))


def answer(
    request: Request[Visitor, Any, Any], status: int, detail: str, headers: dict[str, str] | None = None, **extra: Any
) -> Response[Any]:
    """The same refusal as problem+json or as a page."""
    kept = {"Cache-Control": "no-store", **(headers or {})}
    if request.url.path.startswith(PROVISIONING):
        error = scim_error(status, detail, str(extra.get("rule", "")))
        media = "application/scim+json"
        return Response(error, status_code=int(error["status"]), media_type=media, headers=kept)
    if wants_json(request):
        problem = {
            "type": f"urn:understudy:problem:{extra.get('rule', status)}",
            "title": TITLES.get(status, "Refused"),
            "status": status,
            "detail": detail,
            "instance": f"urn:request:{request.scope.get('request_id', '')}",
            **extra,
        }
        return Response(problem, status_code=status, media_type="application/problem+json", headers=kept)
    # Out of reach and never there are one page, with the page's own words and no rule.
    told = status != 404
    context = {
        **request.app.state.shell(request),
        "status": status,
        "sentence": detail if told and detail else None,
        "rule": extra.get("rule") if told else None,
        "title": TITLES.get(status, ""),
    }
    return Template("error.html", context=context, status_code=status, headers=kept, media_type=MediaType.HTML)


def scim_error(status: int, detail: str, rule: str) -> dict[str, Any]:
    """A refusal as SCIM has it (RFC 7644 section 3.12): its keywords stand for two of our rules."""
    status = 400 if status == 422 else status
    kind = {"uniqueness": "uniqueness", "invalid": "invalidValue"}.get(rule)
    error = {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
        "status": str(status),
        "detail": detail or TITLES.get(status, "Refused"),
    }
    return error | ({"scimType": kind} if kind else {})


def wants_json(request: Request[Visitor, Any, Any]) -> bool:
    """Programs: the API and protocol paths, and whoever asks for JSON rather than a page."""
    if request.url.path.startswith(("/api/", PROVISIONING, *PROGRAMS)):
        return True
    accepted = request.headers.get("accept", "")
    return "json" in accepted and "text/html" not in accepted
