"""The token API: how a program of an admin's stands in for somebody, at the paths of the fifth document.

Bearer only, never a cookie; no cache keeps an answer. A minted token is good once and for a minute (the document says
only "short-lived"): whoever finds one in a log later has nothing. Both impersonate routes read by GET, as the document
has them, and note down what they minted; only the exchange starts anything.
"""

from dataclasses import dataclass
from typing import Any

from litestar import Response, get, post, put
from litestar.exceptions import ClientException, NotAuthorizedException
from litestar.openapi.spec import OpenAPIType, Operation, Parameter, Schema
from litestar.params import JSONBody
from msgspec import Struct
from sqlalchemy.ext.asyncio import AsyncSession

from bindings.keys import ALGORITHMS
from bindings.minting import Exchanged, Spent, begin, consume_mint, mint_for, read_mint
from control.api.doors import THROTTLED, Asked, Session, acting, problem
from control.api.shapes import Id, PathId, Sent
from control.doors import ANYONE, SIGNED_IN
from control.house import House
from control.pages.parts.fields import number_in
from control.visitor import meter_of
from control.writing.alarms import raise_alarm
from tenants.actor import Actor, Identity
from tenants.api_keys import ApiKey
from tenants.factors import factor_missing
from tenants.identities import live_identities
from tenants.reach import Reach
from tenants.refusals import NotPermitted, OutOfReach
from tenants.roles import ADMIN_ACCESS, Permission

EVERYWHERE = Reach.everywhere("token API")
KEPT_NOWHERE = {"Cache-Control": "no-store", "Pragma": "no-cache"}
LONGEST = 4096
"""Characters of a token: what is longer is none of ours."""

REFUSALS = {
    400: problem(400, "400", "The number is missing or is no number."),
    401: problem(401, "401", "No bearer, or one without the rights of an admin or operator."),
    403: problem(403, "policy", "In reach, but a rule refuses; `rule` names it."),
    404: problem(404, "reach", "Out of reach, or not there at all: never told apart."),
    409: problem(409, "live", "Not active, or the bearer stands in for somebody already (`nested`)."),
    429: THROTTLED,
    422: problem(422, "self", "The bearer themselves, or a reason that is too short."),
}


class Minted(Struct):
    """A token that is good once, for 60 seconds, at `POST /api/sys/users/exchange`."""

    token: str


class MintedToken(Sent):
    """A minted token."""

    token: str


class Bearer(Struct):
    """A bearer token of the panel's API, as the membership that the minted token named."""

    access_token: str
    token_type: str
    expires_in: int
    """Seconds: to the end of the stand-in, at most 20 minutes. It cannot be refreshed."""


class Profile(Struct):
    """One membership of the bearer's."""

    id: int
    tenant: str
    role: str
    current: bool


class Chosen(Sent):
    """Which of them to go on as."""

    id: Id


@dataclass
class AskedFor(Operation):
    """What the query of a mint may hold."""

    def __post_init__(self) -> None:
        """The number is read by hand: what is malformed is a 400, as the fifth document has it."""
        number = Schema(type=OpenAPIType.INTEGER, minimum=1)
        text = Schema(type=OpenAPIType.STRING, max_length=1000)
        self.parameters = [
            Parameter("coworkerId", "query", schema=number, required=True, description="Whom: a membership's id."),
            Parameter("reason", "query", schema=text, description="Why, where the organization asks for a reason."),
        ]


@dataclass
class Keyless(Operation):
    """Whoever has the token may ask."""

    def __post_init__(self) -> None:
        """No key is needed, unlike at the doors beside it."""
        self.security = []


@dataclass
class WithReason(Operation):
    """The query of a lead's mint."""

    def __post_init__(self) -> None:
        """Only a reason."""
        text = Schema(type=OpenAPIType.STRING, max_length=1000)
        self.parameters = [
            *(self.parameters or []),
            Parameter("reason", "query", schema=text, description="Why, where the organization asks for a reason."),
        ]


@get(
    "/api/sys/users/impersonate",
    may=SIGNED_IN,
    outlives=False,
    starts=True,
    writes=True,
    credential="key",
    summary="Mint a token for standing in for somebody",
    tags=["token API"],
    responses=REFUSALS,
    operation_class=AskedFor,
)
async def mint_token(request: Asked, session: Session) -> Response[Minted]:
    """For admins and operators: `coworkerId` is the membership to stand in for. Nothing starts by it."""
    actor = acting(request)
    if actor.standing.role not in ADMIN_ACCESS or "stand_in" not in (actor.scopes or ()):
        raise NotAuthorizedException("An admin or operator may ask this, with a key that may stand in.")
    number = number_in(request.query_params.get("coworkerId"))
    if number is None or len(request.query_params.getall("coworkerId")) > 1:
        raise ClientException("coworkerId is the number of a membership.")
    return await _minted(request, session, number)


@get(
    "/api/public/coworkers/{coworker_id:int}/impersonate",
    may=Permission.STAND_IN,
    outlives=False,
    starts=True,
    writes=True,
    scope="stand_in",
    credential="key",
    summary="Mint a token for standing in for a member of a team that one leads",
    tags=["token API"],
    responses=REFUSALS,
    operation_class=WithReason,
)
async def mint_token_as_lead(request: Asked, session: Session, coworker_id: PathId) -> Response[Minted]:
    """The same for the lead of a team, by the member's number in the address."""
    return await _minted(request, session, coworker_id)


@post(
    "/api/sys/users/exchange",
    may=ANYONE,
    outlives=False,
    credential="none",
    quota="network",
    status_code=200,
    summary="Exchange a minted token for a bearer",
    tags=["token API"],
    responses={
        400: problem(400, "400", "The body is no JSON with a token."),
        401: problem(401, "token", "Not valid, used, older than a minute, or no longer allowed: never told apart."),
        429: THROTTLED,
    },
    operation_class=Keyless,
)
async def exchange_token(request: Asked, data: JSONBody[MintedToken]) -> Response[Bearer]:
    """Once. The guard is asked again; the stand-in begins now and is written down under both names."""
    house: House = request.app.state.house
    now, origin = request.user.now, request.user.origin
    meter_of(request.user).admit(None)
    if len(data.token) > LONGEST:
        raise Spent
    jti = await read_mint(house.issuer, data.token, now)
    signer = await house.issuer.keys.signer(ALGORITHMS[0], now)
    async with house.store.work(Actor.house("exchange", origin), EVERYWHERE, now) as session:
        minted = await consume_mint(session, jti, now)
        if minted is None:
            raise Spent
        who = await live_identities(session, membership_id=minted.actor_membership_id)
        if not who:
            raise Spent
        actor = Actor.of(who[0], origin, strong=bool(minted.strong))
        session.sync_session.info["actor"] = actor
        given: Exchanged = await begin(session, house.issuer, signer, actor, minted, now)
        await raise_alarm(house, session, actor, given.stand_in, now)
    return Response(Bearer(given.access_token, "Bearer", given.expires_in), headers=KEPT_NOWHERE)


@get(
    "/api/public/coworkers/profiles",
    may=SIGNED_IN,
    outlives=False,
    credential="key",
    summary="List the profiles of the bearer",
    tags=["token API"],
    responses={401: REFUSALS[401], 429: THROTTLED},
)
async def list_profiles(request: Asked) -> Response[list[Profile]]:
    """Where `coworkerId` comes from. Whoever stands in has one profile."""
    now_as = acting(request).standing
    found = [
        Profile(each.membership_id, each.tenant_name, each.role.value, each.membership_id == now_as.membership_id)
        for each in await _profiles(request)
    ]
    return Response(found, headers=KEPT_NOWHERE)


@put(
    "/api/public/coworkers/profiles/current",
    may=SIGNED_IN,
    outlives=False,
    credential="key",
    summary="Go on as another profile of the bearer's own",
    tags=["token API"],
    responses={
        400: problem(400, "400", "The body is no JSON."),
        401: REFUSALS[401],
        403: problem(403, "nested", "Whoever stands in cannot switch (`nested`); or the tenant asks a second factor."),
        404: problem(404, "reach", "No profile of the bearer's own."),
        422: problem(422, "invalid", "The id is missing or is no number."),
        429: THROTTLED,
    },
)
async def switch_profile(request: Asked, session: Session, data: JSONBody[Chosen]) -> Response[Profile]:
    """Nobody is impersonated by it: the credential is of the same person. The new tenant's rules are asked."""
    visitor, actor = request.user, acting(request)
    if actor.standing_in:
        raise NotPermitted("You are standing in for one profile. Stop first.", rule="nested")
    chosen = next((each for each in await _profiles(request) if each.membership_id == data.id), None)
    if chosen is None or visitor.api_key_id is None:
        raise OutOfReach
    if factor_missing(chosen, visitor.sign_in):
        raise NotPermitted(f"{chosen.tenant_name} asks for a second factor, which no key has.", rule="second_factor")
    await (await session.get_one(ApiKey, visitor.api_key_id)).switch(session, chosen)
    return Response(Profile(chosen.membership_id, chosen.tenant_name, chosen.role.value, True), headers=KEPT_NOWHERE)


async def _minted(request: Asked, session: AsyncSession, number: int) -> Response[Minted]:
    house: House = request.app.state.house
    reason = request.query_params.get("reason")
    token = await mint_for(session, house.issuer, acting(request), number, reason, request.user.now)
    return Response(Minted(token), headers=KEPT_NOWHERE)


async def _profiles(request: Asked) -> list[Identity]:
    """The live ones; of who stands in, the one."""
    actor, house = acting(request), request.app.state.house
    if actor.standing_in or actor.true is None:
        return [actor.standing]
    async with house.store.hot.connect() as connection:
        return await live_identities(connection, user_id=actor.true.user_id)


ROUTES: list[Any] = [mint_token, mint_token_as_lead, exchange_token, list_profiles, switch_profile]
