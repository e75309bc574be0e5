"""What every part of the stack has in common."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path

from sandbox.stack.ports import HOST

# When a part starts: those of one stage together, after the stage before. They stop in the opposite order.
BACKEND, WORK, FRONT = range(3)


class Part(ABC):
    """A program of the stack: how to run it, and how to tell that it works.

    Attributes:
        name: what it is called in reports, logs and calls.
        stage: when it starts.
        ports: what it listens on by purpose; all have to be free before it starts. The first is its main one.
    """

    name: str
    stage: int
    ports: Mapping[str, int]
    # Whether it may listen on nothing but `ports`.
    exclusive = False

    @property
    def address(self) -> str | None:
        """Where it answers, for people; None if it does not listen."""
        return next((f"{HOST}:{port}" for port in self.ports.values()), None)

    @abstractmethod
    def command(self) -> tuple[str, ...]:
        """What to run.

        Raises:
            ProgramMissing: it is not installed.
        """

    @abstractmethod
    def environment(self) -> dict[str, str]:
        """All of its environment."""

    @abstractmethod
    async def healthy(self) -> bool:
        """Whether it answers as it should; asked again and again until it does."""

    def directory(self) -> Path:
        """Where it runs: the current directory, unless a part says otherwise."""
        return Path.cwd()

    def before_start(self) -> None:  # noqa: B027 - most parts need nothing
        """Prepares what the program reads."""

    def after_stop(self) -> None:  # noqa: B027
        """Tidies what the program leaves behind."""
