"""An app looks after its stream of security events by its secret: what comes, whether it comes now, and a proof."""

from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from joserfc import jwt
from joserfc.jwk import KeySet

from bindings.apps import App
from bindings.login import Login, end_logins_of
from bindings.logout_tokens import HELD
from bindings.security_events import PAUSES, SecurityEvent
from bindings.signal_streams import SELDOM, SESSION_REVOKED, VERIFICATION
from bindings.signals import ask_for_signals
from control.logouts import Teller
from control.security_events import Pusher
from tenants.trail import Entry
from tenants.verbs import Verb
from tests.cast import house_work
from tests.control.openid.story import ISSUER, Client, Panel
from tests.control.test_signals import ENDS, LOGOUTS, Ends

NAMED: dict[str, Any] = {"stream_id": "softphone"}
PUSH = "urn:ietf:rfc:8935"


class Receiver:
    """The softphone's server: it asks by its secret, and takes what it is pushed."""

    def __init__(self, panel: Panel, client: Client) -> None:
        self.panel, self.http, self.ends = panel, client.http, Ends()
        self.auth = (client.client_id, client.secret or "")

    async def ask(self, method: str, path: str, body: Any = None, status: int = 200, **more: Any) -> httpx.Response:
        answer = await self.http.request(method, f"/ssf/{path}", json=body, **{"auth": self.auth} | more)
        assert answer.status_code == status, answer.text
        return answer

    async def pushed(self) -> list[dict[str, Any]]:
        """What came since, each checked by the published keys as an app's own library would."""
        house, before = self.panel.app.state.house, len(self.ends.came)
        for outbox in (Teller(house, self.ends), Pusher(house, self.ends)):
            while await outbox.look(self.panel.clock.now):
                await outbox.arrive()
        keys = KeySet.import_key_set((await self.http.get("/oauth/jwks")).json())
        came = [body for url, body, _ in self.ends.came[before:] if url == ENDS]
        return [self._checked(body.decode(), keys) for body in came]

    def _checked(self, token: str, keys: KeySet) -> dict[str, Any]:
        event = jwt.decode(token, keys, algorithms=["ES256", "RS256"])
        assert event.header["typ"] == "secevent+jwt"
        assert (event.claims["iss"], event.claims["aud"]) == (ISSUER, "softphone")
        assert {"iat", "jti", "sub_id", "events"} <= event.claims.keys()
        assert not {"sub", "exp"} & event.claims.keys()
        return dict(event.claims)

    async def logged_out(self, client: Client) -> str:
        """Pia logs in to the softphone, and out everywhere; her login's sid."""
        tokens = (await client.redeem(await client.code(await self.panel.sign_in("Pia")))).json()
        async with house_work(self.panel.store, self.panel.clock.now) as session:
            await end_logins_of(session, self.panel.cast.user("Pia").id, "signed_out_everywhere", self.panel.clock.now)
        return str((await client.read(tokens["id_token"]))["sid"])


@pytest.fixture
async def receiver(panel: Panel, softphone: Client) -> Receiver:
    """The softphone asks for security events, and for nothing else."""
    async with house_work(panel.store, panel.clock.now) as session:
        app = await session.get_one(App, panel.cast.app_id("softphone"))
        await app.change(session, backchannel_logout_uri=None)
        await ask_for_signals(session, panel.app.state.house.settings.secret_key, app, ENDS, "the-apps-own")
    return Receiver(panel, softphone)


async def test_what_is_published_is_there(receiver: Receiver) -> None:
    known = (await receiver.http.get("/.well-known/ssf-configuration")).json()
    for name, path in {"configuration": "stream", "status": "status", "verification": "verify"}.items():
        assert known[f"{name}_endpoint"] == f"{ISSUER}/ssf/{path}"
    assert known["authorization_schemes"] == [{"spec_urn": "urn:ietf:rfc:7617"}]
    assert not {"add_subject_endpoint", "remove_subject_endpoint"} & known.keys()
    stream = (await receiver.ask("GET", "stream?stream_id=softphone")).json()
    assert (await receiver.ask("GET", "stream")).json() == [stream]
    assert stream == {
        "stream_id": "softphone",
        "iss": known["issuer"],
        "aud": "softphone",
        "delivery": {"method": PUSH, "endpoint_url": ENDS},
        "events_supported": [SESSION_REVOKED],
        "events_requested": [SESSION_REVOKED],
        "events_delivered": [SESSION_REVOKED],
        "min_verification_interval": SELDOM.total_seconds(),
    }


async def test_only_the_app_itself_and_only_its_own(receiver: Receiver, desk_client: Client) -> None:
    for auth in (None, ("softphone", "wrong"), ("nobody", "x"), ("softphone", "")):
        answer = await receiver.ask("GET", "stream", None, 401, auth=auth)
        assert answer.json()["error"] == "invalid_client"
    other = (desk_client.client_id, desk_client.secret or "")
    assert (await receiver.ask("GET", "stream", auth=other)).json() == []
    for method, path, body in (
        ("GET", "stream?stream_id=softphone", None),
        ("GET", "status?stream_id=softphone", None),
        ("DELETE", "stream?stream_id=softphone", None),
        ("PATCH", "stream", NAMED),
        ("POST", "status", NAMED | {"status": "disabled"}),
        ("POST", "verify", NAMED),
    ):
        await receiver.ask(method, path, body, 404, auth=other)
    assert await receiver.pushed() == []


async def test_who_keeps_no_secret_looks_after_no_stream(receiver: Receiver) -> None:
    async with house_work(receiver.panel.store) as session:
        app = await session.get_one(App, receiver.panel.cast.app_id("softphone"))
        app.type, app.secret_hash = "spa", None
        session.sync_session.info.setdefault("sayings", [])
        await app.change(session, name="Softphone of a page")
    await receiver.ask("GET", "stream", None, 401, auth=("softphone", ""))


async def test_a_verification_comes_with_the_state_that_was_sent(receiver: Receiver) -> None:
    await receiver.ask("POST", "verify", NAMED | {"state": "VGhpcyBpcyBhbg=="}, 204)
    await receiver.ask("POST", "verify", NAMED, 429)
    [event] = await receiver.pushed()
    assert event["events"] == {VERIFICATION: {"state": "VGhpcyBpcyBhbg=="}}
    assert event["sub_id"] == {"format": "opaque", "id": "softphone"}
    [(_, _, headers)] = receiver.ends.came
    assert (headers["Authorization"], headers["Content-Type"]) == (
        "Bearer the-apps-own",
        "application/secevent+jwt",
    )
    receiver.panel.clock.now += SELDOM
    await receiver.ask("POST", "verify", NAMED, 204)
    [event] = await receiver.pushed()
    assert event["events"] == {VERIFICATION: {}}


async def test_one_that_did_not_arrive_comes_again_as_the_same(receiver: Receiver) -> None:
    receiver.ends.answers[ENDS] = lambda: 500
    await receiver.ask("POST", "verify", NAMED, 204)
    [first] = await receiver.pushed()
    receiver.ends.answers[ENDS] = lambda: 202
    receiver.panel.clock.now += PAUSES[0]
    [again] = await receiver.pushed()
    assert first["jti"] == again["jti"]
    async with house_work(receiver.panel.store) as session:
        row = (await session.execute(sa.select(SecurityEvent.__table__))).one()
    assert (row.tries, row.error, row.done_at) == (2, None, receiver.panel.clock.now)


async def test_a_paused_stream_holds_what_it_would_have_told(receiver: Receiver, softphone: Client) -> None:
    assert (await receiver.ask("POST", "status", NAMED | {"status": "paused", "reason": "we move"})).json() == {
        "stream_id": "softphone",
        "status": "paused",
    }
    await receiver.ask("POST", "verify", NAMED, 204)
    sid = await receiver.logged_out(softphone)
    assert await receiver.pushed() == []
    async with house_work(receiver.panel.store) as session:
        assert (await session.get_one(Login, sid)).tell_error == HELD
        changed = sa.select(Entry).where(Entry.verb == Verb.APP_CHANGED.value).order_by(Entry.id.desc()).limit(1)
        entry = (await session.scalars(changed)).one()
        assert (entry.actor_name, entry.changes["signals_status"]) == ("system: app softphone", ["enabled", "paused"])
    await receiver.ask("POST", "status", NAMED | {"status": "enabled"})
    verification, revoked = await receiver.pushed()
    assert VERIFICATION in verification["events"]
    assert SESSION_REVOKED in revoked["events"]
    assert revoked["sub_id"]["session"] == {"format": "opaque", "id": sid}
    assert await receiver.pushed() == []


async def test_who_pauses_events_is_logged_out_at_once_all_the_same(receiver: Receiver, softphone: Client) -> None:
    async with house_work(receiver.panel.store) as session:
        app = await session.get_one(App, receiver.panel.cast.app_id("softphone"))
        await app.change(session, backchannel_logout_uri=LOGOUTS)
    await receiver.ask("POST", "status", NAMED | {"status": "paused"})
    sid = await receiver.logged_out(softphone)
    assert await receiver.pushed() == []
    assert receiver.ends.told == [LOGOUTS]
    await receiver.ask("POST", "status", NAMED | {"status": "enabled"})
    [revoked] = await receiver.pushed()
    assert revoked["jti"] == f"revoked-{sid}"


async def test_a_disabled_stream_is_told_nothing_and_nothing_is_kept(receiver: Receiver, softphone: Client) -> None:
    await receiver.ask("POST", "status", NAMED | {"status": "paused"})
    await receiver.ask("POST", "verify", NAMED, 204)
    await receiver.ask("POST", "status", NAMED | {"status": "disabled"})
    await receiver.ask("POST", "verify", NAMED, 409)
    await receiver.logged_out(softphone)
    assert await receiver.pushed() == []
    await receiver.ask("POST", "status", NAMED | {"status": "enabled"})
    assert await receiver.pushed() == []
    assert (await receiver.ask("GET", "status?stream_id=softphone")).json()["status"] == "enabled"


async def test_what_was_not_asked_for_does_not_come(receiver: Receiver, softphone: Client) -> None:
    said = {"events_requested": ["urn:elsewhere:event"], "description": "Front desk"}
    changed = (await receiver.ask("PATCH", "stream", NAMED | said)).json()
    assert (changed["events_requested"], changed["events_delivered"]) == (["urn:elsewhere:event"], [])
    assert changed["description"] == "Front desk"
    await receiver.logged_out(softphone)
    assert await receiver.pushed() == []
    # As it was read, with one thing changed.
    again = changed | {"events_requested": [SESSION_REVOKED]}
    assert (await receiver.ask("PATCH", "stream", again)).json()["events_delivered"] == [SESSION_REVOKED]


async def test_a_token_may_change_and_an_address_may_not(receiver: Receiver) -> None:
    delivery = {"method": PUSH, "endpoint_url": ENDS, "authorization_header": "Bearer a-new-one"}
    shown = await receiver.ask("PATCH", "stream", NAMED | {"delivery": delivery})
    assert "a-new-one" not in shown.text
    await receiver.ask("POST", "verify", NAMED, 204)
    await receiver.pushed()
    [(_, _, headers)] = receiver.ends.came
    assert headers["Authorization"] == "Bearer a-new-one"
    elsewhere = delivery | {"endpoint_url": "https://elsewhere.example/"}
    await receiver.ask("PATCH", "stream", NAMED | {"delivery": elsewhere}, 403)
    await receiver.ask("PATCH", "stream", NAMED | {"delivery": delivery | {"authorization_header": "Basic x"}}, 400)
    await receiver.ask("PATCH", "stream", NAMED | {"delivery": delivery | {"method": "urn:ietf:rfc:8936"}}, 400)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "stream", {}),
        ("PATCH", "stream", NAMED | {"events_requested": "all"}),
        ("PATCH", "stream", NAMED | {"iss": "https://elsewhere.example"}),
        ("POST", "status", NAMED | {"status": "asleep"}),
        ("POST", "status", ["softphone"]),
        ("POST", "verify", NAMED | {"state": "x" * 1001}),
        ("DELETE", "stream", None),
    ],
)
async def test_what_cannot_be_read_is_refused(receiver: Receiver, method: str, path: str, body: Any) -> None:
    answer = await receiver.ask(method, path, body, 400)
    assert answer.json()["error"] == "invalid_request"


async def test_an_app_ends_its_stream(receiver: Receiver, softphone: Client) -> None:
    await receiver.ask("DELETE", "stream?stream_id=softphone", None, 204)
    assert (await receiver.ask("GET", "stream")).json() == []
    await receiver.ask("POST", "verify", NAMED, 404)
    await receiver.logged_out(softphone)
    assert await receiver.pushed() == []
