"""The engine's list of workflows: what jobs can be found by there, and how it is asked.

It is a moment behind, and takes few questions a second; what a caller says goes into its queries as
quoted text alone, and every row is looked at again before it is believed.
"""

import asyncio
import re
from collections import Counter
from datetime import UTC

from temporalio.api.workflow.v1 import WorkflowExecutionInfo

from imagemill.domain.errors import EngineUnavailable
from imagemill.domain.job import JobSummary
from imagemill.domain.messages import JOB, SUMMARY_MEMO
from imagemill.ports import FoundJob, JobSearch
from imagemill.search_attributes import METADATA, NAME, STATE, TENANT, word

PAGE = 1000
PER_SECOND = 10
"""What a frontend of the engine answers by default, of such questions."""

AT_ONCE = 4
"""Two pages of the list of jobs: each asks two questions."""

PATIENCE = 5.0
TURNS_A_TENANT = 10
"""So many questions of one tenant wait at a time."""

_ENDED_OUTSIDE = "('Terminated', 'Failed', 'TimedOut', 'Canceled')"


def query(search: JobSearch) -> str:
    """The question for the engine."""
    status = f"IN {_ENDED_OUTSIDE}" if search.cut_off else "= 'Running'"
    clauses = [
        f"WorkflowType = '{JOB}'",
        f"{TENANT.name} = {quoted(search.tenant)}",
        f"ExecutionStatus {status}",
    ]
    if search.state and not search.cut_off:
        clauses.append(f"{STATE.name} = {quoted(search.state)}")
    # STARTS_WITH finds nothing beyond these two signs; every row is compared whole later.
    if search.name and (beginning := re.split(r'["\\]', search.name)[0]):
        clauses.append(f"{NAME.name} STARTS_WITH {quoted(beginning)}")
    clauses += [f"{METADATA.name} = {quoted(word(*pair))}" for pair in search.metadata]
    return " AND ".join(clauses)


def quoted(text: str) -> str:
    """Text as a literal of the engine's query language, in which a backslash escapes."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def found(row: WorkflowExecutionInfo, search: JobSearch) -> FoundJob | None:
    """A row of the list, if it is what was looked for."""
    fields = row.memo.fields
    if SUMMARY_MEMO not in fields:
        return None
    summary = JobSummary.model_validate_json(fields[SUMMARY_MEMO].data)
    fits = (
        summary.tenant == search.tenant
        and (summary.name or "").startswith(search.name or "")
        and all(summary.metadata.get(key) == value for key, value in search.metadata)
    )
    if not fits:
        return None
    summary = summary.believed(going_on=not search.cut_off)
    return FoundJob(row.execution.workflow_id, summary, row.start_time.ToDatetime(UTC))


class Turns:
    """So many a second, a few of them at once; who would wait too long is sent away."""

    def __init__(self, per_second: float, patience: float, at_once: int = 1) -> None:
        self._apart = 1 / per_second
        self._ahead = (at_once - 1) * self._apart
        self._patience = patience
        self._next = 0.0
        self._waiting: Counter[str] = Counter()

    async def wait(self, tenant: str) -> None:
        """Wait for the next turn; a tenant waits for a few at a time, so that there are some for others.

        Raises:
            EngineUnavailable: it is too far away.
        """
        if self._waiting[tenant] >= TURNS_A_TENANT:
            raise EngineUnavailable("too many lists of jobs are asked for at once")
        self._waiting[tenant] += 1
        try:
            await self._wait()
        finally:
            self._waiting[tenant] -= 1
            if not self._waiting[tenant]:
                del self._waiting[tenant]

    async def _wait(self) -> None:
        now = asyncio.get_running_loop().time()
        turn = max(now, self._next)
        wait = max(0.0, turn - self._ahead - now)
        if wait > self._patience:
            raise EngineUnavailable("too many lists of jobs are asked for at once")
        self._next = turn + self._apart
        await asyncio.sleep(wait)
