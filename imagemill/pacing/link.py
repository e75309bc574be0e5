"""Keeps a worker's gate and its pool in touch."""

import asyncio

import structlog

from imagemill.domain.errors import EngineUnavailable
from imagemill.domain.pace import PoolNews
from imagemill.domain.pool_messages import PoolStart
from imagemill.pacing.gate import Gate
from imagemill.ports import PoolLine

log = structlog.get_logger()

OFTEN, SELDOM = 1.0, 10.0
"""Seconds between two looks, while the group works and while it does not."""


class Link:
    """Tells the pool what the gate has seen, and the gate what the pool knows."""

    def __init__(self, gate: Gate, start: PoolStart, line: PoolLine) -> None:
        self._gate = gate
        self._start = start
        self._line = line
        self._idle = 0

    async def open(self) -> None:
        """Start the pool's workflow if it does not run, and go by what it knows."""
        await self._line.tell_pool(self._start, PoolNews(worker=self._gate.worker), opening=True)
        await self._adopt()

    async def run(self) -> None:
        """Until cancelled. While the engine is away the gate goes by what it knew last."""
        while True:
            await asyncio.sleep(OFTEN if self._idle < SELDOM else SELDOM)
            try:
                await self._exchange()
            except EngineUnavailable as error:
                log.warning("the pool can't be reached", pool=self._start.pool, error=str(error))
            except Exception as error:  # noqa: BLE001 - whatever it is, the gate goes on by what it knows
                log.error("the pool is not understood", pool=self._start.pool, error=type(error).__name__)

    async def _exchange(self) -> None:
        news = self._gate.take_news()
        self._idle = 0 if self._gate.busy or news else self._idle + 1
        if news:
            try:
                await self._line.tell_pool(self._start, news)
            except EngineUnavailable:
                self._gate.keep_news(news)
                raise
        await self._adopt()

    async def _adopt(self) -> None:
        pace = await self._line.pace(self._start.workflow_id)
        if pace:
            self._gate.adopt(pace)
