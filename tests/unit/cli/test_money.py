"""The commands about money."""

import json
from typing import Any

import httpx2
import pytest

from tests.unit.cli.answers import ESTIMATE, JOB, answer, cost, hold, items, job
from tests.unit.cli.conftest import Type

SPEND = {"settled_usd": "1.25", "written_off_usd": "0.50"}
LINE = {
    "model": "gpt-image-2.5-flare",
    "state": "succeeded",
    "items": 3,
    "images": 3,
    "settled_usd": "0.0217",
    "written_off_usd": "0.05",
    "uncertain": 1,
}


def report(**changes: Any) -> dict[str, Any]:
    return {
        "job": JOB,
        "name": "First\x1b catalog",
        "state": "completed_with_errors",
        "created_at": "2026-11-20T10:00:00Z",
        "ended_at": "2026-11-20T10:00:09Z",
        "items": items(total=4, succeeded=3, failed=1),
        "images": 3,
        "uncertain": 1,
        "limit_usd": "2.00",
        "settled_usd": "0.0217",
        "written_off_usd": "0.05",
        "vanished_usd": "0.00",
        "estimate": ESTIMATE,
        "lines": [LINE],
        "drift": [],
        "price_table": "2026-11-20",
    } | changes


def call(outcome: str, cost_usd: str, **changes: str) -> dict[str, Any]:
    nothing = {"code": None, "request_id": None}
    return {"outcome": outcome, "cost_usd": cost_usd, "reserved_usd": "0.02"} | nothing | changes


def bill(**changes: Any) -> dict[str, Any]:
    cheap = {"state": "succeeded", "cost_usd": "0.00", "uncertain_usd": "0.00"}
    return cheap | {"variant": None, "error": None, "attempts": []} | changes


def usage(**changes: Any) -> dict[str, Any]:
    window = SPEND | {"limit_usd": "1000.00", "left_usd": "998.25", "ends_at": "2026-11-21T00:00:00Z"}
    uncapped = window | {"limit_usd": None, "left_usd": None}
    return (
        SPEND
        | {
            "tenant": "default",
            "time_zone": "Europe/Berlin",
            "first": "2026-11-01",
            "last": "2026-11-20",
            "day": window,
            "month": uncapped,
            "leased_usd": "0.40",
            "days": [{"date": "2026-11-20", "models": {}, **SPEND}],
            "models": {"gpt-image-2.5-flare": SPEND},
            "jobs": [{"id": JOB, "name": "Rings", "state": "completed_with_errors", **SPEND}],
        }
        | changes
    )


def sent(request: httpx2.Request) -> tuple[str, str, Any]:
    body = json.loads(request.content) if request.content else None
    return request.method, request.url.path, body


# --- a job's cap ---------------------------------------------------------------------------------


def test_a_higher_cap(typed: Type) -> None:
    result, [request] = typed("budget", JOB, "--limit-usd", "2.00", answers=[answer(job(), 202)])
    assert sent(request) == ("PATCH", f"/v1/jobs/{JOB}", {"budget": {"limit_usd": "2.00"}})
    assert result.stdout == f"{JOB} may spend $2.00 in all; $0.0131 is spent.\n"


def test_only_what_is_given_is_changed(typed: Type) -> None:
    result, [request] = typed("budget", JOB, "--on-exhausted", "skip", answers=[answer(job(), 202)])
    assert sent(request)[2] == {"budget": {"on_exhausted": "skip"}}
    assert "items that are left are skipped" in result.stdout


def test_a_cap_below_what_is_committed(typed: Type) -> None:
    low = job(cost=cost(settled_usd="0.50", committed_usd="0.80", limit_usd="0.60"))
    result, _ = typed("budget", JOB, "--limit-usd", "0.60", answers=[answer(low, 202)])
    assert "calls under way can make it $0.80. It starts nothing more." in result.stdout


@pytest.mark.parametrize("words", [(), ("--on-exhausted", "wait")])
def test_a_change_that_is_none(words: tuple[str, ...], typed: Type) -> None:
    result, requests = typed("budget", JOB, *words, answers=[answer(job())])
    assert (result.exit_code, requests) == (2, [])


def test_a_job_that_has_ended(typed: Type) -> None:
    problem = {"title": "The job has ended", "detail": "its cap can't be changed"}
    result, _ = typed("budget", JOB, "--limit-usd", "2", answers=[answer(problem, 409)])
    assert result.exit_code == 1
    assert "Error: The job has ended" in result.stderr


@pytest.mark.parametrize("held", [None, hold("unknown_outcomes"), hold("insufficient_quota")])
def test_resume(held: dict[str, Any] | None, typed: Type) -> None:
    result, [request] = typed("resume", JOB, answers=[answer(job(hold=held), 202)])
    assert sent(request) == ("POST", f"/v1/jobs/{JOB}/resume", None)
    assert (result.exit_code, result.stdout) == (0, f"{JOB} goes on\n")


@pytest.mark.parametrize("code", ["budget", "tenant_budget"])
def test_resuming_brings_no_money(code: str, typed: Type) -> None:
    held = hold(code, smallest_usd="0.02", likely_usd="1.40")
    result, _ = typed("resume", JOB, answers=[answer(job(state="held", hold=held), 202)])
    assert (result.exit_code, result.stdout) == (4, "")
    assert "at least $0.02; $1.40 would likely buy all" in result.stderr


# --- the receipt ---------------------------------------------------------------------------------


def test_a_receipt(typed: Type) -> None:
    result, [request] = typed("report", JOB, answers=[answer(report())])
    assert request.url.path == f"/v1/jobs/{JOB}/report"
    assert result.stdout.splitlines() == [
        f"Job          {JOB}",
        "Name         First\N{REPLACEMENT CHARACTER} catalog",
        "State        completed_with_errors",
        "Items        4 (3 succeeded, 1 failed)",
        "Images       3",
        "Settled      $0.0217 of a cap of $2.00",
        "Written off  $0.05",
        "Uncertain    1 item with a call whose bill can't be known",
        "Estimate     likely $0.0524, at most $0.16",
        "Ended        2026-11-20 10:00:09 UTC",
        "Price table  2026-11-20",
        "",
        "Model                State      Items  Images  Settled  Written off  Uncertain",
        "gpt-image-2.5-flare  succeeded      3       3  $0.0217        $0.05          1",
    ]


def test_what_is_rare_on_a_receipt(typed: Type) -> None:
    drift = {"model": "m", "calls": 2, "above_usd": "0.03", "factor": "1.5"}
    result, _ = typed("report", JOB, answers=[answer(report(vanished_usd="0.02", drift=[drift]))])
    assert "Written off  $0.05, $0.02 of it for items that show nothing" in result.stdout
    assert "Drift: 2 calls of m cost $0.03 more than was reserved" in result.stdout
    assert "by 1.5 in the end" in result.stdout


def test_wide_tables_are_cut_to_80_columns(typed: Type) -> None:
    wide = LINE | {"model": "m" * 60, "settled_usd": "123456.00"}
    result, _ = typed("report", JOB, answers=[answer(report(lines=[wide, LINE]))])
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert "mmm…" in result.stdout


def test_a_receipt_with_its_items(typed: Type) -> None:
    calls = [
        call("written_off", "0.02", code="timeout"),
        call("settled", "0.01", request_id="req_1"),
    ]
    item = bill(custom_id="ring", variant="wide", cost_usd="0.03", uncertain_usd="0.02", attempts=calls)
    other = bill(custom_id="a\x1b", state="failed", error={"code": "c", "detail": "why"})
    pages = [{"data": [each], "has_more": each is item, "last": "0.7"} for each in (item, other)]
    result, requests = typed("report", JOB, "--items", answers=[answer(report()), *map(answer, pages)])
    assert result.stdout.splitlines()[-5:] == [
        "",
        "ring wide  succeeded  $0.03, $0.02 of it uncertain",
        "  written_off $0.02 of $0.02  timeout",
        "  settled $0.01 of $0.02  req_1",
        "a\N{REPLACEMENT CHARACTER}  failed  $0.00: why",
    ]
    assert [request.url.params.get("after") for request in requests[1:]] == [None, "0.7"]


@pytest.mark.parametrize(("words", "items"), [([], None), (["--items"], "true")])
def test_a_receipt_as_the_service_wrote_it(words: list[str], items: str | None, typed: Type) -> None:
    result, [request] = typed("report", JOB, "--json", *words, answers=[answer({"new": "é"})])
    assert json.loads(result.stdout) == {"new": "é"}
    assert request.url.params.get("items") == items


@pytest.mark.parametrize("words", [[], ["--json"]])
def test_a_job_that_runs_has_no_receipt(words: list[str], typed: Type) -> None:
    problem = {"title": "The job has not ended", "detail": "it has no report yet"}
    result, _ = typed("report", JOB, *words, answers=[answer(problem, 409)])
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines() == ["Error: The job has not ended", "  it has no report yet"]


# --- a tenant's money ----------------------------------------------------------------------------


def test_usage(typed: Type) -> None:
    result, [request] = typed(
        "usage", "--from", "2026-11-01", "--to", "2026-11-20", answers=[answer(usage())]
    )
    assert dict(request.url.params) == {"from": "2026-11-01", "to": "2026-11-20"}
    assert result.stdout.splitlines() == [
        "Tenant default, 2026-11-01 to 2026-11-20 (Europe/Berlin)",
        "",
        "Window      Spent        Cap     Left                  Ends",
        "today       $1.75  $1,000.00  $998.25  2026-11-21 00:00 UTC",
        "this month  $1.75       none           2026-11-21 00:00 UTC",
        "Leased to running jobs, and not yet spent: $0.40",
        "",
        "Day         Settled  Written off",
        "2026-11-20    $1.25        $0.50",
        "all           $1.25        $0.50",
        "",
        "Model                Settled  Written off",
        "gpt-image-2.5-flare    $1.25        $0.50",
        "all                    $1.25        $0.50",
        "",
        "Job                             State                  Settled  Written off",
        f"{JOB}  completed_with_errors    $1.25        $0.50",
        "  Rings",
    ]


def test_usage_of_the_service_s_own_days(typed: Type) -> None:
    result, [request] = typed("usage", "--json", answers=[answer(usage(new=1))])
    assert json.loads(result.stdout)["new"] == 1
    assert not request.url.params


def test_usage_fits_80_columns(typed: Type) -> None:
    much = {"settled_usd": "123456.78", "written_off_usd": "12345.67"}
    one = {"id": JOB, "name": "n" * 200, "state": "completed_with_errors", **much}
    result, _ = typed("usage", answers=[answer(usage(jobs=[one], models={"m" * 90: much}))])
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert JOB in result.stdout


def test_no_day(typed: Type) -> None:
    result, requests = typed("usage", "--from", "yesterday", answers=[answer(usage())])
    assert (result.exit_code, requests) == (2, [])


CAPS = {"tenant": "default", "day_usd": "1000.00", "month_usd": None, "time_zone": "UTC"}


def test_caps_are_shown_to_the_operator(typed: Type) -> None:
    result, [request] = typed("caps", "--tenant", "shop-1", answers=[answer(CAPS)])
    assert sent(request) == ("GET", "/v1/tenants/shop-1/caps", None)
    assert request.headers["Authorization"] == "Bearer im_admin_secret"
    assert result.stdout.splitlines() == [
        "Tenant    default",
        "Day       $1,000.00",
        "Month     none",
        "Time zone UTC",
    ]


@pytest.mark.parametrize(
    ("words", "body"),
    [
        (["--month-usd", "5"], {"day_usd": "1000.00", "month_usd": "5", "time_zone": "UTC"}),
        (["--day-usd", "none"], {"time_zone": "UTC"}),
        (["--time-zone", "+05:30"], {"day_usd": "1000.00", "time_zone": "+05:30"}),
    ],
)
def test_caps_that_are_not_given_stay(words: list[str], body: object, typed: Type) -> None:
    result, [_, request] = typed("caps", *words, answers=[answer(CAPS), answer(CAPS | {"day_usd": "7"})])
    assert sent(request) == ("PUT", "/v1/tenants/default/caps", body)
    assert "Day       $7.00" in result.stdout


def test_no_tenant(typed: Type) -> None:
    result, requests = typed("caps", "--tenant", "../jobs", answers=[answer(CAPS)])
    assert (result.exit_code, requests) == (2, [])


def test_a_key_that_is_not_the_operators(typed: Type) -> None:
    problem = {"title": "This key may not do that", "detail": "this takes the operator's key"}
    result, _ = typed("caps", answers=[answer(problem, 403)])
    assert result.exit_code == 1
    assert "the operator's key" in result.stderr
    assert "secret" not in result.output
