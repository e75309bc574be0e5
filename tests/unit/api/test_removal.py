"""A tenant that the file says is removed: what its keys open, and what becomes of what it has left."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest

from api.app import make_app
from api.context import Context
from api.keys import Keyring
from api.removal import BUSY_SECONDS, QUIET_SECONDS, Removal
from imagemill.domain.job import JobSummary
from imagemill.domain.messages import Times
from imagemill.domain.places import schedule_key
from imagemill.domain.schedules import Schedule
from imagemill.ports import ScheduleChange
from imagemill.tenants import Tenants
from tests.fakes.engine import MemoryEngine
from tests.fakes.schedules import MemorySchedules
from tests.fakes.store import MemoryStore
from tests.unit.api.bodies import BODY, KEY
from tests.unit.api.test_webhooks import NOW

REMOVED = "[tenants.t]\nremoved = true\n"
DAILY = Schedule.model_validate(
    {
        "id": "sched_1",
        "tenant": "t",
        "name": "s",
        "spec": {"cron": ["0 6 * * *"]},
        "job": {},
        "template": {
            "job": "",
            "tenant": "t",
            "submitted_at": NOW,
            "cap_nano": 1,
            "items": [],
            "defaults": {},
        },
        "created_at": NOW,
    }
)


class Clock:
    """Stands until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def say(file: Path, text: str) -> None:
    file.write_text(text)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tenants.toml"
    path.write_text(REMOVED)
    return path


@pytest.fixture
def parts(parts: Context, file: Path) -> Context:
    tenants = Tenants(file)
    return replace(parts, tenants=tenants, keys=Keyring(tenants, KEY, "t"))


@pytest.fixture
async def running(engine: MemoryEngine) -> None:
    for job, tenant in (("job_a", "t"), ("job_b", "t"), ("job_c", "other")):
        engine.summaries[job] = JobSummary(
            tenant=tenant, state="running", submitted_at=datetime.now(UTC), cap_nano=1
        )


async def test_its_keys_read_and_do_nothing_else(parts: Context, file: Path) -> None:
    transport = httpx2.ASGITransport(app=make_app(parts))
    headers = {"authorization": f"Bearer {KEY}"}
    async with httpx2.AsyncClient(transport=transport, base_url="http://api", headers=headers) as http:
        read = await http.get("/v1/jobs")
        refused = [await http.post("/v1/jobs", json=BODY), await http.post("/v1/jobs/job_a/resume")]
        say(file, "")
        parts.tenants.look()
        again = await http.post("/v1/jobs", json=BODY)

    assert read.status_code == 200
    assert [(each.status_code, each.json()["type"]) for each in refused] == [
        (403, "/problems/tenant-removed")
    ] * 2
    assert "tenant t was removed" in refused[0].json()["detail"]
    assert again.status_code == 202


async def test_its_jobs_are_cancelled_and_then_its_accounts_closed(
    parts: Context, engine: MemoryEngine, running: None
) -> None:
    clock = Clock()
    removal = Removal(parts, clock)
    await removal.look()
    assert (sorted(engine.cancelled), engine.closed) == (["job_a", "job_b"], [])

    await removal.look()
    assert len(engine.cancelled) == 2  # it is not asked for again at once
    clock.now += BUSY_SECONDS
    del engine.summaries["job_a"], engine.summaries["job_b"]
    await removal.look()
    assert engine.closed == [("t", None)]
    clock.now += QUIET_SECONDS
    await removal.look()
    assert len(engine.closed) == 2  # a job may have been submitted where an older file lay


async def test_its_schedules_are_paused_once_and_left_to_whoever_resumes_them_later(
    parts: Context, control: MemoryStore, engine: MemoryEngine
) -> None:
    schedules = parts.schedules
    assert isinstance(schedules, MemorySchedules)
    await control.put(schedule_key("t", DAILY.id), DAILY.model_dump_json().encode())
    await schedules.create(DAILY, Times())
    await schedules.change(DAILY, Times(), ScheduleChange(paused=False, note=None))
    await Removal(parts, Clock()).look()

    facts = await schedules.describe(DAILY.id)
    assert facts
    assert (facts.paused, facts.note) == (True, "the tenant was removed")
    assert engine.closed == [("t", None), ("t", DAILY.id)]


async def test_an_engine_that_is_away_is_tried_again(
    parts: Context, engine: MemoryEngine, running: None
) -> None:
    clock = Clock()
    removal = Removal(parts, clock)
    engine.away = 1
    await removal.look()
    assert engine.cancelled == []
    clock.now += BUSY_SECONDS
    await removal.look()
    assert sorted(engine.cancelled) == ["job_a", "job_b"]


async def test_a_table_that_is_gone_cancels_nothing(
    parts: Context, engine: MemoryEngine, running: None, file: Path
) -> None:
    say(file, "")
    await Removal(parts, Clock()).look()

    assert (engine.cancelled, engine.closed) == ([], [])
