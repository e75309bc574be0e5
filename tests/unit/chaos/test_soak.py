"""A soak is a long scenario whose jobs come in waves and end by themselves; all who judge must be content."""

import json
from pathlib import Path

import pytest

from tests.chaos import soak
from tests.chaos.soak import Soak


def test_the_same_seed_tells_the_same() -> None:
    assert Soak(3).long(20).as_json() == Soak(3).long(20).as_json()
    assert Soak(3).long(20).as_json() != Soak(4).long(20).as_json()


def test_jobs_come_in_waves_with_idle_phases_until_the_end() -> None:
    scenario = Soak(1).long(60)
    times = [job.at for job in scenario.jobs]

    assert len(times) > 400
    assert max(at % soak.WAVE for at in times) < soak.WAVE * (1 - soak.IDLE)
    assert 3300 < max(times) < 3600
    assert len({job.key for job in scenario.jobs}) == len(times)


def test_no_job_waits_for_the_drain() -> None:
    scenario = Soak(1).long(60)

    for job in scenario.jobs:
        assert job.body["on_unknown"] != "hold"
        assert {("resume", "paused"), ("set-budget", "held")} <= {
            (each.do, each.once) for each in job.actions
        }
    assert all(tenant.day_usd == soak.TENANT_USD for tenant in scenario.tenants)


def test_the_api_and_a_worker_live_all_the_time_and_faults_last_as_long_as_the_soak() -> None:
    timeline = Soak(1).long(60).timeline
    killed = {fault.details["target"] for fault in timeline if fault.kind == "kill"}

    assert killed == {"worker-2", "temporal", "store"}
    assert max(fault.at + fault.lasts for fault in timeline) == 3600
    assert {fault.kind for fault in timeline} >= {"provider", "sink", "freeze"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The evidence of nothing, in which the checker has found nothing."""
    (tmp_path / "bucket").mkdir()
    (tmp_path / "bucket" / "objects.jsonl").write_text("")
    (tmp_path / "verdict.json").write_text(json.dumps({"violations": [], "figures": {"jobs": 3, "items": 9}}))
    line = {"part": "api", "pid": 1, "rss_bytes": 1, "fds": 1, "threads": 1, "processes": 1}
    lines = [json.dumps(line | {"time": second}) + "\n" for second in range(0, 1800, 5)]
    (tmp_path / "processes.jsonl").write_text("".join(lines))
    return tmp_path


def test_a_clean_soak(folder: Path) -> None:
    said = soak.judge(folder, ended=0)

    assert soak.is_clean(said)
    assert soak.summary(said) == (
        "soak: 3 jobs, 9 items; 0 violations; 1 processes judged, 0 objections; "
        "longest history 0 events; orphans: none"
    )
    assert json.loads((folder / "soak.json").read_text()) == said


def test_the_checkers_violations_make_it_fail(folder: Path) -> None:
    (folder / "verdict.json").write_text(json.dumps({"violations": [{"invariant": "I4"}], "figures": {}}))

    said = soak.judge(folder, ended=1)

    assert not soak.is_clean(said)
    assert "I4" in soak.summary(said)


def test_a_run_without_a_verdict_fails(folder: Path) -> None:
    (folder / "verdict.json").unlink()

    assert not soak.is_clean(soak.judge(folder, ended=2))


def test_what_is_not_flat_makes_it_fail(folder: Path) -> None:
    (folder / "histories.jsonl").write_text(
        json.dumps({"type": "imagemill.pool", "workflow": "pool/default", "events": 60_000, "bytes": 1})
        + "\n"
    )

    said = soak.judge(folder, ended=0)

    assert not soak.is_clean(said)
    assert "pool/default" in soak.summary(said)
