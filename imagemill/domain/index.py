"""The list of ended jobs: one small object a job, under a key that sorts the newest first."""

from datetime import datetime

from pydantic import BaseModel, Field

from imagemill.domain.job import Counts, JobSummary
from imagemill.domain.job_states import JobState


class IndexEntry(BaseModel):
    """What the list of ended jobs says of one. Entries of older versions have less."""

    job: str
    name: str | None = None
    state: JobState
    submitted_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    items: int | None = None
    counts: Counts | None = None
    settled_nano: int = 0
    written_off_nano: int = 0
    metadata: dict[str, str] = Field(default_factory=dict)

    @staticmethod
    def of(job: str, summary: JobSummary) -> "IndexEntry":
        """The entry of a job that has ended."""
        shared = ("name", "state", "submitted_at", "started_at", "ended_at", "items", "metadata")
        return IndexEntry(
            job=job,
            counts=summary.ended.counts,
            settled_nano=summary.ended.settled_nano,
            written_off_nano=summary.ended.written_off_nano,
            **{field: getattr(summary, field) for field in shared},
        )
