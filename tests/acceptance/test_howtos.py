"""What the how-to pages tell a reader to type, typed: all marked blocks of a page, as one script."""

import json
import re
import subprocess
from pathlib import Path

from tests.acceptance.service import Service

HOWTO = Path(__file__).resolve().parents[2] / "docs" / "howto"
MARKED = re.compile(r"<!-- run -->\n```sh\n(.*?)```", re.DOTALL)


def run(page: str, service: Service, folder: Path) -> str:
    """What the page's commands print; they must succeed."""
    blocks = MARKED.findall((HOWTO / f"{page}.md").read_text())
    assert blocks
    settings = {
        "IMAGEMILL_URL": str(service.stack.addresses.url),
        "IMAGEMILL_API_KEY": str(service.stack.addresses.api_key),
        "PATH": "/usr/local/bin:/usr/bin:/bin",
    }
    ran = subprocess.run(
        ["bash", "-c", "set -eo pipefail\n" + "".join(blocks)],
        cwd=folder,
        env=settings,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def said(folder: Path, name: str) -> dict[str, object]:
    found: dict[str, object] = json.loads((folder / name).read_text())
    return found


async def test_retries_and_idempotency(service: Service, tmp_path: Path) -> None:
    run("retries-and-idempotency", service, tmp_path)

    first, second, child = (said(tmp_path, name) for name in ("first.json", "second.json", "child.json"))
    assert first["id"] == second["id"]
    assert child["retry_of"] == first["id"]
    status = await service.status(str(child["id"]))
    assert (status["items"]["total"], status["items"]["blocked"]) == (1, 1)
