"""Long answers: exports, events, one image."""

import json
from functools import partial
from pathlib import Path

import httpx2
import pytest

from cli.downloads import Downloads
from cli.jobs import items
from tests.unit.cli.answers import JOB, Script, answer, ended, job
from tests.unit.cli.conftest import Type


def event(kind: str, identity: str, body: object) -> str:
    return f"event: {kind}\r\nid: {identity}\ndata: {json.dumps(body)}\n\n"


def stream(*events: str) -> httpx2.Response:
    return httpx2.Response(200, content="".join([": hello\n\n", *events]).encode())


def test_an_export_goes_to_standard_output_as_it_is(typed: Type) -> None:
    result, [request] = typed(
        "jobs",
        "export",
        JOB,
        "--format",
        "csv",
        answers=[httpx2.Response(200, content=b"a,b\r\n\xc3\xa9,2\r\n")],
    )
    assert (result.exit_code, result.stdout_bytes) == (0, b"a,b\r\n\xc3\xa9,2\r\n")
    assert (request.url.path, request.headers["Accept"]) == (f"/v1/jobs/{JOB}/results", "text/csv")


def test_an_export_into_a_file(typed: Type, tmp_path: Path) -> None:
    place = tmp_path / "new/items.jsonl"
    result, [request] = typed(
        "jobs", "export", JOB, "--to", str(place), answers=[httpx2.Response(200, content=b"{}\n")]
    )
    assert (result.exit_code, result.stdout, place.read_bytes()) == (0, "", b"{}\n")
    assert request.headers["Accept"] == "application/jsonl"
    refused, _ = typed("jobs", "export", JOB, "--to", str(tmp_path / "none"), answers=[answer({}, 404)])
    assert (refused.exit_code, [path.name for path in tmp_path.iterdir()]) == (1, ["new"])


def test_events_until_the_end(typed: Type) -> None:
    told = stream(event("snapshot", "1", job()), event("end", "2", ended()))
    result, [request] = typed("jobs", "events", JOB, answers=[told])
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["running", "completed"]
    assert "last-event-id" not in request.headers
    raw, _ = typed("jobs", "events", JOB, "--json", answers=[told])
    assert [json.loads(line) for line in raw.stdout.splitlines()] == [job(), ended()]


def test_a_stream_that_breaks_off_is_taken_up_where_it_was(typed: Type) -> None:
    first = stream(event("snapshot", "1", job()))
    rest = stream(event("end", "2", ended()))
    result, requests = typed("jobs", "events", JOB, "--json", answers=[first, answer(job()), rest])
    assert [json.loads(line)["state"] for line in result.stdout.splitlines()] == ["running", "completed"]
    assert requests[-1].headers["last-event-id"] == "1"


def test_a_stream_of_a_job_that_ended_unseen(typed: Type) -> None:
    first = stream(event("snapshot", "1", job()))
    result, requests = typed("jobs", "events", JOB, answers=[first, answer(ended())])
    assert (result.exit_code, len(requests)) == (0, 2)


def test_where_an_image_is(typed: Type) -> None:
    there = httpx2.Response(302, headers={"Location": "http://store.test/a?sign=1"})
    words = ("jobs", "image", JOB, "a/b c", "2", "--variant", "wide", "--rendition", "shop")
    result, [request] = typed(*words, answers=[there])
    assert (result.exit_code, result.stdout) == (0, "http://store.test/a?sign=1\n")
    assert request.url.raw_path == (
        f"/v1/jobs/{JOB}/items/a%2Fb%20c/images/2?variant=wide&rendition=shop".encode()
    )
    raw, _ = typed(*words, "--json", answers=[there])
    assert json.loads(raw.stdout) == {"url": "http://store.test/a?sign=1"}


def test_an_image_is_saved(typed: Type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Script(httpx2.Response(200, content=b"pixels"))
    monkeypatch.setattr(items, "Downloads", partial(Downloads, store.transport))
    there = httpx2.Response(302, headers={"Location": "http://store.test/a?sign=1"})
    place = tmp_path / "a.webp"
    result, _ = typed("jobs", "image", JOB, "a", "--to", str(place), answers=[there])
    assert (result.stdout, place.read_bytes()) == (f"{place}\n", b"pixels")
    assert "Authorization" not in store.requests[0].headers
