"""I14: memory, files and histories are bounded by what is done at once, not by the size of a job."""

from tests.chaos.checker.case import Case
from tests.chaos.checker.evidence import Line
from tests.chaos.checker.verdict import Verdict

I14 = "I14"
OURS = ("api", "worker")
MOST = {"rss_bytes": 1024**3, "fds": 1024, "threads": 128}
"""Of one process, whatever befalls it."""
MOST_EVENTS = 20_000
MOST_BYTES = 20 * 1024 * 1024
"""Of one run of a workflow: less than half of what the engine ends it for."""


def judge(case: Case, verdict: Verdict) -> None:
    """Every sample, and every history."""
    samples = [line for line in case.evidence.of("processes.jsonl") if _is_ours(str(line.said["part"]))]
    histories = case.evidence.of("histories.jsonl")
    for what, lines in (("process", samples), ("history", histories)):
        if not lines:
            verdict.violated("evidence", f"no {what} was looked at", "the evidence")
    for line in samples:
        _judge_process(line, verdict)
    for line in histories:
        events, size = line.said["events"], line.said["bytes"]
        what = f"its history has {events} events and {size} bytes"
        fits = events <= MOST_EVENTS and size <= MOST_BYTES
        verdict.must(I14, fits, what, f"workflow {line.said['workflow']}", [line.where])


def _is_ours(part: str) -> bool:
    """A process of the service itself; its children come and go."""
    return part.startswith(OURS) and "/" not in part


def _judge_process(line: Line, verdict: Verdict) -> None:
    for name, most in MOST.items():
        found = line.said.get(name)
        if found is None:
            verdict.unsure(I14, f"{name} of a process could not be read")
        else:
            part = str(line.said["part"])
            verdict.must(I14, found <= most, f"{name} is {found}, above {most}", part, [line.where])
