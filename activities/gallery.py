"""job.gallery: the gallery and the contact sheet of a job that has ended, made once, for whoever asks first.

1. the first images of the job, by its chunks' results;
2. their thumbnails; one that is missing is made now, and kept;
3. both are put into control: the gallery last, so that where it is, both are.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence

from temporalio import activity

from activities.copies import Copies
from activities.heartbeat import heartbeats
from imagemill import gallery
from imagemill.domain.errors import ObjectMissing, StoreError
from imagemill.domain.gallery import MOST_PICTURES, SheetOrder
from imagemill.domain.item import DeliveredImage, ItemResult
from imagemill.domain.lines import from_lines
from imagemill.domain.messages import GALLERY_MADE, GalleryTask, Nothing
from imagemill.domain.places import contact_sheet_key, gallery_key, results_key
from imagemill.gallery import Picture
from imagemill.ports import Imaging, ObjectStore

AT_ONCE = 8
Shown = tuple[str, DeliveredImage]
"""An image and its caption."""


class NoSheet(Exception):
    """The pictures could not be put onto a contact sheet."""


class Galleries:
    """Makes what a finished job is shown by."""

    def __init__(self, control: ObjectStore, copies: Copies, imaging: Imaging) -> None:
        self._control = control
        self._copies = copies
        self._imaging = imaging

    @activity.defn(name=GALLERY_MADE)
    async def make(self, task: GalleryTask) -> Nothing:
        """Make both, over what is there."""
        async with heartbeats():
            shown = [each async for each in self._images(task)]
            pictures = await self._pictures(shown)
            await self._keep(task, pictures)
            return Nothing()

    async def _images(self, task: GalleryTask) -> AsyncIterator[Shown]:
        """The first images, in the order of the plan."""
        left = MOST_PICTURES
        for chunk in range(task.summary.chunks):
            for result in await self._results(task, chunk):
                for number, image in enumerate(result.images, 1):
                    yield _caption(result, number), image
                    left -= 1
                    if not left:
                        return

    async def _results(self, task: GalleryTask, chunk: int) -> list[ItemResult]:
        try:
            lines = await self._control.get(results_key(task.tenant, task.job, chunk))
        except ObjectMissing:
            return []  # it was never started, or was ended from outside
        return from_lines(ItemResult, lines.splitlines())

    async def _pictures(self, shown: Sequence[Shown]) -> list[Picture]:
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(caption: str, image: DeliveredImage) -> Picture:
            async with gate:
                thumbnail = await self._thumbnail(image.key)
            return Picture(caption, image.width, image.height, thumbnail)

        return await asyncio.gather(*(one(caption, image) for caption, image in shown))

    async def _thumbnail(self, image: str) -> bytes | None:
        """None where the image is gone, or can't be read, or the store refuses it."""
        try:
            return await self._copies.thumbnail(image)
        except StoreError:
            return None

    async def _keep(self, task: GalleryTask, pictures: Sequence[Picture]) -> None:
        summary = task.summary
        more = gallery.left_out(summary, len(pictures))
        with_preview = [picture for picture in pictures if picture.thumbnail]
        order = SheetOrder(
            heading=gallery.heading(task.job, summary),
            note=more or " · ".join(gallery.facts(summary, len(pictures))),
            captions=[picture.caption for picture in with_preview],
        )
        sheet = await self._imaging.sheet(order, [picture.thumbnail or b"" for picture in with_preview])
        if sheet is None:
            raise NoSheet
        page = await asyncio.to_thread(gallery.page, task.job, summary, pictures)
        where = task.tenant, task.job
        await self._control.put(contact_sheet_key(*where), sheet, content_type="image/webp")
        await self._control.put(gallery_key(*where), page, content_type=gallery.CONTENT_TYPE)


def _caption(result: ItemResult, number: int) -> str:
    """The item's id, with its variant, and with its number where it has several images."""
    caption = f"{result.custom_id} · {result.variant}" if result.variant else result.custom_id
    return caption if len(result.images) == 1 else f"{caption} ({number})"
