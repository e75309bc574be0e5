"""/v1/tenants: what each tenant has spent, for the operator."""

from collections.abc import AsyncIterator
from datetime import date
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from api.accounts import account_of
from api.context import Context, administrator, context
from api.models import SpendAnswer, WindowAnswer
from api.problems import INVALID, problems
from api.usage import days_between, spend_fields, window_answer, window_of
from imagemill.domain.budget import merged, total
from imagemill.domain.money import format_usd
from imagemill.domain.places import USAGE_PREFIX, tenant_of_usage

router = APIRouter(prefix="/v1/tenants", tags=["usage"], dependencies=[Depends(administrator)])


class TenantSpendAnswer(SpendAnswer):
    """What a tenant has spent in some days of its own time zone, and what its caps leave today."""

    tenant: str
    leased_usd: str = Field(description="Leased to its running jobs and not yet spent.")
    first: date
    last: date
    day: WindowAnswer
    month: WindowAnswer


class TenantPage(BaseModel):
    """Tenants by name; ``after`` of the next page is this one's ``last``."""

    object: Literal["list"] = "list"
    data: list[TenantSpendAnswer]
    has_more: bool
    last: str | None


@router.get("", summary="What each tenant has spent", responses=problems(INVALID))
async def list_tenants(
    *,
    parts: Annotated[Context, Depends(context)],
    first: Annotated[
        date | None, Query(alias="from", description="The first day; the first of this month if unset.")
    ] = None,
    last: Annotated[date | None, Query(alias="to", description="The last day; today if unset.")] = None,
    after: Annotated[
        str | None, Query(pattern=r"^[a-z0-9-]{1,64}$", description="The ``last`` of the page before.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> TenantPage:
    """For operators: tenants of the file, and those that have ever had an account, by name."""
    data: list[TenantSpendAnswer] = []
    for name in sorted([each async for each in _names(parts) if after is None or each > after]):
        if len(data) == limit:
            return TenantPage(data=data, has_more=True, last=data[-1].tenant)
        data.append(await _spent(parts, name, first, last))
    return TenantPage(data=data, has_more=False, last=data[-1].tenant if data else None)


async def _names(parts: Context) -> AsyncIterator[str]:
    """Every name once. The store is asked once for each tenant that has something there."""
    known = set(parts.tenants.look().tenants)
    for name in known:
        yield name
    after = ""
    while key := await anext(aiter(parts.control.keys(USAGE_PREFIX, after)), None):
        name = tenant_of_usage(key)
        if name not in known:
            yield name
        after = f"{USAGE_PREFIX}{name}/~"


async def _spent(parts: Context, name: str, first: date | None, last: date | None) -> TenantSpendAnswer:
    account = await account_of(parts, name)
    first, last = window_of(account, first, last)
    days = await days_between(parts, account, first, last)
    return TenantSpendAnswer(
        **spend_fields(total(merged(days.values()))),
        tenant=name,
        leased_usd=format_usd(account.leased),
        first=first,
        last=last,
        day=window_answer(account, "day", parts.now()),
        month=window_answer(account, "month", parts.now()),
    )
