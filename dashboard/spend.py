"""The spend page: by day, model and job, for the operator by tenant, and what the caps leave."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Query, Request
from markupsafe import Markup
from starlette.responses import Response

from api.accounts import caps_in_force
from api.context import Context
from api.models import SpendAnswer, UsageAnswer, WindowAnswer
from api.spending import TenantSpendAnswer, list_tenants
from api.usage import get_usage
from dashboard.bars import Bar, Part, bars, progress
from dashboard.charts import Series, stacked_bars
from dashboard.pages import page
from dashboard.viewer import Anybody, Parts, Viewer
from dashboard.words import money
from imagemill.domain.windows import day_of

router = APIRouter()

WINDOWS = {"month": "This month", "last": "Last month", "30d": "30 days"}
MOST_BARS = 12
TENANT = r"^[a-z0-9-]{1,64}$"


@dataclass(frozen=True, slots=True)
class Days:
    """The days that are looked at."""

    name: str
    first: date
    last: date

    @classmethod
    def of(cls, name: str, today: date) -> "Days":
        """A window by its name, as seen today."""
        start = today.replace(day=1)
        if name == "last":
            end = start - timedelta(days=1)
            return cls(name, end.replace(day=1), end)
        if name == "30d":
            return cls(name, today - timedelta(days=29), today)
        return cls("month", start, today)

    @property
    def all(self) -> list[date]:
        """Every one of them."""
        return [self.first + timedelta(days=n) for n in range((self.last - self.first).days + 1)]


@router.get("/spend")
async def spend_page(
    request: Request,
    viewer: Anybody,
    parts: Parts,
    window: Annotated[str, Query(max_length=10)] = "month",
    tenant: Annotated[str | None, Query(pattern=TENANT)] = None,
) -> Response:
    """A tenant's own money; the operator's view of all tenants, or of one."""
    if viewer.is_operator and tenant is None:
        return await _all_tenants(request, parts, window)
    whose = _whose(viewer, tenant)
    caps = await caps_in_force(parts, whose)
    days = Days.of(window, day_of(parts.now(), caps.time_zone))
    usage = await get_usage(parts, whose, days.first, days.last)
    return await page(
        request,
        "spend.html",
        usage=usage,
        days=days,
        windows=WINDOWS,
        total=_sum(usage),
        by_day=by_day(usage, days) if usage.days else None,
        by_model=by_model(usage.models) if usage.models else None,
        by_job=by_job(usage, links=not viewer.is_operator) if usage.jobs else None,
        caps=[(words, cap, gauge(name, words, cap)) for name, words, cap in _caps(usage)],
        tenant=tenant if viewer.is_operator else None,
    )


async def _all_tenants(request: Request, parts: Context, window: str) -> Response:
    days = Days.of(window, day_of(parts.now(), "UTC"))
    found = await list_tenants(parts=parts, first=days.first, last=days.last, after=None, limit=1000)
    tenants = sorted(found.data, key=lambda each: (-_sum(each), each.tenant))
    return await page(
        request,
        "tenants.html",
        tenants=tenants,
        days=days,
        windows=WINDOWS,
        total=sum(map(_sum, tenants), Decimal()),
        by_tenant=by_tenant(tenants, days.name) if tenants else None,
        more=found.has_more,
        sum_of=_sum,
    )


def _whose(viewer: Viewer, tenant: str | None) -> str:
    if viewer.is_operator and tenant:
        return tenant
    viewer.require("read")
    return viewer.tenant


# --- charts ---------------------------------------------------------------------------------------


def by_day(usage: UsageAnswer, days: Days) -> Markup:
    """A bar a day, in it a piece a model, the dearest at the bottom."""
    spent = {day.date: day.models for day in usage.days}
    series = [
        Series(model, [_dollars(spent.get(day, {}).get(model)) for day in days.all])
        for model in _dearest(usage.models)
    ]
    labels = [f"{day.day} {day:%b}" for day in days.all]
    return stacked_bars("by-day", "Dollars spent by day and model", labels, series, money_of)


def by_model(models: Mapping[str, SpendAnswer]) -> Markup:
    """A bar a model: what is billed, and what was written off."""
    rows = [Bar(name, _parts(models[name])) for name in _dearest(models)]
    return bars("by-model", "Dollars spent by model", rows, money_of, ("Model", "Spent"))


def by_job(usage: UsageAnswer, *, links: bool) -> Markup:
    """A bar a job, the dearest first."""
    jobs = sorted(usage.jobs, key=lambda job: -_sum(job))[:MOST_BARS]
    rows = [
        Bar(
            job.name or job.id,
            _parts(job),
            href=f"/jobs/{job.id}" if links else None,
            note=job.state.replace("_", " "),
        )
        for job in jobs
    ]
    return bars("by-job", "Dollars spent by job", rows, money_of, ("Job", "Spent"))


def by_tenant(tenants: Sequence[TenantSpendAnswer], window: str) -> Markup:
    """A bar a tenant, the dearest first."""
    rows = [
        Bar(each.tenant, _parts(each), href=f"/spend?tenant={each.tenant}&window={window}")
        for each in tenants[:MOST_BARS]
    ]
    return bars("by-tenant", "Dollars spent by tenant", rows, money_of, ("Tenant", "Spent"))


def gauge(name: str, words: str, window: WindowAnswer) -> Markup | None:
    """Money against a cap; None where there is no cap."""
    if window.limit_usd is None or window.left_usd is None:
        return None
    limit, left = float(window.limit_usd), float(window.left_usd)
    settled, lost = float(window.settled_usd), float(window.written_off_usd)
    parts = [
        Part("Billed", settled, "bar-settled"),
        Part("Written off", lost, "bar-written"),
        Part("Leased to running jobs", max(0.0, limit - left - settled - lost), "bar-reserved"),
    ]
    return progress(f"cap-{name}", f"{words} against the cap", parts, limit, money_of)


def money_of(dollars: float) -> str:
    """A figure of a chart."""
    return money(Decimal(str(round(dollars, 9))))


def _parts(spend: SpendAnswer) -> list[Part]:
    return [
        Part("Billed", float(spend.settled_usd), "bar-settled"),
        Part("Written off", float(spend.written_off_usd), "bar-written"),
    ]


def _caps(usage: UsageAnswer) -> list[tuple[str, str, WindowAnswer]]:
    return [("day", "Today", usage.day), ("month", "This month", usage.month)]


def _dearest(models: Mapping[str, SpendAnswer]) -> list[str]:
    return sorted(models, key=lambda name: (-_sum(models[name]), name))


def _sum(spend: SpendAnswer) -> Decimal:
    return Decimal(spend.settled_usd) + Decimal(spend.written_off_usd)


def _dollars(spend: SpendAnswer | None) -> float:
    return float(_sum(spend)) if spend else 0.0
