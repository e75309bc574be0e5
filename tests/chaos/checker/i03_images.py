"""I3: every reported result resolves to the bytes that it says, and their pixels say this item's prompt.

Also: nothing lies in the delivery bucket that nobody reports, beyond what is known to have been paid twice or
written off.
"""

import hashlib
import io

from PIL import Image

from sandbox.image_api import pattern
from tests.chaos.checker.bucket import Stored
from tests.chaos.checker.case import Case
from tests.chaos.checker.clients import row_key
from tests.chaos.checker.evidence import Json
from tests.chaos.checker.jobs import PAID, Job
from tests.chaos.checker.verdict import Verdict

I3 = "I3"
COPIES = ("_thumbnails/", "_renditions/")
PROBE = ".imagemill-probe"


def judge(case: Case, verdict: Verdict) -> None:
    """Every image that the results of any job name, and every object beside them."""
    for job in case.jobs.all.values():
        for row in job.results:
            _judge_row(job, row, case, verdict)
    _judge_orphans(case, verdict)


def _judge_row(job: Job, row: Json, case: Case, verdict: Verdict) -> None:
    images = row.get("images", [])
    item = f"{job.where}, item {row_key(row)}"
    has = bool(images) == (row["state"] == "succeeded")
    verdict.must(I3, has, f"it is {row['state']} and has {len(images)} images", item, job.places)
    for number, image in enumerate(images):
        stored = case.buckets.delivery.get(image["key"])
        if stored is None and ("delivery", image["key"]) in case.buckets.forgotten:
            verdict.unsure(I3, "an image that the store confirmed and, by its own log, could not keep")
        elif stored is None:
            verdict.violated(I3, f"its image {image['key']} is not in the bucket", item, job.places)
        elif row.get("reused_from"):
            verdict.unsure(I3, "an image of an earlier job, whose prompt may be another")
        else:
            prompt = (job.prompts or {}).get(row_key(row))
            for problem in (*_problems(stored, image, prompt, number), *_usurpers(stored, row)):
                verdict.violated(I3, problem, item, [stored.where, *job.places])
            verdict.judged[I3] += 1
            verdict.unsure(I3, "an image whose prompt is not known", prompt is None)


def _usurpers(stored: Stored, row: Json) -> list[str]:
    """The image of a single one says whose it is: the first that was stored, and not another put over it.

    Two calls of one prompt may bring the very same bytes; so this shows what no hash does.
    """
    name = stored.metadata.get("imagemill-reservation")
    outcomes = {each["reservation"]: each["outcome"] for each in row["attempts"]}
    outcome = outcomes.get(str(name))
    if outcome is None or outcome in PAID:
        return []
    return [f"{stored.key} is of attempt {name}, which is {outcome}: it was put over another's"]


def _problems(stored: Stored, said: Json, prompt: str | None, number: int) -> list[str]:
    """What is wrong with one image."""
    data = stored.data
    if hashlib.sha256(data).hexdigest() != said["sha256"]:
        return [f"the bytes of {stored.key} are others than its hash says"]
    problems = []
    if len(data) != said["bytes"]:
        problems.append(f"{stored.key} has {len(data)} bytes, and is said to have {said['bytes']}")
    try:
        with Image.open(io.BytesIO(data)) as image:
            image.load()
            seen = (str(image.format).lower(), image.width, image.height)
    except (OSError, SyntaxError, ValueError) as error:
        return [*problems, f"{stored.key} can't be decoded: {error}"]
    told = (said["format"], said["width"], said["height"])
    if seen != told:
        problems.append(f"{stored.key} is {seen}, and is said to be {told}")
    if prompt is not None and (wrong := _wrong_prompt(data, prompt, number)):
        problems.append(f"{stored.key} {wrong}")
    return problems


def _wrong_prompt(data: bytes, prompt: str, number: int) -> str | None:
    try:
        found = pattern.read(data)
    except pattern.PatternError as error:
        return f"does not say which prompt made it: {error}"
    if found == pattern.of(prompt, number):
        return None
    if found.prompt_sha256 == pattern.of(prompt).prompt_sha256:
        return f"is image {found.number} of its prompt, not {number}"
    return "was made by another prompt"


def _judge_orphans(case: Case, verdict: Verdict) -> None:
    """Objects that no result names: each must be an attempt's that is known to have cost something."""
    reported = {
        image["key"]
        for job in case.jobs.all.values()
        for row in job.results
        for image in row.get("images", [])
    }
    attempts = {name: row for job in case.jobs.all.values() for name, row in job.item_of.items()}
    for key, stored in case.buckets.delivery.items():
        if key in reported or key.endswith(PROBE) or any(f"/{folder}" in key for folder in COPIES):
            continue
        job = next((job for job in case.jobs.all.values() if f"{job.id}/" in key), None)
        if job is None or not job.rows:
            verdict.unsure(I3, "an object of a job without a report")
            continue
        what = f"{key} lies there, and neither a result nor a paid attempt tells of it"
        verdict.must(I3, _is_declared(stored, attempts), what, job.where, [stored.where])


def _is_declared(stored: Stored, attempts: dict[str, Json]) -> bool:
    """Is it of an attempt that was written off, or of one that lost against another and was paid as well?"""
    names = [
        name
        for name in attempts
        if name in stored.key or name == stored.metadata.get("imagemill-reservation")
    ]
    for name in names:
        row = attempts[name]
        outcome = next(each["outcome"] for each in row["attempts"] if each["reservation"] == name)
        if outcome == "written_off" or (outcome != "released" and "paid_twice" in row["warnings"]):
            return True
    return False
