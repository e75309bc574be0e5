import asyncio
from hashlib import sha256
from pathlib import Path

import httpx2
import pytest

from sandbox.image_api import catalog, order
from sandbox.image_api.ledger import Ledger
from tests.unit.sandbox_image_api.sandbox import Sandbox, lines, until

sockets = pytest.mark.sockets
ORDER = order.read({"prompt": "a vase", "model": "gpt-image-2", "quality": "low"}, catalog.load())


def test_a_torn_last_line_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    first = Ledger(path)
    first.bill("req_1", ORDER, asked=1)
    first.close()
    with path.open("a", encoding="utf-8") as file:
        file.write('{"event":"billed","ti')
    second = Ledger(path)
    second.bill("req_2", ORDER, asked=1)
    second.close()
    assert [entry["request_id"] for entry in lines(path)] == ["req_1", "req_2"]
    assert (second.calls, second.total_nano) == (2, 2 * ORDER.cost_nano)


def test_the_peak_stays(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    for step in (ledger.enter, ledger.enter, ledger.leave, ledger.enter, ledger.leave):
        step()
    ledger.close()
    assert (ledger.in_flight, ledger.peak_in_flight) == (1, 2)


@sockets
async def test_calls_side_by_side_are_counted_and_stay_billed(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path / "ledger.jsonl")
    sandbox.order_faults({"kind": "hang"})
    async with sandbox.client() as client:
        calls = [
            asyncio.create_task(client.images.generate(prompt=f"open {i}", model="gpt-image-2"))
            for i in range(20)
        ]
        while (await asyncio.to_thread(sandbox.ledger))["calls"] < 20:
            pass
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
    until(lambda: sandbox.ledger()["in_flight"] == 0)
    ledger = sandbox.ledger()
    assert sandbox.stop() == 0
    assert (ledger["calls"], ledger["peak_in_flight"]) == (20, 20)
    assert [entry["outcome"] for entry in ledger["entries"][20:]] == ["disconnected"] * 20


@sockets
@pytest.mark.parametrize("is_killed", [False, True])
def test_the_ledger_survives_a_restart(tmp_path: Path, is_killed: bool) -> None:
    path = tmp_path / "ledger.jsonl"
    first = Sandbox(path)
    first.generate("kept")
    until(lambda: first.outcomes("kept") == ["answered"])
    before = first.ledger()
    first.kill() if is_killed else first.stop()
    second = Sandbox(path)
    assert second.ledger() == {**before, "peak_in_flight": 0, "seen": 0}
    second.generate("kept")
    ledger = second.ledger()
    second.stop()
    assert ledger["total_nano"] == 2 * before["total_nano"] > 0
    assert ledger["by_prompt"] == {sha256(b"kept").hexdigest(): 2}
    assert [entry["event"] for entry in lines(path)] == ["billed", "answered"] * 2


@sockets
def test_since_leaves_out_what_is_known(sandbox: Sandbox) -> None:
    sandbox.generate("before")
    until(lambda: sandbox.outcomes("before") == ["answered"])
    known = sandbox.ledger()
    assert known["next"] == len(known["entries"])
    sandbox.generate("after")
    assert sandbox.ledger(known["next"])["entries"][0]["prompt_sha256"] == sha256(b"after").hexdigest()
    assert sandbox.http.get("/_sandbox/ledger?since=x").status_code == 400


@sockets
def test_the_ledger_needs_no_key(sandbox: Sandbox) -> None:
    assert sandbox.http.get("/_sandbox/ledger", headers={"authorization": ""}).status_code == 200


@sockets
def test_a_call_that_is_not_billed_has_a_line_too(sandbox: Sandbox) -> None:
    sandbox.order_faults({"kind": "rate_limit", "seconds": 1.5, "times": 1})
    answer = sandbox.generate("turned away", n=2)
    (line,) = sandbox.entries("turned away", "refused")
    assert line["request_id"] == answer.headers["x-request-id"]
    assert (line["status"], line["code"], line["retry_after"]) == (429, "rate_limit_exceeded", 1.5)
    assert (line["model"], line["n"], line["fault"]) == ("gpt-image-2", 2, "rate_limit")
    assert sandbox.billed("turned away") == []


@sockets
def test_a_reset_before_the_bill_has_a_line_without_a_status(sandbox: Sandbox) -> None:
    sandbox.order_faults({"kind": "reset_before_billing"})
    with pytest.raises(httpx2.TransportError):
        sandbox.generate("reset")
    (line,) = sandbox.entries("reset", "refused")
    assert (line["status"], line["code"], line["fault"]) == (None, None, "reset_before_billing")


@sockets
def test_a_request_that_can_not_be_read_has_a_line_without_a_prompt(sandbox: Sandbox) -> None:
    answer = sandbox.http.post("/v1/images/generations", content=b"{")
    line = next(
        each for each in sandbox.ledger()["entries"] if each["request_id"] == answer.headers["x-request-id"]
    )
    assert (line["event"], line["status"], line["prompt_sha256"], line["model"]) == (
        "refused",
        400,
        None,
        None,
    )


@sockets
def test_a_call_that_was_billed_and_then_refused_is_not_called_refused(sandbox: Sandbox) -> None:
    sandbox.order_faults({"kind": "error_500_billed"})
    sandbox.generate("billed after all")
    assert sandbox.entries("billed after all", "refused") == []
    assert len(sandbox.billed("billed after all")) == 1
