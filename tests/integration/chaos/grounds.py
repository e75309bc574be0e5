"""A ground with echoing servers on it, and talkers in the places of the parts."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import pytest

from tests.chaos.ground import HOST, Ground, Powers

TALKER = Path(__file__).with_name("talker.py")
PROXIES_ALONE = Powers(network="for this test", disks="for this test", clocks=None)


def needed(impossible: str | None) -> None:
    """Leave the test out where the machine does not allow what it is about; not where everything must run."""
    if impossible and os.environ.get("CI"):
        pytest.fail(impossible)
    if impossible:
        pytest.skip(impossible)


class Echo:
    """Answers each line with itself, and keeps it."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.news = asyncio.Condition()
        self.listener: asyncio.Server | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                async with self.news:
                    self.heard.append(line.decode().strip())
                    self.news.notify_all()
                # Longer than a bare acknowledgement, as all answers of the service's parts are.
                writer.write(line.strip() + b"." * 100 + b"\n")
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def has_heard(self, text: str) -> None:
        async with asyncio.timeout(10), self.news:
            await self.news.wait_for(lambda: text in self.heard)


class Talker:
    """A client process, known to the kernel as a part of the stack."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, ground: Ground, part: str, server: str) -> Self:
        process = await asyncio.create_subprocess_exec(
            *(
                *ground.prefixes.get(part, ()),
                sys.executable,
                str(TALKER),
                str(port_for(ground, part, server)),
            ),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        return cls(process)

    async def does(self, line: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{line}\n".encode())
        return (await self._process.stdout.readline()).decode().strip().rstrip(".")

    async def until(self, line: str, said: str) -> None:
        async with asyncio.timeout(10):
            while await self.does(line) != said:
                pass

    async def end(self) -> None:
        self._process.kill()
        await self._process.wait()


def port_for(ground: Ground, part: str, server: str) -> int:
    """Where a part finds a server, by its settings as the stack would give them."""
    settings = ground.part_env.get(part, {})
    names = {"store": "IMAGEMILL_CONTROL_ENDPOINT", "image-api": "IMAGEMILL_PROVIDER_BASE_URL"}
    if url := settings.get(names[server]):
        return urlsplit(url).port or 0
    return ground.ports[server]


class Ring:
    """Servers and talkers on a ground that runs."""

    def __init__(self, ground: Ground, servers: Mapping[str, Echo]) -> None:
        self.ground = ground
        self.servers = servers
        self._talkers: list[Talker] = []

    async def talker(self, part: str, server: str = "store") -> Talker:
        """One with an open connection, called 1, which works."""
        made = await Talker.start(self.ground, part, server)
        self._talkers.append(made)
        assert await made.does("open 1") == "opened"
        assert await made.does("say 1 hello") == "hello"
        return made

    async def close(self) -> None:
        for talker in self._talkers:
            await talker.end()


@asynccontextmanager
async def ring(folder: Path, timeline: list[dict[str, Any]], powers: Powers) -> AsyncIterator[Ring]:
    servers = {"store": Echo(), "image-api": Echo()}
    with Ground.lay(folder, 2, timeline, powers=powers) as ground:
        async with ground.running():
            for name, server in servers.items():
                server.listener = await asyncio.start_server(server.serve, HOST, ground.ports[name])
            made = Ring(ground, servers)
            try:
                yield made
            finally:
                await made.close()
                for server in servers.values():
                    assert server.listener is not None
                    server.listener.close()
