"""Schedules over HTTP, on an engine in memory."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from api.context import Context
from imagemill.domain.job import Counts, Hold, JobSummary, Progress
from imagemill.domain.places import run_key, schedule_key
from imagemill.domain.schedules import BEING_MADE, RunRecord, Schedule, job_of
from imagemill.domain.tenant import Caps, TenantAccount, TenantLease
from imagemill.ports import ScheduleFacts
from tests.fakes.engine import MemoryEngine
from tests.fakes.schedules import MemorySchedules
from tests.fakes.store import MemoryStore
from tests.unit.api.bodies import BODY, FILE, ITEM

Json = dict[str, Any]
WEEKLY = {"cron": ["0 6 * * 1"], "time_zone": "Europe/Berlin"}
SCHEDULE: Json = {"name": "weekly", "spec": WEEKLY, "job": BODY}


async def made(http: httpx2.AsyncClient, **said: Any) -> Json:
    answer = await http.post("/v1/schedules", json=SCHEDULE | said)
    assert answer.status_code == 201, answer.text
    found: Json = answer.json()
    return found


def places(answer: httpx2.Response) -> dict[str, str]:
    assert answer.status_code == 422, answer.text
    return {error["pointer"]: error["detail"] for error in answer.json()["errors"]}


async def test_a_schedule_is_kept_and_says_when_it_runs(
    http: httpx2.AsyncClient, control: MemoryStore, schedules: MemorySchedules
) -> None:
    answer = await http.post("/v1/schedules", json=SCHEDULE | {"runs": 3, "note": "for spring"})
    found = answer.json()

    assert answer.headers["location"] == f"/v1/schedules/{found['id']}"
    assert found["words"] == "Every Monday at 06:00, Europe/Berlin"
    assert (found["state"], found["note"], found["runs_left"]) == ("active", "for spring", 3)
    assert len(found["next"]) == 3
    assert all(time["local"][11:19] == "06:00:00" for time in found["next"])
    assert found["job"] == BODY
    assert found["last_run"] is None
    assert (await http.get(f"/v1/schedules/{found['id']}")).json() == found
    kept = Schedule.model_validate_json(control.data(schedule_key("t", found["id"])))
    assert kept.template.cap_nano == 5_000_000_000
    assert list(schedules.kept) == [found["id"]], "those that were only asked about are gone"


async def test_one_that_is_made_paused_never_ran_before(
    http: httpx2.AsyncClient, schedules: MemorySchedules
) -> None:
    found = await made(http, paused=True)

    assert (found["state"], found["note"]) == ("paused", None)
    assert found["next"], "what it would run is told all the same"


async def test_the_same_key_makes_one_schedule(http: httpx2.AsyncClient, schedules: MemorySchedules) -> None:
    key = {"idempotency-key": "k"}
    first = await http.post("/v1/schedules", json=SCHEDULE, headers=key)
    second = await http.post("/v1/schedules", json=SCHEDULE, headers=key)
    other = await http.post("/v1/schedules", json=SCHEDULE | {"name": "other"}, headers=key)

    assert (first.status_code, second.status_code) == (201, 200)
    assert second.headers["idempotency-replayed"] == "true"
    assert first.json()["id"] == second.json()["id"]
    assert other.json()["type"] == "/problems/idempotency-key-reused"
    assert len(schedules.kept) == 1
    await http.delete(f"/v1/schedules/{first.json()['id']}")
    gone = await http.post("/v1/schedules", json=SCHEDULE, headers=key)
    assert "deleted" in gone.json()["detail"]
    assert not schedules.kept


async def test_a_key_whose_schedule_was_half_made_makes_the_rest(
    http: httpx2.AsyncClient, control: MemoryStore, schedules: MemorySchedules
) -> None:
    key = {"idempotency-key": "k"}
    first = (await http.post("/v1/schedules", json=SCHEDULE, headers=key)).json()
    await control.delete(schedule_key("t", first["id"]))
    schedules.kept.clear()

    again = await http.post("/v1/schedules", json=SCHEDULE, headers=key)

    assert (again.status_code, again.json()["id"]) == (201, first["id"])
    assert again.json()["state"] == "active"


async def test_a_key_whose_schedule_was_kept_and_never_set_going_sets_it_going(
    http: httpx2.AsyncClient, schedules: MemorySchedules
) -> None:
    key = {"idempotency-key": "k"}
    body = SCHEDULE | {"runs": 3, "note": "for spring"}
    first = (await http.post("/v1/schedules", json=body, headers=key)).json()
    schedules.facts[first["id"]] = ScheduleFacts(paused=True, note=BEING_MADE)

    again = (await http.post("/v1/schedules", json=body, headers=key)).json()
    assert (again["state"], again["note"], again["runs_left"]) == ("active", "for spring", 3)

    await http.post(f"/v1/schedules/{first['id']}/pause", json={"note": "enough"})
    replayed = (await http.post("/v1/schedules", json=body, headers=key)).json()
    assert (replayed["state"], replayed["note"]) == ("paused", "enough"), "what was done since stays"


@pytest.mark.parametrize(
    ("spec", "where", "what"),
    [
        ({"cron": ["61 * * * *"]}, "/spec/cron/0", "0 to 59"),
        ({"cron": ["0 6 * * 1", "0 6 * *"]}, "/spec/cron/1", "has 4 fields"),
        ({"cron": ["@every 1h"]}, "/spec/cron/0", "every_seconds"),
        ({"cron": ["CRON_TZ=UTC 0 6 * * *"]}, "/spec/cron/0", "time_zone"),
        ({"cron": ["0 6 * * MON#2"]}, "/spec/cron/0", "day_of_week"),
        ({"cron": ["0 6 * * *"], "time_zone": "Mars/Base"}, "/spec/time_zone", "Europe/Berlin"),
        ({"cron": ["0 6 * * *"], "time_zone": "+05:30"}, "/spec/time_zone", "Europe/Berlin"),
        ({"every_seconds": 59}, "/spec/every_seconds", "60"),
        ({"calendars": [{"hour": 24}]}, "/spec/calendars/0/hour", "0 to 23"),
        ({"calendars": [{"hour": [8, "x"]}]}, "/spec/calendars/0/hour", "'x'"),
        ({}, "/spec", "names no times"),
        (
            {"cron": ["0 6 * * *"], "start": "2027-02-01T00:00:00Z", "end": "2027-01-01T00:00:00Z"},
            "/spec",
            "ends",
        ),
        ({"cron": ["0 6 * * *"], "start": "2027-02-01T00:00:00"}, "/spec/start", "timezone"),
        ({"cron": ["0 6 * * *"], "start": 5}, "/spec/start", "RFC 3339"),
        ({"cron": ["0 0 30 2 *"]}, "/spec", "nothing would ever run"),
        ({"cron": ["0 6 * * *"], "end": "2026-01-01T00:00:00Z"}, "/spec", "nothing would ever run"),
    ],
)
async def test_a_spec_that_can_not_be_kept_is_told_where_it_is_wrong(
    http: httpx2.AsyncClient, schedules: MemorySchedules, spec: Json, where: str, what: str
) -> None:
    for body in (SCHEDULE | {"spec": spec}, {"spec": spec}):
        path = "/v1/schedules" if "job" in body else "/v1/schedules/preview"
        answer = await http.post(path, json=body)
        if answer.status_code == 200:
            assert answer.json()["times"] == [], "a preview shows that there is nothing"
        else:
            assert what in places(answer)[where], answer.text
    assert not schedules.kept


async def test_times_must_be_a_minute_apart(
    http: httpx2.AsyncClient, schedules: MemorySchedules, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def times_of(*_: object) -> list[datetime]:
        return [datetime(2027, 1, 1, 6, 0, second, tzinfo=UTC) for second in (0, 30)]

    monkeypatch.setattr(schedules, "times_of", times_of)

    answer = await http.post("/v1/schedules", json=SCHEDULE)

    assert "30 seconds apart" in places(answer)["/spec"]


async def test_what_it_submits_is_checked_as_a_submission_is(http: httpx2.AsyncClient) -> None:
    items = [
        ITEM | {"prompt": "{{ run.date }} in {{ run.weekday }}"},
        {"custom_id": "b", "prompt": "{{ run.dat }}"},
        {"custom_id": "c", "prompt": "{{ row.x }}"},
        {"custom_id": "d", "prompt": "{{ run }}"},
        {"custom_id": "e", "prompt": "{% if %}"},
    ]
    said = places(await http.post("/v1/schedules", json=SCHEDULE | {"job": BODY | {"items": items}}))

    assert "/job/items/0/prompt" not in said
    assert "run.dat" in said["/job/items/1/prompt"]
    assert "run.number" in said["/job/items/1/prompt"]
    assert "unknown variable 'row'" in said["/job/items/2/prompt"]
    assert "plain run" in said["/job/items/3/prompt"]
    assert "not a Liquid template" in said["/job/items/4/prompt"]
    wrong = await http.post("/v1/schedules", json=SCHEDULE | {"job": BODY | {"defaults": {"model": "no"}}})
    assert "/job/defaults/model" in places(wrong)
    manifest = {"file_id": FILE, "format": "csv", "id": "{{ row.a }}", "prompt": "x"}
    del (job := dict(BODY))["items"]
    missing = await http.post("/v1/schedules", json=SCHEDULE | {"job": job | {"manifest": manifest}})
    assert "/job/manifest/file_id" in places(missing)


async def test_outside_of_schedules_there_is_no_run(http: httpx2.AsyncClient, control: MemoryStore) -> None:
    body = BODY | {"output": {"key": "{{ run.date }}/{{ custom_id }}.{{ ext }}"}}
    plain = await http.post("/v1/jobs", json=body | {"items": [ITEM | {"prompt": "{{ not a template"}]})

    assert "unknown variable 'run'" in places(plain)["/output/key"]
    assert list(places(plain)) == ["/output/key"], "prompts of a job are no templates"
    await made(http, job=body)


async def test_a_tenant_without_a_cap_can_have_no_schedule(parts: Context, http: httpx2.AsyncClient) -> None:
    http._transport.app.state.context = replace(parts, caps=Caps())  # type: ignore[attr-defined]

    answer = await http.post("/v1/schedules", json=SCHEDULE)

    assert answer.json()["type"] == "/problems/no-tenant-cap"


# --- changing ------------------------------------------------------------------------------------


async def test_what_is_left_out_stays(http: httpx2.AsyncClient, schedules: MemorySchedules) -> None:
    before = await made(http, runs=3, note="for spring", budget={"month_usd": "50"})
    where = f"/v1/schedules/{before['id']}"

    named = (await http.patch(where, json={"name": "daily", "spec": {"cron": ["0 7 * * *"]}})).json()
    freed = (await http.patch(where, json={"runs": None, "note": None, "budget": None})).json()
    paused = (await http.patch(where, json={"paused": True, "overlap": "buffer_all"})).json()

    assert named["words"] == "Every day at 07:00, UTC"
    assert (named["runs_left"], named["note"], named["job"]) == (3, "for spring", before["job"])
    assert named["budget"]["time_zone"] == "Europe/Berlin", "a budget goes on in the zone that it had"
    assert (freed["name"], freed["runs_left"], freed["note"], freed["budget"]) == ("daily", None, None, None)
    assert (paused["state"], paused["overlap"]) == ("paused", "buffer_all")
    assert schedules.kept[before["id"]].overlap == "buffer_all"
    wrong = await http.patch(where, json={"spec": {"cron": ["0 0 30 2 *"]}, "name": "never"})
    assert places(wrong)
    assert (await http.get(where)).json()["name"] == "daily"
    assert (await http.patch(where, json={})).status_code == 422


async def test_pause_and_resume_keep_a_note(http: httpx2.AsyncClient) -> None:
    where = f"/v1/schedules/{(await made(http))['id']}"

    paused = (await http.post(f"{where}/pause", json={"note": "no photos yet"})).json()
    resumed = (await http.post(f"{where}/resume")).json()

    assert (paused["state"], paused["note"]) == ("paused", "no photos yet")
    assert (resumed["state"], resumed["note"]) == ("active", None)


async def test_a_schedule_that_the_engine_has_lost_is_made_again(
    http: httpx2.AsyncClient, schedules: MemorySchedules
) -> None:
    before = await made(http)
    schedules.kept.clear()
    where = f"/v1/schedules/{before['id']}"

    assert (await http.get(where)).json()["state"] == "ended"
    assert (await http.post(f"{where}/trigger")).status_code == 404
    assert (await http.post(f"{where}/resume")).json()["state"] == "active"


async def test_after_all_its_runs_it_has_ended(http: httpx2.AsyncClient, schedules: MemorySchedules) -> None:
    before = await made(http, runs=1)
    schedules.facts[before["id"]] = ScheduleFacts(paused=False, note=None, runs_left=0)

    found = (await http.get(f"/v1/schedules/{before['id']}")).json()

    assert (found["state"], found["next"]) == ("ended", [])


async def test_a_deleted_one_is_gone_and_its_runs_can_be_read(
    http: httpx2.AsyncClient, control: MemoryStore, engine: MemoryEngine, schedules: MemorySchedules
) -> None:
    before = await made(http)
    where = f"/v1/schedules/{before['id']}"
    await ran(control, engine, before["id"], 1)

    assert (await http.delete(where)).status_code == 204
    assert (await http.get(where)).status_code == 404
    assert (await http.delete(where)).status_code == 404
    assert (await http.post(f"{where}/trigger")).status_code == 404
    assert (await http.get("/v1/schedules")).json()["data"] == []
    assert len((await http.get(f"{where}/runs")).json()["data"]) == 1
    assert not schedules.kept


async def test_the_list_has_the_newest_first_by_pages(http: httpx2.AsyncClient) -> None:
    ids = [(await made(http, name=f"n{number}"))["id"] for number in range(3)]
    newest = sorted(ids, reverse=True)

    first = (await http.get("/v1/schedules", params={"limit": 2})).json()
    second = (await http.get("/v1/schedules", params={"limit": 2, "after": first["last_id"]})).json()

    assert [each["id"] for each in first["data"]] == newest[:2]
    assert first["has_more"]
    assert [each["id"] for each in second["data"]] == newest[2:]
    assert not second["has_more"]


# --- the month's cap -----------------------------------------------------------------------------


async def test_its_cap_is_told_and_what_is_left_comes_from_its_account(
    http: httpx2.AsyncClient, control: MemoryStore, engine: MemoryEngine
) -> None:
    before = await made(http, budget={"month_usd": "50.00"})
    id_ = before["id"]
    assert before["budget"] == {
        "month_usd": "50.00",
        "spent_usd": "0.00",
        "committed_usd": "0.00",
        "left_usd": "50.00",
        "time_zone": "Europe/Berlin",
    }
    engine.caps[f"t/{id_}"] = Caps(month_nano=50 * 10**9, time_zone="Europe/Berlin")
    lease = TenantLease(granted=7 * 10**9)
    engine.accounts[f"t/{id_}"] = TenantAccount(
        tenant="t",
        schedule=id_,
        caps=engine.caps[f"t/{id_}"],
        today=datetime.now(UTC).date(),
        leases={"j": lease},
    )

    lowered = await http.patch(
        f"/v1/schedules/{id_}", json={"budget": {"month_usd": "5.00", "time_zone": "UTC"}}
    )

    start, said = engine.told[-1]
    assert (start.schedule, said) == (id_, Caps(month_nano=5 * 10**9, time_zone="UTC"))
    budget = lowered.json()["budget"]
    assert (budget["committed_usd"], budget["left_usd"], budget["time_zone"]) == ("7.00", "0.00", "UTC")


async def test_a_lowered_cap_that_its_account_could_not_be_told_is_told_by_the_same_request_again(
    http: httpx2.AsyncClient, engine: MemoryEngine
) -> None:
    id_ = (await made(http, budget={"month_usd": "50.00"}))["id"]
    engine.caps[f"t/{id_}"] = Caps(month_nano=50 * 10**9, time_zone="Europe/Berlin")
    lowered = {"budget": {"month_usd": "5.00"}}

    engine.away = 1
    assert (await http.patch(f"/v1/schedules/{id_}", json=lowered)).status_code == 503
    assert (await http.patch(f"/v1/schedules/{id_}", json=lowered)).status_code == 200

    assert engine.caps[f"t/{id_}"].month_nano == 5 * 10**9


# --- runs ----------------------------------------------------------------------------------------

AT = datetime(2026, 11, 16, 5, tzinfo=UTC)


async def ran(
    control: MemoryStore, engine: MemoryEngine, schedule: str, number: int, **summary: Any
) -> RunRecord:
    at = AT + timedelta(weeks=number)
    job = job_of(schedule, at)
    record = RunRecord(schedule=schedule, number=number, job=job, at=at, created_at=datetime.now(UTC))
    key = run_key("t", schedule, job, int(at.timestamp() * 1000))
    await control.put(key, record.model_dump_json().encode())
    if summary:
        engine.summaries[job] = JobSummary(tenant="t", submitted_at=at, cap_nano=1, items=2, **summary)
    return record


async def test_runs_are_listed_with_their_jobs(
    http: httpx2.AsyncClient, control: MemoryStore, engine: MemoryEngine
) -> None:
    before = await made(http)
    where = f"/v1/schedules/{before['id']}"
    ended = Progress(counts=Counts(succeeded=1, blocked=1), settled_nano=3 * 10**9)
    await ran(control, engine, before["id"], 1, state="completed_with_errors", ended=ended)
    hold = Hold(code="schedule_budget", since=AT)
    await ran(control, engine, before["id"], 2, state="held", hold=hold)
    last = await ran(control, engine, before["id"], 3)

    page = (await http.get(f"{where}/runs", params={"limit": 2})).json()
    rest = (await http.get(f"{where}/runs", params={"limit": 2, "after": page["last_id"]})).json()

    runs = [*page["data"], *rest["data"]]
    assert [(run["number"], run["state"], run["hold"]) for run in runs] == [
        (3, "queued", None),
        (2, "held", "schedule_budget"),
        (1, "completed_with_errors", None),
    ]
    assert (page["has_more"], rest["has_more"]) == (True, False)
    assert (runs[2]["counts"]["succeeded"], runs[2]["settled_usd"]) == (1, "3.00")
    assert (await http.get(where)).json()["last_run"]["job"] == last.job


async def test_a_run_whose_job_nobody_knows_is_lost_after_a_while(
    http: httpx2.AsyncClient, control: MemoryStore, engine: MemoryEngine
) -> None:
    before = await made(http)
    record = await ran(control, engine, before["id"], 1)
    long_ago = record.model_copy(update={"created_at": AT})
    key = run_key("t", before["id"], record.job, int(record.at.timestamp() * 1000))
    await control.put(key, long_ago.model_dump_json().encode())

    [run] = (await http.get(f"/v1/schedules/{before['id']}/runs")).json()["data"]

    assert (run["state"], run["counts"]) == ("lost", None)


async def test_a_trigger_says_which_job_it_becomes(
    http: httpx2.AsyncClient, schedules: MemorySchedules
) -> None:
    before = await made(http)

    answer = await http.post(f"/v1/schedules/{before['id']}/trigger")

    said = answer.json()
    at = datetime.fromisoformat(said["at"])
    assert (answer.status_code, at.microsecond) == (202, 0)
    assert said["job"] == job_of(before["id"], at)
    assert schedules.triggered == [(before["id"], at)]


async def test_a_trigger_that_would_be_skipped_is_refused(
    http: httpx2.AsyncClient, engine: MemoryEngine, schedules: MemorySchedules
) -> None:
    before = await made(http)
    where = f"/v1/schedules/{before['id']}"
    schedules.facts[before["id"]] = ScheduleFacts(paused=False, note=None, under_way=[AT])

    refused = await http.post(f"{where}/trigger")
    summary = JobSummary(tenant="t", submitted_at=AT, cap_nano=1, state="completed")
    engine.summaries[job_of(before["id"], AT)] = summary
    taken = await http.post(f"{where}/trigger")

    assert refused.json()["type"] == "/problems/run-under-way"
    assert taken.status_code == 202, "the engine had not noticed yet that the run had ended"
    await http.patch(where, json={"overlap": "buffer_one"})
    del engine.summaries[job_of(before["id"], AT)]
    assert (await http.post(f"{where}/trigger")).status_code == 202


async def test_a_backfill_says_how_many_times_are_run(
    http: httpx2.AsyncClient, schedules: MemorySchedules
) -> None:
    before = await made(http, spec={"cron": ["0 6 * * *"]})
    where = f"/v1/schedules/{before['id']}/backfill"

    answer = await http.post(where, json={"start": "2026-03-01T06:00:00Z", "end": "2026-03-03T06:00:00Z"})

    assert (answer.status_code, answer.json()) == (202, {"object": "backfill", "times": 3})
    [(_, start, end, at_once)] = schedules.backfilled
    assert (start.isoformat(), end.isoformat(), at_once) == (
        "2026-03-01T06:00:00+00:00",
        "2026-03-03T06:00:00+00:00",
        False,
    )


@pytest.mark.parametrize(
    ("span", "where", "what"),
    [
        (("2026-03-01T07:00:00Z", "2026-03-01T08:00:00Z"), "/start", "names no time"),
        (("2020-01-01T00:00:00Z", "2026-01-01T00:00:00Z"), "/end", "more than 1,000 times"),
        (("2026-03-01T00:00:00Z", "2090-01-01T00:00:00Z"), "/end", "has not come yet"),
        (("2026-03-02T00:00:00Z", "2026-03-01T00:00:00Z"), "/", "ends before it starts"),
        (("1970-01-01T00:00:00Z", "2026-03-01T00:00:00Z"), "/start", "2000"),
    ],
)
async def test_a_range_that_can_not_be_backfilled_is_told_why(
    http: httpx2.AsyncClient, schedules: MemorySchedules, span: tuple[str, str], where: str, what: str
) -> None:
    before, (start, end) = await made(http, spec={"every_seconds": 86_400}), span

    answer = await http.post(f"/v1/schedules/{before['id']}/backfill", json={"start": start, "end": end})

    assert what in places(answer)[where]
    assert not schedules.backfilled


async def test_a_preview_shows_times_through_a_change_of_the_clock(http: httpx2.AsyncClient) -> None:
    spec = {
        "cron": ["0 6 * * 6-7"],
        "time_zone": "Europe/Berlin",
        "start": "2027-03-27T00:00:00Z",
        "jitter_seconds": 60,
    }

    said = (await http.post("/v1/schedules/preview", json={"spec": spec, "count": 2})).json()

    assert said["words"] == (
        "Every Saturday through Sunday at 06:00, Europe/Berlin, each put off by up to 1 minute, "
        "from 2027-03-27 01:00"
    )
    assert said["times"] == [
        {"at": "2027-03-27T05:00:00Z", "local": "2027-03-27T06:00:00+01:00"},
        {"at": "2027-03-28T04:00:00Z", "local": "2027-03-28T06:00:00+02:00"},
    ]
    assert said["jitter_seconds"] == 60


async def test_a_kept_schedule_is_previewed_as_if_it_were_not_paused(http: httpx2.AsyncClient) -> None:
    before = await made(http, paused=True)

    said = (await http.get(f"/v1/schedules/{before['id']}/preview", params={"count": 20})).json()

    assert len(said["times"]) == 20
    assert said["times"][:10] == before["next"]


async def test_nothing_of_a_schedule_is_anothers(http: httpx2.AsyncClient, control: MemoryStore) -> None:
    before = await made(http)
    theirs = Schedule.model_validate_json(control.data(schedule_key("t", before["id"])))
    await control.put(schedule_key("other", "sched_" + "A" * 26), theirs.model_dump_json().encode())

    assert [each["id"] for each in (await http.get("/v1/schedules")).json()["data"]] == [before["id"]]
    assert (await http.get(f"/v1/schedules/sched_{'A' * 26}")).status_code == 404


async def test_an_engine_that_is_away_is_told(http: httpx2.AsyncClient, schedules: MemorySchedules) -> None:
    before = await made(http)
    schedules.away = 1
    assert (await http.delete(f"/v1/schedules/{before['id']}")).status_code == 503
    assert (await http.get(f"/v1/schedules/{before['id']}")).status_code == 200, "it is still there"
    assert (await http.delete(f"/v1/schedules/{before['id']}")).status_code == 204
