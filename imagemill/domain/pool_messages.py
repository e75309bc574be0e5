"""What travels between the workers of a limit group and the workflow that keeps its pace."""

from datetime import datetime

from pydantic import BaseModel, Field

from imagemill.domain.messages import Times
from imagemill.domain.pace import Pace, PoolState
from imagemill.domain.pools import PerMinute, queue_name

POOL = "imagemill.pool"
POOL_NEWS = "pool_news"
SET_LIMITS = "set_limits"
SET_RATE = "pool.set_rate"
PACE_MEMO = "pace"


class StatedLimits(BaseModel):
    """What the operator says of a group's limits, by the minute; None: it is to be learnt."""

    images: PerMinute | None = None
    tokens: PerMinute | None = None


class PoolStart(BaseModel):
    """Start of a limit group's pace, or its state where it continues as new."""

    pool: str
    group: str
    stated: StatedLimits = Field(default_factory=StatedLimits)
    times: Times = Field(default_factory=Times)
    state: PoolState | None = None

    @property
    def queue(self) -> str:
        """The task queue of the group."""
        return queue_name(self.pool, self.group)

    @property
    def workflow_id(self) -> str:
        """The workflow that keeps its pace."""
        return f"pool/{self.pool}/{self.group}"

    def pace(self, now: datetime) -> Pace:
        """What it starts with."""
        state = self.state or PoolState.of(self.stated.images, self.stated.tokens)
        return state.pace(now)


class RateTask(BaseModel):
    """Let a queue hand out so many calls a second; None: as many as are asked for."""

    queue: str
    per_second: float | None = None
