"""Authlib's server core behind one door: it judges the authorization request and the redemption of a code.

It is handed what was fetched and answers yes or no: no database, no framework and no clock in here, so it needs no
thread and cannot store anything. Its documented select-then-delete of codes is not used: `codes.consume` decides.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from authlib.oauth2.rfc6749 import AuthorizationServer, ClientMixin, OAuth2Error, OAuth2Request
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc7636 import CodeChallenge

from bindings.apps import SCOPES, App
from bindings.clients import Rejected
from bindings.standing import Client, Issued

PROMPTS = frozenset({"none", "login", "select_account", "consent"})
QUERY, FORM_POST = "query", "form_post"
RESPONSE_MODES = (QUERY, FORM_POST)
"""How an app is answered: by its address, or by a form that is posted there. In no fragment: there is no implicit."""
LONGEST_NONCE = 512
CHALLENGE = 43
"""Characters of a base64url SHA-256: what S256 comes to."""
THUMBPRINT = re.compile(rf"[A-Za-z0-9_-]{{{CHALLENGE}}}")
_HERE = "https://understudy.invalid/"
"""Authlib insists on https request addresses; the one in use is the issuer's and never looked at here."""


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """A request of the authorization endpoint that passed every check (OIDC Core section 3.1.2.1)."""

    redirect_uri: str
    state: str | None
    scope: str
    nonce: str | None
    code_challenge: str
    prompts: frozenset[str]
    max_age: int | None
    by_form: bool = False
    """`response_mode=form_post`: the answer is posted to the app, and stands in no address."""
    dpop_jkt: str | None = None
    """The thumbprint of the key that alone may redeem the code (RFC 9449 section 10)."""

    @property
    def silent(self) -> bool:
        """`prompt=none`: no page may be shown."""
        return "none" in self.prompts


class RejectedRequest(Rejected):
    """An authorization request that will not do. `redirect_uri` is where the app may be told; None: nowhere."""

    def __init__(
        self,
        error: str,
        sentence: str,
        redirect_uri: str | None = None,
        state: str | None = None,
        *,
        by_form: bool = False,
    ) -> None:
        super().__init__(error, sentence)
        self.redirect_uri, self.state, self.by_form = redirect_uri, state, by_form


class _Asker(ClientMixin):  # type: ignore[misc]
    """An app as Authlib asks it."""

    def __init__(self, accepts: Any = None, scopes: Collection[str] = SCOPES) -> None:
        self._accepts, self._scopes = accepts, scopes

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return bool(self._accepts and self._accepts(redirect_uri))

    def get_default_redirect_uri(self) -> None:
        return None

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "authorization_code"

    def get_allowed_scope(self, scope: str | None) -> str | None:
        """What this app may ask for of what was asked; the rest is ignored (OIDC Core section 3.1.2.1)."""
        asked = (scope or "").split()
        known = [each for each in self._scopes if each in asked]
        return " ".join(known) if "openid" in known else None


class _Grant(AuthorizationCodeGrant):  # type: ignore[misc]
    def query_authorization_code(self, code: str, client: _Asker) -> Any:
        return self.server.code


class _S256(CodeChallenge):  # type: ignore[misc]
    SUPPORTED_CODE_CHALLENGE_METHOD = ("S256",)

    def get_authorization_code_challenge_method(self, authorization_code: Any) -> str:
        return "S256"


class _Code:
    """An issued code as Authlib asks it."""

    def __init__(self, issued: Issued) -> None:
        self.code_challenge = issued.code_challenge
        self._redirect_uri = issued.redirect_uri

    def get_redirect_uri(self) -> str:
        return self._redirect_uri


class _Request(OAuth2Request):  # type: ignore[misc]
    def __init__(self, method: str, fields: Mapping[str, str]) -> None:
        super().__init__(method, _HERE)
        self.payload = BasicOAuth2Payload(dict(fields))

    @property
    def form(self) -> dict[str, str]:
        return dict(self.payload.data)


class _Judge(AuthorizationServer):  # type: ignore[misc]
    """Knows one client and at most one code: those of the request that it judges."""

    def __init__(self, client: _Asker, code: _Code | None = None) -> None:
        super().__init__()
        self.client, self.code = client, code
        self.register_grant(_Grant, [_S256(required=True)])

    def query_client(self, client_id: str) -> _Asker:
        return self.client

    def authenticate_client(self, request: Any, methods: Any, endpoint: str = "token") -> _Asker:
        # The endpoint has done so before it read the code: one way for redeeming, refreshing and introspecting.
        return self.client

    def create_oauth2_request(self, request: _Request) -> _Request:
        return request

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        return None


def check_authorization(app: App, fields: Mapping[str, str]) -> AuthorizationRequest:
    """The checks of an authorization request, in reading order. Raises RejectedRequest."""
    redirect_uri, state, by_form = fields.get("redirect_uri", ""), fields.get("state"), _by_form(fields)
    # Before anything else: whoever cannot prove the address is shown a page, never sent anywhere.
    if not redirect_uri or not app.accepts(redirect_uri):
        raise RejectedRequest("invalid_request", f"{app.name} did not register the address it wants to return to.")
    judge = _Judge(_Asker(app.accepts, app.may_ask))
    try:
        grant = judge.get_consent_grant(_Request("GET", fields))
        scope = str(grant.request.scope)
        _require_offered(fields)
        return AuthorizationRequest(
            redirect_uri=redirect_uri,
            state=state,
            scope=scope,
            nonce=_short(fields.get("nonce")),
            code_challenge=_challenge(fields),
            prompts=_prompts(fields.get("prompt", "")),
            max_age=_max_age(fields.get("max_age")),
            by_form=by_form,
            dpop_jkt=_thumbprint(fields.get("dpop_jkt")),
        )
    except OAuth2Error as error:
        raise RejectedRequest(*_words(error), redirect_uri, state, by_form=by_form) from None
    except Rejected as rejected:
        raise RejectedRequest(rejected.error, rejected.sentence, redirect_uri, state, by_form=by_form) from None
    except ValueError:
        # Authlib refuses to repeat some characters in its own error, by an error of another kind.
        said = "The request cannot be read."
        raise RejectedRequest("invalid_request", said, redirect_uri, state, by_form=by_form) from None


def check_redemption(client: Client, issued: Issued, fields: Mapping[str, str]) -> None:
    """The same address, and the verifier of the challenge (RFC 7636 section 4.6). Raises Rejected."""
    judge = _Judge(_Asker(), _Code(issued))
    request = _Request("POST", fields)
    request.auth_method = "none" if client.secret_hash is None else "client_secret_basic"
    try:
        judge.get_token_grant(request).validate_token_request()
    except OAuth2Error as error:
        raise Rejected(*_words(error)) from None
    except ValueError:
        raise Rejected("invalid_request", "The request cannot be read.") from None


def _words(error: OAuth2Error) -> tuple[str, str]:
    return str(error.error), str(error.description or "The request is not valid.").strip()


def _refuse(sentence: str, error: str = "invalid_request") -> NoReturn:
    raise Rejected(error, sentence)


def _require_offered(fields: Mapping[str, str]) -> None:
    """What is not offered is refused by name rather than passed over."""
    for name in ("request", "request_uri"):
        if name in fields:
            _refuse(f"{name} is not supported.", f"{name}_not_supported")
    if fields.get("response_mode", QUERY) not in RESPONSE_MODES:
        _refuse(f"A response_mode is one of {', '.join(RESPONSE_MODES)}.")
    if fields.get("response_mode") == FORM_POST and not _by_form(fields):
        _refuse("Nothing can be posted to an address of an app's own scheme: leave response_mode out.")
    require_no_resource(fields)


def require_no_resource(fields: Mapping[str, str]) -> None:
    """The tokens of an app are for the app itself, and for userinfo (RFC 8707 section 2). Raises Rejected."""
    if "resource" in fields:
        _refuse("An app's tokens are for the app itself: leave resource out.", "invalid_target")


def _challenge(fields: Mapping[str, str]) -> str:
    """S256 alone: `plain`, and leaving the method out, which means plain, are refused."""
    if "code_challenge" not in fields or fields.get("code_challenge_method") != "S256":
        _refuse("PKCE with code_challenge_method=S256 is required.")
    if len(fields["code_challenge"]) != CHALLENGE:
        _refuse(f"A code_challenge of S256 has {CHALLENGE} characters.")
    return fields["code_challenge"]


def _by_form(fields: Mapping[str, str]) -> bool:
    """How the app is told, also of what is wrong with the rest; by its address where no form could be posted."""
    by_web = fields.get("redirect_uri", "").startswith(("http://", "https://"))
    return by_web and fields.get("response_mode") == FORM_POST


def _thumbprint(text: str | None) -> str | None:
    """The base64url SHA-256 of a key (RFC 7638), which is what a proof will be held against."""
    if text is not None and not THUMBPRINT.fullmatch(text):
        _refuse("A dpop_jkt is the SHA-256 thumbprint of a key.")
    return text


def _prompts(prompt: str) -> frozenset[str]:
    prompts = frozenset(prompt.split())
    if "none" in prompts and len(prompts) > 1:
        _refuse("prompt=none stands alone.")
    if not prompts <= PROMPTS:
        _refuse("This prompt is not supported.")
    return prompts


def _max_age(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        _refuse("max_age is a number of seconds.")
    return int(text)


def _short(nonce: str | None) -> str | None:
    if nonce is not None and len(nonce) > LONGEST_NONCE:
        _refuse(f"A nonce has at most {LONGEST_NONCE} characters.")
    return nonce


def scope_within(asked: str | None, granted: str) -> str:
    """The scope of a refresh: what was granted, or less (RFC 6749 section 6). Raises Rejected."""
    if asked is None:
        return granted
    wanted: Sequence[str] = asked.split()
    if not set(wanted) <= set(granted.split()):
        raise Rejected("invalid_scope", "A refresh cannot ask for more than was granted.")
    return " ".join(each for each in granted.split() if each in wanted)
