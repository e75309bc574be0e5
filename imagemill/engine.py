"""The Temporal server, as the API and the activities see it."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from pydantic import BaseModel
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import RateLimit
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionRequest,
    ListWorkflowExecutionsRequest,
    UpdateTaskQueueConfigRequest,
)
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowFailureError, WorkflowQueryFailedError
from temporalio.common import (
    Priority,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.runtime import Runtime
from temporalio.service import RPCError, RPCStatusCode

from imagemill import search_attributes, task_queues, visibility
from imagemill.domain.errors import EngineUnavailable, Misconfigured
from imagemill.domain.item import ItemRecord
from imagemill.domain.job import JobSummary
from imagemill.domain.messages import (
    ACCOUNT,
    ASK,
    CANCEL,
    CAPS_MEMO,
    CLOSE,
    ESTIMATE,
    GALLERY,
    JOB,
    MAIN_QUEUE,
    PAUSE,
    PROGRESS_MEMO,
    RECORDS,
    RESUME,
    SET_BUDGET,
    SET_CAPS,
    SET_PRIORITY,
    SET_WEBHOOK,
    STORE_REFUSES,
    SUMMARY_MEMO,
    SWEEP,
    USAGE,
    AccountStart,
    BudgetSignal,
    ChunkReport,
    Estimated,
    EstimateTask,
    GalleryTask,
    InspectedChunk,
    JobStart,
    PrioritySignal,
    RecordsAnswer,
    StoreRefuses,
    WebhookSignal,
    account_workflow_id,
    chunk_workflow_id,
    gallery_workflow_id,
)
from imagemill.domain.pace import Pace, PoolNews
from imagemill.domain.pool_messages import PACE_MEMO, POOL, POOL_NEWS, SET_LIMITS, PoolStart
from imagemill.domain.tenant import AccountAsk, Caps, TenantAccount
from imagemill.domain.webhook_messages import REDELIVER, WEBHOOK, WebhookStart, delivery_workflow_id
from imagemill.payloads import PAYLOADS
from imagemill.ports import FoundJobs, JobSearch, Life, Memo, QueueKind, QueueState
from imagemill.settings import EngineSettings

TENANT_ATTRIBUTE = search_attributes.TENANT
STATE_ATTRIBUTE = search_attributes.STATE
QUERY_SECONDS = 2.0
GALLERY_TIMEOUT = timedelta(minutes=15)
_GOING_ON = (WorkflowExecutionStatus.RUNNING, WorkflowExecutionStatus.CONTINUED_AS_NEW)
_GOING_ON_CODES = frozenset(int(status) for status in _GOING_ON)


async def connect(settings: EngineSettings, runtime: Runtime | None = None) -> Client:
    """Connect to the server; ``runtime`` is where its metrics go.

    Raises:
        Misconfigured: nothing answers at that address.
    """
    try:
        return await Client.connect(
            settings.address,
            namespace=settings.namespace,
            data_converter=PAYLOADS,
            runtime=runtime,
        )
    except (RuntimeError, RPCError) as error:
        raise Misconfigured(
            f"no Temporal server answers at {settings.address} (IMAGEMILL_TEMPORAL_ADDRESS): "
            f"{str(error).splitlines()[0]}"
        ) from None


class TemporalEngine:
    """Jobs and chunks as workflows of one namespace."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._visibility = visibility.Turns(visibility.PER_SECOND, visibility.PATIENCE, visibility.AT_ONCE)

    async def start_job(self, start: JobStart) -> None:
        """Start a job's workflow, once."""
        place, summary = start.place, start.summary
        try:
            await self._client.start_workflow(
                JOB,
                start,
                id=place.job,
                task_queue=MAIN_QUEUE,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                memo={SUMMARY_MEMO: summary},
                priority=Priority(priority_key=place.priority, fairness_key=place.tenant),
                search_attributes=search_attributes.attributes(summary),
            )
        except WorkflowAlreadyStartedError:
            return
        except RPCError as error:
            raise _unavailable(error) from None

    async def job_summary(self, job: str, run: str | None = None) -> JobSummary | None:
        """What the job's memo says."""
        memo = await self._memo(job, SUMMARY_MEMO, run)
        if memo is None:
            return None
        return JobSummary.model_validate_json(memo.data).believed(going_on=memo.going_on)

    async def job_memo(self, job: str) -> Memo | None:
        """What the job's memo says, unread."""
        return await self._memo(job, SUMMARY_MEMO)

    async def chunk_memo(self, job: str, chunk: int) -> Memo | None:
        """What a chunk's memo says, unread."""
        return await self._memo(chunk_workflow_id(job, chunk), PROGRESS_MEMO)

    async def find_jobs(self, search: JobSearch, more: bytes = b"") -> FoundJobs:
        """Jobs by the engine's list."""
        await self._visibility.wait(search.tenant)
        request = ListWorkflowExecutionsRequest(
            namespace=self._client.namespace,
            page_size=visibility.PAGE,
            query=visibility.query(search),
            next_page_token=more,
        )
        try:
            answer = await self._client.workflow_service.list_workflow_executions(request, retry=True)
        except RPCError as error:
            raise _unavailable(error) from None
        jobs = [found for each in answer.executions if (found := visibility.found(each, search))]
        return FoundJobs(jobs, b"" if search.cut_off else answer.next_page_token)

    async def _memo(self, workflow_id: str, name: str, run: str | None = None) -> Memo | None:
        """One field of a memo as it travels, which spares decoding what nobody asks for."""
        which = WorkflowExecution(workflow_id=workflow_id, run_id=run or "")
        request = DescribeWorkflowExecutionRequest(namespace=self._client.namespace, execution=which)
        try:
            answer = await self._client.workflow_service.describe_workflow_execution(request, retry=True)
        except RPCError as error:
            _raise_unless_missing(error)
            return None
        told = answer.workflow_execution_info
        if name not in told.memo.fields:
            return None
        return Memo(told.memo.fields[name].data, going_on=told.status in _GOING_ON_CODES)

    async def records(self, workflow_id: str, seconds: float = QUERY_SECONDS) -> list[ItemRecord]:
        """The items that a running job or chunk knows of."""
        handle = self._client.get_workflow_handle(workflow_id)
        try:
            answer: RecordsAnswer = await handle.query(
                RECORDS, result_type=RecordsAnswer, rpc_timeout=timedelta(seconds=seconds)
            )
        except WorkflowQueryFailedError:
            raise EngineUnavailable(f"{workflow_id} can't be asked just now") from None
        except RPCError as error:
            _raise_unless_missing(error)
            return []
        return answer.records

    async def tell_store_refuses(self, workflow_id: str, wait: float) -> None:
        """Let a job or chunk know that what it bought can't be stored; where that fails, it is not told."""
        handle = self._client.get_workflow_handle(workflow_id)
        try:
            await handle.signal(
                STORE_REFUSES, StoreRefuses(wait=wait), rpc_timeout=timedelta(seconds=QUERY_SECONDS)
            )
        except RPCError:
            return

    async def cancel_job(self, job: str) -> bool:
        """Tell a job to cancel."""
        return await self._signal(job, CANCEL)

    async def pause_job(self, job: str) -> bool:
        """Tell a job to start nothing until it is resumed."""
        return await self._signal(job, PAUSE)

    async def set_priority(self, job: str, priority: int) -> bool:
        """Give a job another priority."""
        return await self._signal(job, SET_PRIORITY, PrioritySignal(priority=priority))

    async def resume_job(self, job: str) -> bool:
        """Tell a paused or held job to go on."""
        return await self._signal(job, RESUME)

    async def set_budget(self, job: str, budget: BudgetSignal) -> bool:
        """Give a job another cap."""
        return await self._signal(job, SET_BUDGET, budget)

    async def set_webhook(self, job: str, change: WebhookSignal) -> bool:
        """Change what a job's webhook is told."""
        return await self._signal(job, SET_WEBHOOK, change)

    async def start_delivery(self, start: WebhookStart, *, again: bool = False) -> None:
        """Start an event's delivery, once; or, again, whether or not it runs."""
        policy = WorkflowIDReusePolicy.ALLOW_DUPLICATE if again else WorkflowIDReusePolicy.REJECT_DUPLICATE
        try:
            await self._client.start_workflow(
                WEBHOOK,
                start,
                id=delivery_workflow_id(start.event),
                task_queue=MAIN_QUEUE,
                id_reuse_policy=policy,
                search_attributes=TypedSearchAttributes(
                    [SearchAttributePair(TENANT_ATTRIBUTE, start.tenant)]
                ),
                start_signal=REDELIVER if again else None,
            )
        except WorkflowAlreadyStartedError:
            return
        except RPCError as error:
            raise _unavailable(error) from None

    async def estimate(self, task: EstimateTask, seconds: float) -> Estimated | None:
        """Plan a stored submission without keeping the plan."""
        try:
            found: Estimated = await self._client.execute_workflow(
                ESTIMATE,
                task,
                id=f"estimate/{task.job}",
                task_queue=MAIN_QUEUE,
                result_type=Estimated,
                execution_timeout=timedelta(seconds=seconds),
            )
        except WorkflowFailureError:
            return None
        except RPCError as error:
            raise _unavailable(error) from None
        return found

    async def make_gallery(self, task: GalleryTask, seconds: float) -> bool:
        """Have the gallery of a job made; who asks while it is being made waits for the same."""
        try:
            making = await self._client.start_workflow(
                GALLERY,
                task,
                id=gallery_workflow_id(task.job),
                task_queue=MAIN_QUEUE,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                execution_timeout=GALLERY_TIMEOUT,
            )
            async with asyncio.timeout(seconds):
                await making.result()
        except (TimeoutError, WorkflowFailureError):
            return False
        except RPCError as error:
            raise _unavailable(error) from None
        return True

    async def life_of(self, workflow_id: str) -> Life | None:
        """Does a workflow run, and if not, since when?"""
        try:
            described = await self._client.get_workflow_handle(workflow_id).describe()
        except RPCError as error:
            _raise_unless_missing(error)
            return None
        return Life(running=described.status in _GOING_ON, ended_at=described.close_time)

    # --- accounts -----------------------------------------------------------------------------

    async def account_caps(self, tenant: str, schedule: str | None = None) -> Caps | None:
        """The caps that an account works with."""
        account = account_workflow_id(tenant, schedule)
        try:
            described = await self._client.get_workflow_handle(account).describe()
            if described.status not in _GOING_ON:
                return None
            return await described.memo_value(CAPS_MEMO, default=None, type_hint=Caps)
        except RPCError as error:
            _raise_unless_missing(error)
            return None

    async def account(self, tenant: str, schedule: str | None = None) -> TenantAccount | None:
        """An account as it stands."""
        handle = self._client.get_workflow_handle(account_workflow_id(tenant, schedule))
        try:
            found: TenantAccount = await handle.query(
                USAGE, result_type=TenantAccount, rpc_timeout=timedelta(seconds=QUERY_SECONDS)
            )
        except WorkflowQueryFailedError:
            raise EngineUnavailable("the account is being restored") from None
        except RPCError as error:
            _raise_unless_missing(error)
            return None
        return found

    async def tell_account(
        self, start: AccountStart, *, ask: AccountAsk | None = None, caps: Caps | None = None
    ) -> None:
        """Tell an account what a job asks, or its caps; start it if it does not run."""
        await self._tell(
            ACCOUNT,
            start,
            account_workflow_id(start.tenant, start.schedule),
            memo={CAPS_MEMO: start.caps},
            attributes=[SearchAttributePair(TENANT_ATTRIBUTE, start.tenant)],
            signal=ASK if ask else SET_CAPS,
            said=ask or caps or start.caps,
        )

    # --- pools --------------------------------------------------------------------------------

    async def tell_pool(self, start: PoolStart, news: PoolNews, *, opening: bool = False) -> None:
        """Tell a pool what was seen; start it if it does not run."""
        await self._tell(
            POOL,
            start,
            start.workflow_id,
            memo={PACE_MEMO: start.pace(datetime.now(UTC))},
            signal=POOL_NEWS,
            said=news,
        )
        if opening and not await self._signal(start.workflow_id, SET_LIMITS, start.stated):
            raise EngineUnavailable("the pool has ended as it was started")

    async def pace(self, workflow_id: str) -> Pace | None:
        """What a pool's workers are to go by."""
        try:
            described = await self._client.get_workflow_handle(workflow_id).describe()
            return await described.memo_value(PACE_MEMO, default=None, type_hint=Pace)
        except RPCError as error:
            _raise_unless_missing(error)
            return None

    async def set_queue_rate(self, queue: str, per_second: float | None) -> None:
        """So many tasks of a queue a second; None: no limit."""
        limit = None if per_second is None else RateLimit(requests_per_second=per_second)
        try:
            await self._client.workflow_service.update_task_queue_config(
                UpdateTaskQueueConfigRequest(
                    namespace=self._client.namespace,
                    identity="imagemill.pool",
                    task_queue=queue,
                    task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
                    update_queue_rate_limit=UpdateTaskQueueConfigRequest.RateLimitUpdate(
                        rate_limit=limit, reason="the pace of the provider"
                    ),
                )
            )
        except RPCError as error:
            raise _unavailable(error) from None

    async def sweep_account(self, tenant: str) -> bool:
        """Let a tenant's account look for holders that have vanished."""
        return await self._signal(account_workflow_id(tenant), SWEEP)

    async def close_account(self, tenant: str, schedule: str | None = None) -> bool:
        """Let an account end once no job has anything of it."""
        return await self._signal(account_workflow_id(tenant, schedule), CLOSE)

    async def _tell(
        self,
        workflow: str,
        start: AccountStart | PoolStart,
        workflow_id: str,
        *,
        memo: Mapping[str, BaseModel],
        attributes: Sequence[SearchAttributePair[str]] = (),
        signal: str,
        said: BaseModel,
    ) -> None:
        """Signal a workflow that is to run always, and start it if it does not."""
        try:
            await self._client.start_workflow(
                workflow,
                start,
                id=workflow_id,
                task_queue=MAIN_QUEUE,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                memo=memo,
                search_attributes=TypedSearchAttributes(attributes) if attributes else None,
                start_signal=signal,
                start_signal_args=[said],
            )
        except RPCError as error:
            raise _unavailable(error) from None

    async def _signal(self, workflow_id: str, name: str, *arguments: object) -> bool:
        """False: the workflow does not run."""
        try:
            await self._client.get_workflow_handle(workflow_id).signal(name, args=list(arguments))
        except RPCError as error:
            _raise_unless_missing(error)
            return False
        return True

    async def inspect_chunk(self, job: str, chunk: int) -> InspectedChunk:
        """Does the chunk still run, and what did it report if not?"""
        handle = self._client.get_workflow_handle(chunk_workflow_id(job, chunk), result_type=ChunkReport)
        try:
            described = await handle.describe()
            if described.status == WorkflowExecutionStatus.RUNNING:
                return InspectedChunk(running=True)
            return InspectedChunk(running=False, report=await handle.result())
        except WorkflowFailureError:
            return InspectedChunk(running=False)
        except RPCError as error:
            _raise_unless_missing(error)
            return InspectedChunk(running=False)

    async def queue_state(self, name: str, kind: QueueKind) -> QueueState:
        """How a task queue stands."""
        try:
            return await task_queues.describe(self._client, name, kind)
        except RPCError as error:
            raise _unavailable(error) from None

    async def is_reachable(self) -> bool:
        """Does the engine answer?"""
        try:
            return await self._client.service_client.check_health(timeout=timedelta(seconds=2))
        except RPCError:
            return False


def _raise_unless_missing(error: RPCError) -> None:
    """That the engine does not know what was asked for is an answer; every other error is raised as ours."""
    if error.status != RPCStatusCode.NOT_FOUND:
        raise _unavailable(error) from None


def _unavailable(error: RPCError) -> EngineUnavailable:
    return EngineUnavailable(f"the engine does not answer ({error.status.name.lower()})")
