"""The pace of a limit group, on the real engine."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from temporalio import activity
from temporalio.client import Client
from temporalio.worker import Worker

from imagemill.domain.ids import new_id
from imagemill.domain.messages import MAIN_QUEUE, Nothing
from imagemill.domain.pace import START, Pace, PoolNews, Told, Trouble
from imagemill.domain.pool_messages import SET_RATE, PoolStart, RateTask, StatedLimits
from imagemill.engine import TemporalEngine
from tests.workflows.mill import runner, until
from workflows.pool import PoolWorkflow


@dataclass
class Rates:
    """The rates that were set."""

    tasks: list[RateTask] = field(default_factory=list)

    @activity.defn(name=SET_RATE)
    async def set_rate(self, task: RateTask) -> Nothing:
        self.tasks.append(task)
        return Nothing()


@asynccontextmanager
async def working(engine: Client) -> AsyncIterator[Rates]:
    rates = Rates()
    async with Worker(
        engine,
        task_queue=MAIN_QUEUE,
        workflows=[PoolWorkflow],
        activities=[rates.set_rate],
        workflow_runner=runner(),
    ):
        yield rates


@dataclass
class Line:
    """One pool and what is told to it."""

    engine: TemporalEngine
    start: PoolStart

    async def tell(self, **news: object) -> None:
        await self.engine.tell_pool(self.start, PoolNews.model_validate({"worker": "w1"} | news))

    async def pace(self) -> Pace:
        pace = await self.engine.pace(self.start.workflow_id)
        assert pace
        return pace


@pytest.fixture
async def pool(engine: Client) -> AsyncIterator[Line]:
    line = Line(TemporalEngine(engine), PoolStart(pool=new_id("p").replace("_", "-"), group="main"))
    yield line
    await engine.get_workflow_handle(line.start.workflow_id).terminate()


async def test_a_pool_begins_slowly_and_goes_by_the_limit_that_an_answer_tells(
    engine: Client, pool: Line
) -> None:
    async with working(engine) as rates:
        await pool.tell()
        assert (await pool.pace()).images_per_minute == START
        await until(lambda: len(rates.tasks) == 1)
        await pool.tell(calls=1, images=1, told=Told(images_limit=600, tokens_limit=9000))
        await until(lambda: len(rates.tasks) == 2)
        pace = await pool.pace()
    assert rates.tasks[1].queue == pool.start.queue
    assert rates.tasks[1].per_second == pytest.approx(0.985 * 10)
    assert pace.images_per_minute == pytest.approx(591)
    assert pace.tokens_per_minute == 9000


async def test_trouble_and_its_end_are_told_to_all_workers(engine: Client, pool: Line) -> None:
    now = datetime.now(UTC)
    trouble = Trouble(code="invalid_api_key", since=now, next_probe=now + timedelta(seconds=9), wait=9)

    async def shows(expected: Trouble | None) -> bool:
        return (await pool.pace()).trouble == expected

    async with working(engine):
        await pool.tell(trouble=trouble)
        await until(lambda: shows(trouble))
        await pool.tell(mended=True)
        await until(lambda: shows(None))


async def test_a_worker_that_starts_with_other_limits_begins_anew(engine: Client, pool: Line) -> None:
    other = pool.start.model_copy(update={"stated": StatedLimits(images="unlimited", tokens=100)})
    async with working(engine):
        await pool.tell()
        await pool.engine.tell_pool(other, PoolNews(worker="w2"), opening=True)

        async def is_so() -> bool:
            pace = await pool.pace()
            return pace.images_per_minute is None and pace.tokens_per_minute == 100

        await until(is_so)


async def test_the_engine_keeps_the_rate_of_a_queue(engine: Client) -> None:
    """50 tasks at 10 a second, of which at most 20 come at once, take 3 seconds: a busy machine, longer."""
    queue, at = new_id("q"), list[float]()

    @activity.defn(name="tick")
    async def tick() -> None:
        at.append(time.monotonic())

    await TemporalEngine(engine).set_queue_rate(queue, 10)
    began = time.monotonic()
    async with Worker(engine, task_queue=queue, activities=[tick], disable_eager_activity_execution=True):
        handles = [
            await engine.start_activity(
                "tick", id=f"{queue}-{n}", task_queue=queue, start_to_close_timeout=timedelta(seconds=60)
            )
            for n in range(50)
        ]
        await asyncio.gather(*(handle.result() for handle in handles))
    assert at[-1] - began >= 3
