"""More stories for `record.py`: trouble of the provider, ends of a job, long histories, short workflows."""

import asyncio
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

from temporalio import activity
from temporalio.client import Client
from temporalio.worker import Worker

from imagemill.domain.errors import OutcomeUnknown
from imagemill.domain.job import JobSummary
from imagemill.domain.messages import (
    ESTIMATE,
    ESTIMATE_PLAN,
    GALLERY,
    GALLERY_MADE,
    MAIN_QUEUE,
    Estimated,
    EstimateTask,
    GalleryTask,
    ImageOutcome,
    Nothing,
    Plan,
)
from imagemill.domain.pace import PoolNews, Told, Trouble
from imagemill.domain.pool_messages import SET_LIMITS, PoolStart, StatedLimits
from imagemill.engine import TemporalEngine
from tests.fakes.activities import FakeActivities, answers, beating, bought, bug, fails, when
from tests.workflows.mill import LOSING, QUICK, Mill, runner, until, working
from tests.workflows.test_pool import working as pacing
from workflows import policies
from workflows.estimate import EstimateWorkflow
from workflows.gallery import GalleryWorkflow

PROBING = QUICK.model_copy(update={"first_probe": 0.2, "last_probe": 0.2})
SWEPT = QUICK.model_copy(update={"sweep": 1, "call_deadline": 2})
SHORT = 40


async def capped(client: Client) -> list[str]:
    """Two chunks; the cap pays for some items, and the rest is skipped. One row is bad."""
    fakes = FakeActivities([[10, -1, 10], [10] * 3])
    mill = Mill(client, fakes, job="job_capped", cap=30, place={"window": 2})
    async with working(mill):
        await mill.run()
    return [mill.job, f"{mill.job}/0", f"{mill.job}/1"]


async def troubled(client: Client) -> list[str]:
    """The key is refused: the item goes back in line, the job holds, and a probe goes through."""
    dead = answers(ImageOutcome(kind="account", code="invalid_api_key"))
    refused = answers(ImageOutcome(kind="refused", code="blocked", blocked=True))
    fakes = FakeActivities([[10, 10], [10, 10]], {(0, 0): [dead, bought(5)], (1, 1): [refused]})
    mill = Mill(client, fakes, PROBING, job="job_troubled", place={"window": 1})
    async with working(mill):
        await mill.run()
    return [mill.job, f"{mill.job}/0", f"{mill.job}/1"]


async def given_up(client: Client) -> list[str]:
    """An item whose worker is lost three times: the second and third are bought in quarantine."""
    fakes = FakeActivities([[10, 10], [10]], {(0, 0): [bug()] * 3})
    mill = Mill(client, fakes, LOSING, job="job_given_up", place={"window": 1})
    async with working(mill):
        await mill.run()
    return [mill.job, f"{mill.job}/0"]


async def stopped(client: Client) -> list[str]:
    """An unknown outcome holds the job until it is resumed."""
    gate = asyncio.Event()
    script = {(0, 0): [fails(OutcomeUnknown("http_500"))], (1, 0): [when(gate)]}
    fakes = FakeActivities([[10, 10], [10, 10]], script)
    mill = Mill(client, fakes, job="job_stopped", place={"on_unknown": "hold", "window": 1})
    async with working(mill):
        await mill.start()
        await mill.calls(2)
        gate.set()
        await mill.becomes("held")
        await mill.resume()
        await mill.ended()
    return [mill.job, f"{mill.job}/0", f"{mill.job}/1"]


async def revived(client: Client) -> list[str]:
    """A chunk that somebody terminated lives again, and looks for what it had bought."""
    fakes = FakeActivities([[10, 10], [5]], {(0, 0): [bought(6)], (0, 1): [beating()]})
    mill = Mill(client, fakes, SWEPT, job="job_revived")
    async with working(mill):
        await mill.start()
        await until(lambda: (0, 0) in fakes.stored and bool(fakes.calls_of(0, 1)) and 1 in fakes.results)
        await mill.chunk(0).terminate()
        fakes.gone.add(0)
        await mill.ended()
    return [mill.job, f"{mill.job}/0"]


async def continued(client: Client) -> list[str]:
    """A job and its chunks that have continued as new: the last run of each."""
    mill = Mill(client, FakeActivities([[10] * 10] * 2), job="job_continued", place={"window": 3})
    with patch.object(policies, "CONTINUE_AS_NEW_EVENTS", SHORT):
        async with working(mill):
            await mill.run()
    return [mill.job, f"{mill.job}/0"]


async def failed(client: Client) -> list[str]:
    """A plan that can't be made, and one that another run has claimed."""
    unreadable = Plan(failure="manifest_unreadable", failure_detail="line 3", items=0)
    plans = {"job_failed": unreadable, "job_duplicate": Plan(duplicate=True)}
    for job, plan in plans.items():
        mill = Mill(client, FakeActivities([], plan=plan), job=job)
        async with working(mill):
            await mill.run()
    return list(plans)


async def paced(client: Client) -> list[str]:
    """A pool that hears of a limit, of trouble and its end, and is stated another limit."""
    start, engine, now = PoolStart(pool="recorded", group="main"), TemporalEngine(client), datetime.now(UTC)
    trouble = Trouble(code="invalid_api_key", since=now, next_probe=now + timedelta(seconds=9), wait=9)
    async with pacing(client) as rates:
        await engine.tell_pool(start, PoolNews(worker="w1"), opening=True)
        await until(lambda: len(rates.tasks) == 1)
        told = Told(images_limit=600, tokens_limit=9000)
        await engine.tell_pool(start, PoolNews(worker="w1", calls=1, images=1, told=told))
        await until(lambda: len(rates.tasks) == 2)
        await engine.tell_pool(start, PoolNews(worker="w1", trouble=trouble))
        await engine.tell_pool(start, PoolNews(worker="w1", mended=True, calls=1, refused=1))
        limits = StatedLimits(images="unlimited", tokens=100)
        await client.get_workflow_handle(start.workflow_id).signal(SET_LIMITS, limits)
        await until(lambda: rates.tasks[-1].per_second is None)
        await client.get_workflow_handle(start.workflow_id).terminate()
    return [start.workflow_id]


class Desk:
    """Answers who asks for an estimate or a gallery, the gallery at the second try."""

    def __init__(self) -> None:
        self._has_failed = False

    @activity.defn(name=ESTIMATE_PLAN)
    async def estimate(self, task: EstimateTask) -> Estimated:
        return Estimated(plan=Plan(items=3))

    @activity.defn(name=GALLERY_MADE)
    async def make(self, task: GalleryTask) -> Nothing:
        if not self._has_failed:
            self._has_failed = True
            raise ConnectionError
        return Nothing()


async def asked(client: Client) -> list[str]:
    """An estimate, and a gallery."""
    desk = Desk()
    summary = JobSummary(tenant="acme", submitted_at=datetime(2026, 1, 2, tzinfo=UTC), cap_nano=100)
    async with Worker(
        client,
        task_queue=MAIN_QUEUE,
        workflows=[EstimateWorkflow, GalleryWorkflow],
        activities=[desk.estimate, desk.make],
        workflow_runner=runner(),
    ):
        estimate = EstimateTask(job="job_asked", tenant="acme", times=QUICK)
        gallery = GalleryTask(job="job_asked", tenant="acme", summary=summary, times=QUICK)
        made = (ESTIMATE, estimate, "estimate/job_asked"), (GALLERY, gallery, "gallery/job_asked")
        for kind, task, name in made:
            await client.execute_workflow(kind, task, id=name, task_queue=MAIN_QUEUE)
    return [name for _, _, name in made]


MORE = (capped, troubled, given_up, stopped, revived, continued, failed, paced, asked)
