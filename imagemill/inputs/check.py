"""May these bytes be sent? Asked before a call, since the provider counts what it is sent."""

from dataclasses import dataclass

from imagemill.domain.errors import Refused
from imagemill.domain.pricing import STEEPEST_INPUT
from imagemill.inputs.shape import Damaged, NotAnImage, OtherFormat, Shape, read_shape
from imagemill.ports import SentImage

MOST_PIXELS = 64_000_000
"""Of one image; a whole photo of the largest sensors has fewer."""

MASK_BYTES = 4 * 1024 * 1024
"""The provider's limit on a mask."""


@dataclass(frozen=True, slots=True)
class Checked:
    """An image that may be sent, and its shape."""

    sent: SentImage
    shape: Shape


def check_image(data: bytes, most_bytes: int) -> Checked:
    """Any input image, a mask included.

    Raises:
        Refused: it may not be sent.
    """
    if len(data) >= most_bytes:
        raise Refused("input_too_large")
    try:
        shape = read_shape(data)
    except NotAnImage:
        raise Refused("input_not_an_image") from None
    except OtherFormat:
        raise Refused("input_format_not_taken") from None
    except Damaged:
        raise Refused("input_damaged") from None
    short, long = sorted(shape.stored)
    if short == 0:
        raise Refused("input_damaged")
    if short * long > MOST_PIXELS:
        raise Refused("input_too_many_pixels")
    if long > STEEPEST_INPUT * short:
        raise Refused("input_too_narrow")
    return Checked(SentImage(data, shape.format), shape)


def check_mask(mask: Checked, first: Checked) -> None:
    """A mask, by the first image. One whose sides match the image as stored or as shown is taken.

    Raises:
        Refused: it is none.
    """
    _check_overlay("mask", mask, (first.shape.stored, first.shape.shown))
    if len(mask.sent.data) >= MASK_BYTES:
        raise Refused("mask_too_large")


def check_markup(markup: Checked, first: Checked) -> None:
    """Markup, by the first image as it is shown.

    Raises:
        Refused: it is none.
    """
    _check_overlay("markup", markup, (first.shape.shown,))


def _check_overlay(role: str, overlay: Checked, sizes: tuple[tuple[int, int], ...]) -> None:
    if overlay.shape.format != "png":
        raise Refused(f"{role}_not_png")
    if not overlay.shape.alpha:
        raise Refused(f"{role}_without_alpha")
    if overlay.shape.stored not in sizes:
        raise Refused(f"{role}_of_other_size")
