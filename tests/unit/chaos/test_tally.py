"""Verdicts add up, none is left out, and none is counted that is not one."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.chaos import tally


def verdict(seed: int, *violated: str, isolated: bool = True, **figures: Any) -> dict[str, Any]:
    return {
        "violations": [{"invariant": name, "what": "…", "where": "…", "evidence": []} for name in violated],
        "undecided": {"I4: a call is a maybe": 2},
        "judged": {"I1": 10, "I4": 5},
        "figures": {
            "seed": seed,
            "network_isolated": isolated,
            "seconds": 30.0,
            "jobs": 3,
            "items": 90,
            "calls_billed": 100,
            "write_offs": 4,
            "kills": 2,
            "faults": {"kill": 2, "cut": 1},
        }
        | figures,
    }


def write(folder: Path, name: str, content: Any) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def test_figures_add_up() -> None:
    figures = tally.add_up(
        [
            verdict(1),
            verdict(2, "I4", "I4", isolated=False),
            verdict(2, faults={"kill": 1, "freeze": 3}, kills=1),
        ]
    )

    assert figures["runs"] == 3
    assert figures["seeds"] == 2
    assert figures["isolated"] == 2
    assert figures["minutes"] == 2
    assert figures["jobs"] == 9
    assert figures["kills"] == 5
    assert figures["faults"] == {"cut": 2, "freeze": 3, "kill": 5}
    assert figures["undecided"] == {"I4: a call is a maybe": 6}
    assert figures["violations"] == {"I4": 2}
    assert figures["judged"] == {"I1": 30, "I4": 15}


def test_a_figure_that_a_verdict_does_not_have_counts_as_none() -> None:
    figures = tally.add_up([{"violations": [], "undecided": {}, "figures": {"jobs": 1}}])

    assert figures["jobs"] == 1
    assert figures["write_offs"] == 0
    assert figures["faults"] == {}


def test_verdicts_are_found_by_what_is_in_them(tmp_path: Path) -> None:
    write(tmp_path, "seed-1/verdict.json", verdict(1))
    write(tmp_path, "seed-1/scenario.json", {"seed": 1})
    write(tmp_path, "verdicts/seed-2-abc.json", verdict(2))
    write(tmp_path, "list.json", [1, 2])
    (tmp_path / "broken.json").write_text("{")

    assert [found["figures"]["seed"] for found in tally.verdicts([tmp_path])] == [1, 2]


def test_the_table_names_what_was_violated() -> None:
    lines = tally.table(tally.add_up([verdict(1, "I7"), verdict(2)])).splitlines()

    assert lines[0].split() == ["runs", "2"]
    assert ["violations", "1"] in [line.split() for line in lines]
    assert any("violated, I7" in line for line in lines)
    assert any("fault cut" in line and line.endswith(" 2") for line in lines)


@pytest.mark.parametrize(("violated", "code"), [((), 0), (("I1",), 1)])
def test_violations_make_it_fail(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], violated: tuple[str, ...], code: int
) -> None:
    write(tmp_path, "verdict.json", verdict(1, *violated))

    assert tally.main([str(tmp_path)]) == code
    assert "calls billed" in capsys.readouterr().out


def test_no_verdict_at_all_makes_it_fail(tmp_path: Path) -> None:
    assert tally.main([str(tmp_path)]) == 1


def test_figures_are_kept_with_what_soaks_said(tmp_path: Path) -> None:
    growth = {"part": "api", "measure": "rss_bytes", "level": 10, "growth": -1}
    soak = {
        "violations": [],
        "objections": [],
        "figures": {
            "jobs": 400,
            "items": 8000,
            "seconds": 3600.0,
            "growths": [growth],
            "histories": {"imagemill.pool": {"events": 700}},
            "orphans": {"set-that-lost": 2},
        },
    }
    write(tmp_path, "soak.json", soak)

    tally.keep(tally.add_up([verdict(1)]), tally.soaks([tmp_path]), tmp_path / "figures.json")

    kept = json.loads((tmp_path / "figures.json").read_text())
    assert kept["runs"] == 1
    assert len(kept["day"]) == 10
    assert kept["commit"]
    [said] = kept["soaks"]
    assert said["minutes"] == 60
    assert said["longest_history"] == 700
    assert said["growths"] == {"api rss_bytes": [10, -1]}
