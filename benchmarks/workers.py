"""Throughput against worker processes, and where the engine becomes the limit on one machine.

First the provider is slow, so that what limits is the number of calls under way: each worker process has
`PLACES` of them. The ideal is all places, always taken: places over the provider's own mean time for a call,
by its ledger. Then the provider answers at once and its pictures are small, so that what limits is the
machine: how many images a second more workers bring there, and what each part takes of the processor for one.
"""

import os
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from benchmarks.processes import core_seconds
from benchmarks.results import Row
from benchmarks.rounds import Spread
from benchmarks.service import service
from sandbox.stack import LocalStack, StackOptions

WORKERS = (1, 2, 4)
ROUNDS = 3
PLACES = 16
SPEED = 4 / 13
"""Of the sandbox: a picture of low quality takes four seconds."""
SECONDS = 40
"""That a job takes ideally."""
WARM = 0.2
"""The share of a job, at its beginning and at its end, in which not all places are taken."""
AT_ONCE_ITEMS = 1000
AT_ONCE_PLACES = 32


@dataclass(frozen=True, slots=True)
class Measured:
    """One job: images a second in its middle, the ideal, and processor milliseconds an image by part."""

    rate: float
    ideal: float
    parts: Mapping[str, float]


async def main() -> list[Row]:
    """Slow, then at once; each number of workers once a round."""
    slow: dict[int, list[Measured]] = defaultdict(list)
    at_once: dict[int, list[Measured]] = defaultdict(list)
    for number in range(ROUNDS):
        for workers in WORKERS if number % 2 == 0 else WORKERS[::-1]:
            items = round(workers * PLACES / (SPEED * 13) * SECONDS)
            slow[workers].append(await measure(workers, items, SPEED, PLACES))
            at_once[workers].append(await measure(workers, AT_ONCE_ITEMS, 0.0, AT_ONCE_PLACES))
    rows = [*slow_rows(slow), *at_once_rows(at_once)]
    for row in rows:
        spread = Spread(row.median, row.least, row.most, row.count)
        print(f"workers {row.at:g}, {row.case}: {row.figure} {row.unit}: {spread.shown()}")
    return rows


async def measure(workers: int, items: int, speed: float, places: int) -> Measured:
    """One job on a stack of its own."""
    with tempfile.TemporaryDirectory() as folder:
        options = StackOptions(
            data_dir=Path(folder),
            speed=speed,
            workers=workers,
            extra_env={"IMAGEMILL_WORK_IMAGES_AT_ONCE": str(places)},
        )
        async with LocalStack(options) as stack, httpx2.AsyncClient(timeout=60) as http:
            mill = service(stack, http)
            before = spent(stack)
            job = await mill.submit("workers", items)
            await mill.until_done(job, 600)
            after, ledger = spent(stack), await mill.ledger()
    parts = {part: (after[part] - before[part]) / items * 1000 for part in after}
    return Measured(rate(ledger["entries"]), ideal(ledger["entries"], workers * places), parts)


def spent(stack: LocalStack) -> dict[str, float]:
    """Processor seconds so far by part, all workers together."""
    found: dict[str, float] = defaultdict(float)
    for name in stack.names:
        part = "workers" if name.startswith("worker") else name
        found[part] += core_seconds(stack.pid(name))
    return dict(found)


def rate(entries: Iterable[Mapping[str, Any]]) -> float:
    """Images a second in the middle of a job."""
    times: list[float] = sorted(entry["time"] for entry in entries if entry["event"] == "answered")
    middle = times[round(len(times) * WARM) : round(len(times) * (1 - WARM))]
    return (len(middle) - 1) / (middle[-1] - middle[0])


def ideal(entries: Iterable[Mapping[str, Any]], places: int) -> float:
    """Images a second if all places were always taken."""
    began: dict[str, float] = {}
    seconds: list[float] = []
    for entry in entries:
        if entry["event"] == "billed":
            began[entry["request_id"]] = entry["time"]
        elif entry["event"] == "answered":
            seconds.append(entry["time"] - began[entry["request_id"]])
    return places / (sum(seconds) / len(seconds))


def slow_rows(found: Mapping[int, list[Measured]]) -> list[Row]:
    """Pace, ideal, and the share of it."""
    rows = []
    for workers, several in found.items():
        rates, ideals = [each.rate for each in several], [each.ideal for each in several]
        shares = [each.rate / each.ideal for each in several]
        pace = "images a second, provider at 4 s"
        rows += [
            Row.of(pace, "measured", Spread.of(rates), unit="1/s", at=workers),
            Row.of(pace, "all places always taken", Spread.of(ideals), unit="1/s", at=workers),
            Row.of("share of the places taken", "provider at 4 s", Spread.of(shares), at=workers),
        ]
    return rows


def at_once_rows(found: Mapping[int, list[Measured]]) -> list[Row]:
    """Pace, what the engine could do if it had all cores for itself, and what an image takes by part."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    rows = []
    for workers, several in found.items():
        pace = "images a second, provider at once"
        rates = Spread.of([each.rate for each in several])
        bounds = Spread.of([cores * 1000 / each.parts["temporal"] for each in several])
        rows += [
            Row.of(pace, "measured", rates, unit="1/s", at=workers),
            Row.of(pace, "the engine alone on all cores", bounds, unit="1/s", at=workers),
        ]
        for part in several[0].parts:
            times = Spread.of([each.parts[part] for each in several])
            rows.append(Row.of("processor time an image", part, times, unit="ms", at=workers))
    return rows
