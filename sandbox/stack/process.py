"""One child process."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, STDOUT, Process
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from sandbox.stack import leash

# Isolated and without site-packages: the leash needs neither, and starts in a third of the time.
LEASH = (sys.executable, "-I", "-S", str(Path(leash.__file__).resolve()))
TAIL_BYTES = 32_000


class ChildProcess:
    """A command in a session of its own, whose output goes to a log file.

    In its own session, so that Ctrl-C in a terminal reaches the supervisor alone, which then ends its
    children in order. It does not outlive the supervisor, however that one ends (see `leash`).
    """

    def __init__(self, process: Process, log: Path, log_start: int) -> None:
        self._process = process
        self._log_start = log_start
        self.log = log

    @classmethod
    async def start(
        cls,
        command: Sequence[str],
        *,
        prefix: Sequence[str] = (),
        environment: Mapping[str, str],
        directory: Path,
        log: Path,
    ) -> Self:
        """Starts a command; its output is appended to the log.

        The prefix goes before the leash too: the kernel lets go of the leash when a process takes another
        identity.
        """
        with log.open("ab") as output:
            start = output.tell()
            process = await asyncio.create_subprocess_exec(
                *prefix,
                *LEASH,
                str(os.getpid()),
                *command,
                stdin=DEVNULL,
                stdout=output,
                stderr=STDOUT,
                env=environment,
                cwd=directory,
                start_new_session=True,
            )
        return cls(process, log, start)

    @property
    def pid(self) -> int:
        """The process id, which is the id of its process group too."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """As in `subprocess`; None while it runs."""
        return self._process.returncode

    async def wait(self) -> int:
        """Waits for its end, and returns the return code."""
        return await self._process.wait()

    async def stop(self, grace: float) -> None:
        """Asks it to end, and kills it if it has not within `grace` seconds."""
        self._signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(grace):
                await self.wait()
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        """Kills it, with what it may have started."""
        self.kill_now()
        await self.wait()

    def kill_now(self) -> None:
        """Sends SIGKILL without waiting."""
        self._signal(signal.SIGKILL)

    def tail(self, lines: int = 20) -> str:
        """The last lines that this process wrote."""
        with self.log.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(self._log_start, end - TAIL_BYTES))
            written = file.read().decode("utf-8", "replace").splitlines()
        return "\n".join(f"    {line}" for line in written[-lines:]) or "    (it wrote nothing)"

    def _signal(self, number: signal.Signals) -> None:
        # Once it is reaped, its number may be somebody else's.
        if self.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, number)
