"""Schedules are made and changed."""

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.unit.cli.answers import answer
from tests.unit.cli.conftest import Type
from tests.unit.cli.test_verbs import FILED, PLAN, SCHEDULE

WEEKLY = ("--cron", "0 6 * * 1", "--time-zone", "Europe/Berlin")
LEAST = ("--id", "i", "--prompt", "{{ run.date }}", "--model", "m", "--cap", "5")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("job.json").write_text(json.dumps({"items": [], "budget": {"limit_usd": "5.00"}}))
    Path("shop.csv").write_text("sku\n1\n")


def sent(request: httpx2.Request) -> Any:
    return json.loads(request.content)


def test_one_by_options(typed: Type) -> None:
    words = (
        "--every", "6h", "--jitter", "90s", "--start", "2027-01-01", "--end", "2027-02-01T06:00:00+01:00",
        "--overlap", "buffer_one", "--catchup", "2d", "--runs", "10", "--month-usd", "50", "--note", "n",
        "--paused", "--idempotency-key", "once",
    )  # fmt: skip
    result, [request] = typed(
        "schedules", "create", "weekly", *WEEKLY, *words, "--job", "job.json", answers=[answer(PLAN, 201)]
    )
    assert (result.exit_code, result.stdout) == (0, f"{SCHEDULE}\n")
    assert "Every Monday at 06:00" in result.stderr
    assert (request.method, request.url.path) == ("POST", "/v1/schedules")
    assert request.headers["Idempotency-Key"] == "once"
    assert sent(request) == {
        "name": "weekly",
        "spec": {
            "cron": ["0 6 * * 1"],
            "every_seconds": 21600,
            "time_zone": "Europe/Berlin",
            "jitter_seconds": 90,
            "start": "2027-01-01T00:00:00+00:00",
            "end": "2027-02-01T06:00:00+01:00",
        },
        "overlap": "buffer_one",
        "catchup_seconds": 172800,
        "runs": 10,
        "budget": {"month_usd": "50"},
        "note": "n",
        "paused": True,
        "job": {"items": [], "budget": {"limit_usd": "5.00"}},
    }


def test_one_of_a_file_that_is_uploaded(typed: Type) -> None:
    words = ("schedules", "create", "daily", *WEEKLY, "--manifest", "shop.csv", *LEAST)
    result, requests = typed(*words, answers=[answer(FILED), answer(PLAN, 201)])
    assert result.exit_code == 0, result.output
    assert sent(requests[-1])["job"]["manifest"] == {
        "format": "csv",
        "id": "i",
        "prompt": "{{ run.date }}",
        "file_id": "file_1",
    }


@pytest.mark.parametrize(
    ("words", "source"),
    [
        (("--newest", "s3://shop/feeds/"), {"newest": "s3://shop/feeds/"}),
        (("--feed-url", "https://shop.example.com/feed"), {"url": "https://shop.example.com/feed"}),
    ],
)
def test_one_of_a_feed_that_is_found_at_each_run(words: tuple[str, ...], source: Any, typed: Type) -> None:
    result, [request] = typed(
        "schedules", "create", "daily", *WEEKLY, *words, *LEAST, "--manifest-format", "jsonl",
        answers=[answer(PLAN, 201)],
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    manifest = sent(request)["job"]["manifest"]
    assert (manifest["source"], manifest["format"]) == (source, "jsonl")


def test_one_from_a_file_of_json(typed: Type) -> None:
    whole = {"name": "a", "spec": {"calendars": [{"hour": 6}]}, "job": {"items": []}, "overlap": "skip"}
    words = ("schedules", "create", "other", "--from", "-", "--note", "mine", "--json")
    result, [request] = typed(*words, answers=[answer(PLAN, 201)], stdin=json.dumps(whole))
    assert json.loads(result.stdout) == PLAN
    assert sent(request) == whole | {"name": "other", "note": "mine"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((*WEEKLY, "--job", "job.json"), "a schedule also needs a NAME"),
        (("a", "--job", "job.json"), "a schedule also needs --cron, --every or --from"),
        (("a", *WEEKLY), "say what to submit: --job, or --manifest, --newest or --feed-url"),
        (("a", *WEEKLY, "--newest", "s3://a/", "--feed-url", "https://b"), "two sources; give one"),
        (("a", "--every", "often", "--job", "job.json"), "one looks like 90s, 15m, 2h or 7d"),
        (("a", *WEEKLY, "--start", "soon", "--job", "job.json"), "'soon' is no moment"),
        (("a", *WEEKLY, "--month-usd", "much", "--job", "job.json"), "'much' is no amount"),
        (("a", "--from", "job.jso"), "can't be read"),
        (("a", "--from", "shop.csv"), "the schedule is no JSON"),
    ],
)
def test_what_is_missing_or_wrong(words: tuple[str, ...], said: str, typed: Type) -> None:
    result, requests = typed("schedules", "create", *words, answers=[answer({})])
    assert (result.exit_code, requests) == (2, [])
    assert said in " ".join(result.stderr.replace("│", "").split())


@pytest.mark.parametrize(
    ("words", "change"),
    [
        (("--name", "new"), {"name": "new"}),
        (("--note", "why", "--overlap", "skip"), {"note": "why", "overlap": "skip"}),
        (("--cron", "0 7 * * 1"), {"spec": {"cron": ["0 7 * * 1"], "time_zone": "Europe/Berlin"}}),
        (("--jitter", "1m"), {"spec": PLAN["spec"] | {"jitter_seconds": 60}}),
        (("--every", "2h"), {"spec": {"every_seconds": 7200, "time_zone": "Europe/Berlin"}}),
        (("--month-usd", "9"), {"budget": {"month_usd": "9", "time_zone": "UTC"}}),
        (
            ("--cap", "7"),
            {"job": {"budget": {"limit_usd": "7", "on_exhausted": "skip"}, "items": []}},
        ),
        (("--job", "job.json"), {"job": {"items": [], "budget": {"limit_usd": "5.00"}}}),
    ],
)
def test_what_is_not_said_stays(words: tuple[str, ...], change: Any, typed: Type) -> None:
    result, [_, request] = typed("schedules", "edit", SCHEDULE, *words, answers=[answer(PLAN)])
    assert result.exit_code == 0, result.output
    assert (request.method, request.url.path) == ("PATCH", f"/v1/schedules/{SCHEDULE}")
    assert sent(request) == change
    assert "State" in result.stdout


def test_nothing_to_change(typed: Type) -> None:
    result, requests = typed("schedules", "edit", SCHEDULE, answers=[answer(PLAN)])
    assert (result.exit_code, requests) == (2, [])


def test_a_preview_of_one_thing(typed: Type) -> None:
    for words in ((), (SCHEDULE, "--cron", "0 6 * * 1")):
        result, requests = typed("schedules", "preview", *words, answers=[answer({})])
        assert (result.exit_code, requests) == (2, [])


def test_pages_of_schedules_are_small_and_followed_by_their_last_id(typed: Type) -> None:
    first = {"data": [PLAN], "has_more": True, "last_id": SCHEDULE}
    second = {"data": [PLAN], "has_more": False, "last_id": None}
    result, requests = typed("schedules", "list", "--all", "--json", answers=[answer(first), answer(second)])
    assert len(result.stdout.splitlines()) == 2
    assert [dict(request.url.params) for request in requests] == [
        {"limit": "100"},
        {"limit": "100", "after": SCHEDULE},
    ]
