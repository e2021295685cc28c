"""Logos: pictures that were decoded and written anew as PNG, known by their hash, the same for whoever uses them."""

import asyncio
import io
import warnings
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

import sqlalchemy as sa
from PIL import Image, ImageOps
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from tenants.reach import Extent, Reach
from tenants.records import Record
from tenants.refusals import Invalid

MOST_BYTES = 1024 * 1024
MOST_PIXELS = 4096
"""Of an upload's width and height, each, looked at before it is decoded."""
WIDTH, HEIGHT = 512, 128
"""What a logo is scaled down to fit."""
FORMATS = ("PNG", "JPEG", "WEBP", "GIF")

# Pillow only warns of a picture somewhat too large to decode; here that is an error.
Image.MAX_IMAGE_PIXELS = MOST_PIXELS * MOST_PIXELS
warnings.simplefilter("error", Image.DecompressionBombWarning)

_decoding = asyncio.Semaphore(2)
"""Decoded, a picture may take 64 MB: two at a time, the others wait."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A logo as it is kept: PNG, without anything but its pixels."""

    content: bytes
    width: int
    height: int

    @property
    def hash(self) -> str:
        """Its name: SHA-256 in hexadecimal."""
        return sha256(self.content).hexdigest()


class Logo(Record):
    """One picture. Everybody who knows its hash may see it: sign-in pages show it before anybody is known."""

    __tablename__ = "logos"

    hash: Mapped[str] = mapped_column(sa.String(64), unique=True)
    content: Mapped[bytes]
    width: Mapped[int]
    height: Mapped[int]
    created_at: Mapped[datetime]

    @classmethod
    def within(cls, reach: Reach) -> sa.ColumnElement[bool]:
        """Everybody's."""
        return sa.false() if reach.extent is Extent.NOTHING else sa.true()

    def touches(self, reach: Reach) -> set[int] | None:
        """Nobody's place: it means nothing until a tenant takes it as theirs."""
        return set()

    @classmethod
    async def keep(cls, session: AsyncSession, picture: Picture, now: datetime) -> str:
        """Keep a picture unless it is kept already; returns its hash, for a tenant's brand."""
        held = sa.select(cls.id).where(cls.hash == picture.hash)
        if (await session.scalars(held)).first() is None:
            row = cls(
                hash=picture.hash,
                content=picture.content,
                width=picture.width,
                height=picture.height,
                created_at=now,
            )
            try:
                async with session.begin_nested():
                    session.add(row)
            except sa.exc.IntegrityError:
                # Somebody else kept the same picture at this moment: it is there now.
                return picture.hash
        return picture.hash


async def drawn_anew(upload: bytes) -> Picture:
    """The picture in an upload, decoded beside the event loop. Invalid (field `logo`) for whatever is no picture."""
    if not upload:
        raise Invalid("Choose a picture first: this file is empty.", field="logo")
    if len(upload) > MOST_BYTES:
        raise Invalid("A logo has at most 1 MB.", field="logo")
    async with _decoding:
        return await asyncio.to_thread(_draw, upload)


def _draw(upload: bytes) -> Picture:
    """What the bytes are is read from themselves alone, never from a file name or a content type."""
    refused = Invalid("This is not a picture that can be used. Take a PNG, JPEG, WebP or GIF file.", field="logo")
    too_large = Invalid(f"A logo has at most {MOST_PIXELS} × {MOST_PIXELS} pixels.", field="logo")
    try:
        with Image.open(io.BytesIO(upload), formats=FORMATS) as image:
            if max(image.size) > MOST_PIXELS:
                raise too_large
            image.seek(0)
            upright = ImageOps.exif_transpose(image).convert("RGBA")
        upright.thumbnail((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
        # From the pixels alone, so that no profile, text or place of the original comes along.
        bare = Image.frombytes("RGBA", upright.size, upright.tobytes())
        written = io.BytesIO()
        bare.save(written, "PNG", optimize=True)
    except Invalid:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise too_large from None
    except Exception:
        # Decoders that are given hostile bytes raise whatever they like; all of it means the same.
        raise refused from None
    return Picture(written.getvalue(), *bare.size)
