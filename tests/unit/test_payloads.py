"""What the engine keeps of each item is short, and says all that was said."""

from datetime import UTC, datetime
from typing import Any

import pytest
from temporalio.api.common.v1 import Payload

from imagemill.domain.item import Attempt, CallRecord, ImageFacts, ItemRecord
from imagemill.domain.job import JobSummary
from imagemill.domain.messages import ChunkReport, ImageOutcome, ImageTask, RecordsAnswer, Times
from imagemill.payloads import PAYLOADS

CALL = CallRecord(
    reservation="a1b2c3d4-1999-499-1",
    call="0123456789abcdef",
    model="gpt-image-2.5-flare",
    pool="default",
    images=[ImageFacts(sha256="ab" * 32, bytes=1_512_345, width=1024, height=1024, format="png")],
    cost_nano=34_567_890,
    request_id="req_0123456789abcdef0123456789abcdef",
)
TASK = ImageTask(
    job="job_01JABCDEFGHJKMNPQRSTVWXYZ0",
    tenant="default",
    chunk=1999,
    index=499,
    reservation=CALL.reservation,
    run="a1b2c3d4",
    times=Times(),
)
OUTCOME = ImageOutcome(kind="stored", paid_nano=CALL.cost_nano, call=CALL)
RECORD = ItemRecord(
    index=499,
    state="succeeded",
    call=CALL,
    attempts=[Attempt(reservation=CALL.reservation, outcome="settled")],
)
REPORT = ChunkReport.model_validate(
    {"chunk": 7, "life": 0, "sequence": 3, "progress": {"counts": {"succeeded": 9}}, "granted": 5}
)


def written(message: Any) -> Payload:
    [payload] = PAYLOADS.payload_converter.to_payloads([message])
    return payload


@pytest.mark.parametrize("message", [TASK, OUTCOME, REPORT, RecordsAnswer(records=[RECORD])])
def test_what_is_not_written_is_read_all_the_same(message: Any) -> None:
    [read] = PAYLOADS.payload_converter.from_payloads([written(message)], [type(message)])

    assert read == message
    assert len(written(message).data) < len(message.model_dump_json())


def test_what_was_changed_since_it_was_made_is_written() -> None:
    report = ChunkReport.model_validate({"chunk": 7, "life": 0, "sequence": 3, "progress": {}})
    report.progress.counts.count("succeeded", 1)
    report.spent |= REPORT.spent
    [read] = PAYLOADS.payload_converter.from_payloads([written(report)], [ChunkReport])

    assert read.progress.counts.succeeded == 1


def test_an_item_costs_so_many_bytes() -> None:
    assert len(written(TASK).data) <= 150
    assert len(written(OUTCOME).data) <= 380


def test_a_memo_is_written_whole_since_others_than_programs_read_it() -> None:
    summary = JobSummary(tenant="t", submitted_at=datetime(2027, 1, 1, tzinfo=UTC), cap_nano=1)

    assert written(summary).data == summary.model_dump_json().encode()
