"""How much of a provider's limit is used: the time of a job over the ideal one, after warm-up.

A job of five minutes' worth of images against a limit of `LIMIT` images a minute. Warm-up is the first
minute; after it the ideal is one image every 60/LIMIT seconds. Measured where the limit is stated, with one
worker process and with three, and where it is unknown to the service.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from benchmarks.results import Row
from benchmarks.service import service
from sandbox.stack import LocalStack, StackOptions

LIMIT = 300
MINUTES = 5
WARM_UP = 60.0

CASES = {
    "limit stated, 1 worker": (str(LIMIT), 1),
    "limit stated, 3 workers": (str(LIMIT), 3),
    "limit unknown, 1 worker": ("", 1),
}
"""What the operator states, and the number of worker processes."""


async def main() -> list[Row]:
    """Each case once; the ratios come last."""
    found = {name: await one(*case) for name, case in CASES.items()}
    print("\n".join(f"pace {name:24} {told}" for name, told in found.items()))
    return [row for name, told in found.items() for row in told.rows(name)]


async def one(stated: str, workers: int) -> "Told":
    """One job; what became of its pace."""
    with tempfile.TemporaryDirectory() as folder:
        options = StackOptions(
            data_dir=Path(folder),
            speed=0.1,
            workers=workers,
            extra_env={
                "IMAGEMILL_PROVIDER_IMAGES_PER_MINUTE": stated,
                "IMAGEMILL_PROVIDER_TOKENS_PER_MINUTE": "",
            },
        )
        async with LocalStack(options) as stack, httpx2.AsyncClient(timeout=60) as http:
            mill = service(stack, http)
            await mill.limit(images_per_minute=LIMIT)
            job = await mill.submit("pace", LIMIT * MINUTES)
            await mill.until_done(job, 60 * MINUTES * 2)
            return judge(await mill.ledger())


@dataclass(frozen=True, slots=True)
class Told:
    """What became of the pace of a job.

    Attributes:
        warm: images in the first minute.
        rest: images after it.
        ratio: the time that these took over the ideal.
    """

    warm: int
    rest: int
    refused: int
    ratio: float

    def __str__(self) -> str:
        return (
            f"{self.warm} images in the first minute, {self.rest} after it; "
            f"{self.refused} refused ({self.share:.2%}); time over ideal: {self.ratio:.3f}"
        )

    @property
    def share(self) -> float:
        """Of all calls, those that were refused."""
        return self.refused / (self.warm + self.rest + self.refused)

    def rows(self, case: str) -> list[Row]:
        """The same as figures."""
        return [
            Row.of("time over the ideal", case, self.ratio),
            Row.of("images in the first minute", case, self.warm),
            Row.of("refused", case, self.share * 100, unit="% of the calls"),
        ]


def judge(ledger: dict[str, Any]) -> Told:
    """The ratio of the time to the ideal, and the calls that were refused."""
    entries = ledger["entries"]
    done = sorted(entry["time"] for entry in entries if entry["event"] == "answered")
    warm = [at for at in done if at <= done[0] + WARM_UP]
    rest = len(done) - len(warm)
    ratio = (done[-1] - warm[-1]) / (rest * 60 / LIMIT)
    return Told(len(warm), rest, sum(ledger["refused"].values()), ratio)
