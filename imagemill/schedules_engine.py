"""Temporal's own schedules: the definition of ours as one of theirs, and what they know of it."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.enums.v1 import ScheduleOverlapPolicy as OverlapCode
from temporalio.api.schedule.v1 import SchedulePatch, TriggerImmediatelyRequest
from temporalio.api.workflowservice.v1 import ListScheduleMatchingTimesRequest, PatchScheduleRequest
from temporalio.client import (
    Client,
    ScheduleActionExecutionStartWorkflow,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleBackfill,
    ScheduleCalendarSpec,
    ScheduleDescription,
    ScheduleHandle,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleRange,
    ScheduleSpec,
    ScheduleState,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.client import Schedule as TheirSchedule
from temporalio.common import Priority, SearchAttributePair, TypedSearchAttributes
from temporalio.service import RPCError, RPCStatusCode

from imagemill.domain.errors import EngineUnavailable, InvalidInput
from imagemill.domain.messages import MAIN_QUEUE, Times
from imagemill.domain.run_messages import RUN, RunStart
from imagemill.domain.schedules import BEING_MADE, Calendar, Overlap, Schedule, Spec, ranges
from imagemill.ports import ScheduleChange, ScheduleFacts
from imagemill.search_attributes import TENANT

OVERLAPS: dict[Overlap, ScheduleOverlapPolicy] = {
    "skip": ScheduleOverlapPolicy.SKIP,
    "buffer_one": ScheduleOverlapPolicy.BUFFER_ONE,
    "buffer_all": ScheduleOverlapPolicy.BUFFER_ALL,
    "cancel_other": ScheduleOverlapPolicy.CANCEL_OTHER,
    "allow_all": ScheduleOverlapPolicy.ALLOW_ALL,
}
"""None of them ends a run from outside: what was bought is kept and settled."""

LISTED_AT_ONCE = 1000
"""So many times the engine lists in one answer."""

_REFUSED = "Invalid schedule spec: "


class TemporalSchedules:
    """Implements ``imagemill.ports.Schedules``."""

    def __init__(self, client: Client, queue: str = MAIN_QUEUE) -> None:
        self._client = client
        self._queue = queue

    async def create(self, schedule: Schedule, times: Times) -> None:
        """Keep a schedule, paused."""
        theirs = self._theirs(schedule, times)
        theirs.state = ScheduleState(paused=True, note=BEING_MADE)
        try:
            await self._client.create_schedule(
                schedule.id, theirs, search_attributes=_of_tenant(schedule.tenant)
            )
        except ScheduleAlreadyRunningError:
            return
        except RPCError as error:
            raise _translated(error) from None

    async def describe(self, schedule: str) -> ScheduleFacts | None:
        """What is known of it."""
        try:
            return _facts(await self._handle(schedule).describe())
        except RPCError as error:
            _raise_unless_missing(error)
            return None

    async def change(self, schedule: Schedule, times: Times, change: ScheduleChange) -> bool:
        """Go by what the definition says now."""

        def changed(before: ScheduleUpdateInput) -> ScheduleUpdate:
            theirs, state = self._theirs(schedule, times), before.description.schedule.state
            if change.paused is not None:
                state.paused = change.paused
            if change.note != "KEEP":
                state.note = change.note
            if change.runs != "KEEP":
                state.limited_actions, state.remaining_actions = change.runs is not None, change.runs or 0
            theirs.state = state
            return ScheduleUpdate(theirs)

        try:
            await self._handle(schedule.id).update(changed)
        except RPCError as error:
            _raise_unless_missing(error)
            return False
        return True

    async def trigger(self, schedule: str, at: datetime) -> bool:
        """Run now, as the time ``at``, which says which run it is."""
        now = TriggerImmediatelyRequest(
            overlap_policy=OverlapCode.SCHEDULE_OVERLAP_POLICY_UNSPECIFIED,  # as the schedule has it
            scheduled_time=_stamp(at),
        )
        request = PatchScheduleRequest(
            namespace=self._client.namespace,
            schedule_id=schedule,
            patch=SchedulePatch(trigger_immediately=now),
            identity="imagemill.api",
            request_id=str(uuid.uuid4()),
        )
        try:
            await self._client.workflow_service.patch_schedule(request, retry=True)
        except RPCError as error:
            _raise_unless_missing(error)
            return False
        return True

    async def backfill(self, schedule: str, start: datetime, end: datetime, *, at_once: bool) -> bool:
        """Run all its times in a range."""
        overlap = ScheduleOverlapPolicy.ALLOW_ALL if at_once else ScheduleOverlapPolicy.BUFFER_ALL
        try:
            await self._handle(schedule).backfill(
                ScheduleBackfill(start_at=start, end_at=end, overlap=overlap)
            )
        except RPCError as error:
            _raise_unless_missing(error)
            return False
        return True

    async def delete(self, schedule: str) -> None:
        """Start no run any more."""
        try:
            await self._handle(schedule).delete()
        except RPCError as error:
            _raise_unless_missing(error)

    async def times_of(self, schedule: str, start: datetime, end: datetime, most: int) -> list[datetime]:
        """Its times in a range, by the engine's own reckoning."""
        found: list[datetime] = []
        after = start - timedelta(milliseconds=1)  # the engine leaves the beginning of a range out
        while len(found) < most:
            request = ListScheduleMatchingTimesRequest(
                namespace=self._client.namespace,
                schedule_id=schedule,
                start_time=_stamp(after),
                end_time=_stamp(end),
            )
            try:
                answer = await self._client.workflow_service.list_schedule_matching_times(request, retry=True)
            except RPCError as error:
                _raise_unless_missing(error)
                return []
            times = [each.ToDatetime(UTC) for each in answer.start_time]
            found += times
            if len(times) < LISTED_AT_ONCE:
                break
            after = times[-1]
        return found[:most]

    def _handle(self, schedule: str) -> ScheduleHandle:
        return self._client.get_schedule_handle(schedule)

    def _theirs(self, schedule: Schedule, times: Times) -> TheirSchedule:
        return TheirSchedule(
            action=ScheduleActionStartWorkflow(
                RUN,
                RunStart(schedule=schedule.id, tenant=schedule.tenant, times=times),
                id=f"run/{schedule.id}",
                task_queue=self._queue,
                typed_search_attributes=_of_tenant(schedule.tenant),
                priority=Priority(fairness_key=schedule.tenant),
            ),
            spec=_spec(schedule.spec),
            policy=SchedulePolicy(
                overlap=OVERLAPS[schedule.overlap],
                catchup_window=timedelta(seconds=schedule.catchup_seconds),
            ),
        )


def _spec(spec: Spec) -> ScheduleSpec:
    return ScheduleSpec(
        cron_expressions=spec.cron,
        calendars=[_calendar(each) for each in spec.calendars],
        intervals=[ScheduleIntervalSpec(timedelta(seconds=spec.every_seconds))] if spec.every_seconds else [],
        time_zone_name=spec.time_zone,
        jitter=timedelta(seconds=spec.jitter_seconds) if spec.jitter_seconds else None,
        start_at=spec.start,
        end_at=spec.end,
    )


def _calendar(calendar: Calendar) -> ScheduleCalendarSpec:
    said = calendar.model_dump(exclude={"comment"})
    fields: dict[str, Sequence[ScheduleRange]] = {
        name: [ScheduleRange(*each) for each in ranges(name, text)] for name, text in said.items()
    }
    return ScheduleCalendarSpec(**fields, comment=calendar.comment)


def _facts(description: ScheduleDescription) -> ScheduleFacts:
    state, info = description.schedule.state, description.info
    return ScheduleFacts(
        paused=state.paused,
        note=state.note,
        next=info.next_action_times,
        runs_left=state.remaining_actions if state.limited_actions else None,
        skipped=info.num_actions_skipped_overlap,
        missed=info.num_actions_missed_catchup_window,
        under_way=[
            _time_of(each.workflow_id)
            for each in info.running_actions
            if isinstance(each, ScheduleActionExecutionStartWorkflow)
        ],
    )


def _time_of(run: str) -> datetime:
    """The engine puts the time that a run is for behind the workflow's id."""
    return datetime.fromisoformat(run[-len("2026-01-01T00:00:00Z") :])


def _of_tenant(tenant: str) -> TypedSearchAttributes:
    return TypedSearchAttributes([SearchAttributePair(TENANT, tenant)])


def _stamp(moment: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(moment.astimezone(UTC).replace(tzinfo=None))
    return stamp


def _raise_unless_missing(error: RPCError) -> None:
    """That there is no such schedule is an answer; every other error is raised as ours."""
    if error.status != RPCStatusCode.NOT_FOUND:
        raise _translated(error) from None


def _translated(error: RPCError) -> EngineUnavailable | InvalidInput:
    if error.status == RPCStatusCode.INVALID_ARGUMENT and error.message.startswith(_REFUSED):
        return InvalidInput([("/spec", error.message.removeprefix(_REFUSED))])
    return EngineUnavailable(f"the engine does not answer ({error.status.name.lower()})")
