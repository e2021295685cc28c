"""Sealing: what must be kept but not be readable in a stolen database, under the house's secret key."""

import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


class Sealed(Exception):
    """It cannot be opened: it was sealed under another secret key, or for something else."""


def seal(secret_key: bytes, purpose: str, about: str, content: bytes) -> str:
    """AES-256-GCM under a key of this purpose; `about` is bound in, so that sealed things cannot be swapped."""
    nonce = secrets.token_bytes(12)
    return urlsafe_b64encode(nonce + _box(secret_key, purpose).encrypt(nonce, content, about.encode())).decode()


def unseal(secret_key: bytes, purpose: str, about: str, sealed: str) -> bytes:
    """What was sealed. Raises Sealed."""
    raw = urlsafe_b64decode(sealed)
    try:
        return _box(secret_key, purpose).decrypt(raw[:12], raw[12:], about.encode())
    except InvalidTag:
        raise Sealed(f"Sealed under another UNDERSTUDY_SECRET_KEY: {purpose} {about}.") from None


def mark(secret_key: bytes, purpose: str, about: str, content: str) -> str:
    """A keyed hash (HMAC-SHA-256, 64 hex digits): whoever stole the database cannot find what is short by trying."""
    return hmac.new(_key(secret_key, purpose), f"{about}:{content}".encode(), "sha256").hexdigest()


@lru_cache(maxsize=32)
def _box(secret_key: bytes, purpose: str) -> AESGCM:
    return AESGCM(_key(secret_key, purpose))


def _key(secret_key: bytes, purpose: str) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=f"understudy {purpose}".encode()).derive(secret_key)
