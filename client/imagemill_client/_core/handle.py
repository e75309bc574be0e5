"""What a job's handle shows of it, in both shells."""

from imagemill_client.models import JobStatus


class Handle:
    """A job, and its status as it was when the service was last asked.

    Attributes:
        status: counts, money, hold, failure; `refresh` asks anew.
    """

    def __init__(self, status: JobStatus) -> None:
        self.status = status

    @property
    def id(self) -> str:
        """The job's id, to find it again with ``client.jobs.get``."""
        return self.status.id

    @property
    def state(self) -> str:
        """Its state when the service was last asked."""
        return self.status.state

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.status.ended

    def __repr__(self) -> str:
        done, total = self.status.items.done, self.status.items.total
        return f"<{type(self).__name__} {self.id} {self.state} {done}/{'?' if total is None else total}>"
