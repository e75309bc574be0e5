"""A time of a schedule becomes a job, the same one however often and by whomever it is asked for."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities.runs import Runs
from imagemill.domain.catalogue import Catalogue
from imagemill.domain.job import InlineItem, Submission
from imagemill.domain.messages import Times
from imagemill.domain.places import (
    report_key,
    request_key,
    run_number_key,
    runs_prefix,
    schedule_key,
    webhook_key,
)
from imagemill.domain.pools import Pools
from imagemill.domain.request import ImageSettings
from imagemill.domain.run_messages import PreparedRun, RunTask
from imagemill.domain.schedules import RunRecord, Schedule, Spec, job_of
from imagemill.domain.tenant import Caps
from imagemill.starting import Starter
from imagemill.tenants import Tenants
from tests.fakes.store import MemoryStore

ID = "sched_" + "0" * 26
AT = datetime(2026, 11, 16, 5, tzinfo=UTC)
CAPS = Caps(day_nano=10**12)


def schedule(**said: Any) -> Schedule:
    submission: dict[str, Any] = {
        "items": [InlineItem(custom_id="a", prompt="a red chair")],
        "defaults": ImageSettings(model="gpt-image-2.5-flare", size="1024x1024", quality="low"),
        "name": "weekly",
        "cap_nano": 10**9,
    } | said.pop("template", {})
    template = Submission(job="", tenant="t", submitted_at=AT, **submission)
    spec = Spec(cron=["0 6 * * 1"], time_zone="Europe/Berlin")
    known = Schedule(id=ID, tenant="t", name="s", spec=spec, job={}, template=template, created_at=AT)
    return known.model_copy(update=said)


async def kept(store: MemoryStore, **said: Any) -> None:
    await store.put(schedule_key("t", ID), schedule(**said).model_dump_json().encode())


async def prepare(
    store: MemoryStore, weeks: int = 0, caps: Caps = CAPS, tenants: Tenants | None = None
) -> PreparedRun:
    starter = Starter(
        catalogue=Catalogue.load(),
        pools=Pools.single(),
        tenants=tenants or Tenants(),
        times=Times(),
        window=100,
        chunks_at_once=4,
    )
    task = RunTask(schedule=ID, tenant="t", at=AT + timedelta(weeks=weeks))
    return await ActivityEnvironment().run(Runs(store, starter, caps).prepare, task)


def request(store: MemoryStore, job: str) -> Submission:
    return Submission.model_validate_json(store.data(request_key("t", job)))


def listed(store: MemoryStore) -> list[RunRecord]:
    keys = [key for key in store.written if key.startswith(runs_prefix("t", ID))]
    return [RunRecord.model_validate_json(store.data(key)) for key in keys]


async def test_a_run_is_written_down_and_started_like_a_submission() -> None:
    store = MemoryStore()
    await kept(store, webhook_url="https://example.com/x", template={"webhook_events": ["job.completed"]})

    run = await prepare(store)

    submission = request(store, run.job)
    assert run.job == job_of(ID, AT) == submission.job
    assert submission.run
    assert (submission.run.number, submission.run.at, submission.run.time_zone) == (1, AT, "Europe/Berlin")
    assert run.start
    assert (run.start.place.schedule, run.start.place.account) == (ID, "account/t")
    assert run.start.summary.name == "weekly"
    assert run.start.first_ask_nano > 0
    assert run.start.webhook_events == ["job.completed"]
    assert json.loads(store.data(webhook_key("t", run.job)))["url"] == "https://example.com/x"
    [record] = listed(store)
    assert (record.number, record.job, record.at) == (1, run.job, AT)


async def test_what_is_repeated_finds_what_was_written_even_if_the_schedule_has_changed_since() -> None:
    store = MemoryStore()
    await kept(store)
    first = await prepare(store)
    before = dict(store.objects)
    await kept(store, template={"name": "other"})

    again = await prepare(store)

    assert again == first
    assert store.objects | {schedule_key("t", ID): before[schedule_key("t", ID)]} == before


async def test_any_lost_answer_is_made_good_by_a_second_try() -> None:
    for lost in range(1, 4):
        store = MemoryStore()
        await kept(store)
        store.lost_answers = lost
        for _ in range(lost + 1):
            try:
                run = await prepare(store)
            except Exception:  # noqa: BLE001 - as the engine tries again
                continue
        assert run.number == 1, "a number that was claimed before is used"
        assert [record.number for record in listed(store)] == [1]


async def test_a_claimed_number_is_found_behind_later_ones() -> None:
    store = MemoryStore()
    await kept(store)
    job = job_of(ID, AT)
    for number in range(1, 31):
        await store.put(run_number_key("t", ID, number), (job if number == 7 else f"job_{number}").encode())

    assert (await prepare(store)).number == 7
    assert (await prepare(store, weeks=1)).number == 31


async def test_runs_that_are_prepared_at_once_have_numbers_of_their_own() -> None:
    store = MemoryStore()
    await kept(store)

    runs = await asyncio.gather(*(prepare(store, weeks) for weeks in range(8)))

    assert sorted(run.number for run in runs) == list(range(1, 9))
    assert len({run.job for run in runs}) == 8


async def test_several_workers_that_prepare_one_time_agree() -> None:
    store = MemoryStore()
    await kept(store)

    runs = await asyncio.gather(*(prepare(store) for _ in range(5)))

    assert len({run.model_dump_json() for run in runs}) == 1
    assert len(listed(store)) == 1


async def test_a_job_that_has_ended_is_not_started_again_when_the_engine_has_forgotten_it() -> None:
    store = MemoryStore()
    await kept(store)
    first = await prepare(store)
    await store.put(report_key("t", first.job), b"{}")

    again = await prepare(store)

    assert (again.job, again.start, again.problem) == (first.job, None, None)


@pytest.mark.parametrize("gone", ["missing", "deleted"])
async def test_a_deleted_schedule_has_no_run(gone: str) -> None:
    store = MemoryStore()
    if gone == "deleted":
        await kept(store, deleted_at=AT)

    run = await prepare(store)

    assert (run.start, run.problem) == (None, "the schedule has been deleted")
    assert not listed(store)


async def test_a_tenant_that_has_lost_its_cap_gets_a_job_that_fails_and_says_so() -> None:
    store = MemoryStore()
    await kept(store)

    run = await prepare(store, caps=Caps())

    assert "has no cap" in str(request(store, run.job).refused)
    assert run.start
    assert (run.start.place.account, run.start.place.schedule, run.start.first_ask_nano) == (None, None, 0)


@pytest.mark.parametrize(
    "template",
    [
        {"defaults": ImageSettings(model="gone")},
        {"pools": ["gone"]},
        {"prices_nano": {"gpt-image-2": 5}},
    ],
)
async def test_what_is_gone_since_ends_in_a_job_and_not_in_endless_tries(template: dict[str, Any]) -> None:
    store = MemoryStore()
    await kept(store, template=template)

    run = await prepare(store)

    assert run.start
    submission = request(store, run.job)
    assert not submission.prices_nano, "the catalogue has a price now"
    assert (submission.refused is not None) == ("pools" in template)


async def test_a_tenant_that_was_removed_has_no_runs(tmp_path: Path) -> None:
    store, file = MemoryStore(), tmp_path / "tenants.toml"
    file.write_text("[tenants.t]\nremoved = true\n")
    await kept(store)

    prepared = await prepare(store, tenants=Tenants(file))

    assert (prepared.problem, prepared.start) == ("the tenant was removed", None)
    assert listed(store) == []
