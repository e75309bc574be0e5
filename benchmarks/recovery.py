"""What `kill -9` costs: time, and calls that are paid twice.

Two workers share a job of `ITEMS` items; every `EVERY` seconds one of them is killed, by turns, and started
again, until the job has ended. Then the same befalls a worker that is alone, for `KILLS_ALONE` kills. All is
judged by the provider's ledger: when the next call after a kill was answered, and for each item that was paid
for more than once, whether the calls that brought nothing were under way at a kill.

The times by which a lost worker is noticed are shorter than by default, so that the job ends soon after its
last kill; they change neither figure, since other items go on meanwhile.
"""

import asyncio
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from benchmarks.results import Row
from benchmarks.rounds import Spread
from benchmarks.service import ENDED, Service, service
from sandbox.stack import LocalStack, StackOptions

ITEMS = 2000
EVERY = 10.0
KILLS_ALONE = 5
AT_ONCE = 8
SPEED = 1 / 13
"""Of the sandbox: a picture of low quality takes a second."""
SECONDS = 900
STORING = 5.0
"""Seconds in which an image that was answered may not be stored yet, on a machine that has much to do."""
TIMES = {
    "IMAGEMILL_TIMES_CALL_DEADLINE": "30",
    "IMAGEMILL_TIMES_HEARTBEAT_TIMEOUT": "15",
    "IMAGEMILL_TIMES_HEARTBEAT_INTERVAL": "3",
    "IMAGEMILL_TIMES_SWEEP": "20",
}


@dataclass(frozen=True, slots=True)
class Kill:
    """When a worker was killed, at the earliest and the latest, and when it was ready again."""

    since: float
    until: float
    ready: float


@dataclass(frozen=True, slots=True)
class Call:
    """A call that was paid for: when it was accepted, and when the provider was done with it."""

    prompt: str
    began: float
    ended: float
    answered: bool


@dataclass(frozen=True, slots=True)
class Twice:
    """Calls for items that other calls were paid for, too, by what the ledger shows of them.

    Attributes:
        under_way: the provider worked at them at a kill.
        just_answered: they were answered shortly before a kill, which found the image not stored yet.
        unexplained: neither; there must be none.
    """

    under_way: int
    just_answered: int
    unexplained: int


async def main() -> list[Row]:
    """Two workers with the whole job, then one alone."""
    rows = await by_turns()
    rows += await alone()
    for row in rows:
        spread = Spread(row.median, row.least, row.most, row.count)
        print(f"recovery, {row.case}: {row.figure} {row.unit}: {spread.shown()}")
    return rows


async def by_turns() -> list[Row]:
    """A whole job, one of two workers killed by turns, from its first images to its end."""
    case = "one of two workers"
    async with running(workers=2) as (stack, mill):
        job = await mill.submit("recovery", ITEMS)
        await mill.until_done(job, 60, images=2 * AT_ONCE)
        kills: list[Kill] = []
        async with asyncio.timeout(SECONDS):
            while not await ended_within(mill, job, EVERY):
                kills.append(await kill(stack, f"worker-{1 + len(kills) % 2}"))
        status, ledger = await mill.status(job), await mill.ledger()
    found = calls(ledger["entries"])
    return [
        Row.of("kills", case, len(kills)),
        Row.of("items that succeeded", case, status["items"]["succeeded"], target=f"≥ {ITEMS}"),
        *times(case, kills, found),
        *judged(case, twice(found, kills)),
    ]


async def alone() -> list[Row]:
    """A job on one worker, until it has been killed a few times; its end is not waited for."""
    async with running(workers=1) as (stack, mill):
        job = await mill.submit("alone", ITEMS)
        await mill.until_done(job, 60, images=AT_ONCE)
        kills: list[Kill] = []
        while len(kills) < KILLS_ALONE:
            kills.append(await kill(stack, "worker-1"))
            await ended_within(mill, job, EVERY)
        ledger = await mill.ledger()
    return times("the only worker", kills, calls(ledger["entries"]))


@asynccontextmanager
async def running(workers: int) -> AsyncIterator[tuple[LocalStack, Service]]:
    """A stack that does not mind killing, and its API."""
    with tempfile.TemporaryDirectory() as folder:
        options = StackOptions(
            data_dir=Path(folder),
            speed=SPEED,
            workers=workers,
            extra_env=TIMES | {"IMAGEMILL_WORK_IMAGES_AT_ONCE": str(AT_ONCE)},
        )
        async with LocalStack(options) as stack, httpx2.AsyncClient(timeout=60) as http:
            yield stack, service(stack, http)


async def kill(stack: LocalStack, name: str) -> Kill:
    """Kill a worker, and start it again."""
    since = time.time()
    await stack.kill(name)
    until = time.time()
    await stack.start_part(name)
    return Kill(since, until, time.time())


async def ended_within(mill: Service, job: str, seconds: float) -> bool:
    """Has the job ended when so many seconds are over? It is known at once."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if (await mill.status(job))["state"] in ENDED:
            return True
        await asyncio.sleep(0.5)
    return False


def calls(entries: Iterable[Mapping[str, Any]]) -> list[Call]:
    """The calls that the ledger has billed, in its order."""
    billed: dict[str, Mapping[str, Any]] = {}
    ends: dict[str, Mapping[str, Any]] = {}
    for entry in entries:
        if entry["event"] == "billed":
            billed[entry["request_id"]] = entry
        elif entry["event"] in ("answered", "outcome"):
            ends[entry["request_id"]] = entry
    return [
        Call(
            prompt=bill["prompt_sha256"],
            began=bill["time"],
            ended=ends[request]["time"] if request in ends else float("inf"),
            answered=request in ends and ends[request]["event"] == "answered",
        )
        for request, bill in billed.items()
    ]


def twice(found: Iterable[Call], kills: Sequence[Kill]) -> Twice:
    """Of each item all calls but one: the one that no kill explains, if there is such a one."""
    by_prompt: dict[str, list[Call]] = defaultdict(list)
    for call in found:
        by_prompt[call.prompt].append(call)
    under_way = just_answered = unexplained = 0
    for several in by_prompt.values():
        lost = [call for call in several if any(was_under_way(call, each) for each in kills)]
        near = [call for call in several if call not in lost and any(was_near(call, each) for each in kills)]
        more = len(several) - 1
        under_way += min(more, len(lost))
        just_answered += min(max(0, more - len(lost)), len(near))
        unexplained += max(0, more - len(lost) - len(near))
    return Twice(under_way, just_answered, unexplained)


def was_under_way(call: Call, kill: Kill) -> bool:
    """Did the provider work at a call when a worker was killed?"""
    return call.began <= kill.until and call.ended >= kill.since


def was_near(call: Call, kill: Kill) -> bool:
    """Was it answered so shortly before a kill that its image may not have been stored?"""
    return call.answered and 0 <= kill.since - call.ended <= STORING


def judged(case: str, told: Twice) -> list[Row]:
    """What was paid twice, as figures."""
    return [
        Row.of("calls paid twice, under way at a kill", case, told.under_way),
        Row.of("calls paid twice, answered and not yet stored at a kill", case, told.just_answered),
        Row.of("calls paid twice without a kill", case, told.unexplained, target="≤ 0"),
    ]


def times(case: str, kills: Sequence[Kill], found: Sequence[Call]) -> list[Row]:
    """Seconds from kills until the worker is back, and until a call that came after them is answered."""
    last = last_begun(found)
    firsts = [first_image(each.until, found) for each in kills if each.until < last]
    back = [first_image(each.ready, found) for each in kills if each.ready < last]
    figures = {
        "until the worker is ready again": [each.ready - each.until for each in kills],
        "until the first image after a kill": firsts,
        "until the first image, once it is ready again": back,
    }
    return [
        Row.of(figure, case, Spread.of(seconds), unit="s") for figure, seconds in figures.items() if seconds
    ]


def last_begun(found: Iterable[Call]) -> float:
    """When the last item was bought for the first time.

    After that only calls that were lost are bought again, and these wait until it is sure that they are lost.
    """
    firsts: dict[str, float] = {}
    for call in found:
        firsts[call.prompt] = min(call.began, firsts.get(call.prompt, call.began))
    return max(firsts.values(), default=0.0)


def first_image(since: float, found: Iterable[Call]) -> float:
    """Seconds from a moment until the first answer to a call that came later."""
    return min(call.ended for call in found if call.began > since and call.answered) - since
