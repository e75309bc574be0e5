"""Cuts by proxies, and what only proxies do."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.chaos.ground import Slowness
from tests.integration.chaos.cuts import CUTS, CutsContract
from tests.integration.chaos.grounds import PROXIES_ALONE, Ring
from tests.integration.chaos.grounds import ring as open_ring


@pytest.fixture
async def ring(tmp_path: Path) -> AsyncIterator[Ring]:
    async with open_ring(tmp_path, CUTS, PROXIES_ALONE) as made:
        assert not made.ground.prefixes
        yield made


class TestProxies(CutsContract):
    pass


async def test_a_reset_strikes_who_only_waits(ring: Ring) -> None:
    talker = await ring.talker("worker-1")
    await ring.ground.cut("worker-1", "store", "reset")
    assert await talker.does("hear 1") == "ConnectionResetError"


async def test_a_delay_holds_up_each_direction(ring: Ring) -> None:
    talker, slow = await ring.talker("worker-1"), Slowness(delay_s=0.1)
    ring.ground.slow("worker-1", "store", slow)
    began = time.monotonic()
    assert await talker.does("say 1 late") == "late"
    assert time.monotonic() - began >= 0.2
    ring.ground.ease("worker-1", "store", slow)
    began = time.monotonic()
    assert await talker.does("say 1 prompt") == "prompt"
    assert time.monotonic() - began < 0.2


async def test_a_throttled_link_passes_no_more_than_its_rate(ring: Ring) -> None:
    talker = await ring.talker("worker-1")
    ring.ground.slow("worker-1", "store", Slowness(bytes_per_s=20_000))
    began = time.monotonic()
    await ring.servers["store"].has_heard("hello")
    said = await talker.does(f"say 1 {'x' * 10_000}")
    await ring.servers["store"].has_heard("x" * 10_000)
    assert time.monotonic() - began >= 0.5
    assert said in ("TimeoutError", "x" * 10_000)


@pytest.mark.parametrize(("then", "end"), [("close", "closed"), ("reset", "ConnectionResetError")])
async def test_answers_end_in_their_midst(ring: Ring, then: str, end: str) -> None:
    talker = await ring.talker("worker-1")
    slow = Slowness(truncate_after=30, then="close" if then == "close" else "reset")
    ring.ground.slow("worker-1", "store", slow)
    first = await talker.does("say 1 abcdefghij")
    assert first in ("abcdefghij", end)
    await asyncio.wait_for(talker.until("hear 1", end), 5)
    assert "abcdefghij" in ring.servers["store"].heard
    ring.ground.ease("worker-1", "store", slow)
    assert await talker.does("open 2") == "opened"
    assert await talker.does("say 2 whole") == "whole"
