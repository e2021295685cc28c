"""Browsers and apps of the stories: `await softphone.log_in(pia)`; an app here checks what an honest client checks."""

import base64
import hashlib
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
from joserfc import jwt
from joserfc.jwk import KeySet
from litestar import Litestar

from bindings.apps import App
from tenants.actor import Actor
from tenants.sign_in import SignIn
from tenants.store import Store
from tenants.tree import Tenant
from tests.cast import ORIGIN, Cast, Clock, house_work

ISSUER = "http://localhost:8000"
VERIFIER = "the-verifier-of-a-story-which-is-long-enough"
STATE, NONCE = "the state", "the-nonce"


def challenge(verifier: str = VERIFIER) -> str:
    """S256 of a verifier."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


@dataclass
class Panel:
    """The product over one seeded house."""

    app: Litestar
    store: Store
    cast: Cast
    clock: Clock

    def browser(self) -> httpx.AsyncClient:
        """A browser that nobody is signed in with."""
        # Litestar types its messages more narrowly than httpx does.
        app: Any = self.app
        return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=ISSUER)

    async def sign_in(self, name: str, browser: httpx.AsyncClient | None = None) -> httpx.AsyncClient:
        """Somebody's browser, after they proved who they are."""
        browser = browser or self.browser()
        async with house_work(self.store, self.clock.now) as session:
            _, secret = await SignIn.start(session, self.cast.identity(name), ORIGIN, "a browser", self.clock.now)
        browser.cookies.set(self.app.state.house.settings.cookie("sign-in"), secret)
        return browser


@dataclass
class Tokens:
    """What an app got for a code."""

    answer: dict[str, Any]
    claims: dict[str, Any]

    @property
    def access(self) -> str:
        return str(self.answer["access_token"])

    @property
    def refresh(self) -> str:
        return str(self.answer["refresh_token"])


@dataclass
class Client:
    """An app of the cast, as it talks to the panel from its own server."""

    panel: Panel
    client_id: str
    http: httpx.AsyncClient
    secret: str | None = None
    redirect_uri: str = ""
    more: dict[str, str] = field(default_factory=dict)

    def fields(self, **said: str | None) -> dict[str, str]:
        """The fields of an authorization request; None leaves one out."""
        usual = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": "openid profile email",
            "state": STATE,
            "nonce": NONCE,
            "code_challenge": challenge(),
            "code_challenge_method": "S256",
        }
        return {name: value for name, value in (usual | said).items() if value is not None}

    async def ask(self, browser: httpx.AsyncClient, **said: str | None) -> httpx.Response:
        """Send a browser to the authorization endpoint; the answer, not followed."""
        return await browser.get(f"/oauth/authorize?{urlencode(self.fields(**said))}")

    async def code(self, browser: httpx.AsyncClient, **said: str | None) -> str:
        """The code of a login that passes without a page."""
        said_back = told(await self.ask(browser, **said))
        assert "code" in said_back, said_back
        return said_back["code"]

    async def redeem(self, code: str, **said: str | None) -> httpx.Response:
        """Send a code to the token endpoint."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "code_verifier": VERIFIER,
        } | said
        return await self.post("/oauth/token", **form)

    async def log_in(self, browser: httpx.AsyncClient, **said: str | None) -> Tokens:
        """The whole flow, with the checks of an honest client."""
        answer = await self.redeem(await self.code(browser, **said))
        assert answer.status_code == 200, answer.text
        claims = await self.read(answer.json()["id_token"])
        assert claims["nonce"] == NONCE
        return Tokens(answer.json(), claims)

    async def read(self, token: str) -> dict[str, Any]:
        """The claims of a token, after the published keys have said that it is the panel's."""
        keys = KeySet.import_key_set((await self.http.get("/oauth/jwks")).json())
        return dict(jwt.decode(token, keys, algorithms=["ES256", "RS256"]).claims)

    async def renew(self, refresh_token: str, **said: str | None) -> httpx.Response:
        """Send a refresh token to the token endpoint."""
        return await self.post("/oauth/token", grant_type="refresh_token", refresh_token=refresh_token, **said)

    async def introspect(self, token: str) -> dict[str, Any]:
        """What the panel says a token is worth."""
        answer = await self.post("/oauth/introspect", token=token)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def userinfo(self, token: str) -> httpx.Response:
        """Ask for the claims with an access token."""
        return await self.http.get("/oauth/userinfo", headers={"Authorization": f"Bearer {token}"})

    async def acting(self, token: str) -> httpx.Response:
        """Ask who stands in."""
        return await self.http.get("/oauth/acting", headers={"Authorization": f"Bearer {token}"})

    async def post(self, path: str, **form: str | None) -> httpx.Response:
        """A form, with the app's secret where it has one."""
        sent = {name: value for name, value in form.items() if value is not None}
        if self.secret is None:
            return await self.http.post(path, data={"client_id": self.client_id} | sent)
        return await self.http.post(path, data=sent, auth=(self.client_id, self.secret))


def told(answer: httpx.Response) -> dict[str, str]:
    """What an answer sends to the app; the answer has to be a redirect."""
    assert answer.status_code == 302, answer.text
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}


def next_of(answer: httpx.Response) -> str:
    """Where the sign-in page will lead to."""
    return parse_qs(urlsplit(answer.headers["location"]).query)["next"][0]


async def app_of(
    panel: Panel,
    owner: str,
    client_id: str,
    kind: str = "web",
    uris: list[str] | None = None,
    *,
    first_party: bool = True,
    jwks: dict[str, Any] | None = None,
) -> Client:
    """Another app, which somebody of the tree registered; of the house's own unless the story says otherwise."""
    uris = uris or [f"https://{client_id}.example/callback"]
    async with house_work(panel.store, panel.clock.now) as session:
        tenant = await session.get_one(Tenant, panel.cast.tenant(owner).id)
        app, secret = await App.register(
            session,
            Actor.house("the story"),
            tenant,
            name=client_id,
            client_id=client_id,
            redirect_uris=uris,
            kind=kind,
            first_party=first_party,
            now=panel.clock.now,
        )
        if jwks is not None:
            await app.change(session, jwks=jwks)
    return Client(panel, client_id, panel.browser(), secret, uris[0])
