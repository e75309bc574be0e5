"""A soak of some seconds: that the recording and the judging work on a real run, not that nothing leaks."""

import asyncio
import math
from pathlib import Path

from tests.chaos import flat, soak
from tests.chaos.flat import MEGABYTE, Bound, Bounds

SECONDS = 24.0
SHORT = Bounds(
    warm_up=8.0,
    least=8.0,
    processes={
        "rss_bytes": Bound(more=100 * MEGABYTE),
        "fds": Bound(more=60),
        "threads": Bound(more=40),
    },
)
"""Processes are still warming up: only what runs away is noticed."""


async def test_a_short_soak_is_recorded_and_judged(tmp_path: Path) -> None:
    scenario = soak.Soak(11).long(SECONDS / 60, wave=12.0, pace=3.0)

    ended = await asyncio.to_thread(soak.play, scenario, tmp_path)
    said = await asyncio.to_thread(soak.judge, tmp_path, ended, SHORT)

    assert soak.is_clean(said), soak.summary(said)
    figures = said["figures"]
    assert {growth["part"] for growth in figures["growths"]} >= {
        "worker-1",
        "worker-2",
        "api",
        "store",
        "temporal",
    }
    assert set(figures["histories"]) >= {"imagemill.job", "imagemill.account", "imagemill.pool"}

    # No process gives all its memory back, so whatever was recorded is above that.
    nothing = Bound(more=-math.inf, share=-1.0)
    leaks = flat.judge(tmp_path, Bounds(warm_up=8.0, least=8.0, processes={"rss_bytes": nothing}))
    assert any("rss_bytes of worker-1" in objection for objection in leaks.objections)
