"""Input images, checked as the provider checks them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import BinaryIO

from PIL import Image, ImageOps

from sandbox.image_api import errors, tokens
from sandbox.image_api.attachments import Attachment, Attachments
from sandbox.image_api.catalog import Family

MOST_IMAGES = 16
# Files must stay below these sizes.
IMAGE_BYTES = 50 * 1024 * 1024
MASK_BYTES = 4 * 1024 * 1024
MIME_TYPES = {"image/png", "image/jpeg", "image/jpg", "image/webp"}
FORMATS = ("PNG", "JPEG", "WEBP")
# More would fill the memory: each takes four bytes while the image is looked at.
MOST_PIXELS = 64_000_000


@dataclass(frozen=True, slots=True)
class InputImage:
    """A readable image; `width` and `height`, in pixels, are those of the image held upright."""

    file: BinaryIO
    sha256: str
    width: int
    height: int

    def open(self) -> Image.Image:
        """The image with an alpha channel, upright."""
        self.file.seek(0)
        with Image.open(self.file, formats=FORMATS) as image:
            return ImageOps.exif_transpose(image).convert("RGBA")


@dataclass(frozen=True, slots=True)
class Inputs:
    """What an edit starts from; at least one image."""

    images: tuple[InputImage, ...]
    mask: InputImage | None
    markup: InputImage | None
    high_fidelity: bool

    def tokens(self, family: Family) -> int:
        """Their input tokens. Mask and markup belong to the first image and are not counted."""
        return sum(
            tokens.input_image_tokens(
                family.input_image, image.width, image.height, high_fidelity=self.high_fidelity
            )
            for image in self.images
        )


def check(attached: Attachments, family: Family, *, high_fidelity: bool) -> Inputs:
    """Look at each file. Takes tens of milliseconds an image: not for the event loop.

    Raises:
        ApiError: 400, naming the file.
    """
    if not attached.images:
        raise errors.missing("image")
    if len(attached.images) > MOST_IMAGES:
        message = f"Invalid 'image': expected at most {MOST_IMAGES} images, but got {len(attached.images)}."
        raise errors.invalid_value("image", message)
    if attached.markup:
        _check_markup_allowed(attached, family)
    images = tuple(_image(attachment) for attachment in attached.images)
    mask, markup = attached.mask, attached.markup
    return Inputs(
        images=images,
        mask=_overlay(mask, images[0], _has_alpha, "an alpha channel") if mask else None,
        markup=_overlay(markup, images[0], _has_gaps, "transparent pixels") if markup else None,
        high_fidelity=high_fidelity,
    )


def _check_markup_allowed(attached: Attachments, family: Family) -> None:
    if not family.markup:
        raise errors.invalid_value("markup", "'markup' is not supported by this model.")
    if attached.mask:
        raise errors.invalid_value("markup", "'markup' cannot be combined with 'mask'.")


def _image(attachment: Attachment) -> InputImage:
    if attachment.mime_type not in MIME_TYPES:
        raise errors.unsupported_file(attachment.param, attachment.mime_type)
    if attachment.size >= IMAGE_BYTES:
        raise errors.invalid_image(attachment.param, "the file must be less than 50MB")
    return _opened(attachment, lambda _: True, "an image")


def _overlay(
    attachment: Attachment, first: InputImage, is_fit: Callable[[Image.Image], bool], what: str
) -> InputImage:
    if attachment.size >= MASK_BYTES:
        raise errors.invalid_image(attachment.param, "the file must be less than 4MB")
    found = _opened(attachment, lambda image: image.format == "PNG" and is_fit(image), f"a PNG with {what}")
    if (found.width, found.height) != (first.width, first.height):
        reason = (
            f"its size {found.width}x{found.height} is not the first image's {first.width}x{first.height}"
        )
        raise errors.invalid_image(attachment.param, reason, f"invalid_{attachment.param}_size")
    return found


def _opened(attachment: Attachment, is_fit: Callable[[Image.Image], bool], what: str) -> InputImage:
    """Read a whole file, so that a torn one is found out now."""
    attachment.file.seek(0)
    with _refused_if_unreadable(attachment.param), Image.open(attachment.file, formats=FORMATS) as image:
        if image.width * image.height > MOST_PIXELS:
            raise errors.invalid_image(attachment.param, f"it has more than {MOST_PIXELS} pixels")
        image.load()
        if not is_fit(image):
            raise errors.invalid_image(attachment.param, f"it must be {what}")
        upright = ImageOps.exif_transpose(image)
    attachment.file.seek(0)
    return InputImage(attachment.file, _sha256(attachment.file), upright.width, upright.height)


def _sha256(file: BinaryIO) -> str:
    digest = sha256()
    while chunk := file.read(1 << 20):
        digest.update(chunk)
    return digest.hexdigest()


@contextmanager
def _refused_if_unreadable(param: str) -> Iterator[None]:
    try:
        yield
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        reason = "invalid image file or mode, please check your image file"
        raise errors.invalid_image(param, reason) from None


def _has_alpha(image: Image.Image) -> bool:
    return image.has_transparency_data


def _has_gaps(image: Image.Image) -> bool:
    return image.convert("RGBA").getchannel("A").getextrema()[0] == 0
