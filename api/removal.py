"""Tenants that were removed: their jobs are cancelled, their schedules paused, their accounts closed.

All of it may be done again, by several processes at once, and is, for as long as the file says so: a job may
have been submitted where an older file lay.
"""

import asyncio
import time
from collections.abc import Callable

import structlog

from api.context import Context
from api.schedule_store import all_schedules
from imagemill.domain.schedules import Schedule
from imagemill.ports import JobSearch, ScheduleChange

log = structlog.get_logger()

LOOK_SECONDS = 1.0
"""Between two looks at the file."""

BUSY_SECONDS, QUIET_SECONDS = 5.0, 60.0
"""Between two looks at a removed tenant, while something of it runs and after that."""

NOTE = "the tenant was removed"


class Removal:
    """Goes after what removed tenants have left."""

    def __init__(self, parts: Context, clock: Callable[[], float] = time.monotonic) -> None:
        self._parts = parts
        self._clock = clock
        self._next: dict[str, float] = {}

    async def run(self) -> None:
        """For as long as we live."""
        while self._parts.tenants.path:
            await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Once over all tenants whose turn has come."""
        removed = {name for name, terms in self._parts.tenants.look().tenants.items() if terms.removed}
        self._next = {tenant: self._next.get(tenant, self._clock()) for tenant in removed}
        for tenant in sorted(removed):
            if self._next[tenant] > self._clock():
                continue
            try:
                busy = await self._wind_up(tenant)
            except Exception as error:  # noqa: BLE001 - one tenant's trouble is not another's; it is tried again
                log.warning("tenant not wound up yet", tenant=tenant, error=type(error).__name__)
                busy = True
            self._next[tenant] = self._clock() + (BUSY_SECONDS if busy else QUIET_SECONDS)

    async def _wind_up(self, tenant: str) -> bool:
        """Is there something left that ends only in a while?"""
        schedules = [schedule async for schedule in all_schedules(self._parts, tenant)]
        for schedule in schedules:
            await self._pause(schedule)
        cancelled = await self._cancel_jobs(tenant)
        if cancelled:
            log.info("jobs of a removed tenant are cancelled", tenant=tenant, jobs=cancelled)
        else:
            await asyncio.gather(
                self._parts.engine.close_account(tenant),
                *(self._parts.engine.close_account(tenant, schedule.id) for schedule in schedules),
            )
        return cancelled > 0

    async def _cancel_jobs(self, tenant: str) -> int:
        """Tell all that run; those that are told already too, since it changes nothing."""
        engine, more, told = self._parts.engine, b"", 0
        while True:
            page = await engine.find_jobs(JobSearch(tenant=tenant), more)
            for job in page.jobs:
                told += await engine.cancel_job(job.job)
            if not page.more:
                return told
            more = page.more

    async def _pause(self, schedule: Schedule) -> None:
        schedules = self._parts.schedules
        if schedules is None:
            return
        facts = await schedules.describe(schedule.id)
        if facts and not facts.paused:
            await schedules.change(schedule, self._parts.times, ScheduleChange(paused=True, note=NOTE))
