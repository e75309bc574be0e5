"""Keeps the parts of a stack alive as a supervisor would, but for those that a fault holds down."""

import asyncio
import os
import signal
from collections import Counter
from contextlib import suppress

from sandbox.stack import LocalStack
from sandbox.stack.errors import PartNotRunning, StackError
from tests.chaos.evidence import Lines

ORDER = ("temporal", "store", "image-api")
"""These come up before the others, which need them."""
RESTART_AFTER = 0.3
TRIES = 5


class Keeper:
    """Starts what has died by itself, and lets faults take parts down for a while."""

    def __init__(self, stack: LocalStack, lines: Lines) -> None:
        self._stack = stack
        self._lines = lines
        self._down: Counter[str] = Counter()
        self._gates = {name: asyncio.Lock() for name in stack.names}

    async def keep(self) -> None:
        """Look after all parts, until cancelled."""
        await asyncio.gather(*(self._keep(name) for name in self._stack.names))

    async def kill(self, name: str) -> bool:
        """Kill a part, which stays down until it is released; whether there was anything to kill."""
        self._down[name] += 1
        try:
            await self._stack.kill(name)
        except PartNotRunning:
            return False
        return True

    async def stop(self, name: str) -> None:
        """Ask a part to end, which stays down until it is released."""
        self._down[name] += 1
        await self._stack.stop_part(name)

    def release(self, name: str) -> None:
        """A part may run again; what is still held by another fault stays down."""
        self._down[name] -= 1

    def signal(self, name: str, number: signal.Signals) -> bool:
        """Send a signal to a part, with all that it started; whether it was there."""
        with suppress(StackError, ProcessLookupError):
            os.killpg(self._stack.pid(name), number)
            return True
        return False

    async def all_up(self) -> None:
        """Every part runs.

        Raises:
            StackError: one does not come up.
        """
        self._down.clear()
        names = self._stack.names
        for stage in ([n for n in names if n in ORDER], [n for n in names if n not in ORDER]):
            for name in stage:
                self.signal(name, signal.SIGCONT)
            await asyncio.gather(*(self._mend(name, TRIES) for name in stage))

    async def _keep(self, name: str) -> None:
        while True:
            await self._mend(name)
            await asyncio.sleep(RESTART_AFTER)

    async def _mend(self, name: str, tries: int = 1) -> None:
        async with self._gates[name]:
            if self._down[name] > 0 or self._stack.is_running(name):
                return
            for left in reversed(range(tries)):
                try:
                    await self._stack.start_part(name)
                except StackError as error:
                    self._lines.add(event="not-up", target=name, why=type(error).__name__)
                    if not left and tries > 1:
                        raise
                else:
                    self._lines.add(event="up", target=name)
                    return
