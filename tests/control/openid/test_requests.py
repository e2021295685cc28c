"""The authorization request: what is refused, and who is told."""

from urllib.parse import urlencode

from tenants.tree import Tenant
from tests.cast import bind, house_work
from tests.control.openid.story import ISSUER, STATE, Client, Panel, app_of, next_of, told

UNPROVEN: list[dict[str, str | None]] = [
    {"client_id": "nobody"},
    {"client_id": None},
    {"client_id": "soft\x00phone"},
    {"client_id": "x" * 5000},
    {"redirect_uri": None},
    {"redirect_uri": "http://softphone.localhost:8001/callback/"},
    {"redirect_uri": "http://softphone.localhost:8001/callback?more=1"},
    {"redirect_uri": "http://softphone.localhost:8001/callback#part"},
    {"redirect_uri": "http://softphone.localhost:9999/callback"},
    {"redirect_uri": "http://softphone.localhost:8001@evil.example/callback"},
    {"redirect_uri": "http://evil.example/callback"},
    {"redirect_uri": 'http://evil.example/"\\é'},
]

WRONG: list[tuple[dict[str, str | None], str]] = [
    ({"response_type": "token"}, "unsupported_response_type"),
    ({"response_type": "code id_token"}, "unsupported_response_type"),
    ({"response_type": '"é'}, "invalid_request"),
    ({"response_type": None}, "unsupported_response_type"),
    ({"scope": "profile"}, "invalid_scope"),
    ({"scope": None}, "invalid_scope"),
    ({"code_challenge": None}, "invalid_request"),
    ({"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
    ({"code_challenge_method": "plain"}, "invalid_request"),
    ({"code_challenge_method": None}, "invalid_request"),
    ({"code_challenge": "short"}, "invalid_request"),
    ({"code_challenge": "a" * 44}, "invalid_request"),
    ({"response_mode": "fragment"}, "invalid_request"),
    ({"response_mode": "web_message"}, "invalid_request"),
    ({"resource": "https://api.example/"}, "invalid_target"),
    ({"request": "eyJhbGciOiJub25lIn0.e30."}, "request_not_supported"),
    ({"request_uri": "https://evil.example/"}, "request_uri_not_supported"),
    ({"prompt": "none login"}, "invalid_request"),
    ({"prompt": "sing"}, "invalid_request"),
    ({"max_age": "-1"}, "invalid_request"),
    ({"max_age": "soon"}, "invalid_request"),
    ({"nonce": "n" * 513}, "invalid_request"),
]


async def test_an_unproven_address_is_never_redirected_to(panel: Panel, softphone: Client) -> None:
    pia = await panel.sign_in("Pia")
    for wrong in UNPROVEN:
        answer = await softphone.ask(pia, **wrong)
        assert answer.status_code == 400, wrong
        assert "location" not in answer.headers, wrong
        assert "text/html" in answer.headers["content-type"], wrong


async def test_a_wrong_request_is_told_to_the_app_with_issuer_and_state(panel: Panel, softphone: Client) -> None:
    pia = await panel.sign_in("Pia")
    for wrong, error in WRONG:
        said = told(await softphone.ask(pia, **wrong))
        assert (said["error"], said["iss"], said["state"]) == (error, ISSUER, STATE), wrong
        assert "code" not in said, wrong


async def test_a_parameter_that_comes_twice_is_refused_on_a_page(panel: Panel, softphone: Client) -> None:
    pia = await panel.sign_in("Pia")
    twice = [*softphone.fields().items(), ("redirect_uri", softphone.redirect_uri)]
    assert (await pia.get(f"/oauth/authorize?{urlencode(twice)}")).status_code == 400


async def test_scopes_that_nobody_knows_are_ignored(panel: Panel, softphone: Client) -> None:
    tokens = await softphone.log_in(await panel.sign_in("Pia"), scope="openid cucumber email")
    assert tokens.answer["scope"] == "openid email"
    assert "name" not in tokens.claims
    assert tokens.claims["email"] == "pia@pine.example"


async def test_the_order_of_scopes_and_fields_means_nothing(panel: Panel, softphone: Client) -> None:
    fields = reversed(softphone.fields(scope="email profile openid").items())
    answer = await (await panel.sign_in("Pia")).get(f"/oauth/authorize?{urlencode(list(fields))}")
    tokens = await softphone.redeem(told(answer)["code"])
    assert set(tokens.json()["scope"].split()) == {"openid", "profile", "email"}
    assert (await softphone.read(tokens.json()["id_token"]))["email"] == "pia@pine.example"


async def test_claims_that_an_app_asks_for_forge_nothing(panel: Panel, softphone: Client) -> None:
    wish = '{"id_token": {"sub": {"value": "1"}, "act": {"value": {"sub": "2"}}, "sid": {"value": "mine"}}}'
    claims = (await softphone.log_in(await panel.sign_in("Pia"), claims=wish, act="1", sid="mine", sub="1")).claims
    assert claims["sub"] == str(panel.cast.membership_id("Pia"))
    assert "act" not in claims
    assert claims["sid"] != "mine"


async def test_a_form_from_elsewhere_goes_on_as_an_address(panel: Panel, softphone: Client) -> None:
    pia = await panel.sign_in("Pia")
    answer = await pia.post("/oauth/authorize", data=softphone.fields(), headers={"Origin": "http://evil.example"})
    assert answer.status_code == 303
    assert "code" in told(await pia.get(answer.headers["location"]))


async def test_an_app_signs_in_nobody_beside_its_owner(panel: Panel) -> None:
    zoos = await app_of(panel, "Zoo", "zoo-app")
    page = await zoos.ask(await panel.sign_in("Pia"))
    assert page.status_code == 200
    assert 'data-notice="not_yours"' in page.text
    zoe = await panel.sign_in("Zoe")
    assert (await zoos.log_in(zoe)).claims["tenant"]["name"] == "Zoo"


async def test_a_bound_login_at_an_app_of_another_organization_is_refused(panel: Panel) -> None:
    pines = await app_of(panel, "Oak", "oak-app")
    await bind(panel.store, panel.cast, "Pia", "Dairy", "101")
    page = await pines.ask(await panel.sign_in("Pia"))
    assert 'data-notice="not_yours"' in page.text


async def test_a_native_app_uses_any_port_of_this_machine(panel: Panel) -> None:
    native = await app_of(panel, "Acme", "native-app", kind="native", uris=["http://127.0.0.1/callback"])
    native.redirect_uri = "http://127.0.0.1:51234/callback"
    assert (await native.log_in(await panel.sign_in("Pia"))).claims["name"] == "Pia Pine"
    for other in ("http://127.0.0.1:51234/elsewhere", "http://127.0.0.1:0/callback", "http://127.0.0.1:x/callback"):
        native.redirect_uri = other
        assert (await native.ask(await panel.sign_in("Pia"))).status_code == 400


async def test_prompt_login_asks_pia_to_prove_it_again_once(panel: Panel, softphone: Client) -> None:
    await bind(panel.store, panel.cast, "Pia", "Dairy", "101")
    pia = await panel.sign_in("Pia")
    asked = await softphone.ask(pia, prompt="login")
    assert asked.headers["location"].startswith("/sign-in?next=")
    assert asked.headers["location"].endswith("reauth=1")
    onward = next_of(asked)
    again = await pia.get(onward)
    assert again.status_code == 302
    panel.clock.pass_(seconds=5)
    await panel.sign_in("Pia", pia)
    answer = await softphone.redeem(told(await pia.get(onward))["code"])
    claims = await softphone.read(answer.json()["id_token"])
    assert (claims["name"], claims["auth_time"]) == ("Dan Dale", int(panel.clock.now.timestamp()))


async def test_max_age_counts_from_the_actors_proof(panel: Panel, softphone: Client) -> None:
    pia = await panel.sign_in("Pia")
    panel.clock.pass_(minutes=5)
    assert "code" in told(await softphone.ask(pia, max_age="301"))
    assert (await softphone.ask(pia, max_age="299")).headers["location"].startswith("/sign-in")
    assert told(await softphone.ask(pia, max_age="299", prompt="none"))["error"] == "login_required"
    onward = next_of(await softphone.ask(pia, max_age="0"))
    panel.clock.pass_(seconds=30)
    await panel.sign_in("Pia", pia)
    panel.clock.pass_(seconds=30)
    assert "code" in told(await pia.get(onward))
    panel.clock.pass_(minutes=30)
    assert (await pia.get(onward)).headers["location"].startswith("/sign-in")


async def test_an_app_waits_for_the_second_factor_that_the_organization_asks_for(
    panel: Panel, softphone: Client
) -> None:
    async with house_work(panel.store) as session:
        pine = await session.get_one(Tenant, panel.cast.tenant("Pine").id)
        await pine.change(session, policy_require_factor=1)
    pia = await panel.sign_in("Pia")
    assert (await softphone.ask(pia)).headers["location"].startswith("/account/second-factor?next=%2Foauth%2Fauthorize")
    assert told(await softphone.ask(pia, prompt="none"))["error"] == "interaction_required"
