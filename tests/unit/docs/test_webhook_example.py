"""The receiver that the page shows takes what the sender sends, and nothing else."""

import json
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from api.models import JobBody
from docs.build import ROOT
from imagemill.domain.job import Counts, Hold
from imagemill.domain.webhooks import DEFAULT_EVENTS, Notice, body_of
from imagemill.ports import Letter
from imagemill.webhook_secrets import new_secret
from imagemill.webhooks.sender import signed_headers
from tests.unit.docs.test_examples import blocks

PAGE = ROOT / "docs" / "howto" / "webhooks.md"
REFERENCE = ROOT / "docs" / "reference" / "webhooks.md"
JOB = "job_01J9ZC3V5N8Q4T6W7XKABCDEFG"
NOW = datetime(2026, 11, 20, 10, 0, 2, 120000, tzinfo=UTC)
NOTICE = Notice(
    type="job.held",
    number=1,
    at=NOW,
    state="held",
    name="spring-catalog",
    items=4,
    counts=Counts(succeeded=1, images=1),
    hold=Hold(code="budget", since=NOW),
)


async def test_the_shown_receiver_verifies_and_takes_each_event_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = new_secret()
    monkeypatch.setenv("IMAGEMILL_WEBHOOK_SECRET", secret)
    shown: dict[str, Any] = {}
    (code,) = blocks(PAGE, "python")
    exec(compile(code, str(PAGE), "exec"), shown)
    letter = Letter("evt_1", body_of(JOB, NOTICE), [new_secret(), secret])
    headers = signed_headers(letter, datetime.now(UTC))
    transport = httpx2.ASGITransport(app=shown["app"])
    async with httpx2.AsyncClient(transport=transport, base_url="http://shop") as http:
        answers = [
            await http.post("/hooks/imagemill", content=body, headers=headers)
            for body in (letter.body, letter.body, letter.body + b" ")
        ]
    assert [answer.status_code for answer in answers] == [204, 204, 400]
    assert capsys.readouterr().out == f"job.held {JOB} held\n"


def test_the_shown_submission_is_taken() -> None:
    (text,) = blocks(PAGE, "json")
    webhook = JobBody.model_validate_json(text).webhook
    assert webhook
    assert sorted(webhook.events) == sorted(DEFAULT_EVENTS)


def test_the_shown_body_has_the_fields_of_a_real_one() -> None:
    def fields(node: Any) -> Any:
        return {name: fields(child) for name, child in node.items()} if isinstance(node, dict) else None

    (text,) = blocks(REFERENCE, "json")
    assert fields(json.loads(text)) == fields(json.loads(body_of(JOB, NOTICE)))
