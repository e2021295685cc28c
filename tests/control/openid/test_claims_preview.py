"""The preview of an ID token says what the token of a login at that moment says, whoever logs in and through what."""

from datetime import timedelta
from typing import Any

from bindings.apps import find_client
from bindings.claims_preview import preview_claims
from bindings.resolving import Granted, resolve
from tests.bindings.test_facts import profile
from tests.cast import bind, house_work
from tests.control.openid.story import ISSUER, Client, Panel

OF_THE_LOGIN = {"sid", "nonce", "at_hash", "exp"}


async def foreseen(panel: Panel, name: str, client: Client) -> dict[str, Any]:
    """What the preview says of somebody, without what is made at the login itself."""
    async with house_work(panel.store, panel.clock.now) as session:
        app = await find_client(session, client.client_id)
        assert app is not None
        found = await resolve(session, panel.cast.user(name).id, app, panel.clock.now)
        assert isinstance(found, Granted), found
        return await preview_claims(session, ISSUER, app, found, panel.clock.now)


async def require_alike(panel: Panel, name: str, client: Client) -> dict[str, Any]:
    """Log in for real, and hold the preview to the token."""
    said = await foreseen(panel, name, client)
    claims = (await client.log_in(await panel.sign_in(name))).claims
    assert {key: value for key, value in claims.items() if key not in OF_THE_LOGIN} == {
        key: value for key, value in said.items() if key not in OF_THE_LOGIN
    }
    assert abs(claims["exp"] - said["exp"]) <= 1
    assert claims.keys() - said.keys() <= {"nonce", "at_hash"}
    return said


async def test_of_people_as_themselves(panel: Panel, softphone: Client, desk_admin: Client) -> None:
    for name, client in (("Dan", softphone), ("Pia", softphone), ("Zoe", desk_admin)):
        assert "act" not in await require_alike(panel, name, client)


async def test_of_somebody_who_is_bound(panel: Panel, desk_admin: Client) -> None:
    ends_at = panel.clock.now + timedelta(minutes=5)
    await bind(panel.store, panel.cast, "Pia", "Dairy", "101", ends_at=ends_at)
    claims = await require_alike(panel, "Pia", desk_admin)
    assert (claims["name"], claims["act"]["name"], claims["email_verified"]) == ("Dan Dale", "Pia Pine", False)
    assert claims["exp"] == int(ends_at.timestamp())


async def test_of_somebody_who_is_bound_by_a_sponsored_profile(panel: Panel, softphone: Client) -> None:
    await profile(panel.store, panel.cast, "Elsa", "Zoo")
    # By her own membership she may not, for the distributor above asks for the layer: the profile is what allows it.
    await bind(panel.store, panel.cast, "Elsa", "Zoo", "201")
    claims = await require_alike(panel, "Elsa", softphone)
    assert (claims["name"], claims["act"]["name"]) == ("Zoe Zeller", "Elsa Eden (Elm)")
