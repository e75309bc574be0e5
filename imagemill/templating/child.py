"""The process that renders: its memory and its processor time are limited by the system.

Speaks JSON lines: first ``{"templates": {...}, "where": ...}``, then a line for each batch,
``{"seconds": ..., "rows": [...]}``: how much processor time it may take, and what the templates see. It is
answered by one list, as long as the rows: ``{"texts": {...}}``, ``{"problem": "..."}``, or ``{}`` for a row
that is not chosen. A row may bring a template of its own, under ``template``. A batch that takes more time
ends the process without an answer.
"""

import json
import math
import resource
import sys
from typing import Any

from liquid import BoundTemplate, Environment
from liquid.exceptions import LiquidError

from imagemill.templating.environment import make_environment

OWN = "template"
"""By this name a row brings its own template; imported from nowhere, so that this process starts fast."""

MEMORY_BYTES = 512 * 1024 * 1024
ROW_CHARACTERS = 200_000
"""So much may all templates give together on one row."""
PROBLEM_CHARACTERS = 300
_NOTHING = {"", "false", "0"}


def main() -> None:
    """Render until the input ends."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    setup = json.loads(sys.stdin.readline())
    environment = make_environment()
    templates = {name: environment.from_string(text) for name, text in setup["templates"].items()}
    where = environment.from_string(setup["where"]) if setup["where"] else None
    for line in sys.stdin:
        batch = json.loads(line)
        limit_time(batch["seconds"])
        answers = [
            render_own(environment, names) if OWN in names else render(templates, where, names)
            for names in batch["rows"]
        ]
        sys.stdout.write(json.dumps(answers) + "\n")
        sys.stdout.flush()


def limit_time(seconds: int) -> None:
    """From now on, so much of the processor's time, up to a second more: the system counts whole ones."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    most = math.ceil(used.ru_utime + used.ru_stime) + seconds
    resource.setrlimit(resource.RLIMIT_CPU, (most, resource.RLIM_INFINITY))


def render_own(environment: Environment, names: dict[str, Any]) -> dict[str, Any]:
    """A row that brings its own template, under ``OWN``; what it gives is named so, too."""
    try:
        template = environment.from_string(names.pop(OWN))
    except (LiquidError, MemoryError, RecursionError) as error:
        return {"problem": f"not a Liquid template ({type(error).__name__})"}
    return render({OWN: template}, None, names)


def render(
    templates: dict[str, BoundTemplate], where: BoundTemplate | None, names: dict[str, Any]
) -> dict[str, Any]:
    """One row through the templates; ``names`` are the variables that they see."""
    try:
        if where is not None and where.render(names).strip() in _NOTHING:
            return {}
        return _answer({name: template.render(names) for name, template in templates.items()})
    except LiquidError as error:
        return {"problem": _shown((str(error) or type(error).__name__).splitlines()[0])}
    except (MemoryError, RecursionError) as error:
        return {"problem": f"the template asks for too much on this row ({type(error).__name__})"}
    except Exception as error:  # noqa: BLE001 - a filter's own mistake, on this row's values
        return {"problem": f"the template can't be rendered on this row ({type(error).__name__})"}


def _answer(texts: dict[str, str]) -> dict[str, Any]:
    if sum(map(len, texts.values())) > ROW_CHARACTERS:
        return {"problem": f"the templates give more than {ROW_CHARACTERS} characters on this row"}
    return {"texts": texts}


def _shown(problem: str) -> str:
    """A message, which may repeat what the row says, at a length that can be shown."""
    return problem if len(problem) <= PROBLEM_CHARACTERS else problem[: PROBLEM_CHARACTERS - 1] + "…"


if __name__ == "__main__":
    main()
