"""Heartbeats often enough, and how old an attempt is, whatever becomes of the host's clock."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.testing import ActivityEnvironment

from activities.heartbeat import REMEMBERED, Lateness, heartbeats
from imagemill import clocks

Step = Callable[[float], None]


@pytest.fixture
def step(monkeypatch: pytest.MonkeyPatch) -> Step:
    """Sets the host's clock forward or back."""
    stepped = [0.0]
    real = time.time

    def set_by(seconds: float) -> None:
        stepped[0] += seconds

    monkeypatch.setattr(time, "time", lambda: real() + stepped[0])
    return set_by


async def age(lateness: Lateness, *, handed_out: float) -> float:
    """Of an attempt that the engine handed out so many seconds ago, by its own clock."""

    async def read() -> float:
        async with heartbeats(10, lateness) as pulse:
            return pulse.age()

    env = ActivityEnvironment()
    env.info = replace(env.info, started_time=datetime.now(UTC) - timedelta(seconds=handed_out))
    return await env.run(read)


@pytest.mark.parametrize("seconds", [3600, 300, -300, -3600])
async def test_a_step_of_the_hosts_clock_makes_no_attempt_older_or_younger(
    seconds: float, step: Step
) -> None:
    lateness = Lateness()
    step(seconds)
    assert await age(lateness, handed_out=0) == pytest.approx(0, abs=0.5)
    assert await age(lateness, handed_out=40) == pytest.approx(40, abs=0.5)


async def test_the_first_attempt_of_a_process_that_stood_still_is_as_old_as_it_is() -> None:
    assert await age(Lateness(), handed_out=40) == pytest.approx(40, abs=0.5)


async def test_where_the_hosts_clock_was_behind_from_the_start_the_least_late_attempt_tells(
    step: Step,
) -> None:
    step(-3600)
    lateness = Lateness()
    step(3600)
    await age(lateness, handed_out=0)
    assert await age(lateness, handed_out=40) == pytest.approx(40, abs=0.5)


def test_where_it_was_ahead_from_the_start_that_is_forgotten_in_time(step: Step) -> None:
    step(3600)
    lateness = Lateness()
    late = [lateness.of(time.time() - 3600, clocks.steady()) for _ in range(REMEMBERED)]
    assert late[0] == pytest.approx(3600, abs=0.5)
    assert late[-1] == pytest.approx(0, abs=0.5)


@pytest.mark.parametrize("seconds", [3600, -3600])
def test_a_step_of_the_hosts_clock_does_not_move_the_gates(seconds: float, step: Step) -> None:
    clock = clocks.epoch_clock()
    before = clock()
    assert before == pytest.approx(time.time(), abs=0.5)
    step(seconds)
    assert clock() == pytest.approx(before, abs=0.5)


async def test_a_step_beats_often_enough_for_its_timeout() -> None:
    """Else a plan that takes longer than a short timeout is begun again and again, and never ends."""
    second = asyncio.Event()
    beats: list[None] = []

    async def work() -> None:
        async with heartbeats():
            await second.wait()

    def hear(*_: object) -> None:
        beats.append(None)
        if len(beats) == 2:
            second.set()

    env = ActivityEnvironment()
    env.info = replace(env.info, heartbeat_timeout=timedelta(seconds=0.2))
    env.on_heartbeat = hear
    async with asyncio.timeout(5):
        await env.run(work)
