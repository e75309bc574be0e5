"""What needs a network and mounts of its own, run in them."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos.isolation import UNSHARE

FOLDER = Path(__file__).parent / "isolated"


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.glob("test_*.py")))
def test_in_isolation(name: str) -> None:
    if subprocess.run((*UNSHARE, "true"), capture_output=True, check=False).returncode:
        pytest.skip("this machine allows no network of its own: faults of the network are made by proxies")
    pytest_here = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(FOLDER / name))
    done = subprocess.run((*UNSHARE, *pytest_here), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
