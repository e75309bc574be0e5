"""What a local stack can be told."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PARTS = ("temporal", "store", "image-api", "worker", "api")
PORTS = ("temporal", "ui", "store", "image-api", "api")


@dataclass(frozen=True, slots=True, kw_only=True)
class StackOptions:
    """The choices for one local stack.

    Attributes:
        data_dir: where everything is kept; made if missing. One stack a directory at a time.
        parts: which of `PARTS` to run. All by default; tests that wire the rest in process take fewer.
        workers: how many worker processes, named `worker-1` and so on.
        ports: by the names in `PORTS`. A given port that is busy is an error. What is not given is what
            the data directory remembers, if that is free, else any free one.
        ui: whether Temporal's web interface runs too.
        speed: scale of the image API's latencies: 1 is as in life, 0 is none.
        profile: the provider that the image API is like, by its own names.
        images_per_minute: the image API's limit for each model; None is no limit.
        tokens_per_minute: likewise.
        extra_env: settings for the worker and the API, over those that the stack makes itself.
        part_env: settings of single parts by their names, over all others. Read whenever a part starts.
        prefixes: by part, the words before its command, such as `("setpriv", "--regid", "60001")`.
        programs: by part, what the interpreter runs instead of `worker.py` or `-m api`.
        stop_on_death: whether the rest is stopped when a part ends by itself. If not, it is only reported,
            and `start_part` brings the part back.
        start_timeout: seconds in which each part must be ready.
        stop_grace: seconds from SIGTERM to SIGKILL when a part is stopped. The stack stops in three
            steps, so it is gone within three times this.
    """

    data_dir: Path
    parts: Collection[str] = PARTS
    workers: int = 1
    ports: Mapping[str, int] = field(default_factory=dict)
    ui: bool = False
    speed: float = 0.02
    profile: str = "openai"
    images_per_minute: int | None = None
    tokens_per_minute: int | None = None
    extra_env: Mapping[str, str] = field(default_factory=dict)
    part_env: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    prefixes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    programs: Mapping[str, Sequence[str]] = field(default_factory=dict)
    stop_on_death: bool = True
    start_timeout: float = 30.0
    stop_grace: float = 5.0

    def __post_init__(self) -> None:
        _only(self.parts, PARTS, "parts")
        _only(self.ports, PORTS, "ports")
        if self.workers < 0:
            raise ValueError(f"workers is {self.workers}; it must be 0 or more")


def _only(given: Collection[str], known: tuple[str, ...], what: str) -> None:
    if unknown := sorted(set(given) - set(known)):
        raise ValueError(f"unknown {what}: {', '.join(unknown)}; known are {', '.join(known)}")
