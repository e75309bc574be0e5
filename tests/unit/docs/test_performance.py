"""The page of performance shows the kept results, and all of them."""

import json
from pathlib import Path
from typing import Any

import pytest

from docs.performance import (
    KEPT,
    PAGE,
    PLOTS,
    curves,
    is_met,
    results_block,
    shown,
    stale_results,
    targets_block,
    write_results,
)
from docs.plots import digest, draw

STALE = "is out of date; run python -m docs.build"
TEXT = "# Before\n\n<!-- results {} -->\n<!-- end of results -->\n\nAfter\n"


def row(case: str, median: float, at: float | None = None, **more: Any) -> dict[str, Any]:
    found = {"figure": "images a second", "case": case, "unit": "1/s", "count": 3, "target": ""}
    return found | {"at": at, "median": median, "least": median, "most": median} | more


def result(*rows: dict[str, Any]) -> dict[str, Any]:
    machine = {"processor": "A processor", "cores": 2, "memory_gib": 8, "system": "Linux 6.1", "load": 0.1}
    return {
        "date": "2026-11-22",
        "commit": "abc1234",
        "machine": machine,
        "versions": {"python": "3.11.2"},
        "rows": [*rows],
    }


def keep(root: Path, name: str, *rows: dict[str, Any]) -> None:
    (root / KEPT).mkdir(parents=True, exist_ok=True)
    (root / KEPT / f"{name}.json").write_text(json.dumps(result(*rows)))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / PAGE).parent.mkdir(parents=True)
    (tmp_path / PAGE).write_text(TEXT.format("workers") + TEXT.format("targets"))
    keep(tmp_path, "workers", row("slow", 1, 1), row("slow", 2, 2), row("one", 1.2, target="≥ 1.1"))
    return tmp_path


def test_what_was_written_is_up_to_date_and_leaves_the_rest_alone(root: Path) -> None:
    picture = f"{PLOTS}/workers-images-a-second.svg"
    assert stale_results(root) == [f"{PAGE}: {STALE}", f"{picture}: {STALE}"]

    write_results(root)

    assert stale_results(root) == []
    text = (root / PAGE).read_text()
    assert text.startswith("# Before\n\n<!-- results workers -->\n")
    assert text.endswith("<!-- end of results -->\n\nAfter\n")
    assert "](performance/workers-images-a-second.svg)" in text
    assert (root / picture).exists()


def test_other_results_make_page_and_picture_stale(root: Path) -> None:
    write_results(root)
    keep(root, "workers", row("slow", 1, 1), row("slow", 2.5, 2))

    assert len(stale_results(root)) == 2


def test_results_that_the_page_does_not_show_are_named(root: Path) -> None:
    keep(root, "other", row("one", 1))
    write_results(root)

    assert stale_results(root) == [f"{PAGE}: has no place for the results of other"]


def test_a_single_place_has_a_table_and_no_picture(root: Path) -> None:
    keep(root, "workers", row("slow", 1, 1_000_000))
    write_results(root)

    assert stale_results(root) == []
    assert "| 1,000,000 | 1 |" in (root / PAGE).read_text()
    assert not (root / PLOTS).exists()


def test_what_was_not_measured_says_so() -> None:
    assert results_block("workers", None) == "Not measured yet."
    assert targets_block({"workers": result(row("one", 1))}) == (
        "Nothing that has a target has been measured yet."
    )


def test_a_target_that_is_missed_stands_out() -> None:
    kept = {"workers": result(row("one", 1.05, target="≥ 1.1"), row("four", 1.2, 4, target="≥ 1.1"))}

    lines = targets_block(kept).splitlines()[2:]

    assert lines == [
        "| images a second, 1/s | one | ≥ 1.1 | 1.05 | **no** |",
        "| images a second, 1/s, at 4 worker processes | four | ≥ 1.1 | 1.20 | yes |",
    ]


@pytest.mark.parametrize(
    ("target", "value", "met"),
    [
        ("≥ 1.1", 1.1, True),
        ("≥ 1.1", 1.09, False),
        ("≤ 1,200", 1200, True),
        ("≤ 0.65 of the script's", 0.7, False),
        ("< 150", 150, False),
        ("> 0", 1, True),
        ("only at a kill", 0, None),
    ],
)
def test_a_target_is_judged_by_its_bound(target: str, value: float, met: bool | None) -> None:
    assert is_met(target, value) is met


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (0.0123, "0.012"), (1.234, "1.23"), (41.26, "41.3"), (20_000, "20,000")]
)
def test_numbers_have_three_digits_or_so(value: float, text: str) -> None:
    assert shown(value) == text


def test_a_curve_has_a_column_for_each_case_and_its_places_in_order() -> None:
    found = result(row("b", 4, 2), row("a", 1, 1), row("b", 3, 1))

    table = results_block("workers", found).partition("1/s:\n\n")[2]

    assert table.splitlines() == [
        "| worker processes | b | a |",
        "| --- | --- | --- |",
        "| 1 | 3 | 1 |",
        "| 2 | 4 |  |",
    ]


def test_a_picture_is_the_same_for_the_same_numbers_and_carries_their_digest() -> None:
    [curve] = curves("scale", result(row("a", 1, 1), row("a", 2, 1000)))
    [other] = curves("scale", result(row("a", 1, 1), row("a", 2.5, 1000)))

    picture = draw(curve)

    assert picture == draw(curve)
    assert digest(curve) in picture
    assert digest(other) != digest(curve)
    assert draw(other) != picture
