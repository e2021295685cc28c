"""Settings: what the environment (and a `.env` file) says, checked once at the start."""

import base64
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from dotenv import dotenv_values

from control.mail.server import MailServer, NoServer
from control.rate_limits import Quotas
from tenants.refusals import Invalid
from tenants.text import email_address

LOOPBACK = ("localhost", "127.0.0.1", "::1")
LONGEST_QUOTA = 9
"""Digits of a rate limit."""


class Unusable(Exception):
    """A setting cannot be used; the sentence names it and what would do."""


@dataclass(frozen=True)
class Settings:
    """What is in force. `secret_key` encrypts keys and second factors at rest."""

    database_url: str
    migration_url: str
    data_dir: Path
    public_url: str
    secret_key: bytes
    smtp_url: str | None = None
    mail_from: str | None = None
    """The address that letters come from; `sender_address` is never without one."""
    workers: int = 1
    trusted_proxies: tuple[str, ...] = ()
    quotas: Quotas = field(default_factory=Quotas)
    """What programs may ask of each worker."""

    @classmethod
    def load(cls, environment: Mapping[str, str] | None = None) -> "Settings":
        """Read the environment; makes the data folder and a secret key where there are none. Raises Unusable."""
        known = {key: value for key, value in dotenv_values(".env").items() if value is not None}
        known |= os.environ if environment is None else environment
        data_dir = Path(known.get("UNDERSTUDY_DATA_DIR", "./var")).resolve()
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        url = known.get("UNDERSTUDY_DATABASE_URL") or f"sqlite:///{data_dir / 'understudy.db'}"
        workers = _workers(known.get("UNDERSTUDY_WORKERS", "1"), url)
        return cls(
            database_url=url,
            migration_url=known.get("UNDERSTUDY_MIGRATION_URL") or url,
            data_dir=data_dir,
            public_url=_public_url(known.get("UNDERSTUDY_PUBLIC_URL", "http://localhost:8000")),
            secret_key=_secret_key(known.get("UNDERSTUDY_SECRET_KEY"), data_dir),
            smtp_url=_smtp_url(known.get("UNDERSTUDY_SMTP_URL")),
            mail_from=_mail_from(known.get("UNDERSTUDY_MAIL_FROM")),
            workers=workers,
            trusted_proxies=tuple(known.get("UNDERSTUDY_TRUSTED_PROXIES", "").replace(",", " ").split()),
            quotas=_quotas(known),
        )

    @property
    def https(self) -> bool:
        """Whether people come by https."""
        return self.public_url.startswith("https://")

    @property
    def on_this_machine(self) -> bool:
        """Whether the panel itself is on loopback, as in the demo: then its apps may be too."""
        return _is_local(urlsplit(self.public_url).hostname or "")

    @property
    def mail_server(self) -> MailServer | None:
        """Where letters are handed over; None when they stay in the data folder."""
        return MailServer.read(self.smtp_url) if self.smtp_url else None

    @property
    def sender_address(self) -> str:
        """What letters come from: the setting, else the user at the mail server, else no-reply at our own host."""
        user = self.mail_server.user if self.mail_server else None
        return self.mail_from or (_plain_address(user) if user else None) or f"no-reply@{self.host}"

    @property
    def host(self) -> str:
        """The name people come to; a bare number is no name for an address of mail."""
        host = urlsplit(self.public_url).hostname or ""
        return "localhost" if not host or ":" in host or host.rpartition(".")[2].isdigit() else host

    def cookie(self, name: str) -> str:
        """A cookie's name: `__Host-` on https; on loopback the port is part of it, since cookies ignore ports."""
        if self.https:
            return f"__Host-understudy-{name}"
        return f"understudy-{name}-{urlsplit(self.public_url).port or 80}"


def _is_local(host: str) -> bool:
    return host in LOOPBACK or host.endswith(".localhost")


def _public_url(url: str) -> str:
    parts = urlsplit(url)
    host = parts.hostname or ""
    local = _is_local(host)
    if parts.scheme not in {"http", "https"} or not host or parts.query or parts.fragment or parts.path.strip("/"):
        raise Unusable("UNDERSTUDY_PUBLIC_URL is an address such as https://panel.example, without a path.")
    if parts.scheme != "https" and not local:
        raise Unusable("UNDERSTUDY_PUBLIC_URL must be https unless it is this machine.")
    return url.rstrip("/")


def _smtp_url(url: str | None) -> str | None:
    if not url:
        return None
    try:
        MailServer.read(url)
    except NoServer as wrong:
        raise Unusable(f"UNDERSTUDY_SMTP_URL cannot be used: {wrong}.") from None
    return url


def _mail_from(text: str | None) -> str | None:
    """Plain ASCII: every mail server takes that."""
    if not text:
        return None
    address = _plain_address(text)
    if address is None:
        raise Unusable("UNDERSTUDY_MAIL_FROM is an e-mail address such as panel@voip.example.")
    return address


def _plain_address(text: str) -> str | None:
    try:
        address = email_address(text)
    except Invalid:
        return None
    return address if address.isascii() else None


def _workers(text: str, url: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise Unusable("UNDERSTUDY_WORKERS is a number from 1.")
    if int(text) > 1 and url.startswith("sqlite"):
        raise Unusable("More than one worker needs PostgreSQL: set UNDERSTUDY_DATABASE_URL.")
    return int(text)


def _quotas(known: Mapping[str, str]) -> Quotas:
    """Requests a minute, 0 for no limit."""
    usual = Quotas()
    return Quotas(
        key=_quota(known, "UNDERSTUDY_RATE_LIMIT", usual.key),
        app=_quota(known, "UNDERSTUDY_RATE_LIMIT_APPS", usual.app),
        network=_quota(known, "UNDERSTUDY_RATE_LIMIT_STRANGERS", usual.network),
    )


def _quota(known: Mapping[str, str], name: str, usual: int) -> int:
    text = known.get(name) or str(usual)
    if not (text.isascii() and text.isdigit()) or len(text) > LONGEST_QUOTA:
        raise Unusable(f"{name} is a number of requests a minute, 0 for no limit.")
    return int(text)


def _secret_key(given: str | None, data_dir: Path) -> bytes:
    """32 bytes: from the setting (base64 or any long text), else made once and kept in the data folder."""
    if given:
        if len(given) < 32:
            raise Unusable("UNDERSTUDY_SECRET_KEY needs at least 32 characters.")
        return given.encode()
    kept = data_dir / "secret.key"
    if not kept.exists():
        made = base64.urlsafe_b64encode(secrets.token_bytes(32))
        try:
            handle = os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return kept.read_bytes().strip()
        with os.fdopen(handle, "wb") as file:
            file.write(made + b"\n")
    return kept.read_bytes().strip()
