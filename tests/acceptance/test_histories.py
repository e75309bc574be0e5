"""Nothing private passes through the engine, failures included."""

import json
from collections.abc import Iterator
from typing import Any

from google.protobuf.message import Message
from temporalio.api.common.v1 import Payload
from temporalio.client import Client

from tests.acceptance.service import Service

SECRET = "zanzibar-velvet"
PROMPT = f"A chair of {SECRET} cloth"


def texts(message: Message) -> Iterator[str]:
    """Every text and every payload in a message, however deep."""
    for _, value in message.ListFields():
        values = value.values() if hasattr(value, "values") else value if _many(value) else [value]
        for each in values:
            if isinstance(each, Payload):
                yield each.data.decode("utf-8", errors="replace")
            elif isinstance(each, Message):
                yield from texts(each)
            else:
                yield str(each)


def _many(value: Any) -> bool:
    return hasattr(value, "__iter__") and not isinstance(value, str | bytes)


async def history(service: Service, workflow_id: str) -> str:
    client = await Client.connect(str(service.stack.addresses.temporal))
    events = (await client.get_workflow_handle(workflow_id).fetch_history()).events
    return json.dumps([text for event in events for text in texts(event)])


async def test_histories_hold_no_prompt_key_or_address_even_when_everything_fails(service: Service) -> None:
    async with service.faults(
        {"kind": "insufficient_quota", "match": SECRET, "times": 1},
        {"kind": "error_500_billed", "match": SECRET, "times": 2},
        {"kind": "non_json_500", "match": SECRET, "times": 1},
        {"kind": "rate_limit", "match": SECRET, "times": 1, "seconds": 1},
    ):
        items = [{"custom_id": f"s-{n}", "prompt": f"{PROMPT} {n}"} for n in range(6)]
        items.append({"custom_id": "blocked", "prompt": f"forbidden-output {SECRET}"})
        job = await service.submit(items=items)
        status = await service.finished(job)
    alone = await service.submit(items=[{"custom_id": "alone", "prompt": PROMPT, "n": 2}])
    await service.finished(alone)

    written = "".join([await history(service, id_) for id_ in (job, f"{job}/0", alone)])
    environment = service.stack.environment

    assert status["items"]["succeeded"] + status["items"]["failed"] + status["items"]["blocked"] == 7
    assert "reservation" in written
    assert "http_500" in written
    assert SECRET not in written
    for name, value in environment.items():
        if name.endswith(("_KEY", "_SECRET_KEY")):
            assert value not in written, name
    assert "X-Amz-" not in written
    assert "b64_json" not in written
