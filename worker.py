"""What runs, wired to what: the workers of the service.

``python worker.py`` runs everything in one process; ``--role workflows`` and ``--role images`` run the
parts apart, on as many hosts as are needed.
"""

import argparse
import asyncio
import os
import signal
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import structlog
from temporalio.client import Client
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.worker import Worker, WorkerDeploymentConfig
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities.accounts import Accounts
from activities.books import Books
from activities.copies import Copies
from activities.delivery import Delivery
from activities.gallery import Galleries
from activities.image import Images, Search
from activities.inputs import Inputs
from activities.planning import Planning
from activities.plans import Plans
from activities.pools import PoolRates
from activities.runs import Runs
from activities.sealed import SealFailures
from activities.sources import LARGEST_MANIFEST, Sources
from activities.webhooks import Deliveries, Emission
from imagemill import settings
from imagemill.domain.errors import ImagemillError
from imagemill.domain.messages import MAIN_QUEUE
from imagemill.domain.pool_messages import PoolStart, StatedLimits
from imagemill.domain.pools import Pool, quarantine_of
from imagemill.domain.webhook_messages import WEBHOOK_QUEUE
from imagemill.engine import TemporalEngine, connect
from imagemill.imaging.pool import ImagingPool
from imagemill.inputs.fetch import GuardedFetcher
from imagemill.logging import configure
from imagemill.pacing.gate import Gate
from imagemill.pacing.link import Link
from imagemill.providers.openai_images import OpenAIImages
from imagemill.starting import Starter
from imagemill.storage.s3 import S3Store
from imagemill.storage_probe import require_conditional_puts
from imagemill.telemetry import runtime
from imagemill.templating.process import ProcessTemplating
from imagemill.webhooks.sender import GuardedSender
from workflows.account import AccountWorkflow
from workflows.chunk import ChunkWorkflow
from workflows.estimate import EstimateWorkflow
from workflows.gallery import GalleryWorkflow
from workflows.job import JobWorkflow
from workflows.pool import PoolWorkflow
from workflows.run import RunWorkflow
from workflows.upgrading import UpgradingAccount, UpgradingPool, UpgradingWebhook
from workflows.webhook import WebhookWorkflow

log = structlog.get_logger()

ROLES = ("all", "workflows", "images")
STORE_THREADS = 32
PLAIN_GRACE = timedelta(seconds=20)
MANIFEST_SECONDS = 900.0
"""For fetching a manifest from an address, however large; a silence ends it much sooner."""


class Parts:
    """Everything that the workers are made of; made once, from the settings."""

    def __init__(self, role: str) -> None:
        self.engine = settings.read(settings.EngineSettings)
        self.work = settings.read(settings.WorkSettings)
        self.times = settings.read(settings.TimeSettings)
        control = settings.read(settings.ControlSettings)
        delivery = settings.read(settings.DeliverySettings)
        threads = ThreadPoolExecutor(STORE_THREADS, thread_name_prefix="store")
        self.control = S3Store.connect(control, threads)
        self.delivered = S3Store.connect(delivery, threads)
        self.pools = settings.read(settings.PoolSettings).load(keys=role != "workflows")
        self.catalogue = settings.read(settings.PriceSettings).load()
        self.tenants = settings.read(settings.TenantSettings).load()
        caps = settings.read(settings.CapSettings)
        self.caps, self.allow_uncapped = caps.defaults, caps.allow_uncapped
        self.delivery = Delivery(self.control, self.delivered, delivery.prefix)
        self.plans = Plans(self.control)
        self.renditions = settings.read(settings.RenditionSettings)
        self.imaging = ImagingPool(
            self.renditions.processes, self.renditions.seconds, self.renditions.memory_mb
        )
        self.copies = Copies(self.delivered, self.imaging, delivery.prefix, self.renditions.wait_seconds)
        inputs = settings.read(settings.InputSettings)
        self.rules = inputs.rules
        self.fetcher = GuardedFetcher(self.rules, seconds=inputs.fetch_seconds, most_bytes=inputs.most_bytes)
        self.inputs = Inputs(
            self.control,
            self.fetcher,
            self.delivered.beside,
            self.rules,
            most_bytes=inputs.most_bytes,
            tenants=self.tenants,
        )
        self.manifests = GuardedFetcher(
            self.rules, seconds=MANIFEST_SECONDS, most_bytes=LARGEST_MANIFEST + 1, accept="*/*"
        )
        self.sources = Sources(
            self.control, self.manifests, self.delivered.beside, self.rules, tenants=self.tenants
        )
        self.webhooks = settings.read(settings.WebhookSettings)
        targets = self.webhooks.rules(self.tenants)
        self.sender = GuardedSender(
            targets.policy, seconds=self.webhooks.seconds, at_once=self.webhooks.at_once
        )
        self.deliveries = Deliveries(self.control, self.sender, targets, self.webhooks.at_once)

    async def probe(self) -> None:
        """Find out now, not at the first image, whether both buckets can be used."""
        await require_conditional_puts(self.control, "control")
        await require_conditional_puts(self.delivered, "delivery")

    def books(self, client: Client) -> Books:
        """Plans in, results and reports out."""
        engine = TemporalEngine(client)
        return Books(
            self.control,
            self.plans,
            self.delivery,
            engine,
            self.catalogue,
            pools=self.pools,
            copies=self.copies,
        )

    def accounts(self, client: Client) -> Accounts:
        """The accounts of tenants."""
        engine = TemporalEngine(client)
        return Accounts(
            self.control, self.plans, self.delivery, engine, self.caps, self.times, tenants=self.tenants
        )

    def runs(self) -> Runs:
        """Runs of schedules."""
        starter = Starter(
            catalogue=self.catalogue,
            pools=self.pools,
            tenants=self.tenants,
            times=self.times,
            window=self.work.window,
            chunks_at_once=self.work.chunks_at_once,
            weights=self.work.tenant_weights,
        )
        return Runs(self.control, starter, self.caps, allow_uncapped=self.allow_uncapped)

    def emission(self, client: Client) -> Emission:
        """Events that jobs tell."""
        rules = self.webhooks.rules(self.tenants)
        return Emission(self.control, TemporalEngine(client), rules, self.webhooks.waits, self.times)


def workflows(*, versioned: bool) -> list[type]:
    """All that there are."""
    bound: list[type] = [JobWorkflow, ChunkWorkflow, EstimateWorkflow, GalleryWorkflow, RunWorkflow]
    if versioned:
        return [*bound, UpgradingAccount, UpgradingPool, UpgradingWebhook]
    return [*bound, AccountWorkflow, PoolWorkflow, WebhookWorkflow]


def workflow_worker(client: Client, parts: Parts) -> Worker:
    """Runs the workflows, and the cheap steps beside the paid call."""
    planning = Planning(
        parts.control,
        ProcessTemplating(),
        parts.catalogue,
        parts.rules,
        parts.pools,
        tenants=parts.tenants,
        delivered=parts.delivered,
        inputs=parts.inputs,
        sources=parts.sources,
        thumbnails=parts.renditions.thumbnails,
    )
    books, accounts = parts.books(client), parts.accounts(client)
    galleries = Galleries(parts.control, parts.copies, parts.imaging)
    search, rates = Search(parts.plans, parts.delivery, parts.copies), PoolRates(TemporalEngine(client))
    restrictions = SandboxRestrictions.default.with_passthrough_modules("imagemill", "pydantic", "workflows")
    return Worker(
        client,
        task_queue=MAIN_QUEUE,
        workflows=workflows(versioned=parts.engine.build is not None),
        activities=[
            planning.plan,
            planning.estimate,
            books.open_chunk,
            books.write_results,
            books.inspect_chunk,
            books.report,
            search.look,
            rates.set_rate,
            accounts.open_account,
            accounts.restore_account,
            accounts.save_account,
            accounts.reconcile,
            parts.emission(client).emit,
            parts.deliveries.record,
            parts.runs().prepare,
            galleries.make,
        ],
        interceptors=[SealFailures()],
        workflow_runner=SandboxedWorkflowRunner(restrictions=restrictions),
        max_heartbeat_throttle_interval=timedelta(seconds=parts.times.heartbeat_interval),
        graceful_shutdown_timeout=PLAIN_GRACE,
        deployment_config=deployment(parts.engine),
    )


def deployment(engine: settings.EngineSettings) -> WorkerDeploymentConfig | None:
    """By which version of the program workflows, and the steps beside the paid call, are done.

    A workflow stays with the version that began it, unless it says otherwise. The queues of images and of
    webhooks have no versions: no workflow runs there, so nothing needs the program that it began with, and an
    engine that kept a queue for each version would share out turns, and the provider's pace, in each apart.
    """
    if engine.build is None:
        return None
    return WorkerDeploymentConfig(
        version=WorkerDeploymentVersion(engine.deployment, engine.build),
        use_worker_versioning=True,
        default_versioning_behavior=VersioningBehavior.PINNED,
    )


def webhook_worker(client: Client, parts: Parts) -> Worker:
    """Sends events, and nothing else: receivers may be slow."""
    return Worker(
        client,
        task_queue=WEBHOOK_QUEUE,
        activities=[parts.deliveries.deliver],
        interceptors=[SealFailures()],
        max_concurrent_activities=parts.webhooks.at_once,
        disable_eager_activity_execution=True,
        graceful_shutdown_timeout=timedelta(seconds=parts.webhooks.seconds + 5),
    )


class Counter:
    """Where one limit group of a pool is bought from: its workers, its gate, and its link to the pool."""

    def __init__(self, client: Client, parts: Parts, pool: Pool, group: str, provider: OpenAIImages) -> None:
        name = f"{socket.gethostname()}-{os.getpid()}"
        limits = pool.groups[group]
        start = PoolStart(
            pool=pool.name,
            group=group,
            stated=StatedLimits(images=limits.images_per_minute, tokens=limits.tokens_per_minute),
            times=parts.times,
        )
        gate = Gate(name, (parts.times.first_probe, parts.times.last_probe), time.time)
        self.link = Link(gate, start, TemporalEngine(client))
        catalogue = parts.catalogue.scaled(lambda _: pool.price_factor)
        images = Images(
            parts.plans,
            provider,
            parts.delivery,
            catalogue,
            gate=gate,
            pool=pool.name,
            inputs=parts.inputs,
            copies=parts.copies,
            tell=TemporalEngine(client).tell_store_refuses,
            tenants=parts.tenants,
        )
        at_once = parts.work.images_at_once
        self.workers = [
            image_worker(client, parts, images, start.queue, at_once),
            image_worker(client, parts, images, quarantine_of(start.queue), 1),
        ]


def image_worker(client: Client, parts: Parts, images: Images, queue: str, at_once: int) -> Worker:
    """Makes the paid calls of one queue, and nothing else, so that the queue's rate is theirs.

    It shuts down only when the calls under way are finished: the grace outlasts their deadline.
    """
    grace = max(60.0, parts.renditions.wait_seconds + 30)  # to store what was bought, and to copy it
    return Worker(
        client,
        task_queue=queue,
        activities=[images.generate],
        interceptors=[SealFailures()],
        max_concurrent_activities=at_once,
        max_heartbeat_throttle_interval=timedelta(seconds=parts.times.heartbeat_interval),
        disable_eager_activity_execution=True,
        graceful_shutdown_timeout=timedelta(seconds=parts.times.call_deadline + grace),
    )


async def counters(client: Client, parts: Parts, running: AsyncExitStack) -> list[Counter]:
    """One for each limit group of each pool, in touch with it."""
    made = []
    for pool in parts.pools:
        provider = OpenAIImages.connect(pool, connections=parts.work.images_at_once * len(pool.groups))
        running.push_async_callback(provider.close)
        made += [Counter(client, parts, pool, group, provider) for group in pool.groups]
    for counter in made:
        await counter.link.open()
        linked = asyncio.create_task(counter.link.run())
        running.callback(linked.cancel)
    return made


async def run(role: str, ready_file: Path | None) -> None:
    """Run until SIGINT or SIGTERM, then finish what is under way."""
    parts = Parts(role)
    await parts.probe()
    client = await connect(parts.engine, runtime(settings.read(settings.MetricsSettings)))
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    async with AsyncExitStack() as running:
        running.push_async_callback(parts.imaging.close)
        running.push_async_callback(parts.fetcher.close)
        running.push_async_callback(parts.manifests.close)
        running.push_async_callback(parts.sender.close)
        makers = [workflow_worker, webhook_worker] if role in ("all", "workflows") else []
        started = [make(client, parts) for make in makers]
        if role in ("all", "images"):
            for counter in await counters(client, parts, running):
                started += counter.workers
        for worker in started:
            await running.enter_async_context(worker)
        log.info("worker ready", role=role, engine=parts.engine.address)
        if ready_file:
            ready_file.touch()  # noqa: ASYNC240 - one system call, before any work
        await stop.wait()
        log.info("worker stopping; calls under way are finished first")
        await asyncio.gather(*(worker.shutdown() for worker in started))  # all at once: none takes new work


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
