"""The dashboard beside a job of 100,000 items that runs: milliseconds of its pages, and what open ones cost.

The pages are asked for one at a time, as a browser with a session does, while the job is paused, so that
nothing else uses the machine. Then it goes on, as fast as `RATE` allows, and `OPEN` browsers keep the job's
page open, each for itself, since tabs of one browser share its connections. The processor time of
the API's process is compared with that of the same time without them.
"""

import asyncio
import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx2
from playwright.async_api import async_playwright

from benchmarks.planning import submission, write
from benchmarks.processes import below, core_seconds, name_of
from benchmarks.results import Row, Skipped
from benchmarks.rounds import Spread
from benchmarks.service import Service, service
from sandbox.stack import LocalStack, StackOptions

ITEMS = 100_000
READY = 400
"""So many images are there before anything is measured."""
RATE = 60
"""Images a minute."""
ASKED = 20
BETWEEN = 0.6
"""Seconds between two pages: who asks at once again waits for a share of the engine's list, and of reads."""
OPEN = 10
SECONDS = 30.0


async def main() -> list[Row]:
    """Pages first, then open browsers.

    Raises:
        Skipped: there is no browser.
    """
    await require_browser()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "catalog.csv"
        await asyncio.to_thread(write, path, ITEMS)
        options = StackOptions(data_dir=Path(folder) / "stack", speed=0.0)
        async with LocalStack(options) as stack, httpx2.AsyncClient(timeout=600) as http:
            own = service(stack, http)
            url, key = str(stack.addresses.url), str(stack.addresses.api_key)
            job = await submit(own, http, url, key, path)
            await own.until_done(job, 900, images=READY)
            await own.limit(images_per_minute=RATE)
            await steer(own, http, f"{url}/v1/jobs/{job}/pause", "paused")
            rows = await pages(url, key, job)
            await steer(own, http, f"{url}/v1/jobs/{job}/resume", "running")
            return rows + await browsers(url, key, job)


async def require_browser() -> None:
    """Find out before a stack is started."""
    async with async_playwright() as playwright:
        own = playwright.chromium.executable_path
    if not shutil.which("chromium") and not await asyncio.to_thread(Path(own).exists):
        raise Skipped("there is no chromium")


async def submit(own: Service, http: httpx2.AsyncClient, url: str, key: str, path: Path) -> str:
    """The whole catalog, under a cap that it does not reach."""
    headers = {"Authorization": f"Bearer {key}"}
    with path.open("rb") as file:
        upload = await http.post(f"{url}/v1/files", files={"file": ("catalog.csv", file)}, headers=headers)
    body: dict[str, Any] = submission(upload.json()["id"]) | {"budget": {"limit_usd": "900.00"}}
    answer = await http.post(f"{url}/v1/jobs", json=body, headers=headers)
    answer.raise_for_status()
    return str(answer.json()["id"])


async def steer(own: Service, http: httpx2.AsyncClient, verb: str, state: str) -> None:
    """Pause or resume the job, and wait until it has taken effect."""
    job = verb.split("/")[-2]
    (await http.post(verb, headers=own.headers)).raise_for_status()
    while (await own.status(job))["state"] != state:
        await asyncio.sleep(0.2)


async def pages(url: str, key: str, job: str) -> list[Row]:
    """Milliseconds of each page."""
    rows: list[Row] = []
    async with httpx2.AsyncClient(base_url=url, timeout=60, headers={"accept": "text/html"}) as http:
        answer = await http.post("/login", data={"key": key}, headers={"origin": url})
        assert answer.status_code == 303, answer.text
        for path in ("/jobs", f"/jobs/{job}", f"/jobs/{job}/live"):
            times = []
            for _ in range(ASKED):
                await asyncio.sleep(BETWEEN)
                began = time.perf_counter()
                (await http.get(path)).raise_for_status()
                times.append((time.perf_counter() - began) * 1000)
            shown = path.replace(job, "{job}")
            rows.append(Row.of("a page", shown, Spread.of(times), unit="ms"))
            print(
                f"dashboard {shown:18} ms: median {statistics.median(times):5.1f}   "
                f"95 % below {sorted(times)[int(ASKED * 0.95) - 1]:5.1f}   most {max(times):5.1f}"
            )
    return rows


async def browsers(url: str, key: str, job: str) -> list[Row]:
    """Processor time of the API's process without open pages and with them."""
    async with async_playwright() as playwright:
        chromium = shutil.which("chromium")
        browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        before = await core()
        for _ in range(OPEN):
            page = await (await browser.new_context()).new_page()
            await page.goto(f"{url}/login?next=/jobs/{job}")
            await page.get_by_label("API key").fill(key)
            await page.get_by_role("button", name="Log in").click()
            await page.wait_for_url(f"**/jobs/{job}")
        with_pages = await core()
        await browser.close()
    each = (with_pages - before) / OPEN
    print(
        f"dashboard: {OPEN} open pages of a running job: the API takes {before:.1%} of a core without them, "
        f"{with_pages:.1%} with them, {each:.2%} each"
    )
    return [
        Row.of("of a core, the API", "no page open", before * 100, unit="%"),
        Row.of("of a core, the API", f"{OPEN} pages open", with_pages * 100, unit="%"),
        Row.of("of a core, the API", "for each open page", each * 100, unit="%"),
    ]


async def core() -> float:
    """The share of a core that the API's process takes, over a while."""
    [api] = [process for process in below(os.getpid()) if name_of(process) == "api"]
    began, used = time.perf_counter(), core_seconds(api)
    await asyncio.sleep(SECONDS)
    return (core_seconds(api) - used) / (time.perf_counter() - began)
