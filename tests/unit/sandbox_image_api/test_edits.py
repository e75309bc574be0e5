"""What edits are refused for, take and cost."""

import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from sandbox.image_api import catalog, inputs, order, tokens
from sandbox.image_api.attachments import Attachment, Attachments
from sandbox.image_api.errors import ApiError
from tests.unit.sandbox_image_api.files import attachment, attachments, encoded, mask, photo

CATALOG = catalog.load()
PNG = encoded(photo())


def read(attached: Attachments | None = None, **fields: Any) -> order.Order:
    body = {"prompt": "a vase", "model": "gpt-image-2.5-flare", **fields}
    return order.read_edit(body, attached or attachments(photo()), CATALOG)


def refusal(attached: Attachments | None = None, **fields: Any) -> ApiError:
    with pytest.raises(ApiError) as refused:
        read(attached, **fields)
    assert refused.value.status == 400
    return refused.value


def test_an_edit_knows_its_images() -> None:
    made = read(attachments(photo(), photo(seed=1)), size="1024x1024")
    assert (made.endpoint, made.size) == ("edits", "1024x1024")
    assert made.inputs is not None
    assert [(image.width, image.height) for image in made.inputs.images] == [(640, 480)] * 2
    assert made.inputs.images[0].sha256 != made.inputs.images[1].sha256


@pytest.mark.parametrize(
    ("shape", "size"), [((600, 600), "1024x1024"), ((900, 500), "1536x1024"), ((30, 90), "1024x1536")]
)
def test_without_a_size_the_shape_is_that_of_the_first_image(shape: tuple[int, int], size: str) -> None:
    assert read(attachments(photo(*shape))).size == size


@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "WEBP"])
def test_formats(image_format: str) -> None:
    file = attachment(encoded(photo(), image_format), mime_type=f"image/{image_format.lower()}")
    assert read(Attachments([file])).inputs


def sized(file: Attachment, size: int) -> Attachment:
    return Attachment(file.param, file.mime_type, file.file, size)


FILES = [
    (attachment(PNG, mime_type="application/octet-stream"), "unsupported_file_mimetype"),
    (attachment(PNG, mime_type="image/gif"), "unsupported_file_mimetype"),
    (attachment(encoded(photo(), "GIF")), "invalid_image_file"),
    (attachment(b"no image"), "invalid_image_file"),
    (attachment(PNG[: len(PNG) // 2]), "invalid_image_file"),
    (sized(attachment(PNG), 50 * 1024 * 1024), "invalid_image_file"),
]


@pytest.mark.parametrize(("file", "code"), FILES)
def test_unusable_images(file: Attachment, code: str) -> None:
    error = refusal(Attachments([file]))
    assert (error.param, error.code) == ("image", code)


def test_too_many_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "MOST_PIXELS", 640 * 480 - 1)
    assert refusal().code == "invalid_image_file"


@pytest.mark.parametrize("count", [0, 17])
def test_one_to_sixteen_images(count: int) -> None:
    assert refusal(Attachments([attachment(PNG)] * count)).param == "image"


OVERLAYS = [
    (attachment(encoded(mask(640, 479)), "mask"), "invalid_mask_size"),
    (attachment(encoded(photo()), "mask"), "invalid_image_file"),
    (attachment(encoded(mask(), "WEBP"), "mask"), "invalid_image_file"),
    (sized(attachment(encoded(mask()), "mask"), 4 * 1024 * 1024), "invalid_image_file"),
    (attachment(encoded(mask(640, 479)), "markup"), "invalid_markup_size"),
    (attachment(encoded(photo().convert("RGBA")), "markup"), "invalid_image_file"),
]


@pytest.mark.parametrize(("file", "code"), OVERLAYS)
def test_unusable_masks_and_markups(file: Attachment, code: str) -> None:
    error = refusal(Attachments([attachment(PNG)], **{file.param: file}))
    assert (error.param, error.code) == (file.param, code)


def test_markup_needs_a_newer_model_and_no_mask() -> None:
    for model in ("gpt-image-1.5", "gpt-image-2"):
        assert refusal(attachments(photo(), markup=mask()), model=model).param == "markup"
    both = attachments(photo(), markup=mask(), mask=mask())
    assert refusal(both).param == "markup"
    assert read(attachments(photo(), markup=mask()), model="gpt-image-2.6-flare").inputs


def test_orientation_counts() -> None:
    turned = photo(480, 640)
    exif = Image.Exif()
    exif[0x0112] = 6
    file = attachment(encoded(turned, "JPEG", exif=exif), mime_type="image/jpeg")
    made = read(Attachments([file], mask=attachment(encoded(mask()), "mask")))
    assert made.inputs is not None
    assert (made.inputs.images[0].width, made.inputs.images[0].height) == (640, 480)
    assert made.inputs.images[0].open().size == (640, 480)


@pytest.mark.parametrize(
    ("model", "fidelity", "is_taken"),
    [
        ("gpt-image-1.5", "high", True),
        ("gpt-image-1.5", "low", True),
        ("gpt-image-1-mini", "low", True),
        ("gpt-image-1-mini", "high", False),
        ("gpt-image-2", "low", False),
        ("gpt-image-2.5-flare", "high", False),
    ],
)
def test_fidelity(model: str, fidelity: str, is_taken: bool) -> None:
    if is_taken:
        assert read(model=model, input_fidelity=fidelity).inputs
    else:
        assert refusal(model=model, input_fidelity=fidelity).param == "input_fidelity"


@pytest.mark.parametrize(
    ("model", "shape", "high", "expected"),
    [
        ("gpt-image-1.5", (512, 512), False, 65 + 129),
        ("gpt-image-1.5", (1024, 1536), False, 65 + 2 * 129),
        ("gpt-image-1.5", (1024, 1024), True, 65 + 129 + 4160),
        ("gpt-image-1.5", (1536, 1024), True, 65 + 2 * 129 + 6240),
        ("gpt-image-2", (1024, 1024), False, 1024),
        ("gpt-image-2", (512, 512), False, 256),
        ("gpt-image-2.5-flare", (4000, 3000), False, 1536),
    ],
)
def test_input_tokens(model: str, shape: tuple[int, int], high: bool, expected: int) -> None:
    rate = CATALOG.models[model].family.input_image
    assert tokens.input_image_tokens(rate, *shape, high_fidelity=high) == expected


@given(st.integers(1, 4096), st.integers(1, 4096), st.sampled_from(sorted(CATALOG.models)))
def test_input_tokens_do_not_depend_on_how_the_image_is_turned(width: int, height: int, model: str) -> None:
    rate = CATALOG.models[model].family.input_image
    upright = tokens.input_image_tokens(rate, width, height, high_fidelity=True)
    assert upright == tokens.input_image_tokens(rate, height, width, high_fidelity=True) > 0


def test_input_images_are_billed_at_their_own_price_and_once() -> None:
    made = read(attachments(photo(), photo()), n=3, quality="low", size="1024x1024")
    assert made.usage.image_in == 2 * 300
    assert made.usage.as_json()["input_tokens_details"] == {"text_tokens": 8, "image_tokens": 600}
    assert made.cost_nano == 8 * 5_000 + 600 * 8_000 + 3 * 196 * 30_000


def test_masks_are_not_billed() -> None:
    assert read(attachments(photo(), mask=mask())).usage == read().usage


def test_closed_files_stay_closed() -> None:
    attached = attachments(photo(), mask=mask())
    attached.close()
    assert all(isinstance(file.file, io.BytesIO) and file.file.closed for file in attached)
