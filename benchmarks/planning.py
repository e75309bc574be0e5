"""Manifests at size: rows a second until a job is planned, and the peak memory of every process.

A catalog of `SIZES` rows of 300 bytes is written to a temporary folder, uploaded, asked about with
``validate_only``, and submitted with a cap that no row can be bought with: everything is planned and
written, and nothing is bought. Peaks are what the kernel says of each process of the stack since its start;
each size gets a stack of its own.

Where the time went in a validation, before and after it was looked at, in microseconds a row by cProfile,
whose own overhead is in them and about doubles them:

    before  pricing 110 and checking 70, of both 50 for matching the pools' patterns; naming 52; resolving
            settings 47; ids and names seen before 33; looking for references where there are none 17;
            and 80 of waiting for the renderer, which waited in turn
    after   items 76, of them 15 for requests, 17 for ids seen before; naming 35; the pipe to the renderer 20;
            reading rows 17; drafts 15; what is priced once for a length of prompt no longer shows

Without the profiler it was 220 of CPU in the worker and is 75 to 95; the renderer takes 75 to 80 in a process
of its own, on the next rows meanwhile.

In one run on two cores at a load of 10: 100,000 rows validated in 52 s, 1,000,000 in 597 s, and planned in
445 s; peaks of 206 MiB in the worker, 243 in the API and 28 in a renderer. The store of the local stack,
which is not ours, took 694.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from benchmarks.processes import below, name_of, peak_of
from benchmarks.results import Row
from imagemill.domain.messages import PlannedChunk
from sandbox.stack import LocalStack, StackOptions

SIZES = (100_000, 300_000, 1_000_000)
SECONDS = 3600
TEXT = "A chair of solid oak with a woven seat, made by hand and oiled, for kitchen, hall and study. " * 2


@dataclass(frozen=True, slots=True)
class Measured:
    """One size: bytes of the manifest, seconds, and peaks in MiB by process."""

    rows: int
    size: int
    accepted: float
    validated: float
    planned: float
    peaks: dict[str, int]

    def figures(self) -> list[Row]:
        """By the size, as points of curves."""
        speeds = {"validated": self.rows / self.validated, "planned": self.rows / self.planned}
        rows = [
            Row.of("rows a second", case, speed, unit="1/s", at=self.rows) for case, speed in speeds.items()
        ]
        peaks = sorted(self.peaks.items())
        return rows + [Row.of("peak memory", name, peak, unit="MiB", at=self.rows) for name, peak in peaks]


async def main() -> list[Row]:
    """Measure every size, the smallest first."""
    rows: list[Row] = []
    for size in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            found = await measure(Path(folder), size)
        rows += found.figures()
        print(
            f"planning {found.rows:>9,} rows, {found.size / 1e6:3.0f} MB: "
            f"accepted in {found.accepted:.1f} s, "
            f"validated in {found.validated:6.1f} s ({size / found.validated:6,.0f} rows/s), "
            f"planned in {found.planned:6.1f} s ({size / found.planned:6,.0f} rows/s)"
        )
        print("  peak MiB: " + ", ".join(f"{name} {peak}" for name, peak in sorted(found.peaks.items())))
    print(f"planning: the answer to the engine for 1,000,000 items has {answer_bytes():,} bytes")
    rows.append(Row.of("answer to the engine", "for 1,000,000 items", answer_bytes(), unit="bytes"))
    return rows


async def measure(folder: Path, rows: int) -> Measured:
    """One size on a stack of its own."""
    path = folder / "catalog.csv"
    await asyncio.to_thread(write, path, rows)
    options = StackOptions(
        data_dir=folder / "stack", speed=0.0, extra_env={"IMAGEMILL_WORK_ESTIMATE_SECONDS": str(SECONDS)}
    )
    async with LocalStack(options) as stack:
        headers = {"Authorization": f"Bearer {stack.addresses.api_key}"}
        url = str(stack.addresses.url)
        async with httpx2.AsyncClient(base_url=url, headers=headers, timeout=SECONDS) as http:
            peaks: dict[str, int] = {}
            watching = asyncio.create_task(watch(peaks))
            with path.open("rb") as file:
                upload = await http.post("/v1/files", files={"file": ("catalog.csv", file)})
            body = submission(upload.json()["id"])
            began = time.perf_counter()
            (await http.post("/v1/jobs", params={"validate_only": "true"}, json=body)).raise_for_status()
            validated = time.perf_counter()
            answer = await http.post("/v1/jobs", json=body)
            answer.raise_for_status()
            accepted = time.perf_counter()
            await until_failed(http, answer.json()["id"])
            planned = time.perf_counter()
            watching.cancel()
    return Measured(
        rows,
        path.stat().st_size,
        accepted - validated,
        validated - began,
        planned - accepted,
        peaks,
    )


def write(path: Path, rows: int) -> None:
    """A catalog of so many rows."""
    with path.open("w", encoding="utf-8") as file:
        file.write("Handle,Title,Vendor,Body (HTML)\n")
        file.writelines(lines(rows))


def lines(rows: int) -> Iterator[str]:
    """Rows of 300 bytes."""
    for number in range(rows):
        row = f'chair-{number},"Chair, number {number}",Vendor {number % 97},"<p>{TEXT}</p>'
        yield row.ljust(298) + '"\n'


def submission(file_id: str) -> dict[str, Any]:
    """A job that is planned whole and fails then: its cap is that of an empty prompt."""
    return {
        "defaults": {"model": "gpt-image-2.5-flare", "size": "816x816", "quality": "low"},
        "manifest": {
            "file_id": file_id,
            "format": "csv",
            "id": "{{ row.Handle }}",
            "prompt": "Photo of {{ row.Title }}. {{ row['Body (HTML)'] | strip_html | truncate: 200 }}",
        },
        "budget": {"limit_usd": "0.0053"},
    }


async def until_failed(http: httpx2.AsyncClient, job: str) -> None:
    """Until the job has failed, as it must."""
    while (status := (await http.get(f"/v1/jobs/{job}")).json())["ended_at"] is None:
        await asyncio.sleep(0.25)
    if (status["failure"] or {}).get("code") != "cap_too_low":
        raise RuntimeError(f"the job ended as {status['state']}: {status['failure']}")


async def watch(peaks: dict[str, int]) -> None:
    """Note the peaks of all processes below this one, over and over: some don't live long."""
    while True:
        for process in await asyncio.to_thread(lambda: list(below(os.getpid()))):
            if name := name_of(process):
                peaks[name] = max(peaks.get(name, 0), peak_of(process))
        await asyncio.sleep(0.5)


def answer_bytes() -> int:
    """What a plan of a million items takes in the engine, where all models are uncertain."""
    chunk = PlannedChunk(
        items=500,
        maximum_nano=10**14,
        expected_nano=10**14,
        invalid=500,
        uncertain=["gpt-image-2.6-flare"] * 3,
    )
    return len(chunk.model_dump_json()) * 2000
