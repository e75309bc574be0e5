"""Records the histories that test_replay.py replays: ``python -m tests.replay.record [STORY...]``.

Run it when a workflow's path is released; a history that no longer replays is a change that would break
running jobs, and is not to be recorded anew without thought.
"""

import asyncio
import json
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from temporalio.client import Client

from imagemill.domain.schedules import Spec
from imagemill.domain.tenant import Caps
from imagemill.domain.webhook_messages import delivery_workflow_id
from imagemill.domain.webhooks import EVENTS
from imagemill.engine import TemporalEngine
from imagemill.payloads import PAYLOADS
from sandbox.stack import LocalStack, StackOptions
from tests.fakes.activities import FakeActivities, bought, bug, silent, until_cancelled, when
from tests.replay.paths import MORE
from tests.workflows.mill import LOSING, Mill, Tenant, until, working
from tests.workflows.post import attempt, start_of
from tests.workflows.post import working as delivering
from tests.workflows.timetable import LONG, timetable

HISTORIES = Path(__file__).parent / "histories"
NOBODY = "recorder"


async def single(client: Client) -> list[str]:
    """A job of one item."""
    mill = Mill(client, FakeActivities([[100]], {(0, 0): [bought(40)]}), job="job_single")
    async with working(mill):
        await mill.run()
    return [mill.job]


async def recovered(client: Client) -> list[str]:
    """Two chunks; one call is lost and its image turns up, another is lost and bought again."""
    fakes = FakeActivities([[10, 10], [20, 20]], {(0, 0): [silent()], (1, 1): [bug(), bought(5)]})
    fakes.appears_at_look[0, 0] = 2
    times = LOSING.model_copy(update={"call_deadline": 1})
    mill = Mill(client, fakes, times, job="job_recovered", place={"window": 2})
    async with working(mill):
        await mill.run()
    return [mill.job, f"{mill.job}/0", f"{mill.job}/1"]


async def cancelled(client: Client) -> list[str]:
    """Three chunks, cancelled while the first one has called."""
    fakes = FakeActivities([[10, 10]] * 3, {(0, 0): [until_cancelled()]})
    mill = Mill(client, fakes, LOSING, job="job_cancelled", place={"window": 1, "chunks_at_once": 1})
    async with working(mill):
        await mill.start()
        await mill.calls(1)
        await mill.cancel()
        await mill.ended()
    return [mill.job, f"{mill.job}/0"]


async def held(client: Client) -> list[str]:
    """Two chunks under a tenant's account; the job is held for its cap, which is raised."""
    fakes = FakeActivities([[10] * 3, [10] * 3])
    mill = Mill(client, fakes, job="job_held", cap=40, on_exhausted="hold", place={"window": 2})
    tenant = Tenant(client, mill.job, Caps(day_nano=1000), id="account/recorder")
    mill.place["account"] = tenant.id
    async with working(mill):
        await tenant.start()
        await mill.start()
        await mill.becomes("held")
        await mill.set_budget(cap=100)
        await mill.ended()
        await tenant.end()
    return [mill.job, f"{mill.job}/0", f"{mill.job}/1", tenant.id]


async def paused(client: Client) -> list[str]:
    """Two chunks, paused while the first call is under way, given another priority, and resumed."""
    gate = asyncio.Event()
    fakes = FakeActivities([[10] * 3, [10] * 3], {(0, 0): [when(gate)], (1, 0): [when(gate)]})
    mill = Mill(client, fakes, job="job_paused", place={"window": 1})
    async with working(mill):
        await mill.start()
        await mill.calls(2)
        await mill.pause()
        await mill.set_priority(1)
        gate.set()
        await mill.becomes("paused")
        await mill.resume()
        await mill.ended()
    return [mill.job, f"{mill.job}/0", f"{mill.job}/1"]


async def told(client: Client) -> list[str]:
    """A job whose webhook is told of all there is."""
    mill = Mill(client, FakeActivities([[10] * 4]), job="job_told", place={"window": 1}, events=EVENTS)
    async with working(mill):
        await mill.run()
    return [mill.job, f"{mill.job}/0"]


async def delivered(client: Client) -> list[str]:
    """An event that is taken at the second attempt."""
    start = start_of("recorded", waits=[0, 0.1])
    async with delivering(client, attempt("again", status=500), attempt("delivered", status=200)):
        await TemporalEngine(client).start_delivery(start)
        await client.get_workflow_handle(delivery_workflow_id(start.event)).result()
    return [delivery_workflow_id(start.event)]


async def scheduled(client: Client) -> list[str]:
    """A run of a schedule, held by its schedule's cap, which is raised; its tenant has plenty."""
    fakes = FakeActivities([[10] * 3, [10] * 3])
    mill = Mill(client, fakes, job="job_scheduled", place={"window": 2})
    tenant = Tenant(client, mill.job, Caps(day_nano=1000), id="account/scheduler")
    schedule = Tenant(client, mill.job, Caps(month_nano=40), schedule="sched_recorded")
    mill.place |= {"account": tenant.id, "schedule": schedule.schedule}
    async with working(mill):
        await tenant.start()
        await schedule.start()
        await mill.start()
        await mill.becomes("held")
        await schedule.set_caps(Caps(month_nano=100))
        await mill.ended()
        await tenant.end()
        await schedule.end()
    return [mill.job, f"{mill.job}/0", f"{mill.job}/1", schedule.id]


async def triggered(client: Client) -> list[str]:
    """Two runs of a schedule for one time: one whose job is cancelled with it, and a duplicate."""
    at = datetime(2027, 1, 1, 12, tzinfo=UTC)
    never = Spec(cron=["0 0 1 1 * 2099"])
    async with timetable(client, never, name=LONG, known_as="sched_triggered") as table:
        run = f"run/{table.id}-{at:%Y-%m-%dT%H:%M:%SZ}"
        await table.schedules.trigger(table.id, at)
        await table.runs(1)
        await until(lambda: table.has_begun(at))
        await client.get_workflow_handle(run).cancel()
        await table.ended(at)
    return [run]


async def save(client: Client, workflow: str) -> None:
    """One file a run, without what belongs to this machine."""
    history = await client.get_workflow_handle(workflow).fetch_history()
    tree = json.loads(history.to_json())
    neutral(tree)
    path = HISTORIES / f"{workflow.replace('/', '.').replace(':', '')}.json"
    path.write_text(json.dumps(tree, indent=1, sort_keys=True) + "\n")


def neutral(node: object) -> None:
    """Take out who did it, from which line, and the queue that was made for one worker process."""
    if isinstance(node, list):
        for child in node:
            neutral(child)
    if not isinstance(node, dict):
        return
    node.pop("stackTrace", None)
    node.pop("workerVersion", None)
    if "identity" in node:
        node["identity"] = NOBODY
    if "normalName" in node:
        node["name"] = node["normalName"]
    for child in node.values():
        neutral(child)


STORIES = (single, recovered, cancelled, held, paused, told, delivered, scheduled, triggered, *MORE)


async def main(names: list[str]) -> None:
    """Record the named stories, or all."""
    HISTORIES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        options = StackOptions(data_dir=Path(directory), parts={"temporal"})
        async with LocalStack(options) as stack:
            client = await Client.connect(
                stack.environment["IMAGEMILL_TEMPORAL_ADDRESS"],
                data_converter=PAYLOADS,
                identity=NOBODY,
            )
            for story in (each for each in STORIES if not names or each.__name__ in names):
                for workflow in await story(client):
                    await save(client, workflow)


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
