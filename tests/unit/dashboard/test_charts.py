"""Charts: sound SVG, right heights, strangers' words as text, and the same figures in a table."""

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from dashboard.bars import Bar, Part, bars, progress
from dashboard.charts import HEIGHT, WIDTH, Series, areas, ceiling, stacked_bars


def parsed(markup: Markup) -> ElementTree.Element:
    """As XML: every tag is closed, every attribute is quoted."""
    return ElementTree.fromstring(markup.replace("&#39;", "'").replace("&#34;", '"'))


def drawn(markup: Markup, tone: str) -> list[dict[str, float]]:
    names = ("x", "y", "width", "height")
    found = parsed(markup).iter("rect")
    return [{name: float(each.get(name, 0)) for name in names} for each in found if each.get("class") == tone]


def test_pieces_of_a_bar_stand_upon_each_other_and_reach_as_high_as_their_figures() -> None:
    chart = stacked_bars("c", "Spend", ["1", "2"], [Series("a", [1, 0]), Series("b", [1, 4])])
    (first,) = drawn(chart, "series-1")
    second = drawn(chart, "series-2")
    assert first["y"] + first["height"] == HEIGHT
    assert second[0]["y"] + second[0]["height"] == first["y"]
    assert first["height"] == HEIGHT / 5
    assert second[1]["height"] == HEIGHT * 4 / 5


def test_a_chart_says_what_it_shows() -> None:
    chart = parsed(
        stacked_bars("c", "Spend by day", ["1 May", "2 May"], [Series("a", [1, 2])], lambda n: f"${n}")
    )
    svg = next(chart.iter("svg"))
    assert svg.get("role") == "img"
    named = {each.get("id"): each.text for each in svg if each.get("id")}
    assert svg.get("aria-labelledby") == " ".join(str(each) for each in named)
    assert list(named.values()) == ["Spend by day", "a $3"]
    assert [each.text for each in chart.iter("td")] == [None, "$1", "$2"]


def test_days_without_anything_are_left_out_of_the_table_and_kept_in_the_drawing() -> None:
    chart = parsed(stacked_bars("c", "Spend", ["1", "2", "3"], [Series("a", [1, 0, 2])]))
    assert [each.text for each in chart.iter("th")] == ["a", "1", "3"]
    assert len(list(chart.iter("g"))) == 3


@pytest.mark.parametrize("labels", [[], ["1"]])
def test_a_chart_of_little_or_nothing_is_a_chart(labels: list[str]) -> None:
    values = [0.0] * len(labels)
    for draw in (stacked_bars, areas):
        assert parsed(draw("c", "Nothing", labels, [Series("a", values)])).tag == "figure"
        assert parsed(draw("c", "Nothing", labels, [])).tag == "figure"
    assert parsed(bars("c", "Nothing", [])).tag == "table"


def test_words_of_strangers_stay_words() -> None:
    evil = "<script>alert(1)</script>\"' onload="
    charts = [
        stacked_bars("c", evil, [evil], [Series(evil, [1])]),
        areas("c", evil, [evil, evil], [Series(evil, [1, 2]), Series(evil, [1, 2])]),
        bars("c", evil, [Bar(evil, [Part(evil, 1)], href=evil, note=evil)], heads=(evil, evil)),
        progress("c", evil, [Part(evil, 1)], 2),
    ]
    for chart in charts:
        assert "<script" not in chart
        assert "style=" not in chart
        assert any(evil in (each.text or "") for each in parsed(chart).iter())


def test_an_area_stands_upon_the_one_below() -> None:
    chart = parsed(areas("c", "Items", ["1", "2"], [Series("done", [0, 5]), Series("failed", [0, 5])]))
    done, failed = (each.get("points", "") for each in chart.iter("polyline"))
    assert done == f"0,{HEIGHT} {WIDTH},{HEIGHT // 2}"
    assert failed == f"0,{HEIGHT} {WIDTH},0"


def test_bars_are_as_long_as_their_part_of_the_longest() -> None:
    chart = bars("c", "Models", [Bar("a", [Part("a", 10)], href="/a"), Bar("b", [Part("b", 5)])])
    assert [each["width"] for each in drawn(chart, "series-1")] == [WIDTH, WIDTH / 2]
    assert [each.get("href") for each in parsed(chart).iter("a")] == ["/a"]


def test_progress_shows_every_part_and_never_leaves_its_whole() -> None:
    parts = [Part("settled", 50, "settled"), Part("reserved", 10**-6, "reserved"), Part("lost", 900, "lost")]
    chart = progress("c", "Money", parts, 100)
    (settled,), (reserved,), (lost,) = (drawn(chart, tone) for tone in ("settled", "reserved", "lost"))
    assert settled["width"] == WIDTH / 2
    assert reserved["width"] == 2
    assert lost["x"] + lost["width"] == WIDTH


def test_more_series_than_colours_share_the_last() -> None:
    chart = stacked_bars("c", "Spend", ["1"], [Series(str(n), [1]) for n in range(10)])
    assert len(drawn(chart, "series-rest")) == 5


@given(st.floats(min_value=1e-9, max_value=1e15))
def test_the_top_of_a_scale_is_round_and_not_far_above(value: float) -> None:
    top = ceiling(value)
    assert value * (1 - 1e-6) <= top <= value * 2.5 * (1 + 1e-6)
