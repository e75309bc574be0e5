"""Mixed jobs for as long as `--minutes` says: every promise holds, and everything stays flat."""

import asyncio
import random
import shutil
from pathlib import Path

import pytest

from tests.chaos import soak


async def test_soak_stays_flat_and_keeps_every_promise(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    seed = pytestconfig.getoption("--first-seed") or random.randrange(10**6)
    scenario = soak.Soak(seed).long(pytestconfig.getoption("--minutes"))

    ended = await asyncio.to_thread(soak.play, scenario, tmp_path)
    said = await asyncio.to_thread(soak.judge, tmp_path, ended)

    if verdicts := pytestconfig.getoption("--verdicts"):
        keep(tmp_path, verdicts / f"soak-{seed}")
    assert soak.is_clean(said), soak.summary(said)
    print(soak.summary(said))  # noqa: T201 - the line that is wanted of it


def keep(evidence: Path, folder: Path) -> None:
    """What was said of it, beside the verdicts of all other runs."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("verdict.json", "soak.json"):
        if (evidence / name).exists():
            shutil.copy(evidence / name, folder)
