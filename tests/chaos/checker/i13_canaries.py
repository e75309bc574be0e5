"""I13: no key, prompt or presigned URL is in logs or in the engine's histories."""

from pathlib import Path

from tests.chaos.checker.case import Case
from tests.chaos.checker.verdict import Verdict

I13 = "I13"
OURS = ("api", "worker", "temporal")
"""Whose logs are meant: the store and the provider write down what they are asked, as is their right."""
SIGNED = (b"X-Amz-Signature", b"X-Amz-Credential")


def judge(case: Case, verdict: Verdict) -> None:
    """Every file, for every word that must not be in it."""
    words = _words(case)
    if not case.scenario.get("secrets"):
        verdict.unsure(I13, "which keys there were is not told")
    logs = [path for path in case.evidence.files("logs/*.log") if path.name.startswith(OURS)]
    engine = list(case.evidence.files("engine/*"))
    for what, files in (("log", logs), ("database of the engine", engine)):
        if not any(path.stat().st_size for path in files):
            verdict.violated("evidence", f"there is no {what}", "the evidence")
    for path in [*logs, *engine]:
        _judge_file(path, words, verdict)


def _words(case: Case) -> dict[str, list[bytes]]:
    prompts = {prompt for job in case.jobs.all.values() for prompt in (job.prompts or {}).values()}
    # The words that are in prompts alone show pieces of them, too.
    marks = {str(each["word"]) for each in (case.scenario, *case.scenario["tenants"]) if each.get("word")}
    return {
        "a prompt": [word.encode() for word in (*sorted(marks), *sorted(prompts))],
        "a key": [str(secret).encode() for secret in case.scenario.get("secrets", [])],
        "a presigned URL": list(SIGNED),
    }


def _judge_file(path: Path, words: dict[str, list[bytes]], verdict: Verdict) -> None:
    data = path.read_bytes()
    for what, listed in words.items():
        found = next((word for word in listed if word in data), None)
        where = f"{path.parent.name}/{path.name}"
        seen = "" if found is None else f", at byte {data.index(found)}"
        verdict.must(I13, found is None, f"{what} is in it{seen}", where, [where])
