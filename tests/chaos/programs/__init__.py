"""The service's worker and API, started with planted defects, or told where to kill or stop themselves.

`python -m tests.chaos.programs.worker` and `python -m tests.chaos.programs.api` change the service's own
classes within their process, and then run it as it is. The service itself knows nothing of this.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.chaos.programs.points import file_of


def programs(
    folder: Path,
    *,
    workers: int = 1,
    worker_defect: str | None = None,
    api_defect: str | None = None,
    chunk_items: int | None = None,
    roles: Mapping[str, str] | None = None,
) -> Mapping[str, Sequence[str]]:
    """What `StackOptions.programs` takes: all workers and the API, with points told in the folder."""
    also = ("--chunk-items", str(chunk_items)) if chunk_items else ()
    made = {
        name: _program("worker", folder / name, worker_defect, (*also, *_role(name, roles or {})))
        for name in (f"worker-{number}" for number in range(1, workers + 1))
    }
    return made | {"api": _program("api", folder / "api", api_defect, also)}


def _program(name: str, part: Path, defect: str | None, also: Sequence[str]) -> Sequence[str]:
    told = ("--points", str(file_of(part.parent, part.name)))
    planted = ("--defect", defect) if defect else ()
    return ("-m", f"tests.chaos.programs.{name}", *told, *planted, *also)


def _role(name: str, roles: Mapping[str, str]) -> Sequence[str]:
    return ("--role", roles[name]) if name in roles else ()
