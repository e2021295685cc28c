"""Passwords: argon2id by passlib (from libpass), hashed in a worker thread, never on the event loop."""

import asyncio
import hashlib
import secrets

from passlib.context import CryptContext

from tenants.refusals import Invalid

LEAST = 12
MOST = 1000

_context = CryptContext(
    schemes=["argon2"],
    argon2__type="ID",
    argon2__memory_cost=19456,
    argon2__time_cost=2,
    argon2__parallelism=1,
)
# Each hash takes 19 MiB: more than a few at once only makes all of them slower.
_slots = asyncio.Semaphore(4)


def check_strength(password: str) -> None:
    """Invalid for a password that is too short or absurdly long. Length is all that is asked."""
    if len(password) < LEAST:
        raise Invalid(f"A password has at least {LEAST} characters.", field="password")
    if len(password) > MOST:
        raise Invalid(f"A password has at most {MOST} characters.", field="password")


async def hash_password(password: str) -> str:
    """The argon2id hash to store."""
    async with _slots:
        return await asyncio.to_thread(_context.hash, password)


async def verify_password(password: str, stored: str | None) -> tuple[bool, str | None]:
    """Whether it is the password, and a new hash to store when parameters have risen since.

    Takes the same time for somebody without a password or unknown.
    """
    if len(password) > MOST:
        password = ""
    async with _slots:
        if stored is None:
            await asyncio.to_thread(_context.dummy_verify)
            return False, None
        known, renewed = await asyncio.to_thread(_context.verify_and_update, password, stored)
        return bool(known), renewed


def new_secret(prefix: str = "") -> str:
    """A random secret of 256 bits, readable in a URL or a cookie."""
    return prefix + secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """What is stored of a random secret: its SHA-256. (A password is never stored this way.)"""
    return hashlib.sha256(secret.encode()).hexdigest()
