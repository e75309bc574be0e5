"""A delivery: its schedule, and what changes it."""

import asyncio
from typing import Any

import pytest
from temporalio import activity
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from imagemill.domain.messages import MAIN_QUEUE
from imagemill.domain.webhook_messages import (
    DELIVER,
    REDELIVER,
    WEBHOOK,
    WEBHOOK_QUEUE,
    Attempt,
    DeliverTask,
    delivery_workflow_id,
)
from imagemill.domain.webhooks import JITTER, WAITS
from imagemill.engine import TemporalEngine
from tests.workflows.mill import QUICK, runner, until
from tests.workflows.post import Post, attempt, start_of, working
from tests.workflows.test_long_waits import waits
from workflows.webhook import BUSY_WAITS, WebhookWorkflow


async def run(post: Post, **more: Any) -> Any:
    """A whole delivery, on an engine that may skip time while its result is awaited."""
    start = start_of(**more)
    handle = await post.client.start_workflow(
        WEBHOOK, start, id=delivery_workflow_id(start.event), task_queue=MAIN_QUEUE
    )
    await asyncio.wait_for(handle.result(), 20)
    return handle


async def test_a_receiver_that_never_takes_it_is_tried_by_the_whole_schedule(
    skipping: WorkflowEnvironment,
) -> None:
    async with working(skipping.client) as post:
        handle = await run(post)
    waited = waits(await handle.fetch_history())
    assert len(post.tasks) == len(WAITS) == 10
    for found, wanted in zip(waited, WAITS[1:], strict=True):
        assert wanted * (1 - JITTER) <= found <= wanted * (1 + JITTER)
    assert len({found / wanted for found, wanted in zip(waited, WAITS[1:], strict=True)}) > 5
    assert post.states == ["pending"] * 9 + ["failed"]
    assert post.records[-1].next_attempt_at is None
    told = post.records[0].next_attempt_at
    assert told is not None


async def test_the_first_that_is_taken_is_the_last(skipping: WorkflowEnvironment) -> None:
    async with working(skipping.client, attempt("again"), attempt("delivered", status=200)) as post:
        await run(post)
    assert post.states == ["pending", "delivered"]


@pytest.mark.parametrize("kind", ["gone", "disabled"])
async def test_a_receiver_that_is_gone_is_not_tried_again(skipping: WorkflowEnvironment, kind: str) -> None:
    async with working(skipping.client, attempt(kind, status=410)) as post:
        await run(post)
    assert post.states == ["disabled"]


async def test_a_wait_that_the_receiver_asks_for_is_kept_up_to_a_day(skipping: WorkflowEnvironment) -> None:
    script = [attempt("again", retry_after=wait) for wait in (1000, 10.0**9, 1)]
    async with working(skipping.client, *script) as post:
        handle = await run(post, waits=[0, 5, 5, 5])
    first, second, third = waits(await handle.fetch_history())
    assert (first, second) == (1000, 86_400)
    assert third == pytest.approx(5, rel=JITTER)


async def test_a_busy_receiver_costs_no_attempt_for_a_while(skipping: WorkflowEnvironment) -> None:
    busy = [attempt("busy", problem="receiver_busy")] * 7
    async with working(skipping.client, *busy, attempt("delivered")) as post:
        await run(post)
    assert post.states == ["delivered"]
    assert len(post.tasks) == 8


async def test_a_receiver_that_stays_busy_has_failed(skipping: WorkflowEnvironment) -> None:
    busy = [attempt("busy", problem="receiver_busy")] * 2 * (len(BUSY_WAITS) + 1)
    async with working(skipping.client, *busy) as post:
        await run(post, waits=[0, 5])
    assert post.states == ["pending", "failed"]
    assert post.script == []


async def test_a_delivery_is_started_once_and_again_only_when_asked(engine: Client) -> None:
    ours, start = TemporalEngine(engine), start_of(waits=[0])
    handle = engine.get_workflow_handle(delivery_workflow_id(start.event))
    async with working(engine) as post:
        await ours.start_delivery(start)
        await handle.result()
        await ours.start_delivery(start)
        assert post.states == ["failed"]
        post.script = [attempt("delivered")]
        await ours.start_delivery(start, again=True)
        await until(lambda: post.states == ["failed", "delivered"])
        await ours.start_delivery(start, again=True)
        await until(lambda: len(post.records) == 3)
    assert [task.event for task in post.tasks] == [start.event] * 3


async def test_a_redelivery_while_one_waits_makes_the_next_attempt_at_once(engine: Client) -> None:
    ours, start = TemporalEngine(engine), start_of(waits=[0, 86_400])
    handle = engine.get_workflow_handle(delivery_workflow_id(start.event))
    async with working(engine) as post:
        await ours.start_delivery(start)
        await until(lambda: post.states == ["pending"])
        post.script = [attempt("delivered")]
        await ours.start_delivery(start, again=True)
        await asyncio.wait_for(handle.result(), 20)
    assert post.states == ["pending", "delivered"]
    assert [task.insists for task in post.tasks] == [False, True]


async def test_a_redelivery_while_an_attempt_is_under_way_starts_no_second_one(engine: Client) -> None:
    ours, start = TemporalEngine(engine), start_of()
    handle = engine.get_workflow_handle(delivery_workflow_id(start.event))
    async with working(engine, attempt("delivered")) as post:
        post.gate.clear()
        await ours.start_delivery(start)
        await until(lambda: len(post.tasks) == 1)
        await ours.start_delivery(start, again=True)
        await ours.start_delivery(start, again=True)
        post.gate.set()
        await asyncio.wait_for(handle.result(), 20)
    assert post.states == ["delivered"]
    assert len(post.tasks) == 1


async def test_a_redelivery_that_meets_the_last_failure_is_made(engine: Client) -> None:
    ours, start = TemporalEngine(engine), start_of(waits=[0])
    handle = engine.get_workflow_handle(delivery_workflow_id(start.event))
    async with working(engine, attempt("again"), attempt("delivered")) as post:
        post.gate.clear()
        await ours.start_delivery(start)
        await until(lambda: len(post.tasks) == 1)
        await handle.signal(REDELIVER)
        post.gate.set()
        await asyncio.wait_for(handle.result(), 20)
    assert post.states == ["failed", "delivered"]


async def test_an_attempt_whose_worker_is_lost_is_made_again(engine: Client) -> None:
    lost = QUICK.model_copy(update={"heartbeat_timeout": 1})
    start = start_of(waits=[0], times=lost)
    handle = engine.get_workflow_handle(delivery_workflow_id(start.event))
    tries = 0

    @activity.defn(name=DELIVER)
    async def silent(task: DeliverTask) -> Attempt:
        nonlocal tries
        tries += 1
        if tries == 1:
            await asyncio.Event().wait()  # sent, and never heard of again
        return attempt("delivered")

    post = Post(engine)
    async with (
        Worker(
            engine,
            task_queue=MAIN_QUEUE,
            workflows=[WebhookWorkflow],
            activities=[post.record],
            workflow_runner=runner(),
        ),
        Worker(engine, task_queue=WEBHOOK_QUEUE, activities=[silent]),
    ):
        await TemporalEngine(engine).start_delivery(start)
        await asyncio.wait_for(handle.result(), 20)
    assert post.states == ["delivered"]
    assert tries == 2
