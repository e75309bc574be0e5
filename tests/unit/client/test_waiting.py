"""Waiting for jobs, and items as they finish."""

from collections import Counter
from datetime import UTC, datetime

import httpx2
import pytest

from imagemill_client import ConnectionFailed, JobStopped, WaitTimeout
from imagemill_client._core import items as core_items
from imagemill_client.params import NewItem
from imagemill_client.testing import FakeImagemill, FakeJob
from tests.unit.client.scripted import Scripted


def items(count: int) -> list[NewItem]:
    return [{"custom_id": f"sku-{n}", "prompt": f"A chair {n}"} for n in range(count)]


def test_a_job_is_waited_for_over_a_restart() -> None:
    fake = FakeImagemill()
    with fake.client(max_retries=0) as client:
        job = client.jobs.submit(items=items(3), budget="1.00")
        fake.trouble("unreachable", 5)
        fake.trouble("away", 3)
        fake.trouble("limited", 2)
        fake.trouble("unanswered", 2)
        assert job.wait() is job

    assert job.state == "completed"


def test_a_service_that_never_comes_back_is_an_error() -> None:
    service = Scripted(*[httpx2.ConnectError("x")] * 100)
    with service.client() as client, pytest.raises(ConnectionFailed):
        client.jobs.wait("job_1")

    assert 120 < service.now < 600


def test_a_wait_ends_when_its_time_is_over() -> None:
    fake = FakeImagemill(per_poll=0)
    with fake.client() as client:
        job = client.jobs.submit(items=items(1), budget="1.00")
        with pytest.raises(WaitTimeout, match="within 90 seconds; it goes on") as met:
            job.wait(90)

    assert isinstance(met.value, TimeoutError)
    assert 89 <= fake.clock() <= 91


@pytest.mark.parametrize("trouble", ["unreachable", "away"])
def test_a_wait_ends_in_time_while_the_service_is_away(trouble: str) -> None:
    service = Scripted(
        *[httpx2.ConnectError("x") if trouble == "unreachable" else httpx2.Response(503)] * 100
    )
    with service.client() as client, pytest.raises(WaitTimeout):
        client.jobs.wait("job_1", 30)

    assert 29 <= service.now <= 31


def test_the_service_is_asked_to_keep_its_answer_until_something_changes() -> None:
    fake = FakeImagemill(per_poll=0)
    with fake.client() as client:
        job = client.jobs.submit(items=items(1), budget="1.00")
        with pytest.raises(WaitTimeout):
            job.wait(60)
    polls = [each.headers for each in fake.requests if each.method == "GET"]

    assert "prefer" not in polls[0]
    assert polls[1]["prefer"] == "wait=25"
    assert polls[1]["if-none-match"]
    assert len(polls) <= 6


@pytest.mark.parametrize("state", ["held", "paused", "failed", "cancelled", "completed_with_errors"])
def test_a_state_is_an_error_where_the_caller_says_so(state: str) -> None:
    fake = FakeImagemill()
    fake.fail_item("sku-0")
    ways = {
        "held": fake.hold,
        "cancelled": fake.cancel,
        "failed": lambda job: fake.fail(job, "unknown_model"),
    }
    fake.on_submit(ways.get(state, lambda _: None))
    with fake.client() as client:
        job = client.jobs.submit(items=items(1), budget="1.00")
        if state == "paused":
            job.pause()
        with pytest.raises(JobStopped, match=f"is {state}") as met:
            job.wait(raise_on={state})

    assert (met.value.job, met.value.state) == (job.id, state)


def test_a_held_job_is_waited_for_until_somebody_raises_its_cap() -> None:
    fake = FakeImagemill()
    seen: list[str] = []

    def raise_the_cap(job: FakeJob) -> None:
        seen.append(job.state)
        if seen.count("held") == 3:
            other.jobs.update(job.id, budget="1.00")

    fake.on_poll(raise_the_cap)
    with fake.client() as client, fake.client() as other:
        job = client.jobs.submit(items=items(4), budget="0.02").wait()

    assert (job.state, job.status.items.succeeded) == ("completed", 4)


def test_who_waits_for_what_never_comes_is_told_so() -> None:
    fake = FakeImagemill(per_poll=0)
    with fake.client() as client, pytest.raises(AssertionError, match=r"job_0*1 is queued"):
        client.jobs.submit(items=items(1), budget="1.00").wait()


def test_events_are_the_changes_of_a_job() -> None:
    fake = FakeImagemill()
    with fake.client() as client:
        job = client.jobs.submit(items=items(3), budget="1.00")
        seen = [(status.state, status.items.done) for status in job.events()]

    assert seen == [("running", 0), ("running", 1), ("running", 2), ("completed", 3)]


@pytest.mark.parametrize("page", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("per_poll", [1, 3, 20])
def test_each_item_comes_once_as_it_finishes_whatever_breaks(
    page: int, per_poll: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core_items, "PAGE", page)
    fake = FakeImagemill(per_poll=per_poll)
    fake.fail_item("sku-5")
    got: Counter[str] = Counter()
    with fake.client() as client:
        job = client.jobs.submit(items=items(20), budget="1.00")
        for number, item in enumerate(job.items()):
            got[item.custom_id] += 1
            if not job.refresh().ended:
                assert number < job.status.items.done
            fake.trouble("unanswered" if number % 2 else "unreachable")

    assert got == {f"sku-{n}": 1 for n in range(20)}


def test_items_that_end_in_disorder_come_once_too() -> None:
    fake = FakeImagemill(per_poll=0)
    order = [7, 2, 9, 0, 5, 1, 3, 8, 4, 6]
    left = list(order)

    def end_one(job: FakeJob) -> None:
        if job.state == "queued":
            fake.set_state(job, "running")
        elif left:
            job.items[left.pop(0)].state = "succeeded"
            fake.changed(job)
        if not left and not job.ended:
            fake.set_state(job, "completed")

    fake.on_poll(end_one)
    with pytest.MonkeyPatch.context() as patch, fake.client() as client:
        patch.setattr(core_items, "PAGE", 3)
        job = client.jobs.submit(items=items(10), budget="1.00")
        got = [item.custom_id for item in job.items()]

    assert sorted(got) == sorted(f"sku-{n}" for n in order)
    assert got[:4] == [f"sku-{n}" for n in order[:4]]


def test_two_items_of_one_id_are_two_items() -> None:
    """Rows of a feed that name an id twice: one is bought, the other one fails, and both are told of."""
    fake = FakeImagemill()
    twice = [*items(2), *items(2)]
    with fake.client() as client:
        got = [item.custom_id for item in client.jobs.submit(items=twice, budget="1.00").items()]

    assert got == ["sku-0", "sku-1", "sku-0", "sku-1"]


def test_pages_whose_items_have_ended_are_not_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core_items, "PAGE", 10)
    fake = FakeImagemill(per_poll=10)
    with fake.client() as client:
        job = client.jobs.submit(items=items(100), budget="10.00")
        assert len(list(job.items())) == 100
    asked = [each for each in fake.requests if each.path.endswith("/items")]

    assert len(asked) <= 30, "a page is read when it ends, and once more at most"


def test_results_are_those_of_now_and_do_not_wait() -> None:
    fake = FakeImagemill(per_poll=0)
    fake.fail_item("sku-1")
    with fake.client() as client:
        job = client.jobs.submit(items=items(10), budget="1.00")
        fake.run(job, 4)
        assert [item.custom_id for item in job.results()] == ["sku-0", "sku-1", "sku-2", "sku-3"]
        assert [item.custom_id for item in job.results(state="failed")] == ["sku-1"]
        assert len(job.page(limit=7).data) == 7


async def test_the_asynchronous_shell_iterates_and_waits() -> None:
    fake = FakeImagemill()
    async with fake.async_client() as client:
        job = await client.jobs.submit(items=items(5), budget="1.00")
        fake.trouble("unanswered", 3)
        got = [item.custom_id async for item in job.items()]
        await job.wait()
        listed = [line.id async for line in client.jobs.list()]

    assert got == [f"sku-{n}" for n in range(5)]
    assert listed == [job.id]


def test_what_is_unknown_to_this_version_is_kept() -> None:
    fake = FakeImagemill()
    with fake.client() as client:
        job = client.jobs.submit(items=items(1), budget="1.00")
        said = job.status.model_dump_json()[:-1] + ', "state": "polishing", "shine": {"level": 3}}'
    service = Scripted(httpx2.Response(200, text=said))
    with service.client() as client:
        status = client.jobs.get("job_1").status

    assert status.state == "polishing"
    assert not status.ended
    assert status.unknown["shine"] == {"level": 3}
    assert status.created_at == datetime(2026, 1, 1, tzinfo=UTC)
