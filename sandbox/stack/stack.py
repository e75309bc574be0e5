"""The whole service on this machine."""

import asyncio
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from sandbox.stack.addresses import Addresses
from sandbox.stack.assembly import Assembly
from sandbox.stack.credentials import Credentials
from sandbox.stack.directory import DataDirectory
from sandbox.stack.errors import PartDied, StackError, UnknownPart
from sandbox.stack.lock import DirectoryLock
from sandbox.stack.options import StackOptions
from sandbox.stack.part import BACKEND, FRONT, WORK
from sandbox.stack.private import write_private
from sandbox.stack.report import PartReport, Reporter, silent
from sandbox.stack.supervised import Supervised

# The API starts beside the workers, since both only need the backends; but it stops first, so that it takes
# no job which the workers won't begin.
START = ((BACKEND,), (WORK, FRONT))
STOP = (FRONT, WORK, BACKEND)


class LocalStack:
    """Starts the parts, watches over them, and stops them.

    Usable as a context manager: inside, everything is ready. If a part ends by itself, the rest is stopped,
    unless the options say otherwise; `wait()` raises `PartDied` then, and so does leaving the context, unless
    another exception is on its way, to which the news is added as a note.

    The event loop has to live as long as the stack: the children die with the thread that started them.
    """

    def __init__(self, options: StackOptions, report: Reporter = silent) -> None:
        """Does nothing yet.

        Args:
            options: see `StackOptions`.
            report: called, in the event loop, whenever something becomes of a part.
        """
        self._options = options
        self._report = report
        self._directory = DataDirectory(options.data_dir.resolve())
        self._lock = DirectoryLock(self._directory.lock)
        self._parts: dict[str, Supervised] = {}
        self._assembly: Assembly | None = None
        self._died: asyncio.Future[PartDied] | None = None
        self._stopping: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
        if self.failure is None or error is self.failure:
            return
        if error is None:
            raise self.failure
        error.add_note(str(self.failure))

    @property
    def failure(self) -> PartDied | None:
        """Which part ended by itself, if one has."""
        return self._died.result() if self._died is not None and self._died.done() else None

    @property
    def directory(self) -> DataDirectory:
        """The paths in the data directory."""
        return self._directory

    @property
    def addresses(self) -> Addresses:
        """Where everything is; the same as in `stack.json`."""
        return self._assembled.addresses(os.getpid())

    @property
    def credentials(self) -> Credentials:
        """The keys."""
        return self._assembled.credentials

    @property
    def environment(self) -> dict[str, str]:
        """The settings by which the service finds the parts that run, with `extra_env` over them."""
        return dict(self._assembled.settings)

    @property
    def names(self) -> tuple[str, ...]:
        """The parts of this stack; workers are `worker-1`, `worker-2` and so on."""
        return tuple(self._parts)

    async def start(self) -> None:
        """Starts all parts and returns when each is ready; what was started is stopped if one fails.

        Raises:
            DataDirectoryBusy: another stack runs on the directory.
            PortBusy: a port that was given, or is needed again, is taken.
            ProgramMissing: a part is not installed.
            PartDied, PartNotReady, PartNotOurs, PartExposed: a part did not come up as it should.
        """
        self._directory.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock.acquire()
        try:
            self._assemble()
            await self._start_parts()
            self._publish()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stops all parts, in reverse order, and releases the data directory. May be called again."""
        if self._stopping is None:
            self._stopping = asyncio.create_task(self._stop_parts())
        try:
            await asyncio.shield(self._stopping)
        except asyncio.CancelledError:
            # The caller has no time; but nothing may be left running.
            self.kill_now()
            await self._stopping
            raise

    def kill_now(self) -> None:
        """Sends SIGKILL to every part; for the impatient, while `stop` runs."""
        for part in self._parts.values():
            part.kill_now()

    async def wait(self) -> None:
        """Waits until a part ends by itself and the rest is stopped.

        Raises:
            PartDied: always, in the end.
        """
        failure = await self._until_death()
        await self.stop()
        raise failure

    def pid(self, name: str) -> int:
        """The process id of a part.

        Raises:
            PartNotRunning: it has no process at the moment.
        """
        return self._part(name).pid

    def is_running(self, name: str) -> bool:
        """Whether a part has a live process."""
        return self._part(name).running

    def log(self, name: str) -> Path:
        """The file with all that a part wrote."""
        return self._directory.log(self._part(name).part.name)

    async def start_part(self, name: str) -> None:
        """Starts a part, on the same ports as before, and waits until it is ready."""
        part = self._part(name)
        self._report(PartReport(name, "starting", part.part.address))
        try:
            seconds = await part.start()
        except PartDied:
            self._report(PartReport(name, "died", part.part.address))
            raise
        self._report(PartReport(name, "ready", part.part.address, seconds))

    async def stop_part(self, name: str) -> None:
        """Stops a part: SIGTERM, and SIGKILL after `stop_grace` seconds. Does nothing if it does not run."""
        part = self._part(name)
        was_running = part.running
        await part.stop()
        if was_running:
            self._report(PartReport(name, "stopped", part.part.address))

    async def restart(self, name: str) -> None:
        """Stops a part and starts it again, on the same ports."""
        await self.stop_part(name)
        await self.start_part(name)

    async def kill(self, name: str) -> None:
        """Ends a part with SIGKILL, and returns when it is gone. `start_part` brings it back.

        Raises:
            PartNotRunning: it has no process at the moment.
        """
        await self._part(name).kill()
        self._report(PartReport(name, "stopped", self._part(name).part.address))

    async def change_store_keys(self, access_key: str, secret_key: str) -> None:
        """Starts the store anew with other keys, and no more with those before. Nobody else is told."""
        store = self._assembled.store
        if store is None:
            raise UnknownPart("store", self.names)
        await self.stop_part("store")
        store.keys = access_key, secret_key
        await self.start_part("store")

    @property
    def _assembled(self) -> Assembly:
        if self._assembly is None:
            raise StackError("The stack was not started.")
        return self._assembly

    def _assemble(self) -> None:
        self._directory.prepare()
        self._directory.addresses.unlink(missing_ok=True)
        self._stopping = None
        self._died = asyncio.get_running_loop().create_future()
        self._assembly = Assembly.build(self._options, self._directory)
        self._parts = {
            part.name: Supervised(part, self._directory, self._options, self._on_death)
            for part in self._assembly.parts
        }

    def _publish(self) -> None:
        write_private(self._directory.api_key, f"{self.addresses.api_key}\n")
        self.addresses.write(self._directory.addresses)

    async def _start_parts(self) -> None:
        """Starts the stages, but gives up as soon as a part that was ready ends."""
        starting = asyncio.create_task(self._start_stages())
        death = asyncio.create_task(self._until_death())
        try:
            await asyncio.wait({starting, death}, return_when=asyncio.FIRST_COMPLETED)
            if death.done():
                raise death.result()
            await starting
        finally:
            await _cancel(starting, death)

    async def _start_stages(self) -> None:
        for stages in START:
            try:
                async with asyncio.TaskGroup() as group:
                    for part in self._of(*stages):
                        group.create_task(self.start_part(part.part.name))
            except BaseExceptionGroup as several:
                raise several.exceptions[0] from None

    async def _until_death(self) -> PartDied:
        if self._died is None:
            raise StackError("The stack was not started.")
        return await asyncio.shield(self._died)

    async def _stop_parts(self) -> None:
        self._directory.addresses.unlink(missing_ok=True)
        for part in self._parts.values():
            part.expect_end()  # some may end for want of others
        for stage in STOP:
            names = [part.part.name for part in self._of(stage)]
            await asyncio.gather(*map(self.stop_part, names))
        self._lock.release()

    def _on_death(self, failure: PartDied) -> None:
        self._report(PartReport(failure.part, "died"))
        if not self._options.stop_on_death:
            return
        if self._died is not None and not self._died.done():
            self._died.set_result(failure)
            if self._stopping is None:
                self._stopping = asyncio.create_task(self._stop_parts())

    def _of(self, *stages: int) -> list[Supervised]:
        return [part for part in self._parts.values() if part.part.stage in stages]

    def _part(self, name: str) -> Supervised:
        if name not in self._parts:
            raise UnknownPart(name, self.names)
        return self._parts[name]


async def _cancel(*tasks: asyncio.Task[object]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
