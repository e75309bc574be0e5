"""A provider that counts more tokens than the price file allows for: charged, told, and learnt from."""

import re
import socket
from pathlib import Path

import httpx2

from sandbox.stack import LocalStack, StackOptions
from tests.acceptance.conftest import QUICK
from tests.acceptance.service import SMALL, Service, nano

MODEL = "gpt-image-2.5-flare"
TOO_SMALL = """
version = "too-small"

[models."gpt-image-2.5-flare"]
text_in = "5"
image_in = "8"
image_out = "30"
text_out = "0"
grid = { low = 14, medium = 24, high = 48, xhigh = 64, max = 96 }
"""
"""The provider's own number for low is 16."""


async def test_calls_above_their_maximum_are_charged_reported_and_reserved_for(
    tmp_path: Path, http: httpx2.AsyncClient
) -> None:
    (tmp_path / "prices.toml").write_text(TOO_SMALL)
    metrics = f"127.0.0.1:{free_port()}"
    settings = {
        "IMAGEMILL_PRICES_CATALOGUE": str(tmp_path / "prices.toml"),
        "IMAGEMILL_METRICS_ADDRESS": metrics,
        "IMAGEMILL_WORK_WINDOW": "1",
    }
    options = StackOptions(data_dir=tmp_path / "stack", speed=0.0, extra_env=QUICK | settings)
    async with LocalStack(options) as stack:
        service = Service(stack, http)
        prompts = [f"A lamp, number {n}" for n in range(6)]
        items = [{"custom_id": str(n), "prompt": prompt} for n, prompt in enumerate(prompts)]
        job = await service.submit(items=items, defaults=SMALL)
        status = await service.finished(job)
        report = (await service.ask("GET", f"/v1/jobs/{job}/report")).json()
        results = await service.results(job)
        ledger = await service.ledger(*prompts)
        shown = (await http.get(f"http://{metrics}/metrics")).text

    attempts = [result["attempts"][0] for result in results]
    drifts = [nano(attempt["drift_usd"]) for attempt in attempts]
    assert status["state"] == "completed"
    assert nano(status["cost"]["settled_usd"]) == ledger["nano"]
    assert drifts[0] == nano(attempts[0]["cost_usd"]) - nano(attempts[0]["reserved_usd"]) > 0
    assert drifts[-1] == 0, "the factor that was learnt covers the later calls"
    assert report["drift"][0]["calls"] == sum(drift > 0 for drift in drifts)
    assert nano(report["drift"][0]["above_usd"]) == sum(drifts)
    assert float(report["drift"][0]["factor"]) > 1
    assert report["price_table"].endswith("+too-small")
    counted = re.search(rf'imagemill_drift_calls{{[^}}]*model="{MODEL}"[^}}]*}} (\d+)', shown)
    assert counted
    assert int(counted[1]) == report["drift"][0]["calls"]


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
