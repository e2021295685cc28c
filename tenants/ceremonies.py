"""Ceremonies of passkeys (WebAuthn Level 3): what a browser is asked for, and whether its answer is worth anything.

The challenge carries its own proof: it is bound to the browser that asked, to what it is for and to five minutes, so
nothing is kept before an answer was right. Then it is kept as spent, and good for nothing more.
"""

import hashlib
import hmac
import json
import secrets
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

import webauthn
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url, parse_client_data_json
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    CredentialDeviceType,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from tenants.credentials import digest
from tenants.links import Link, Purpose
from tenants.passkeys import Passkey
from tenants.people import User
from tenants.refusals import Gone, Invalid

LIVES = timedelta(minutes=5)
LONGEST = 20_000
"""More than any browser's answer, in characters."""


class Ceremony(StrEnum):
    """What a passkey is asked for; an answer to one is none to another."""

    ADD = "add"
    SIGN_IN = "sign in"
    SECOND_FACTOR = "second factor"
    PROVE = "prove"


@dataclass(frozen=True, slots=True)
class Answer:
    """A browser's answer, read but not believed yet."""

    credential: dict[str, Any]
    credential_id: str
    user_handle: str | None
    challenge: bytes


@dataclass(frozen=True, slots=True)
class Party:
    """Us, as browsers know us: the panel's host and origin; and whose browser it is, by its own secret."""

    public_url: str
    secret_key: bytes
    browser: str

    @property
    def id(self) -> str:
        """The relying party's id: the host alone."""
        return urlsplit(self.public_url).hostname or ""

    @property
    def origin(self) -> str:
        """Scheme, host and port, as a browser says where it is."""
        parts = urlsplit(self.public_url)
        return f"{parts.scheme}://{parts.netloc}"

    def handle(self, user: User) -> bytes:
        """What a passkey knows its person by: always the same, and nobody's address (section 14.6.1)."""
        return hmac.new(self.secret_key, f"passkey handle:{user.id}".encode(), "sha256").digest()

    def challenge(self, ceremony: Ceremony, now: datetime) -> bytes:
        """A challenge that this browser may answer within five minutes."""
        body = secrets.token_bytes(16) + struct.pack(">Q", int((now + LIVES).timestamp()))
        return body + self._mark(ceremony, body)

    def _mark(self, ceremony: Ceremony, body: bytes) -> bytes:
        said = f"passkey challenge:{ceremony}:{self.browser}:".encode() + body
        return hmac.new(self.secret_key, said, hashlib.sha256).digest()

    async def spend(self, session: AsyncSession, ceremony: Ceremony, challenge: bytes, now: datetime) -> None:
        """Take a challenge that was answered rightly. Gone when it is too old, another's, or was taken before."""
        body, mark = challenge[:24], challenge[24:]
        ours = bool(self.browser) and hmac.compare_digest(mark, self._mark(ceremony, body))
        if not ours or now.timestamp() >= struct.unpack(">Q", body[16:])[0]:
            raise Gone("This took too long. Try again.")
        spent = Link(
            purpose=Purpose.PASSKEY.value,
            token_hash=digest(challenge.hex()),
            created_at=now,
            expires_at=now,
            consumed_at=now,
        )
        try:
            async with session.begin_nested():
                session.add(spent)
        except IntegrityError:
            raise Gone("This was used already. Try again.") from None

    def asks_for_new(self, user: User, known: Iterable[Passkey], now: datetime) -> str:
        """What `navigator.credentials.create` is given, as JSON: a discoverable passkey that verifies its user."""
        options = webauthn.generate_registration_options(
            rp_id=self.id,
            rp_name="Understudy",
            user_id=self.handle(user),
            user_name=user.email,
            user_display_name=user.name,
            challenge=self.challenge(Ceremony.ADD, now),
            timeout=int(LIVES.total_seconds() * 1000),
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
            ),
            exclude_credentials=_described(known),
        )
        return webauthn.options_to_json(options)

    def asks_for(self, ceremony: Ceremony, known: Iterable[Passkey], now: datetime) -> str:
        """What `navigator.credentials.get` is given, as JSON. Nobody's passkeys named: the browser offers its own."""
        options = webauthn.generate_authentication_options(
            rp_id=self.id,
            challenge=self.challenge(ceremony, now),
            timeout=int(LIVES.total_seconds() * 1000),
            allow_credentials=_described(known),
            user_verification=UserVerificationRequirement.REQUIRED,
        )
        return webauthn.options_to_json(options)

    async def take_new(
        self, session: AsyncSession, user: User, answer: Answer, name: str, now: datetime
    ) -> tuple[Passkey, str]:
        """Keep a new passkey; returns it with its kind (`hwk` or `swk`). Invalid, Gone, or Conflict."""
        try:
            proved = webauthn.verify_registration_response(
                credential=answer.credential,
                expected_challenge=answer.challenge,
                expected_rp_id=self.id,
                expected_origin=self.origin,
                require_user_verification=True,
            )
        except (WebAuthnException, ValueError, KeyError, TypeError):
            raise Invalid("This passkey could not be checked. Try again.", field="credential") from None
        await self.spend(session, Ceremony.ADD, answer.challenge, now)
        transports = answer.credential["response"].get("transports") or []
        passkey = await Passkey.add(
            session,
            user,
            name=name,
            credential_id=bytes_to_base64url(proved.credential_id),
            public_key=bytes_to_base64url(proved.credential_public_key),
            sign_count=proved.sign_count,
            transports=[str(each)[:20] for each in transports[:8]],
            now=now,
        )
        return passkey, _method(proved.credential_device_type)

    async def take(
        self, session: AsyncSession, ceremony: Ceremony, passkey: Passkey, user: User, answer: Answer, now: datetime
    ) -> str:
        """Check an answer by a passkey of this person; returns how it proves them (`hwk` or `swk`).

        Invalid for a wrong one, Gone for an old or used challenge, Copied when its counter did not grow.
        """
        if answer.user_handle is not None and answer.user_handle != bytes_to_base64url(self.handle(user)):
            raise Invalid("This passkey could not be checked. Try again.", field="credential")
        try:
            proved = webauthn.verify_authentication_response(
                credential=answer.credential,
                expected_challenge=answer.challenge,
                expected_rp_id=self.id,
                expected_origin=self.origin,
                credential_public_key=base64url_to_bytes(passkey.public_key),
                # Its counter is asked of the row below, where two answers at once cannot both be the later.
                credential_current_sign_count=0,
                require_user_verification=True,
            )
        except (WebAuthnException, ValueError, KeyError, TypeError):
            raise Invalid("This passkey could not be checked. Try again.", field="credential") from None
        await self.spend(session, ceremony, answer.challenge, now)
        if not await passkey.accept(session, proved.new_sign_count, now):
            raise Copied(passkey)
        return _method(proved.credential_device_type)


class Copied(Invalid):
    """A passkey's counter did not grow: there may be a copy of it. To be written down, and the passkey not believed."""

    def __init__(self, passkey: Passkey) -> None:
        super().__init__("This passkey was refused: there may be a copy of it. Sign in in another way.")
        # Not the record itself: the refusal outlives its session.
        self.named = ("passkeys", str(passkey.id), passkey.name)
        self.place = passkey.tenant_id


def read_answer(text: str) -> Answer:
    """A browser's answer as the form brings it. Invalid when it is none."""
    wrong = Invalid("This passkey could not be checked. Try again.", field="credential")
    if not text or len(text) > LONGEST:
        raise wrong
    try:
        credential = json.loads(text)
        response = credential["response"]
        data = parse_client_data_json(base64url_to_bytes(response["clientDataJSON"]))
        handle = response.get("userHandle") or None
        return Answer(credential, str(credential["id"]), str(handle) if handle else None, data.challenge)
    except (WebAuthnException, ValueError, KeyError, TypeError, AttributeError):
        raise wrong from None


def _described(known: Iterable[Passkey]) -> list[PublicKeyCredentialDescriptor]:
    return [PublicKeyCredentialDescriptor(id=base64url_to_bytes(each.credential_id)) for each in known]


def _method(kind: CredentialDeviceType) -> str:
    """How `amr` names it (RFC 8176): a key that stays on its device, or one that is synchronised as software is."""
    return "hwk" if kind is CredentialDeviceType.SINGLE_DEVICE else "swk"
