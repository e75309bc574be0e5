"""One part together with its process."""

import asyncio
import time
from collections.abc import Callable

from sandbox.stack.directory import DataDirectory
from sandbox.stack.errors import PartDied, PartExposed, PartNotOurs, PartNotReady, PartNotRunning, StackError
from sandbox.stack.options import StackOptions
from sandbox.stack.part import Part
from sandbox.stack.ports import HOST, require_free
from sandbox.stack.process import ChildProcess
from sandbox.stack.sockets import is_loopback, listening

POLL_INTERVAL = 0.03


class Supervised:
    """Starts and stops a part, and tells when it ends without having been told to."""

    def __init__(
        self,
        part: Part,
        directory: DataDirectory,
        options: StackOptions,
        on_death: Callable[[PartDied], None],
    ) -> None:
        self.part = part
        self._directory = directory
        self._options = options
        self._on_death = on_death
        self._child: ChildProcess | None = None
        self._watcher: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        """Whether its process is alive."""
        return self._child is not None and self._child.returncode is None

    @property
    def pid(self) -> int:
        """The process id; raises `PartNotRunning` if there is none."""
        if self._child is None or self._child.returncode is not None:
            raise PartNotRunning(self.part.name)
        return self._child.pid

    async def start(self) -> float:
        """Starts the part and waits until it is ready; does nothing if it runs, leaves nothing if it fails.

        Returns:
            The seconds it took.
        """
        began = time.monotonic()
        if self.running:
            return 0.0
        require_free(self.part.name, self.part.ports)
        self.part.before_start()
        self._child = child = await ChildProcess.start(
            self.part.command(),
            prefix=self._options.prefixes.get(self.part.name, ()),
            environment=self.part.environment() | dict(self._options.part_env.get(self.part.name, {})),
            directory=self.part.directory(),
            log=self._directory.log(self.part.name),
        )
        try:
            await self._until_ready(child)
        except StackError:
            await self.stop()
            raise
        self._watcher = asyncio.create_task(self._watch(child))
        return time.monotonic() - began

    async def stop(self) -> None:
        """Ends the part, with SIGKILL if it takes too long; does nothing if it does not run."""
        child = self.expect_end()
        if child is not None:
            await child.stop(self._options.stop_grace)
            self.part.after_stop()

    async def kill(self) -> None:
        """Ends the part with SIGKILL, as a crash would.

        Raises:
            PartNotRunning: it has no process.
        """
        child = self.expect_end()
        if child is None or child.returncode is not None:
            raise PartNotRunning(self.part.name)
        await child.kill()
        self.part.after_stop()

    def kill_now(self) -> None:
        """Sends SIGKILL without waiting."""
        child = self.expect_end()
        if child is not None:
            child.kill_now()

    def expect_end(self) -> ChildProcess | None:
        """From now on, its end is no news. Returns its process, if it ever had one."""
        if self._watcher is not None:
            self._watcher.cancel()
            self._watcher = None
        return self._child

    async def _watch(self, child: ChildProcess) -> None:
        await child.wait()
        self.part.after_stop()
        self._on_death(self._death(child))

    async def _until_ready(self, child: ChildProcess) -> None:
        try:
            async with asyncio.timeout(self._options.start_timeout):
                while not await self._is_ready(child):
                    self._require_alive(child)
                    await asyncio.sleep(POLL_INTERVAL)
        except TimeoutError:
            name, limit = self.part.name, self._options.start_timeout
            raise PartNotReady(name, limit, child.log, child.tail()) from None
        self._require_alive(child)

    async def _is_ready(self, child: ChildProcess) -> bool:
        return await self._answers() and await self.part.healthy() and self._listens_properly(child)

    async def _answers(self) -> bool:
        """Whether its main port is open: cheaper to ask again and again than its health."""
        port = next(iter(self.part.ports.values()), None)
        if port is None:
            return True
        try:
            _, writer = await asyncio.open_connection(HOST, port)
        except OSError:
            return False
        writer.close()
        return True

    def _require_alive(self, child: ChildProcess) -> None:
        if child.returncode is not None:
            raise self._death(child)

    def _listens_properly(self, child: ChildProcess) -> bool:
        """Whether all its ports are open, by its own doing, and no others; some open one by one."""
        addresses = listening(child.pid)
        if addresses is None or child.returncode is not None:
            return True
        name, wanted = self.part.name, list(self.part.ports.values())
        if outside := sorted(each for each in addresses if not is_loopback(each[0])):
            raise PartExposed(name, f"listens on {_join(outside)}, beyond the loopback address")
        if self.part.exclusive and (more := sorted(each for each in addresses if each[1] not in wanted)):
            raise PartExposed(name, f"listens on {_join(more)}, which nobody asked for")
        missing = [port for port in wanted if (HOST, port) not in addresses]
        if wanted[:1] == missing[:1] and wanted:
            raise PartNotOurs(name, child.pid, wanted[0])
        return not missing

    def _death(self, child: ChildProcess) -> PartDied:
        return PartDied(self.part.name, child.returncode or 0, child.log, child.tail())


def _join(addresses: list[tuple[str, int]]) -> str:
    return ", ".join(f"{host}:{port}" for host, port in addresses)
