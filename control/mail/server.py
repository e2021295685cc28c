"""The mail server, as UNDERSTUDY_SMTP_URL names it; checked before the house opens."""

import ssl
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlsplit

SUBMISSION, SUBMISSIONS = 587, 465
"""The ports of RFC 6409 (STARTTLS) and RFC 8314 (TLS from the start)."""
LOOPBACK = ("localhost", "127.0.0.1", "::1")
SWITCHES = frozenset({"starttls", "tls", "verify"})


class NoServer(ValueError):
    """The address names no mail server that may be used; the sentence says why."""


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where letters are handed over, and how the way there is kept private."""

    host: str
    port: int
    user: str | None
    password: str | None
    tls: bool
    """TLS from the first byte."""
    starttls: bool
    """TLS after STARTTLS, and never without."""
    verify: bool

    @classmethod
    def read(cls, url: str) -> "MailServer":
        """`smtp://user:password@host:587?starttls=1`, or `smtps://…`. Raises NoServer."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise NoServer("its port is no number") from None
        if parts.scheme not in {"smtp", "smtps"} or not parts.hostname or parts.path.strip("/") or parts.fragment:
            raise NoServer("it looks like smtp://user:password@host:587?starttls=1")
        switches = _switches(parts.query)
        local = parts.hostname in LOOPBACK
        tls = parts.scheme == "smtps" or switches.get("tls", False)
        starttls = not tls and switches.get("starttls", not local)
        server = cls(
            host=parts.hostname,
            port=port or (SUBMISSIONS if tls else SUBMISSION),
            user=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
            tls=tls,
            starttls=starttls,
            verify=switches.get("verify", True),
        )
        server._require_private(local)
        return server

    def _require_private(self, local: bool) -> None:
        if (self.user is None) != (self.password is None):
            raise NoServer("a user needs a password, and a password a user")
        if not self.verify and not local:
            raise NoServer("verify=0 is for this machine alone: anybody on the way could read the letters")
        if self.user and not (self.tls or self.starttls or local):
            raise NoServer("a password does not travel in the clear: leave starttls=0 out")

    @property
    def trust(self) -> ssl.SSLContext:
        """Whom to believe that they are this server: the machine's authorities (or those of SSL_CERT_FILE)."""
        context = ssl.create_default_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


def _switches(query: str) -> dict[str, bool]:
    given = dict(parse_qsl(query, keep_blank_values=True))
    unknown = given.keys() - SWITCHES
    if unknown or any(value not in {"0", "1"} for value in given.values()):
        raise NoServer(f"what stands after ? is one of {', '.join(sorted(SWITCHES))}, with 0 or 1")
    return {name: value == "1" for name, value in given.items()}
