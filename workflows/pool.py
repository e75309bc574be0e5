"""imagemill.pool: the pace of one limit group of a provider account, shared by all its workers.

1. hear what workers have seen: limits, refusals, trouble, and that it is over;
2. set the rate of the group's queue by it;
3. show the workers, in the memo, what they are to go by;
4. climb while nothing speaks against it, and continue as new now and then.
"""

from contextlib import suppress
from datetime import timedelta
from typing import NoReturn

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from imagemill.domain.messages import Nothing
    from imagemill.domain.pace import PERIOD, SILENT, Pace, PoolNews, PoolState
    from imagemill.domain.pool_messages import (
        PACE_MEMO,
        POOL,
        POOL_NEWS,
        SET_LIMITS,
        SET_RATE,
        PoolStart,
        RateTask,
        StatedLimits,
    )
    from workflows import policies

WORTH_SETTING = 0.02
"""The queue is told of another rate where it differs by this share."""


@workflow.defn(name=POOL)
class PoolWorkflow:
    """One a limit group; it never ends by itself."""

    @workflow.init
    def __init__(self, start: PoolStart) -> None:
        self.start = start
        self.state = start.state or PoolState.of(start.stated.images, start.stated.tokens)
        self._stated = start.stated
        self._wake = True
        self._rate_set: float | None = None
        self._is_set = False
        self._shown: Pace | None = None

    @workflow.run
    async def run(self, start: PoolStart) -> None:
        """Keep the pace, for as long as the pool exists."""
        while not policies.history_is_long():
            self._wake = False
            self.state.climb(workflow.now())
            self._show()
            await self._set_rate()
            await self._woken()
        self._continue_as_new()

    # --- from outside -------------------------------------------------------------------------

    @workflow.signal(name=POOL_NEWS)
    def news(self, news: PoolNews) -> None:
        """What a worker has seen since it last told."""
        self.state.hear(news, workflow.now())
        self._wake = True

    @workflow.signal(name=SET_LIMITS)
    def set_limits(self, stated: StatedLimits) -> None:
        """What the operator states; each worker says it when it starts."""
        if stated != self._stated:
            self._stated = stated
            self.state = PoolState.of(stated.images, stated.tokens)
        self._wake = True

    # --- steps --------------------------------------------------------------------------------

    async def _set_rate(self) -> None:
        state = self.state
        rate = state.pace(workflow.now()).dispatches_a_second(state.images_a_call, state.tokens_a_call)
        if self._is_set and not _differs(rate, self._rate_set):
            return
        self._is_set, self._rate_set = True, rate
        try:
            await workflow.execute_activity(
                SET_RATE,
                RateTask(queue=self.start.queue, per_second=rate),
                result_type=Nothing,
                **policies.queue_rate(self.start.times),
            )
        except ActivityError:
            workflow.logger.warning("the engine does not set the rate of a queue: only the gates keep it")

    def _show(self) -> None:
        pace = self.state.pace(workflow.now())
        if pace == self._shown:
            return
        self._shown = pace
        workflow.upsert_memo({PACE_MEMO: pace})
        rate = (
            "no limit" if pace.images_per_minute is None else f"{pace.images_per_minute:.0f} images a minute"
        )
        trouble = f", in trouble: {pace.trouble.code}" if pace.trouble else ""
        workflow.set_current_details(f"{rate}, {pace.workers} workers{trouble}")

    async def _woken(self) -> None:
        """Wait for news; while there are some, look at the clock as well."""
        seen = max(self.state.seen.values(), default=None)
        active = seen is not None and workflow.now() - seen < SILENT
        patience: timedelta | None = SILENT / 4 if active else None
        if active and self.state.asked and self.state.rate is not None:
            patience = PERIOD
        with suppress(TimeoutError):
            await workflow.wait_condition(lambda: self._wake, timeout=patience)

    def _continue_as_new(self) -> NoReturn:
        workflow.continue_as_new(
            self.start.model_copy(update={"stated": self._stated, "state": self.state}),
            memo={PACE_MEMO: self.state.pace(workflow.now())},
        )


def _differs(rate: float | None, other: float | None) -> bool:
    if rate is None or other is None:
        return rate is not other
    return abs(rate - other) > WORTH_SETTING * other
