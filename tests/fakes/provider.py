"""An image API that answers as its script says."""

import asyncio
import io

from PIL import Image

from imagemill.domain.errors import OutcomeUnknown
from imagemill.domain.pace import Told
from imagemill.domain.pricing import Usage
from imagemill.domain.request import ImageRequest
from imagemill.ports import NO_INPUTS, GeneratedImages, SentInputs

USAGE = Usage(text_in=10, image_out=196)


def picture(color: str = "red", form: str = "PNG", size: tuple[int, int] = (16, 16)) -> bytes:
    """A small image."""
    data = io.BytesIO()
    Image.new("RGB", size, color).save(data, form)
    return data.getvalue()


def generated(
    *images: bytes,
    usage: Usage | None = USAGE,
    request_id: str | None = "req_1",
    told: Told | None = None,
) -> GeneratedImages:
    """An answer with these images; with one red one where none is given."""
    return GeneratedImages(images=images or (picture(),), usage=usage, request_id=request_id, told=told)


class ScriptedProvider:
    """Implements ``imagemill.ports.ImageProvider``: one step of the script a call, the last one for ever.

    Attributes:
        calls: the requests that came, with their deadlines.
        inputs: what came with each of them.
        arrived: set once a call has come in.
        gate: a call answers only once this is set; it is from the beginning. A call whose deadline passes
            before that is of unknown outcome.
    """

    def __init__(self, *script: GeneratedImages | Exception) -> None:
        self._script = list(script or (generated(),))
        self.calls: list[tuple[ImageRequest, float]] = []
        self.inputs: list[SentInputs] = []
        self.arrived = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    def script(self, *script: GeneratedImages | Exception) -> None:
        """Another script from the next call on."""
        self._script = list(script)

    async def generate(
        self, request: ImageRequest, *, deadline: float, inputs: SentInputs = NO_INPUTS
    ) -> GeneratedImages:
        self.calls.append((request, deadline))
        self.inputs.append(inputs)
        self.arrived.set()
        try:
            async with asyncio.timeout(deadline):
                await self.gate.wait()
        except TimeoutError:
            raise OutcomeUnknown("deadline_passed") from None
        step = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        if isinstance(step, Exception):
            raise step
        return step
