"""How an app shows at the protocol's endpoints that it is itself, and how it is told no (RFC 6749)."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote_plus

from bindings.standing import Client, Standing

LONGEST = 4096
"""Characters of anything that an endpoint looks up; a token of ours is shorter."""


class Rejected(Exception):
    """An endpoint says no: `error` is one of the protocol's words (RFC 6749 section 5.2), `sentence` is for people."""

    def __init__(self, error: str, sentence: str, status: int = 400) -> None:
        super().__init__(sentence)
        self.error, self.sentence, self.status = error, sentence, status


@dataclass(frozen=True, slots=True)
class Credentials:
    """What an app shows: its client id and, where it has one, its secret."""

    client_id: str
    secret: str | None
    by_key: bool = False
    """An assertion that one of its registered keys signed was checked (RFC 7523)."""
    jkt: str | None = None
    """The thumbprint of the key whose proof came along (RFC 9449): what it is given is bound to it."""

    @classmethod
    def read(cls, authorization: str | None, form: Mapping[str, str]) -> "Credentials":
        """By HTTP Basic or in the form, never both (RFC 6749 section 2.3). Raises Rejected."""
        shown = _basic(authorization) if authorization else None
        client_id, secret = form.get("client_id"), form.get("client_secret")
        if shown is not None:
            if secret is not None or client_id not in (None, shown.client_id):
                raise Rejected("invalid_request", "The client shows itself in two ways at once.")
            return shown
        if not client_id or not plain(client_id):
            raise no_such_client()
        return cls(client_id, secret or None)

    def prove(self, standing: Standing | None) -> Standing:
        """The same standing, when these credentials are its client's. Raises Rejected."""
        if standing is None:
            raise no_such_client()
        self.prove_client(standing.client)
        return standing

    def prove_client(self, client: Client) -> None:
        """The same of a client alone. Raises Rejected."""
        if not (client.keyed and self.by_key) and not client.proven_by(self.secret):
            raise no_such_client()


def no_such_client() -> Rejected:
    """The one answer to every client that does not prove itself."""
    return Rejected("invalid_client", "The client is unknown or did not prove who it is.", 401)


def confidential(client: Client) -> bool:
    """Whether the client has a secret or a key to keep."""
    return client.keyed or client.secret_hash is not None


def plain(text: str) -> bool:
    """Whether a text may be looked up as a client id or secret: printable ASCII, not endless."""
    return text.isascii() and text.isprintable() and len(text) <= LONGEST


def one_of_each(pairs: list[tuple[str, str]]) -> dict[str, str]:
    """A form's fields. A parameter that comes twice, or holds what no parameter holds, is refused (section 3.2)."""
    fields: dict[str, str] = {}
    for name, value in pairs:
        if name in fields:
            raise Rejected("invalid_request", "A parameter was sent more than once.")
        if len(value) > LONGEST or "\x00" in value or not _utf8(value):
            raise Rejected("invalid_request", "A parameter cannot be read.")
        if value:
            fields[name] = value
    return fields


def _utf8(text: str) -> bool:
    try:
        return bool(text.encode()) or not text
    except UnicodeEncodeError:
        return False


def _basic(authorization: str) -> Credentials:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        raise no_such_client()
    try:
        client_id, colon, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except ValueError:
        raise no_such_client() from None
    # Both parts are form-encoded before they are joined (RFC 6749 section 2.3.1).
    client_id, secret = unquote_plus(client_id), unquote_plus(secret)
    if not colon or not plain(client_id) or not plain(secret):
        raise no_such_client()
    return Credentials(client_id, secret or None)
