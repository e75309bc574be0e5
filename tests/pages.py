"""The commands of the documentation's pages, typed as a reader would."""

import os
import re
import subprocess
from pathlib import Path

from sandbox.stack import LocalStack

DOCS = Path(__file__).resolve().parents[1] / "docs"
_MARKED = re.compile(r"<!-- run -->\n```sh\n(.*?)```", re.DOTALL)


def marked(page: Path) -> list[str]:
    """The blocks of a page that are marked to be run."""
    blocks = _MARKED.findall(page.read_text())
    assert blocks, f"{page.name} marks no block to be run"
    return blocks


def typed(script: str, stack: LocalStack, folder: Path) -> str:
    """What a script prints that a reader of the pages types in a folder; it must succeed."""
    settings = {
        "PATH": os.environ["PATH"],
        "IMAGEMILL_URL": str(stack.addresses.url),
        "IMAGEMILL_API_KEY": str(stack.addresses.api_key),
        "IMAGEMILL_ADMIN_KEY": str(stack.credentials.admin_key),
    }
    ran = subprocess.run(
        ["bash", "-c", "set -eo pipefail\n" + script],
        cwd=folder,
        env=settings,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout
