"""An image API that answers as its script says."""

import asyncio
import io

from PIL import Image

from imagemill.domain.pricing import Usage
from imagemill.domain.request import ImageRequest
from imagemill.ports import GeneratedImages

USAGE = Usage(text_in=10, image_out=196)


def picture(color: str = "red", form: str = "PNG", size: tuple[int, int] = (16, 16)) -> bytes:
    """A small image."""
    data = io.BytesIO()
    Image.new("RGB", size, color).save(data, form)
    return data.getvalue()


def generated(
    *images: bytes, usage: Usage | None = USAGE, request_id: str | None = "req_1"
) -> GeneratedImages:
    """An answer with these images; with one red one where none is given."""
    return GeneratedImages(images=images or (picture(),), usage=usage, request_id=request_id)


class ScriptedProvider:
    """Implements ``imagemill.ports.ImageProvider``: one step of the script a call, the last one for ever.

    Attributes:
        calls: the requests that came, with their deadlines.
        arrived: set once a call has come in.
        gate: a call answers only once this is set; it is from the beginning.
    """

    def __init__(self, *script: GeneratedImages | Exception) -> None:
        self._script = list(script or (generated(),))
        self.calls: list[tuple[ImageRequest, float]] = []
        self.arrived = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    async def generate(self, request: ImageRequest, *, deadline: float) -> GeneratedImages:
        self.calls.append((request, deadline))
        self.arrived.set()
        await self.gate.wait()
        step = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        if isinstance(step, Exception):
            raise step
        return step
