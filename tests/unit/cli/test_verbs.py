"""Every verb of the API can be typed, says something to people, and gives programs the answer as it came."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.unit.cli.answers import JOB, answer, ended, job, validation
from tests.unit.cli.conftest import Type
from tests.unit.cli.test_money import CAPS, usage

ROOT = Path(__file__).resolve().parents[3]
FILE, UPLOAD, EVENT, SCHEDULE = "file_1", "upload_1", "evt_1", "sched_1"
Json = dict[str, Any]


def page(*entries: Json, **more: Any) -> Json:
    return {"object": "list", "data": list(entries), "has_more": False, "last": None} | more


FILED: Json = {
    "id": FILE,
    "object": "file",
    "bytes": 3,
    "filename": "shop.csv",
    "sha256": "0" * 64,
    "created_at": "2026-11-20T09:30:00Z",
}
UPLOADED: Json = {
    "id": UPLOAD,
    "object": "upload",
    "filename": "shop.csv",
    "bytes": 3,
    "part_bytes": 2,
    "received_bytes": 2,
    "parts": [{"number": 1, "bytes": 2}],
    "file": None,
}
LISTED: Json = {
    "id": JOB,
    "object": "job",
    "name": "spring\x1b[2J",
    "state": "running",
    "items": None,
    "total": 4000,
    "settled_usd": "1.50",
    "written_off_usd": "0.25",
    "metadata": {},
}
ITEM: Json = {
    "custom_id": "a/b",
    "variant": "wide",
    "state": "succeeded",
    "images": [{"key": "images/1.webp", "width": 16, "height": 9}],
    "cost_usd": "0.005945",
    "uncertain_usd": "0.00",
    "error": None,
    "attempts": [],
}
DELIVERY: Json = {
    "id": EVENT,
    "object": "webhook_delivery",
    "type": "job.held",
    "job": JOB,
    "host": "shop.example.com",
    "state": "failed",
    "created_at": "2026-11-20T09:30:00Z",
    "next_attempt_at": None,
    "attempts": [{"at": "2026-11-20T09:30:00Z", "seconds": 0.1, "status": 500}],
}
SECRET: Json = {"secret": "whsec_x", "old_expire_at": ["2026-11-21T09:30:00Z"]}
DISABLED: Json = {"target": "t", "host": "shop.example.com", "at": "2026-11-20T09:30:00Z", "event": EVENT}
MODEL: Json = {
    "id": "flare",
    "available": True,
    "bought_as": "flare",
    "shutdown": None,
    "successor": None,
    "sizes": None,
    "qualities": ["low", "high"],
    "formats": ["png"],
    "uncertain": None,
    "pools": [{"name": "default", "default": True, "prices": {"image_usd": "0.04", "text_in_usd": None}}],
}
REPORT: Json = {
    "job": JOB, "name": None, "state": "completed", "created_at": "2026-11-20T09:30:00Z",
    "ended_at": "2026-11-20T09:31:00Z", "items": ended()["items"], "images": 4, "uncertain": 0,
    "limit_usd": "2.00", "settled_usd": "0.05", "written_off_usd": "0.00", "vanished_usd": "0.00",
    "estimate": None, "lines": [], "drift": [], "price_table": None,
}  # fmt: skip
TIME = {"at": "2026-03-29T04:00:00Z", "local": "2026-03-29T06:00:00+02:00"}
PREVIEW: Json = {"object": "preview", "words": "Every Sunday at 06:00", "times": [TIME], "jitter_seconds": 60}
RUN: Json = {"number": 2, "at": "2026-03-29T04:00:00Z", "job": JOB, "state": "held", "hold": "budget"}
PLAN: Json = {
    "id": SCHEDULE,
    "object": "schedule",
    "name": "weekly",
    "state": "active",
    "note": "a\x1b[31mb",
    "spec": {"cron": ["0 6 * * 1"], "calendars": [], "every_seconds": None, "time_zone": "Europe/Berlin"},
    "words": "Every Monday at 06:00",
    "overlap": "skip",
    "runs_left": None,
    "job": {"budget": {"limit_usd": "5.00", "on_exhausted": "skip"}, "items": []},
    "budget": {"month_usd": "50.00", "spent_usd": "1.25", "left_usd": "48.75", "time_zone": "UTC"},
    "next": [TIME],
    "last_run": RUN,
}
SHARE: Json = {
    "object": "share",
    "gallery_url": "http://store.test/g",
    "contact_sheet_url": "http://store.test/c",
    "expires_at": "2026-11-27T00:00:00Z",
}
SYSTEM: Json = {
    "parts": [{"name": "engine", "state": "ok"}],
    "pools": [
        {"name": "p", "groups": [{"name": "g", "state": "ok", "images_per_minute": 12.5, "backlog": None}]}
    ],
    "workers": [{"name": "1@host", "seen_at": "2026-11-20T09:30:00.5Z", "alive": True, "queues": ["q"]}],
    "queues": [{"name": "q", "kind": "activity", "backlog": 7, "pollers": 1, "oldest_seconds": 1.0}],
    "warnings": ["look"],
}
MEANING: Json = {"title": "There is no such thing", "about": "Nothing is there.", "remedy": "Check the id."}
KEY_QUERY = ("--job", JOB, "--state", "failed")
THING = "a document"
LIST = "a list"

VERBS: list[tuple[tuple[str, ...], str, Json, str, str]] = [
    (("status", JOB), "GET /v1/jobs/{job}", job(), "State     running", THING),
    (("jobs", "show", JOB), "GET /v1/jobs/{job}", job(), "State     running", THING),
    (("watch", JOB), "GET /v1/jobs/{job}", ended(), "completed   4/4 items", LIST),
    (("pause", JOB), "POST /v1/jobs/{job}/pause", job(state="pausing"), f"{JOB} pausing", THING),
    (("resume", JOB), "POST /v1/jobs/{job}/resume", job(), f"{JOB} goes on", THING),
    (("cancel", JOB), "POST /v1/jobs/{job}/cancel", job(), f"{JOB} cancelling", THING),
    (("retry", JOB, "--cap", "1"), "POST /v1/jobs/{job}/retry", job(), JOB, THING),
    (("budget", JOB, "--cap", "3"), "PATCH /v1/jobs/{job}", job(), "may spend .2.00 in all", THING),
    (("jobs", "priority", JOB, "1"), "PATCH /v1/jobs/{job}", job(), "now has priority 1", THING),
    (("jobs", "webhook", JOB, "--nobody"), "PATCH /v1/jobs/{job}", job(), "tells nobody any more", THING),
    (("jobs", "list"), "GET /v1/jobs", page(LISTED), r"running  4,000  \$1\.75  spring.\[2J", LIST),
    (("jobs", "items", JOB), "GET /v1/jobs/{job}/items", page(ITEM), r"a/b +wide +succeeded", LIST),
    (
        ("jobs", "item", JOB, "a/b", "--variant", "wide"),
        "GET /v1/jobs/{job}/items/{custom_id}",
        ITEM,
        "16 x 9  images/1.webp",
        THING,
    ),
    (("report", JOB), "GET /v1/jobs/{job}/report", REPORT, r"Settled +\$0\.05", THING),
    (("share", JOB), "POST /v1/jobs/{job}/share", SHARE, "Gallery +http://store.test/g", THING),
    (("files", "list"), "GET /v1/files", page(FILED), f"{FILE}  shop.csv  2026-11-20 09:30", LIST),
    (("files", "show", FILE), "GET /v1/files/{file_id}", FILED, "Name +shop.csv", THING),
    (("files", "upload", "shop.csv"), "POST /v1/files", FILED, FILE, THING),
    (("files", "delete", FILE), "DELETE /v1/files/{file_id}", {}, f"{FILE} is gone", "own"),
    (("files", "parts", UPLOAD), "GET /v1/uploads/{upload_id}", UPLOADED, "Bytes +2 of 3", THING),
    (("files", "give-up", UPLOAD), "DELETE /v1/uploads/{upload_id}", {}, f"{UPLOAD} is gone", "own"),
    (
        ("webhooks", "deliveries", *KEY_QUERY),
        "GET /v1/webhooks/deliveries",
        page(DELIVERY),
        "job.held  failed      1          500",
        LIST,
    ),
    (("webhooks", "show", EVENT), "GET /v1/webhooks/deliveries/{event}", DELIVERY, "500  after 0.1 s", THING),
    (
        ("webhooks", "redeliver", EVENT),
        "POST /v1/webhooks/deliveries/{event}/redeliver",
        DELIVERY,
        "is sent again",
        THING,
    ),
    (("webhooks", "secret"), "GET /v1/webhooks/secret", SECRET, "^whsec_x\n$", THING),
    (("webhooks", "rotate"), "POST /v1/webhooks/secret/rotate", SECRET, "^whsec_x\n$", THING),
    (
        ("webhooks", "disabled"),
        "GET /v1/webhooks/targets/disabled",
        page(DISABLED),
        "shop.example.com  2026-11-20 09:30",
        LIST,
    ),
    (("models",), "GET /v1/models", page(MODEL), "flare  yes   -      low, high", LIST),
    (("models", "flare"), "GET /v1/models/{model}", MODEL, r"At default +\$0.04 for an image", THING),
    (("usage",), "GET /v1/usage", usage(), "Tenant", THING),
    (("caps",), "GET /v1/tenants/{name}/caps", CAPS, "Tenant", THING),
    (("caps", "--reset"), "DELETE /v1/tenants/{name}/caps", CAPS, "Tenant", THING),
    (("tenants",), "GET /v1/tenants", page(usage()), r"default +.1\.25 +.0\.50 +.1\.75", LIST),
    (("explain", "not-found"), "GET /problems/{slug}", MEANING, "Check the id.", THING),
    (("system",), "GET /v1/system", SYSTEM, "p/g +ok +12 +-", THING),
    (("schedules", "list"), "GET /v1/schedules", page(PLAN), "active  2026-03-29 06:00  weekly", LIST),
    (
        ("schedules", "show", SCHEDULE),
        "GET /v1/schedules/{schedule}",
        PLAN,
        r"Next +Sun 2026-03-29 06:00 \(Sun 04:00 UTC\)",
        THING,
    ),
    (
        ("schedules", "pause", SCHEDULE, "--note", "shut"),
        "POST /v1/schedules/{schedule}/pause",
        PLAN,
        "Note +a.\\[31mb",
        THING,
    ),
    (("schedules", "resume", SCHEDULE), "POST /v1/schedules/{schedule}/resume", PLAN, "State +active", THING),
    (
        ("schedules", "trigger", SCHEDULE),
        "POST /v1/schedules/{schedule}/trigger",
        {"object": "trigger", "at": "2026-11-20T09:30:00Z", "job": JOB},
        JOB,
        THING,
    ),
    (
        ("schedules", "backfill", SCHEDULE, "--start", "2026-11-01", "--end", "2026-11-15T06:00:00+01:00"),
        "POST /v1/schedules/{schedule}/backfill",
        {"object": "backfill", "times": 2},
        "2 times",
        THING,
    ),
    (
        ("schedules", "preview", SCHEDULE),
        "GET /v1/schedules/{schedule}/preview",
        PREVIEW,
        "Every Sunday at 06:00\n  Sun 2026-03-29 06:00",
        THING,
    ),
    (
        ("schedules", "preview", "--cron", "0 6 * * 0"),
        "POST /v1/schedules/preview",
        PREVIEW,
        "Each up to 60 s later",
        THING,
    ),
    (
        ("schedules", "runs", SCHEDULE),
        "GET /v1/schedules/{schedule}/runs",
        page(RUN),
        f"2    2026-03-29 04:00  {JOB}  held   budget",
        LIST,
    ),
    (
        ("schedules", "delete", SCHEDULE),
        "DELETE /v1/schedules/{schedule}",
        {},
        f"{SCHEDULE} is gone",
        "own",
    ),
]
ELSEWHERE = {
    "POST /v1/jobs": "test_asking, test_submit",
    "GET /v1/jobs/{job}/results": "test_streams",
    "GET /v1/jobs/{job}/events": "test_streams",
    "GET /v1/jobs/{job}/items/{custom_id}/images/{n}": "test_streams",
    "GET /v1/files/{file_id}/content": "test_files",
    "GET /v1/validations/{validation}/errors": "test_estimate",
    "PUT /v1/tenants/{name}/caps": "test_money",
    "POST /v1/uploads": "test_files",
    "PUT /v1/uploads/{upload_id}/parts/{number}": "test_files",
    "POST /v1/uploads/{upload_id}/complete": "test_files",
    "POST /v1/schedules": "test_schedules",
    "PATCH /v1/schedules/{schedule}": "test_schedules",
    "GET /healthz": "test_doctor",
    "GET /readyz": "test_doctor",
}
NAMES = [" ".join(words) for words, *_ in VERBS]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shop.csv").write_text("a\n1")
    monkeypatch.chdir(tmp_path)


def verb(request: httpx2.Request, template: str) -> bool:
    method, path = template.split(" ")
    pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path))
    raw = request.url.raw_path.decode().split("?")[0]
    return request.method == method and re.fullmatch(pattern, raw) is not None


@pytest.mark.parametrize(("words", "template", "said", "shown", "_"), VERBS, ids=NAMES)
def test_it_says_something(
    words: tuple[str, ...], template: str, said: Json, shown: str, _: str, typed: Type
) -> None:
    result, requests = typed(*words, answers=[answer(said)])
    assert result.exit_code == 0, result.output
    assert verb(requests[-1], template), requests[-1]
    assert re.search(shown, result.stdout), result.stdout
    assert "\x1b" not in result.output


@pytest.mark.parametrize(("words", "_", "said", "__", "kind"), VERBS, ids=NAMES)
def test_programs_get_the_answer_and_nothing_else(
    words: tuple[str, ...], _: str, said: Json, __: str, kind: str, typed: Type
) -> None:
    result, _requests = typed(*words, "--json", answers=[answer(said)])
    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    if kind == "own":
        assert lines == [{"id": words[-1], "deleted": True}]
    elif kind == LIST:
        assert lines == said.get("data", [said])
    else:
        assert lines == [said]


@pytest.mark.parametrize("words", [words for words, *_ in VERBS], ids=NAMES)
def test_an_error_is_a_sentence_and_leaves_standard_output_alone(words: tuple[str, ...], typed: Type) -> None:
    problem = {"title": "There is no such thing", "detail": "look elsewhere"}
    result, _ = typed(*words, "--json", answers=[answer(problem, 404)])
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "Error: There is no such thing\n  look elsewhere\n"


@pytest.mark.parametrize("words", [("status", JOB), ("jobs", "list"), ("schedules", "list")])
def test_a_service_that_is_away(words: tuple[str, ...], typed: Type) -> None:
    away = answer({"title": "A part is away", "detail": ""}, 503)
    result, _ = typed(*words, answers=[away])
    assert (result.exit_code, result.stdout) == (5, "")


def operations() -> Iterator[str]:
    described = json.loads((ROOT / "docs/reference/openapi.json").read_text())
    for path, methods in described["paths"].items():
        yield from (f"{method.upper()} {path}" for method in methods)


def test_every_verb_of_the_api_can_be_typed() -> None:
    assert set(operations()) - {template for _, template, *_ in VERBS} - set(ELSEWHERE) == set()
    here = Path(__file__).parent
    for names in ELSEWHERE.values():
        assert all((here / f"{name}.py").is_file() for name in names.split(", ")), names


def test_pages_are_followed_up_to_the_limit(typed: Type) -> None:
    first = page(LISTED, LISTED, has_more=True, last="2")
    last = page(LISTED, has_more=True, last="3")
    result, requests = typed("jobs", "list", "--limit", "3", "--json", answers=[answer(first), answer(last)])
    assert len(result.stdout.splitlines()) == 3
    assert [dict(request.url.params) for request in requests] == [
        {"limit": "3"},
        {"limit": "1", "after": "2"},
    ]


def test_filters_of_jobs(typed: Type) -> None:
    words = ("--state", "held", "--name", "spring", "--since", "2026-11-01", "--metadata", "shop=a=b")
    result, [request] = typed("jobs", "list", *words, answers=[answer(page())])
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "There are no such jobs.\n"
    assert dict(request.url.params) == {
        "state": "held",
        "name": "spring",
        "submitted_after": "2026-11-01T00:00:00+00:00",
        "metadata.shop": "a=b",
        "limit": "50",
    }


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("jobs", "list", "--state", "gone"), "there are queued, validating, running"),
        (("jobs", "list", "--metadata", "spring"), "one looks like season=spring"),
        (("jobs", "webhook", JOB), "give the URL of a receiver, or --nobody"),
        (("jobs", "webhook", JOB, "https://x", "--nobody"), "give the URL of a receiver, or --nobody"),
        (("share", JOB, "--expires", "soon"), "one looks like 12h or 7d"),
        (("files", "show", "a/b"), "is no id of a file; one looks like file_"),
        (("schedules", "show", "../x"), "is no id of a schedule; one looks like sched_"),
        (("status", "a b"), "is no id of a job; one looks like job_"),
        (("watch", JOB, "a/b"), "is no id of a job"),
        (("watch",), "give the ids of jobs, or --all"),
        (("watch", JOB, "--all"), "give the ids of jobs, or --all"),
        (("retry", JOB), "--limit-usd"),
        (("caps", "--reset", "--day-usd", "1"), "leave the other caps out"),
    ],
)
def test_usage_errors_send_nothing(words: tuple[str, ...], said: str, typed: Type) -> None:
    result, requests = typed(*words, answers=[answer({})])
    assert (result.exit_code, result.stdout, requests) == (2, "", [])
    assert said in " ".join(result.stderr.replace("│", "").split())


def test_what_a_retry_asks_for(typed: Type) -> None:
    words = (
        "--cap",
        "2.50",
        "--state",
        "failed",
        "--state",
        "skipped",
        "--item",
        "a",
        "--idempotency-key",
        "k",
    )
    result, [request] = typed("retry", JOB, *words, answers=[answer(job(), 202)])
    assert result.stdout == f"{JOB}\n"
    assert request.headers["Idempotency-Key"] == "k"
    assert json.loads(request.content) == {
        "budget": {"limit_usd": "2.50"},
        "states": ["failed", "skipped"],
        "items": ["a"],
    }


def test_an_estimate_that_is_submitted_is_one_document(typed: Type) -> None:
    body = json.dumps({"items": [], "budget": {"limit_usd": "1.00"}})
    answers = [answer(validation()), answer(job(), 202), answer(job()), answer(ended())]
    result, _ = typed("submit", "--job", "-", "--json", answers=answers, stdin=body)
    assert [json.loads(line)["id"] for line in result.stdout.splitlines()] == [JOB]
    answers = [answer(validation()), answer(job(), 202), answer(job()), answer(ended())]
    watched, _ = typed("submit", "--job", "-", "--json", "--watch", answers=answers, stdin=body)
    assert [json.loads(line)["state"] for line in watched.stdout.splitlines()] == [
        "running",
        "running",
        "completed",
    ]
