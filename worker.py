"""What runs, wired to what: the workers of the service.

``python worker.py`` runs everything in one process; ``--role workflows`` and ``--role images`` run the
parts apart, on as many hosts as are needed.
"""

import argparse
import asyncio
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import structlog
from temporalio.client import Client
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities.accounts import Accounts
from activities.books import Books
from activities.delivery import Delivery
from activities.image import Images
from activities.planning import Planning
from activities.plans import Plans
from activities.sealed import SealFailures
from imagemill import settings
from imagemill.domain.errors import ImagemillError
from imagemill.domain.messages import MAIN_QUEUE
from imagemill.engine import TemporalEngine, connect
from imagemill.logging import configure
from imagemill.providers.openai_images import OpenAIImages
from imagemill.storage.s3 import S3Store
from imagemill.storage_probe import require_conditional_puts
from imagemill.telemetry import runtime
from imagemill.templating.process import ProcessTemplating
from workflows.account import AccountWorkflow
from workflows.chunk import ChunkWorkflow
from workflows.estimate import EstimateWorkflow
from workflows.job import JobWorkflow

log = structlog.get_logger()

ROLES = ("all", "workflows", "images")
STORE_THREADS = 32
PLAIN_GRACE = timedelta(seconds=20)


class Parts:
    """Everything that the workers are made of; made once, from the settings."""

    def __init__(self) -> None:
        self.engine = settings.read(settings.EngineSettings)
        self.work = settings.read(settings.WorkSettings)
        self.times = settings.read(settings.TimeSettings)
        control = settings.read(settings.ControlSettings)
        delivery = settings.read(settings.DeliverySettings)
        provider = settings.read(settings.ProviderSettings)
        threads = ThreadPoolExecutor(STORE_THREADS, thread_name_prefix="store")
        self.control = S3Store.connect(control, threads)
        self.delivered = S3Store.connect(delivery, threads)
        self.provider = OpenAIImages.connect(provider, connections=self.work.images_at_once)
        self.catalogue = settings.read(settings.PriceSettings).load()
        self.caps = settings.read(settings.CapSettings).defaults
        self.delivery = Delivery(self.control, self.delivered, delivery.prefix)
        self.plans = Plans(self.control)

    async def probe(self) -> None:
        """Find out now, not at the first image, whether both buckets can be used."""
        await require_conditional_puts(self.control, "control")
        await require_conditional_puts(self.delivered, "delivery")

    @property
    def images(self) -> Images:
        """The paid call."""
        return Images(self.plans, self.provider, self.delivery, self.catalogue)

    def books(self, client: Client) -> Books:
        """Plans in, results and reports out."""
        return Books(self.control, self.plans, self.delivery, TemporalEngine(client), self.catalogue)

    def accounts(self, client: Client) -> Accounts:
        """The accounts of tenants."""
        engine = TemporalEngine(client)
        return Accounts(self.control, self.plans, self.delivery, engine, self.caps, self.times)


def workflow_worker(client: Client, parts: Parts) -> Worker:
    """Runs the workflows, and the cheap steps beside the paid call."""
    planning = Planning(parts.control, ProcessTemplating(), parts.catalogue)
    books, images, accounts = parts.books(client), parts.images, parts.accounts(client)
    restrictions = SandboxRestrictions.default.with_passthrough_modules("imagemill", "pydantic", "workflows")
    return Worker(
        client,
        task_queue=MAIN_QUEUE,
        workflows=[JobWorkflow, ChunkWorkflow, AccountWorkflow, EstimateWorkflow],
        activities=[
            planning.plan,
            planning.estimate,
            books.open_chunk,
            books.write_results,
            books.inspect_chunk,
            books.report,
            images.look,
            accounts.open_account,
            accounts.restore_account,
            accounts.save_account,
            accounts.reconcile,
        ],
        interceptors=[SealFailures()],
        workflow_runner=SandboxedWorkflowRunner(restrictions=restrictions),
        graceful_shutdown_timeout=PLAIN_GRACE,
    )


def image_worker(client: Client, parts: Parts, queue: str, at_once: int) -> Worker:
    """Makes the paid calls of one queue, and nothing else, so that the queue's rate is theirs.

    It shuts down only when the calls under way are finished: the grace outlasts their deadline.
    """
    return Worker(
        client,
        task_queue=queue,
        activities=[parts.images.generate],
        interceptors=[SealFailures()],
        max_concurrent_activities=at_once,
        disable_eager_activity_execution=True,
        graceful_shutdown_timeout=timedelta(seconds=parts.times.call_deadline + 60),
    )


def workers(role: str, client: Client, parts: Parts) -> list[Worker]:
    """The workers of a role. The quarantine makes one call at a time, so that a deadly item is found."""
    made = []
    if role in ("all", "workflows"):
        made.append(workflow_worker(client, parts))
    if role in ("all", "images"):
        queue = parts.work.image_queue
        made.append(image_worker(client, parts, queue, parts.work.images_at_once))
        made.append(image_worker(client, parts, f"{queue}.quarantine", 1))
    return made


async def run(role: str, ready_file: Path | None) -> None:
    """Run until SIGINT or SIGTERM, then finish what is under way."""
    parts = Parts()
    await parts.probe()
    client = await connect(parts.engine, runtime(settings.read(settings.MetricsSettings)))
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    async with AsyncExitStack() as running:
        started = workers(role, client, parts)
        for worker in started:
            await running.enter_async_context(worker)
        log.info("worker ready", role=role, engine=parts.engine.address)
        if ready_file:
            ready_file.touch()  # noqa: ASYNC240 - one system call, before any work
        await stop.wait()
        log.info("worker stopping; calls under way are finished first")
        await asyncio.gather(*(worker.shutdown() for worker in started))  # all at once: none takes new work
    await parts.provider.close()


def main() -> int:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description="Imagemill's workers; settings come from the environment.")
    parser.add_argument("--role", choices=ROLES, default="all", help="which workers to run (default: all)")
    parser.add_argument("--ready-file", type=Path, help="a file to make once the workers poll")
    arguments = parser.parse_args()
    configure("worker")
    try:
        asyncio.run(run(arguments.role, arguments.ready_file))
    except ImagemillError as error:
        print(f"imagemill worker: {error}", file=sys.stderr)  # noqa: T201
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
