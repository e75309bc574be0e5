"""How long a small job waits behind another tenant's huge one: its first image, over that on an idle system.

Both tenants have the same weight. The image workers have `AT_ONCE` calls under way at once, all of them
taken by the job of `HUGE` items when the small one comes.
"""

import tempfile
import time
from pathlib import Path

import httpx2

from benchmarks.results import Row
from benchmarks.rounds import Spread
from benchmarks.service import Service, other_tenant, service
from sandbox.stack import LocalStack, StackOptions

HUGE = 5000
SMALL = 5
ROUNDS = 5
AT_ONCE = 16


async def main() -> list[Row]:
    """Rounds on the idle system, then the same while the huge job runs; the ratio comes last."""
    with tempfile.TemporaryDirectory() as folder:
        options = StackOptions(
            data_dir=Path(folder),
            speed=0.1,
            extra_env={"IMAGEMILL_WORK_IMAGES_AT_ONCE": str(AT_ONCE)},
        )
        async with (
            LocalStack(options) as stack,
            httpx2.AsyncClient(timeout=60) as http,
            other_tenant(stack, http, "huge") as huge,
        ):
            small = service(stack, http)
            await first_image(small, "warm-up")
            idle = [await first_image(small, f"idle-{n}") for n in range(ROUNDS)]
            job = await huge.submit("huge", HUGE)
            await huge.until_done(job, 60, images=4 * AT_ONCE)
            busy = [await first_image(small, f"busy-{n}") for n in range(ROUNDS)]
            left = HUGE - (await huge.status(job))["items"]["succeeded"]
    print(f"fairness: {left} of {HUGE} items of the huge job were still to come at the end")
    spreads = {"idle": Spread.of(idle), "busy": Spread.of(busy)}
    for name, spread in spreads.items():
        print(f"fairness {name} first image s: {spread.shown()}")
    ratio = spreads["busy"].median / spreads["idle"].median
    print(f"fairness busy over idle: {ratio:.2f}")
    return [
        Row.of("until the first image", "idle system", spreads["idle"], unit="s"),
        Row.of("until the first image", "beside the huge job", spreads["busy"], unit="s"),
        Row.of("until the first image", "beside the huge job over idle", ratio),
        Row.of("items of the huge job still to come at the end", f"of {HUGE:,}", left),
    ]


async def first_image(tenant: Service, word: str) -> float:
    """Seconds from the submission of a small job to its first image; it is waited for to its end."""
    began = time.perf_counter()
    job = await tenant.submit(word, SMALL)
    await tenant.until_done(job, 120, images=1)
    seconds = time.perf_counter() - began
    await tenant.until_done(job, 120)
    return seconds
