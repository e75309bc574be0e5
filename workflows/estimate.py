"""imagemill.estimate: what a submission would cost, and which of its rows are bad; nothing is started."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from imagemill.domain.messages import ESTIMATE, ESTIMATE_PLAN, Estimated, EstimateTask
    from workflows import policies


@workflow.defn(name=ESTIMATE)
class EstimateWorkflow:
    """One a question."""

    @workflow.run
    async def run(self, task: EstimateTask) -> Estimated:
        """Plan, and throw the plan away."""
        found: Estimated = await workflow.execute_activity(
            ESTIMATE_PLAN, task, result_type=Estimated, **policies.account_bookkeeping(task.times)
        )
        return found
