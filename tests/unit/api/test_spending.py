"""/v1/tenants: the operator sees what each tenant has spent, and nobody else does."""

from datetime import UTC, datetime

import httpx2

from imagemill.domain.budget import Spend
from imagemill.domain.places import account_key, caps_key, month_key
from imagemill.domain.tenant import Caps, TenantAccount
from tests.fakes.engine import MemoryEngine
from tests.fakes.store import MemoryStore
from tests.unit.api.bodies import ADMIN

OPERATOR = {"authorization": f"Bearer {ADMIN}"}
TODAY = datetime.now(UTC).date()


async def spend(control: MemoryStore, engine: MemoryEngine, tenant: str, nano: int) -> None:
    account = TenantAccount(tenant=tenant, caps=Caps(month_nano=10**10), today=TODAY)
    account.days = {TODAY.isoformat(): {"gpt-image-2": Spend(settled=nano)}}
    engine.accounts[tenant] = account
    await control.put(account_key(tenant), account.model_dump_json().encode())
    await control.put(caps_key(tenant), b"{}")
    await control.put(month_key(tenant, "2026-01"), b"{}")


async def test_every_tenant_with_an_account_is_told_once(
    http: httpx2.AsyncClient, control: MemoryStore, engine: MemoryEngine
) -> None:
    for place, name in enumerate(("a", "a-b", "b"), start=1):
        await spend(control, engine, name, place * 10**9)
    answer = (await http.get("/v1/tenants", headers=OPERATOR)).json()

    assert [(each["tenant"], each["settled_usd"]) for each in answer["data"]] == [
        ("a", "1.00"),
        ("a-b", "2.00"),
        ("b", "3.00"),
    ]
    assert answer["data"][0]["month"]["left_usd"] == "9.00"
    assert not answer["has_more"]


async def test_the_days_can_be_chosen(
    http: httpx2.AsyncClient, control: MemoryStore, engine: MemoryEngine
) -> None:
    await spend(control, engine, "a", 10**9)
    past = {"from": "2025-01-01", "to": "2025-01-31"}
    answer = (await http.get("/v1/tenants", headers=OPERATOR, params=past)).json()

    assert [each["settled_usd"] for each in answer["data"]] == ["0.00"]
    wrong = await http.get("/v1/tenants", headers=OPERATOR, params={"from": "2025-02-01", "to": "2025-01-01"})
    assert wrong.status_code == 422


async def test_pages_follow_each_other(
    http: httpx2.AsyncClient, control: MemoryStore, engine: MemoryEngine
) -> None:
    for name in ("a", "b", "c"):
        await spend(control, engine, name, 1)
    first = (await http.get("/v1/tenants", headers=OPERATOR, params={"limit": 2})).json()
    rest = (await http.get("/v1/tenants", headers=OPERATOR, params={"after": first["last"]})).json()

    assert first["has_more"]
    assert [each["tenant"] for each in rest["data"]] == ["c"]


async def test_a_tenants_key_is_not_enough(http: httpx2.AsyncClient) -> None:
    assert (await http.get("/v1/tenants")).status_code == 403
