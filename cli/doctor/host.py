"""On a host of the service: its settings, tried by the service's own code in a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from cli.doctor.check import Check, Found, bad
from cli.processes import ROOT

SECONDS = 60
SIGNS = ("IMAGEMILL_CONTROL_BUCKET", "IMAGEMILL_DELIVERY_BUCKET")
"""Who has set these runs a part of the service here."""


def is_host(environment: Mapping[str, str]) -> bool:
    """Are there settings of the service itself?"""
    return any(environment.get(name) for name in SIGNS)


def look_at_host(environment: Mapping[str, str] = os.environ) -> Iterator[Check]:
    """Engine, buckets and provider accounts, as the settings of the environment name them."""
    path = environment.get("PYTHONPATH")
    try:
        ran = subprocess.run(
            [sys.executable, "-P", "-m", "imagemill.doctor"],
            env={**environment, "PYTHONPATH": f"{ROOT}{os.pathsep}{path}" if path else str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=SECONDS,
            text=True,
            check=False,
        )
    except subprocess.TimeoutExpired:
        yield bad("settings", f"looking at them took over {SECONDS} s", "see which address does not answer")
        return
    for line in ran.stdout.splitlines():
        yield _check(json.loads(line))
    if ran.returncode not in (0, 1):
        yield bad("settings", "they could not be looked at", "run `python -m imagemill.doctor` and see why")


def _check(said: dict[str, Any]) -> Check:
    return Check(said["name"], Found(said["found"]), said["detail"], said.get("mend", ""))
