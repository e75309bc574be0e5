import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from temporalio.testing import ActivityEnvironment

from activities.image import Images
from activities.inputs import Inputs, Kept
from activities.plans import Plans
from imagemill.domain.catalogue import Catalogue
from imagemill.domain.errors import NotSent, Refused, StoreUnavailable
from imagemill.domain.messages import GENERATE, ImageOutcome, ImageTask, Times
from imagemill.domain.places import file_key, input_key
from imagemill.domain.request import ImageRequest
from imagemill.inputs.reference import Rules
from imagemill.pacing.gate import Gate
from imagemill.ports import SentImage, SentInputs
from imagemill.tenants import Tenants
from tests.fakes.provider import ScriptedProvider
from tests.fakes.store import MemoryStore
from tests.unit.activities.places import REQUEST, Shop
from tests.unit.inputs.pictures import image, overlay

FILE = "file_" + "0" * 26
OTHER = "file_" + "1" * 26
URL = "https://images.example/a.png?sig=very-secret"
RULES = Rules(buckets=("shop", "feeds"))
MOST = 100_000


class Site:
    """Implements `Fetcher`: what lies at addresses, or why it can't be had."""

    def __init__(self, **found: bytes | Exception) -> None:
        self.found: dict[str, bytes | Exception] = {URL: image(), **found}
        self.asked: list[str] = []
        self.arrived, self.gate = asyncio.Event(), asyncio.Event()
        self.gate.set()

    async def fetch(self, address: str) -> bytes:
        self.asked.append(address)
        self.arrived.set()
        await self.gate.wait()
        answer = self.found[address]
        if isinstance(answer, Exception):
            raise answer
        return answer


class Desk:
    """Inputs, with a site and stores in memory."""

    def __init__(self, kept_bytes: int = 1_000_000) -> None:
        self.control, self.shop, self.site = MemoryStore(), MemoryStore(), Site()
        self.kept_bytes = kept_bytes
        self.inputs = self.worker()

    def worker(self, tenants: Tenants | None = None) -> Inputs:
        """Another worker on the same stores."""
        return Inputs(
            self.control,
            self.site,
            {"shop": self.shop}.get,
            RULES,
            most_bytes=MOST,
            kept_bytes=self.kept_bytes,
            tenants=tenants,
        )

    async def fetch(self, *images: str, job: str = "job_1", tenant: str = "t", **said: str) -> SentInputs:
        return await self.inputs.fetch(tenant, job, request(*images, **said))

    async def refusal(self, *images: str, attempt: int = 1, **said: str) -> tuple[str, str | None]:
        with pytest.raises(Refused) as refused:
            await self.inputs.fetch("t", "job_1", request(*images, **said), attempt=attempt)
        assert "secret" not in str(refused.value)
        return refused.value.code, refused.value.where


def request(*images: str, mask: str | None = None, markup: str | None = None) -> ImageRequest:
    return ImageRequest(prompt="x", model="m", images=images, mask=mask, markup=markup)


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def test_each_reference_becomes_its_bytes_in_order(desk: Desk) -> None:
    await desk.control.put(file_key("t", FILE), image("JPEG"))
    await desk.control.put(file_key("t", OTHER), overlay())
    await desk.shop.put("a/b.webp", image("WEBP"))

    sent = await desk.fetch(FILE, URL, "s3://shop/a/b.webp", FILE, mask=OTHER)

    assert [each.format for each in sent.images] == ["jpeg", "png", "webp", "jpeg"]
    assert [each.data for each in sent.images] == [image("JPEG"), image(), image("WEBP"), image("JPEG")]
    assert (sent.mask, sent.markup) == (SentImage(overlay(), "png"), None)
    assert (await desk.fetch(FILE, markup=OTHER)).markup == SentImage(overlay(), "png")


async def test_an_address_is_fetched_once_for_all_items_of_a_job(desk: Desk) -> None:
    desk.site.gate.clear()
    waiting = [asyncio.create_task(desk.fetch(URL)) for _ in range(20)]
    await desk.site.arrived.wait()
    desk.site.gate.set()
    await asyncio.gather(*waiting)
    await desk.fetch(URL)
    await desk.worker().fetch("t", "job_1", request(URL))

    assert desk.site.asked == [URL]
    place = input_key("t", "job_1", URL)
    assert (desk.control.data(place), desk.control.objects[place][1].content_type) == (image(), "image/png")
    assert "secret" not in " ".join(desk.control.written)


async def test_another_job_fetches_it_anew(desk: Desk) -> None:
    await desk.fetch(URL)
    desk.site.found[URL] = image("JPEG")

    assert (await desk.fetch(URL)).images[0].format == "png"
    assert (await desk.fetch(URL, job="job_2")).images[0].format == "jpeg"


async def test_who_stored_it_first_wins(desk: Desk) -> None:
    desk.site.gate.clear()
    fetching = asyncio.create_task(desk.fetch(URL))
    await desk.site.arrived.wait()
    await desk.control.put(input_key("t", "job_1", URL), image("WEBP"))
    desk.site.gate.set()

    assert (await fetching).images[0].data == image("WEBP")


async def test_a_caller_that_gives_up_leaves_the_fetching_to_the_others(desk: Desk) -> None:
    desk.site.gate.clear()
    impatient, patient = (asyncio.create_task(desk.fetch(URL)) for _ in range(2))
    await desk.site.arrived.wait()
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    desk.site.gate.set()

    assert (await patient).images[0].data == image()
    assert desk.site.asked == [URL]


async def test_a_tenant_sees_its_own_files_alone(desk: Desk) -> None:
    await desk.control.put(file_key("other", FILE), image())
    assert await desk.refusal(FILE) == ("input_missing", "images/0")


async def test_a_file_is_read_once_and_kept_for_other_jobs(desk: Desk) -> None:
    await desk.control.put(file_key("t", FILE), image())
    desk.control.calls.clear()
    await desk.fetch(FILE)
    await desk.fetch(FILE, job="job_2")

    assert [method for method, _ in desk.control.calls] == ["head", "get"]


async def test_what_is_not_allowed_is_not_even_looked_for(desk: Desk) -> None:
    assert await desk.refusal("s3://else/a.png") == ("input_bucket_not_allowed", "images/0")
    assert await desk.refusal("s3://feeds/a.png") == ("input_bucket_not_allowed", "images/0")  # not wired
    assert await desk.refusal("https://10.0.0.1/a") == ("input_address_refused", "images/0")
    assert await desk.refusal("nonsense") == ("input_missing", "images/0")
    assert (desk.site.asked, desk.shop.calls) == ([], [])


async def test_a_refusal_says_where_and_is_remembered(desk: Desk) -> None:
    await desk.control.put(file_key("t", FILE), image())
    desk.site.found[URL] = Refused("input_missing")

    assert await desk.refusal(FILE, URL) == ("input_missing", "images/1")
    assert await desk.refusal(URL) == ("input_missing", "images/0")
    assert await desk.refusal(FILE, mask=URL) == ("input_missing", "mask")
    assert desk.site.asked == [URL]


async def test_what_is_no_image_is_neither_stored_nor_sent(desk: Desk) -> None:
    desk.site.found[URL] = b"<!doctype html>"
    assert await desk.refusal(URL) == ("input_not_an_image", "images/0")
    assert desk.control.written == []


async def test_a_mask_is_judged_by_the_first_image(desk: Desk) -> None:
    await desk.control.put(file_key("t", FILE), image(size=(24, 16)))
    await desk.control.put(file_key("t", OTHER), overlay((16, 24)))

    assert await desk.refusal(FILE, mask=OTHER) == ("mask_of_other_size", "mask")
    assert await desk.refusal(FILE, markup=OTHER) == ("markup_of_other_size", "markup")
    assert (await desk.fetch(URL, FILE, mask=OTHER)).mask


async def test_a_large_object_is_refused_before_it_is_read(desk: Desk) -> None:
    await desk.shop.put("a", bytes(MOST))
    await desk.control.put(file_key("t", FILE), bytes(MOST))

    assert await desk.refusal("s3://shop/a") == ("input_too_large", "images/0")
    assert await desk.refusal(FILE) == ("input_too_large", "images/0")
    assert "get" not in [
        method for method, key in desk.shop.calls + desk.control.calls if "inputs" not in key
    ]


@pytest.mark.parametrize("attempt", [1, 5])
async def test_what_may_come_later_is_tried_again(desk: Desk, attempt: int) -> None:
    desk.site.found[URL] = NotSent("input_unreachable")
    with pytest.raises(NotSent, match="input_unreachable"):
        await desk.inputs.fetch("t", "job_1", request(URL), attempt=attempt)

    desk.site.found[URL] = image()
    assert (await desk.fetch(URL)).images


async def test_what_never_comes_is_given_up_after_some_attempts(desk: Desk) -> None:
    await desk.control.put(file_key("t", FILE), image())
    desk.site.found[URL] = NotSent("input_unreachable")
    assert await desk.refusal(FILE, URL, attempt=6) == ("input_unreachable", "images/1")

    desk.shop.away = 1
    assert await desk.refusal("s3://shop/a", attempt=6) == ("input_unreachable", "images/0")


async def test_what_is_refused_is_told_before_what_may_come_later(desk: Desk) -> None:
    desk.site.found[URL] = NotSent("input_unreachable")
    assert await desk.refusal(URL, FILE) == ("input_missing", "images/1")


async def test_control_that_is_away_is_no_fault_of_the_image(desk: Desk) -> None:
    desk.control.away = 1
    with pytest.raises(StoreUnavailable):
        await desk.inputs.fetch("t", "job_1", request(URL), attempt=9)
    assert (await desk.fetch(URL)).images


def test_what_was_not_used_for_longest_is_let_go() -> None:
    kept = Kept(10)
    a, b, c = (("t", "j", name) for name in "abc")
    kept.put(a, "a", 5)
    kept.put(b, "b", 5)
    assert kept.get(a) == "a"
    kept.put(c, "c", 4)
    assert [kept.get(key) for key in (a, b, c)] == ["a", None, "c"]

    kept.put(c, "C", 5)
    assert [kept.get(key) for key in (a, c)] == ["a", "C"]
    kept.put(b, "too large", 11)
    assert [kept.get(key) for key in (a, b, c)] == [None, None, None]


# --- before the paid call ------------------------------------------------------------------------


async def buy(desk: Desk, provider: ScriptedProvider, *images: str, wired: bool = True) -> ImageOutcome:
    shop = Shop()
    shop.item.request = REQUEST.model_copy(update={"images": images})
    await shop.plan()
    gate = Gate("w", (15, 300), time.time)
    inputs = desk.inputs if wired else None
    buyer = Images(Plans(shop.control), provider, shop.delivery, Catalogue.load(), gate=gate, inputs=inputs)
    env = ActivityEnvironment()
    env.info = replace(env.info, activity_type=GENERATE, started_time=datetime.now(UTC))
    run = env.info.workflow_run_id or ""
    asked = ImageTask(job="job_1", tenant="t", chunk=0, index=0, reservation="r1", run=run, times=Times())
    return await env.run(buyer.generate, asked)


async def test_a_call_is_given_the_checked_bytes(desk: Desk) -> None:
    provider = ScriptedProvider()
    assert (await buy(desk, provider, URL)).kind == "stored"
    assert provider.inputs == [SentInputs(images=(SentImage(image(), "png"),))]


async def test_a_refused_input_is_a_refusal_that_costs_nothing(desk: Desk) -> None:
    provider = ScriptedProvider()
    outcome = await buy(desk, provider, URL, FILE)

    assert outcome == ImageOutcome(kind="refused", called=False, code="input_missing", where="images/1")
    assert provider.calls == []


@pytest.mark.parametrize("wired", [True, False])
async def test_nothing_is_sent_without_its_images(desk: Desk, wired: bool) -> None:
    desk.site.found[URL] = NotSent("input_unreachable")
    provider = ScriptedProvider()
    with pytest.raises(NotSent, match="input_unreachable" if wired else "no_inputs_here"):
        await buy(desk, provider, URL, wired=wired)
    assert provider.calls == []


async def test_a_tenant_s_own_buckets_hold_at_fetching_as_they_are_now(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "tenants.toml"
    file.write_text('[tenants.t]\nbuckets = ["shop/mine"]')
    tenants = Tenants(file)
    desk.inputs = desk.worker(tenants)
    await desk.shop.put("mine/a.png", image())
    await desk.shop.put("theirs/a.png", image())

    assert len((await desk.fetch("s3://shop/mine/a.png")).images) == 1
    assert len((await desk.fetch("s3://shop/theirs/a.png", tenant="free")).images) == 1
    assert await desk.refusal("s3://shop/theirs/a.png") == ("input_bucket_not_allowed", "images/0")
    file.write_text("[tenants.t]\nbuckets = []")
    tenants.look()
    assert await desk.refusal("s3://shop/mine/a.png") == (
        "input_bucket_not_allowed",
        "images/0",
    )  # kept or not
