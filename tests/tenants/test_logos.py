"""Logos: only pictures, only their pixels, and small ones; whatever else is sent is refused."""

import asyncio
import io
import struct
import zlib
from contextlib import suppress

import pytest
import sqlalchemy as sa
from PIL import Image, PngImagePlugin

from tenants.logos import HEIGHT, WIDTH, Logo, drawn_anew
from tenants.refusals import Invalid
from tenants.store import Store
from tests.cast import NOW, house_work

EVIL_SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


def picture(kind: str = "PNG", size: tuple[int, int] = (600, 300), **more: object) -> bytes:
    written = io.BytesIO()
    Image.new("RGB", size, "teal").save(written, kind, **more)
    return written.getvalue()


def bomb(width: int, height: int) -> bytes:
    """A PNG whose head says that it is huge."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
async def test_a_logo_is_written_anew_and_scaled_to_fit(kind: str) -> None:
    logo = await drawn_anew(picture(kind))
    kept = Image.open(io.BytesIO(logo.content))
    assert (kept.format, kept.size) == ("PNG", (256, 128))
    assert (logo.width, logo.height) == kept.size


async def test_a_long_thin_one_fits_too() -> None:
    logo = await drawn_anew(picture(size=(4096, 1)))
    assert logo.width <= WIDTH
    assert 1 <= logo.height <= HEIGHT


async def test_nothing_but_pixels_is_kept_of_a_logo() -> None:
    said = PngImagePlugin.PngInfo()
    said.add_text("Comment", "<?php system($_GET[0]) ?>")
    logo = await drawn_anew(picture(pnginfo=said, icc_profile=b"profile" * 40) + b"<script>alert(1)</script>")
    for trace in (b"php", b"iCCP", b"tEXt", b"eXIf", b"script"):
        assert trace not in logo.content


async def test_of_a_picture_that_moves_the_first_frame_is_taken() -> None:
    frames = [Image.new("RGB", (64, 64), colour) for colour in ("red", "lime", "blue")]
    for kind in ("GIF", "WEBP", "PNG"):
        written = io.BytesIO()
        frames[0].save(written, kind, save_all=True, append_images=frames[1:], lossless=True)
        kept = Image.open(io.BytesIO((await drawn_anew(written.getvalue())).content))
        assert getattr(kept, "n_frames", 1) == 1
        assert kept.convert("RGB").getpixel((10, 10)) == (255, 0, 0)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(EVIL_SVG, id="an SVG with a script, called PNG"),
        pytest.param(b"", id="0 bytes"),
        pytest.param(b"GIF89a" + b"\xff" * 40, id="no more than a beginning"),
        pytest.param(picture()[:200], id="truncated"),
        pytest.param(picture("BMP", (4, 4)), id="another format"),
        pytest.param(picture("TIFF", (4, 4)), id="one more"),
        pytest.param(b"%PDF-1.7 /JS (app.alert(1))", id="a document"),
        pytest.param(bomb(100_000, 100_000), id="a bomb"),
        pytest.param(bomb(4097, 10), id="too wide"),
        pytest.param(bomb(0, 0), id="nothing to see"),
        pytest.param(picture() + b"\0" * (1024 * 1024), id="more than 1 MB"),
    ],
)
async def test_what_is_no_logo_is_refused(content: bytes) -> None:
    with pytest.raises(Invalid) as refused:
        await drawn_anew(content)
    assert refused.value.field == "logo"


async def test_a_broken_picture_of_any_length_is_only_refused() -> None:
    for kind in ("PNG", "JPEG", "WEBP", "GIF"):
        whole = picture(kind, (40, 20))
        for length in range(0, len(whole), 7):
            broken = whole[:length] + b"\xff" * 3 + whole[length + 3 :]
            with suppress(Invalid):
                await drawn_anew(broken)


async def test_the_same_picture_kept_twice_at_once_is_one(store: Store) -> None:
    logo = await drawn_anew(picture())

    async def keep() -> str:
        async with house_work(store) as session:
            return await Logo.keep(session, logo, NOW)

    assert set(await asyncio.gather(*(keep() for _ in range(4)))) == {logo.hash}
    async with house_work(store) as session:
        assert len(list(await session.scalars(sa.select(Logo.id)))) == 1
