import json
from datetime import UTC, datetime, timedelta

import pytest

from imagemill.domain.job import Counts, Hold, JobSummary, Progress
from imagemill.domain.job_states import JobState
from imagemill.domain.webhooks import EVENTS, WAITS, EventType, Notice, Telling, body_of, event_id

NOW = datetime(2026, 3, 4, 5, 6, 7, 891000, tzinfo=UTC)
JOB = "job_01J9ZC3V5N8Q4T6W7XKABCDEFG"


def summary(state: JobState, **more: object) -> JobSummary:
    return JobSummary.model_validate(
        {"tenant": "t", "state": state, "submitted_at": NOW, "cap_nano": 2 * 10**9, "items": 8} | more
    )


def done(succeeded: int) -> Progress:
    return Progress(counts=Counts(succeeded=succeeded, images=succeeded), settled_nano=succeeded * 10**6)


def noted(
    *shown: tuple[JobSummary, Progress], events: tuple[EventType, ...] = EVENTS
) -> list[tuple[str, int]]:
    telling = Telling(events=list(events))
    for each, whole in shown:
        telling.hear(each, whole, NOW)
    return [(notice.type, notice.number) for notice in telling.waiting]


def test_each_state_is_told_once_however_often_it_is_shown() -> None:
    states: list[JobState] = ["queued", "validating", "running", "running", "cancelling", "cancelled"]
    assert noted(*((summary(state), done(0)) for state in states)) == [
        ("job.running", 1),
        ("job.cancelled", 1),
    ]


@pytest.mark.parametrize("state", ["completed", "completed_with_errors"])
def test_both_ways_of_being_complete_are_told_as_completed(state: JobState) -> None:
    assert noted((summary(state), done(8))) == [("job.completed", 1)]


def test_every_hold_has_a_number_of_its_own_and_so_has_another_reason() -> None:
    budget, quota = Hold(code="budget", since=NOW), Hold(code="insufficient_quota", since=NOW)
    told = noted(
        (summary("held", hold=budget), done(0)),
        (summary("held", hold=budget), done(0)),
        (summary("running"), done(0)),
        (summary("held"), Progress(hold=quota)),
        (summary("held", hold=budget), done(0)),
        events=("job.held",),
    )
    assert told == [("job.held", 1), ("job.held", 2), ("job.held", 3)]


def test_progress_is_told_by_quarters_and_of_several_at_once_the_last() -> None:
    told = noted(*((summary("running"), done(n)) for n in (0, 1, 2, 3, 7, 8)), events=("job.progress",))
    assert told == [("job.progress", 25), ("job.progress", 75)]


def test_only_what_is_asked_for_is_told() -> None:
    assert noted((summary("running"), done(4)), (summary("completed"), done(8)), events=()) == []


def test_what_is_noted_does_not_change_with_the_job() -> None:
    telling, whole = Telling(events=["job.running"]), done(1)
    telling.hear(summary("running"), whole, NOW)
    whole.counts.count("succeeded")
    assert telling.waiting[0].counts.succeeded == 1


def test_what_has_yet_to_be_told_survives_a_new_run() -> None:
    telling = Telling(events=["job.running", "job.held"])
    telling.hear(summary("running"), done(0), NOW)
    again = Telling.model_validate_json(telling.model_dump_json())
    again.hear(summary("running"), done(0), NOW + timedelta(1))
    assert again == telling


def test_the_id_is_that_of_job_type_and_number_alone() -> None:
    ids = {event_id(job, kind, n) for job in ("job_1", "job_2") for kind in EVENTS for n in (1, 2)}
    assert len(ids) == 2 * len(EVENTS) * 2
    assert event_id("job_1", "job.held", 2) == event_id("job_1", "job.held", 2)


def test_a_body_says_counts_and_sums() -> None:
    telling = Telling(events=["job.held"])
    hold = Hold(code="budget", since=NOW, smallest_nano=5 * 10**6, likely_nano=10**9)
    telling.hear(summary("held", hold=hold, name="spring", committed_nano=7 * 10**6), done(5), NOW)
    body = json.loads(body_of(JOB, telling.waiting[0]))
    assert body["type"] == "job.held"
    assert body["timestamp"] == "2026-03-04T05:06:07.891Z"
    data = body["data"]
    assert (data["id"], data["name"], data["state"]) == (JOB, "spring", "held")
    assert data["items"] == {
        "total": 8, "pending": 3, "running": 0,
        "succeeded": 5, "blocked": 0, "failed": 0, "skipped": 0, "cancelled": 0, "reused": 0,
    }  # fmt: skip
    assert data["cost"] == {
        "settled_usd": "0.005",
        "written_off_usd": "0.00",
        "committed_usd": "0.007",
        "limit_usd": "2.00",
    }
    assert (data["hold"]["code"], data["hold"]["smallest_usd"]) == ("budget", "0.005")
    assert data["links"]["self"] == f"/v1/jobs/{JOB}"


def test_a_body_stays_far_under_20_kilobytes() -> None:
    notice = Notice(
        type="job.held", number=9, at=NOW, state="held", name="\N{PILE OF POO}" * 200, items=10**6,
        settled_nano=10**20, hold=Hold(code="budget", since=NOW, next_probe=NOW, until=NOW),
    )  # fmt: skip
    assert len(body_of(JOB, notice)) < 4000


def test_the_schedule_takes_more_than_three_days_in_all() -> None:
    assert WAITS[:3] == (0, 5, 300)
    assert 3 * 86400 < sum(WAITS) < 3.5 * 86400
