"""What a submission says and asks before anything can be spent."""

import io
import json
import sys
from decimal import Decimal

import httpx2
import pytest
import typer

from cli.answers import Validation
from cli.asking import Asking, ask_first, estimate_lines
from cli.client import Client
from cli.errors import CliError, ServiceAway, Stopped
from cli.service import Service
from tests.unit.cli.answers import ESTIMATE, JOB, Script, answer, job, validation
from tests.unit.cli.conftest import Type

BODY = {"items": [], "budget": {"limit_usd": "12.00"}}
DEAR = validation(
    estimate=ESTIMATE | {"expected_usd": "11.00", "high_usd": "12.50"}, limit_usd="12.00", enough="likely"
)
SLOW = answer({"type": "/problems/estimate-too-slow", "title": "The estimate takes long"}, 504)
AWAY = answer({"title": "A part is away", "detail": "the engine"}, 503)
ACCEPTED = answer(job(), 202)
SUBMIT = ("submit", "--job", "-")
TEXT = json.dumps(BODY)


def asked(requests: list[httpx2.Request]) -> list[str]:
    """Which of the calls were about an estimate, and which submitted."""
    return ["estimate" if request.url.params.get("validate_only") else "submit" for request in requests]


def test_the_estimate_goes_to_standard_error_and_the_id_alone_to_standard_output(typed: Type) -> None:
    result, requests = typed(*SUBMIT, answers=[answer(validation()), ACCEPTED], stdin=TEXT)
    assert (result.exit_code, result.stdout) == (0, f"{JOB}\n")
    assert result.stderr.splitlines() == [
        "Estimate: 4 items, likely $0.0524, at most $0.16.",
        "The cap of $2.00 is enough for all of them, even at the most.",
    ]
    assert asked(requests) == ["estimate", "submit"]
    assert requests[0].content == requests[1].content


def test_bad_rows_and_doubts_are_told() -> None:
    rows = {"count": 5, "first": [{"line": n, "custom_id": "", "detail": "\x1bbad"} for n in range(5)]}
    doubts = ESTIMATE | {"uncertain": ["it may be more"]}
    found = validation(invalid_rows=rows, estimate=doubts, warnings=["it is old"], enough="not_for_all")
    assert list(estimate_lines(Validation.model_validate(found)))[1:] == [
        "The cap of $2.00 is likely not enough for all of them.",
        "Bad rows, for which nothing is bought: 5",
        *(f"  line {n}: \N{REPLACEMENT CHARACTER}bad" for n in range(3)),
        "  … and 2 more",
        "Note: it may be more",
        "Note: it is old",
    ]


def test_without_a_terminal_too_much_is_refused(typed: Type) -> None:
    result, requests = typed(*SUBMIT, answers=[answer(DEAR), ACCEPTED], stdin=TEXT)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "up to $12.00 may be spent, more than $10.00 (--ask-above)" in result.stderr
    assert "Give --yes" in result.stderr
    assert asked(requests) == ["estimate"]


@pytest.mark.parametrize("words", [["--yes"], ["-y"], ["--ask-above", "12"]])
def test_who_allows_it_is_not_refused(words: list[str], typed: Type) -> None:
    result, requests = typed(*SUBMIT, *words, answers=[answer(DEAR), ACCEPTED], stdin=TEXT)
    assert (result.exit_code, result.stdout) == (0, f"{JOB}\n")
    assert asked(requests) == ["estimate", "submit"]


@pytest.mark.parametrize(("above", "code"), [("11.99", 2), ("12.00", 0)])
def test_the_amount_of_the_environment(above: str, code: int, typed: Type) -> None:
    answers = [answer(DEAR), ACCEPTED]
    result, _ = typed(*SUBMIT, answers=answers, stdin=TEXT, IMAGEMILL_ASK_ABOVE_USD=above)
    assert result.exit_code == code


@pytest.mark.parametrize(("above", "code"), [("0.15", 2), ("0.16", 0)])
def test_a_cap_that_no_items_can_use_up_does_not_count(above: str, code: int, typed: Type) -> None:
    result, _ = typed(*SUBMIT, "--ask-above", above, answers=[answer(validation()), ACCEPTED], stdin=TEXT)
    assert result.exit_code == code


@pytest.mark.parametrize("words", [[], ["--yes"], ["--estimate"]])
def test_a_job_that_would_fail_is_not_submitted(words: list[str], typed: Type) -> None:
    failing = validation(failure={"code": "no_valid_items", "detail": "every row is bad"})
    result, requests = typed(*SUBMIT, *words, answers=[answer(failing), ACCEPTED], stdin=TEXT)
    assert result.exit_code == 2
    assert "every row is bad [no_valid_items]" in result.stderr
    assert asked(requests) == ["estimate"]


def test_an_estimate_alone(typed: Type) -> None:
    result, requests = typed(*SUBMIT, "--estimate", answers=[answer(DEAR), ACCEPTED], stdin=TEXT)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("Estimate: 4 items, likely $11.00, at most $12.50.\n")
    assert asked(requests) == ["estimate"]


@pytest.mark.parametrize("trouble", [SLOW, AWAY])
def test_with_yes_no_estimate_is_needed(trouble: httpx2.Response, typed: Type) -> None:
    result, requests = typed(*SUBMIT, "--yes", answers=[trouble, ACCEPTED], stdin=TEXT)
    assert (result.exit_code, result.stdout) == (0, f"{JOB}\n")
    assert result.stderr.startswith("No estimate: ")
    assert asked(requests) == ["estimate", "submit"]


@pytest.mark.parametrize(("cap", "code", "calls"), [("10.00", 0, 2), ("10.01", 2, 1), ("?", 2, 1)])
def test_where_the_estimate_is_slow_the_cap_counts(cap: str, code: int, calls: int, typed: Type) -> None:
    body = json.dumps({"budget": {"limit_usd": cap}})
    result, requests = typed(*SUBMIT, answers=[SLOW, ACCEPTED], stdin=body)
    assert (result.exit_code, len(requests)) == (code, calls)
    assert "No estimate: The estimate takes long." in result.stderr


def test_a_service_that_is_away_is_asked_again(typed: Type) -> None:
    result, requests = typed(*SUBMIT, answers=[AWAY, AWAY, answer(validation()), ACCEPTED], stdin=TEXT)
    assert result.exit_code == 0
    assert asked(requests) == ["estimate"] * 3 + ["submit"]


def test_what_the_service_refuses_is_not_submitted(typed: Type) -> None:
    problem = {"title": "It can't be run", "errors": [{"pointer": "/budget", "detail": "too low"}]}
    result, requests = typed(*SUBMIT, answers=[answer(problem, 422), ACCEPTED], stdin=TEXT)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "  /budget: too low" in result.stderr
    assert asked(requests) == ["estimate"]


# --- on a terminal -------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


async def ask(monkeypatch: pytest.MonkeyPatch, answered: str) -> str:
    """Asks a person; gives what was shown."""
    shown = Terminal()
    monkeypatch.setattr(sys, "stdin", Terminal(answered))
    monkeypatch.setattr(sys, "stderr", shown)
    async with Client(Service("http://mill.test", "k"), Script(answer(DEAR)).transport) as client:
        await ask_first(client, BODY, Asking(Decimal(10)))
    return shown.getvalue()


@pytest.mark.parametrize("yes", ["y\n", "Y\n", " yes \n"])
async def test_yes_submits(yes: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (await ask(monkeypatch, yes)).endswith("\nUp to $12.00 may be spent. Submit? [y/N] ")


@pytest.mark.parametrize("no", ["\n", "n\n", "", "maybe\n"])
async def test_anything_else_does_not(no: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(typer.Exit) as caught:
        await ask(monkeypatch, no)
    assert caught.value.exit_code == 1


async def test_a_question_that_nobody_sees_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    async with Client(Service("http://mill.test", "k"), Script(answer(DEAR)).transport) as client:
        with pytest.raises(Stopped):
            await ask_first(client, BODY, Asking(Decimal(10)))


async def test_slow_is_not_away() -> None:
    async with Client(Service("http://mill.test", "k"), Script(SLOW).transport) as client:
        with pytest.raises(CliError) as caught:
            await client.validate({})
    assert not isinstance(caught.value, ServiceAway)
