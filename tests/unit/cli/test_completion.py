"""What the shell offers: ids from the service, and never a word of trouble."""

from pathlib import Path

import httpx2
import pytest
from typer.testing import CliRunner

from cli import completion
from cli.main import app
from tests.unit.cli.answers import Script, answer

LISTED = {"data": [{"id": "job_1", "state": "held", "name": "a\x1bb"}, {"id": "other", "state": "queued"}]}


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Script:
    script = Script(answer(LISTED))
    monkeypatch.setattr(completion, "TRANSPORT", script.transport)
    monkeypatch.setenv("IMAGEMILL_URL", "http://mill.test")
    monkeypatch.setenv("IMAGEMILL_API_KEY", "im_id_secret")
    return script


def test_ids_with_what_they_are(service: Script) -> None:
    assert completion.jobs("job") == [("job_1", "held a\N{REPLACEMENT CHARACTER}b")]
    [request] = service.requests
    assert (request.url.path, request.headers["Authorization"]) == ("/v1/jobs", "Bearer im_id_secret")


def test_the_other_lists(service: Script) -> None:
    for offer in (completion.files, completion.events, completion.schedules, completion.models):
        assert len(offer("")) == 2
    paths = [request.url.path for request in service.requests]
    assert paths == ["/v1/files", "/v1/webhooks/deliveries", "/v1/schedules", "/v1/models"]


@pytest.mark.parametrize(
    "step",
    [
        httpx2.ConnectError("refused"),
        httpx2.ReadTimeout("slow"),
        httpx2.Response(200, content=b"<html>"),
        answer({"title": "no"}, 401),
        answer({"data": [{}]}),
        answer([]),
    ],
)
def test_trouble_is_not_told(step: httpx2.Response | Exception, service: Script) -> None:
    service.steps = [step]
    assert completion.jobs("") == []


def test_no_service_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("IMAGEMILL_URL", raising=False)
    assert completion.jobs("") == []


def test_the_shell_asks_for_it(service: Script) -> None:
    asked = {"_IMAGEMILL_COMPLETE": "complete_bash", "COMP_WORDS": "imagemill watch job", "COMP_CWORD": "2"}
    result = CliRunner().invoke(app, [], env=asked, prog_name="imagemill")
    assert result.stdout.split() == ["job_1"]
