"""The figures on the page are those that were kept."""

import json
from pathlib import Path

import pytest

from docs.figures import BEGIN, END, FIGURES, PAGE, figures_block, stale_figures, write_figures

KEPT = {
    "day": "2026-11-22",
    "commit": "abc1234",
    "runs": 200,
    "seeds": 198,
    "isolated": 200,
    "minutes": 150,
    "jobs": 600,
    "items": 21_000,
    "calls_billed": 20_500,
    "calls_refused": 300,
    "write_offs": 410,
    "kills": 700,
    "faults": {"cut": 20, "kill": 700},
    "judged": {"I1": 50_000, "I2": 1_000},
    "undecided": {"I4: …": 3},
    "violations": {},
    "soaks": [
        {
            "minutes": 60,
            "jobs": 500,
            "items": 9_000,
            "violations": 0,
            "objections": 0,
            "longest_history": 4_321,
            "orphans": {"set-that-lost": 2},
            "growths": {},
        }
    ],
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for path, text in ((PAGE, f"# Before\n\n{BEGIN}\n{END}\n\nAfter\n"), (FIGURES, json.dumps(KEPT))):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


def test_what_was_written_is_up_to_date_and_leaves_the_rest_alone(root: Path) -> None:
    assert len(stale_figures(root)) == 1

    write_figures(root)

    assert stale_figures(root) == []
    text = (root / PAGE).read_text()
    assert text.startswith(f"# Before\n\n{BEGIN}\n")
    assert text.endswith(f"{END}\n\nAfter\n")
    assert "| violations | 0 |" in text
    assert "| judgements | 51,000 |" in text
    assert "| `kill` | 700 |" in text
    assert "60 minutes, 500 jobs" in text


def test_other_figures_make_the_page_stale(root: Path) -> None:
    write_figures(root)
    (root / FIGURES).write_text(json.dumps(KEPT | {"runs": 201}))

    assert stale_figures(root) == [f"{PAGE}: is out of date; run python -m docs.build"]


def test_a_page_without_a_place_is_named(root: Path) -> None:
    (root / PAGE).write_text("# Guarantees\n")

    assert "no place for the figures" in stale_figures(root)[0]


def test_before_the_first_full_run_the_page_says_so(root: Path) -> None:
    (root / FIGURES).unlink()
    write_figures(root)

    assert figures_block(None) in (root / PAGE).read_text()
    assert stale_figures(root) == []
