"""/v1/system: is all there that the service stands on, who works, what waits, and how fast each pool goes."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field

from api.context import Context, admit, context, parts_of
from api.health import STALE, PartState, state_of_store
from imagemill.domain.errors import EngineUnavailable, explain
from imagemill.domain.messages import MAIN_QUEUE
from imagemill.domain.pace import Pace, Trouble
from imagemill.domain.pool_messages import PoolStart
from imagemill.domain.pools import Group, Pool, quarantine_of, queue_name
from imagemill.domain.webhook_messages import WEBHOOK_QUEUE
from imagemill.ports import QueueKind, QueueState

router = APIRouter(prefix="/v1/system", tags=["system"])

ALIVE = timedelta(seconds=150)
"""A worker asks for work once a minute at least, unless it has its hands full."""

GroupState = Literal["ok", "paused", "trouble", "unknown"]
"""``unknown``: no worker has ever worked for it, or the engine can't be asked."""


class PartAnswer(BaseModel):
    """Something that the service stands on."""

    name: Literal["engine", "control", "delivery"]
    state: PartState = Field(description="`refused`: it answers, and says no; see the keys of the buckets.")


class TroubleAnswer(BaseModel):
    """Why no call of a group can succeed."""

    code: str
    detail: str
    since: datetime
    next_probe: datetime = Field(description="When one call is tried again.")


class GroupAnswer(BaseModel):
    """What a provider limits together, and how fast it is gone at."""

    name: str
    models: list[str]
    state: GroupState
    images_per_minute: float | None = Field(description="The pace now; null: as fast as the workers can.")
    tokens_per_minute: int | None
    paused_until: datetime | None = Field(description="The provider has asked to wait until then.")
    trouble: TroubleAnswer | None
    workers: int | None = Field(description="Image workers that speak with it; for the operator.")
    backlog: int | None = Field(description="Calls that wait, of all tenants; for the operator.")


class PoolAnswer(BaseModel):
    """A provider account."""

    name: str
    kind: Literal["openai", "azure"]
    models: list[str]
    groups: list[GroupAnswer]


class QueueAnswer(BaseModel):
    """A task queue, by the engine's own estimates."""

    name: str
    kind: Literal["workflow", "activity"]
    backlog: int
    oldest_seconds: float = Field(description="For how long the first of them has waited.")
    added_per_second: float
    taken_per_second: float
    pollers: int = Field(description="Workers that asked it for work in the last minutes.")


class WorkerAnswer(BaseModel):
    """A process that takes work from the engine."""

    name: str = Field(description="As it names itself: process@host.")
    seen_at: datetime = Field(description="When it last asked for work.")
    alive: bool = Field(description="It has asked for work in the last minutes.")
    queues: list[str]


class SystemAnswer(BaseModel):
    """How the service is."""

    object: Literal["system"] = "system"
    as_of: datetime
    parts: list[PartAnswer]
    pools: list[PoolAnswer] = Field(description="Those that the caller may buy from.")
    workers: list[WorkerAnswer] | None = Field(
        description="Null where there are several tenants and it is not the operator who asks."
    )
    queues: list[QueueAnswer] | None = Field(description="The same.")
    warnings: list[str]


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks; None: no tenant, but the operator."""

    tenant: str | None

    def sees_all(self, parts: Context) -> bool:
        """May it be told what tells of the load of all tenants?"""
        return self.tenant is None or parts.tenants.path is None

    def pools(self, parts: Context) -> list[Pool]:
        """The pools that concern it."""
        if self.tenant is None:
            return list(parts.pools)
        return [parts.pools[name] for name in parts.pools_of(self.tenant)]


async def viewer(request: Request) -> Viewer:
    """The operator by its own key, or a tenant by one with the scope ``read``.

    Raises:
        Problem: the key is neither's.
    """
    if parts_of(request).is_operator(request.headers):
        return Viewer(None)
    return Viewer(admit(request, "read").tenant)


@router.get("", summary="Is all there, who works, and how fast each pool goes")
async def get_system(
    parts: Annotated[Context, Depends(context)], whom: Annotated[Viewer, Depends(viewer)]
) -> SystemAnswer:
    """Answers while parts are away too, and says which.

    Workers, queues and what waits tell of all tenants' load: they are told to the operator's key, and to any
    key where there is one tenant only.
    """
    return await system_of(parts, whom)


async def system_of(parts: Context, whom: Viewer) -> SystemAnswer:
    """The same, for whoever has checked who looks."""
    engine, control, delivery = await asyncio.gather(
        parts.engine.is_reachable(), state_of_store(parts.control), state_of_store(parts.delivery)
    )
    pools, whole = whom.pools(parts), whom.sees_all(parts)
    queues = await _queues(parts, pools) if engine and whole else []
    waiting = {queue.name: queue for queue in queues}
    told = await asyncio.gather(*(_pool(parts, pool, waiting, reachable=engine) for pool in pools))
    return SystemAnswer(
        as_of=parts.now(),
        parts=[
            PartAnswer(name="engine", state="ok" if engine else "away"),
            PartAnswer(name="control", state=control),
            PartAnswer(name="delivery", state=delivery),
        ],
        pools=list(told),
        workers=_workers(queues, parts.now()) if whole else None,
        queues=[_queue(queue) for queue in queues] if whole else None,
        warnings=[f"the file of tenants: {STALE}"] if whole and parts.tenants.problem else [],
    )


# --- queues and workers ---------------------------------------------------------------------------


async def _queues(parts: Context, pools: Sequence[Pool]) -> list[QueueState]:
    """All queues; none where the engine has gone away since it was asked first."""
    names: list[tuple[str, QueueKind]] = [
        (MAIN_QUEUE, "workflow"),
        (MAIN_QUEUE, "activity"),
        (WEBHOOK_QUEUE, "activity"),
    ]
    for pool in pools:
        for group in pool.groups:
            images = queue_name(pool.name, group)
            names += [(images, "activity"), (quarantine_of(images), "activity")]
    try:
        return await asyncio.gather(*(parts.engine.queue_state(name, kind) for name, kind in names))
    except EngineUnavailable:
        return []


def _workers(queues: Sequence[QueueState], now: datetime) -> list[WorkerAnswer]:
    """Who polls, with all that it polls, by name."""
    polled: dict[str, set[str]] = defaultdict(set)
    seen: dict[str, datetime] = {}
    for queue in queues:
        for poller in queue.pollers:
            polled[poller.identity].add(queue.name)
            seen[poller.identity] = max(poller.seen_at, seen.get(poller.identity, poller.seen_at))
    return [
        WorkerAnswer(name=name, seen_at=at, alive=now - at < ALIVE, queues=sorted(polled[name]))
        for name, at in sorted(seen.items())
    ]


def _queue(queue: QueueState) -> QueueAnswer:
    return QueueAnswer(
        name=queue.name,
        kind=queue.kind,
        backlog=queue.backlog,
        oldest_seconds=queue.oldest.total_seconds(),
        added_per_second=queue.added_per_second,
        taken_per_second=queue.taken_per_second,
        pollers=len({poller.identity for poller in queue.pollers}),
    )


# --- pools ----------------------------------------------------------------------------------------


async def _pool(parts: Context, pool: Pool, waiting: dict[str, QueueState], *, reachable: bool) -> PoolAnswer:
    groups = [
        _group(name, group, await _pace(parts, pool.name, name) if reachable else None, parts.now())
        for name, group in pool.groups.items()
    ]
    for group in groups:
        queue = waiting.get(queue_name(pool.name, group.name))
        group.backlog = queue.backlog if queue else None
        group.workers = len({poller.identity for poller in queue.pollers}) if queue else None
    return PoolAnswer(name=pool.name, kind=pool.kind, models=list(pool.models), groups=groups)


async def _pace(parts: Context, pool: str, group: str) -> Pace | None:
    try:
        return await parts.engine.pace(PoolStart(pool=pool, group=group).workflow_id)
    except EngineUnavailable:
        return None


def _group(name: str, group: Group, pace: Pace | None, now: datetime) -> GroupAnswer:
    shown = pace or Pace()
    paused = shown.paused_until if shown.paused_until and shown.paused_until > now else None
    return GroupAnswer(
        name=name,
        models=list(group.models),
        state=_state(pace, paused),
        images_per_minute=shown.images_per_minute,
        tokens_per_minute=shown.tokens_per_minute,
        paused_until=paused,
        trouble=shown.trouble and _trouble(shown.trouble),
        workers=None,
        backlog=None,
    )


def _state(pace: Pace | None, paused: datetime | None) -> GroupState:
    if pace is None:
        return "unknown"
    if pace.trouble:
        return "trouble"
    return "paused" if paused else "ok"


def _trouble(trouble: Trouble) -> TroubleAnswer:
    return TroubleAnswer(
        code=trouble.code,
        detail=explain(trouble.code),
        since=trouble.since,
        next_probe=trouble.next_probe,
    )
