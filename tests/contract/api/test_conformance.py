"""The API against its own document: whatever is sent, it answers what the document says."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from tests.contract.api.world import OURS, served, world

CONFIG = Path(__file__).with_name("schemathesis.toml")


def test_whatever_is_sent_is_answered_as_the_document_says(tmp_path: Path) -> None:
    """Examples, boundaries, random requests and sequences of them; each run sends the same."""
    with served(asyncio.run(world()).ours) as url:
        command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG), "run"]
        done = subprocess.run(
            [*command, f"{url}/openapi.json"],
            env=os.environ | {"API_KEY": OURS},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Stateful" in done.stdout
