"""The ground's faults, as a run plays them."""

from typing import Any, Protocol

from tests.chaos.ground import Ground, Slowness

Details = dict[str, Any]


class Fault(Protocol):
    """Something that goes wrong for a while."""

    async def begin(self) -> None:
        """Let it go wrong."""

    async def end(self) -> None:
        """Heal it; may be called again."""


class Restarter(Protocol):
    """Whoever keeps the parts running."""

    async def stop(self, name: str) -> None:
        """Ask a part to end, which stays down until it is released."""

    def release(self, name: str) -> None:
        """Let it be started again."""


class Cut:
    """A link is cut: `client`, `server`, `how`."""

    def __init__(self, ground: Ground, details: Details) -> None:
        self._ground = ground
        self._link = (details["client"], details["server"], details["how"])
        self._is_cut = False

    async def begin(self) -> None:
        self._is_cut = True
        await self._ground.cut(*self._link)

    async def end(self) -> None:
        if self._is_cut:
            self._is_cut = False
            await self._ground.mend(*self._link)


class Slow:
    """A link is slow, narrow or broken off: `client`, `server`, and what `Slowness` takes."""

    def __init__(self, ground: Ground, details: Details) -> None:
        self._ground = ground
        self._link = (details["client"], details["server"])
        names = Slowness.__dataclass_fields__
        self._slowness = Slowness(**{name: value for name, value in details.items() if name in names})

    async def begin(self) -> None:
        self._ground.slow(*self._link, self._slowness)

    async def end(self) -> None:
        self._ground.ease(*self._link, self._slowness)


class Fill:
    """The disk under the store or the engine is full: `target`. In the end what needs it is restarted."""

    def __init__(self, ground: Ground, details: Details, restarter: Restarter) -> None:
        self._ground, self._target, self._restarter = ground, details["target"], restarter
        self._is_full = False

    async def begin(self) -> None:
        self._is_full = True
        self._ground.fill(self._target)

    async def end(self) -> None:
        if self._is_full:
            self._is_full = False
            for part in self._ground.free(self._target):
                await self._restarter.stop(part)
                self._restarter.release(part)


class Step:
    """A part's wall clock is `seconds` ahead, or behind: `target`, `seconds`. In the end it is as before."""

    def __init__(self, ground: Ground, details: Details) -> None:
        self._ground, self._part, self._seconds = ground, details["target"], details["seconds"]
        self._stepped = False

    async def begin(self) -> None:
        self._stepped = True
        self._ground.step_clock(self._part, self._seconds)

    async def end(self) -> None:
        if self._stepped:
            self._stepped = False
            self._ground.step_clock(self._part, -self._seconds)


KINDS = ("cut", "slow", "fill", "clock")


def fault(kind: str, ground: Ground, details: Details, restarter: Restarter) -> Fault:
    """The fault of one of the `KINDS`."""
    if kind == "fill":
        return Fill(ground, details, restarter)
    plain: dict[str, type[Cut] | type[Slow] | type[Step]] = {"cut": Cut, "slow": Slow, "clock": Step}
    return plain[kind](ground, details)
