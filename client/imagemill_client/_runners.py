"""The two shells' engines: each carries out the steps that the core asks for, in its own way."""

import asyncio
from collections.abc import Awaitable, Callable

import httpx2

from imagemill_client._core.core import Core
from imagemill_client._core.steps import Call, Lost, Reply, Request, Sleep, Step, T
from imagemill_client._core.transport import LOOPBACK, lost, timeout_of
from imagemill_client.errors import ImagemillError


class Runner:
    """Runs calls of the core. It may be used by several threads."""

    def __init__(
        self, core: Core, transport: httpx2.BaseTransport | None, pause: Callable[[float], None]
    ) -> None:
        self.core = core
        self._pause = pause
        direct: dict[str, httpx2.BaseTransport | None] = dict.fromkeys(LOOPBACK)
        self.http = httpx2.Client(transport=transport, mounts=None if transport else direct)

    def run(self, call: Call[T]) -> T:
        """The value of a call."""
        reply: Reply | None = None
        error: Exception | None = None
        try:
            while True:
                try:
                    step = call.send(reply) if error is None else call.throw(error)
                except StopIteration as end:
                    value: T = end.value
                    return value
                reply = error = None
                try:
                    reply = self._do(step)
                except (Lost, OSError, ImagemillError) as met:
                    error = met
        finally:
            call.close()

    def _do(self, step: Step) -> Reply | None:
        if isinstance(step, Request):
            return self._send(step)
        if isinstance(step, Sleep):
            self._pause(step.seconds)
        else:
            step.do()
        return None

    def _send(self, request: Request) -> Reply:
        try:
            with self.http.stream(
                request.method,
                request.url,
                headers=dict(request.headers),
                content=request.content,
                timeout=timeout_of(request),
            ) as answer:
                content = b""
                if request.sink and answer.status_code == 200:
                    request.sink.begin()
                    for piece in answer.iter_bytes():
                        request.sink.take(piece)
                else:
                    content = answer.read()
                return Reply(answer.status_code, answer.headers, content)
        except (httpx2.RequestError, httpx2.InvalidURL) as error:
            raise lost(error) from None


class AsyncRunner:
    """Runs calls of the core, each in the task that awaits it."""

    def __init__(
        self,
        core: Core,
        transport: httpx2.AsyncBaseTransport | None,
        pause: Callable[[float], Awaitable[None]],
    ) -> None:
        self.core = core
        self._pause = pause
        direct: dict[str, httpx2.AsyncBaseTransport | None] = dict.fromkeys(LOOPBACK)
        self.http = httpx2.AsyncClient(transport=transport, mounts=None if transport else direct)

    async def run(self, call: Call[T]) -> T:
        """The value of a call."""
        reply: Reply | None = None
        error: Exception | None = None
        try:
            while True:
                try:
                    step = call.send(reply) if error is None else call.throw(error)
                except StopIteration as end:
                    value: T = end.value
                    return value
                reply = error = None
                try:
                    reply = await self._do(step)
                except (Lost, OSError, ImagemillError) as met:
                    error = met
        finally:
            call.close()

    async def _do(self, step: Step) -> Reply | None:
        if isinstance(step, Request):
            return await self._send(step)
        if isinstance(step, Sleep):
            await self._pause(step.seconds)
        else:
            await asyncio.to_thread(step.do)
        return None

    async def _send(self, request: Request) -> Reply:
        try:
            async with self.http.stream(
                request.method,
                request.url,
                headers=dict(request.headers),
                content=request.content,
                timeout=timeout_of(request),
            ) as answer:
                content = b""
                if request.sink and answer.status_code == 200:
                    request.sink.begin()
                    async for piece in answer.aiter_bytes():
                        request.sink.take(piece)
                else:
                    content = await answer.aread()
                return Reply(answer.status_code, answer.headers, content)
        except (httpx2.RequestError, httpx2.InvalidURL) as error:
            raise lost(error) from None
