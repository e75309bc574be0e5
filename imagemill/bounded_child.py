"""A child process for work that may hang or eat memory: asked one thing at a time, killed when too slow."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[1]
"""Where the package is, wherever the service was started."""


class BoundedChild:
    """One of our modules in a process of its own, started when it is first asked.

    The module limits its own memory. It gets none of our environment, and ends with its input.

    Args:
        module: is run as a program.
        setup: is written to it before anything else.
        longest: the longest line of an answer, in bytes.
    """

    def __init__(
        self, module: str, *, setup: bytes = b"", longest: int = 65_536, options: Sequence[str] = ()
    ) -> None:
        self._command = (sys.executable, "-m", module, *options)
        self._setup = setup
        self._longest = longest
        self._child: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        """Of the process, while it lives."""
        return self._child.pid if self._child and self._child.returncode is None else None

    async def ask(
        self, message: bytes, read: Callable[[asyncio.StreamReader], Awaitable[T]], seconds: float
    ) -> T | None:
        """What ``read`` makes of its answer; None if it died, was too slow or said too much, and is gone.

        It is gone too where whoever asks is cancelled: the next one must not read this answer.
        """
        whole = False
        try:
            async with asyncio.timeout(seconds):
                if self._child and self._child.returncode is not None:
                    await self.close()  # it died while nobody asked it
                child = self._child or await self._start()
                assert child.stdin  # noqa: S101 - a pipe, see _start
                assert child.stdout  # noqa: S101 - the same
                child.stdin.write(message)
                await child.stdin.drain()
                answer = await read(child.stdout)
            whole = True
        except (TimeoutError, OSError, EOFError, ValueError):  # ValueError: a line is too long to hold
            return None
        finally:
            if not whole:
                await self.close()
        return answer

    async def close(self) -> None:
        """End the process."""
        child, self._child = self._child, None
        if child is None:
            return
        if child.returncode is None:
            child.kill()
        await child.communicate()

    async def _start(self) -> asyncio.subprocess.Process:
        child = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            cwd=ROOT,
            env={},  # none of our secrets
            limit=self._longest,
        )
        assert child.stdin  # noqa: S101 - a pipe, some lines above
        child.stdin.write(self._setup)
        self._child = child
        return child
