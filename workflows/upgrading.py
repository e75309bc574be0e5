"""The workflows that outlive a version of the program, as workers with a build run them.

All others stay with the version that began them. An account and a pool never end, and a delivery waits for
its receiver for days: bound to a version, they would keep its workers from going. So each of their steps is
done by the version that is current then, which has to be able to replay what earlier ones have done.

These are classes of their own because the engine refuses a behaviour from workers that have no build.
"""

from temporalio import workflow
from temporalio.common import VersioningBehavior

with workflow.unsafe.imports_passed_through():
    from imagemill.domain.messages import ACCOUNT, AccountStart, Nothing
    from imagemill.domain.pool_messages import POOL, PoolStart
    from imagemill.domain.webhook_messages import WEBHOOK, WebhookStart
    from workflows.account import AccountWorkflow
    from workflows.pool import PoolWorkflow
    from workflows.webhook import WebhookWorkflow


@workflow.defn(name=ACCOUNT, versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class UpgradingAccount(AccountWorkflow):
    """An account, by whatever version is current."""

    @workflow.init
    def __init__(self, start: AccountStart) -> None:
        super().__init__(start)

    @workflow.run
    async def run(self, start: AccountStart) -> None:
        """As every account."""
        await super().run(start)


@workflow.defn(name=POOL, versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class UpgradingPool(PoolWorkflow):
    """A pool, by whatever version is current."""

    @workflow.init
    def __init__(self, start: PoolStart) -> None:
        super().__init__(start)

    @workflow.run
    async def run(self, start: PoolStart) -> None:
        """As every pool."""
        await super().run(start)


@workflow.defn(name=WEBHOOK, versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class UpgradingWebhook(WebhookWorkflow):
    """A delivery, by whatever version is current."""

    @workflow.init
    def __init__(self, start: WebhookStart) -> None:
        super().__init__(start)

    @workflow.run
    async def run(self, start: WebhookStart) -> Nothing:
        """As every delivery."""
        return await super().run(start)
