"""The files in which benchmarks leave what they found."""

import json
import platform
from pathlib import Path

import pytest

from benchmarks import results
from benchmarks.__main__ import run
from benchmarks.results import Row, Skipped
from benchmarks.rounds import Spread


async def fast() -> list[Row]:
    return [
        Row.of("images a second", "script", Spread(41.0, 40.0, 43.5, 5), unit="1/s"),
        Row.of("memory", "worker", 98, unit="MiB", at=1000, target="≤ 100"),
    ]


async def lacking() -> list[Row]:
    raise Skipped("there is no redis-server")


def test_what_a_benchmark_returns_is_written_whole(tmp_path: Path) -> None:
    run("fast", fast, tmp_path / "new")
    content = json.loads((tmp_path / "new" / "fast.json").read_text(encoding="utf-8"))
    assert content["benchmark"] == "fast"
    assert content["machine"]["cores"] >= 1
    assert content["versions"]["openai"]
    assert content["rows"] == [
        {
            "figure": "images a second",
            "case": "script",
            "unit": "1/s",
            "median": 41.0,
            "least": 40.0,
            "most": 43.5,
            "count": 5,
            "at": None,
            "target": "",
        },
        {
            "figure": "memory",
            "case": "worker",
            "unit": "MiB",
            "median": 98,
            "least": 98,
            "most": 98,
            "count": 1,
            "at": 1000,
            "target": "≤ 100",
        },
    ]


def test_a_skipped_benchmark_says_why_and_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("lacking", lacking, tmp_path)
    assert capsys.readouterr().out == "lacking: skipped: there is no redis-server\n"
    assert list(tmp_path.iterdir()) == []


def test_no_file_names_the_host_or_a_path(tmp_path: Path) -> None:
    path = results.write(tmp_path, "empty", [])
    told = path.read_text(encoding="utf-8")
    assert platform.node() not in told
    assert str(Path(results.__file__).parent) not in told
