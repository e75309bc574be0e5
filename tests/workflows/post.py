"""Runs the real workflow of deliveries on attempts that are scripted."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from temporalio import activity
from temporalio.client import Client
from temporalio.worker import Worker

from imagemill.domain.ids import new_id
from imagemill.domain.messages import MAIN_QUEUE, Nothing
from imagemill.domain.webhook_messages import (
    DELIVER,
    RECORD,
    WEBHOOK_QUEUE,
    Attempt,
    DeliverTask,
    RecordTask,
    WebhookStart,
)
from tests.workflows.mill import QUICK, runner
from workflows.webhook import WebhookWorkflow

NOW = datetime(2026, 3, 4, tzinfo=UTC)


def attempt(kind: str, **more: Any) -> Attempt:
    return Attempt.model_validate({"kind": kind, "at": NOW} | more)


@dataclass
class Post:
    """The activities of deliveries: each attempt brings what is scripted for it, then failures."""

    client: Client
    script: list[Attempt] = field(default_factory=list)
    tasks: list[DeliverTask] = field(default_factory=list)
    records: list[RecordTask] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    @activity.defn(name=DELIVER)
    async def deliver(self, task: DeliverTask) -> Attempt:
        self.tasks.append(task)
        while not self.gate.is_set():
            activity.heartbeat()
            await asyncio.wait({asyncio.create_task(self.gate.wait())}, timeout=0.1)
        return self.script.pop(0) if self.script else attempt("again", status=500)

    @activity.defn(name=RECORD)
    async def record(self, task: RecordTask) -> Nothing:
        self.records.append(task)
        return Nothing()

    @property
    def states(self) -> list[str]:
        return [record.state for record in self.records]


@asynccontextmanager
async def working(client: Client, *script: Attempt) -> AsyncIterator[Post]:
    post = Post(client, list(script))
    post.gate.set()
    async with (
        Worker(
            client,
            task_queue=MAIN_QUEUE,
            workflows=[WebhookWorkflow],
            activities=[post.record],
            workflow_runner=runner(),
        ),
        Worker(
            client,
            task_queue=WEBHOOK_QUEUE,
            activities=[post.deliver],
            disable_eager_activity_execution=True,
        ),
    ):
        yield post


def start_of(event: str | None = None, **more: Any) -> WebhookStart:
    known = {"tenant": "t", "event": event or new_id("evt"), "times": QUICK}
    return WebhookStart.model_validate(known | more)
