"""What is missing is named at start, not at the first call."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from tests.acceptance.service import Service

ROOT = Path(__file__).resolve().parents[2]
HOLE = str(Path(__file__).with_name("hole.toml"))
"""A price file that lacks a price."""
PROGRAMS = {"worker": ("worker.py",), "api": ("-m", "api", "--port", "0")}


async def start(service: Service, program: str, **changed: str | None) -> tuple[int | None, str]:
    """Exit code and output of a program that can't start."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("IMAGEMILL_")}
    settings = kept | service.stack.environment | {name: value for name, value in changed.items() if value}
    for name in [name for name, value in changed.items() if value is None]:
        del settings[name]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *PROGRAMS[program]),
        cwd=ROOT,
        env=settings,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), timeout=30)
    finally:
        if process.returncode is None:
            process.kill()
    return process.returncode, output.decode()


@pytest.mark.parametrize(
    ("program", "missing"),
    [
        ("worker", "IMAGEMILL_PROVIDER_API_KEY"),
        ("worker", "IMAGEMILL_DELIVERY_BUCKET"),
        ("api", "IMAGEMILL_API_KEY"),
        ("api", "IMAGEMILL_CONTROL_BUCKET"),
    ],
)
async def test_a_missing_setting_is_named(service: Service, program: str, missing: str) -> None:
    code, output = await start(service, program, **{missing: None})

    assert code == 2
    assert f"{missing}: is missing" in output
    assert "Traceback" not in output


@pytest.mark.parametrize(
    ("program", "changed", "words"),
    [
        ("worker", {"IMAGEMILL_DELIVERY_BUCKET": "nowhere"}, "the delivery bucket can't be used"),
        ("worker", {"IMAGEMILL_CONTROL_SECRET_KEY": "wrong"}, "the control bucket can't be used"),
        (
            "worker",
            {"IMAGEMILL_TEMPORAL_ADDRESS": "127.0.0.1:9"},
            "no Temporal server answers at 127.0.0.1:9",
        ),
        ("api", {"IMAGEMILL_CONTROL_BUCKET": "nowhere"}, "the control bucket can't be used"),
        ("api", {"IMAGEMILL_TEMPORAL_ADDRESS": "127.0.0.1:9"}, "no Temporal server answers at 127.0.0.1:9"),
        (
            "worker",
            {"IMAGEMILL_PRICES_CATALOGUE": HOLE},
            "hole.toml line 3: model hole: no price for image_out",
        ),
        ("api", {"IMAGEMILL_PRICES_CATALOGUE": HOLE}, "hole.toml line 3: model hole: no price for image_out"),
        ("api", {"IMAGEMILL_PRICES_FACTOR": "0"}, "IMAGEMILL_PRICES_FACTOR"),
        ("worker", {"IMAGEMILL_CAPS_DAY_USD": "0"}, "IMAGEMILL_CAPS_DAY_USD"),
        ("api", {"IMAGEMILL_CAPS_TIME_ZONE": "Mars"}, "IMAGEMILL_CAPS_TIME_ZONE: 'Mars' is no time zone"),
        ("api", {"IMAGEMILL_API_KEY": "short"}, "IMAGEMILL_API_KEY: is not as it should be"),
    ],
)
async def test_a_part_that_cannot_be_used_is_named(
    service: Service, program: str, changed: dict[str, str], words: str
) -> None:
    code, output = await start(service, program, **changed)

    assert code == 2
    assert words in output
    assert "Traceback" not in output
    assert not any(value in output for name, value in service.stack.environment.items() if "KEY" in name)
