"""What the how-to pages tell a reader to type, typed: all marked blocks of a page, as one script."""

import json
import sys
from pathlib import Path

from PIL import Image

from tests.acceptance.service import Service
from tests.pages import DOCS, marked, typed


def run(page: str, service: Service, folder: Path) -> str:
    return typed("echo\n".join(marked(DOCS / "howto" / f"{page}.md")), service.stack, folder)


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


def test_reuse(service: Service, tmp_path: Path) -> None:
    run("reuse", service, tmp_path)

    estimate, second = said(tmp_path, "estimate.json"), said(tmp_path, "second.json")
    assert (estimate["items"], estimate["reused"]) == (4, 2)
    assert (second["state"], second["images"]) == ("completed", 2)
    results = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    bought = [result["custom_id"] for result in results if result["reused_from"] is None]
    assert sorted(bought) == ["jug", "lamp"]


def test_renditions_and_galleries(service: Service, tmp_path: Path) -> None:
    run("renditions-and-galleries", service, tmp_path)

    sizes = {"thumbnail": (320, 320), "web": (800, 800), "card": (600, 400), "feed": (500, 500)}
    for name, size in sizes.items():
        with Image.open(tmp_path / f"chair-{name}") as image:
            assert image.size == size
    assert 'alt="lamp"' in (tmp_path / "gallery.html").read_text()
    with Image.open(tmp_path / "contact-sheet.webp") as image:
        assert image.format == "WEBP"


def test_cap_tenants(service: Service, tmp_path: Path) -> None:
    page = (DOCS / "howto" / "cap-tenants.md").read_text()
    put, got, usage = (json.loads(line) for line in run("cap-tenants", service, tmp_path).splitlines())

    assert put == got == json.loads(page.split("```json\n")[1].split("```")[0])
    assert usage["object"] == "usage"


async def test_schedules(service: Service, tmp_path: Path) -> None:
    run("schedules", service, tmp_path)

    shown, made = said(tmp_path, "preview.json"), said(tmp_path, "made.json")
    assert shown["words"] == "Every Monday at 06:00, Europe/Berlin, from 2027-03-15 00:00"
    assert isinstance(shown["times"], list)
    assert [time["at"][11:16] for time in shown["times"]] == ["05:00", "05:00", "04:00"]
    assert said(tmp_path, "backfill.json")["times"] == 4
    assert (said(tmp_path, "paused.json")["state"], said(tmp_path, "resumed.json")["state"]) == (
        "paused",
        "active",
    )
    assert said(tmp_path, "kept.json")["data"] == said(tmp_path, "runs.json")["data"]
    assert (await service.ask("GET", f"/v1/schedules/{made['id']}")).status_code == 404


def test_command_line(service: Service, tmp_path: Path) -> None:
    page = DOCS / "howto" / "command-line.md"
    command = f'imagemill() {{ PYTHONPATH={DOCS.parent} {sys.executable} -m cli.main "$@"; }}\n'
    typed(command + "".join(marked(page)), service.stack, tmp_path)

    assert {path.name for path in tmp_path.glob("shop/*/*")} == {"square.webp", "banner.webp"}
    assert said(tmp_path, "status.json")["state"] == "completed"
    assert len((tmp_path / "items.jsonl").read_text().splitlines()) == 4
    assert len((tmp_path / "items.csv").read_text().splitlines()) == 5
