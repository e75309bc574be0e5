from collections.abc import Mapping

import pytest

from imagemill.ports import Rendered
from imagemill.templating.check import template_problems
from imagemill.templating.environment import strip_html
from imagemill.templating.process import ProcessTemplating


async def render(text: str, *rows: Mapping[str, object], where: str | None = None) -> list[Rendered]:
    renderer = await ProcessTemplating().start({"t": text}, where)
    try:
        return list(await renderer.render([{"row": row} for row in rows]))
    finally:
        await renderer.close()


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("<p>one</p><p>two</p>", "one two"),
        ("a<br>b", "a b"),
        ("40&nbsp;cm &amp; more", "40 cm & more"),
        ("x<script>bad()</script>y<!-- no -->z", "x y z"),
        ("1 < 2", "1 < 2"),
    ],
)
def test_strip_html_keeps_words_apart_and_decodes_entities(text: str, plain: str) -> None:
    assert strip_html(text) == plain


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{{ row.Titel }}", "did you mean 'Title'"),
        ("{{ row.Title | upcas }}", "did you mean 'upcase'"),
        ("{{ product }}", "can use row"),
        ("{{ row.Title", "not a Liquid template"),
        ("x" * 20_001, "20000"),
    ],
)
def test_a_template_that_is_not_sound_says_why(text: str, says: str) -> None:
    [problem] = template_problems(text, columns=["Title"])
    assert says in problem


async def test_rows_are_chosen_and_a_missing_column_is_a_rows_own_problem() -> None:
    found = await render(
        "{{ row.a | upcase }}", {"a": "x", "w": "1"}, {"w": "0"}, {"w": "1"}, where="{{ row.w }}"
    )

    assert found[0] == Rendered(texts={"t": "X"})
    assert found[1] == Rendered()
    assert found[2].problem


async def test_a_bomb_is_a_problem_of_its_row_and_the_others_are_rendered() -> None:
    bomb = "{% if row.bad %}{{ (1..300000000) | join | size }}{% endif %}{{ row.a }}"
    found = await render(bomb, {"a": "1", "bad": False}, {"a": "2", "bad": True}, {"a": "3", "bad": False})

    assert [row.texts and row.texts["t"] for row in found] == ["1", None, "3"]
    assert found[1].problem
