"""The spend page: charts and caps of a tenant's money, and for the operator all tenants'."""

from datetime import UTC, date, datetime, timedelta

import pytest

from dashboard.spend import Days
from imagemill.domain.budget import Spend
from imagemill.domain.places import account_key
from imagemill.domain.tenant import Caps, TenantAccount
from tests.fakes.engine import MemoryEngine
from tests.fakes.store import MemoryStore
from tests.unit.dashboard.browser import Browser

TODAY = datetime.now(UTC).date()
EVIL = "<img src=x onerror=alert(1)>"


async def spent(control: MemoryStore, engine: MemoryEngine, tenant: str, model: str = "gpt-image-2") -> None:
    account = TenantAccount(tenant=tenant, caps=Caps(day_nano=10**10, month_nano=10**11), today=TODAY)
    account.days = {TODAY.isoformat(): {model: Spend(settled=3 * 10**9, written_off=10**9)}}
    engine.accounts[tenant] = account
    await control.put(account_key(tenant), account.model_dump_json().encode())


@pytest.mark.parametrize(
    ("name", "today", "first", "last"),
    [
        ("month", "2026-03-15", "2026-03-01", "2026-03-15"),
        ("last", "2026-03-31", "2026-02-01", "2026-02-28"),
        ("30d", "2026-03-15", "2026-02-14", "2026-03-15"),
        ("nonsense", "2026-03-01", "2026-03-01", "2026-03-01"),
    ],
)
def test_the_days_of_a_window(name: str, today: str, first: str, last: str) -> None:
    days = Days.of(name, date.fromisoformat(today))

    assert (days.first, days.last) == (date.fromisoformat(first), date.fromisoformat(last))
    assert len(days.all) == (days.last - days.first) // timedelta(days=1) + 1


async def test_a_tenant_sees_what_it_has_spent_and_what_its_caps_leave(
    browser: Browser, control: MemoryStore, engine: MemoryEngine
) -> None:
    await spent(control, engine, "t")
    page = (await browser.get("/spend")).text

    assert "$4.00" in page
    assert "$6.00" in page  # of ten a day
    assert "gpt-image-2" in page
    assert 'class="bar-settled"' in page


async def test_nothing_of_another_tenant_is_seen(
    browser: Browser, control: MemoryStore, engine: MemoryEngine
) -> None:
    await spent(control, engine, "other", model="secret-model")
    page = (await browser.get("/spend?tenant=other")).text

    assert "Nothing was spent" in page
    assert "secret-model" not in page


async def test_the_operator_sees_all_tenants_and_each(
    operator: Browser, control: MemoryStore, engine: MemoryEngine
) -> None:
    await spent(control, engine, "t")
    page = (await operator.get("/spend")).text
    one = (await operator.get("/spend?tenant=t")).text

    assert 'href="/spend?tenant=t&amp;window=month"' in page
    assert 'href="/spend?tenant=other' in page
    assert "Spend of t" in one
    assert "gpt-image-2" in one


async def test_names_of_models_are_text(browser: Browser, control: MemoryStore, engine: MemoryEngine) -> None:
    await spent(control, engine, "t", model=EVIL)
    page = (await browser.get("/spend")).text

    assert "<img src=x" not in page
    assert "&lt;img src=x" in page


async def test_days_that_have_nothing_say_so(browser: Browser) -> None:
    assert "Nothing was spent" in (await browser.get("/spend?window=last")).text
