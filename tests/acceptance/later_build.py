"""The service's worker, as a later build whose workflows take another path.

A job and a chunk set a timer before they plan and open: their first command is another one, so that no run
which an earlier build has begun can be replayed here.
"""

import sys

from temporalio import workflow

import worker
from workflows.generation import Generation
from workflows.job import JobWorkflow

_plan, _open = JobWorkflow._plan, Generation.open


async def _plan_later(self: JobWorkflow) -> bool:
    await workflow.sleep(0.01)
    return await _plan(self)


async def _open_later(self: Generation) -> None:
    await workflow.sleep(0.01)
    await _open(self)


if __name__ == "__main__":
    JobWorkflow._plan = _plan_later  # type: ignore[method-assign]
    Generation.open = _open_later  # type: ignore[method-assign]
    sys.exit(worker.main())
