"""The durable engine in memory: it starts nothing, and remembers what it was told."""

from datetime import datetime

from imagemill.domain.errors import EngineUnavailable
from imagemill.domain.item import ItemRecord
from imagemill.domain.job import JobSummary, Progress
from imagemill.domain.job_states import ENDED
from imagemill.domain.messages import (
    AccountStart,
    BudgetSignal,
    Estimated,
    EstimateTask,
    GalleryTask,
    InspectedChunk,
    JobStart,
    WebhookSignal,
)
from imagemill.domain.pace import Pace
from imagemill.domain.tenant import AccountAsk, Caps, TenantAccount
from imagemill.domain.webhook_messages import WebhookStart
from imagemill.ports import FoundJob, FoundJobs, JobSearch, Life, Memo, QueueKind, QueueState


class MemoryEngine:
    """Implements ``imagemill.ports.Engine``.

    Attributes:
        starts: every start that came in, repeats included.
        summaries: what each job's memo says; a test may change it, and ``forget`` it.
        budgets: what each job's cap was set to, in order.
        webhooks: what each job's webhook was changed to be told, in order.
        deliveries: the deliveries that were started, in order, and whether again.
        galleries: the jobs whose galleries were asked for.
        makes_galleries: are they made in time?
        estimated: what the next estimate answers; None: it takes too long.
        told: what accounts were told, in order.
        paces: what each pool's workers go by, by the id of its workflow.
        queues: how task queues stand, by name and kind; others are empty.
        visible: what the list of jobs says of them, where it is behind.
        started: when jobs were started, if that was not when they were submitted.
        cut_off: jobs that were ended from outside.
        list_page: how many jobs a page of the list has.
        unanswered: no worker answers questions for records.
        away: so many of the next calls raise EngineUnavailable and do nothing.
        starts_away: the same of the next starts of jobs.
    """

    def __init__(self) -> None:
        self.starts: list[JobStart] = []
        self.summaries: dict[str, JobSummary] = {}
        self.runs: dict[tuple[str, str], JobSummary] = {}
        self.chunks: dict[tuple[str, int], Progress] = {}
        self.inspected: dict[tuple[str, int], InspectedChunk] = {}
        self.known_records: dict[str, list[ItemRecord]] = {}
        self.visible: dict[str, JobSummary] = {}
        self.started: dict[str, datetime] = {}
        self.cut_off: set[str] = set()
        self.list_page = 1000
        self.unanswered = False
        self.cancelled: list[str] = []
        self.paused: list[str] = []
        self.closed: list[tuple[str, str | None]] = []
        self.priorities: list[tuple[str, int]] = []
        self.resumed: list[str] = []
        self.budgets: list[tuple[str, BudgetSignal]] = []
        self.webhooks: list[tuple[str, WebhookSignal]] = []
        self.deliveries: list[tuple[WebhookStart, bool]] = []
        self.estimated: Estimated | None = None
        self.galleries: list[str] = []
        self.makes_galleries = True
        self.lives: dict[str, Life] = {}
        self.accounts: dict[str, TenantAccount] = {}
        self.caps: dict[str, Caps] = {}
        self.told: list[tuple[AccountStart, AccountAsk | Caps | None]] = []
        self.swept: list[str] = []
        self.paces: dict[str, Pace] = {}
        self.queues: dict[tuple[str, str], QueueState] = {}
        self.away = 0
        self.starts_away = 0
        self.reachable = True

    async def start_job(self, start: JobStart) -> None:
        self._arrive()
        if self.starts_away:
            self.starts_away -= 1
            raise EngineUnavailable
        self.starts.append(start)
        self.summaries.setdefault(start.place.job, start.summary)

    async def job_summary(self, job: str, run: str | None = None) -> JobSummary | None:
        self._arrive()
        summary = self.summaries.get(job) if run is None else self.runs.get((job, run))
        return summary and summary.believed(going_on=job not in self.cut_off)

    async def job_memo(self, job: str) -> Memo | None:
        summary = await self.job_summary(job)
        return None if summary is None else Memo(summary.model_dump_json().encode(), going_on=True)

    async def chunk_memo(self, job: str, chunk: int) -> Memo | None:
        self._arrive()
        progress = self.chunks.get((job, chunk))
        return None if progress is None else Memo(progress.model_dump_json().encode(), going_on=True)

    async def find_jobs(self, search: JobSearch, more: bytes = b"") -> FoundJobs:
        self._arrive()
        jobs = [found for job in self.summaries if (found := self._found(job, search))]
        jobs.sort(key=lambda found: found.started_at, reverse=True)
        start = int(more or 0)
        rest = start + self.list_page
        return FoundJobs(jobs[start:rest], str(rest).encode() if len(jobs) > rest else b"")

    def _found(self, job: str, search: JobSearch) -> FoundJob | None:
        summary = self.visible.get(job, self.summaries[job])
        listed = (job in self.cut_off) == search.cut_off and (search.cut_off or summary.state not in ENDED)
        fits = (
            listed
            and summary.tenant == search.tenant
            and (search.cut_off or search.state in (None, summary.state))
            and (summary.name or "").startswith(search.name or "")
            and all(summary.metadata.get(key) == value for key, value in search.metadata)
        )
        if not fits:
            return None
        summary = summary.believed(going_on=not search.cut_off)
        return FoundJob(job, summary, self.started.get(job, summary.submitted_at))

    async def records(self, workflow_id: str, seconds: float = 2.0) -> list[ItemRecord]:
        if self.unanswered:
            raise EngineUnavailable
        return self.known_records.get(workflow_id, [])

    async def cancel_job(self, job: str) -> bool:
        self._arrive()
        if job not in self.summaries:
            return False
        self.cancelled.append(job)
        return True

    async def pause_job(self, job: str) -> bool:
        self._arrive()
        if job not in self.summaries:
            return False
        self.paused.append(job)
        return True

    async def set_priority(self, job: str, priority: int) -> bool:
        self._arrive()
        if job not in self.summaries:
            return False
        self.priorities.append((job, priority))
        return True

    async def resume_job(self, job: str) -> bool:
        self._arrive()
        if job not in self.summaries:
            return False
        self.resumed.append(job)
        return True

    async def set_budget(self, job: str, budget: BudgetSignal) -> bool:
        self._arrive()
        if job not in self.summaries:
            return False
        self.budgets.append((job, budget))
        return True

    async def set_webhook(self, job: str, change: WebhookSignal) -> bool:
        self._arrive()
        if job not in self.summaries:
            return False
        self.webhooks.append((job, change))
        return True

    async def start_delivery(self, start: WebhookStart, *, again: bool = False) -> None:
        self._arrive()
        if again or all(known.event != start.event for known, _ in self.deliveries):
            self.deliveries.append((start, again))

    async def estimate(self, task: EstimateTask, seconds: float) -> Estimated | None:
        self._arrive()
        return self.estimated

    async def make_gallery(self, task: GalleryTask, seconds: float) -> bool:
        self._arrive()
        self.galleries.append(task.job)
        return self.makes_galleries

    async def life_of(self, workflow_id: str) -> Life | None:
        self._arrive()
        return self.lives.get(workflow_id)

    async def account_caps(self, tenant: str, schedule: str | None = None) -> Caps | None:
        self._arrive()
        return self.caps.get(account_name(tenant, schedule))

    async def account(self, tenant: str, schedule: str | None = None) -> TenantAccount | None:
        self._arrive()
        return self.accounts.get(account_name(tenant, schedule))

    async def tell_account(
        self, start: AccountStart, *, ask: AccountAsk | None = None, caps: Caps | None = None
    ) -> None:
        self._arrive()
        self.told.append((start, ask or caps))
        self.caps[account_name(start.tenant, start.schedule)] = caps or start.caps

    async def sweep_account(self, tenant: str) -> bool:
        self._arrive()
        self.swept.append(tenant)
        return tenant in self.caps

    async def close_account(self, tenant: str, schedule: str | None = None) -> bool:
        self._arrive()
        self.closed.append((tenant, schedule))
        return tenant in self.caps

    async def inspect_chunk(self, job: str, chunk: int) -> InspectedChunk:
        self._arrive()
        return self.inspected.get((job, chunk), InspectedChunk(running=False))

    async def pace(self, workflow_id: str) -> Pace | None:
        self._arrive()
        return self.paces.get(workflow_id)

    async def queue_state(self, name: str, kind: QueueKind) -> QueueState:
        self._arrive()
        return self.queues.get((name, kind), QueueState(name, kind))

    async def is_reachable(self) -> bool:
        return self.reachable

    def forget(self, job: str) -> None:
        """As after its retention."""
        del self.summaries[job]

    def _arrive(self) -> None:
        if self.away:
            self.away -= 1
            raise EngineUnavailable


def account_name(tenant: str, schedule: str | None) -> str:
    """How the fake's accounts are told apart."""
    return f"{tenant}/{schedule}" if schedule else tenant
