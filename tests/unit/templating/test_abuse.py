"""Templates of those who mean harm: what they reach, what they cost, and that the next row is rendered."""

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from imagemill.ports import Rendered
from imagemill.templating import process
from imagemill.templating.check import Hints, template_problems
from imagemill.templating.process import ProcessTemplating

ROW: Mapping[str, object] = {"a": "x", "long": "y" * 1000, "list": ["a"] * 1000, "bad": True}
GOOD = {"a": "x", "long": "", "list": [], "bad": False}


async def render(text: str, *rows: Mapping[str, object]) -> list[Rendered]:
    renderer = await ProcessTemplating().start({"t": text}, None)
    try:
        return list(await renderer.render([{"row": row} for row in rows]))
    finally:
        await renderer.close()


def when_bad(text: str) -> str:
    return "{% if row.bad %}" + text + "{% endif %}{{ row.a }}"


LOOP = "{% for i in (1..9000) %}"
OUT_OF_BOUNDS = {
    "a loop of too many rounds": "{% for i in (1..10001) %}{% endfor %}",
    "loops in loops": LOOP + LOOP + "{{ i }}{% endfor %}{% endfor %}",
    "a loop over a list in loops": "{% for i in row.list %}{% for j in row.list %}{% endfor %}{% endfor %}",
    "a table": "{% tablerow i in (1..100000) %}x{% endtablerow %}",
    "a giant range, joined": "{{ (1..3000000000) | join }}",
    "a giant range, sorted": "{{ (1..3000000000) | sort | size }}",
    "a giant range, reversed": "{{ (1..3000000000) | reverse | first }}",
    "output": LOOP + "{{ row.long }}{% endfor %}",
    "text that doubles": "{% assign s = row.long %}"
    + "{% assign s = s | append: s %}" * 40
    + "{{ s | size }}",
    "text that is replaced": "{{ row.long | replace: 'y', row.long | replace: 'y', row.long | size }}",
    "captures": "{% capture s %}" + LOOP + "{{ row.long }}{% endfor %}{% endcapture %}{{ s | size }}",
    "division by nothing": "{{ 1 | divided_by: 0 }}",
    "a power of text": "{{ row.long | times: row.long | times: 1e308 | times: 1e308 | round }}",
    "a wide date": "{{ 'now' | date: row.long | date: '%999999999Y' }}{{ nothing }}",
}


@pytest.mark.parametrize("text", OUT_OF_BOUNDS.values(), ids=list(OUT_OF_BOUNDS))
async def test_what_asks_for_too_much_is_a_problem_of_its_row(text: str) -> None:
    bad, good = await render(when_bad(text), ROW, GOOD)

    assert bad.texts is None
    assert bad.problem
    assert len(bad.problem) <= 300
    assert good == Rendered(texts={"t": "x"})


@pytest.mark.parametrize(
    "text",
    [
        "{% include 'etc/passwd' %}",
        "{% render '../settings' %}",
        "{% include row.a %}",
        "{% extends 'x' %}{% block x %}{% endblock %}",
        "{% layout 'x' %}",
        "{% import 'x' as y %}",
        "{{ row.a | shell }}",
        "{{ row.a | open: '/etc/passwd' }}",
        "{{ environment }}",
        "{{ __builtins__ }}",
        "{% if row.a %}" * 21 + "{% endif %}" * 21,
        "{% if row.a %}" * 1400,
        "{{ row" + "[row" * 4000 + "]" * 4000 + " }}",
        "{{ row.a" + " | upcase" * 2200 + " | nothing }}",
        "{{ " + "(" * 9000 + " }}",
        "{% for i in row.list %}",
        "{{ row.a | date: }}{% endraw %}",
        "x" * 20_001,
        # The parser alone would take minutes for these.
        "{" * 20_000,
        "{{" * 10_000,
        "{{-" + "\n" * 19_990,
        "{{ " + "(" * 19_000 + " }}",
    ],
)
def test_what_reaches_out_or_nests_too_deep_is_refused_at_submission(text: str) -> None:
    assert template_problems(text, columns=["a", "list"])


@pytest.mark.parametrize(
    "text",
    [
        "{{ row.__class__ }}",
        "{{ row['__class__'] }}",
        "{{ row.a.__class__.__mro__ }}",
        "{{ row.items }}",
        "{{ row.a.format }}",
        "{{ row.list.append }}",
    ],
)
async def test_what_lies_behind_a_value_is_not_reached(text: str) -> None:
    [found] = await render(text, ROW)
    assert found.texts is None


async def test_one_row_s_templates_may_give_so_much_together() -> None:
    templates = {f"t{number}": "{{ row.long }}" for number in range(3)}
    renderer = await ProcessTemplating().start(templates, None)
    big, small = await renderer.render([{"row": {"long": "y" * size}} for size in (66_667, 66_666)])
    await renderer.close()

    assert big.problem == "the templates give more than 200000 characters on this row"
    assert small.texts


async def test_half_a_character_is_a_problem_of_its_row() -> None:
    found = await render("{{ row.a }}", {"a": "\ud800"}, GOOD)
    assert "UnicodeEncodeError" in str(found[0].problem)
    assert found[1].texts


async def test_an_error_repeats_little_of_its_row() -> None:
    [found] = await render("{{ row.a | divided_by: row.long }}", {"a": "1", "long": "secret " * 1000})
    assert found.texts or len(found.problem or "") <= 300


async def test_a_row_is_not_blamed_for_a_machine_that_has_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "BATCH_SECONDS", 1)
    renderer = process.ProcessRenderer({"t": "{{ row.a }}"}, None)
    try:
        await renderer.render([{"row": GOOD}])
        os.kill(child_of(renderer), signal.SIGSTOP)
        answering = asyncio.create_task(renderer.render([{"row": GOOD}]))
        late, _ = await asyncio.wait([answering], timeout=1.5)
        os.kill(child_of(renderer), signal.SIGCONT)
        assert not late
        assert await answering == [Rendered(texts={"t": "x"})]
    finally:
        await renderer.close()


async def test_a_batch_that_takes_too_much_time_is_rendered_row_by_row(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(process, "BATCH_SECONDS", 0)  # and what is left of the second that has begun
    renderer = process.ProcessRenderer({"t": LOOP + "{{ i | times: 2 }}{% endfor %}"}, None)
    alone: list[int] = []
    ask = renderer._ask

    async def counted(rows: Sequence[Mapping[str, object]], seconds: int) -> list[dict[str, Any]] | None:
        alone.append(len(rows))
        return await ask(rows, seconds)

    monkeypatch.setattr(renderer, "_ask", counted)
    try:
        found = await renderer.render([{"row": {}}] * 40)
    finally:
        await renderer.close()
    assert all(row.texts for row in found)
    assert alone == [40] + [1] * 40


async def test_a_child_that_is_stuck_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "STUCK_SECONDS", 0.2)
    renderer = process.ProcessRenderer({"t": "{{ row.a }}"}, None)
    try:
        monkeypatch.setattr(renderer._child, "_command", ("sleep", "60"))
        [found] = await renderer.render([{"row": GOOD}])
        assert found.problem
    finally:
        await renderer.close()


def child_of(renderer: process.ProcessRenderer) -> int:
    pid = renderer._child.pid
    assert pid
    return pid


async def test_templates_that_fail_batch_after_batch_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    async def dies(rows: list[object], seconds: float) -> None:
        asked.append(len(rows))

    monkeypatch.setattr(process, "MOST_SLOW_BATCHES", 2)
    monkeypatch.setattr(process, "MOST_DEATHS", 3)
    renderer = process.ProcessRenderer({"t": "x"}, None)
    monkeypatch.setattr(renderer, "_ask", dies)
    answers = [await renderer.render([{"row": {}}] * 2) for _ in range(4)]

    assert asked == [2, 1, 1, 2, 1]  # two batches, and of their rows three alone
    assert all(answer.problem for batch in answers for answer in batch)


async def test_an_answer_that_is_too_long_to_hold_is_a_problem_of_its_row(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(process, "LONGEST_ANSWER", 10_000)
    found = await render("{{ row.a }}", {"a": "x" * 50_000}, GOOD)
    assert [bool(row.problem) for row in found] == [True, False]


def test_hints_are_given_to_all_templates_of_a_submission_together() -> None:
    """Each takes long among many columns."""
    hints = Hints(left=3)
    columns = ["title", "handle"]
    said = [
        problem
        for n in range(5)
        for problem in template_problems(f"{{{{ row.titl{n} }}}}", columns=columns, hints=hints)
    ]
    assert [("did you mean" in problem) for problem in said] == [True] * 3 + [False] * 2
