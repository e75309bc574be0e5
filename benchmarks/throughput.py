"""Images a second, and processor time an image: the service beside what people write first.

``python -m benchmarks.throughput [--rounds N] [--images N] [--only NAME…] [--results FOLDER]``

Everything shares the machine: the provider, the store, and whoever's turn it is. Each round has a store of
its own and a turn of each: it is started, makes `WARM_UP` images, then those that count, which are counted in
the bucket and at the provider. What one takes of the processor is told by process, since the store's and the
provider's share is the same for all.
"""

import argparse
import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import contestants, results
from benchmarks.canned import canned
from benchmarks.contestants import Contestant, Ground
from benchmarks.peers import environment
from benchmarks.processes import below, core_seconds, peak_of
from benchmarks.results import Row, Skipped
from benchmarks.rounds import Spread, order, ratios
from sandbox.stack import LocalStack, StackOptions

NAME = "throughput"
ROUNDS = 5
IMAGES = 500
WARM_UP = 64

MILL, SCRIPT, CELERY, TUNED = "Imagemill", "plain script", "Celery", "tuned script"
CONTESTANTS: Mapping[str, Contestant] = {
    MILL: contestants.imagemill,
    SCRIPT: contestants.script,
    CELERY: contestants.celery,
    TUNED: contestants.tuned,
}
WORKS = {MILL: "worker", SCRIPT: "script", CELERY: "worker", TUNED: "script"}
"""The process that makes the calls and the puts."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn: images a second; and by process, milliseconds of CPU an image, and the peak in MiB."""

    rate: float
    cpu: Mapping[str, float]
    peaks: Mapping[str, int]


async def main() -> list[Row]:
    """All of them, as often and with as many images as it says above."""
    return await measure(ROUNDS, IMAGES, list(CONTESTANTS))


async def measure(rounds: int, images: int, names: Sequence[str]) -> list[Row]:
    """Rounds of turns; then the figures."""
    names = await _present(names)
    turns: dict[str, list[Turn]] = {name: [] for name in names}
    for number in range(rounds):
        async with ground() as own:
            for name in order(names, number):
                turn = await take_turn(own, name, images)
                turns[name].append(turn)
                print(f"throughput round {number + 1} {name:13} {show(turn)}")
    rows = figures(turns)
    for row in rows:
        spread = Spread(row.median, row.least, row.most, row.count)
        print(f"throughput {row.figure}: {row.case}: {spread.shown()} {row.unit} {row.target}".rstrip())
    return rows


async def _present(names: Sequence[str]) -> list[str]:
    """Without Celery, where the machine has not what it takes."""
    if CELERY not in names:
        return list(names)
    try:
        environment.redis_server()
        await environment.python()
    except Skipped as reason:
        print(f"throughput {CELERY}: skipped: {reason}")
        return [name for name in names if name != CELERY]
    return list(names)


@asynccontextmanager
async def ground() -> AsyncIterator[Ground]:
    """A store and a provider, new."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        options = StackOptions(data_dir=folder / "store", parts=("store",))
        async with LocalStack(options) as stack, canned() as provider:
            settings = {
                name: value
                for name, value in stack.environment.items()
                if name.startswith(("IMAGEMILL_CONTROL_", "IMAGEMILL_DELIVERY_"))
            }
            yield Ground(folder, provider, settings, stack.pid("store"))


async def take_turn(own: Ground, name: str, images: int) -> Turn:
    """One turn of one of them.

    Raises:
        RuntimeError: an image is missing, or was asked for twice.
    """
    word = name.replace(" ", "-")
    await asyncio.to_thread(os.sync)  # what the one before has still to write is not this one's
    with tempfile.TemporaryDirectory(dir=own.folder) as folder:
        here = Ground(Path(folder), own.provider, own.settings, own.store)
        async with CONTESTANTS[name](here) as running:
            await running.make(f"{word}-warm-up", WARM_UP)
            parts = {**running.processes, "store": own.store, "provider": own.provider.pid}
            asked, before = await own.provider.images(), used(parts)
            done = await running.make(word, images)
            after = used(parts)
            asked = await own.provider.images() - asked
            peaks = {part: peak_of(process) for part, process in parts.items()}
    stored = await asyncio.to_thread(own.stored, done.folder)
    if asked != images or len(stored) != images or len(set(stored)) != 1:
        raise RuntimeError(f"{name}: {asked} asked for and {len(stored)} stored, not {images}")
    cpu = {part: (after[part] - before[part]) * 1000 / images for part in parts}
    return Turn(images / done.seconds, cpu, peaks)


def used(parts: Mapping[str, int]) -> dict[str, float]:
    """Seconds of processor time so far of each, with those of the processes that it has started."""
    return {
        part: sum(map(core_seconds, (process, *_helpers(part, process)))) for part, process in parts.items()
    }


def _helpers(part: str, process: int) -> list[int]:
    """This process started all others, as who asks for a job; they are not its own work."""
    return [] if part == "client" else list(below(process))


def show(turn: Turn) -> str:
    """A turn in one line."""
    shares = ", ".join(f"{part} {spent:.1f}" for part, spent in turn.cpu.items())
    return f"{turn.rate:5.1f} images/s; CPU ms an image: {shares}"


def figures(turns: Mapping[str, Sequence[Turn]]) -> list[Row]:
    """Of all turns: rates, processor time by process, peaks, and the ratios that are aimed at."""
    return [*_measured(turns), *_compared(turns)]


def _measured(turns: Mapping[str, Sequence[Turn]]) -> list[Row]:
    rows = [
        Row.of("images a second", name, Spread.of([turn.rate for turn in own]), unit="1/s")
        for name, own in turns.items()
    ]
    for figure, unit, told in (("CPU an image", "ms", _cpu), ("peak memory", "MiB", _peaks)):
        rows += [
            Row.of(figure, f"{name}: {part}", Spread.of([told(turn)[part] for turn in own]), unit=unit)
            for name, own in turns.items()
            for part in own[0].cpu
        ]
    return rows


def _compared(turns: Mapping[str, Sequence[Turn]]) -> list[Row]:
    """Only what was measured on both sides."""
    rates = {name: [turn.rate for turn in own] for name, own in turns.items()}
    work = {name: [turn.cpu[WORKS[name]] for turn in own] for name, own in turns.items()}
    pairs = (
        ("images a second, ratio", rates, MILL, SCRIPT, "≥ 1.1"),
        ("images a second, ratio", rates, MILL, CELERY, "≥ 1.1"),
        ("images a second, ratio", rates, MILL, TUNED, ""),
        ("CPU an image, ratio", work, MILL, SCRIPT, "≤ 0.65"),
        ("CPU an image, ratio", work, MILL, CELERY, ""),
        ("CPU an image, ratio", work, MILL, TUNED, ""),
    )
    return [
        Row.of(figure, f"{this} over {that}", ratios(measured[this], measured[that]), target=target)
        for figure, measured, this, that, target in pairs
        if this in turns and that in turns
    ]


def _cpu(turn: Turn) -> Mapping[str, float]:
    return turn.cpu


def _peaks(turn: Turn) -> Mapping[str, float]:
    return turn.peaks


def _read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.throughput")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--images", type=int, default=IMAGES)
    parser.add_argument("--only", nargs="*", choices=list(CONTESTANTS), default=list(CONTESTANTS))
    parser.add_argument("--results", type=Path, metavar="FOLDER")
    return parser.parse_args()


if __name__ == "__main__":
    told = _read_arguments()
    found = asyncio.run(measure(told.rounds, told.images, told.only))
    if told.results:
        print(results.write(told.results, NAME, found))
