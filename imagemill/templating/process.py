"""Templates rendered in a child process, which is killed when it takes too long."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

from imagemill.bounded_child import BoundedChild
from imagemill.ports import Rendered, TemplateRenderer

BATCH_SECONDS = 20
ROW_SECONDS = 2
"""Of the processor's time, so that no row is blamed for a machine that has no time for it."""
STUCK_SECONDS = 300.0
"""By the clock: a child that has not answered by then will not, whatever the machine does."""
MOST_DEATHS = 10
"""So many rows may take their renderer down before the rest is refused unrendered."""

MOST_SLOW_BATCHES = 10
"""So many batches may fail as a whole before nothing more is rendered."""
LONGEST_ANSWER = 128 * 1024 * 1024

_TOO_MUCH = f"the template takes more than {ROW_SECONDS} seconds of work or too much memory on this row"
_NO_MORE = f"the template took too much in {MOST_SLOW_BATCHES} batches of rows before this one"
_GIVEN_UP = f"the template took too much on {MOST_DEATHS} rows before this one"


class ProcessTemplating:
    """Makes renderers, each a process of its own."""

    async def start(self, templates: Mapping[str, str], where: str | None) -> TemplateRenderer:
        """A renderer for these templates."""
        return ProcessRenderer(templates, where)


class ProcessRenderer:
    """Renders rows in batches; a batch that dies is rendered again row by row, to find the guilty one."""

    def __init__(self, templates: Mapping[str, str], where: str | None) -> None:
        setup = json.dumps({"templates": dict(templates), "where": where}).encode() + b"\n"
        self._child = BoundedChild("imagemill.templating.child", setup=setup, longest=LONGEST_ANSWER)
        self._deaths = 0
        self._slow_batches = 0

    async def render(self, rows: Sequence[Mapping[str, object]]) -> Sequence[Rendered]:
        """Render every row with all templates, one answer a row, in order."""
        if self._slow_batches >= MOST_SLOW_BATCHES:
            return [Rendered(problem=_NO_MORE) for _ in rows]
        answers = await self._ask(rows, BATCH_SECONDS)
        if answers is None:
            self._slow_batches += 1
            answers = [await self._render_alone(row) for row in rows]
        return [Rendered(texts=answer.get("texts"), problem=answer.get("problem")) for answer in answers]

    async def close(self) -> None:
        """End the child."""
        await self._child.close()

    async def _render_alone(self, row: Mapping[str, object]) -> dict[str, Any]:
        if self._deaths >= MOST_DEATHS:
            return {"problem": _GIVEN_UP}
        answers = await self._ask([row], ROW_SECONDS)
        if answers is None:
            self._deaths += 1
            return {"problem": _TOO_MUCH}
        return answers[0]

    async def _ask(self, rows: Sequence[Mapping[str, object]], seconds: int) -> list[dict[str, Any]] | None:
        """The child's answers; None if it died or took too much, and is gone."""
        asked = json.dumps({"seconds": seconds, "rows": list(rows)}).encode() + b"\n"
        return await self._child.ask(asked, _read, STUCK_SECONDS)


async def _read(answer: asyncio.StreamReader) -> list[dict[str, Any]]:
    line = await answer.readline()
    if not line.endswith(b"\n"):
        raise EOFError
    answers: list[dict[str, Any]] = json.loads(line)
    return answers
