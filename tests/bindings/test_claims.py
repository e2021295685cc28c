"""Claims: one pure function, held against the example of the contract."""

from dataclasses import replace
from datetime import timedelta

from bindings.claims import LoginFacts, Phone, StandIn, access_token_claims, claims_of, id_token_claims
from tenants.roles import Role
from tests.cast import NOW

SCOPE = "openid profile email"
PIA_AS_DAN = LoginFacts(
    sid="9f2c",
    auth_time=NOW,
    methods=("pwd", "otp"),
    subject_id=41,
    subject_name="Dan Dale",
    email="dan@dairy.example",
    email_verified=True,
    tenant_id=9,
    tenant_name="Dairy",
    tenant_kind="customer",
    extension="101",
    phone=Phone(3, "Dairy PBX", "dairy.pbx.example"),
    app_admin=True,
    actor_id=12,
    actor_name="Pia Pine",
    actor_role=Role.ADMIN,
    stand_in=StandIn("binding", 77, None, "full"),
)
DAN = replace(PIA_AS_DAN, actor_id=41, actor_name="Dan Dale", actor_role=Role.MEMBER, stand_in=None)


def test_an_id_token_is_the_one_of_the_contract() -> None:
    claims = id_token_claims(
        PIA_AS_DAN,
        issuer="http://localhost:8000",
        client_id="softphone",
        scope=SCOPE,
        now=NOW,
        until=NOW + timedelta(minutes=10),
        nonce="n",
    )
    moment = int(NOW.timestamp())
    assert claims == {
        "iss": "http://localhost:8000",
        "aud": "softphone",
        "exp": moment + 600,
        "iat": moment,
        "auth_time": moment,
        "nonce": "n",
        "sid": "9f2c",
        "acr": "urn:understudy:acr:stand-in",
        "amr": ["pwd", "otp"],
        "sub": "41",
        "name": "Dan Dale",
        "email": "dan@dairy.example",
        "email_verified": False,
        "act": {"sub": "12", "name": "Pia Pine"},
        "tenant": {"id": "9", "name": "Dairy", "kind": "customer"},
        "extension": "101",
        "phone_system": {"id": "3", "name": "Dairy PBX", "host": "dairy.pbx.example"},
        "app_admin": True,
        "stand_in": {"kind": "binding", "id": "77", "ends_at": None, "mode": "full"},
    }


def test_an_access_token_says_the_same_of_the_people() -> None:
    said = access_token_claims(PIA_AS_DAN, issuer="i", client_id="c", scope=SCOPE, now=NOW, until=NOW, jti="j")
    assert said.items() >= claims_of(PIA_AS_DAN, SCOPE).items()
    assert (said["aud"], said["client_id"], said["scope"], said["jti"]) == ("c", "c", SCOPE, "j")


def test_oneself_is_nobodys_stand_in() -> None:
    claims = claims_of(DAN, SCOPE)
    assert claims["email_verified"] is True
    assert not {"act", "stand_in"} & claims.keys()
    told = id_token_claims(DAN, issuer="i", client_id="c", scope=SCOPE, now=NOW, until=NOW, nonce=None)
    assert not {"acr", "nonce"} & told.keys()


def test_an_unverified_address_is_never_called_verified() -> None:
    assert claims_of(replace(DAN, email_verified=False), SCOPE)["email_verified"] is False


def test_app_admin_is_passed_on_only_to_an_admin_or_operator() -> None:
    for role in Role:
        told = claims_of(replace(PIA_AS_DAN, actor_role=role), SCOPE)["app_admin"]
        assert told is (role in {Role.ADMIN, Role.OPERATOR}), role
    assert claims_of(DAN, SCOPE)["app_admin"] is True
    assert claims_of(replace(PIA_AS_DAN, app_admin=False), SCOPE)["app_admin"] is False


def test_name_and_address_come_with_their_scopes_and_ours_with_openid() -> None:
    claims = claims_of(PIA_AS_DAN, "openid")
    assert not {"name", "email", "email_verified"} & claims.keys()
    assert {"sub", "act", "tenant", "extension", "phone_system", "app_admin", "stand_in"} <= claims.keys()


def test_who_has_no_extension_is_told_without_one() -> None:
    claims = claims_of(replace(DAN, extension=None, phone=None), SCOPE)
    assert not {"extension", "phone_system"} & claims.keys()


def test_the_end_of_a_stand_in_is_told_with_its_zone() -> None:
    ending = replace(PIA_AS_DAN, stand_in=StandIn("binding", 77, NOW, "look"))
    assert claims_of(ending, SCOPE)["stand_in"]["ends_at"] == "2026-11-21T09:00:00+00:00"
