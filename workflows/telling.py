"""What a job tells by webhook, beside its work: in order, each once the memo shows what it speaks of."""

import asyncio

from temporalio import workflow
from temporalio.exceptions import ActivityError

from imagemill.domain.job import Progress
from imagemill.domain.messages import JobProgress, Nothing, Workplace
from imagemill.domain.webhook_messages import EMIT, EmitTask
from imagemill.domain.webhooks import EventType
from workflows import policies


class Teller:
    """Notes events and writes them down one by one; what it has yet to tell is in ``progress``.

    A job without a webhook has nothing to tell, and its history shows nothing of this.
    """

    def __init__(self, place: Workplace, progress: JobProgress) -> None:
        self._place = place
        self._progress = progress
        self._telling = progress.telling
        self._working: asyncio.Task[None] | None = None

    def listen_for(self, events: list[EventType]) -> None:
        """This is what the webhook asks for from now on."""
        self._telling.events = events

    def shown(self) -> None:
        """The memo shows the summary as it is now: in the same task of the workflow as what follows."""
        self._telling.hear(self._progress.summary, self._whole(), workflow.now())
        if self._telling.waiting and (self._working is None or self._working.done()):
            self._working = asyncio.create_task(self._tell())

    async def all_told(self) -> None:
        """Wait until every event is written down and its delivery started, even if the job is cancelled."""
        while self._telling.waiting:
            try:
                await workflow.wait_condition(lambda: not self._telling.waiting)
            except asyncio.CancelledError:
                workflow.logger.info("cancelled while events are still to be told")

    async def _tell(self) -> None:
        waiting = self._telling.waiting
        while waiting:
            task = EmitTask(tenant=self._place.tenant, job=self._place.job, notice=waiting[0])
            try:
                await workflow.execute_activity(
                    EMIT, task, result_type=Nothing, **policies.telling(self._place)
                )
            except ActivityError:
                workflow.logger.error("an event could not be told for a day, and is given up")
            waiting.pop(0)

    def _whole(self) -> Progress:
        """The totals of the chunks that have ended, and of those that run as far as they have told."""
        progress = self._progress
        running = [progress.reports[chunk].progress for chunk in progress.lives if chunk in progress.reports]
        return Progress.total([progress.summary.ended, *running])
