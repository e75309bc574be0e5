"""Exports and feeds as they are submitted: what the page on them shows, typed; and real exports."""

import asyncio
import gzip
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.service import SMALL, Prompts, Service, check_pictures
from tests.acceptance.test_catalogs import CATALOGS, needs_catalogs

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "howto" / "catalog-feeds.md").read_text()
SHELL = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
JOB = re.compile(r"^job_\w+$", re.MULTILINE)
SCENE = "on a plain white background, in soft studio light."
EXPORT = """\
Handle,Title,Published,Body (HTML),Option1 Name,Option1 Value,Image Src
oak-chair,Oak chair,true,<p>Oiled</p>,Size,S,https://shop.example/1.jpg
oak-chair,,,,,L,https://shop.example/2.jpg
hidden,Hidden chair,false,,Title,Default Title,
untitled,,true,,Title,Default Title,
"""
FEED = """<rss version="2.0" xmlns:g="http://base.google.com/ns/1.0"><channel>
<item><g:id>jug</g:id><title>Brass jug</title><g:availability>in_stock</g:availability></item>
<item><g:id>gone</g:id><title>Sold jug</title><g:availability>out_of_stock</g:availability></item>
</channel></rss>"""


def typed(service: Service, folder: Path, script: str) -> str:
    """What a script of the page prints."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("IMAGEMILL_")}
    settings = {
        "IMAGEMILL_URL": str(service.stack.addresses.url),
        "IMAGEMILL_API_KEY": str(service.stack.addresses.api_key),
        "PYTHONPATH": str(ROOT),
    }
    imagemill = f'imagemill() {{ "{sys.executable}" -m cli.main "$@"; }}\nset -e\n'
    ran = subprocess.run(
        ["bash", "-c", imagemill + script],
        cwd=folder,
        env=kept | settings,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


async def test_the_shown_commands_submit_an_export_and_a_packed_feed(
    service: Service, tmp_path: Path
) -> None:
    (tmp_path / "products_export.csv").write_text(EXPORT)
    (tmp_path / "feed.xml").write_text(FEED)
    products, packed = [script for script in SHELL if "--feed" in script]
    jobs = [
        JOB.findall(await asyncio.to_thread(typed, service, tmp_path, script))[0]
        for script in (products, packed)
    ]
    ended = [await service.finished(job) for job in jobs]
    results = [result for job in jobs for result in await service.results(job)]

    assert [status["state"] for status in ended] == ["completed_with_errors", "completed"]
    bad = [(row["line"], row["detail"]) for row in ended[0]["invalid_rows"]["first"]]
    assert bad == [(5, "the prompt is empty")]
    prompts: Prompts = {
        ("oak-chair", None): f"Product photo of Oak chair {SCENE} Oiled",
        ("jug", None): f"Product photo of Brass jug {SCENE}",
    }
    sound = [result for result in results if result["state"] == "succeeded"]
    assert {(result["custom_id"], result["variant"]) for result in sound} == set(prompts)
    await check_pictures(service, sound, prompts)


async def test_the_shown_questions_bring_every_bad_row(service: Service, tmp_path: Path) -> None:
    ask, every = [script for script in SHELL if "validat" in script]
    rows = "".join(f"r{number},\n" for number in range(1500))
    file_id = await service.upload("rows.csv.gz", gzip.compress(f"id,text\na,x\n{rows}".encode()))
    manifest = {"file_id": file_id, "format": "csv", "id": "{{ row.id }}", "prompt": "{{ row.text }}"}
    job = {"manifest": manifest, "defaults": SMALL, "budget": {"limit_usd": "1.00"}}
    (tmp_path / "job.json").write_text(json.dumps(job))
    answer = json.loads(await asyncio.to_thread(typed, service, tmp_path, ask))
    shown = re.sub(r"validation_\w+", answer["id"], every)
    told = [
        json.loads(line) for line in (await asyncio.to_thread(typed, service, tmp_path, shown)).splitlines()
    ]

    assert (answer["items"], answer["invalid_rows"]["count"]) == (1501, 1500)
    assert answer["invalid_rows"]["first"] == told[:1000]
    assert [row["line"] for row in told] == list(range(3, 1503))


@needs_catalogs
@pytest.mark.parametrize("form", ["shopify-products", "shopify-variants"])
async def test_a_real_export_needs_no_templates(service: Service, form: str) -> None:
    file_id = await service.upload("home.csv", (CATALOGS / "shopify-home-and-garden.csv").read_bytes())
    matrix = {"words": {"white": "on white", "green": "on green"}}
    job = await service.submit(manifest={"file_id": file_id, "format": form, "matrix": matrix})
    status = await service.finished(job)
    results = await service.results(job)

    assert status["state"] == "completed"
    assert len(results) == 2 * {"shopify-products": 20, "shopify-variants": 21}[form]
    assert {result["variant"] for result in results} == {"white", "green"}
