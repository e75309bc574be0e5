"""What an account needs of the world: to be started, saved and restored, and to know who vanished."""

import json
from datetime import UTC, datetime

from temporalio import activity

from activities.delivery import Delivery, Place
from activities.heartbeat import heartbeats
from activities.plans import Plans
from imagemill.caps import caps_of, schedule_caps_of
from imagemill.domain.budget import UNKNOWN_MODEL, Spend, Spending, merged
from imagemill.domain.errors import ObjectMissing
from imagemill.domain.item import ItemResult, PlannedItem
from imagemill.domain.lines import from_lines
from imagemill.domain.messages import (
    OPEN_ACCOUNT,
    RECONCILE,
    RESTORE_ACCOUNT,
    SAVE_ACCOUNT,
    AccountStart,
    AccountTask,
    Nothing,
    OpenAccountTask,
    Reconciled,
    ReconcileTask,
    Restored,
    SaveTask,
    Times,
    chunk_workflow_id,
)
from imagemill.domain.places import account_key, month_key, plan_index_key, results_key
from imagemill.domain.results import spent_by
from imagemill.domain.tenant import Caps, TenantAccount, job_of
from imagemill.ports import Engine, ObjectStore
from imagemill.tenants import Tenants


class Accounts:
    """The accounts of tenants and of schedules."""

    def __init__(  # noqa: PLR0917
        self,
        control: ObjectStore,
        plans: Plans,
        delivery: Delivery,
        engine: Engine,
        defaults: Caps,
        times: Times,
        *,
        tenants: Tenants | None = None,
    ) -> None:
        self._control = control
        self._plans = plans
        self._delivery = delivery
        self._engine = engine
        self._defaults = defaults
        self._times = times
        self._tenants = tenants or Tenants()

    @activity.defn(name=OPEN_ACCOUNT)
    async def open_account(self, task: OpenAccountTask) -> Nothing:
        """Tell an account what a job asks, and start it where it does not run."""
        async with heartbeats():
            caps = await self._caps(task)
            start = AccountStart(tenant=task.tenant, schedule=task.schedule, caps=caps, times=self._times)
            await self._engine.tell_account(start, ask=task.ask)
            now = await self._caps(task)
            if now != caps:  # whoever changed them may have found no account to tell
                await self._engine.tell_account(start.model_copy(update={"caps": now}), caps=now)
            return Nothing()

    async def _caps(self, task: OpenAccountTask) -> Caps:
        if task.schedule:
            return await schedule_caps_of(self._control, task.tenant, task.schedule)
        return await caps_of(self._control, task.tenant, self._defaults, self._tenants)

    @activity.defn(name=RESTORE_ACCOUNT)
    async def restore_account(self, task: AccountTask) -> Restored:
        """What was last saved of an account, if anything was."""
        async with heartbeats():
            try:
                saved = await self._control.get(account_key(task.tenant, task.schedule))
            except ObjectMissing:
                return Restored()
            return Restored(account=TenantAccount.model_validate_json(saved))

    @activity.defn(name=SAVE_ACCOUNT)
    async def save_account(self, task: SaveTask) -> Nothing:
        """Save an account, and what it knows of each month."""
        async with heartbeats():
            account, whose = task.account, task.account.schedule
            await self._control.put(account_key(account.tenant, whose), account.model_dump_json().encode())
            for name in sorted({day[:7] for day in account.days}):
                await self._control.put(month_key(account.tenant, name, whose), _month(account, name))
            return Nothing()

    @activity.defn(name=RECONCILE)
    async def reconcile(self, task: ReconcileTask) -> Reconciled:
        """What a job spent that ended without telling its account; nothing where it may still spend."""
        async with heartbeats():
            job = job_of(task.holder)
            if not await self._is_over(job, task.settle_after):
                return Reconciled()
            found = await self._records_of(task, job)
            summary = await self._engine.job_summary(job)
            if found.spent is not None and summary and summary.vanished_nano:
                lost = {UNKNOWN_MODEL: Spend(written_off=summary.vanished_nano)}
                found.spent = merged([found.spent, lost])
            return found

    async def _is_over(self, workflow_id: str, settle_after: float) -> bool:
        """Has it ended, so long ago that no call of it can be under way?"""
        life = await self._engine.life_of(workflow_id)
        if life is None:
            return True
        if life.running or life.ended_at is None:
            return False
        return (datetime.now(UTC) - life.ended_at).total_seconds() > settle_after

    async def _records_of(self, task: ReconcileTask, job: str) -> Reconciled:
        """Add up what the chunks have left."""
        found = Reconciled(spent={})
        chunks = await self._chunks(task.tenant, job)
        for chunk in range(len(chunks)):
            spent = await self._results_of(task.tenant, job, chunk)
            if spent is None:
                if not await self._is_over(chunk_workflow_id(job, chunk), task.settle_after):
                    return Reconciled()
                alone = chunks[chunk].get("items") == 1
                started = alone or await self._engine.life_of(chunk_workflow_id(job, chunk))
                spent = await self._images_of(task.tenant, job, chunk) if started else {}
                found.exact = found.exact and not started
            found.spent = merged([found.spent or {}, spent])
        return found

    async def _chunks(self, tenant: str, job: str) -> list[dict[str, object]]:
        try:
            index = json.loads(await self._control.get(plan_index_key(tenant, job)))
        except ObjectMissing:
            return []
        chunks: list[dict[str, object]] = index["chunks"]
        return chunks

    async def _results_of(self, tenant: str, job: str, chunk: int) -> Spending | None:
        try:
            data = await self._control.get(results_key(tenant, job, chunk))
        except ObjectMissing:
            return None
        return merged(map(spent_by, from_lines(ItemResult, data.splitlines())))

    async def _images_of(self, tenant: str, job: str, chunk: int) -> Spending:
        """What the stored images of a chunk without results say that they cost."""
        items = await self._plans.items(tenant, job, chunk)
        return merged([await self._image_of(tenant, job, chunk, item) for item in items if item.request])

    async def _image_of(self, tenant: str, job: str, chunk: int, item: PlannedItem) -> Spending:
        call = await self._delivery.find(Place(tenant=tenant, job=job, chunk=chunk, item=item))
        return {call.model: Spend(settled=call.cost_nano)} if call else {}


def _month(account: TenantAccount, name: str) -> bytes:
    days = {day: spent for day, spent in account.days.items() if day.startswith(name)}
    said = {day: {model: spend.model_dump() for model, spend in spent.items()} for day, spent in days.items()}
    return json.dumps({"tenant": account.tenant, "month": name, "days": said}, sort_keys=True).encode()
