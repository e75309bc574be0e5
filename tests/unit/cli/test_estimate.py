"""Estimates, and the templates that submissions come from."""

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.unit.cli.answers import JOB, answer, job, validation
from tests.unit.cli.conftest import Type
from tests.unit.cli.test_verbs import FILED

TOML = """\
id = "{{ row.sku }}"
prompt = "A {{ row.name }}"
variants = ["square:1024x1024", {name = "tall", size = "1024x1536", background = "transparent"}]
model = "flare"
quality = "low"
cap = 25
n = 2

[defaults]
background = "opaque"
quality = "high"

[webhook]
url = "https://shop.example.com/hooks"
events = ["job.completed"]
"""
FULL: dict[str, Any] = {
    "defaults": {"background": "opaque", "quality": "low", "model": "flare", "n": 2},
    "webhook": {"url": "https://shop.example.com/hooks", "events": ["job.completed"]},
    "manifest": {
        "format": "csv",
        "id": "{{ row.sku }}",
        "prompt": "A {{ row.name }}",
        "variants": [
            {"name": "square", "size": "1024x1024"},
            {"name": "tall", "size": "1024x1536", "background": "transparent"},
        ],
        "file_id": "file_1",
    },
    "budget": {"limit_usd": "25"},
}
BAD = {"count": 1, "first": [{"line": 4, "custom_id": "", "detail": "the id is empty"}]}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("shop.csv").write_text("sku,name\n1,Ring\n")
    Path("photos.toml").write_text(TOML)


def sent(request: httpx2.Request) -> Any:
    return json.loads(request.content)


def test_a_template_is_a_submission(typed: Type) -> None:
    answers = [answer(FILED), answer(validation()), answer(job(), 202)]
    result, requests = typed("submit", "shop.csv", "--template", "photos.toml", answers=answers)
    assert (result.exit_code, result.stdout) == (0, f"{JOB}\n")
    assert sent(requests[-1]) == FULL


def test_what_is_typed_wins(typed: Type) -> None:
    words = (
        "--cap",
        "9.50",
        "--quality",
        "max",
        "--variant",
        "one:auto",
        "--webhook",
        "https://other.example",
    )
    answers = [answer(FILED), answer(validation()), answer(job(), 202)]
    _, requests = typed("submit", "shop.csv", "--template", "photos.toml", *words, answers=answers)
    body = sent(requests[-1])
    assert body["budget"] == {"limit_usd": "9.50"}
    assert body["defaults"]["quality"] == "max"
    assert body["manifest"]["variants"] == [{"name": "one", "size": "auto"}]
    assert body["webhook"] == {"url": "https://other.example", "events": ["job.completed"]}


def test_a_template_as_json(typed: Type) -> None:
    Path("photos.json").write_text(json.dumps({"id": "i", "prompt": "p", "model": "m", "limit-usd": "1"}))
    answers = [answer(FILED), answer(validation()), answer(job(), 202)]
    _, requests = typed("submit", "shop.csv", "--template", "photos.json", answers=answers)
    assert sent(requests[-1])["budget"] == {"limit_usd": "1"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('modell = "x"', "nothing is named 'modell'; there are budget, cap, defaults, encoding"),
        ('variants = "square:1x1"', "variants is a list"),
        ("id = [1]", "id is one value, not several"),
        ("id = ", "photos.toml is no TOML"),
        ("", "a manifest also needs --id, --prompt, --model, --limit-usd"),
    ],
)
def test_templates_that_are_none(text: str, said: str, typed: Type) -> None:
    Path("photos.toml").write_text(text)
    result, requests = typed("submit", "shop.csv", "--template", "photos.toml", answers=[answer({})])
    assert (result.exit_code, requests) == (2, [])
    assert said in " ".join(result.stderr.replace("│", "").split())


def test_an_estimate_needs_no_cap(typed: Type) -> None:
    Path("photos.toml").write_text(TOML.replace("cap = 25\n", ""))
    answers = [answer(FILED), answer(validation(reused=3))]
    result, requests = typed("estimate", "shop.csv", "--template", "photos.toml", answers=answers)
    assert result.stdout.splitlines() == [
        "Estimate: 4 items, likely $0.0524, at most $0.16.",
        "Bought before, and not bought again: 3 of them.",
    ]
    assert sent(requests[-1])["budget"] == {"limit_usd": "1000000.00"}
    assert requests[-1].url.params["validate_only"] == "true"


def test_an_estimate_for_programs(typed: Type) -> None:
    body = json.dumps({"items": [], "budget": {"limit_usd": "1.00"}})
    result, _ = typed("estimate", "--job", "-", "--json", answers=[answer(validation())], stdin=body)
    assert json.loads(result.stdout) == validation()


def test_a_job_that_would_fail(typed: Type) -> None:
    failing = validation(failure={"code": "no_valid_rows", "detail": "all rows are bad"})
    result, _ = typed("estimate", "--job", "-", answers=[answer(failing)], stdin="{}")
    assert result.exit_code == 2
    assert "all rows are bad [no_valid_rows]" in result.stderr


def test_all_bad_rows_go_into_a_file(typed: Type) -> None:
    rows = httpx2.Response(200, content=b'{"line": 4}\n')
    found = answer(validation(id="validation_1", invalid_rows=BAD))
    words = ("estimate", "--job", "-", "--bad-rows", "bad.jsonl")
    result, requests = typed(*words, answers=[found, rows], stdin="{}")
    assert (result.exit_code, Path("bad.jsonl").read_text()) == (0, '{"line": 4}\n')
    assert requests[-1].url.path == "/v1/validations/validation_1/errors"
    assert "1 bad rows are in bad.jsonl." in result.stderr
    none, requests = typed(*words, answers=[answer(validation())], stdin="{}")
    assert (none.exit_code, Path("bad.jsonl").read_text(), len(requests)) == (0, "", 1)
