"""What the protocol's doors share: the issuer of this process, how a request is read, who may ask from elsewhere."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import sqlalchemy as sa
from litestar import Request, Response

from bindings.apps import App, origin_of
from bindings.clients import Rejected, one_of_each
from bindings.dpop import BEARER, SCHEME, Shown, bad_proof
from bindings.introspection import no_good_token
from bindings.public_keys import ALGORITHMS
from bindings.tokens import Issuer
from control import answers
from control.house import House
from control.visitor import Visitor
from tenants.refusals import TooMany
from tenants.store import Store

MOST_FIELDS = 60
FORM = "application/x-www-form-urlencoded"
UNCACHED = {"Cache-Control": "no-store", "Pragma": "no-cache"}
EXPOSED = "WWW-Authenticate, Retry-After"
"""What else of an answer a page may read: what was wrong with its token, and when to come again."""
ORIGINS_KEPT = timedelta(seconds=30)
"""How long a process keeps the list of origins that apps ask from."""
ORIGINS_AGAIN = timedelta(seconds=2)
"""How soon it looks again for one that is not on it: its app may have been registered a moment ago."""


class Origins:
    """The origins of registered apps: the only ones whose pages may read answers. A native app has none."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: frozenset[str] = frozenset()
        self._read_at: datetime | None = None

    async def hold(self, origin: str, now: datetime) -> bool:
        """Whether an app is registered there."""
        kept = ORIGINS_KEPT if origin in self._known else ORIGINS_AGAIN
        if self._read_at is None or abs(now - self._read_at) > kept:
            apps = App.__table__
            wanted = sa.select(apps.c.redirect_uris).where(apps.c.type != "native", apps.c.discarded_at.is_(None))
            async with self._store.hot.connect() as connection:
                lists = await connection.scalars(wanted)
            self._known = frozenset(origin_of(uri) for uris in lists for uri in uris)
            self._read_at = now
        return origin in self._known


def issuer_of(request: Request[Visitor, Any, Any]) -> Issuer:
    """The issuer of this process."""
    return house_of(request).issuer


def house_of(request: Request[Visitor, Any, Any]) -> House:
    """The house that this app is."""
    house: House = request.app.state.house
    return house


async def cross_origin(request: Request[Visitor, Any, Any]) -> dict[str, str]:
    """The headers that let an app's page read the answer, when the asking page is one (CORS)."""
    origin, state = request.headers.get("origin"), request.app.state
    if origin is None:
        return {"Vary": "Origin"}
    if state.get("origins") is None:
        state.origins = Origins(house_of(request).store)
    if not await state.origins.hold(origin, request.user.now):
        return {"Vary": "Origin"}
    return {"Vary": "Origin", "Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": EXPOSED}


def token_of(request: Request[Visitor, Any, Any], fields: Mapping[str, str] | None = None) -> Shown:
    """The access token of the Authorization header (RFC 6750 section 2.1, RFC 9449 section 7.1), never of a query.

    Or of the form, for whoever can send no header (RFC 6750 section 2.2); never of both. Raises Rejected.
    """
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    in_form = (fields or {}).get("access_token")
    if in_form is not None and scheme:
        raise Rejected("invalid_request", "The access token is sent in two ways at once.")
    if in_form is not None:
        scheme, given = BEARER, in_form
    known = {each.lower(): each for each in (BEARER, SCHEME)}.get(scheme.lower())
    if known is None or not given.strip():
        raise no_good_token()
    return Shown(given.strip(), known, request.method, url_of(request), proof_of(request))


def proof_of(request: Request[Visitor, Any, Any]) -> str | None:
    """The DPoP proof that came along. Raises Rejected for several."""
    proofs = request.headers.getall("dpop", [])
    if len(proofs) > 1:
        raise bad_proof("There is one DPoP proof to a request.")
    return proofs[0] if proofs else None


def url_of(request: Request[Visitor, Any, Any]) -> str:
    """The address of this door as the world knows it, whatever a proxy made of it."""
    return issuer_of(request).url + request.url.path


async def form_fields(request: Request[Visitor, Any, Any]) -> dict[str, str]:
    """The fields of a posted form. Raises Rejected for any other body, or a field that comes twice."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != FORM:
        raise Rejected("invalid_request", f"Send {FORM}.")
    try:
        return fields_of((await request.body()).decode())
    except UnicodeDecodeError:
        raise Rejected("invalid_request", "The form cannot be read.") from None


def fields_of(query: str) -> dict[str, str]:
    """The fields of a query or form. Raises Rejected when one comes twice or cannot be read."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
    except ValueError:
        raise Rejected("invalid_request", "The request cannot be read.") from None
    return one_of_each(pairs)


def with_fields(address: str, fields: dict[str, str]) -> str:
    """The address with more fields behind those that it has."""
    joint = "&" if urlsplit(address).query else "" if address.endswith("?") else "?"
    return f"{address}{joint}{urlencode(fields)}"


def refused_token(request: Request[Visitor, Any, Any], rejected: Rejected, more: dict[str, str]) -> Response[Any]:
    """The refusal of an access token, in the scheme that it was shown with."""
    asked = request.headers.get("authorization", "").partition(" ")[0].lower() == SCHEME.lower()
    return rejection(rejected, SCHEME if asked or rejected.error == "invalid_dpop_proof" else BEARER, more)


def held_back(request: Request[Visitor, Any, Any], refusal: TooMany, more: dict[str, str]) -> Response[Any]:
    """Too much was asked: problem+json, that a page of the app may read too."""
    answer = answers.refused(request, refusal)
    answer.headers.update(more)
    return answer


def rejection(rejected: Rejected, scheme: str, more: dict[str, str]) -> Response[dict[str, str]]:
    """A refusal as the protocol words it (RFC 6749 section 5.2, RFC 6750 section 3)."""
    headers = UNCACHED | more
    if rejected.status == 401:
        said = f', error="{rejected.error}"' if scheme in (BEARER, SCHEME) else ""
        said += f', algs="{" ".join(ALGORITHMS)}"' if scheme == SCHEME else ""
        headers["WWW-Authenticate"] = f'{scheme} realm="understudy"{said}'
    body = {"error": rejected.error, "error_description": rejected.sentence}
    return Response(body, status_code=rejected.status, headers=headers)
