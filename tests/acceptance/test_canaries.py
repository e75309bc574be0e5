"""Words that nobody else says are sent in, and then looked for wherever the service writes.

They are keys, prompts, secrets and addresses; they may be in the buckets, and must not be in logs, metrics or
the engine's database, which holds the histories.
"""

import base64
import socket
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from sandbox.stack import LocalStack, StackOptions
from tests.acceptance.conftest import QUICK
from tests.acceptance.service import Service

PROMPT = "canary-heliotrope-prompt"
QUERY = "canary-vermilion-token"
SECRET = base64.b64encode(b"canary-cerulean-secret!!").decode()
LOST_KEY = "im_canary_ochre0123456789abcdef"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@pytest.fixture(scope="module")
async def watched(
    tmp_path_factory: pytest.TempPathFactory, http: httpx2.AsyncClient
) -> AsyncIterator[tuple[Service, Path, str]]:
    """A stack, its folder, and where its worker shows its metrics."""
    folder, metrics = tmp_path_factory.mktemp("canaries"), f"127.0.0.1:{free_port()}"
    options = StackOptions(
        data_dir=folder, speed=0.0, extra_env=QUICK | {"IMAGEMILL_METRICS_ADDRESS": metrics}
    )
    async with LocalStack(options) as stack:
        yield Service(stack, http), folder, f"http://{metrics}/metrics"


def written(folder: Path, metrics: str) -> dict[str, bytes]:
    """All that the parts have written, but for the buckets, by what it is called."""
    found = {path.name: path.read_bytes() for path in sorted((folder / "logs").iterdir())}
    (database,) = folder.glob("*.db")
    with sqlite3.connect(database) as engine:  # what is still in its journal is read too
        engine.text_factory = bytes
        for (name,) in engine.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            rows = engine.execute(f'SELECT * FROM "{name.decode()}"')
            cells = (cell for row in rows for cell in row if isinstance(cell, bytes))
            found[f"table {name.decode()}"] = b"\n".join(cells)
    found["metrics"] = metrics.encode()
    return found


async def _use_everything(service: Service) -> str:
    """A job that meets every kind of trouble, with canaries in all that it is given."""
    async with service.faults(
        {"kind": "insufficient_quota", "match": PROMPT, "times": 1},
        {"kind": "error_500_billed", "match": PROMPT, "times": 2},
        {"kind": "non_json_500", "match": PROMPT, "times": 1},
        {"kind": "rate_limit", "match": PROMPT, "times": 1, "seconds": 1},
    ):
        items = [{"custom_id": f"c-{n}", "prompt": f"{PROMPT} {n}"} for n in range(6)]
        items.append({"custom_id": "blocked", "prompt": f"forbidden-output {PROMPT}"})
        address = f"https://unreachable.invalid/photo.png?signature={QUERY}"
        items.append({"custom_id": "edit", "prompt": PROMPT, "images": [address]})  # type: ignore[dict-item]
        job = await service.submit(items=items)
        await service.finished(job)
    results = await service.results(job)
    assert any("X-Amz-Signature" in image["url"] for result in results for image in result["images"])
    return job


async def test_nothing_private_is_written_anywhere_but_to_the_buckets(
    watched: tuple[Service, Path, str], http: httpx2.AsyncClient
) -> None:
    service, folder, metrics = watched
    answer = await service.ask("POST", "/v1/webhooks/secret/rotate", json={"secret": f"whsec_{SECRET}"})
    assert answer.status_code == 200, answer.text
    job = await _use_everything(service)
    told = await service.submit(
        items=[{"custom_id": "one", "prompt": PROMPT}],
        webhook={"url": f"https://unreachable.invalid/hook?token={QUERY}", "events": ["job.completed"]},
    )
    await service.finished(told)
    refused = await service.ask("GET", f"/v1/jobs/{job}", headers={"Authorization": f"Bearer {LOST_KEY}"})
    assert refused.status_code == 401
    shown = (await http.get(metrics)).text

    found = written(folder, shown)
    tables = [text for where, text in found.items() if where.startswith("table ")]
    assert any(job.encode() in text for text in tables), "the search sees what the engine keeps"
    assert b"temporal" in found["metrics"]
    environment = service.stack.environment
    keys = {name: value for name, value in environment.items() if name.endswith(("_KEY", "_SECRET_KEY"))}
    canaries = keys | {
        "prompt": PROMPT, "token": QUERY, "webhook secret": SECRET, "unknown key": LOST_KEY,
        "presigned address": "X-Amz-Signature",
    }  # fmt: skip
    leaks = [
        (what, where)
        for what, canary in canaries.items()
        for where, text in found.items()
        if canary.encode() in text
    ]
    assert leaks == []
