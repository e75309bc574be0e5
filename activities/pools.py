"""pool.set_rate: how fast the engine hands out the calls of a limit group."""

from temporalio import activity

from imagemill.domain.messages import Nothing
from imagemill.domain.pool_messages import SET_RATE, RateTask
from imagemill.ports import QueueRates


class PoolRates:
    """Sets the rates of queues."""

    def __init__(self, engine: QueueRates) -> None:
        self._engine = engine

    @activity.defn(name=SET_RATE)
    async def set_rate(self, task: RateTask) -> Nothing:
        """Let a queue hand out so many calls a second."""
        await self._engine.set_queue_rate(task.queue, task.per_second)
        return Nothing()
