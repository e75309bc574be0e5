"""Calls about jobs. A submission has its idempotency key before it is first sent, and keeps it."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Literal
from uuid import uuid4

from imagemill_client._core.core import Core, pages, said, segment
from imagemill_client._core.reading import read
from imagemill_client._core.steps import Call
from imagemill_client.models import JobLine, JobPage, JobStatus, Report, Share, Validation
from imagemill_client.params import (
    Budget,
    BudgetChange,
    ImageSettings,
    Manifest,
    NewItem,
    Output,
    Price,
    Rendition,
    Sum,
    Webhook,
)

JOBS = "/v1/jobs"
ESTIMATE_SECONDS = 150.0
"""All rows are read for an estimate; the service takes two minutes for that at most."""
State = Literal["failed", "blocked", "skipped", "cancelled"]
OnUnknown = Literal["retry", "hold", "skip"]
Reuse = Literal["none", "schedule", "tenant"]


class _Leave:
    """The mark of a field that stays as it is, where None means something."""

    def __repr__(self) -> str:
        return "LEAVE"


LEAVE = _Leave()


def submit(
    core: Core,
    *,
    budget: Sum | Budget,
    items: Iterable[NewItem] | None = None,
    manifest: Manifest | None = None,
    defaults: ImageSettings | None = None,
    name: str | None = None,
    output: Output | None = None,
    on_unknown: OnUnknown | None = None,
    prices: Mapping[str, Price] | None = None,
    pools: Iterable[str] | None = None,
    priority: int | None = None,
    webhook: Webhook | None = None,
    metadata: Mapping[str, str] | None = None,
    reuse: Reuse | None = None,
    renditions: Iterable[Rendition] | None = None,
    idempotency_key: str | None = None,
    extra: Mapping[str, object] | None = None,
) -> Call[JobStatus]:
    """Submit a job: a cap, and either items or a manifest. It returns once the job is durably started.

    ``budget`` is the cap in US dollars, or what the API takes as such. With the same ``idempotency_key``, a
    repeated call is the same job; without one, each call is a job of its own, for which a key is made that
    this call's own retries share. ``extra`` holds fields that this version of the client does not know.

    Raises:
        InvalidRequest: it can't be run as it is; ``problems`` says where.
        ConnectionFailed: nothing answered. If ``maybe_done``, submit again with a key of your own.
    """
    body = _submission(
        budget=_budget(budget),
        items=None if items is None else list(items),
        manifest=manifest,
        defaults=defaults,
        name=name,
        output=output,
        on_unknown=on_unknown,
        prices=prices,
        pools=None if pools is None else list(pools),
        priority=priority,
        webhook=webhook,
        metadata=metadata,
        reuse=reuse,
        renditions=None if renditions is None else list(renditions),
        extra=extra,
    )
    return core.post(JobStatus, JOBS, json=body, headers=_key(idempotency_key), repeatable=True)


def validate(
    core: Core,
    *,
    budget: Sum | Budget,
    items: Iterable[NewItem] | None = None,
    manifest: Manifest | None = None,
    defaults: ImageSettings | None = None,
    output: Output | None = None,
    prices: Mapping[str, Price] | None = None,
    pools: Iterable[str] | None = None,
    reuse: Reuse | None = None,
    extra: Mapping[str, object] | None = None,
) -> Call[Validation]:
    """What a submission would cost, and what is wrong with its rows. Nothing is started.

    Raises:
        InvalidRequest: it would be refused.
        ServiceUnavailable: it has more rows than can be read while a caller waits.
    """
    body = _submission(
        budget=_budget(budget),
        items=None if items is None else list(items),
        manifest=manifest,
        defaults=defaults,
        output=output,
        prices=prices,
        pools=None if pools is None else list(pools),
        reuse=reuse,
        extra=extra,
    )
    query = {"validate_only": True}
    return core.post(
        Validation, JOBS, json=body, query=query, repeatable=True, timeout=max(core.timeout, ESTIMATE_SECONDS)
    )


def get(core: Core, job: str) -> Call[JobStatus]:
    """A job as it stands now.

    Raises:
        NotFound: there is no such job.
        Gone: the engine has forgotten it.
    """
    return core.get(JobStatus, _path(job))


def list_jobs(
    core: Core,
    *,
    state: str | None = None,
    name: str | None = None,
    submitted_after: datetime | None = None,
    submitted_before: datetime | None = None,
    metadata: Mapping[str, str] | None = None,
    page_size: int = 100,
) -> Iterator[Call[list[JobLine]]]:
    """Jobs, the newest first. ``name`` is how the name begins; all of ``metadata`` must fit."""
    query = {
        "state": state,
        "name": name,
        "submitted_after": submitted_after,
        "submitted_before": submitted_before,
        "limit": page_size,
    } | {f"metadata.{key}": value for key, value in (metadata or {}).items()}
    return pages(core, JobPage, JOBS, lambda page: page.data, query)


def pause(core: Core, job: str) -> Call[JobStatus]:
    """Start nothing more until it is resumed."""
    return core.post(JobStatus, f"{_path(job)}/pause", repeatable=True)


def resume(core: Core, job: str) -> Call[JobStatus]:
    """Let a paused or held job go on; buys again what is of unknown outcome, so it is not sent twice."""
    return core.post(JobStatus, f"{_path(job)}/resume")


def cancel(core: Core, job: str) -> Call[JobStatus]:
    """Start nothing more, for good. Calls under way are finished, and their images kept."""
    return core.post(JobStatus, f"{_path(job)}/cancel", repeatable=True)


def update(
    core: Core,
    job: str,
    *,
    budget: Sum | BudgetChange | None = None,
    priority: int | None = None,
    webhook: Webhook | _Leave | None = LEAVE,
) -> Call[JobStatus]:
    """Change a job's cap, priority or webhook; ``webhook=None`` takes it away."""
    body = said(budget=None if budget is None else _budget(budget), priority=priority)
    if not isinstance(webhook, _Leave):
        body["webhook"] = webhook
    return read(JobStatus, (yield from core.ask("PATCH", _path(job), json=body, repeatable=True)))


def retry(
    core: Core,
    job: str,
    *,
    budget: Sum | Budget,
    states: Iterable[State] | None = None,
    items: Iterable[str] | None = None,
    name: str | None = None,
    on_unknown: OnUnknown | None = None,
    pools: Iterable[str] | None = None,
    priority: int | None = None,
    webhook: Webhook | None = None,
    idempotency_key: str | None = None,
) -> Call[JobStatus]:
    """A new job of the items that ended in these states, or that are named by ``custom_id``."""
    body = said(
        budget=_budget(budget),
        states=None if states is None else list(states),
        items=None if items is None else list(items),
        name=name,
        on_unknown=on_unknown,
        pools=None if pools is None else list(pools),
        priority=priority,
        webhook=webhook,
    )
    key = _key(idempotency_key)
    return core.post(JobStatus, f"{_path(job)}/retry", json=body, headers=key, repeatable=True)


def report(core: Core, job: str) -> Call[Report]:
    """The receipt of a job that has ended.

    Raises:
        Conflict: it has not ended.
    """
    return core.get(Report, f"{_path(job)}/report")


def share(core: Core, job: str, *, expires_seconds: int = 604_800) -> Call[Share]:
    """Links to the gallery and the contact sheet of a job that has ended."""
    return core.post(Share, f"{_path(job)}/share", json={"expires_seconds": expires_seconds}, repeatable=True)


def _submission(extra: Mapping[str, object] | None, **fields: object) -> dict[str, object]:
    return said(**fields) | dict(extra or {})


def _budget(budget: Sum | Budget | BudgetChange) -> dict[str, object]:
    if not isinstance(budget, Mapping):
        return {"limit_usd": usd(budget)}
    return {name: usd(value) if name == "limit_usd" else value for name, value in budget.items()}


def usd(amount: object) -> str:
    """A sum as it is sent.

    Raises:
        TypeError: it is a float, which can't hold most sums.
    """
    if isinstance(amount, str):
        return amount
    if isinstance(amount, int | Decimal) and not isinstance(amount, bool):
        return format(Decimal(amount), "f")
    raise TypeError(f'a sum is a Decimal, a str or an int, such as "25.00"; not {amount!r}')


def _key(key: str | None) -> dict[str, str]:
    return {"idempotency-key": key or f"imc-{uuid4()}"}


def _path(job: str) -> str:
    return f"{JOBS}/{segment(job)}"
