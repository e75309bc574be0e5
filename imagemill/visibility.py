"""The engine's list of workflows: what jobs can be found by there, and how it is asked.

It is a moment behind, and takes few questions a second; what a caller says goes into its queries as
quoted text alone, and every row is looked at again before it is believed.
"""

import asyncio
import hashlib
import re
from collections import Counter
from datetime import UTC

from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes

from imagemill.domain.errors import EngineUnavailable
from imagemill.domain.job import JobSummary
from imagemill.domain.messages import JOB, SUMMARY_MEMO
from imagemill.ports import FoundJob, JobSearch

TENANT = SearchAttributeKey.for_keyword("ImagemillTenant")
STATE = SearchAttributeKey.for_keyword("ImagemillState")
NAME = SearchAttributeKey.for_keyword("ImagemillName")
METADATA = SearchAttributeKey.for_keyword_list("ImagemillMetadata")

PAGE = 1000
PER_SECOND = 10
"""What a frontend of the engine answers by default, of such questions."""

PATIENCE = 5.0
TURNS_A_TENANT = 10
"""So many questions of one tenant wait at a time."""
_PLAIN = re.compile(r"[A-Za-z0-9_.:@/+= -]{1,100}")
"""Sixteen words of this length, quoted, fit into the 2 KB that an attribute may have."""

_ENDED_OUTSIDE = "('Terminated', 'Failed', 'TimedOut', 'Canceled')"


def attributes(summary: JobSummary) -> TypedSearchAttributes:
    """What a job can be found by from its start on."""
    pairs: list[SearchAttributePair] = [  # type: ignore[type-arg]
        SearchAttributePair(TENANT, summary.tenant),
        SearchAttributePair(STATE, summary.state),
    ]
    if summary.name:
        pairs.append(SearchAttributePair(NAME, summary.name))
    if summary.metadata:
        pairs.append(SearchAttributePair(METADATA, [word(*pair) for pair in summary.metadata.items()]))
    return TypedSearchAttributes(pairs)


def word(key: str, value: str) -> str:
    """A pair of metadata as the engine keeps it: ``key=value``, or its hash where that is long or odd.

    On SQLite the engine finds words by full-text search, whose own signs (a double quote) make it fail.
    """
    plain = f"{key}={value}"
    if _PLAIN.fullmatch(plain):
        return plain
    return "sha256:" + hashlib.sha256(plain.encode()).hexdigest()


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
    """So many a second, one after the other; who would wait too long is sent away."""

    def __init__(self, per_second: float, patience: float) -> None:
        self._apart = 1 / per_second
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
        if turn - now > self._patience:
            raise EngineUnavailable("too many lists of jobs are asked for at once")
        self._next = turn + self._apart
        await asyncio.sleep(turn - now)
