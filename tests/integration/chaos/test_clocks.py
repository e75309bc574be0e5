"""Clocks of single processes, stepped while they run."""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.ground import Ground, Powers
from tests.integration.chaos.grounds import PROXIES_ALONE, needed

HOUR = 3600.0
TELLER = """
import datetime, json, sys, threading, time
for line in sys.stdin:
    began = time.monotonic()
    time.sleep(0.05)
    threading.Event().wait(0.05)
    now = datetime.datetime.now(datetime.UTC).timestamp()
    print(json.dumps({"time": time.time(), "now": now, "slept": time.monotonic() - began}), flush=True)
"""


class Teller:
    """A Python process that tells the time, as the ground has a part see it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def tell(self) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(b"?\n")
        said: dict[str, Any] = json.loads(await self.process.stdout.readline())
        said["ahead"] = said["time"] - time.time()
        said["now_ahead"] = said["now"] - time.time()
        return said


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    needed(Powers.here().clocks)
    return Ground.lay(tmp_path, 1, [{"kind": "clock", "target": "worker-1"}], powers=PROXIES_ALONE)


@pytest.fixture
async def teller(ground: Ground) -> AsyncIterator[Teller]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", TELLER),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | ground.part_env["worker-1"],
    )
    yield Teller(process)
    process.kill()
    await process.wait()


@pytest.mark.parametrize("step", [300.0, -300.0, HOUR, -HOUR])
async def test_a_step_moves_the_wall_clock_alone(step: float, ground: Ground, teller: Teller) -> None:
    before = await teller.tell()
    ground.step_clock("worker-1", step)
    stepped = await teller.tell()
    ground.step_clock("worker-1", -step)
    after = await teller.tell()
    assert [said["ahead"] for said in (before, stepped, after)] == pytest.approx([0, step, 0], abs=2)
    assert [said["now_ahead"] for said in (before, stepped, after)] == pytest.approx([0, step, 0], abs=2)
    assert all(0.1 <= said["slept"] < 5 for said in (before, stepped, after))


def test_other_parts_keep_their_time(ground: Ground) -> None:
    assert ground.part_env["worker-1"]
    assert not ground.part_env["api"]


def test_steps_add_up(ground: Ground) -> None:
    ground.step_clock("worker-1", HOUR)
    ground.step_clock("worker-1", -60)
    assert ground.clock_step("worker-1") == HOUR - 60
