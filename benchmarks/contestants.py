"""Who is measured against whom: how each is started for its turn, and told to make images.

All work on the same ground: one store, one canned provider. Whoever's turn it is runs alone beside these; it
is started for the turn, and gone after it, so that nobody's idle engine or worker takes from another.
"""

import asyncio
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

import boto3
import httpx2

from benchmarks.canned import HOST, REQUEST, Canned
from benchmarks.peers import environment
from benchmarks.service import service
from sandbox.stack import LocalStack, StackOptions

ROOT = Path(__file__).resolve().parents[1]
AT_ONCE = 32
CELERY = "benchmarks.peers.celery_app"


@dataclass(frozen=True, slots=True)
class Ground:
    """What all of them use.

    Attributes:
        folder: for what a turn leaves behind.
        settings: how the service finds the store.
    """

    folder: Path
    provider: Canned
    settings: Mapping[str, str]
    store: int
    """Its process."""

    @property
    def bucket(self) -> str:
        """Where images go."""
        return self.settings["IMAGEMILL_DELIVERY_BUCKET"]

    def environment(self) -> dict[str, str]:
        """Of a peer: addresses and keys by the names that the clients know, and nothing of the caller's."""
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "OPENAI_BASE_URL": self.provider.url,
            "OPENAI_API_KEY": "any",
            "AWS_ENDPOINT_URL_S3": self.settings["IMAGEMILL_DELIVERY_ENDPOINT"],
            "AWS_ACCESS_KEY_ID": self.settings["IMAGEMILL_DELIVERY_ACCESS_KEY"],
            "AWS_SECRET_ACCESS_KEY": self.settings["IMAGEMILL_DELIVERY_SECRET_KEY"],
            "AWS_DEFAULT_REGION": self.settings["IMAGEMILL_DELIVERY_REGION"],
            "BUCKET": self.bucket,
        }

    def stored(self, folder: str) -> list[int]:
        """The bytes of each image below a folder."""
        known = self.environment()
        client = boto3.client(
            "s3",
            endpoint_url=known["AWS_ENDPOINT_URL_S3"],
            aws_access_key_id=known["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=known["AWS_SECRET_ACCESS_KEY"],
            region_name=known["AWS_DEFAULT_REGION"],
        )
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=f"{folder}/")
        return [each["Size"] for page in pages for each in page.get("Contents", [])]


@dataclass(frozen=True, slots=True)
class Done:
    """So many images in so many seconds, and the folder of the bucket that they are in."""

    seconds: float
    folder: str


class Running(Protocol):
    """One that has started, and waits to be told."""

    @property
    def processes(self) -> Mapping[str, int]:
        """Its parts, without those of the ground."""
        ...

    async def make(self, word: str, images: int) -> Done:
        """Make so many; the word tells turns apart."""
        ...


class Contestant(Protocol):
    """How one is started."""

    def __call__(self, ground: Ground) -> AbstractAsyncContextManager[Running]:
        """Run it for a turn."""
        ...


class Told:
    """A peer that is told to work by its input (`benchmarks.peers.turns`)."""

    def __init__(self, process: asyncio.subprocess.Process, processes: Mapping[str, int], log: Path) -> None:
        self._process = process
        self._log = log
        self.processes = processes

    async def make(self, word: str, images: int) -> Done:
        assert self._process.stdin
        assert self._process.stdout
        began = time.perf_counter()
        self._process.stdin.write(f"{word} {images}\n".encode())
        answer = await self._process.stdout.readline()
        seconds = time.perf_counter() - began
        if answer != b"done\n":
            raise RuntimeError(f"a peer gave up:\n{self._log.read_text()[-3000:]}")
        return Done(seconds, word)


@asynccontextmanager
async def script(ground: Ground) -> AsyncIterator[Running]:
    """The plain script."""
    command = (sys.executable, "-m", "benchmarks.peers.script")
    async with _process(ground, command, ground.environment(), answers=True) as (process, log):
        yield Told(process, {"script": process.pid}, log)


@asynccontextmanager
async def tuned(ground: Ground) -> AsyncIterator[Running]:
    """The script with the service's own adapters."""
    command = (sys.executable, "-m", "benchmarks.peers.tuned")
    known = ground.environment() | dict(ground.settings)
    async with _process(ground, command, known, answers=True) as (process, log):
        yield Told(process, {"script": process.pid}, log)


@asynccontextmanager
async def celery(ground: Ground) -> AsyncIterator[Running]:
    """Redis, a Celery worker, and who gives it tasks.

    Raises:
        Skipped: one of them can't be had.
    """
    redis, python = environment.redis_server(), await environment.python()
    port = _free_port()
    known = ground.environment() | {"REDIS_URL": f"redis://{HOST}:{port}/0"}
    server = (redis, "--bind", HOST, "--port", str(port), "--dir", str(ground.folder))
    worker = (python, "-m", "celery", "-A", CELERY, "worker", "--pool", "threads", "--concurrency")
    client = (python, "-m", "benchmarks.peers.celery_client")
    async with _process(ground, server, dict(os.environ)) as (broker, _):
        await _until_open(port)
        async with (
            _process(ground, (*worker, str(AT_ONCE)), known) as (working, log),
            _process(ground, client, known, answers=True) as (telling, _),
        ):
            processes = {"worker": working.pid, "redis": broker.pid, "client": telling.pid}
            yield Told(telling, processes, log)


class Mill:
    """The service, given one job a turn."""

    def __init__(self, stack: LocalStack, http: httpx2.AsyncClient) -> None:
        self._service = service(stack, http)
        self.processes = {
            "worker": stack.pid("worker-1"),
            "engine": stack.pid("temporal"),
            "API": stack.pid("api"),
            "client": os.getpid(),
        }

    async def make(self, word: str, images: int) -> Done:
        """From the submission to the end that the job itself tells, which is after its report."""
        began = time.time()
        job = await self._service.submit(word, images, defaults=REQUEST)
        status = await self._service.until_done(job, 600)
        if status["state"] != "completed":
            raise RuntimeError(f"the job ended as {status['state']}")
        ended = datetime.fromisoformat(status["ended_at"]).timestamp()
        return Done(ended - began, f"images/{job}")


@asynccontextmanager
async def imagemill(ground: Ground) -> AsyncIterator[Running]:
    """The service: engine, one worker, API. Thumbnails are off, since nobody else makes any."""
    settings = dict(ground.settings) | {
        "IMAGEMILL_PROVIDER_BASE_URL": ground.provider.url,
        "IMAGEMILL_PROVIDER_API_KEY": "any",
        "IMAGEMILL_PROVIDER_IMAGES_PER_MINUTE": "unlimited",
        "IMAGEMILL_PROVIDER_TOKENS_PER_MINUTE": "unlimited",
        "IMAGEMILL_RENDITIONS_THUMBNAILS": "false",
        "IMAGEMILL_WORK_IMAGES_AT_ONCE": str(AT_ONCE),
    }
    options = StackOptions(
        data_dir=ground.folder / "mill", parts=("temporal", "worker", "api"), extra_env=settings
    )
    async with LocalStack(options) as stack, httpx2.AsyncClient(timeout=60, trust_env=False) as http:
        yield Mill(stack, http)


@asynccontextmanager
async def _process(
    ground: Ground, command: tuple[str, ...], known: Mapping[str, str], *, answers: bool = False
) -> AsyncIterator[tuple[asyncio.subprocess.Process, Path]]:
    """A process until its turn is over; what it says goes to a file, except for answers."""
    log = ground.folder / f"{Path(command[0]).name}-{time.monotonic_ns()}.log"
    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=ROOT,
            env=known,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE if answers else file,
            stderr=file,
        )
    try:
        yield process, log
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind((HOST, 0))
        port: int = free.getsockname()[1]
        return port


async def _until_open(port: int) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                _, writer = await asyncio.open_connection(HOST, port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return
