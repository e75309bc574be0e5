"""The faults of a run: what each kind does when it begins, and how it is healed when it ends."""

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import httpx2

from sandbox.stack import LocalStack
from sandbox.stack.errors import StackError
from tests.chaos.deploys import Deploy
from tests.chaos.evidence import Json, Lines
from tests.chaos.ground import Ground
from tests.chaos.ground import faults as of_the_ground
from tests.chaos.parts import Keeper
from tests.chaos.programs import points
from tests.chaos.scenario import FaultPlan
from tests.chaos.sink import Sink


class Fault(Protocol):
    """Something that goes wrong for a while."""

    async def begin(self) -> None:
        """Let it go wrong."""

    async def end(self) -> None:
        """Heal it; may be called again."""


class Provider:
    """The image API's plan of faults: all that are ordered at the moment."""

    def __init__(self, url: str) -> None:
        self._where = f"{url.rstrip('/').rpartition('/')[0]}/_sandbox/faults"
        self._plans: dict[int, Sequence[Json]] = {}
        self._telling = asyncio.Lock()

    async def order(self, number: int, plan: Sequence[Json]) -> None:
        """Add a fault's lines to the plan."""
        self._plans[number] = plan
        await self._tell()

    async def withdraw(self, number: int) -> None:
        """Take a fault's lines out of it."""
        if self._plans.pop(number, None) is not None:
            await self._tell()

    async def _tell(self) -> None:
        # One after the other: an older plan that came later would undo the newer one. And patiently: on a
        # busy machine a connection may take its time, which must not end a run of an hour.
        line = httpx2.AsyncHTTPTransport(retries=5)
        async with self._telling, httpx2.AsyncClient(transport=line, trust_env=False, timeout=30) as http:
            lines = [line for plan in self._plans.values() for line in plan]
            (await http.post(self._where, json=lines)).raise_for_status()


@dataclass(slots=True)
class Scene:
    """What faults act on."""

    stack: LocalStack
    keeper: Keeper
    provider: Provider
    sink: Sink
    points: Path
    lines: Lines
    ground: Ground


class Kill:
    """A part is killed, and stays away until the fault ends."""

    def __init__(self, scene: Scene, number: int, plan: FaultPlan) -> None:
        self._keeper, self._part = scene.keeper, str(plan.details["target"])
        self._holds = False

    async def begin(self) -> None:
        self._holds = True
        await self._keeper.kill(self._part)

    async def end(self) -> None:
        if self._holds:
            self._holds = False
            self._keeper.release(self._part)


class Freeze:
    """A part is stopped in its steps, and goes on when the fault ends."""

    def __init__(self, scene: Scene, number: int, plan: FaultPlan) -> None:
        self._keeper, self._part = scene.keeper, str(plan.details["target"])

    async def begin(self) -> None:
        self._keeper.signal(self._part, signal.SIGSTOP)

    async def end(self) -> None:
        self._keeper.signal(self._part, signal.SIGCONT)


class ProviderPlan:
    """The provider fails as its plan has it."""

    def __init__(self, scene: Scene, number: int, plan: FaultPlan) -> None:
        self._provider, self._number, self._plan = scene.provider, number, plan.details["plan"]

    async def begin(self) -> None:
        await self._provider.order(self._number, self._plan)

    async def end(self) -> None:
        await self._provider.withdraw(self._number)


class SinkFails:
    """The receiver of webhooks hangs, refuses or breaks off."""

    def __init__(self, scene: Scene, number: int, plan: FaultPlan) -> None:
        self._sink, self._number, self._how = scene.sink, number, plan.details["how"]

    async def begin(self) -> None:
        self._sink.moods[self._number] = self._how

    async def end(self) -> None:
        self._sink.moods.pop(self._number, None)


class AtPoint:
    """A part kills or stops itself where it comes to a point; it goes on when the fault ends."""

    def __init__(self, scene: Scene, number: int, plan: FaultPlan) -> None:
        self._keeper, self._folder, said = scene.keeper, scene.points, plan.details
        self._lines, self._number, self._is_over = scene.lines, number, False
        self._part, self._point = str(said["target"]), str(said["point"])
        self._visit, self._action = int(said.get("visit", 1)), said.get("action", "kill")

    async def begin(self) -> None:
        points.arm(self._folder, self._part, self._point, self._visit, self._action)

    async def end(self) -> None:
        points.disarm(self._folder, self._part)
        fired = points.fired_at(self._folder, self._part)
        if fired and not self._is_over:
            self._lines.add(event="fired", time=fired, fault=self._number)
        self._is_over = True
        if self._action == "stop":
            self._keeper.signal(self._part, signal.SIGCONT)


class KeptHands:
    """Those of the keeper, who starts again what nobody holds down."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper

    async def stop(self, name: str) -> None:
        await self._keeper.stop(name)

    async def kill(self, name: str) -> None:
        await self._keeper.kill(name)

    async def start(self, name: str) -> None:
        self._keeper.release(name)


def new_version(scene: Scene, _: int, plan: FaultPlan) -> Fault:
    """A new version of the workers comes, and becomes current; the one before goes when the fault ends."""
    said = plan.details
    return Deploy(
        scene.stack,
        KeptHands(scene.keeper),
        scene.ground.part_env,
        build=said["build"],
        worker=said["target"],
        old=said["old"],
        how=said["how"],
        seconds=said["drain"],
    )


def on_ground(scene: Scene, _: int, plan: FaultPlan) -> Fault:
    """A fault of network, disks or clocks."""
    return of_the_ground.fault(plan.kind, scene.ground, plan.details, scene.keeper)


class LeftOut:
    """A fault that this machine does not allow."""

    async def begin(self) -> None:
        pass

    async def end(self) -> None:
        pass


Factory = Callable[[Scene, int, FaultPlan], Fault]
KINDS: dict[str, Factory] = {
    "kill": Kill,
    "freeze": Freeze,
    "provider": ProviderPlan,
    "sink": SinkFails,
    "point": AtPoint,
    "deploy": new_version,
    **dict.fromkeys(of_the_ground.KINDS, on_ground),
}


async def play(timeline: Sequence[FaultPlan], scene: Scene, lines: Lines) -> None:
    """Let all faults of a timeline begin and end at their times; on leaving, all are healed."""
    clock = asyncio.get_running_loop().time
    began = clock()
    faults = [_make(scene, number, plan, lines) for number, plan in enumerate(timeline)]
    try:
        async with asyncio.TaskGroup() as group:
            for number, (plan, fault) in enumerate(zip(timeline, faults, strict=True)):
                group.create_task(_strike(number, plan, fault, began, lines))
    finally:
        for fault in faults:
            with contextlib.suppress(StackError, httpx2.HTTPError):
                await fault.end()


def _make(scene: Scene, number: int, plan: FaultPlan, lines: Lines) -> Fault:
    why = scene.ground.impossible(plan.as_said)
    if why is None:
        return KINDS[plan.kind](scene, number, plan)
    lines.add(event="left-out", fault=number, kind=plan.kind, why=why)
    return LeftOut()


async def _strike(number: int, plan: FaultPlan, fault: Fault, began: float, lines: Lines) -> None:
    clock = asyncio.get_running_loop().time
    await asyncio.sleep(max(0.0, began + plan.at - clock()))
    if isinstance(fault, LeftOut):
        return
    said: dict[str, Any] = {"fault": number, "kind": plan.kind, **plan.details}
    lines.add(event="begin", time=time.time(), **said)
    try:
        await fault.begin()
        await asyncio.sleep(max(0.0, began + plan.at + plan.lasts - clock()))
    finally:
        await fault.end()
        lines.add(event="end", **said)
