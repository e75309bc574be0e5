"""The webhook of a job: may it be that one, and where is it kept?"""

from api.context import Context
from api.models import WebhookBody
from imagemill.domain.errors import InvalidInput
from imagemill.domain.messages import WebhookSignal
from imagemill.webhook_targets import Target, is_disabled, set_target


async def webhook_problems(parts: Context, tenant: str, webhook: WebhookBody | None) -> list[tuple[str, str]]:
    """What is wrong with a webhook: where, and what would be right."""
    problem = await parts.targets.problem(tenant, webhook.url) if webhook else None
    return [("/webhook/url", problem)] if problem else []


async def webhook_warnings(parts: Context, tenant: str, webhook: WebhookBody | None) -> list[str]:
    """What the submitter should know of a webhook that is taken."""
    if webhook is None or not await is_disabled(parts.control, tenant, _target(webhook).hash):
        return []
    return [
        "the webhook's receiver has answered 410 and is disabled: events are listed, and not sent until one "
        "of them is redelivered"
    ]


async def set_webhook(parts: Context, tenant: str, job: str, webhook: WebhookBody | None) -> None:
    """Keep where a job's events go; the address is in the store alone."""
    await set_target(parts.control, tenant, job, _target(webhook) if webhook else None)


async def change_webhook(parts: Context, tenant: str, job: str, webhook: WebhookBody | None) -> None:
    """Send a job's events elsewhere, or nowhere, and let the job know what to tell.

    Raises:
        InvalidInput: they can't be sent there.
    """
    problems = await webhook_problems(parts, tenant, webhook)
    if problems:
        raise InvalidInput(problems)
    await set_webhook(parts, tenant, job, webhook)
    await parts.engine.set_webhook(job, WebhookSignal(events=webhook.events if webhook else []))


def _target(webhook: WebhookBody) -> Target:
    return Target(url=webhook.url, events=webhook.events)
