import io
import random
from collections.abc import Callable

import pytest
from PIL import Image

from imagemill.domain.errors import Refused
from imagemill.inputs.check import MASK_BYTES, Checked, check_image, check_markup, check_mask
from tests.unit.inputs.pictures import TURNED, chunk, image, jpeg_of, overlay, png_of, webp_of

MOST = 50 * 1024 * 1024


def checked(data: bytes) -> Checked:
    return check_image(data, MOST)


def refusal(data: bytes) -> str:
    with pytest.raises(Refused) as refused:
        checked(data)
    return refused.value.code


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("orientation", [None, 3, TURNED])
def test_a_sound_image_is_known_by_its_bytes(form: str, orientation: int | None) -> None:
    data = image(form, (40, 24), orientation=orientation)
    found = checked(data)

    assert (found.sent.data, found.sent.format) == (data, form.lower())
    assert found.shape.stored == (40, 24)
    assert found.shape.shown == ((24, 40) if orientation == TURNED else (40, 24))
    assert not found.shape.alpha


@pytest.mark.parametrize(
    ("form", "mode", "alpha"),
    [("PNG", "RGBA", True), ("PNG", "LA", True), ("PNG", "L", False), ("WEBP", "RGB", False)],
)
def test_an_alpha_channel_is_seen(form: str, mode: str, alpha: bool) -> None:
    assert checked(image(form, mode=mode)).shape.alpha is alpha


def test_a_transparent_color_counts_as_alpha() -> None:
    plain = image(mode="P")
    at = plain.index(b"IDAT") - 4
    assert checked(plain[:at] + chunk(b"tRNS", b"\0") + plain[at:]).shape.alpha


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_an_image_that_is_cut_off_anywhere_is_refused(form: str) -> None:
    noise = random.Random(1).randbytes(64 * 64 * 3)
    out = io.BytesIO()
    Image.frombytes("RGB", (64, 64), noise).save(out, form)
    data = out.getvalue()
    checked(data)
    for length in range(12, len(data) - 1, len(data) // 97):
        assert refusal(data[:length]) == "input_damaged"


def test_a_changed_byte_in_a_png_is_noticed() -> None:
    data = bytearray(image())
    data[data.index(b"IDAT") + 6] ^= 1
    assert refusal(bytes(data)) == "input_damaged"


def test_a_thumbnail_s_end_is_not_the_image_s() -> None:
    data = image("JPEG")
    inner = b"Exif\0\0" + image("JPEG", (8, 8))
    segment = b"\xff\xe1" + (len(inner) + 2).to_bytes(2, "big") + inner
    whole = data[:2] + segment + data[2:]
    checked(whole)
    assert refusal(whole[:-2]) == "input_damaged"


@pytest.mark.parametrize("make", [png_of, webp_of, jpeg_of])
@pytest.mark.parametrize(
    ("size", "code"),
    [
        ((16_000, 16_000), "input_too_many_pixels"),
        ((8000, 8001), "input_too_many_pixels"),
        ((8000, 999), "input_too_narrow"),
        ((999, 8000), "input_too_narrow"),
        ((8000, 1000), None),
        ((8000, 8000), None),
    ],
)
def test_what_a_file_claims_is_judged_without_decoding_it(
    make: Callable[[int, int], bytes], size: tuple[int, int], code: str | None
) -> None:
    data = make(*size)
    assert len(data) < 200
    if code:
        assert refusal(data) == code
    else:
        assert checked(data).shape.stored == size


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "input_not_an_image"),
        (b"<!doctype html><title>Sign in</title>", "input_not_an_image"),
        (image("GIF"), "input_format_not_taken"),
        (image("BMP"), "input_format_not_taken"),
        (image("TIFF"), "input_format_not_taken"),
        (b"\0\0\0\x18ftypheic", "input_format_not_taken"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "input_format_not_taken"),
        (b"\x89PNG\r\n\x1a\n", "input_damaged"),
        (b"\xff\xd8\xff", "input_damaged"),
        (b"RIFF\0\0\0\0WEBP", "input_damaged"),
        (png_of(0, 10), "input_damaged"),
        (b"\x89PNG\r\n\x1a\n" + chunk(b"IDAT", b"") + chunk(b"IEND", b""), "input_damaged"),
        (png_of(9, 9)[:-12] + 200_000 * chunk(b"tEXt", b"") + chunk(b"IEND", b""), "input_damaged"),
        (b"\xff\xd8" + 200_000 * b"\xff\xe2\0\2", "input_damaged"),
        (b"\xff\xd8\xff\xe0\0\0", "input_damaged"),
    ],
)
def test_what_is_no_image_is_refused_by_its_bytes(data: bytes, code: str) -> None:
    assert refusal(data) == code


def test_a_file_of_the_limit_is_too_large() -> None:
    data = image()
    assert check_image(data, len(data) + 1).shape.width == 16
    with pytest.raises(Refused, match="input_too_large"):
        check_image(data, len(data))


def padded(size: int) -> bytes:
    whole = overlay()
    return whole[:-12] + chunk(b"teXt", bytes(size - len(whole) - 12)) + whole[-12:]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (image("WEBP", mode="RGBA"), "not_png"),
        (image(), "without_alpha"),
        (overlay((24, 16)), "of_other_size"),
        (overlay((16, 25)), "of_other_size"),
    ],
)
def test_masks_and_markup_must_fit_the_first_image(data: bytes, code: str) -> None:
    first, fitting = checked(image("JPEG")), checked(overlay())
    check_mask(fitting, first)
    check_markup(fitting, first)

    with pytest.raises(Refused, match=f"mask_{code}"):
        check_mask(checked(data), first)
    with pytest.raises(Refused, match=f"markup_{code}"):
        check_markup(checked(data), first)


def test_markup_fits_the_image_as_it_is_shown_and_a_mask_either_way() -> None:
    first = checked(image("JPEG", (40, 24), orientation=TURNED))
    stored, shown = checked(overlay((40, 24))), checked(overlay((24, 40)))

    check_mask(stored, first)
    check_mask(shown, first)
    check_markup(shown, first)
    with pytest.raises(Refused, match="markup_of_other_size"):
        check_markup(stored, first)


def test_a_mask_has_a_limit_of_its_own() -> None:
    first = checked(image())
    large = checked(padded(MASK_BYTES))

    check_mask(checked(padded(MASK_BYTES - 1)), first)
    check_markup(large, first)
    with pytest.raises(Refused, match="mask_too_large"):
        check_mask(large, first)
