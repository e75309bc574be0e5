"""Simulated time, and a simulated provider with limits by the minute that gates are held against."""

import asyncio
import random
import selectors
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from imagemill.domain.errors import NotBilled
from imagemill.domain.pace import PoolState, Told
from imagemill.pacing.gate import Gate

EPOCH = 1_790_000_000.0
PROBES = (15.0, 300.0)
MINUTE = 60.0
STEP = 1e-6
"""The least that a step of the loop takes."""

T = TypeVar("T")


class _JumpingSelector(selectors.DefaultSelector):
    """Never waits: what would be waited for is skipped."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise AssertionError("everything waits for something that never comes")
        self.now += max(timeout, STEP)
        return super().select(0)


class SimulatedLoop(asyncio.SelectorEventLoop):
    """An event loop whose time passes as soon as all wait."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


def run(story: Coroutine[Any, Any, T]) -> T:
    """Run to the end in simulated time, which begins at 0."""
    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        return runner.run(story)


def now() -> float:
    """Seconds since the simulation began."""
    return asyncio.get_running_loop().time()


def clock() -> float:
    """The same as seconds since the epoch."""
    return EPOCH + now()


def today() -> datetime:
    return datetime.fromtimestamp(clock(), UTC)


def gate(name: str = "w") -> Gate:
    return Gate(name, PROBES, clock)


class Minute:
    """What a provider allows of one thing: it refills evenly, and holds a minute's worth."""

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self._level, self._at = limit, 0.0

    @property
    def left(self) -> float:
        """What could be taken now."""
        level = min(self.limit, self._level + (now() - self._at) * self.limit / MINUTE)
        self._level, self._at = level, now()
        return level

    def take(self, amount: float) -> None:
        self._level = self.left - amount

    def seconds_until(self, amount: float) -> float:
        return max(0.0, (amount - self.left) * MINUTE / self.limit)


@dataclass
class Provider:
    """Takes what its limits allow, and answers some seconds later with what was left when it took it.

    Attributes:
        taken: when each call arrived that it took, and its images.
        refused: when each call arrived that it did not take.
    """

    images: int
    tokens: int | None = None
    latency: tuple[float, float] = (5.0, 40.0)
    transit: tuple[float, float] = (0.02, 0.2)
    has_headers: bool = True
    tells_wait: bool = True
    seed: int = 0
    taken: list[tuple[float, int]] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._images = Minute(self.images)
        self._tokens = Minute(self.tokens) if self.tokens else None
        self._chance = random.Random(self.seed)

    async def call(self, images: int, tokens: int = 0) -> Told | None:
        await asyncio.sleep(self._chance.uniform(*self.transit))
        self._check(images, tokens)
        self.taken.append((now(), images))
        self._images.take(images)
        if self._tokens:
            self._tokens.take(tokens)
        told = self._told()
        await asyncio.sleep(self._chance.uniform(*self.latency))
        return told

    def calls_between(self, start: float, end: float) -> int:
        return sum(start <= at < end for at, _ in self.taken)

    def images_between(self, start: float, end: float) -> int:
        return sum(images for at, images in self.taken if start <= at < end)

    def refused_between(self, start: float, end: float) -> int:
        return sum(start <= at < end for at in self.refused)

    def most_in_a_minute(self, start: float, end: float) -> int:
        """Images in the fullest minute that begins with a call between these times."""
        begins = [at for at, _ in self.taken if start <= at < end - MINUTE]
        return max((self.images_between(at, at + MINUTE) for at in begins), default=0)

    def _check(self, images: int, tokens: int) -> None:
        over = None
        if self._images.left < images:
            over, wait = "images", self._images.seconds_until(images)
        elif self._tokens and self._tokens.left < tokens:
            over, wait = "tokens", self._tokens.seconds_until(tokens)
        if over is None:
            return
        self.refused.append(now())
        error = NotBilled("rate_limited", retry_after=wait if self.tells_wait else None)
        error.told = self._told()
        if error.told:
            error.told = error.told.model_copy(update={"over": over, "wait": error.retry_after})
        raise error

    def _told(self) -> Told | None:
        if not self.has_headers:
            return None
        told = Told(images_limit=self.images, images_left=int(self._images.left))
        if self._tokens:
            told.tokens_limit, told.tokens_left = self.tokens, int(self._tokens.left)
        return told


class Works:
    """Gates that call one provider, and the pool that they share, but for the engine between them."""

    def __init__(self, provider: Provider, gates: int, state: PoolState) -> None:
        self.provider = provider
        self.gates = [gate(f"w{number}") for number in range(gates)]
        self.state = state
        self._calls: set[asyncio.Task[None]] = set()
        self._chance = random.Random(provider.seed + 1)

    @asynccontextmanager
    async def linked(self) -> AsyncIterator[None]:
        """Gates and pool tell each other what they know, once a second."""
        linking = [asyncio.create_task(self._link(gate)) for gate in self.gates]
        try:
            yield
        finally:
            for task in (*linking, *self._calls):
                task.cancel()
            await asyncio.gather(*linking, *self._calls, return_exceptions=True)

    async def dispatch(self, seconds: float, call: Callable[[], tuple[int, int]]) -> None:
        """Hand calls out evenly spaced, at the rate of the queue, each to any gate."""
        end = now() + seconds
        while now() < end:
            self._begin(self._chance.choice(self.gates), *call())
            state = self.state
            rate = state.pace(today()).dispatches_a_second(state.images_a_call, state.tokens_a_call)
            assert rate
            await asyncio.sleep(1 / rate)

    async def besiege(self, seconds: float, call: Callable[[], tuple[int, int]]) -> None:
        """At every gate calls wait all the time; only the gates hold them back."""
        end = now() + seconds
        crowd = [asyncio.create_task(self._again(gate, end, call)) for gate in self.gates for _ in range(3)]
        await asyncio.gather(*crowd)

    async def burst(self, calls: int, call: Callable[[], tuple[int, int]]) -> None:
        """So many calls at every gate at once."""
        for gate in self.gates:
            for _ in range(calls):
                self._begin(gate, *call())

    async def _again(self, gate: Gate, end: float, call: Callable[[], tuple[int, int]]) -> None:
        while now() < end:
            images, tokens = call()
            ticket = await gate.enter(images, tokens)
            self._keep(asyncio.create_task(self._send(gate, ticket)))

    def _begin(self, gate: Gate, images: int, tokens: int) -> None:
        self._keep(asyncio.create_task(self._whole(gate, images, tokens)))

    def _keep(self, task: "asyncio.Task[None]") -> None:
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)

    async def _whole(self, gate: Gate, images: int, tokens: int) -> None:
        await self._send(gate, await gate.enter(images, tokens))

    async def _send(self, gate: Gate, ticket: Any) -> None:
        try:
            told = await self.provider.call(ticket.images, ticket.tokens)
        except NotBilled as error:
            gate.failed(ticket, error)
        else:
            gate.succeeded(ticket, told)

    async def _link(self, gate: Gate) -> None:
        await asyncio.sleep(self._chance.random())
        while True:
            news = gate.take_news()
            if news:
                self.state.hear(news, today())
            self.state.climb(today())
            gate.adopt(self.state.pace(today()))
            await asyncio.sleep(1)
