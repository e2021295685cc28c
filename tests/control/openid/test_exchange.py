"""Token exchange (RFC 8693): an app trades an operator's token for one as somebody they may stand in for."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from bindings.apps import find_client
from bindings.exchange import ACCESS_TOKEN_TYPE, EXCHANGE_GRANT
from bindings.impersonation import Impersonation
from bindings.login import Login
from tenants.people import find_membership
from tenants.refusals import Conflict, NotPermitted
from tenants.roles import Role
from tenants.trail import Entry
from tenants.tree import Tenant
from tenants.verbs import Verb
from tests.cast import WHY, bind, house_work, work_as
from tests.control.openid.opening import end_as_house, open_as, taken
from tests.control.openid.story import ISSUER, Client, Panel, Tokens, app_of
from tests.control.openid.test_dpop import KEY, OTHERS, Holder

JWT_TYPE = "urn:ietf:params:oauth:token-type:jwt"


@pytest.fixture
async def desk(panel: Panel) -> Client:
    """A web app of the platform that may exchange."""
    client = await app_of(panel, "Acme", "the-desk")
    await let_exchange(panel, "the-desk")
    return client


async def let_exchange(panel: Panel, client_id: str, *, allowed: bool = True) -> None:
    async with work_as(panel.store, panel.cast.actor("Ada"), panel.clock.now) as session:
        app = await find_client(session, client_id)
        assert app is not None
        await app.change(session, exchanges=allowed)


async def own_token(panel: Panel, client: Client, name: str, **said: str) -> Tokens:
    """Somebody logs in at the app as themselves."""
    return await client.log_in(await panel.sign_in(name), **said)


def member(panel: Panel, name: str, at: str | None = None) -> str:
    return f"membership:{panel.cast.membership_id(name, at=at)}"


async def ask(client: Client, token: str | None, subject: str | None, **said: str | None) -> httpx.Response:
    """Send an exchange to the token endpoint; None leaves a field out."""
    form: dict[str, str | None] = {
        "grant_type": EXCHANGE_GRANT,
        "subject_token": token,
        "subject_token_type": ACCESS_TOKEN_TYPE,
        "requested_subject": subject,
    }
    return await client.post("/oauth/token", **(form | said))


async def exchanged(client: Client, token: str, subject: str, **said: str | None) -> dict[str, Any]:
    answer = await ask(client, token, subject, **said)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def entries(panel: Panel, verb: Verb) -> list[Entry]:
    async with house_work(panel.store, panel.clock.now) as session:
        return list(await session.scalars(sa.select(Entry).where(Entry.verb == verb).order_by(Entry.id)))


async def stands(panel: Panel) -> list[Impersonation]:
    async with house_work(panel.store, panel.clock.now) as session:
        return list(await session.scalars(sa.select(Impersonation).order_by(Impersonation.id)))


async def test_olaf_exchanges_his_own_token_for_one_as_bea(panel: Panel, desk: Client) -> None:
    own = await own_token(panel, desk, "Olaf")
    answer = await exchanged(desk, own.access, member(panel, "Bea"), reason=WHY)
    assert set(answer) == {"access_token", "issued_token_type", "token_type", "expires_in", "scope"}
    assert (answer["issued_token_type"], answer["token_type"]) == (ACCESS_TOKEN_TYPE, "Bearer")
    assert (answer["expires_in"], answer["scope"]) == (1200, "openid profile email")
    claims, cast = await desk.read(answer["access_token"]), panel.cast
    assert claims["sub"] == str(cast.membership_id("Bea"))
    assert claims["act"] == {"sub": str(cast.membership_id("Olaf")), "name": "Olaf Olsen"}
    assert (claims["aud"], claims["acr"], claims["amr"]) == ("the-desk", "urn:understudy:acr:stand-in", ["pwd"])
    assert claims["sid"] != own.claims["sid"]
    (stand,) = await stands(panel)
    assert (stand.kind, stand.reason, claims["stand_in"]["kind"]) == ("token", WHY, "token")
    assert claims["exp"] == int(stand.ends_at.timestamp())
    (login,) = [each for each in await entries(panel, Verb.LOGGED_IN) if each.stand_in_id == stand.id]
    assert (login.actor_name, login.subject_name, login.via) == ("Olaf Olsen", "Bea Bell", "token")


async def test_t35_who_acts_is_the_same_wherever_it_is_read(panel: Panel, desk: Client) -> None:
    own = await own_token(panel, desk, "Olaf")
    token = (await exchanged(desk, own.access, member(panel, "Bea")))["access_token"]
    claims, said = await desk.read(token), await desk.introspect(token)
    person = (await desk.userinfo(token)).json()
    for name in ("sub", "act", "stand_in", "sid", "tenant", "app_admin"):
        assert claims[name] == said[name] == person[name], name
    banner = (await desk.acting(token)).json()
    assert (banner["kind"], banner["subject"]["name"], banner["actor"]["name"]) == ("token", "Bea Bell", "Olaf Olsen")
    (started,) = await entries(panel, Verb.IMPERSONATION_STARTED)
    assert (str(started.actor_membership_id), str(started.subject_membership_id)) == (
        claims["act"]["sub"],
        claims["sub"],
    )


async def test_the_subject_is_named_by_membership_extension_or_person(panel: Panel, desk: Client) -> None:
    own = await own_token(panel, desk, "Olaf")
    line, bea = panel.cast.extension("Bakery", "201"), panel.cast.membership_id("Bea")
    for subject in (f"membership:{bea}", f"extension:{line.id}", f"user:{panel.cast.user('Bea').id}"):
        token = (await exchanged(desk, own.access, subject))["access_token"]
        assert (await desk.read(token))["sub"] == str(bea), subject


@pytest.mark.parametrize(
    "subject",
    [
        *(None, "", "bea", "41", "membership:", "membership:bea", "membership:-1", "membership:1 OR 1"),
        *("team:1", "user:\u0663", "membership:1:2", f"membership:{'9' * 40}"),
    ],
)
async def test_a_subject_that_is_named_in_no_known_way(panel: Panel, desk: Client, subject: str | None) -> None:
    own = await own_token(panel, desk, "Olaf")
    answer = await ask(desk, own.access, subject)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_of_a_person_in_several_organizations_the_app_has_to_say_which(panel: Panel, desk: Client) -> None:
    cast = panel.cast
    ids = [each.membership_id for each in cast.identities["Ben"]]
    own = await own_token(panel, desk, "Ada")
    answer = await ask(desk, own.access, f"user:{cast.user('Ben').id}")
    assert len(ids) > 1
    assert answer.json()["error"] == "invalid_request"
    assert all(f"membership:{each}" in answer.json()["error_description"] for each in ids)
    assert await stands(panel) == []


async def test_t31_an_app_that_may_not_exchange_is_told_so_and_it_is_written_down(panel: Panel, desk: Client) -> None:
    other = await app_of(panel, "Acme", "another")
    spa = await app_of(panel, "Acme", "a-page", kind="spa")
    for client in (other, spa):
        own = await own_token(panel, client, "Olaf")
        answer = await ask(client, own.access, member(panel, "Bea"))
        assert (answer.status_code, answer.json()["error"]) == (400, "unauthorized_client")
    await let_exchange(panel, "the-desk", allowed=False)
    own = await own_token(panel, desk, "Olaf")
    assert (await ask(desk, own.access, member(panel, "Bea"))).json()["error"] == "unauthorized_client"
    assert [each.details["rule"] for each in await entries(panel, Verb.REFUSED)] == ["exchange"] * 3
    assert await stands(panel) == []


async def test_an_app_without_its_secret_is_no_client_at_all(panel: Panel, desk: Client) -> None:
    own = await own_token(panel, desk, "Olaf")
    desk.secret = None
    assert (await ask(desk, own.access, member(panel, "Bea"))).status_code == 401
    assert (await ask(desk, own.access, member(panel, "Bea"), client_secret="wrong")).status_code == 401


async def test_t31_only_the_platform_lets_an_app_exchange(panel: Panel) -> None:
    await app_of(panel, "Oak", "oaks")
    await app_of(panel, "Acme", "a-page", kind="spa")
    async with work_as(panel.store, panel.cast.actor("Olaf"), panel.clock.now) as session:
        app = await find_client(session, "oaks")
        assert app is not None
        with pytest.raises(NotPermitted) as refused:
            await app.change(session, exchanges=True)
    assert refused.value.rule == "platform"
    with pytest.raises(Conflict):
        await let_exchange(panel, "a-page")
    await let_exchange(panel, "oaks")


async def test_c9_a_companys_own_app_exchanges_nobodys_token(panel: Panel, desk: Client) -> None:
    """Whatever somebody set: an app signs in only people at or below its owner, and takes only its own tokens."""
    bakers = await app_of(panel, "Bakery", "bakers")
    operators = await own_token(panel, desk, "Olaf")
    assert (await ask(bakers, operators.access, member(panel, "Bea"))).json()["error"] == "unauthorized_client"
    await let_exchange(panel, "bakers")
    assert (await ask(bakers, operators.access, member(panel, "Bea"))).json()["error"] == "invalid_request"
    own = await own_token(panel, bakers, "Bruno")
    answer = await ask(bakers, own.access, member(panel, "Dan"))
    assert answer.json()["error"] == "access_denied"
    assert await stands(panel) == []


@pytest.mark.parametrize("kind", [None, "", JWT_TYPE, "urn:ietf:params:oauth:token-type:id_token", "access_token"])
async def test_t33_a_token_of_another_type(panel: Panel, desk: Client, kind: str | None) -> None:
    own = await own_token(panel, desk, "Olaf")
    answer = await ask(desk, own.access, member(panel, "Bea"), subject_token_type=kind)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


BROKEN: dict[str, Callable[[Tokens], str | None]] = {
    "absent": lambda own: None,
    "empty": lambda own: "",
    "blank": lambda own: " ",
    "malformed": lambda own: "not.a.token",
    "cut": lambda own: own.access[:-4],
    "altered": lambda own: own.access.replace(".", ".e", 1),
    "a refresh token": lambda own: own.refresh,
    "an ID token": lambda own: str(own.answer["id_token"]),
}


@pytest.mark.parametrize("how", BROKEN)
async def test_t33_a_broken_subject_token_never_falls_back_to_the_caller(panel: Panel, desk: Client, how: str) -> None:
    own = await own_token(panel, desk, "Ada")
    desk.http.headers["cookie"] = (await panel.sign_in("Ada")).headers.get("cookie", "")
    answer = await ask(desk, BROKEN[how](own), member(panel, "Bea"))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert await stands(panel) == []


async def test_t33_a_subject_token_that_comes_twice(panel: Panel, desk: Client) -> None:
    own = await own_token(panel, desk, "Olaf")
    twice = [("grant_type", EXCHANGE_GRANT), ("subject_token", own.access), ("subject_token", own.access)]
    rest = {"subject_token_type": ACCESS_TOKEN_TYPE, "requested_subject": member(panel, "Bea")}
    body = str(httpx.QueryParams([*twice, *rest.items()]))
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    assert desk.secret is not None
    answer = await desk.http.post("/oauth/token", content=body, headers=kind, auth=(desk.client_id, desk.secret))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_t33_a_token_that_was_made_for_another_app_or_is_over(panel: Panel, desk: Client) -> None:
    other = await app_of(panel, "Acme", "another")
    theirs = await own_token(panel, other, "Olaf")
    assert (await ask(desk, theirs.access, member(panel, "Bea"))).json()["error"] == "invalid_request"
    own = await own_token(panel, desk, "Olaf")
    panel.clock.pass_(minutes=10)
    assert (await ask(desk, own.access, member(panel, "Bea"))).json()["error"] == "invalid_request"
    own = await own_token(panel, desk, "Olaf")
    await desk.post("/oauth/revoke", token=own.access)
    assert (await ask(desk, own.access, member(panel, "Bea"))).json()["error"] == "invalid_request"


async def test_t32_scope_and_audience_only_shrink(panel: Panel, desk: Client) -> None:
    own = await own_token(panel, desk, "Olaf", scope="openid profile")
    bea = member(panel, "Bea")
    for more in ("openid email", "email", "panel", "openid profile email offline_access", "openid profile read"):
        assert (await ask(desk, own.access, bea, scope=more)).json()["error"] == "invalid_scope", more
    for where in (
        {"audience": "softphone"},
        {"audience": "http://localhost:8000/api"},
        {"resource": "https://a.example"},
    ):
        assert (await ask(desk, own.access, bea, **where)).json()["error"] == "invalid_target", where
    assert await stands(panel) == []
    answer = await exchanged(desk, own.access, bea, scope="openid", audience="the-desk")
    assert answer["scope"] == "openid"
    assert "name" not in await desk.introspect(answer["access_token"])


async def test_t32_the_happy_path_is_as_documented(panel: Panel, desk: Client) -> None:
    own = await own_token(panel, desk, "Olaf")
    said: dict[str, str | None] = {
        "requested_token_type": ACCESS_TOKEN_TYPE,
        "audience": "the-desk",
        "scope": "openid profile",
        "reason": WHY,
    }
    answer = await exchanged(desk, own.access, member(panel, "Bea"), **said)
    assert (answer["scope"], answer["issued_token_type"]) == ("openid profile", ACCESS_TOKEN_TYPE)


@pytest.mark.parametrize("kind", [JWT_TYPE, "urn:ietf:params:oauth:token-type:refresh_token", "x"])
async def test_only_an_access_token_can_be_asked_for(panel: Panel, desk: Client, kind: str) -> None:
    own = await own_token(panel, desk, "Olaf")
    answer = await ask(desk, own.access, member(panel, "Bea"), requested_token_type=kind)
    assert answer.json()["error"] == "invalid_request"


async def test_t34_an_actor_token_is_named_by_nobody_and_refused(panel: Panel, desk: Client) -> None:
    own, adas = await own_token(panel, desk, "Olaf"), await own_token(panel, desk, "Ada")
    bea = member(panel, "Bea")
    ways: tuple[dict[str, str | None], ...] = (
        {"actor_token": adas.access, "actor_token_type": ACCESS_TOKEN_TYPE},
        {"actor_token": own.access, "actor_token_type": ACCESS_TOKEN_TYPE},
        {"actor_token": "olaf@acme.example"},
        {"actor_token_type": ACCESS_TOKEN_TYPE},
    )
    for said in ways:
        answer = await ask(desk, own.access, bea, **said)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert await stands(panel) == []


async def test_t18_t37_a_token_that_acts_already_is_not_exchanged_again(panel: Panel, desk: Client) -> None:
    own = await own_token(panel, desk, "Ada")
    token = (await exchanged(desk, own.access, member(panel, "Olaf")))["access_token"]
    for subject in (member(panel, "Bea"), member(panel, "Olaf"), member(panel, "Ada")):
        answer = await ask(desk, token, subject)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    assert (await desk.introspect(token))["act"]["sub"] == str(panel.cast.membership_id("Ada"))
    assert [each.details["rule"] for each in await entries(panel, Verb.REFUSED)] == ["nested"] * 3
    assert len(await stands(panel)) == 1


async def test_t18_a_token_of_an_impersonation_is_not_exchanged(panel: Panel, softphone: Client) -> None:
    await let_exchange(panel, "softphone")
    opened = (await taken(softphone, await open_as(panel, "Olaf", "Bea")))["access_token"]
    answer = await ask(softphone, opened, member(panel, "Ben", "Bakery"))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    assert [each.kind for each in await stands(panel)] == ["impersonation"]


async def test_t18_a_token_of_a_binding_is_not_exchanged(panel: Panel, softphone: Client) -> None:
    await let_exchange(panel, "softphone")
    await bind(panel.store, panel.cast, "Pia", "Dairy", "101")
    bound = await own_token(panel, softphone, "Pia")
    assert bound.claims["act"]["sub"] == str(panel.cast.membership_id("Pia"))
    answer = await ask(softphone, bound.access, member(panel, "Dina"))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    assert await stands(panel) == []


async def test_t18_an_acting_token_at_another_app_is_none_there_either(panel: Panel, desk: Client) -> None:
    other = await app_of(panel, "Acme", "another")
    await let_exchange(panel, "another")
    own = await own_token(panel, desk, "Olaf")
    token = (await exchanged(desk, own.access, member(panel, "Bea")))["access_token"]
    assert (await ask(other, token, member(panel, "Bea"))).json()["error"] == "invalid_grant"


async def test_the_guard_is_asked_and_its_refusal_is_written_down(panel: Panel, desk: Client) -> None:
    async def refused(name: str, subject: str) -> str:
        own = await own_token(panel, desk, name)
        answer = await ask(desk, own.access, subject)
        assert (answer.status_code, answer.json()["error"]) == (400, "access_denied"), answer.text
        return str((await entries(panel, Verb.REFUSED))[-1].details["rule"])

    assert await refused("Olaf", member(panel, "Ada")) == "reach"
    assert await refused("Olaf", "membership:999999") == "reach"
    assert await refused("Olaf", "user:999999") == "reach"
    assert await refused("Olaf", "extension:999999") == "reach"
    assert await refused("Olaf", member(panel, "Olaf")) == "self"
    assert await refused("Bea", member(panel, "Bruno")) == "reach"
    assert await refused("Opal", member(panel, "Olaf")) == "rank"
    assert await stands(panel) == []


async def test_who_is_out_of_reach_is_told_apart_from_nobody_by_nothing(panel: Panel, desk: Client) -> None:
    own = await own_token(panel, desk, "Olaf")
    there, nowhere = await ask(desk, own.access, member(panel, "Ada")), await ask(desk, own.access, "membership:999999")
    assert there.json() == nowhere.json()


async def test_a_reason_where_the_policy_asks(panel: Panel, desk: Client) -> None:
    async with house_work(panel.store, panel.clock.now) as session:
        tenant = await session.get_one(Tenant, panel.cast.tenant("Bakery").id)
        await tenant.change(session, policy_reason=1)
    own = await own_token(panel, desk, "Olaf")
    assert (await ask(desk, own.access, member(panel, "Bea"))).json()["error"] == "access_denied"
    assert (await ask(desk, own.access, member(panel, "Bea"), reason="why")).json()["error"] == "invalid_request"
    assert (await ask(desk, own.access, member(panel, "Bea"), reason=WHY)).status_code == 200


async def test_b21_a_login_without_a_second_factor_is_no_login_with_one(panel: Panel, desk: Client) -> None:
    async with house_work(panel.store, panel.clock.now) as session:
        tenant = await session.get_one(Tenant, panel.cast.tenant("Bakery").id)
        await tenant.change(session, policy_second_factor=1)
    own = await own_token(panel, desk, "Olaf")
    answer = await ask(desk, own.access, member(panel, "Bea"))
    assert answer.json()["error"] == "access_denied"
    assert (await entries(panel, Verb.REFUSED))[-1].details["rule"] == "policy"


async def test_b21_an_organization_that_asks_its_admins_for_one_asks_here_too(panel: Panel, desk: Client) -> None:
    own = await own_token(panel, desk, "Olaf")
    async with house_work(panel.store, panel.clock.now) as session:
        tenant = await session.get_one(Tenant, panel.cast.tenant("Oak").id)
        await tenant.change(session, policy_require_factor=1)
    assert (await ask(desk, own.access, member(panel, "Bea"))).json()["error"] == "access_denied"
    assert (await entries(panel, Verb.REFUSED))[-1].details["rule"] == "second_factor"


async def test_one_is_live_for_each_actor_and_subject(panel: Panel, desk: Client) -> None:
    own = await own_token(panel, desk, "Olaf")
    first = (await exchanged(desk, own.access, member(panel, "Bea")))["access_token"]
    ben = (await exchanged(desk, own.access, member(panel, "Ben", "Bakery")))["access_token"]
    second = (await exchanged(desk, own.access, member(panel, "Bea")))["access_token"]
    assert await desk.introspect(first) == {"active": False}
    assert (await desk.introspect(ben))["active"] is True
    assert (await desk.introspect(second))["active"] is True
    assert [each.ended_cause for each in await stands(panel)] == ["replaced", None, None]


async def test_ten_exchanges_at_once_leave_one_live(panel: Panel, desk: Client) -> None:
    own = await own_token(panel, desk, "Olaf")
    answers = await asyncio.gather(*(ask(desk, own.access, member(panel, "Bea")) for _ in range(10)))
    assert {answer.status_code for answer in answers} == {200}
    alive = [await desk.introspect(answer.json()["access_token"]) for answer in answers]
    assert [each["active"] for each in alive].count(True) == 1
    assert [each.ended_cause for each in await stands(panel)].count(None) == 1


async def test_it_ends_after_twenty_minutes_and_there_is_nothing_to_refresh(panel: Panel, desk: Client) -> None:
    own = await own_token(panel, desk, "Olaf")
    answer = await exchanged(desk, own.access, member(panel, "Bea"))
    assert (await desk.renew(answer["access_token"])).json()["error"] == "invalid_grant"
    # Nothing has to say all the while that it is still in use.
    panel.clock.pass_(minutes=19, seconds=59)
    assert (await desk.introspect(answer["access_token"]))["active"] is True
    panel.clock.pass_(seconds=1)
    assert await desk.introspect(answer["access_token"]) == {"active": False}


async def test_whatever_ends_the_stand_in_ends_the_token(panel: Panel, desk: Client) -> None:
    own = await own_token(panel, desk, "Olaf")
    token = (await exchanged(desk, own.access, member(panel, "Bea")))["access_token"]
    (stand,) = await stands(panel)
    await end_as_house(panel, stand.id, "stopped")
    assert await desk.introspect(token) == {"active": False}
    async with house_work(panel.store, panel.clock.now) as session:
        ended = sa.select(Login.ended_cause).where(Login.impersonation_id == stand.id)
        assert (await session.scalars(ended)).one() == "impersonation_stopped"
    token = (await exchanged(desk, own.access, member(panel, "Bea")))["access_token"]
    assert (await desk.post("/oauth/revoke", token=token)).status_code == 200
    assert await desk.introspect(token) == {"active": False}


async def test_an_exchanged_token_is_its_apps_own_and_ends_the_stand_in_when_it_is_given_back(
    panel: Panel, desk: Client
) -> None:
    other, own = await app_of(panel, "Acme", "another"), await own_token(panel, desk, "Olaf")
    token = (await exchanged(desk, own.access, member(panel, "Bea")))["access_token"]
    assert await other.introspect(token) == {"active": False}
    assert (await other.post("/oauth/revoke", token=token)).status_code == 200
    assert (await desk.introspect(token))["act"]["name"] == "Olaf Olsen"
    assert (await desk.post("/oauth/revoke", token=token)).status_code == 200
    assert await desk.introspect(token) == {"active": False}
    assert [each.ended_at for each in await stands(panel)] == [panel.clock.now]
    assert (await desk.introspect(own.access))["active"] is True


async def test_who_may_no_longer_stand_in_holds_nothing(panel: Panel, desk: Client) -> None:
    own = await own_token(panel, desk, "Opal")
    token = (await exchanged(desk, own.access, member(panel, "Bea")))["access_token"]
    olaf = panel.cast.actor("Olaf")
    async with work_as(panel.store, olaf, panel.clock.now) as session:
        opal = await find_membership(session, panel.cast.membership_id("Opal"))
        await opal.change_role(session, olaf, Role.MEMBER, panel.clock.now)
    assert await desk.introspect(token) == {"active": False}
    assert (await ask(desk, own.access, member(panel, "Bea"))).json()["error"] == "access_denied"


async def test_c1_it_opens_nothing_at_the_panel(panel: Panel, desk: Client) -> None:
    own = await own_token(panel, desk, "Olaf")
    token = (await exchanged(desk, own.access, member(panel, "Bea")))["access_token"]
    answer = await desk.http.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 401


async def test_what_dina_cannot_open_pia_cannot_open_as_her(panel: Panel, desk_client: Client) -> None:
    await let_exchange(panel, "desk-client")
    own = await own_token(panel, desk_client, "Pia")
    answer = await ask(desk_client, own.access, member(panel, "Dina"))
    assert (answer.status_code, answer.json()["error"]) == (400, "access_denied")
    assert (await entries(panel, Verb.REFUSED))[-1].details["rule"] == "no_licence"
    assert await stands(panel) == []
    claims = await desk_client.read((await exchanged(desk_client, own.access, member(panel, "Dan")))["access_token"])
    assert (claims["name"], claims["extension"], claims["app_admin"]) == ("Dan Dale", "101", True)


async def test_a_shorter_policy_gives_a_shorter_token(panel: Panel, desk: Client) -> None:
    async with house_work(panel.store, panel.clock.now) as session:
        tenant = await session.get_one(Tenant, panel.cast.tenant("Bakery").id)
        await tenant.change(session, policy_minutes=5)
    own = await own_token(panel, desk, "Olaf")
    answer = await exchanged(desk, own.access, member(panel, "Bea"), expires_in="99999", lifetime="99999")
    assert answer["expires_in"] == 300
    (stand,) = await stands(panel)
    assert stand.ends_at - stand.created_at == timedelta(minutes=5)


async def test_a_bound_token_is_exchanged_with_its_keys_proof_and_gives_a_bound_one(panel: Panel, desk: Client) -> None:
    holder, bea = Holder(panel, desk), member(panel, "Bea")
    token = (await holder.log_in("Olaf"))["access_token"]
    form = {"grant_type": EXCHANGE_GRANT, "subject_token": token, "subject_token_type": ACCESS_TOKEN_TYPE}
    for proof in (None, holder.proof(key=OTHERS)):
        answer = await holder.ask(proof, requested_subject=bea, **form)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_dpop_proof")
    answer = await holder.ask(holder.proof(), requested_subject=bea, **form)
    assert answer.json()["token_type"] == "DPoP"
    acting, here = answer.json()["access_token"], f"{ISSUER}/oauth/userinfo"
    bound = {"jkt": KEY.thumbprint()}
    assert (await desk.read(acting))["cnf"] == (await desk.introspect(acting))["cnf"] == bound
    assert (await holder.show(acting, None, "Bearer")).status_code == 401
    person = await holder.show(acting, holder.proof(here, "GET", token=acting))
    assert person.json()["act"]["name"] == "Olaf Olsen"
    assert len(await stands(panel)) == 1


async def test_discovery_tells_of_the_grant(panel: Panel) -> None:
    known = (await panel.browser().get("/.well-known/openid-configuration")).json()
    assert EXCHANGE_GRANT in known["grant_types_supported"]
