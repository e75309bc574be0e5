"""The images of an order, drawn and encoded."""

from dataclasses import replace

from PIL import Image

from sandbox.image_api import collage, picture
from sandbox.image_api.order import Order

# A partial image is drawn so many times smaller; each further one a step less.
COARSEST = 32


def image(order: Order, number: int, output_format: str | None = None) -> bytes:
    """Image `number` of an order, in its own or in another format."""
    if output_format and output_format != order.output_format:
        order = replace(
            order,
            output_format=output_format,
            transparent=order.transparent and output_format != "jpeg",
        )
    return picture.encode(_paint(order, number), order.output_format, order.compression)


def partial(order: Order, number: int, index: int) -> bytes:
    """What can be seen of an image before it is ready: the same, blurred."""
    whole = _paint(order, number)
    coarse = whole.reduce(COARSEST >> index).resize(whole.size, Image.Resampling.BILINEAR)
    return picture.encode(coarse, order.output_format, order.compression)


def _paint(order: Order, number: int) -> Image.Image:
    shape = {"width": order.width, "height": order.height, "number": number}
    if order.inputs:
        return collage.paint(order.prompt, order.inputs, **shape, transparent=order.transparent)
    return picture.paint(order.prompt, **shape, transparent=order.transparent)
