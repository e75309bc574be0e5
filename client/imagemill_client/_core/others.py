"""Calls about spending, webhooks and models."""

from collections.abc import Iterator
from datetime import date

from imagemill_client._core.core import Core, pages, said, segment
from imagemill_client._core.steps import Call
from imagemill_client.models import (
    Delivery,
    DeliveryPage,
    DisabledPage,
    DisabledTarget,
    Model,
    ModelList,
    Usage,
    WebhookSecret,
)

WEBHOOKS = "/v1/webhooks"


def usage(core: Core, *, first: date | None = None, last: date | None = None) -> Call[Usage]:
    """What was spent from a day to a day, by day, model and job, and what the caps leave."""
    return core.get(Usage, "/v1/usage", query={"from": first, "to": last})


def models(core: Core) -> Call[tuple[Model, ...]]:
    """All models that have a price, by name."""
    return (yield from core.get(ModelList, "/v1/models")).data


def model(core: Core, name: str) -> Call[Model]:
    """One model: prices, pools, limits, shutdown."""
    return core.get(Model, f"/v1/models/{segment(name)}")


def deliveries(
    core: Core, *, job: str | None = None, state: str | None = None, page_size: int = 100
) -> Iterator[Call[list[Delivery]]]:
    """Events and what became of them, the newest first."""
    query = said(job=job, state=state, limit=page_size)
    return pages(core, DeliveryPage, f"{WEBHOOKS}/deliveries", lambda page: page.data, query)


def delivery(core: Core, event: str) -> Call[Delivery]:
    """One event, with what is sent."""
    return core.get(Delivery, f"{WEBHOOKS}/deliveries/{segment(event)}")


def redeliver(core: Core, event: str) -> Call[Delivery]:
    """Send an event again, with the same id."""
    return core.post(Delivery, f"{WEBHOOKS}/deliveries/{segment(event)}/redeliver")


def disabled(core: Core, *, page_size: int = 100) -> Iterator[Call[list[DisabledTarget]]]:
    """Receivers that answered 410, and are sent nothing any more."""
    path = f"{WEBHOOKS}/targets/disabled"
    return pages(core, DisabledPage, path, lambda page: page.data, said(limit=page_size))


def secret(core: Core) -> Call[WebhookSecret]:
    """The secret that events are signed with; takes a key with the scope ``admin``."""
    return core.get(WebhookSecret, f"{WEBHOOKS}/secret")


def rotate_secret(
    core: Core, *, secret: str | None = None, keep_old_hours: float = 24
) -> Call[WebhookSecret]:
    """Another secret, of your own or made by the service. Until the old ones run out, they sign too."""
    body = said(secret=secret, keep_old_hours=keep_old_hours)
    return core.post(WebhookSecret, f"{WEBHOOKS}/secret/rotate", json=body)
