"""I12: an event is delivered at least once, under a steady id, and never before it can be read.

What is listed as undelivered has not been lost; a reading that nobody answered proves nothing.
"""

from collections import defaultdict

from tests.chaos.checker.case import Case
from tests.chaos.checker.clients import Call, rows
from tests.chaos.checker.evidence import Json, Line
from tests.chaos.checker.i01_ends import TERMINAL
from tests.chaos.checker.jobs import Job
from tests.chaos.checker.verdict import Verdict

I12 = "I12"
TOLD = {
    "completed": "job.completed",
    "completed_with_errors": "job.completed",
    "failed": "job.failed",
    "cancelled": "job.cancelled",
}
STATES = {
    "job.completed": ("completed", "completed_with_errors"),
    "job.failed": ("failed",),
    "job.cancelled": ("cancelled",),
}
DEFAULT = ("job.completed", "job.failed", "job.cancelled", "job.held")


def judge(case: Case, verdict: Verdict) -> None:
    """Everything that came, and everything that should have."""
    received: dict[str, list[Line]] = defaultdict(list)
    answers: dict[object, object] = {}
    for line in case.evidence.of("sink.jsonl"):
        if line.said["event"] == "received":
            received[str(line.said["id"])].append(line)
        else:
            answers[line.said["delivery"]] = line.said.get("status")
    for event, lines in received.items():
        _judge_event(event, lines, verdict)
        for line in lines:
            _judge_readings(line, case, verdict)
    taken = {
        event
        for event, lines in received.items()
        if any(_is_yes(answers.get(e.said["delivery"])) for e in lines)
    }
    for job in case.jobs.all.values():
        _judge_job(job, case, taken, received, verdict)
    _judge_noted(case, set(received), verdict)


def _is_yes(status: object) -> bool:
    return isinstance(status, int) and 200 <= status < 300


def _judge_event(event: str, lines: list[Line], verdict: Verdict) -> None:
    """It is signed, and says the same every time."""
    places = [line.where for line in lines]
    verdict.must(I12, all(line.said["verified"] for line in lines), "its signature is wrong", event, places)
    same = all(line.said["body"] == lines[0].said["body"] for line in lines)
    verdict.must(I12, same, "it came with different bodies", event, places)


def _judge_readings(line: Line, case: Case, verdict: Verdict) -> None:
    """What the receiver read before it answered is not behind what the event says."""
    event = line.said["body"]
    for call in case.clients.calls:
        if call.begin.said.get("delivery") == line.said["delivery"]:
            if call.is_maybe:
                verdict.unsure(I12, "nobody answered what the receiver of an event read")
            elif call.name == "status":
                _judge_status(event, call, line, verdict)
            else:
                _judge_results(event, call, line, verdict)


def _judge_status(event: Json, call: Call, line: Line, verdict: Verdict) -> None:
    where, places = str(line.said["id"]), [line.where, *call.places]
    if not call.is_answered:
        verdict.must(I12, False, f"it came, and its job was answered {call.status}", where, places)
        return
    told, read = event["data"]["items"], call.body["items"]
    behind = [name for name in TERMINAL if read[name] < told[name]]
    verdict.must(I12, not behind, f"it says {told}, and the status {read}", where, places)
    states = STATES.get(event["type"])
    if states:
        what = f"it says {event['type']}, and the status {call.body['state']}"
        verdict.must(I12, call.body["state"] in states, what, where, places)


def _judge_results(event: Json, call: Call, line: Line, verdict: Verdict) -> None:
    told = event["data"]["items"]
    readable = call.is_answered and len(rows(call.body)) >= sum(told[name] for name in TERMINAL)
    what = f"it says {told}, and {len(rows(call.body))} results could be read ({call.status})"
    verdict.must(I12, readable, what, str(line.said["id"]), [line.where, *call.places])


def _judge_job(
    job: Job, case: Case, taken: set[str], received: dict[str, list[Line]], verdict: Verdict
) -> None:
    """Its end was told, if somebody wants to be told; and what is called delivered was taken."""
    call = case.clients.last("final-deliveries", job.id)
    if call is None or not call.is_answered:
        verdict.unsure(I12, "the deliveries of a job were not read")
        return
    listed = rows(call.body)
    for each in listed:
        if each["state"] == "delivered":
            what = f"event {each['id']} is called delivered, and nobody has taken it"
            verdict.must(I12, each["id"] in taken, what, job.where, call.places)
        else:
            verdict.unsure(I12, f"an event that is listed as {each['state']}")
    webhook = job.asked.get("webhook") or {}
    wanted = webhook.get("events", DEFAULT)
    kind = TOLD.get(job.state)
    if not webhook or kind not in wanted or _was_changed(job, case) or _is_by_hand(job):
        return
    ids = {str(each["id"]) for each in listed if each["type"] == kind}
    ids |= {
        name for name, lines in received.items() if lines[0].said["type"] == kind and _is_about(lines[0], job)
    }
    what = f"it is {job.state}, and {len(ids)} events tell that"
    verdict.must(I12, len(ids) == 1, what, job.where, [*call.places, *job.places])


def _is_about(line: Line, job: Job) -> bool:
    return bool(line.said["body"]["data"]["id"] == job.id)


def _was_changed(job: Job, case: Case) -> bool:
    return any("webhook" in call.asked for call in case.clients.of("set-budget", "set-webhook", job=job.id))


def _is_by_hand(job: Job) -> bool:
    return (job.status.get("failure") or {}).get("code") == "terminated"


def _judge_noted(case: Case, received: set[str], verdict: Verdict) -> None:
    """What was written down as an event was told, or is listed."""
    listed = {each["id"] for call in case.clients.of("final-deliveries") for each in rows(call.body)}
    for key, stored in case.buckets.control.items():
        parts = key.split("/")
        if parts[0] == "webhooks" and parts[2] == "events":
            event = parts[3].removesuffix(".json")
            what = "it was written down, and neither delivered nor listed"
            known = event in received or event in listed
            verdict.must(I12, known, what, event, [stored.where])
