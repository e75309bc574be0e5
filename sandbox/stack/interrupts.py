"""Running a stack until somebody says stop."""

import asyncio
import signal
from collections.abc import Callable
from contextlib import suppress

from sandbox.stack.stack import LocalStack

# The last is sent when the terminal is closed.
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


async def run_until_signal(stack: LocalStack, when_ready: Callable[[LocalStack], None]) -> None:
    """Starts a stack, and stops it on SIGINT, SIGTERM or SIGHUP; a second signal kills what lingers.

    Must be called in the main thread, and returns only when nothing of the stack is left.

    Args:
        stack: not yet started.
        when_ready: called once everything is up.

    Raises:
        StackError: it did not start, or a part ended by itself.
    """
    running = asyncio.create_task(_run(stack, when_ready))
    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, _Interruption(stack, running))
    try:
        with suppress(asyncio.CancelledError):
            await running
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)


class _Interruption:
    """What a signal does: politely first."""

    def __init__(self, stack: LocalStack, running: asyncio.Task[None]) -> None:
        self._stack = stack
        self._running = running

    def __call__(self) -> None:
        if self._running.cancelling():
            self._stack.kill_now()
        else:
            self._running.cancel()


async def _run(stack: LocalStack, when_ready: Callable[[LocalStack], None]) -> None:
    async with stack:
        when_ready(stack)
        await stack.wait()
