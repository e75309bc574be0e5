"""The engine tells how long each run's history is."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from sandbox.stack import LocalStack, StackOptions
from tests.chaos.sampling import Line, histories


@workflow.defn(name="rounds")
class Rounds:
    """Continues as new so many times, and then waits to be told to end."""

    def __init__(self) -> None:
        self._over = False

    @workflow.signal
    def over(self) -> None:
        self._over = True

    @workflow.run
    async def run(self, left: int) -> None:
        await workflow.sleep(timedelta(milliseconds=1))
        if left:
            workflow.continue_as_new(left - 1)
        await workflow.wait_condition(lambda: self._over)


async def test_runs_that_ended_and_those_that_go_on_are_told(tmp_path: Path) -> None:
    async with LocalStack(StackOptions(data_dir=tmp_path, parts=("temporal",))) as stack:
        client = await Client.connect(str(stack.addresses.temporal))
        async with Worker(
            client, task_queue="rounds", workflows=[Rounds], workflow_runner=UnsandboxedWorkflowRunner()
        ):
            handle = await client.start_workflow(Rounds.run, 2, id="round", task_queue="rounds")
            during = await _listed(client, lambda found: len(found) == 3 and all(map(_is_at_work, found)))
            await handle.signal(Rounds.over)
            await handle.result()

        ended = await _listed(client, lambda found: all(line["status"] != "running" for line in found))

    assert {line["type"] for line in during + ended} == {"rounds"}
    assert all(line["workflow"] == "round" and line["bytes"] > 100 for line in during)
    [last] = [line for line in during if line["status"] == "running"]
    assert last["ended"] is None
    assert sorted(line["status"] for line in ended) == ["completed", "continued_as_new", "continued_as_new"]
    assert all(line["began"] < line["ended"] for line in ended)
    assert len({line["run"] for line in ended}) == 3


def _is_at_work(line: Line) -> bool:
    """A run begins with two events, before a worker has seen it."""
    return bool(line["events"] > 4)


async def _listed(client: Client, holds: Callable[[list[Line]], bool]) -> list[Line]:
    """The list follows what happens after a moment."""
    async with asyncio.timeout(20):
        while True:
            found = await histories(client)
            if holds(found):
                return found
            await asyncio.sleep(0.05)
