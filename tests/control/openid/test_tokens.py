"""What a code and a refresh token give, once, and what ends them."""

import asyncio
import base64
import json
from datetime import timedelta
from typing import Any

import httpx
import sqlalchemy as sa
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey

from bindings.binding import find_binding
from bindings.codes import Code
from bindings.keys import read_header
from bindings.tokens import Token
from tenants.people import find_user
from tenants.phones import find_extension
from tenants.trail import Entry
from tests.cast import NOW, bind, house_work, work_as
from tests.control.openid.story import ISSUER, Client, Panel, app_of


async def test_the_tokens_of_a_login_say_the_same(panel: Panel, softphone: Client) -> None:
    await bind(panel.store, panel.cast, "Pia", "Dairy", "101", reason="she asked for help")
    tokens = await softphone.log_in(await panel.sign_in("Pia"))
    shared = ("sub", "name", "email", "email_verified", "act", "tenant", "extension", "phone_system", "app_admin")
    access = await softphone.read(tokens.access)
    said = [tokens.claims, access, await softphone.introspect(tokens.access)]
    said.append((await softphone.userinfo(tokens.access)).json())
    for name in (*shared, "stand_in", "sid"):
        assert [each[name] for each in said] == [tokens.claims[name]] * 4, name
    assert read_header(tokens.access)["typ"] == "at+jwt"
    assert (access["client_id"], access["iss"], access["exp"] - access["iat"]) == ("softphone", ISSUER, 600)
    # What else RFC 9068 section 2.2 asks for, with who really proved themselves and when.
    assert (access["aud"], access["scope"], access["amr"]) == ("softphone", "openid profile email", ["pwd"])
    assert access["acr"] == tokens.claims["acr"] == "urn:understudy:acr:stand-in"
    assert access["auth_time"] == tokens.claims["auth_time"]
    assert said[2]["jti"] == access["jti"]
    assert tokens.answer["expires_in"] == 600


async def test_token_answers_are_kept_nowhere(panel: Panel, softphone: Client) -> None:
    answer = await softphone.redeem(await softphone.code(await panel.sign_in("Pia")))
    assert (answer.headers["cache-control"], answer.headers["pragma"]) == ("no-store", "no-cache")


async def test_twenty_redeem_one_code_and_one_of_them_gets_tokens(panel: Panel, softphone: Client) -> None:
    code = await softphone.code(await panel.sign_in("Pia"))
    answers = await asyncio.gather(*(softphone.redeem(code) for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [200, *[400] * 19]
    assert await rows(panel, Token) == 2
    # The losers came with a used code, so what the winner got is worth nothing either.
    winner = next(answer for answer in answers if answer.status_code == 200)
    assert await softphone.introspect(winner.json()["access_token"]) == {"active": False}


async def test_a_code_that_comes_again_ends_the_login_and_is_written_down(panel: Panel, softphone: Client) -> None:
    code = await softphone.code(await panel.sign_in("Pia"))
    tokens = (await softphone.redeem(code)).json()
    again = await softphone.redeem(code)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert (await softphone.introspect(tokens["access_token"])) == {"active": False}
    assert (await softphone.renew(tokens["refresh_token"])).json()["error"] == "invalid_grant"
    assert await verbs(panel, "login.code_replayed") == 1


async def test_a_wrong_verifier_burns_the_code(panel: Panel, softphone: Client) -> None:
    for wrong in ({"code_verifier": "x" * 50}, {"code_verifier": None}, {"redirect_uri": "http://evil.example/"}):
        code = await softphone.code(await panel.sign_in("Pia"))
        assert (await softphone.redeem(code, **wrong)).status_code == 400
        assert (await softphone.redeem(code)).json()["error"] == "invalid_grant"
    assert await rows(panel, Token) == 0


async def test_a_code_lives_a_minute(panel: Panel, softphone: Client) -> None:
    code = await softphone.code(await panel.sign_in("Pia"))
    panel.clock.pass_(seconds=60)
    assert (await softphone.redeem(code)).json()["error"] == "invalid_grant"


async def test_a_code_of_one_app_is_worth_nothing_at_another(
    panel: Panel, softphone: Client, desk_client: Client
) -> None:
    code = await softphone.code(await panel.sign_in("Pia"))
    assert (await desk_client.redeem(code, redirect_uri=softphone.redirect_uri)).json()["error"] == "invalid_grant"
    assert (await softphone.redeem(code)).status_code == 200


async def test_a_code_is_no_refresh_token_and_a_code_of_another_kind_no_code(panel: Panel, softphone: Client) -> None:
    code = await softphone.code(await panel.sign_in("Pia"))
    assert (await softphone.renew(code)).json()["error"] == "invalid_grant"
    async with house_work(panel.store) as session:
        await session.execute(sa.update(Code).values(purpose="handoff"))
    assert (await softphone.redeem(code)).json()["error"] == "invalid_grant"


async def test_an_app_that_does_not_prove_itself_gets_nothing(panel: Panel, softphone: Client) -> None:
    code = await softphone.code(await panel.sign_in("Pia"))
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": softphone.redirect_uri}
    for auth in (("softphone", "wrong"), ("nobody", softphone.secret or ""), ("softphone", "")):
        answer = await softphone.http.post("/oauth/token", data=form, auth=auth)
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
        assert answer.headers["www-authenticate"].startswith("Basic")
    both = form | {"client_id": "softphone", "client_secret": softphone.secret or ""}
    answer = await softphone.http.post("/oauth/token", data=both, auth=("softphone", softphone.secret or ""))
    assert answer.json()["error"] == "invalid_request"
    assert (await softphone.redeem(code)).status_code == 200


async def test_an_app_may_show_its_secret_in_the_form(panel: Panel, softphone: Client) -> None:
    code = await softphone.code(await panel.sign_in("Pia"))
    secret, softphone.secret = softphone.secret, None
    assert (await softphone.redeem(code, client_secret=secret)).status_code == 200


async def test_a_browser_app_has_no_secret_and_needs_none(panel: Panel) -> None:
    spa = await app_of(panel, "Acme", "web-phone", kind="spa")
    tokens = await spa.log_in(await panel.sign_in("Pia"))
    assert (await spa.renew(tokens.refresh)).status_code == 200
    assert (await spa.post("/oauth/introspect", token=tokens.access)).status_code == 401
    assert (await spa.redeem("x", client_secret="made up")).json()["error"] == "invalid_client"


NONSENSE: list[tuple[dict[str, str], str]] = [
    ({}, "invalid_request"),
    ({"grant_type": "password"}, "unsupported_grant_type"),
    ({"grant_type": "authorization_code"}, "invalid_request"),
    ({"grant_type": "refresh_token"}, "invalid_request"),
    ({"grant_type": "authorization_code", "code": "no such code"}, "invalid_grant"),
    ({"grant_type": "authorization_code", "code": "x" * 10_000}, "invalid_request"),
    ({"grant_type": "refresh_token", "refresh_token": "é\x00"}, "invalid_request"),
]


async def test_a_token_request_that_makes_no_sense(softphone: Client) -> None:
    for form, error in NONSENSE:
        answer = await softphone.post("/oauth/token", **form)
        assert (answer.status_code, answer.json()["error"]) == (400, error), form


async def test_only_a_form_is_read(softphone: Client) -> None:
    answer = await softphone.http.post("/oauth/token", json={"grant_type": "refresh_token"})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_refreshing_rotates_and_keeps_the_subject(panel: Panel, softphone: Client) -> None:
    await bind(panel.store, panel.cast, "Pia", "Dairy", "101")
    tokens = await softphone.log_in(await panel.sign_in("Pia"))
    panel.clock.pass_(minutes=11)
    assert await softphone.introspect(tokens.access) == {"active": False}
    renewed = (await softphone.renew(tokens.refresh)).json()
    claims = await softphone.read(renewed["id_token"])
    assert [claims[name] for name in ("sub", "sid", "act")] == [tokens.claims[name] for name in ("sub", "sid", "act")]
    assert (await softphone.introspect(renewed["access_token"]))["active"] is True
    assert renewed["refresh_token"] != tokens.refresh


async def test_a_refresh_may_ask_for_less_and_never_for_more(panel: Panel, softphone: Client) -> None:
    tokens = await softphone.log_in(await panel.sign_in("Pia"), scope="openid email")
    assert (await softphone.renew(tokens.refresh, scope="openid profile")).json()["error"] == "invalid_scope"
    less = (await softphone.renew(tokens.refresh, scope="openid")).json()
    assert less["scope"] == "openid"
    assert "email" not in await softphone.introspect(less["access_token"])


async def test_a_used_refresh_token_ends_the_whole_login(panel: Panel, softphone: Client) -> None:
    tokens = await softphone.log_in(await panel.sign_in("Pia"))
    renewed = (await softphone.renew(tokens.refresh)).json()
    assert (await softphone.renew(tokens.refresh)).json()["error"] == "invalid_grant"
    assert (await softphone.renew(renewed["refresh_token"])).json()["error"] == "invalid_grant"
    assert await softphone.introspect(renewed["access_token"]) == {"active": False}
    assert await verbs(panel, "login.token_replayed") == 1


async def test_twenty_refresh_at_once_and_one_gets_tokens(panel: Panel, softphone: Client) -> None:
    tokens = await softphone.log_in(await panel.sign_in("Pia"))
    answers = await asyncio.gather(*(softphone.renew(tokens.refresh) for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [200, *[400] * 19]
    assert await rows(panel, Token) == 4


async def test_a_refresh_token_slides_for_thirty_days_but_not_past_the_bindings_end(
    panel: Panel, softphone: Client
) -> None:
    pia = await panel.sign_in("Pia")
    own = await softphone.log_in(pia)
    await bind(panel.store, panel.cast, "Pia", "Dairy", "101", ends_at=NOW + timedelta(minutes=5))
    bound = await softphone.log_in(pia)
    assert bound.answer["expires_in"] == 300
    assert bound.claims["stand_in"]["ends_at"] == "2026-11-21T09:05:00+00:00"
    panel.clock.pass_(minutes=5)
    assert (await softphone.renew(bound.refresh)).json()["error"] == "invalid_grant"
    panel.clock.pass_(days=29)
    kept = await softphone.renew(own.refresh)
    assert kept.status_code == 200
    panel.clock.pass_(days=30, minutes=1)
    assert (await softphone.renew(kept.json()["refresh_token"])).json()["error"] == "invalid_grant"


async def test_releasing_ends_what_the_binding_gave_at_once(panel: Panel, softphone: Client) -> None:
    binding_id = await bind(panel.store, panel.cast, "Pia", "Dairy", "101")
    tokens = await softphone.log_in(await panel.sign_in("Pia"))
    assert (await softphone.introspect(tokens.access))["active"] is True
    pia = panel.cast.actor("Pia")
    async with work_as(panel.store, pia) as session:
        await (await find_binding(session, binding_id)).release(session, pia, NOW)
    assert await softphone.introspect(tokens.access) == {"active": False}
    assert await softphone.introspect(tokens.refresh) == {"active": False}
    assert (await softphone.userinfo(tokens.access)).status_code == 401
    assert (await softphone.acting(tokens.access)).status_code == 401
    assert (await softphone.renew(tokens.refresh)).json()["error"] == "invalid_grant"


async def test_an_extension_that_went_to_somebody_else_ends_the_login_for_good(panel: Panel, softphone: Client) -> None:
    await bind(panel.store, panel.cast, "Pia", "Dairy", "101")
    tokens = await softphone.log_in(await panel.sign_in("Pia"))
    await give(panel, "Dairy", "101", None)
    assert await softphone.introspect(tokens.access) == {"active": False}
    assert (await softphone.renew(tokens.refresh)).json()["error"] == "invalid_grant"
    await give(panel, "Dairy", "101", panel.cast.membership_id("Dan"))
    assert await softphone.introspect(tokens.access) == {"active": False}


async def test_ones_own_login_ends_with_the_extension_and_with_the_person(panel: Panel, softphone: Client) -> None:
    tokens = await softphone.log_in(await panel.sign_in("Dan"))
    await give(panel, "Dairy", "101", None)
    assert await softphone.introspect(tokens.access) == {"active": False}
    other = await softphone.log_in(await panel.sign_in("Dina"))
    ada = panel.cast.actor("Ada")
    async with work_as(panel.store, ada) as session:
        await (await find_user(session, panel.cast.user("Dina").id)).discard(session, ada, NOW)
    assert await softphone.introspect(other.access) == {"active": False}
    assert (await softphone.renew(other.refresh)).json()["error"] == "invalid_grant"


async def test_an_app_learns_of_its_own_tokens_alone(panel: Panel, softphone: Client, desk_client: Client) -> None:
    tokens = await softphone.log_in(await panel.sign_in("Pia"))
    for token in (tokens.access, tokens.refresh, tokens.answer["id_token"], "nonsense", "a.b.c", "..", "é"):
        assert await desk_client.introspect(token) == {"active": False}
    assert await softphone.introspect(tokens.answer["id_token"]) == {"active": False}
    assert (await softphone.introspect(tokens.refresh))["active"] is True


async def test_a_hint_at_what_a_token_is_hides_none(panel: Panel, softphone: Client) -> None:
    tokens = await softphone.log_in(await panel.sign_in("Pia"))
    for token, own in ((tokens.access, "access_token"), (tokens.refresh, "refresh_token")):
        for hint in ("access_token", "refresh_token", "pat", own):
            said = (await softphone.post("/oauth/introspect", token=token, token_type_hint=hint)).json()
            assert (said["active"], said["sub"]) == (True, tokens.claims["sub"]), hint
    given_back = await softphone.post("/oauth/revoke", token=tokens.refresh, token_type_hint="access_token")
    assert (given_back.status_code, given_back.content) == (200, b"")
    assert await softphone.introspect(tokens.access) == {"active": False}


async def test_a_refresh_token_is_worth_what_it_was_granted_until_it_is_used(panel: Panel, softphone: Client) -> None:
    tokens = await softphone.log_in(await panel.sign_in("Pia"), scope="openid email")
    said = await softphone.introspect(tokens.refresh)
    assert (said["scope"], said["client_id"], said["exp"] - said["iat"]) == ("openid email", "softphone", 30 * 86400)
    assert (said["sid"], "jti" in said) == (tokens.claims["sid"], False)
    assert (await softphone.renew(tokens.refresh)).status_code == 200
    assert await softphone.introspect(tokens.refresh) == {"active": False}


async def test_a_token_that_is_signed_well_but_forged_in_what_it_says(panel: Panel, softphone: Client) -> None:
    tokens = await softphone.log_in(await panel.sign_in("Pia"))
    said = await softphone.read(tokens.access)
    signer = await panel.app.state.house.issuer.keys.signer("ES256", NOW)
    forged: list[dict[str, Any]] = [
        {"jti": "another"},
        {"sub": str(panel.cast.membership_id("Dan"))},
        {"act": {"sub": str(panel.cast.membership_id("Olaf"))}},
        {"sid": None},
        {"client_id": "desk-client", "aud": "desk-client"},
        {"iss": "http://evil.example"},
        {"aud": "panel"},
        {"exp": None},
    ]
    for change in forged:
        token = signer.sign(said | change, "at+jwt")
        assert (await softphone.userinfo(token)).status_code == 401, change
        assert await softphone.introspect(token) == {"active": False}, change
    assert (await softphone.userinfo(signer.sign(said, "at+jwt"))).status_code == 200
    assert (await softphone.userinfo(signer.sign(said, "JWT"))).status_code == 401


async def test_a_token_that_somebody_else_signed(panel: Panel, softphone: Client) -> None:
    tokens = await softphone.log_in(await panel.sign_in("Pia"))
    said, header = await softphone.read(tokens.access), read_header(tokens.access)
    public = (await softphone.http.get("/oauth/jwks")).json()["keys"][0]
    stranger = ECKey.generate_key("P-256")
    unsigned = base64.urlsafe_b64encode(json.dumps(header | {"alg": "none"}).encode()).rstrip(b"=").decode()
    known = [
        f"{unsigned}.{tokens.access.split('.')[1]}.",
        jwt.encode(header, said, stranger),
        jwt.encode(header | {"kid": "unknown"}, said, stranger),
        jwt.encode(header | {"jwk": stranger.as_dict(private=False)}, said, stranger),
        jwt.encode(header | {"jku": "http://evil.example/jwks"}, said, stranger),
        jwt.encode(header | {"alg": "HS256"}, said, OctKey.import_key(public["x"])),
        tokens.access.rpartition(".")[0] + ".",
    ]
    for token in known:
        assert (await softphone.userinfo(token)).status_code == 401, token
        assert await softphone.introspect(token) == {"active": False}, token


async def test_a_token_without_its_row_is_worth_nothing(panel: Panel, softphone: Client) -> None:
    tokens = await softphone.log_in(await panel.sign_in("Pia"))
    async with house_work(panel.store) as session:
        await session.execute(sa.delete(Token))
    assert (await softphone.userinfo(tokens.access)).status_code == 401
    assert (await softphone.userinfo("")).headers["www-authenticate"].startswith("Bearer")


async def test_giving_a_token_back(panel: Panel, softphone: Client, desk_client: Client) -> None:
    tokens = await softphone.log_in(await panel.sign_in("Pia"))
    for token in (tokens.access, tokens.refresh, "nonsense"):
        assert (await desk_client.post("/oauth/revoke", token=token)).status_code == 200
    assert (await softphone.introspect(tokens.access))["active"] is True
    assert (await softphone.post("/oauth/revoke", token=tokens.access)).status_code == 200
    assert await softphone.introspect(tokens.access) == {"active": False}
    renewed = (await softphone.renew(tokens.refresh)).json()
    assert (await softphone.post("/oauth/revoke", token=renewed["refresh_token"])).status_code == 200
    assert await softphone.introspect(renewed["access_token"]) == {"active": False}
    assert (await softphone.renew(renewed["refresh_token"])).json()["error"] == "invalid_grant"


async def test_who_stands_in_is_told_to_the_apps_banner(panel: Panel, softphone: Client) -> None:
    pia = await panel.sign_in("Pia")
    assert (await softphone.acting((await softphone.log_in(pia)).access)).status_code == 204
    await bind(panel.store, panel.cast, "Pia", "Dairy", "101", reason="she asked for help")
    said = (await softphone.acting((await softphone.log_in(pia)).access)).json()
    assert said.pop("frame_url").startswith(f"{ISSUER}/embed/frame?client_id=softphone#")
    assert said == {
        "kind": "binding",
        "subject": {"sub": str(panel.cast.membership_id("Dan")), "name": "Dan Dale"},
        "actor": {"sub": str(panel.cast.membership_id("Pia")), "name": "Pia Pine"},
        "reason": "she asked for help",
        "ends_at": None,
        "seconds_left": None,
        "stop_url": f"{ISSUER}/bindings",
    }
    assert (await softphone.acting("nonsense")).status_code == 401


async def test_an_apps_token_opens_nothing_else(panel: Panel, softphone: Client) -> None:
    tokens = await softphone.log_in(await panel.sign_in("Pia"))
    bearer = {"Authorization": f"Bearer {tokens.access}"}
    for path in ("/api/v1/me", "/api/v1/tenants"):
        answer: httpx.Response = await softphone.http.get(path, headers=bearer)
        assert answer.status_code in {401, 404}


async def give(panel: Panel, place: str, number: str, membership_id: int | None) -> None:
    async with work_as(panel.store, panel.cast.actor("Ada")) as session:
        extension = await find_extension(session, panel.cast.extension(place, number).id)
        await extension.change(session, membership_id=membership_id)


async def rows(panel: Panel, kind: type[Any]) -> int:
    async with house_work(panel.store) as session:
        return (await session.execute(sa.select(sa.func.count()).select_from(kind))).scalar_one()


async def verbs(panel: Panel, verb: str) -> int:
    async with house_work(panel.store) as session:
        wanted = sa.select(sa.func.count()).select_from(Entry).where(Entry.verb == verb)
        return (await session.execute(wanted)).scalar_one()


async def test_no_other_resource_is_named_where_tokens_are_given(panel: Panel, softphone: Client) -> None:
    code = await softphone.code(await panel.sign_in("Pia"))
    refused = await softphone.redeem(code, resource="https://api.example/")
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_target")
    tokens = (await softphone.redeem(code)).json()
    assert (await softphone.renew(tokens["refresh_token"], resource="urn:x")).json()["error"] == "invalid_target"
    assert (await softphone.renew(tokens["refresh_token"])).status_code == 200
