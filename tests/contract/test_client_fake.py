"""What the client's users see of the service, tried on the public fake and on the real one."""

import hashlib
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import pytest

from imagemill_client import (
    AsyncImagemill,
    AuthenticationError,
    Conflict,
    Imagemill,
    InvalidRequest,
    Job,
    JobStopped,
    NotFound,
)
from imagemill_client.params import ImageSettings, JobBody, NewItem, Spec
from imagemill_client.testing import FakeImagemill
from sandbox.stack import LocalStack, StackOptions

SMALL: ImageSettings = {"model": "gpt-image-2.5-flare", "size": "816x816", "quality": "low"}
CSV = b"Handle,Title\nchair,A red chair\nlamp,A brass lamp\n"


@dataclass
class World:
    """A service, clients of it, and the custom id and prompt of an item that it blocks."""

    client: Imagemill
    other: Callable[[str], Imagemill]
    asynchronous: Callable[[], AsyncImagemill]
    blocked: NewItem

    def submit(self, *names: str, budget: str = "5.00", **more: object) -> Job:
        return self.client.jobs.submit(items=items(*names), budget=budget, defaults=SMALL, **more)  # type: ignore[arg-type]


def items(*names: str) -> list[NewItem]:
    return [{"custom_id": name, "prompt": f"A picture of {name}"} for name in names]


@pytest.fixture(scope="session")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalStack]:
    options = StackOptions(data_dir=tmp_path_factory.mktemp("client"), speed=0.0)
    async with LocalStack(options) as stack:
        yield stack


@pytest.fixture(params=["fake", "real"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    blocked: NewItem = {"custom_id": "blocked", "prompt": "A lamp, forbidden-input"}
    if request.param == "fake":
        fake = FakeImagemill()
        fake.fail_item("blocked", state="blocked", code="moderation_blocked")
        with fake.client() as client:
            yield World(client, lambda key: fake.client(api_key=key), fake.async_client, blocked)
        return
    addresses = request.getfixturevalue("stack").addresses
    url, key = str(addresses.url), str(addresses.api_key)
    with Imagemill(url, key) as client:
        yield World(client, lambda other: Imagemill(url, other), lambda: AsyncImagemill(url, key), blocked)


def test_a_job_is_submitted_waited_for_and_paid(world: World) -> None:
    job = world.submit("chair", "lamp", name="spring", metadata={"shop": "berlin"})
    assert job.id.startswith("job_")
    job.wait(60)

    status = job.status
    assert (job.state, status.name, status.metadata) == ("completed", "spring", {"shop": "berlin"})
    assert (status.items.total, status.items.succeeded, status.images) == (2, 2, 2)
    assert Decimal(0) < status.cost.settled_usd <= status.cost.limit_usd == Decimal(5)
    assert status.started_at
    assert status.ended_at
    assert status.created_at <= status.started_at <= status.ended_at
    report = job.report()
    assert (report.job, report.state, report.settled_usd) == (job.id, "completed", status.cost.settled_usd)
    assert [(line.state, line.items) for line in report.lines] == [("succeeded", 2)]


def test_each_item_comes_once_with_its_picture(world: World, tmp_path: Path) -> None:
    names = [f"shoes/{n}" for n in range(12)]
    job = world.submit(*names)
    got = {item.custom_id: item for item in job.items(60)}
    assert sorted(got) == sorted(names)
    assert [item.custom_id for item in job.results()] == names

    done = job.download(tmp_path, "{custom_id}-{n}.{ext}")
    assert len(done) == 12
    for one in done:
        (image,) = got[one.custom_id].images
        assert hashlib.sha256(one.path.read_bytes()).hexdigest() == image.sha256
    assert not any(each.fetched for each in job.download(tmp_path, "{custom_id}-{n}.{ext}"))
    assert job.image(names[3]) == (tmp_path / f"shoes/3-1.{got[names[3]].images[0].format}").read_bytes()
    one_item = job.item(names[3])
    assert (one_item.state, len(one_item.attempts)) == ("succeeded", 1)
    first = job.page(limit=5)
    assert len(first.data) == 5
    assert [item.custom_id for item in job.page(after=first.goes_on_after).data] == names[5:]


def test_the_same_key_is_the_same_job_and_never_another(world: World) -> None:
    key = str(uuid4())
    first = world.submit("chair", idempotency_key=key)
    again = world.submit("chair", idempotency_key=key)
    with pytest.raises(InvalidRequest) as met:
        world.submit("lamp", idempotency_key=key)

    assert first.id == again.id
    assert met.value.type == "/problems/idempotency-key-reused"
    assert world.submit("chair").id != world.submit("chair").id


def test_what_is_wrong_is_named(world: World) -> None:
    with pytest.raises(InvalidRequest) as met:
        world.client.jobs.submit(items=[{"custom_id": "1"}], budget="1.00")  # type: ignore[typeddict-item]

    assert met.value.status == 422
    assert "/items/0/prompt" in [place.pointer for place in met.value.problems]


def test_what_is_not_there_is_not_found(world: World) -> None:
    nothing = "job_00000000000000000000000000"
    jobs = world.client.jobs
    for ask in (jobs.get, jobs.wait, jobs.report, jobs.cancel, lambda job: list(jobs.items(job))):
        with pytest.raises(NotFound):
            ask(nothing)
    with pytest.raises(NotFound):
        world.submit("chair").item("lamp")


def test_another_key_is_no_key(world: World) -> None:
    with world.other("im_00000000_wrong") as client, pytest.raises(AuthenticationError):
        client.jobs.get("job_1")


def test_a_cap_holds_a_job_until_it_is_raised(world: World) -> None:
    job = world.submit("a", "b", "c", "d", budget="0.02")
    with pytest.raises(JobStopped, match=r"held \(budget\)"):
        job.wait(60, raise_on={"held"})
    hold = job.refresh().status.hold
    assert hold
    assert hold.code == "budget"
    job.update(budget="1.00", priority=1)
    job.wait(60)

    assert (job.state, job.status.items.succeeded, job.status.priority) == ("completed", 4, 1)


def test_a_held_job_can_be_cancelled_and_what_has_ended_stays(world: World) -> None:
    job = world.submit("a", "b", "c", "d", budget="0.02")
    with pytest.raises(JobStopped):
        job.wait(60, raise_on={"held"})
    with pytest.raises(Conflict, match="has not ended"):
        job.report()
    job.cancel()
    job.wait(60)

    assert job.state == "cancelled"
    assert job.cancel().state == "cancelled"
    assert 1 <= job.status.items.succeeded < 4
    assert len(list(job.items())) == 4
    for change in (job.pause, job.resume, lambda: job.update(priority=2)):
        with pytest.raises(Conflict):
            change()


def test_a_paused_job_waits_for_its_caller(world: World) -> None:
    # Held by its cap before it is paused, so that it can't have ended meanwhile.
    job = world.submit("a", "b", "c", "d", budget="0.02")
    with pytest.raises(JobStopped):
        job.wait(60, raise_on={"held"})
    job.pause()
    with pytest.raises(JobStopped):
        job.wait(60, raise_on={"paused"})
    job.update(budget="1.00")
    job.resume()

    assert job.wait(60).state == "completed"


def test_what_was_blocked_is_tried_again_as_another_job(world: World) -> None:
    job = world.client.jobs.submit(items=[*items("chair"), world.blocked], budget="1.00", defaults=SMALL)
    with pytest.raises(JobStopped, match="completed_with_errors"):
        job.wait(60, raise_on={"completed_with_errors"})
    (bad,) = job.results(state="blocked")
    child = job.retry(budget="0.50", states=["blocked"]).wait(60)

    assert bad.error
    assert bad.custom_id == "blocked"
    assert (child.status.retry_of, child.status.items.total, child.status.items.blocked) == (job.id, 1, 1)


def test_an_estimate_starts_nothing(world: World) -> None:
    told = world.client.jobs.validate(items=items("chair", "lamp"), budget="1.00", defaults=SMALL)

    assert (told.items, told.enough, told.failure) == (2, "surely", None)
    assert Decimal(0) < told.estimate.low_usd <= told.estimate.high_usd <= told.limit_usd


def test_jobs_are_found_again(world: World) -> None:
    mark = str(uuid4())
    mine = world.submit("chair", name=f"found-{mark}", metadata={"mark": mark})
    world.submit("chair", name=f"other-{mark}")
    found: list[str] = []
    while not found:  # a job that was submitted a moment ago may be missing for a second or two
        found = [line.id for line in world.client.jobs.list(metadata={"mark": mark}, page_size=1)]
        time.sleep(0 if found else 0.2)

    assert found == [mine.id]
    assert world.client.jobs.get(mine.id).status.name == f"found-{mark}"


def test_a_catalog_becomes_a_job_with_variants(world: World) -> None:
    file = world.client.files.upload(CSV, filename="catalog.csv")
    job = world.client.jobs.submit(
        manifest={
            "file_id": file.id,
            "format": "csv",
            "id": "{{ row.Handle }}",
            "prompt": "Photo of {{ row.Title }}",
            "variants": [{"name": "a"}, {"name": "b"}],
        },
        budget="1.00",
        defaults=SMALL,
    ).wait(60)

    assert [(item.custom_id, item.variant) for item in job.results()] == [
        ("chair", "a"), ("chair", "b"), ("lamp", "a"), ("lamp", "b"),
    ]  # fmt: skip
    assert job.item("lamp", variant="b").variant == "b"
    with pytest.raises(InvalidRequest, match="variant"):
        job.item("lamp")


@pytest.mark.parametrize("size", [1000, 16 * 1024 * 1024 + 17])
def test_files_are_kept_listed_and_deleted(world: World, size: int) -> None:
    data, files = bytes(size), world.client.files
    file = files.upload(data, filename="data.bin")

    assert (file.bytes, file.sha256) == (size, hashlib.sha256(data).hexdigest())
    assert files.get(file.id).filename == "data.bin"
    assert file.id in [each.id for each in files.list()]
    assert files.content(file.id) == data
    files.delete(file.id)
    with pytest.raises(NotFound):
        files.get(file.id)


def test_events_tell_of_a_job_until_it_has_ended(world: World) -> None:
    job = world.submit("chair")
    seen = list(job.events(60))

    assert seen[-1].state == "completed"
    assert all(not status.ended for status in seen[:-1])


def test_spending_models_and_webhooks_are_told_of(world: World) -> None:
    job = world.submit("chair").wait(60)
    usage = world.client.usage()
    names = [model.id for model in world.client.models.list()]
    secret = world.client.webhooks.secret()

    assert usage.settled_usd >= Decimal(0)
    assert SMALL["model"] in names
    model = world.client.models.get(SMALL["model"])
    assert model.available
    assert secret.secret.startswith("whsec_")
    assert secret.secret not in repr(secret)
    assert list(world.client.webhooks.deliveries(job=job.id)) == []
    assert list(world.client.webhooks.disabled()) == []


async def test_the_asynchronous_client_does_the_same(world: World, tmp_path: Path) -> None:
    async with world.asynchronous() as client:
        job = await client.jobs.submit(items=items("chair", "lamp"), budget="1.00", defaults=SMALL)
        got = [item.custom_id async for item in job.items(60)]
        done = await job.download(tmp_path)
        await job.wait(60)

    assert sorted(got) == ["chair", "lamp"]
    assert len(done) == 2
    assert job.state == "completed"


def test_a_schedule_is_kept_changed_run_and_deleted(world: World) -> None:
    schedules, spec = world.client.schedules, Spec(cron=["0 6 * * 1"], time_zone="Europe/Berlin")
    body: JobBody = {"items": items("chair"), "defaults": SMALL, "budget": {"limit_usd": "1.00"}}
    key = str(uuid4())
    made = schedules.create(
        name="weekly", spec=spec, job=body, paused=True, note="not yet", idempotency_key=key
    )

    assert (made.name, made.state, made.note, made.overlap) == ("weekly", "paused", "not yet", "skip")
    assert (
        schedules.create(
            name="weekly", spec=spec, job=body, paused=True, note="not yet", idempotency_key=key
        ).id
        == made.id
    )
    assert made.id in [each.id for each in schedules.list()]
    assert schedules.update(made.id, name="each week").name == "each week"
    assert schedules.resume(made.id, note="now").state == "active"
    assert schedules.pause(made.id).state == "paused"
    run = schedules.trigger(made.id)
    job = until_there(world, run.job).wait(60)
    (listed,) = schedules.runs(made.id)
    assert (listed.job, listed.number, listed.state) == (job.id, 1, "completed")
    assert listed.counts
    assert listed.counts.succeeded == 1
    last = schedules.get(made.id).last_run
    assert last
    assert last.job == job.id
    schedules.delete(made.id)
    with pytest.raises(NotFound):
        schedules.get(made.id)


def until_there(world: World, job: str) -> Job:
    while True:  # a run that was triggered a moment ago
        try:
            return world.client.jobs.get(job)
        except NotFound:
            time.sleep(0.2)


def test_a_thumbnail_is_an_image(world: World) -> None:
    job = world.submit("chair").wait(60)
    small, whole = job.image("chair", rendition="thumbnail"), job.image("chair")

    assert small
    assert len(small) <= len(whole)
    with pytest.raises(NotFound):
        job.image("chair", rendition="nothing")
