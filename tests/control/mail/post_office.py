"""A real mail server on loopback for a story: it takes letters, or says no, later, nothing, or hangs up."""

import asyncio
import datetime
import ipaddress
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

USER, PASSWORD = "panel@voip.example", "let/me:in"


@dataclass
class PostOffice:
    """What came, and how the next one is answered."""

    port: int = 0
    came: list[EmailMessage] = field(default_factory=list)
    senders: list[str | None] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    to_sender: str = "250 OK"
    to_recipient: str = "250 OK"
    to_letter: str = "250 OK"
    hang_up: bool = False
    silent: bool = False
    """Says nothing more once it has heard to whom."""
    tried: int = 0
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle_MAIL(  # noqa: N802 (aiosmtpd's name)
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return self.to_sender

    async def handle_RCPT(  # noqa: N802 (aiosmtpd's name)
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.tried += 1
        if self.hang_up:
            assert server.transport is not None
            server.transport.close()
        if self.silent:
            await asyncio.Event().wait()
        if self.to_recipient.startswith("2"):
            envelope.rcpt_tos.append(address)
        return self.to_recipient

    async def handle_DATA(  # noqa: N802 (aiosmtpd's name)
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        if self.to_letter.startswith("2"):
            content = envelope.content
            assert isinstance(content, bytes)
            came: Any = message_from_bytes(content, policy=policy.default)
            self.came.append(came)
            self.senders.append(envelope.mail_from)
            self.encrypted.append(session.ssl is not None)
            self.arrived.set()
        return self.to_letter

    def one(self) -> EmailMessage:
        """The only letter that came."""
        assert len(self.came) == 1
        return self.came[0]


def part(message: EmailMessage, kind: str) -> str:
    """The plain or the HTML part, as a reader sees it; ends of lines as we write them."""
    body = message.get_body((kind,))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


@asynccontextmanager
async def post_office(
    *,
    tls: ssl.SSLContext | None = None,
    starttls: ssl.SSLContext | None = None,
    login: bool = False,
    utf8: bool = False,
) -> AsyncIterator[PostOffice]:
    """A server that listens on a free port of 127.0.0.1."""
    office = PostOffice()
    loop = asyncio.get_running_loop()

    def serve() -> SMTP:
        return SMTP(
            office,
            hostname="mail.story",
            enable_SMTPUTF8=utf8,
            tls_context=starttls,
            require_starttls=starttls is not None,
            auth_required=login,
            auth_require_tls=tls is None,
            authenticator=_let_in,
            loop=loop,
        )

    server = await loop.create_server(serve, "127.0.0.1", 0, ssl=tls)
    office.port = server.sockets[0].getsockname()[1]
    try:
        yield office
    finally:
        server.close()


def _let_in(server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: Any) -> AuthResult:
    right = LoginPassword(USER.encode(), PASSWORD.encode())
    return AuthResult(success=given == right, handled=False)


@dataclass(frozen=True)
class Certificate:
    """A certificate that nobody signed but itself."""

    file: Path

    @property
    def server(self) -> ssl.SSLContext:
        """For who shows it."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.file)
        return context


def self_made(folder: Path, host: str | None = None) -> Certificate:
    """A certificate and its key in one file, for that host; without one for 127.0.0.1."""
    whose = x509.DNSName(host) if host else x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail.story")])
    today = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([whose]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / f"{host or 'mail'}.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return Certificate(file)
