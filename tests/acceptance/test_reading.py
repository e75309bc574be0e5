"""Reading jobs over HTTP from a real stack: what the how-to types, the list, several API processes."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2

from tests.acceptance.service import ENDED, Service
from tests.pages import DOCS, marked, typed

PAGE = DOCS / "howto" / "submit-and-poll.md"
NASTY = [
    "plain",
    "it's",
    'a"b',
    "back\\slash\\",
    "\\' OR ImagemillTenant != 'x",
    "100%_",
    "größe 木",
    "x" * 512,
]


def test_the_lines_of_the_page_do_what_it_says(service: Service, tmp_path: Path) -> None:
    said = typed("".join(marked(PAGE)), service.stack, tmp_path).split()
    assert said[0] in ("304", "200")  # it may have gone on by then
    assert said[1:5] == ["completed", "event:", "end", "shoes/red"]
    assert said[-1] == "spring-catalog"
    assert (tmp_path / "red.png").read_bytes().startswith(b"\x89PNG")


async def listed(service: Service, **params: Any) -> list[str]:
    answer = await service.ask("GET", "/v1/jobs", params=params)
    assert answer.status_code == 200, answer.text
    return [job["id"] for job in answer.json()["data"]]


async def test_jobs_are_found_by_what_their_submitters_said(service: Service) -> None:
    """Whatever it is: while they run, by the engine's list, and afterwards by the index."""
    items = [{"custom_id": "a", "prompt": "A found vase"}]
    jobs = {
        value: await service.submit(items=items, name=value[:200], metadata={"said": value, _key(value): "k"})
        for value in NASTY
    }
    for job in jobs.values():
        await service.finished(job)
    for value, job in jobs.items():
        assert await listed(service, **{"metadata.said": value}) == [job]
        assert job in await listed(service, name=value[:200])
        assert job in await listed(service, **{f"metadata.{_key(value)}": "k"})
    assert await listed(service, state="running", **{"metadata.said": "plain"}) == []


def _key(value: str) -> str:
    return value[:64].replace("=", "")


async def test_held_jobs_are_found_in_the_engine_s_list(service: Service) -> None:
    """They stay there as long as they are held, whatever is asked for."""
    items = [{"custom_id": str(n), "prompt": f"A held vase {n}"} for n in range(2)]
    jobs = {}
    for value in NASTY:
        budget = {"limit_usd": "0.006", "on_exhausted": "hold"}
        said: Any = {"name": value[:200], "metadata": {"held": value}}
        jobs[value] = await service.submit(items=items, budget=budget, **said)
    for value, job in jobs.items():
        await service.until(job, lambda status: status["state"] == "held")
        async with asyncio.timeout(30):
            while await listed(service, state="held", **{"metadata.held": value}) != [job]:  # noqa: ASYNC110
                await asyncio.sleep(0.2)
        assert job in await listed(service, state="held", name=value[:200])
        assert job in await listed(service, limit=1000)
    for job in jobs.values():
        await service.ask("POST", f"/v1/jobs/{job}/cancel")
    for job in jobs.values():
        await service.finished(job)


@asynccontextmanager
async def another_api(service: Service, http: httpx2.AsyncClient) -> AsyncIterator[str]:
    """A second API process beside the stack's own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "api", "--port", str(port)), env=os.environ | service.stack.environment
    )
    url = f"http://127.0.0.1:{port}"
    try:
        async with asyncio.timeout(60):
            while not await _answers(http, url):  # noqa: ASYNC110 - there is nothing to wait on
                await asyncio.sleep(0.1)
        yield url
    finally:
        process.terminate()
        async with asyncio.timeout(30):
            await process.wait()


async def _answers(http: httpx2.AsyncClient, url: str) -> bool:
    try:
        return (await http.get(f"{url}/healthz")).status_code == 200
    except httpx2.HTTPError:
        return False


async def test_counts_never_go_backwards_over_two_processes(
    service: Service, http: httpx2.AsyncClient
) -> None:
    items = [{"custom_id": f"m{n}", "prompt": f"A monotone vase {n}"} for n in range(600)]
    headers = {"Authorization": f"Bearer {service.stack.addresses.api_key}"}
    async with another_api(service, http) as other:
        job = await service.submit(items=items)
        seen = [0]
        ended = asyncio.Event()

        async def poll(url: str) -> None:
            tag = ""
            while not ended.is_set():
                before = seen[0]
                answer = await http.get(
                    f"{url}/v1/jobs/{job}", headers=headers | ({"If-None-Match": tag} if tag else {})
                )
                if answer.status_code == 304:
                    continue
                tag, status = answer.headers["etag"], answer.json()
                succeeded = status["items"]["succeeded"]
                assert succeeded >= before
                seen[0] = max(seen[0], succeeded)
                if status["state"] in ENDED:
                    ended.set()

        async with asyncio.timeout(240):
            await asyncio.gather(*(poll(url) for url in (str(service.stack.addresses.url), other) * 3))
        assert seen[0] == 600


async def test_a_process_that_stops_lets_waiting_callers_go(
    service: Service, http: httpx2.AsyncClient
) -> None:
    headers = {"Authorization": f"Bearer {service.stack.addresses.api_key}"}
    budget = {"limit_usd": "0.006", "on_exhausted": "hold"}
    items = [{"custom_id": str(n), "prompt": f"A patient vase {n}"} for n in range(2)]
    job = await service.submit(items=items, budget=budget)
    await service.until(job, lambda status: status["state"] == "held")
    async with another_api(service, http) as url:
        tag = (await http.get(f"{url}/v1/jobs/{job}", headers=headers)).headers["etag"]
        wait = headers | {"If-None-Match": tag, "Prefer": "wait=60"}
        waiting = asyncio.create_task(http.get(f"{url}/v1/jobs/{job}", headers=wait))
        listening = asyncio.create_task(http.get(f"{url}/v1/jobs/{job}/events", headers=headers))
        done, _ = await asyncio.wait([waiting, listening], timeout=1)
        assert not done
        # Leaving the block stops the process.
    assert (await waiting).status_code == 304
    assert "event: snapshot" in (await listening).text
    await service.ask("POST", f"/v1/jobs/{job}/cancel")
    await service.finished(job)
