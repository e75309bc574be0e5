"""The parts that are Python programs of this repository: image API, worker, API."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from sandbox.stack.http import answers_ok
from sandbox.stack.inheritance import inherited
from sandbox.stack.part import BACKEND, FRONT, WORK, Part
from sandbox.stack.ports import HOST, PortBook

ROOT = Path(__file__).resolve().parents[2]


class Service(Part):
    """A Python program that is run from the root of the repository."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        self._settings = settings

    def environment(self) -> dict[str, str]:
        """The caller's, with our settings for the caller's; output unbuffered, for the logs."""
        return inherited() | {"PYTHONUNBUFFERED": "1"} | dict(self._settings)

    def directory(self) -> Path:
        """The repository's root, where `worker.py` and the packages are."""
        return ROOT


class ImageApi(Service):
    """The image API that draws for nothing."""

    name = "image-api"
    stage = BACKEND

    def __init__(
        self,
        key: str,
        ledger: Path,
        speed: float,
        book: PortBook,
        *,
        profile: str = "openai",
        images_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
    ) -> None:
        # Deliberately without our settings: it knows nothing of us.
        super().__init__({})
        self._key = key
        self._ledger = ledger.resolve()
        self._speed = speed
        self._profile = profile
        self._limits = {"--images-per-minute": images_per_minute, "--tokens-per-minute": tokens_per_minute}
        self.ports = {"image-api": book.take(self.name, "image-api")}

    @property
    def url(self) -> str:
        """The base URL, as SDKs take it."""
        path = "openai" if self._profile == "azure" else "v1"
        return f"http://{HOST}:{self.ports['image-api']}/{path}"

    def command(self) -> tuple[str, ...]:
        """The server with its ledger."""
        return (
            *(sys.executable, "-m", "sandbox.image_api"),
            *("--host", HOST, "--port", str(self.ports["image-api"])),
            *("--api-key", self._key, "--ledger", str(self._ledger), "--speed", f"{self._speed:g}"),
            *("--profile", self._profile),
            *(word for flag, limit in self._limits.items() if limit for word in (flag, str(limit))),
        )

    async def healthy(self) -> bool:
        """Whether it tells its limits, which it does without a key whatever its profile."""
        return await answers_ok(self.ports["image-api"], "/_sandbox/limits")


class Worker(Service):
    """A process that runs workflows and activities."""

    stage = WORK

    def __init__(
        self, number: int, run: Path, settings: Mapping[str, str], programs: Mapping[str, Sequence[str]]
    ) -> None:
        super().__init__(settings)
        self.name = f"worker-{number}"
        self._program = programs.get(self.name, ("worker.py",))
        self.ports = {}
        self._mark = run.resolve() / f"{self.name}.ready"

    def command(self) -> tuple[str, ...]:
        """The worker, which makes a file once it polls."""
        return (sys.executable, *self._program, "--ready-file", str(self._mark))

    def before_start(self) -> None:
        """Removes the mark of the process before."""
        self._mark.unlink(missing_ok=True)

    async def healthy(self) -> bool:
        """Whether it polls."""
        return self._mark.exists()


class Api(Service):
    """The HTTP API."""

    name = "api"
    stage = FRONT

    def __init__(
        self, settings: Mapping[str, str], book: PortBook, programs: Mapping[str, Sequence[str]]
    ) -> None:
        super().__init__(settings)
        self._program = programs.get(self.name, ("-m", "api"))
        self.ports = {"api": book.take(self.name, "api")}

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://{HOST}:{self.ports['api']}"

    def command(self) -> tuple[str, ...]:
        """The server."""
        return (sys.executable, *self._program, "--host", HOST, "--port", str(self.ports["api"]))

    async def healthy(self) -> bool:
        """Whether it can take jobs."""
        return await answers_ok(self.ports["api"], "/readyz")
