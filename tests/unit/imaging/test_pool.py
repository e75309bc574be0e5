"""Copies of images, made in real processes: what comes out, and what becomes of images that mean harm."""

import asyncio
import os
import signal
import struct
import zlib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest
from PIL import Image

from imagemill.domain.gallery import SheetOrder
from imagemill.domain.renditions import THUMBNAIL_SPEC, Rendition
from imagemill.imaging.pool import ImagingPool
from tests.unit.imaging.pictures import (
    BLUE,
    RED,
    half_clear,
    near,
    opened,
    pixel,
    plain,
    saved,
    swapped_profile,
)

OUT = ("webp", "avif", "jpeg", "png")


@pytest.fixture(scope="module")
async def pool() -> AsyncIterator[ImagingPool]:
    made = ImagingPool()
    yield made
    await made.close()


def spec(**more: Any) -> Rendition:
    return Rendition(**{"name": "a", "width": 160, "height": 160} | more)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while True:
            if holds():
                return
            await asyncio.sleep(0)


async def one(pool: ImagingPool, image: bytes, **more: Any) -> bytes | None:
    return (await pool.copies(image, [spec(**more)]))[0]


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "AVIF"])
async def test_every_format_becomes_every_format(pool: ImagingPool, form: str) -> None:
    made = await pool.copies(plain(form), [spec(name=out, format=out) for out in OUT])

    assert [str(opened(copy).format).lower() for copy in made] == list(OUT)
    assert all(opened(copy).size == (160, 80) for copy in made)
    assert all(near(pixel(copy), RED) for copy in made)


@pytest.mark.parametrize("form", ["PNG", "WEBP"])
async def test_what_is_transparent_stays_so_where_the_format_can(pool: ImagingPool, form: str) -> None:
    webp, avif, jpeg, png = await pool.copies(half_clear(form), [spec(name=out, format=out) for out in OUT])

    for copy in (webp, avif, png):
        assert near(pixel(copy), (*RED, 255))
        assert pixel(copy, (150, 40))[3] == 0
    assert near(pixel(jpeg, (150, 40)), (255, 255, 255))
    assert near(pixel(await one(pool, half_clear(), background="#0000ff"), (150, 40)), BLUE)


@pytest.mark.parametrize(
    ("fit", "height", "size"),
    [
        ("inside", 160, (160, 80)),
        ("inside", 40, (80, 40)),
        ("inside", None, (160, 80)),
        ("cover", 160, (160, 160)),
        ("contain", 160, (160, 160)),
    ],
)
async def test_fits(pool: ImagingPool, fit: str, height: int | None, size: tuple[int, int]) -> None:
    copy = await one(pool, plain(), fit=fit, height=height)

    assert opened(copy).size == size == spec(fit=fit, height=height).size_of(640, 320)
    assert near(pixel(copy, (size[0] // 2, size[1] // 2))[:3], RED)
    assert (pixel(copy)[-1] == 0) == (fit == "contain")


async def test_inside_never_enlarges_and_the_others_do(pool: ImagingPool) -> None:
    small = plain(size=(40, 20))

    assert opened(await one(pool, small)).size == (40, 20)
    assert opened(await one(pool, small, fit="cover")).size == (160, 160)


def sixteen_bits() -> bytes:
    """Grey at half its level, written by hand: Pillow has no such pictures."""
    rows = b"".join(b"\0" + b"\x80\0" * 64 for _ in range(32))
    return png(64, 32, 16, 0, zlib.compress(rows))


def png(width: int, height: int, depth: int, kind: int, data: bytes) -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def palette() -> bytes:
    image = Image.new("P", (64, 32), 1)
    image.putpalette([0, 0, 0, *RED])
    image.paste(0, (32, 0, 64, 32))
    return saved(image, transparency=0)


TURNED = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
ODD = {
    "grey of 16 bits": (sixteen_bits(), (128, 128, 128)),
    "grey": (saved(Image.new("L", (64, 32), 90)), (90, 90, 90)),
    "grey with alpha": (saved(Image.new("LA", (64, 32), (90, 255))), (90, 90, 90, 255)),
    "black and white": (saved(Image.new("1", (64, 32), 1)), (255, 255, 255)),
    "palette": (palette(), (*RED, 255)),
    "cmyk": (saved(Image.new("CMYK", (64, 32), (0, 255, 255, 0)), "JPEG"), RED),
    "turned": (saved(Image.new("RGB", (32, 64), RED), "JPEG", exif=TURNED), RED),
    "another profile": (saved(Image.new("RGB", (64, 32), RED), icc_profile=swapped_profile()), BLUE),
    "a broken profile": (saved(Image.new("RGB", (64, 32), RED), icc_profile=b"no profile"), RED),
}  # fmt: skip


@pytest.mark.parametrize(("data", "color"), ODD.values(), ids=list(ODD))
async def test_odd_pictures_look_as_they_should(
    pool: ImagingPool, data: bytes, color: tuple[int, ...]
) -> None:
    webp, jpeg = await pool.copies(data, [spec(format="png"), spec(format="jpeg")])

    assert opened(webp).size == (64, 32)
    assert near(pixel(webp)[: len(color)], color)
    assert near(pixel(jpeg), color[:3])


async def test_copies_carry_no_metadata(pool: ImagingPool) -> None:
    exif = Image.Exif()
    exif[0x010E] = "private words"
    data = saved(
        Image.new("RGB", (64, 32), RED), "JPEG", exif=exif, icc_profile=swapped_profile(), comment=b"c"
    )

    for copy in await pool.copies(data, [spec(name=out, format=out) for out in OUT]):
        image = opened(copy)
        assert not image.getexif()
        assert not {"icc_profile", "exif", "xmp", "comment"} & set(image.info)


async def test_a_thumbnail_has_320_pixels_at_most(pool: ImagingPool) -> None:
    [copy] = await pool.copies(plain(size=(1024, 1536)), [THUMBNAIL_SPEC])
    assert (opened(copy).format, opened(copy).size) == ("WEBP", (213, 320))


# --- what means harm -----------------------------------------------------------------------------

BAD = {
    "nothing": b"",
    "text": b"no image at all",
    "half a picture": plain("JPEG")[:400],
    "a png of 900 megapixels": png(30_000, 30_000, 8, 2, zlib.compress(b"\0" * 10_000_000, 9)),
    "a png whose data are none": png(640, 320, 8, 2, b"x" * 100),
    "a tiff": saved(Image.new("RGB", (64, 32)), "TIFF"),
}


@pytest.mark.parametrize("data", BAD.values(), ids=list(BAD))
async def test_what_can_not_be_read_has_no_copies_and_stops_nobody(pool: ImagingPool, data: bytes) -> None:
    await one(pool, plain())
    before = pool.pids

    assert await pool.copies(data, [THUMBNAIL_SPEC, spec()]) == [None, None]
    assert await one(pool, plain())
    assert pool.pids == before


async def test_who_hangs_is_killed_and_replaced() -> None:
    pool = ImagingPool(seconds=10)
    assert await one(pool, plain())
    [pid] = pool.pids
    os.kill(pid, signal.SIGSTOP)
    pool.seconds = 0.2

    assert await one(pool, plain()) is None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    pool.seconds = 30
    assert await one(pool, plain())
    await pool.close()


async def test_who_died_meanwhile_is_replaced() -> None:
    pool = ImagingPool()
    assert await one(pool, plain())
    [pid] = pool.pids
    os.kill(pid, signal.SIGKILL)
    await until(lambda: pool.pids == [])

    assert await one(pool, plain())
    await pool.close()


async def test_memory_is_bounded() -> None:
    pool = ImagingPool(memory_mb=384)
    large = png(8000, 7900, 8, 6, zlib.compress(bytes(7900 * (1 + 4 * 8000)), 1))

    assert await one(pool, large, width=4000, height=4000) is None
    assert await one(pool, plain())
    await pool.close()


async def test_who_stops_waiting_leaves_no_answer_for_the_next() -> None:
    pool = ImagingPool()
    for _ in range(2):
        asked = asyncio.create_task(one(pool, plain(size=(2000, 2000), color=RED), width=1000, height=1000))
        await until(lambda: bool(pool.pids))
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        assert near(pixel(await one(pool, plain(color=BLUE))), BLUE)
    await pool.close()


async def test_many_share_few_processes() -> None:
    pool = ImagingPool(processes=2)
    colors = [(n * 20, 0, 255 - n * 20) for n in range(10)]

    made = await asyncio.gather(*(one(pool, plain(color=color)) for color in colors))

    assert all(near(pixel(copy), color) for copy, color in zip(made, colors, strict=True))
    assert len(pool.pids) == 2
    await pool.close()


async def test_the_copy_that_takes_the_process_down_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = ImagingPool()

    async def dies(order: Any, images: Sequence[bytes]) -> list[bytes | None] | None:
        names = [copy["name"] for copy in order["copies"]]
        return None if "bad" in names else [name.encode() for name in names]

    monkeypatch.setattr(pool, "_ask", dies)
    names = ["a", "bad", "b"]

    assert await pool.copies(b"", [spec(name=name) for name in names]) == [b"a", None, b"b"]


# --- contact sheets ------------------------------------------------------------------------------


async def test_a_contact_sheet_has_all_pictures(pool: ImagingPool) -> None:
    thumbnails = [
        (await pool.copies(plain(color=color), [THUMBNAIL_SPEC]))[0] or b"" for color in (RED, BLUE)
    ]
    captions = ["sku-1", "Größe Ω", "broken"]
    sheet = await pool.sheet(SheetOrder(heading="Spring", captions=captions), [*thumbnails, b"no image"])

    image = opened(sheet).convert("RGB")
    colors = {color for _, color in image.getcolors(10**7) or [] if isinstance(color, tuple)}
    assert image.width > image.height
    assert any(near(color, RED, 20) for color in colors)
    assert any(near(color, BLUE, 20) for color in colors)


async def test_a_contact_sheet_of_nothing_is_a_sheet(pool: ImagingPool) -> None:
    assert opened(await pool.sheet(SheetOrder(heading="x" * 1000), [])).format == "WEBP"
