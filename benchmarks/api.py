"""What the HTTP API takes: polls a second of one process, and the time to acknowledge a small job.

One API process is pinned to one core (Linux), and polled by `CLIENTS` processes over `CONNECTIONS`
connections in all, each request with its key. The jobs run while they are polled: each has one chunk whose
call does not end. All measures are taken side by side in each round, since the machine is never the same
twice; what counts are the ratios. An acknowledgement is a POST of one item, beside a bare start of a workflow
of the same type, by turns.
"""

import asyncio
import json
import os
import socket
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx2
from temporalio.client import Client

from benchmarks.processes import core_seconds
from benchmarks.results import Row
from benchmarks.rounds import Spread
from benchmarks.service import Service, service
from imagemill.domain.job import JobSummary
from imagemill.domain.messages import JOB, JobStart, Times, Workplace
from imagemill.payloads import PAYLOADS
from sandbox.stack import LocalStack, StackOptions

JOBS = 100
FEW = 10
"""Of so many jobs are the polls that are compared with handlers that do nothing: there the reads weigh
little, and what an answer costs is seen."""

CONNECTIONS = 1000
CLIENTS = 2
ROUNDS = 3
SECONDS = 5.0
WARM_UP = 3
POSTS = 25


@dataclass(frozen=True, slots=True)
class Measured:
    """One load: answers a second, by status; reads of jobs a second; and the share of a core it took."""

    answers: dict[str, float]
    reads: float
    core: float

    @property
    def rate(self) -> float:
        return sum(self.answers.values())


class OneApi:
    """One API process on one core."""

    def __init__(self, url: str, pid: int, http: httpx2.AsyncClient, headers: dict[str, str]) -> None:
        self.url = url
        self._pid = pid
        self._http = http
        self._headers = headers

    async def tags(self, jobs: list[str]) -> dict[str, str]:
        """The entity tags of jobs, by path."""
        paths = [f"/v1/jobs/{job}" for job in jobs]
        answers = [await self._http.get(self.url + path, headers=self._headers) for path in paths]
        assert {answer.json()["state"] for answer in answers} == {"running"}
        return {path: answer.headers["etag"] for path, answer in zip(paths, answers, strict=True)}

    async def load(
        self, paths: list[str], tags: dict[str, str] | None = None, *, key: bool = True
    ) -> Measured:
        """Ask for these paths over all connections, for a while."""
        asked = {
            "url": self.url,
            "paths": paths,
            "headers": self._headers if key else {},
            "connections": CONNECTIONS // CLIENTS,
            "seconds": SECONDS,
            "tags": tags or {},
        }
        reads, core, began = await self._reads(), core_seconds(self._pid), time.perf_counter()
        told = await asyncio.gather(*(_client(asked) for _ in range(CLIENTS)))
        seconds = time.perf_counter() - began
        statuses = {status for each in told for status in each}
        answers = {status: sum(each.get(status, 0) for each in told) / SECONDS for status in statuses}
        return Measured(
            answers, (await self._reads() - reads) / SECONDS, (core_seconds(self._pid) - core) / seconds
        )

    async def _reads(self) -> int:
        return int((await self._http.get(f"{self.url}/reads")).text)


async def main() -> list[Row]:
    """Acknowledgements, then rounds of polls; ratios come last."""
    with tempfile.TemporaryDirectory() as folder:
        options = StackOptions(data_dir=Path(folder), speed=100.0)
        async with LocalStack(options) as stack, httpx2.AsyncClient(timeout=60) as http:
            rows = await acknowledging(stack, http)
            own = service(stack, http)
            jobs = [await own.submit(f"poll-{number}", 2) for number in range(JOBS)]
            await until_running(own, jobs)
            async with one_api(stack, http) as api:
                return rows + await polling(api, jobs)


async def acknowledging(stack: LocalStack, http: httpx2.AsyncClient) -> list[Row]:
    """Milliseconds of a POST, and of a bare start of the same workflow type."""
    client = await Client.connect(str(stack.addresses.temporal), data_converter=PAYLOADS)
    own = service(stack, http)
    posts, starts = [], []
    for number in range(WARM_UP + POSTS):
        posts.append(await _timed(own.submit(f"ack-{number}", 1)))
        starts.append(await _timed(_bare_start(client)))
    post, start = (Spread.of([each * 1000 for each in times[WARM_UP:]]) for times in (posts, starts))
    ratio = post.median / start.median
    print(f"api acknowledging ms: POST {post.shown(1)}, bare start {start.shown(1)}, ratio {ratio:.2f}")
    return [
        Row.of("acknowledging a job", "POST", post, unit="ms"),
        Row.of("acknowledging a job", "bare start of a workflow", start, unit="ms"),
        Row.of("acknowledging a job", "POST over bare start", ratio),
    ]


async def _bare_start(client: Client) -> None:
    job = f"job_bare-{uuid.uuid4()}"
    place = Workplace(job=job, tenant="default", image_queue="nobody", times=Times())
    summary = JobSummary(tenant="default", submitted_at=datetime.now(UTC), items=1, cap_nano=10**9)
    await client.start_workflow(
        JOB, JobStart(place=place, summary=summary), id=job, task_queue="nobody", memo={"summary": summary}
    )


async def _timed(work: Awaitable[object]) -> float:
    began = time.perf_counter()
    await work
    return time.perf_counter() - began


async def until_running(own: Service, jobs: list[str]) -> None:
    """Until every job has a chunk that has set money aside for its calls."""
    async with asyncio.timeout(120):
        for job in jobs:
            while (await own.status(job))["cost"]["reserved_usd"] == "0.00":
                await asyncio.sleep(0.2)


async def polling(api: OneApi, jobs: list[str]) -> list[Row]:
    """Rounds of the same loads, side by side."""
    loads: dict[str, list[Measured]] = {}
    for _ in range(ROUNDS):
        tags = await api.tags(jobs)
        for name, load in (
            ("nothing, plain", api.load(["/nothing/plain"], key=False)),
            ("nothing, framework", api.load(["/nothing/framework"], key=False)),
            ("304, few jobs", api.load(list(tags)[:FEW], tags)),
            ("polls, 304", api.load(list(tags), tags)),
            ("polls, 200", api.load(list(tags))),
        ):
            loads.setdefault(name, []).append(await load)
    rows: list[Row] = []
    for name, measured in loads.items():
        rates = Spread.of([each.rate for each in measured])
        rows.append(Row.of("answers", name, rates, unit="1/s"))
        reads, core = (
            statistics.median(each) for each in zip(*((m.reads, m.core) for m in measured), strict=True)
        )
        print(
            f"api {name:18} a second: {rates.shown(0)}   "
            f"reads of jobs a second {reads:5.0f}   of a core {core:.2f}   "
            f"answers {sorted({status for each in measured for status in each.answers})}"
        )
    for other in ("nothing, plain", "nothing, framework"):
        pairs = list(zip(loads["304, few jobs"], loads[other], strict=True))
        case = f"304, few jobs, over {other}"
        ratios = Spread.of([polls.rate / least.rate for polls, least in pairs])
        cores = Spread.of([polls.rate / polls.core / (least.rate / least.core) for polls, least in pairs])
        print(f"api {case}: {ratios.shown()}; by processor time {cores.shown()}")
        rows += [Row.of("answers", case, ratios), Row.of("answers by processor time", case, cores)]
    return rows


@asynccontextmanager
async def one_api(stack: LocalStack, http: httpx2.AsyncClient) -> AsyncIterator[OneApi]:
    """An API process of our own beside the stack's."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.api_server", str(port)),
        env=os.environ | stack.environment,
        stdout=asyncio.subprocess.DEVNULL,
    )
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(process.pid, {min(os.sched_getaffinity(0))})
    url = f"http://127.0.0.1:{port}"
    try:
        async with asyncio.timeout(30):
            while not await _ready(http, url):
                await asyncio.sleep(0.1)
        yield OneApi(url, process.pid, http, {"Authorization": f"Bearer {stack.addresses.api_key}"})
    finally:
        process.terminate()
        await process.wait()


async def _ready(http: httpx2.AsyncClient, url: str) -> bool:
    try:
        return (await http.get(f"{url}/readyz")).status_code == 200
    except httpx2.HTTPError:
        return False


async def _client(asked: dict[str, object]) -> dict[str, int]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.polls"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    told, _ = await process.communicate(json.dumps(asked).encode())
    found: dict[str, int] = json.loads(told)
    return found
