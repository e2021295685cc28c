"""Service accounts: programs of a company that get tokens for the panel's API by client credentials."""

from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from bindings.endings import suspend_tenant
from bindings.facts import fetch_facts
from bindings.guard import Act, Refused, judge
from bindings.impersonation import Asked, Impersonation
from bindings.service_accounts import discard_account
from tenants.identities import live_identities
from tenants.people import Membership, User, find_membership
from tenants.refusals import Conflict, Invalid, NotPermitted, OutOfReach
from tenants.roles import Role
from tenants.service_accounts import ServiceAccount, find_service_account
from tenants.sign_in import SignIn, find_by_email
from tenants.trail import Entry
from tenants.tree import Scope, Tenant, find_tenant
from tenants.verbs import Verb
from tests.cast import ORIGIN, WHY, house_work, work_as
from tests.control.openid.story import ISSUER, Client, Panel, app_of
from tests.control.openid.test_client_proofs import KEY, OTHERS, Prover, public
from tests.control.openid.test_dpop import KEY as HELD
from tests.control.openid.test_dpop import Holder


async def till(
    panel: Panel, role: Role = Role.ADMIN, scopes: str = "read write", *, by: str = "Boris", at: str = "Bakery"
) -> Client:
    """A program of Bakery's, as it talks to the panel."""
    actor, now = panel.cast.actor(by), panel.clock.now
    async with work_as(panel.store, actor, now) as session:
        tenant = await find_tenant(session, panel.cast.tenant(at).id)
        account, secret = await ServiceAccount.make(session, actor, tenant, "Till", role, scopes.split(), now)
    return Client(panel, account.client_id, panel.browser(), secret)


async def ask(client: Client, **said: str) -> httpx.Response:
    return await client.post("/oauth/token", grant_type="client_credentials", **said)


async def token_of(client: Client, **said: str) -> str:
    answer = await ask(client, **said)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


async def get(client: Client, path: str, token: str) -> httpx.Response:
    return await client.http.get(path, headers={"Authorization": f"Bearer {token}"})


async def the_row(panel: Panel) -> ServiceAccount:
    async with house_work(panel.store, panel.clock.now) as session:
        return (await session.scalars(sa.select(ServiceAccount))).one()


async def test_the_till_of_bakery_gets_a_token_for_the_api(panel: Panel) -> None:
    client = await till(panel)
    answer = await ask(client)
    assert set(answer.json()) == {"access_token", "token_type", "expires_in", "scope"}
    assert (answer.json()["expires_in"], answer.json()["scope"]) == (600, "read write")
    assert answer.headers["cache-control"] == "no-store"
    account = await the_row(panel)
    claims = await client.read(answer.json()["access_token"])
    assert (claims["iss"], claims["aud"], claims["sub"]) == (ISSUER, f"{ISSUER}/api", str(account.membership_id))
    assert (claims["client_id"], claims["exp"] - claims["iat"]) == (client.client_id, 600)
    assert not {"act", "stand_in", "sid"} & set(claims)
    assert (await the_row(panel)).last_used_at == panel.clock.now
    me = (await get(client, "/api/v1/me", answer.json()["access_token"])).json()
    assert "Till" in str(me)


async def test_it_reaches_what_its_membership_reaches(panel: Panel) -> None:
    client, cast = await till(panel), panel.cast
    token = await token_of(client)
    assert (await get(client, f"/api/v1/tenants/{cast.tenant('Bakery').id}", token)).status_code == 200
    for elsewhere in ("Oak", "Clinic", "Dairy"):
        assert (await get(client, f"/api/v1/tenants/{cast.tenant(elsewhere).id}", token)).status_code == 404
    bearer = {"Authorization": f"Bearer {token}"}
    made = await client.http.post(
        "/api/v1/teams", json={"tenant": cast.tenant("Bakery").id, "name": "Night"}, headers=bearer
    )
    assert made.status_code == 201
    async with house_work(panel.store, panel.clock.now) as session:
        (entry,) = await session.scalars(
            sa.select(Entry).where(Entry.verb == Verb.TEAM_CREATED, Entry.actor_name == "Till")
        )
    assert (entry.actor_membership_id, entry.via) == ((await the_row(panel)).membership_id, "direct")


async def test_it_does_no_more_than_its_role_and_its_scopes(panel: Panel) -> None:
    client, bakery = await till(panel, Role.AUDITOR, "read"), panel.cast.tenant("Bakery").id
    bearer = {"Authorization": f"Bearer {await token_of(client)}"}
    sent: dict[str, Any] = {"tenant": bakery, "name": "Night"}
    answer = await client.http.post("/api/v1/teams", json=sent, headers=bearer)
    assert (answer.status_code, answer.json()["rule"]) == (403, "scope")
    assert (await client.http.get("/api/v1/service-accounts", headers=bearer)).status_code == 403


async def test_a_token_may_have_less_than_the_account_and_never_more(panel: Panel) -> None:
    client = await till(panel)
    for more in ("stand_in", "read write stand_in", "openid", "panel"):
        assert (await ask(client, scope=more)).json()["error"] == "invalid_scope", more
    token = await token_of(client, scope="read")
    bearer = {"Authorization": f"Bearer {token}"}
    sent: dict[str, Any] = {"tenant": panel.cast.tenant("Bakery").id, "name": "Night"}
    assert (await client.http.post("/api/v1/teams", json=sent, headers=bearer)).status_code == 403


async def test_these_tokens_are_for_the_api_alone(panel: Panel, softphone: Client) -> None:
    client = await till(panel)
    for where in ("softphone", ISSUER, "https://elsewhere.example"):
        assert (await ask(client, audience=where)).json()["error"] == "invalid_target"
        assert (await ask(client, resource=where)).json()["error"] == "invalid_target"
    token = await token_of(client, audience=f"{ISSUER}/api")
    assert (await client.userinfo(token)).status_code == 401
    assert (await client.acting(token)).status_code == 401
    assert await softphone.introspect(token) == {"active": False}
    # A page takes no bearer.
    assert (await get(client, "/users", token)).status_code == 303


@pytest.mark.parametrize("secret", [None, "", "wrong", "understudy_x"])
async def test_without_its_secret_it_is_nobody(panel: Panel, secret: str | None) -> None:
    client = await till(panel)
    client.secret = None
    answer = await ask(client, **({"client_secret": secret} if secret is not None else {}))
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


async def test_an_app_has_no_client_credentials_and_an_account_no_other_grant(panel: Panel, softphone: Client) -> None:
    answer = await ask(softphone)
    assert (answer.status_code, answer.json()["error"]) == (400, "unauthorized_client")
    softphone.secret = "wrong"
    assert (await ask(softphone)).json()["error"] == "invalid_client"
    spa = await app_of(panel, "Acme", "a-page", kind="spa")
    assert (await ask(spa)).json()["error"] == "unauthorized_client"
    nobody = Client(panel, "nobody", panel.browser(), "secret")
    assert (await ask(nobody)).json()["error"] == "invalid_client"
    client = await till(panel)
    assert (await client.redeem("a code")).json()["error"] == "invalid_client"
    assert (await client.renew("a token")).json()["error"] == "invalid_client"


async def test_it_ends_after_ten_minutes(panel: Panel) -> None:
    client = await till(panel)
    token = await token_of(client)
    panel.clock.pass_(minutes=9, seconds=59)
    assert (await get(client, "/api/v1/me", token)).status_code == 200
    panel.clock.pass_(seconds=1)
    assert (await get(client, "/api/v1/me", token)).status_code == 401


async def test_a_new_secret_ends_the_old_one_and_its_tokens_at_once(panel: Panel) -> None:
    client = await till(panel)
    token = await token_of(client)
    async with work_as(panel.store, panel.cast.actor("Boris"), panel.clock.now) as session:
        fresh = await (await find_service_account(session, (await the_row(panel)).id)).rotate(session)
    assert (await get(client, "/api/v1/me", token)).status_code == 401
    assert (await ask(client)).json()["error"] == "invalid_client"
    client.secret = fresh
    assert (await get(client, "/api/v1/me", await token_of(client))).status_code == 200


async def test_discarding_it_ends_everything_at_once(panel: Panel) -> None:
    client, boris = await till(panel), panel.cast.actor("Boris")
    token, account = await token_of(client), await the_row(panel)
    async with work_as(panel.store, boris, panel.clock.now) as session:
        await discard_account(session, boris, await find_service_account(session, account.id), panel.clock.now)
    assert (await get(client, "/api/v1/me", token)).status_code == 401
    assert (await ask(client)).json()["error"] == "invalid_client"
    async with house_work(panel.store, panel.clock.now) as session:
        assert (await session.get_one(Membership, account.membership_id)).discarded_at == panel.clock.now
        with pytest.raises(Conflict):
            await (await find_service_account(session, account.id)).rotate(session)


async def test_its_company_is_closed_or_its_membership_ends(panel: Panel) -> None:
    client, olaf, now = await till(panel), panel.cast.actor("Olaf"), panel.clock.now
    token = await token_of(client)
    async with work_as(panel.store, olaf, now) as session:
        tenant = await session.get_one(Tenant, panel.cast.tenant("Bakery").id)
        suspension = await suspend_tenant(session, olaf, tenant, Scope.STAFF, "unpaid since May", now)
    assert (await get(client, "/api/v1/me", token)).status_code == 401
    assert (await ask(client)).json()["error"] == "invalid_client"
    async with work_as(panel.store, olaf, now) as session:
        await (await session.get_one(type(suspension), suspension.id)).lift(session, olaf, now)
    token = await token_of(client)
    async with work_as(panel.store, olaf, now) as session:
        await (await find_membership(session, (await the_row(panel)).membership_id)).discard(session, olaf, now)
    assert (await get(client, "/api/v1/me", token)).status_code == 401


async def test_b21_where_admins_need_a_second_factor_a_program_is_no_admin(panel: Panel) -> None:
    client = await till(panel)
    token = await token_of(client)
    async with house_work(panel.store, panel.clock.now) as session:
        tenant = await session.get_one(Tenant, panel.cast.tenant("Bakery").id)
        await tenant.change(session, policy_require_factor=1)
    answer = await get(client, "/api/v1/teams", token)
    assert (answer.status_code, answer.json()["rule"]) == (403, "second_factor")


async def test_nobody_makes_one_above_themselves(panel: Panel) -> None:
    with pytest.raises(NotPermitted):
        await till(panel, Role.ADMIN, by="Opal")
    with pytest.raises(NotPermitted):
        await till(panel, Role.ADMIN, by="Bruno")
    with pytest.raises(OutOfReach):
        await till(panel, Role.MEMBER, by="Amos", at="Oak")
    with pytest.raises(Invalid):
        await till(panel, Role.OPERATOR)
    with pytest.raises(Invalid):
        await till(panel, Role.MEMBER, "read everything")
    await till(panel, Role.OPERATOR, by="Olaf", at="Oak")


async def test_nobody_signs_in_is_bound_or_stands_in_as_a_program(panel: Panel) -> None:
    await till(panel)
    account, now = await the_row(panel), panel.clock.now
    olaf = panel.cast.actor("Olaf")
    async with work_as(panel.store, olaf, now) as session:
        there = await find_membership(session, account.membership_id)
        for kind in ("impersonation", "token"):
            with pytest.raises(Refused) as refused:
                await Impersonation.start(session, olaf, there, Asked(WHY), now, kind=kind)
            assert refused.value.rule == "permission"
        line = panel.cast.extension("Bakery", "201").id
        found = await fetch_facts(session, Act.BIND, account.membership_id, extension_id=line)
        bound = judge(found.facts) if found else None
        assert bound is not None
        assert bound.rule == "permission"
    async with house_work(panel.store, now) as session:
        user = (await session.scalars(sa.select(User).where(User.service))).one()
        assert (user.password_hash, user.email.endswith(".invalid")) == (None, True)
        assert await find_by_email(session, user.email) is None
        (identity,) = await live_identities(session, user_id=user.id)
        with pytest.raises(OutOfReach):
            await SignIn.start(session, identity, ORIGIN, "a browser", now)


async def test_programs_do_not_stand_among_people(panel: Panel) -> None:
    await till(panel)
    boris = await panel.sign_in("Boris")
    found = ("/find?q=ill", f"/teams/{panel.cast.teams['Front']}")
    for page in ("/users", f"/companies/{panel.cast.tenant('Bakery').id}/members", *found):
        assert "Till" not in (await boris.get(page)).text
    mine = (await boris.get(f"/companies/{panel.cast.tenant('Bakery').id}/service-accounts")).text
    assert "Till" in mine


async def test_a_program_is_not_the_last_admin(panel: Panel) -> None:
    await till(panel)
    boris, now = panel.cast.actor("Boris"), panel.clock.now
    with pytest.raises(Conflict) as refused:
        async with work_as(panel.store, boris, now) as session:
            await (await find_membership(session, boris.standing.membership_id)).discard(session, boris, now)
    assert refused.value.rule == "last_admin"


async def test_a_program_mints_only_with_that_scope(panel: Panel) -> None:
    with_it, without = await till(panel, scopes="read stand_in"), await till(panel, scopes="read")
    path = f"/api/sys/users/impersonate?coworkerId={panel.cast.membership_id('Bea')}"
    assert (await get(without, path, await token_of(without))).status_code == 401
    minted = await get(with_it, path, await token_of(with_it))
    assert minted.status_code == 200
    answer = await with_it.http.post("/api/sys/users/exchange", json=minted.json())
    assert answer.status_code == 200
    assert (await with_it.read(answer.json()["access_token"]))["act"]["name"] == "Till"


async def keyed(panel: Panel, client: Client) -> Prover:
    """The till, which holds a key of its own and no secret from now on."""
    async with work_as(panel.store, panel.cast.actor("Boris"), panel.clock.now) as session:
        account = await find_service_account(session, (await the_row(panel)).id)
        await account.prove_by(session, panel.cast.actor("Boris"), public(KEY))
    return Prover(panel, client)


async def test_with_a_key_of_its_own_its_secret_opens_nothing(panel: Panel) -> None:
    client = await till(panel)
    before = await token_of(client)
    prover = await keyed(panel, client)
    assert (await get(client, "/api/v1/me", before)).status_code == 401
    assert (await ask(client)).json()["error"] == "invalid_client"
    answer = await prover.post("/oauth/token", grant_type="client_credentials")
    assert answer.status_code == 200, answer.text
    assert (await get(client, "/api/v1/me", answer.json()["access_token"])).status_code == 200
    wrong = await prover.post("/oauth/token", prover.assertion(key=OTHERS), grant_type="client_credentials")
    assert (wrong.status_code, wrong.json()["error"]) == (401, "invalid_client")
    async with work_as(panel.store, panel.cast.actor("Boris"), panel.clock.now) as session:
        client.secret = await (await find_service_account(session, (await the_row(panel)).id)).rotate(session)
    assert (await get(client, "/api/v1/me", answer.json()["access_token"])).status_code == 401
    assert (await prover.post("/oauth/token", grant_type="client_credentials")).status_code == 401
    assert (await ask(client)).status_code == 200


async def test_a_program_gives_an_account_keys_that_may_no_more_than_itself(panel: Panel) -> None:
    client = await till(panel, scopes="read write stand_in")
    path = f"/api/v1/service-accounts/{(await the_row(panel)).id}/keys"
    narrow = await token_of(client, scope="read write")
    sent = {"jwks": public(KEY)}
    refused = await client.http.put(path, json=sent, headers={"Authorization": f"Bearer {narrow}"})
    assert (refused.status_code, refused.json()["rule"]) == (403, "scope")
    private = {"jwks": {"keys": [KEY.as_dict(private=True)]}}
    bearer = {"Authorization": f"Bearer {await token_of(client)}"}
    assert (await client.http.put(path, json=private, headers=bearer)).status_code == 422
    shown = await client.http.put(path, json=sent, headers=bearer)
    assert (shown.status_code, shown.json()["proof"]) == (200, "keys")
    answer = await Prover(panel, client).post("/oauth/token", grant_type="client_credentials")
    assert answer.json()["scope"] == "read write stand_in"


async def test_a_token_that_is_bound_to_a_key_opens_the_api_with_its_proof_alone(panel: Panel) -> None:
    client = await till(panel)
    holder, here = Holder(panel, client), f"{ISSUER}/api/v1/me"
    given = (await holder.ask(holder.proof(), grant_type="client_credentials")).json()
    token = given["access_token"]
    assert (given["token_type"], (await client.read(token))["cnf"]) == ("DPoP", {"jkt": HELD.thumbprint()})
    proof = holder.proof(here, "GET", token=token)
    assert (await holder.show(token, proof, path="/api/v1/me")).status_code == 200
    for wrong, scheme in (
        (proof, "DPoP"),
        (None, "DPoP"),
        (holder.proof(here, "GET"), "DPoP"),
        (holder.proof(here, "POST", token=token), "DPoP"),
        (holder.proof(here, "GET", token=token, key=OTHERS), "DPoP"),
        (holder.proof(here, "GET", token=token), "Bearer"),
        (None, "Bearer"),
    ):
        answer = await holder.show(token, wrong, scheme, "/api/v1/me")
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("DPoP "), scheme
    free = await token_of(client)
    assert (await holder.show(free, holder.proof(here, "GET", token=free), path="/api/v1/me")).status_code == 401
    assert (await holder.client.introspect(token))["cnf"] == {"jkt": HELD.thumbprint()}


async def test_an_account_asks_what_its_own_token_is_worth_and_gives_it_back(panel: Panel, softphone: Client) -> None:
    client = await till(panel)
    token, other = await token_of(client), await token_of(client)
    said = await client.introspect(token)
    assert (said["active"], said["token_type"], said["scope"]) == (True, "Bearer", "read write")
    assert (said["aud"], said["client_id"], "gen" in said) == (f"{ISSUER}/api", client.client_id, False)
    pias = await softphone.log_in(await panel.sign_in("Pia"))
    assert await client.introspect(pias.access) == {"active": False}
    assert (await client.post("/oauth/introspect")).json()["error"] == "invalid_request"
    for worthless in (pias.access, pias.refresh, "x"):
        assert (await client.post("/oauth/revoke", token=worthless)).status_code == 200
    assert (await softphone.introspect(pias.access))["active"] is True
    # An app cannot give it back, and who shows no secret cannot either.
    await softphone.post("/oauth/revoke", token=token)
    wrong = Client(panel, client.client_id, panel.browser(), "wrong")
    assert (await wrong.post("/oauth/revoke", token=token)).status_code == 401
    assert (await get(client, "/api/v1/me", token)).status_code == 200
    assert (await client.post("/oauth/revoke", token=token, token_type_hint="refresh_token")).status_code == 200
    assert await client.introspect(token) == {"active": False}
    assert (await get(client, "/api/v1/me", token)).status_code == 401
    assert (await get(client, "/api/v1/me", other)).status_code == 200
