import asyncio
import json
import signal
import time
from pathlib import Path

import openai
import pytest

from tests.unit.sandbox_image_api.sandbox import Sandbox, lines

pytestmark = pytest.mark.sockets


async def test_it_stops_at_once_with_calls_in_flight(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path / "ledger.jsonl")
    sandbox.order_faults({"kind": "hang"})
    async with sandbox.client() as client:
        call = asyncio.create_task(client.images.generate(prompt="open", model="gpt-image-2"))
        while (await asyncio.to_thread(sandbox.ledger))["calls"] < 1:
            pass
        started = time.monotonic()
        assert await asyncio.to_thread(sandbox.stop) == 0
        assert time.monotonic() - started < 2
        with pytest.raises(openai.APIConnectionError):
            await call
    assert [entry["event"] for entry in lines(tmp_path / "ledger.jsonl")] == ["billed", "outcome"]


def test_the_ready_file_says_where_it_listens(tmp_path: Path) -> None:
    ready = tmp_path / "ready.json"
    sandbox = Sandbox(tmp_path / "ledger.jsonl", "--ready-file", str(ready))
    assert json.loads(ready.read_text(encoding="utf-8")) == {"url": sandbox.url, "pid": sandbox.process.pid}
    sandbox.process.send_signal(signal.SIGINT)
    assert sandbox.stop() == 0
