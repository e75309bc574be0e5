"""Copies around the paid call: whatever becomes of them, the image is stored and reported."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest

from activities.books import Books
from activities.copies import Copies
from activities.image import Images, Search
from activities.plans import Plans
from imagemill.domain.errors import StoreRefused, StoreUnavailable
from imagemill.domain.item import ItemRecord
from imagemill.domain.messages import ChunkTask, ImageOutcome
from imagemill.domain.pools import Pools
from imagemill.domain.renditions import THUMBNAIL, Rendition
from imagemill.domain.results import result_of
from tests.fakes.engine import MemoryEngine
from tests.fakes.imaging import FakeImaging, made
from tests.fakes.provider import ScriptedProvider, generated, picture
from tests.fakes.store import MemoryStore
from tests.unit.activities.places import Shop, call
from tests.unit.activities.test_image import CATALOGUE, COST, environment, open_gate, task

RED, BLUE = picture("red"), picture("blue")
ONE = "shop/job_1/a/1.png"
THUMB, WEB = "shop/job_1/_thumbnails/a/1.png.webp", "shop/job_1/_renditions/web/a/1.png.avif"


class PickyStore(MemoryStore):
    """Is away, or refuses, where smaller copies are concerned; ``sizes``: what it says of sizes."""

    error: Exception | None = None
    sizes: Mapping[str, int] = MappingProxyType({})

    async def put(self, key: str, data: bytes, **more: Any) -> None:
        if self.error:
            raise self.error
        await super().put(key, data, **more)

    async def head(self, key: str) -> Any:
        if self.error and "/_" in key:
            raise self.error
        facts = await super().head(key)
        return replace(facts, size=self.sizes.get(key, facts.size))


class CopyShop(Shop):
    """Every image is to have a thumbnail and a rendition."""

    def __init__(self, n: int = 1, imaging: FakeImaging | None = None, patience: float = 30) -> None:
        super().__init__(n)
        self.delivered: PickyStore = PickyStore()
        self.delivery._delivery = self.delivered
        self.item.thumbnail = True
        self.item.renditions = [Rendition(name="web", width=100, format="avif")]
        self.imaging = imaging or FakeImaging()
        self.copies = Copies(self.delivered, self.imaging, "shop", patience)
        self.provider = ScriptedProvider()

    def images(self) -> Images:
        plans = Plans(self.control)
        return Images(plans, self.provider, self.delivery, CATALOGUE, gate=open_gate(), copies=self.copies)

    async def buy(self, *, attempt: int = 1) -> ImageOutcome:
        await self.plan()
        return await environment(attempt=attempt).run(self.images().generate, task())

    @property
    def beside(self) -> list[str]:
        return [key for key in self.delivered.written if "/_" in key]


async def test_a_stored_image_gets_its_copies_and_stays_as_it_came() -> None:
    shop = CopyShop()
    outcome = await shop.buy()

    assert (outcome.kind, outcome.paid_nano, outcome.warnings) == ("stored", COST, [])
    assert shop.delivered.written == sorted([ONE, THUMB, WEB])
    assert shop.delivered.data(ONE) == RED
    assert shop.delivered.data(THUMB) == made(RED, THUMBNAIL)
    assert (await shop.delivered.head(WEB)).content_type == "image/avif"
    assert shop.imaging.asked == [[THUMBNAIL, "web"]]


async def test_a_copy_that_can_not_be_made_is_a_warning() -> None:
    outcome = await CopyShop(imaging=FakeImaging("web")).buy()

    assert (outcome.kind, outcome.paid_nano, outcome.warnings) == ("stored", COST, ["rendition_failed:web"])


NEITHER = ["no_thumbnail", "rendition_failed:web"]


async def test_a_maker_that_breaks_is_a_warning() -> None:
    outcome = await CopyShop(imaging=FakeImaging(error=RuntimeError("boom"))).buy()
    assert (outcome.paid_nano, outcome.warnings) == (COST, NEITHER)


@pytest.mark.parametrize("error", [StoreUnavailable("away"), StoreRefused("no"), RuntimeError("boom")])
async def test_a_store_that_does_not_take_copies_is_a_warning_after_a_bounded_time(error: Exception) -> None:
    shop = CopyShop(patience=0.3)
    shop.delivered.error = error
    outcome = await shop.buy()

    assert (outcome.kind, outcome.paid_nano, outcome.warnings) == ("stored", COST, NEITHER)
    assert shop.delivered.written == [ONE]


async def test_a_store_that_comes_back_gets_them() -> None:
    shop = CopyShop()
    shop.imaging.gate.clear()
    buying = asyncio.create_task(shop.buy())
    await shop.imaging.arrived.wait()
    shop.delivered.away = 1
    shop.imaging.gate.set()

    assert (await buying).warnings == []
    assert shop.beside == sorted([THUMB, WEB])


async def test_a_maker_that_hangs_is_waited_for_so_long() -> None:
    shop = CopyShop(patience=0.05)
    shop.imaging.gate.clear()

    assert (await shop.buy()).warnings == NEITHER


async def test_a_cancel_meanwhile_loses_neither_image_nor_copies() -> None:
    shop = CopyShop()
    await shop.plan()
    shop.imaging.gate.clear()
    env = environment()
    buying = asyncio.create_task(env.run(shop.images().generate, task()))
    await shop.imaging.arrived.wait()
    env.cancel()
    for _ in range(5):
        await asyncio.sleep(0)
    assert not buying.done()
    shop.imaging.gate.set()

    assert ((await buying).paid_nano, shop.beside) == (COST, sorted([THUMB, WEB]))


async def test_a_cancel_while_an_image_that_was_found_is_copied_does_not_lose_it() -> None:
    shop = CopyShop()
    await shop.plan()
    stored = await shop.delivery.store(shop.place, call("r0"), [RED])
    shop.imaging.gate.clear()
    env = environment(attempt=2)
    finding = asyncio.create_task(env.run(shop.images().generate, task()))
    await shop.imaging.arrived.wait()
    env.cancel()
    for _ in range(5):
        await asyncio.sleep(0)
    shop.imaging.gate.set()

    assert (await finding).call == stored


@pytest.mark.parametrize("there", [[], [THUMB], [THUMB, WEB]])
async def test_an_image_that_was_stored_before_gets_what_it_lacks(there: list[str]) -> None:
    shop = CopyShop()
    await shop.delivery.store(shop.place, call("r0"), [RED])
    for key in there:
        await shop.delivered.put(key, b"older")
    outcome = await shop.buy(attempt=2)

    assert (outcome.kind, outcome.paid_nano, outcome.warnings) == ("stored", None, [])
    assert shop.provider.calls == []
    assert shop.beside == sorted([THUMB, WEB])
    assert all(shop.delivered.data(key) == b"older" for key in there)
    assert len(shop.imaging.asked) == (len(there) < 2)


async def test_what_lies_in_the_place_of_an_image_and_is_too_large_for_one_is_not_read() -> None:
    """The bucket's owner may put anything there, which must not fill the worker's memory."""
    shop = CopyShop()
    await shop.plan()
    stored = await shop.delivery.store(shop.place, call("r0"), [RED])
    shop.delivered.sizes = {ONE: 10**9, "shop/job_1/_thumbnails/b.png.webp": 10**9}
    looking = Search(Plans(shop.control), shop.delivery, shop.copies)
    found = await environment().run(looking.look, task())

    assert found.call
    assert found.call.reservation == stored.reservation
    assert found.warnings == ["no_thumbnail", "rendition_failed:web"]
    assert await shop.copies.thumbnail(ONE) is None
    await shop.delivered.put("shop/job_1/_thumbnails/b.png.webp", b"huge")
    assert await shop.copies.thumbnail("shop/job_1/b.png") is None
    assert shop.imaging.asked == []


async def test_what_is_found_after_a_lost_call_gets_its_copies() -> None:
    shop = CopyShop(imaging=FakeImaging("web"))
    await shop.plan()
    stored = await shop.delivery.store(shop.place, call("r0"), [RED])
    looking = Search(Plans(shop.control), shop.delivery, shop.copies)
    found = await environment().run(looking.look, task())

    assert (found.call, found.warnings) == (stored, ["rendition_failed:web"])
    assert shop.beside == [THUMB]


async def test_what_an_earlier_life_of_a_chunk_left_without_gets_its_copies() -> None:
    shop = CopyShop(imaging=FakeImaging("web"))
    await shop.plan()
    await shop.delivery.store(shop.place, call("r0"), [RED])
    plans = Plans(shop.control)
    books = Books(
        shop.control,
        plans,
        shop.delivery,
        MemoryEngine(),
        CATALOGUE,
        pools=Pools.single(),
        copies=shop.copies,
    )
    chunk = ChunkTask(job="job_1", tenant="t", chunk=0, recover=True)
    opened = await environment().run(books.open_chunk, chunk)

    assert [record.warnings for record in opened.records] == [["rendition_failed:web"]]
    assert shop.beside == [THUMB]


async def test_of_a_set_each_image_has_its_copies_and_a_losing_set_none() -> None:
    shop = CopyShop(n=2)
    await shop.delivery.store(shop.place, call("r0", RED, BLUE), [RED, BLUE])
    shop.provider = ScriptedProvider(generated(BLUE, BLUE))
    outcome = await shop.buy()

    assert outcome.warnings == ["paid_twice"]
    assert [key for key in shop.beside if "_thumb" in key] == [
        f"shop/job_1/_thumbnails/a/{n}.r0.png.webp" for n in (1, 2)
    ]
    assert shop.delivered.data("shop/job_1/_thumbnails/a/2.r0.png.webp") == made(BLUE, THUMBNAIL)


async def test_a_result_names_the_copies_that_there_are() -> None:
    shop = CopyShop(n=2, imaging=FakeImaging("web"))
    shop.provider = ScriptedProvider(generated(picture(size=(400, 200)), BLUE))
    outcome = await shop.buy()
    record = ItemRecord(index=0, state="succeeded", call=outcome.call, warnings=outcome.warnings[1:])
    first, second = result_of(shop.item, record, "shop", "job_1").images

    assert outcome.warnings == ["rendition_failed:web:1", "rendition_failed:web:2"]
    web = first.renditions["web"]
    assert (web.width, web.height, web.format) == (100, 50, "avif")
    assert web.key == f"shop/job_1/_renditions/web/{first.key.removeprefix('shop/job_1/')}.avif"
    assert (first.renditions[THUMBNAIL].width, first.renditions[THUMBNAIL].height) == (320, 160)
    assert list(second.renditions) == [THUMBNAIL]


async def test_without_thumbnails_and_renditions_nothing_is_asked() -> None:
    shop = CopyShop()
    shop.item.thumbnail, shop.item.renditions = False, []
    await shop.buy()

    assert (shop.delivered.written, shop.imaging.asked) == ([ONE], [])
