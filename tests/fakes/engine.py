"""The durable engine in memory: it starts nothing, and remembers what it was told."""

from imagemill.domain.errors import EngineUnavailable
from imagemill.domain.item import ItemRecord
from imagemill.domain.job import JobSummary, Progress
from imagemill.domain.messages import InspectedChunk, JobStart


class MemoryEngine:
    """Implements ``imagemill.ports.Engine``.

    Attributes:
        starts: every start that came in, repeats included.
        summaries: what each job's memo says; a test may change it, and ``forget`` it.
        away: so many of the next calls raise EngineUnavailable and do nothing.
    """

    def __init__(self) -> None:
        self.starts: list[JobStart] = []
        self.summaries: dict[str, JobSummary] = {}
        self.runs: dict[tuple[str, str], JobSummary] = {}
        self.chunks: dict[tuple[str, int], Progress] = {}
        self.inspected: dict[tuple[str, int], InspectedChunk] = {}
        self.known_records: dict[str, list[ItemRecord]] = {}
        self.cancelled: list[str] = []
        self.away = 0
        self.reachable = True

    async def start_job(self, start: JobStart) -> None:
        self._arrive()
        self.starts.append(start)
        self.summaries.setdefault(start.place.job, start.summary)

    async def job_summary(self, job: str, run: str | None = None) -> JobSummary | None:
        self._arrive()
        return self.summaries.get(job) if run is None else self.runs.get((job, run))

    async def chunk_progress(self, job: str, chunk: int) -> Progress | None:
        self._arrive()
        return self.chunks.get((job, chunk))

    async def records(self, workflow_id: str) -> list[ItemRecord]:
        return self.known_records.get(workflow_id, [])

    async def cancel_job(self, job: str) -> bool:
        self._arrive()
        if job not in self.summaries:
            return False
        self.cancelled.append(job)
        return True

    async def inspect_chunk(self, job: str, chunk: int) -> InspectedChunk:
        self._arrive()
        return self.inspected.get((job, chunk), InspectedChunk(running=False))

    async def is_reachable(self) -> bool:
        return self.reachable

    def forget(self, job: str) -> None:
        """As after its retention."""
        del self.summaries[job]

    def _arrive(self) -> None:
        if self.away:
            self.away -= 1
            raise EngineUnavailable
