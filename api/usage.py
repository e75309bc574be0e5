"""/v1/usage and a tenant's caps."""

import json
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from api.accounts import account_of, caps_in_force, change_caps
from api.context import Context, administrator, context, tenant
from api.models import (
    CapsAnswer,
    CapsBody,
    DayAnswer,
    JobSpendAnswer,
    SpendAnswer,
    UsageAnswer,
    WindowAnswer,
)
from api.problems import CAPS_IN_FILE, INVALID, NO_CAP, Problem, problems
from imagemill.domain.budget import Spend, Spending, merged, total
from imagemill.domain.errors import ObjectMissing
from imagemill.domain.money import format_usd, parse_usd
from imagemill.domain.places import index_prefix, month_key
from imagemill.domain.tenant import Caps, TenantAccount, Window, job_of
from imagemill.domain.windows import end_of_day, end_of_month, month, zone

router = APIRouter(prefix="/v1", tags=["usage"])
Parts = Annotated[Context, Depends(context)]
Tenant = Annotated[str, Depends(tenant)]
Whose = Annotated[str, Path(pattern=r"^[a-z0-9-]{1,64}$")]
MOST_DAYS = 366
MOST_JOBS = 1000


@router.get("/usage", summary="What was spent, and what is left", responses=problems(INVALID))
async def get_usage(
    parts: Parts,
    owner: Tenant,
    first: Annotated[
        date | None, Query(alias="from", description="The first day; the first of this month if unset.")
    ] = None,
    last: Annotated[date | None, Query(alias="to", description="The last day; today if unset.")] = None,
) -> UsageAnswer:
    """Money by day, model and job, and what the caps leave, in the days of the tenant's time zone."""
    account = await account_of(parts, owner)
    first, last = window_of(account, first, last)
    days = await days_between(parts, account, first, last)
    models = merged(days.values())
    return UsageAnswer(
        **spend_fields(total(models)),
        tenant=owner,
        as_of=account.as_of or parts.now(),
        time_zone=account.caps.time_zone,
        first=first,
        last=last,
        day=window_answer(account, "day", parts.now()),
        month=window_answer(account, "month", parts.now()),
        leased_usd=format_usd(account.leased),
        days=[
            DayAnswer(date=date.fromisoformat(day), models=_by_model(spent), **spend_fields(total(spent)))
            for day, spent in sorted(days.items())
        ],
        models=_by_model(models),
        jobs=[job async for job in _jobs(parts, account, first, last)],
    )


@router.get("/tenants/{name}/caps", summary="A tenant's caps", dependencies=[Depends(administrator)])
async def get_caps(name: Whose, parts: Parts) -> CapsAnswer:
    """For operators."""
    return _caps_answer(name, await caps_in_force(parts, name))


@router.put(
    "/tenants/{name}/caps",
    summary="Set a tenant's caps",
    dependencies=[Depends(administrator)],
    responses=problems(CAPS_IN_FILE, NO_CAP),
)
async def put_caps(name: Whose, body: CapsBody, parts: Parts) -> CapsAnswer:
    """For operators. Jobs that wait for money go on by themselves; what has no room any more stops."""
    caps = Caps(
        day_nano=body.day_usd and parse_usd(body.day_usd),
        month_nano=body.month_usd and parse_usd(body.month_usd),
        time_zone=body.time_zone,
    )
    return _caps_answer(name, await change_caps(parts, name, caps))


@router.delete(
    "/tenants/{name}/caps",
    summary="Go back to the caps of all tenants",
    dependencies=[Depends(administrator)],
    responses=problems(CAPS_IN_FILE, NO_CAP),
)
async def delete_caps(name: Whose, parts: Parts) -> CapsAnswer:
    """For operators: the tenant has the caps of the settings again."""
    return _caps_answer(name, await change_caps(parts, name, None))


# --- days ----------------------------------------------------------------------------------------


def window_of(account: TenantAccount, first: date | None, last: date | None) -> tuple[date, date]:
    """The days that are meant: this month up to today, where nothing else is said.

    Raises:
        Problem: they are too many, or in the wrong order.
    """
    last = last or account.today
    first = first or last.replace(day=1)
    if not 0 <= (last - first).days <= MOST_DAYS or first.year < 2000 or last.year > 2999:
        raise Problem(INVALID, f"from {first} to {last}: give 1 to {MOST_DAYS} days, in their order")
    return first, last


async def days_between(
    parts: Context, account: TenantAccount, first: date, last: date
) -> dict[str, Spending]:
    """From the account, and of months that it keeps no more, from what it has saved."""
    known = {day[:7] for day in account.days} | {month(account.today)}
    days = dict(account.days)
    for name in sorted(_months(first, last) - known):
        days |= await _saved_month(parts, account.tenant, name)
    return {day: spent for day, spent in days.items() if first.isoformat() <= day <= last.isoformat()}


def _months(first: date, last: date) -> set[str]:
    return {month(first + timedelta(days=n)) for n in range((last - first).days + 1)}


async def _saved_month(parts: Context, owner: str, name: str) -> dict[str, Spending]:
    try:
        saved = json.loads(await parts.control.get(month_key(owner, name)))
    except ObjectMissing:
        return {}
    return {
        day: {model: Spend(**spend) for model, spend in spent.items()} for day, spent in saved["days"].items()
    }


# --- jobs ----------------------------------------------------------------------------------------


async def _jobs(
    parts: Context, account: TenantAccount, first: date, last: date
) -> AsyncIterator[JobSpendAnswer]:
    """Those that run, as far as they have told; then those that have ended, by when they were submitted."""
    for holder, lease in islice(account.leases.items(), MOST_JOBS):
        summary = await parts.engine.job_summary(job_of(holder))
        name, state = (summary.name, summary.state) if summary else (None, "unknown")
        yield JobSpendAnswer(id=job_of(holder), name=name, state=state, **spend_fields(lease.spend))
    there = zone(account.caps.time_zone)
    since = datetime(first.year, first.month, first.day, tzinfo=there).astimezone(UTC)
    until = datetime(last.year, last.month, last.day, tzinfo=there) + timedelta(days=1)
    running = {job_of(holder) for holder in account.leases}
    shown = 0
    async for key in parts.control.keys(index_prefix(account.tenant)):
        submitted = _submitted(key)
        if submitted < since.timestamp() or shown == MOST_JOBS:
            return  # the keys go back in time
        if submitted < until.timestamp() and not any(key.endswith(f"-{job}.json") for job in running):
            shown += 1
            yield _ended(json.loads(await parts.control.get(key)))


def _submitted(key: str) -> float:
    inverted = key.rpartition("/")[2].partition("-")[0]
    return (10**14 - int(inverted)) / 1000


def _ended(entry: dict[str, str | int | None]) -> JobSpendAnswer:
    spend = Spend(
        settled=int(entry.get("settled_nano") or 0), written_off=int(entry.get("written_off_nano") or 0)
    )
    name = entry.get("name")
    return JobSpendAnswer(
        id=str(entry["job"]), name=name and str(name), state=str(entry["state"]), **spend_fields(spend)
    )


# --- words ---------------------------------------------------------------------------------------


def window_answer(account: TenantAccount, window: Window, now: datetime) -> WindowAnswer:
    """What was spent in the window that is open now, and what is left of its cap."""
    cap = account.cap(window)
    end = end_of_day if window == "day" else end_of_month
    return WindowAnswer(
        **spend_fields(total(account.spent_in(window))),
        limit_usd=None if cap is None else format_usd(cap),
        left_usd=None if cap is None else format_usd(account.left_in(window)),
        ends_at=end(now, account.caps.time_zone),
    )


def _by_model(spending: Mapping[str, Spend]) -> dict[str, SpendAnswer]:
    return {model: SpendAnswer(**spend_fields(spend)) for model, spend in sorted(spending.items())}


def spend_fields(spend: Spend) -> dict[str, str]:
    """Money spent, as the answers have it."""
    return {"settled_usd": format_usd(spend.settled), "written_off_usd": format_usd(spend.written_off)}


def _caps_answer(name: str, caps: Caps) -> CapsAnswer:
    return CapsAnswer(
        tenant=name,
        day_usd=None if caps.day_nano is None else format_usd(caps.day_nano),
        month_usd=None if caps.month_nano is None else format_usd(caps.month_nano),
        time_zone=caps.time_zone,
    )
