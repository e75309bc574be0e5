"""A schedule from its making to its runs, on the whole service."""

import asyncio
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.acceptance.service import SMALL, Json, Service, nano

HOURLY = {"cron": ["0 * * * *"], "time_zone": "Europe/Berlin"}


def job(prompt: str, **said: Any) -> Json:
    items = [{"custom_id": "banner", "prompt": prompt}]
    return {"defaults": SMALL, "items": items, "budget": {"limit_usd": "1.00"}} | said


async def made(service: Service, **said: Any) -> Json:
    body = {"name": "banners", "spec": HOURLY} | said
    answer = await service.ask("POST", "/v1/schedules", json=body)
    assert answer.status_code == 201, answer.text
    found: Json = answer.json()
    return found


async def runs(service: Service, schedule: str, count: int, seconds: float = 60) -> list[Json]:
    """The runs, once there are so many and all of them have ended or are held; the oldest first."""
    listed: list[Json] = []
    async with asyncio.timeout(seconds):
        while True:
            answer = await service.ask("GET", f"/v1/schedules/{schedule}/runs")
            assert answer.status_code == 200, answer.text
            listed = answer.json()["data"][::-1]
            settled = [run for run in listed if run["state"] in ("completed", "cancelled", "failed", "held")]
            if len(settled) == len(listed) >= count:
                return listed
            await asyncio.sleep(0.1)


async def test_what_a_backfill_runs_is_run_once(service: Service) -> None:
    """At half past two, which does not come on one night of the year, and comes twice on another."""
    spec = {"cron": ["30 2 * 3,10 0"], "time_zone": "Europe/Berlin"}
    prompt = "A banner for {{ run.date }} at {{ run.time }}"
    found = await made(service, spec=spec, job=job(prompt), overlap="allow_all")
    where = f"/v1/schedules/{found['id']}"

    for times, end in ((2, "2025-10-19T23:00:00Z"), (3, "2025-10-26T23:00:00Z")):
        span = {"start": "2025-10-12T00:00:00Z", "end": end}
        answer = await service.ask("POST", f"{where}/backfill", json=span)
        assert (answer.status_code, answer.json()["times"]) == (202, times)
        listed = await runs(service, found["id"], times)
    spring = {"start": "2025-03-30T00:00:00Z", "end": "2025-03-30T22:00:00Z"}
    skipped = await service.ask("POST", f"{where}/backfill", json=spring)

    days = ["2025-10-12", "2025-10-19", "2025-10-26"]
    assert [run["at"] for run in listed] == [f"{day}T00:30:00Z" for day in days[:2]] + [
        f"{days[2]}T01:30:00Z"
    ]
    assert {run["state"] for run in listed} == {"completed"}
    assert skipped.status_code == 422, "half past two did not come that night"
    calls = (await service.ledger(*(f"A banner for {day} at 02:30" for day in days)))["calls"]
    assert list(calls.values()) == [1, 1, 1], "a time that has run buys nothing again"
    last = (await service.ask("GET", where)).json()["last_run"]
    assert last["job"] == listed[-1]["job"]


async def test_triggers_of_one_second_are_one_job_which_is_like_any_other(service: Service) -> None:
    found = await made(
        service, job=job("A banner, run {{ run.number }}", name="banner", metadata={"team": "spring"})
    )
    where = f"/v1/schedules/{found['id']}"

    answers = await asyncio.gather(*(service.ask("POST", f"{where}/trigger") for _ in range(5)))

    taken = [answer.json() for answer in answers if answer.status_code == 202]
    assert {answer.status_code for answer in answers} <= {202, 409}
    listed = await runs(service, found["id"], 1)
    assert {run["job"] for run in listed} <= {each["job"] for each in taken}
    calls = (await service.ledger(*(f"A banner, run {number}" for number in range(1, 6))))["calls"]
    assert sum(calls.values()) == len(listed)
    status = await service.status(listed[0]["job"])
    assert (status["name"], status["metadata"], status["state"]) == (
        "banner",
        {"team": "spring"},
        "completed",
    )
    assert listed[0]["settled_usd"] == status["cost"]["settled_usd"]
    deleted = await service.ask("DELETE", where)
    assert deleted.status_code == 204
    assert len((await service.ask("GET", f"{where}/runs")).json()["data"]) == len(listed)
    assert (await service.ask("GET", where)).status_code == 404


async def test_what_comes_by_itself_is_what_was_previewed(service: Service) -> None:
    soon = datetime.now(ZoneInfo("Asia/Kolkata")) + timedelta(seconds=10)
    fields = {"year": soon.year, "month": soon.month, "day_of_month": soon.day, "hour": soon.hour}
    calendar = fields | {"minute": soon.minute, "second": soon.second}
    spec = {"calendars": [calendar], "time_zone": "Asia/Kolkata"}
    preview = (await service.ask("POST", "/v1/schedules/preview", json={"spec": spec})).json()
    found = await made(service, spec=spec, job=job("A banner, {{ run.date }} {{ run.time }}"))

    assert preview["times"] == found["next"]
    [time] = preview["times"]
    [run] = await runs(service, found["id"], 1)
    assert run["at"] == time["at"]
    prompt = f"A banner, {time['local'][:10]} {time['local'][11:16]}"
    assert list((await service.ledger(prompt))["calls"].values()) == [1]
    ended = (await service.ask("GET", f"/v1/schedules/{found['id']}")).json()
    assert (ended["state"], ended["next"]) == ("ended", [])


async def test_a_run_that_would_pass_the_months_cap_is_held_until_it_is_raised(service: Service) -> None:
    found = await made(service, job=job("A dear banner, {{ run.number }}"), budget={"month_usd": "0.0000001"})
    where = f"/v1/schedules/{found['id']}"
    assert (await service.ask("POST", f"{where}/trigger")).status_code == 202

    [run] = await runs(service, found["id"], 1)
    assert (run["state"], run["hold"]) == ("held", "schedule_budget")
    refused = await service.ask("POST", f"{where}/trigger")
    assert refused.json()["type"] == "/problems/run-under-way"
    raised = await service.ask("PATCH", where, json={"budget": {"month_usd": "5.00"}})
    assert raised.status_code == 200, raised.text

    await service.finished(run["job"])
    [run] = await runs(service, found["id"], 1)
    assert (run["state"], run["hold"]) == ("completed", None)
    async with asyncio.timeout(30):
        while True:
            budget = (await service.ask("GET", where)).json()["budget"]
            if budget["committed_usd"] == budget["spent_usd"] != "0.00":
                break
            await asyncio.sleep(0.1)
    assert nano(budget["spent_usd"]) == nano(run["settled_usd"])
    assert nano(budget["left_usd"]) == nano("5.00") - nano(budget["spent_usd"])


async def test_a_manifest_that_was_deleted_since_fails_the_run_and_says_so(service: Service) -> None:
    file_id = await service.upload("shop.csv", b"sku,name\na,Chair\n")
    manifest = {
        "file_id": file_id,
        "format": "csv",
        "id": "{{ row.sku }}",
        "prompt": "{{ row.name }} {{ run.date }}",
    }
    body = {"defaults": SMALL, "manifest": manifest, "budget": {"limit_usd": "1.00"}}
    found = await made(service, job=body)
    assert (await service.ask("DELETE", f"/v1/files/{file_id}")).status_code in (200, 204)

    await service.ask("POST", f"/v1/schedules/{found['id']}/trigger")

    [run] = await runs(service, found["id"], 1)
    failure = (await service.status(run["job"]))["failure"]
    assert (run["state"], failure["code"]) == ("failed", "manifest_unreadable")
    assert file_id in failure["detail"]
