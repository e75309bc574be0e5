"""Answers of the service, made up."""

import json
from typing import Any

import httpx2

JOB = "job_01J9ZC3V5N8Q4T6W7XKABCDEFG"


ESTIMATE = {"low_usd": "0.05", "expected_usd": "0.0524", "high_usd": "0.16", "uncertain": []}


def cost(**changes: str) -> dict[str, str]:
    """A job's money, nothing of it spent unless said."""
    nothing = {f"{name}_usd": "0.00" for name in ("settled", "reserved", "written_off", "committed")}
    return nothing | {"limit_usd": "2.00"} | changes


def hold(code: str, **changes: Any) -> dict[str, Any]:
    """Why a job is held."""
    nothing = dict.fromkeys(("next_probe", "smallest_usd", "likely_usd", "until"))
    return {"code": code, "detail": f"It is {code}.", "since": "2026-11-20T10:00:02Z"} | nothing | changes


def validation(**changes: Any) -> dict[str, Any]:
    """An estimate of four items that the cap is enough for."""
    return {
        "object": "validation",
        "items": 4,
        "invalid_rows": None,
        "estimate": ESTIMATE,
        "limit_usd": "2.00",
        "enough": "surely",
        "failure": None,
        "warnings": [],
    } | changes


def job(**changes: Any) -> dict[str, Any]:
    """A job that runs."""
    return {
        "id": JOB,
        "object": "job",
        "name": None,
        "state": "running",
        "created_at": "2026-11-20T10:00:00Z",
        "started_at": "2026-11-20T10:00:01Z",
        "ended_at": None,
        "items": items(total=4, succeeded=1, running=3),
        "images": 1,
        "cost": {
            "settled_usd": "0.0131",
            "reserved_usd": "0.04",
            "written_off_usd": "0.00",
            "committed_usd": "0.06",
            "limit_usd": "2.00",
        },
        "uncertain": 0,
        "estimate": ESTIMATE,
        "warnings": [],
        "images_per_minute": 30.0,
        "seconds_left": 6.0,
        "hold": None,
        "failure": None,
        "invalid_rows": None,
        "links": {},
    } | changes


def ended(**changes: Any) -> dict[str, Any]:
    """A job that went well."""
    done = {"state": "completed", "ended_at": "2026-11-20T10:00:09Z", "items": items(total=4, succeeded=4)}
    return job(**done, images=4) | changes


def items(**counts: int) -> dict[str, int | None]:
    """Counts by state."""
    names = ("total", "pending", "running", "succeeded", "blocked", "failed", "skipped", "cancelled")
    return {name: counts.get(name, 0) for name in names}


def answer(body: object, status: int = 200, **headers: str) -> httpx2.Response:
    """JSON."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx2.Response(status, content=json.dumps(body), headers=named)


class Script:
    """A transport that answers one thing after the other; the last again and again."""

    def __init__(self, *steps: httpx2.Response | Exception) -> None:
        self.steps = list(steps)
        self.requests: list[httpx2.Request] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        request.read()
        self.requests.append(request)
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        if isinstance(step, Exception):
            raise step
        return httpx2.Response(step.status_code, content=step.content, headers=step.headers)

    @property
    def transport(self) -> httpx2.MockTransport:
        return httpx2.MockTransport(self)
