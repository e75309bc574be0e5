"""What was bought before is found at planning, if it is still there; everything else is bought."""

import gzip
import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities.books import Books
from activities.bought import hash_of_sent
from activities.delivery import Delivery
from activities.inputs import Inputs
from activities.planning import Planning
from activities.plans import Plans
from activities.reuse import FETCHED_AT_ONCE, LOST_AFTER, PATIENT_WITH
from imagemill.domain.catalogue import Catalogue
from imagemill.domain.errors import NotSent, StoreUnavailable
from imagemill.domain.item import CallRecord, ImageFacts, ItemRecord, ItemResult, PlannedItem
from imagemill.domain.job import Submission
from imagemill.domain.messages import (
    ChunkTask,
    Estimated,
    EstimateTask,
    OpenedChunk,
    Plan,
    PlanTask,
    ResultsTask,
    WrittenResults,
)
from imagemill.domain.places import (
    estimate_key,
    facts_key,
    file_key,
    image_key,
    plan_key,
    request_key,
    results_key,
)
from imagemill.domain.pools import Pools
from imagemill.inputs.reference import Rules
from imagemill.ports import ObjectFacts, SentImage, SentInputs
from imagemill.templating.process import ProcessTemplating
from tests.fakes.engine import MemoryEngine
from tests.fakes.provider import picture
from tests.fakes.store import MemoryStore

FIRST = datetime(2026, 5, 1, 6, tzinfo=UTC)
PICTURE = picture()
FACTS = ImageFacts(sha256="ab" * 32, bytes=len(PICTURE), width=32, height=32, format="png")
RUN = {"schedule": "sched_1", "number": 1, "at": FIRST}
URL = "https://shop.example/a.png"
FILE = "file_" + "0" * 26


class Site:
    """Implements `Fetcher`; ``stumbles``: so many of the next fetches fail."""

    def __init__(self) -> None:
        self.stumbles = 0
        self.found: dict[str, bytes | Exception] = {}
        self.asked: list[str] = []

    async def fetch(self, address: str) -> bytes:
        self.asked.append(address)
        answer = self.found[address]
        if self.stumbles:
            self.stumbles -= 1
            raise NotSent("input_unreachable")
        if isinstance(answer, Exception):
            raise answer
        return answer


class World:
    """A service whose jobs are planned, opened and bought at once, each a day after the one before."""

    def __init__(self) -> None:
        self.control, self.delivered, self.site = MemoryStore(), MemoryStore(), Site()
        self.inputs = Inputs(self.control, self.site, lambda _: None, Rules(), most_bytes=10_000)
        self.jobs = 0

    def planning(self) -> Planning:
        return Planning(
            self.control,
            ProcessTemplating(),
            Catalogue.load(),
            delivered=self.delivered,
            inputs=self.inputs,
            input_waits=(0, 0, 0),
        )

    def books(self) -> Books:
        delivery = Delivery(self.control, self.delivered, "shop")
        return Books(
            self.control,
            Plans(self.control),
            delivery,
            MemoryEngine(),
            Catalogue.load(),
            pools=Pools.single(),
        )

    def submission(self, tenant: str = "t", **said: Any) -> Submission:
        self.jobs += 1
        base = {"job": f"job_{self.jobs}", "tenant": tenant, "cap_nano": 10**12}
        base["submitted_at"] = FIRST + timedelta(days=self.jobs)
        defaults = {"model": "gpt-image-2.5-flare", "size": "1024x1024", "quality": "low"}
        return Submission.model_validate(base | {"defaults": defaults} | said)

    async def plan(self, *prompts: str, **said: Any) -> tuple[Submission, Plan]:
        """Plan a job of these prompts."""
        items = [{"custom_id": f"i{n}", "prompt": prompt} for n, prompt in enumerate(prompts)]
        submission = self.submission(**{"items": items} | said)
        return submission, await self.plan_again(submission)

    async def plan_again(self, submission: Submission) -> Plan:
        await self.control.put(
            request_key(submission.tenant, submission.job), submission.model_dump_json().encode()
        )
        task = PlanTask(job=submission.job, tenant=submission.tenant, run="run")
        return await ActivityEnvironment().run(self.planning().plan, task)

    async def estimate(self, *prompts: str, **said: Any) -> Estimated:
        items = [{"custom_id": f"i{n}", "prompt": prompt} for n, prompt in enumerate(prompts)]
        submission = self.submission(items=items, **said)
        where = estimate_key(submission.tenant, submission.job)
        await self.control.put(where, submission.model_dump_json().encode())
        task = EstimateTask(job=submission.job, tenant=submission.tenant)
        return await ActivityEnvironment().run(self.planning().estimate, task)

    def planned(self, submission: Submission, chunk: int = 0) -> list[PlannedItem]:
        lines = self.control.data(plan_key(submission.tenant, submission.job, chunk)).splitlines()
        return [PlannedItem.model_validate_json(line) for line in lines]

    def reused(self, submission: Submission) -> list[str | None]:
        """For each item the job that its images are of."""
        return [item.reused.job if item.reused else None for item in self.planned(submission)]

    async def buy(self, submission: Submission, chunk: int = 0, facts: ImageFacts = FACTS) -> None:
        """Open a chunk, buy what has not ended, and write its results."""
        task = ChunkTask(job=submission.job, tenant=submission.tenant, chunk=chunk)
        opened: OpenedChunk = await ActivityEnvironment().run(self.books().open_chunk, task)
        records = {record.index: record for record in opened.records}
        for item in self.planned(submission, chunk):
            if item.index not in records and not item.problem:
                records[item.index] = await self._bought(submission, item, facts)
        results = ResultsTask(
            job=submission.job,
            tenant=submission.tenant,
            chunk=chunk,
            records=[records[index] for index in sorted(records)],
            submitted_at=submission.submitted_at,
            schedule=submission.schedule,
        )
        written: WrittenResults = await ActivityEnvironment().run(self.books().write_results, results)
        assert sum(line.items for line in written.lines) == len(records)
        bought = [record for record in records.values() if record.call]
        assert sum(line.images for line in written.lines) == len(bought)

    async def _bought(self, submission: Submission, item: PlannedItem, facts: ImageFacts) -> ItemRecord:
        assert item.request
        key = image_key("shop", submission.job, item.names[0])
        await self.delivered.put_new(key, PICTURE, metadata={"imagemill-sha256": facts.sha256})
        sent = SentInputs([SentImage(await self._sent(name), "png") for name in item.request.images])
        call = CallRecord(
            reservation="r",
            call="c",
            model="m",
            images=[facts],
            cost_nano=1,
            request_sha256=await hash_of_sent(item.request, sent),
        )
        return ItemRecord(index=item.index, state="succeeded", call=call)

    async def _sent(self, reference: str) -> bytes:
        return await self.inputs.content("t", reference)

    def results(self, submission: Submission) -> list[ItemResult]:
        lines = self.control.data(results_key(submission.tenant, submission.job, 0)).splitlines()
        return [ItemResult.model_validate_json(line) for line in lines]


@pytest.fixture
def world() -> World:
    return World()


async def bought(world: World, *prompts: str, **said: Any) -> Submission:
    submission, _ = await world.plan(*prompts, **said)
    await world.buy(submission)
    return submission


async def test_what_was_bought_before_costs_nothing_and_links_to_the_earlier_image(world: World) -> None:
    first = await bought(world, "a chair", "a lamp")
    second, plan = await world.plan("a lamp", "a desk", "a chair", reuse="tenant")
    await world.buy(second)

    assert world.reused(second) == ["job_1", None, "job_1"]
    desk = world.planned(second)[1]
    assert plan.estimate
    assert (plan.estimate.reused, plan.estimate.high_nano) == (2, desk.maximum_nano)
    assert plan.chunks[0].maximum_nano == desk.maximum_nano
    assert plan.chunks[0].reused == 2
    lamp = world.results(second)[0]
    assert (lamp.state, lamp.cost_nano, lamp.attempts) == ("succeeded", 0, [])
    assert lamp.images == world.results(first)[1].images
    assert lamp.reused_from
    assert (lamp.custom_id, lamp.reused_from.job, lamp.reused_from.custom_id) == ("i0", "job_1", "i1")


async def test_who_does_not_ask_buys_everything(world: World) -> None:
    await bought(world, "a chair")
    second, plan = await world.plan("a chair")

    assert world.reused(second) == [None]
    assert plan.estimate
    assert (plan.estimate.reused, plan.estimate.high_nano > 0) == (0, True)


async def test_what_was_reused_and_is_reused_again_links_to_what_was_paid(world: World) -> None:
    await bought(world, "a chair")
    await bought(world, "a chair", reuse="tenant")
    third = await bought(world, "a chair", reuse="tenant")

    assert world.reused(third) == ["job_1"]
    assert len([key for key in world.control.written if key.startswith("reuse/")]) == 1


@pytest.mark.parametrize(
    ("asked", "had"),
    [({}, True), ({"quality": 80}, True), ({"quality": 30}, False), ({"fit": "contain"}, False)],
)
async def test_a_copy_is_taken_over_only_if_it_was_made_as_it_is_asked_for(
    world: World, asked: dict[str, Any], had: bool
) -> None:
    web = {"name": "web", "width": 16, "height": 16, "fit": "cover"}
    await bought(world, "a chair", renditions=[web])
    second = await bought(world, "a chair", renditions=[web | asked], reuse="tenant")

    [result] = world.results(second)
    assert result.reused_from
    assert list(result.images[0].renditions) == (["web"] if had else [])
    assert result.warnings == ([] if had else ["rendition_failed:web"])


@pytest.mark.parametrize("damaged", ["object", "hash", "item"])
async def test_what_is_damaged_in_the_index_is_bought_and_ends_no_job(world: World, damaged: str) -> None:
    await bought(world, "a chair")
    await bought(world, "a lamp")
    [_, key] = sorted(key for key in world.control.written if key.startswith("reuse/"))
    digest = gzip.decompress(world.control.data(key)).partition(b"\t")[0]
    bad = {"object": b"\x1f\x8b...", "hash": gzip.compress(b"x\t{}"), "item": gzip.compress(digest + b"\t{}")}
    await world.control.put(key, bad[damaged])
    third, plan = await world.plan("a chair", "a lamp", reuse="tenant")

    assert plan.failure is None
    assert world.reused(third) == [None, "job_2"]


async def test_the_newest_of_several_images_counts(world: World) -> None:
    await bought(world, "a chair")
    await bought(world, "a chair")
    third, _ = await world.plan("a chair", reuse="tenant")

    assert world.reused(third) == ["job_2"]


async def test_the_images_of_another_tenant_are_never_found(world: World) -> None:
    await bought(world, "a chair", tenant="other")
    mine, _ = await world.plan("a chair", reuse="tenant")

    assert world.reused(mine) == [None]


async def test_a_schedule_finds_what_its_own_runs_bought_and_tries_of_them(world: World) -> None:
    await bought(world, "a chair")
    await bought(world, "a lamp", run=RUN | {"schedule": "sched_2"})
    run = await bought(world, "a desk", run=RUN)
    retry = {"job": run.job, "states": ["succeeded"], "schedule": "sched_1"}
    again = world.submission(items=None, retry=retry)
    await world.plan_again(again)
    await world.buy(again)

    prompts = ("a chair", "a lamp", "a desk")
    same, _ = await world.plan(*prompts, reuse="schedule", run=RUN)
    anybody, _ = await world.plan(*prompts, reuse="tenant")
    assert world.reused(same) == [None, None, again.job]
    assert world.reused(anybody) == ["job_1", "job_2", again.job]


@pytest.mark.parametrize("lost", ["deleted", "replaced", "cut"])
async def test_an_image_that_is_not_there_as_it_was_is_bought_again(world: World, lost: str) -> None:
    await bought(world, "a chair", "a lamp")
    key = "shop/job_1/i0/1.png"
    data, facts = world.delivered.objects[key]
    if lost == "deleted":
        await world.delivered.delete(key)
    elif lost == "replaced":  # by one of the same size
        world.delivered.objects[key] = data, replace(facts, metadata={"imagemill-sha256": "cd" * 32})
    else:
        world.delivered.objects[key] = data[:-1], ObjectFacts(len(data) - 1, "image/png", facts.metadata)
    second, _ = await world.plan("a chair", "a lamp", reuse="tenant")

    assert world.reused(second) == [None, "job_1"]


async def test_a_store_that_is_away_is_no_reason_to_buy(world: World) -> None:
    await bought(world, "a chair")
    world.delivered.away = 1
    with pytest.raises(StoreUnavailable):
        await world.plan("a chair", reuse="tenant")


async def test_an_answer_in_another_format_is_bought_again(world: World) -> None:
    first, _ = await world.plan("a chair")
    await world.buy(first, facts=FACTS.model_copy(update={"format": "webp"}))
    second, _ = await world.plan("a chair", reuse="tenant")

    assert world.reused(second) == [None]


async def test_items_that_are_the_same_within_one_job_are_all_bought(world: World) -> None:
    first, plan = await world.plan("a chair", "a chair", reuse="tenant")

    assert world.reused(first) == [None, None]
    assert plan.chunks[0].maximum_nano == 2 * world.planned(first)[0].maximum_nano


async def test_a_cap_need_not_cover_what_is_not_bought(world: World) -> None:
    await bought(world, "a chair")
    _, free = await world.plan("a chair", reuse="tenant", cap_nano=1)
    _, mixed = await world.plan("a chair", "a desk", reuse="tenant", cap_nano=1)

    assert free.failure is None
    assert mixed.failure == "cap_too_low"


async def test_an_estimate_says_how_many_cost_nothing(world: World) -> None:
    await bought(world, "a chair", "a lamp")
    found = await world.estimate("a chair", "a lamp", "a desk", reuse="tenant")

    assert found.plan.estimate
    assert (found.plan.items, found.plan.estimate.reused) == (3, 2)
    assert found.cheapest_nano == found.plan.estimate.high_nano > 0


async def test_a_row_that_is_bad_stays_bad(world: World) -> None:
    await bought(world, "a chair", "a lamp")
    names = "{% if custom_id == 'i0' %}../{% endif %}{{ custom_id }}.{{ ext }}"
    second, plan = await world.plan("a chair", "a lamp", reuse="tenant", key=names)

    assert plan.invalid_rows == 1
    assert world.reused(second) == [None, "job_1"]


# --- tries ---------------------------------------------------------------------------------------


async def test_a_second_try_stands_by_what_the_first_one_decided(world: World) -> None:
    """Meanwhile one image was deleted, and another one bought elsewhere."""
    await bought(world, "a chair", "a lamp")
    second, before = await world.plan("a chair", "a lamp", "a desk", reuse="tenant")
    await world.delivered.delete("shop/job_1/i0/1.png")
    await bought(world, "a desk")

    assert await world.plan_again(second) == before
    assert world.reused(second) == ["job_1", "job_1", None]


async def test_a_second_try_decides_of_chunks_that_the_first_did_not_reach(world: World) -> None:
    prompts = [f"thing {n}" for n in range(501)]
    first, _ = await world.plan(*prompts)
    await world.buy(first, 0)
    await world.buy(first, 1)
    second, before = await world.plan(*prompts, reuse="tenant")
    assert [chunk.reused for chunk in before.chunks] == [500, 1]
    await world.control.delete(plan_key("t", second.job, 1))

    assert await world.plan_again(second) == before


async def test_a_chunk_that_lives_again_looks_for_no_image_of_what_was_reused(world: World) -> None:
    await bought(world, "a chair")
    second, _ = await world.plan("a chair", reuse="tenant")
    world.delivered.calls.clear()
    task = ChunkTask(job=second.job, tenant="t", chunk=0, recover=True)
    opened: OpenedChunk = await ActivityEnvironment().run(world.books().open_chunk, task)

    assert opened.records == [ItemRecord(index=0, state="succeeded", reused=True)]
    assert not world.delivered.calls


# --- input images --------------------------------------------------------------------------------


async def test_an_input_image_is_compared_by_its_bytes(world: World) -> None:
    other = "https://cdn.example/moved.png"
    world.site.found = {URL: PICTURE, other: PICTURE}
    await bought(world, items=edit(URL))
    same, _ = await world.plan(items=edit(other), reuse="tenant")
    world.site.found[other] = PICTURE + b"changed"
    changed, _ = await world.plan(items=edit(other), reuse="tenant")

    assert (world.reused(same), world.reused(changed)) == (["job_1"], [None])


async def test_an_address_of_many_items_is_fetched_once_a_plan(world: World) -> None:
    world.site.found = {URL: PICTURE}
    await world.plan(items=edit(URL, count=150), reuse="tenant")

    assert world.site.asked == [URL]


async def test_an_input_that_cannot_be_had_makes_the_item_one_that_is_bought(world: World) -> None:
    world.site.found = {URL: PICTURE}
    await bought(world, items=edit(URL))
    world.site.found = {URL: NotSent("input_unreachable")}
    second, plan = await world.plan(items=edit(URL), reuse="tenant")

    assert world.reused(second) == [None]
    assert plan.failure is None


async def test_a_moments_trouble_of_the_inputs_server_buys_nothing_again(world: World) -> None:
    world.site.found = {URL: PICTURE}
    await bought(world, items=edit(URL))
    world.site.stumbles = 3
    second, _ = await world.plan(items=edit(URL), reuse="tenant")

    assert world.reused(second) == ["job_1"]


async def test_a_server_that_lets_down_one_image_after_the_other_is_asked_no_more(world: World) -> None:
    urls = [f"https://shop.example/{number}.png" for number in range(4 * LOST_AFTER)]
    world.site.found = dict.fromkeys(urls, NotSent("input_unreachable"))
    items = [{"custom_id": url[-8:], "prompt": "a", "images": [url]} for url in urls]
    _, plan = await world.plan(items=items, reuse="tenant")

    assert plan.failure is None
    assert len(set(world.site.asked)) < 2 * LOST_AFTER


async def test_images_that_a_server_never_has_are_not_waited_for_one_by_one(world: World) -> None:
    urls = [f"https://shop.example/{number}.png" for number in range(3 * PATIENT_WITH)]
    world.site.found = {
        url: PICTURE if number % 4 == 0 else NotSent("input_unreachable") for number, url in enumerate(urls)
    }
    items = [{"custom_id": url[-8:], "prompt": "a", "images": [url]} for url in urls]
    _, plan = await world.plan(items=items, reuse="tenant")

    assert plan.failure is None
    # Each once, and three times more those that patience lasted for, with those then under way.
    assert len(urls) < len(world.site.asked) < len(urls) + 3 * (PATIENT_WITH + FETCHED_AT_ONCE)


@pytest.mark.parametrize("hashed", [True, False])
async def test_an_uploaded_file_is_known_by_the_hash_that_it_came_with(world: World, hashed: bool) -> None:
    """One that came in parts may have none, and is read."""
    world.site.found = {URL: PICTURE}
    await bought(world, items=edit(URL))
    await world.control.put(file_key("t", FILE), PICTURE)
    facts = {"id": FILE, "sha256": hashlib.sha256(PICTURE).hexdigest() if hashed else None}
    await world.control.put(facts_key("t", FILE), json.dumps(facts).encode())
    world.control.calls.clear()
    second, _ = await world.plan(items=edit(FILE), reuse="tenant")

    assert world.reused(second) == ["job_1"]
    assert (("get", file_key("t", FILE)) in world.control.calls) is not hashed


def edit(reference: str, count: int = 1) -> list[dict[str, Any]]:
    return [{"custom_id": f"e{n}", "prompt": "on a table", "images": [reference]} for n in range(count)]
