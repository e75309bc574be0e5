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
    """The disk under the store or the engine is full: `target`."""

    def __init__(self, ground: Ground, details: Details) -> None:
        self._ground, self._target = ground, details["target"]

    async def begin(self) -> None:
        self._ground.fill(self._target)

    async def end(self) -> None:
        self._ground.free(self._target)


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


KINDS: dict[str, type[Cut] | type[Slow] | type[Fill] | type[Step]] = {
    "cut": Cut,
    "slow": Slow,
    "fill": Fill,
    "clock": Step,
}
