"""What the README tells a newcomer to type, typed."""

import json
import re
import subprocess
from pathlib import Path

from tests.acceptance.service import Service
from tests.pages import marked, typed

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
RECIPE = re.compile(r"^make (\w+)$", re.MULTILINE)


def test_the_curl_lines_submit_a_job_and_bring_its_results(service: Service, tmp_path: Path) -> None:
    printed = typed("".join(marked(ROOT / "README.md")), service.stack, tmp_path)
    results = [json.loads(line) for line in printed.splitlines()]
    assert {result["custom_id"] for result in results} == {"sku-1001", "sku-1002"}
    assert all(result["images"][0]["url"] for result in results)


def test_the_recipes_that_it_names_are_there() -> None:
    names = RECIPE.findall(README)

    assert {"demo", "test"} <= set(names)
    for name in names:
        subprocess.run(["make", "--dry-run", name], cwd=ROOT, check=True, capture_output=True)


def test_the_folders_that_it_maps_are_there() -> None:
    rows = re.findall(r"^\| (.*?) \|", README.split("## Where things are")[1], re.MULTILINE)
    folders = [name for row in rows for name in re.findall(r"`([\w./]+)`", row)]

    assert len(folders) > 8
    assert [name for name in folders if not (ROOT / name).exists()] == []
