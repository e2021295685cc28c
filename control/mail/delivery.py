"""Handing letters over: to the mail server by SMTP (RFC 5321), or to a folder where there is none."""

import asyncio
import os
import re
import ssl
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from email.message import EmailMessage
from enum import StrEnum
from pathlib import Path
from typing import Protocol

import aiosmtplib

from control.mail.headers import one_line
from control.mail.server import MailServer

CONNECT_WITHIN = 15.0
"""Seconds for the way to the server: its name, TLS and the login."""
HAND_OVER_WITHIN = 45.0
"""Seconds for one letter."""
GOODBYE_WITHIN = 2.0
"""Seconds: the letters are theirs already."""
SAID = 160
"""Characters that are kept of what a server said."""

# Whatever may be an address or a link: servers like to say to whom they refuse what.
_ADDRESS_OR_LINK = re.compile(r"<[^>]*>|\S*(?:@|://|www\.)\S*")


class Hitch(StrEnum):
    """Why a letter was not taken."""

    REFUSED = "refused"
    """The server said no to this letter, for good."""
    BUSY = "busy"
    """The server said: later."""
    SENDER = "sender"
    """The server does not take letters from our address: the letter is all right, the settings are not."""
    LOGIN = "login"
    TLS = "tls"
    CONNECTION = "connection"
    SLOW = "slow"
    ADDRESS = "address"
    """The server cannot carry an address like this one (RFC 6531)."""
    EXPIRED = "expired"
    UNREADABLE = "unreadable"
    UNWRITTEN = "unwritten"
    FOLDER = "folder"


FOR_GOOD = frozenset({Hitch.REFUSED, Hitch.ADDRESS, Hitch.EXPIRED, Hitch.UNREADABLE})
"""What another try would not mend."""
OF_THE_SERVER = frozenset({Hitch.SENDER, Hitch.LOGIN, Hitch.TLS, Hitch.CONNECTION, Hitch.SLOW, Hitch.FOLDER})
"""What would meet the next letter just as well."""


class NotTaken(Exception):
    """A letter was not taken. `str()` is what is kept: the hitch, the server's code, what it said in short."""

    def __init__(self, hitch: Hitch, code: int | None = None, said: str = "") -> None:
        self.hitch = hitch
        shortened = one_line(_ADDRESS_OR_LINK.sub("…", said), SAID)
        super().__init__(" ".join(str(part) for part in (hitch.value, code, shortened) if part))


class Carrier(Protocol):
    """Takes letters, one after the other."""

    async def take(self, message: EmailMessage, sender: str, to: str, name: str) -> None:
        """Hand one over; it is theirs once this returns. `name` is the letter's own. Raises NotTaken."""


@dataclass(frozen=True, slots=True)
class Folder:
    """The folder of who has no mail server: each letter a file, which the same letter replaces."""

    path: Path

    async def take(self, message: EmailMessage, sender: str, to: str, name: str) -> None:
        """Whole or not at all, and for our eyes alone."""
        try:
            await asyncio.to_thread(self._write, f"{name}.eml", bytes(message))
        except OSError as error:
            raise NotTaken(Hitch.FOLDER, said=error.strerror or "") from None

    def _write(self, name: str, content: bytes) -> None:
        self.path.mkdir(mode=0o700, exist_ok=True)
        # Made with 0600 and under another ending: who looks into the folder meanwhile sees no half letter.
        handle, draft = tempfile.mkstemp(dir=self.path, suffix=".new")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(draft).replace(self.path / name)
        except BaseException:
            Path(draft).unlink(missing_ok=True)
            raise


class Smtp:
    """One connection to the mail server, opened with the first letter."""

    def __init__(self, server: MailServer, host: str) -> None:
        self.server = server
        self.host = host
        self._client: aiosmtplib.SMTP | None = None

    async def take(self, message: EmailMessage, sender: str, to: str, name: str) -> None:
        """Hand it over in one SMTP transaction."""
        client = await self._connected()
        options = [] if to.isascii() else ["SMTPUTF8", "BODY=8BITMIME"]
        try:
            async with asyncio.timeout(HAND_OVER_WITHIN):
                await client.sendmail(sender, [to], bytes(message), mail_options=options)
        except Exception as error:
            hitch = _what_happened(error)
            if hitch.hitch not in {Hitch.REFUSED, Hitch.BUSY, Hitch.ADDRESS}:
                self._drop()
            raise hitch from None

    async def close(self) -> None:
        """Say goodbye, if there is still somebody to say it to."""
        if self._client is not None and self._client.is_connected:
            with suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
                async with asyncio.timeout(GOODBYE_WITHIN):
                    await self._client.quit()
        self._drop()

    async def _connected(self) -> aiosmtplib.SMTP:
        if self._client is not None and self._client.is_connected:
            return self._client
        server = self.server
        client = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            username=server.user,
            password=server.password,
            use_tls=server.tls,
            start_tls=server.starttls,
            tls_context=server.trust if server.tls or server.starttls else None,
            local_hostname=self.host,
            timeout=CONNECT_WITHIN,
        )
        try:
            async with asyncio.timeout(CONNECT_WITHIN):
                await client.connect()
        except Exception as error:
            client.close()
            raise _on_the_way(error) from None
        self._client = client
        return client

    def _drop(self) -> None:
        if self._client is not None:
            self._client.close()
        self._client = None


@asynccontextmanager
async def carrier(server: MailServer | None, data_dir: Path, host: str) -> AsyncIterator[Carrier]:
    """Who takes letters in this house, for one round."""
    if server is None:
        yield Folder(data_dir / "letters")
        return
    smtp = Smtp(server, host)
    try:
        yield smtp
    finally:
        await smtp.close()


def _what_happened(error: Exception) -> NotTaken:
    """A letter's own trouble, or that of the connection."""
    match error:
        case aiosmtplib.SMTPRecipientsRefused(recipients=[first, *_]):
            return _answered(first)
        case aiosmtplib.SMTPSenderRefused(code=code) if code >= 500:
            return NotTaken(Hitch.SENDER, code, error.message)
        case aiosmtplib.SMTPResponseException():
            return _answered(error)
        case aiosmtplib.SMTPNotSupported() | ValueError():
            return NotTaken(Hitch.ADDRESS)
        case _:
            return _on_the_way(error)


def _answered(error: aiosmtplib.SMTPResponseException) -> NotTaken:
    # 421: the server is closing down, whatever it was asked (RFC 5321 section 3.8).
    if error.code == 421 or error.code < 400:
        return NotTaken(Hitch.CONNECTION, error.code, error.message)
    return NotTaken(Hitch.REFUSED if error.code >= 500 else Hitch.BUSY, error.code, error.message)


def _on_the_way(error: Exception) -> NotTaken:
    """Trouble before any letter was spoken of: it is nobody's letter that is wrong."""
    match error:
        case aiosmtplib.SMTPAuthenticationError(code=code):
            return NotTaken(Hitch.LOGIN, code, error.message)
        case TimeoutError():
            return NotTaken(Hitch.SLOW)
        case _ if isinstance(error, ssl.SSLError) or isinstance(error.__cause__, ssl.SSLError):
            return NotTaken(Hitch.TLS, said=_reason(error))
        case aiosmtplib.SMTPResponseException(code=code):
            return NotTaken(Hitch.CONNECTION, code, error.message)
        case aiosmtplib.SMTPNotSupported():
            return NotTaken(Hitch.TLS, said=error.message)
        case _:
            return NotTaken(Hitch.CONNECTION, said=_reason(error))


def _reason(error: Exception) -> str:
    """What is kept of an error that no server said: its kind, and why a certificate was not believed."""
    found = error if isinstance(error, ssl.SSLError) else error.__cause__
    if isinstance(found, ssl.SSLCertVerificationError):
        return str(found.verify_message)
    return str(getattr(found, "reason", "") or type(error).__name__)
