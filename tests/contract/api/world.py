"""Two tenants' applications over one store and one engine, and what the first of them has made."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import uvicorn

from api.app import make_app
from api.context import Context
from api.keys import Keyring, hash_key
from api.receiving import FileFacts, note
from api.uploads import Upload
from imagemill.domain.catalogue import Catalogue
from imagemill.domain.ids import new_id
from imagemill.domain.item import Attempt, DeliveredImage, ItemResult, PlannedItem
from imagemill.domain.job import Counts, JobSummary, Progress, Report, ReportLine, Submission
from imagemill.domain.messages import Estimated, Plan, Times
from imagemill.domain.places import (
    bad_rows_key,
    file_key,
    plan_index_key,
    plan_key,
    report_key,
    request_key,
    results_key,
    run_key,
    schedule_key,
    upload_key,
)
from imagemill.domain.pricing import Estimate
from imagemill.domain.request import ImageSettings
from imagemill.domain.schedules import RunRecord, Schedule, Spec
from imagemill.domain.tenant import Caps
from imagemill.settings import WorkSettings
from imagemill.tenants import Tenants
from imagemill.webhook_log import Delivery, WebhookLog
from tests.fakes.engine import MemoryEngine
from tests.fakes.schedules import MemorySchedules
from tests.fakes.store import MemoryStore

OURS, THEIRS = "im_ours_0123456789abcdef", "im_theirs_0123456789abcdef"
"""The keys of the two tenants."""

FILE = "file_" + "0" * 26
UPLOAD = "upload_69RHKWJ1001111111111111111"
"""An upload lasts a day: it was begun in the year 9000."""
RUNNING, ENDED = "job_" + "1" * 26, "job_" + "2" * 26
VALIDATION = "validation_" + "1" * 26
EVENT = "evt_" + "1" * 32
SCHEDULE = "sched_" + "1" * 26
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class World:
    """What both tenants' applications are made of."""

    ours: Context
    theirs: Context
    engine: MemoryEngine


async def world() -> World:
    """A world in which our tenant has a file, a running job and one that has ended; theirs has nothing.

    Either tenant's key may do what an operator's may.
    """
    control, engine = MemoryStore(), MemoryEngine()
    ours = Context(
        control=control,
        delivery=MemoryStore(),
        engine=engine,
        catalogue=Catalogue.load(),
        work=WorkSettings(),
        times=Times(),
        prefix="",
        keys=Keyring(Tenants(), OURS, "ours"),
        admin_sha256=hash_key(OURS),
        caps=Caps(day_nano=10**15),
        schedules=MemorySchedules(),
    )
    await control.put(file_key("ours", FILE), b"Handle,Title\nchair,Chair\n")
    facts = FileFacts(id=FILE, bytes=25, filename="shop.csv", content_type="text/csv")
    await note(control, "ours", facts)
    await _begin(control)
    await control.put(bad_rows_key("ours", VALIDATION), b'{"line":2,"custom_id":"x","detail":"y"}\n')
    await _schedule(ours)
    delivery = Delivery(event=EVENT, job=ENDED, type="job.completed", host="hooks.example", created_at=NOW)
    await WebhookLog(control, "ours").open(delivery, b"{}")
    for job in (RUNNING, ENDED):
        await _plan(control, engine, job)
    await _end(control, engine, ENDED)
    engine.estimated = Estimated(plan=Plan(items=1, estimate=Estimate(high_nano=5)), problems=[])
    theirs = replace(ours, keys=Keyring(Tenants(), THEIRS, "theirs"), admin_sha256=hash_key(THEIRS))
    return World(ours, theirs, engine)


@contextmanager
def served(context: Context) -> Iterator[str]:
    """An application on a port of its own; its address."""
    server = uvicorn.Server(uvicorn.Config(make_app(context), log_config=None, lifespan="off"))
    with socket.create_server(("127.0.0.1", 0)) as listening:  # who comes before the server waits
        running = threading.Thread(target=server.run, args=([listening],))
        running.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            running.join()


async def _begin(control: MemoryStore) -> None:
    """An upload that has a part."""
    file_id = new_id("file")
    begun = await control.begin_parts(file_key("ours", file_id), content_type="text/csv")
    await control.put_part(file_key("ours", file_id), begun, 1, b"Handle,Title\n")
    upload = Upload(id=UPLOAD, file_id=file_id, filename="half.csv", bytes=None, store_upload=begun)
    await control.put(upload_key("ours", UPLOAD), upload.model_dump_json().encode())


async def _schedule(ours: Context) -> None:
    """A schedule for every hour, whose one run is the job that has ended."""
    template = Submission(
        job="", tenant="ours", submitted_at=NOW, defaults=ImageSettings(model="gpt-image-2"), cap_nano=10**9
    )
    schedule = Schedule(
        id=SCHEDULE,
        tenant="ours",
        name="spring",
        spec=Spec(cron=["0 * * * *"]),
        overlap="allow_all",
        month_nano=10**9,
        job={"budget": {"limit_usd": "1"}},
        template=template,
        created_at=NOW,
    )
    await ours.control.put(schedule_key("ours", SCHEDULE), schedule.model_dump_json().encode())
    assert ours.schedules
    await ours.schedules.create(schedule, ours.times)
    run = RunRecord(schedule=SCHEDULE, number=1, job=ENDED, at=NOW, created_at=NOW)
    await ours.control.put(run_key("ours", SCHEDULE, ENDED, 1), run.model_dump_json().encode())


async def _plan(control: MemoryStore, engine: MemoryEngine, job: str) -> None:
    submission = Submission(
        job=job, tenant="ours", submitted_at=NOW, defaults=ImageSettings(model="gpt-image-2"), cap_nano=10**9
    )
    await control.put(request_key("ours", job), submission.model_dump_json().encode())
    items = [PlannedItem(index=n, custom_id=f"sku-{n}", names=[f"{n}.png"], maximum_nano=5) for n in range(3)]
    lines = "\n".join(item.model_dump_json() for item in items)
    await control.put(plan_key("ours", job, 0), lines.encode())
    await control.put(plan_index_key("ours", job), json.dumps({"problems": []}).encode())
    engine.summaries[job] = JobSummary(
        tenant="ours",
        state="running",
        name="spring",
        submitted_at=NOW,
        started_at=NOW,
        items=3,
        chunks=1,
        open_chunks={0: 0},
        cap_nano=10**9,
        estimate=Estimate(low_nano=1, expected_nano=2, high_nano=3),
    )


async def _end(control: MemoryStore, engine: MemoryEngine, job: str) -> None:
    image = DeliveredImage(
        key="spring/0.png", sha256="0" * 64, bytes=5, width=16, height=16, format="png", c2pa=False
    )
    attempt = Attempt(reservation="r1", outcome="settled", reserved_nano=5, cost_nano=3, request_id="req_1")
    results = [
        ItemResult(
            index=n,
            custom_id=f"sku-{n}",
            state="succeeded",
            model="gpt-image-2",
            images=[image],
            cost_nano=3,
            attempts=[attempt],
        )
        for n in range(2)
    ]
    results.append(ItemResult(index=2, custom_id="sku-2", state="failed", model="gpt-image-2"))
    lines = "\n".join(result.model_dump_json() for result in results)
    await control.put(results_key("ours", job, 0), lines.encode())
    summary = engine.summaries[job].model_copy(
        update={
            "state": "completed_with_errors",
            "ended_at": NOW,
            "open_chunks": {},
            "ended": Progress(counts=Counts(succeeded=2, failed=1, images=2), settled_nano=6),
        }
    )
    engine.summaries[job] = summary
    line = ReportLine(model="gpt-image-2", state="succeeded", items=2, images=2, settled_nano=6)
    report = Report(job=job, tenant="ours", summary=summary, lines=[line], catalogue="2026-11-21")
    await control.put(report_key("ours", job), report.model_dump_json().encode())
