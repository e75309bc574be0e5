"""Each object that nothing names is found, and nothing else."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.chaos import flat, orphans

JOB = "jobs/acme/job_A"
EVENT = "evt_1"


def result(index: int, state: str = "succeeded", *keys: str, reservation: str = "r1") -> dict[str, Any]:
    return {
        "index": index,
        "state": state,
        "images": [{"key": key} for key in keys],
        "attempts": [{"reservation": reservation, "outcome": "settled"}],
    }


RESULTS = [
    result(0, "succeeded", "job_A/a/1.jpg", reservation="r0"),
    result(1, "succeeded", "job_A/b/1.r1.jpg", "job_A/b/2.r1.jpg"),
    result(2, "failed", reservation="r2"),
]
CONTROL: dict[str, Any] = {
    ".imagemill-probe": "",
    f"{JOB}/request.json": {},
    f"{JOB}/claim.json": {},
    f"{JOB}/plan/0.jsonl": "",
    f"{JOB}/plan/index.json": {},
    f"{JOB}/manifest.json": {},
    f"{JOB}/manifest/{'0' * 64}": "",
    f"{JOB}/inputs/{'1' * 64}": "",
    f"{JOB}/records/0/1.json": {"reservation": "r1"},
    f"{JOB}/results/0.jsonl": "".join(json.dumps(line) + "\n" for line in RESULTS),
    f"{JOB}/report.json": {},
    f"{JOB}/webhook.json": {},
    "index/acme/000-job_A.json": {},
    "idempotency/acme/0123": {"job": "job_A", "body": "…", "at": "…"},
    "files/acme/file_1": "bytes",
    "file-facts/acme/file_1.json": {},
    "usage/acme/account.json": {},
    f"webhooks/acme/events/{EVENT}.json": {},
    f"webhooks/acme/deliveries/{EVENT}.json": {},
    f"webhooks/acme/log/000-{EVENT}": "",
    f"webhooks/acme/jobs/job_A/000-{EVENT}": "",
    "webhooks/acme/secrets/1.json": {},
}
DELIVERY = {
    ".imagemill-probe": {},
    "job_A/a/1.jpg": {"imagemill-reservation": "r0"},
    "job_A/b/1.r1.jpg": {"sha256": "…"},
    "job_A/b/2.r1.jpg": {"sha256": "…"},
    "job_A/_thumbnails/a/1.jpg.webp": {},
    "job_A/_renditions/small/a/1.jpg.jpg": {},
}


def evidence(folder: Path, control: Mapping[str, Any], delivery: Mapping[str, Any]) -> Path:
    bucket = folder / "bucket"
    bucket.mkdir()
    lines = []
    for number, (key, content) in enumerate(control.items()):
        (bucket / f"{number:05d}").write_text(content if isinstance(content, str) else json.dumps(content))
        lines.append({"bucket": "control", "key": key, "metadata": {}, "file": f"{number:05d}"})
    lines += [
        {"bucket": "delivery", "key": key, "metadata": metadata, "file": "99999"}
        for key, metadata in delivery.items()
    ]
    (bucket / "objects.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def kinds(folder: Path, control: Mapping[str, Any], delivery: Mapping[str, Any]) -> dict[str, str]:
    found = orphans.find(evidence(folder, control, delivery))
    return {orphan.key: orphan.kind for orphan in found}


def test_a_bucket_in_order_has_none(tmp_path: Path) -> None:
    assert kinds(tmp_path, CONTROL, DELIVERY) == {}


@pytest.mark.parametrize(
    ("key", "content", "kind"),
    [
        ("estimates/acme/job_X.json", {}, "estimate"),
        ("uploads/acme/upload_1.json", {}, "upload"),
        ("replaced-parts/acme/upload_9/1.json", {}, "part-without-upload"),
        ("files/acme/file_9", "", "file-without-facts"),
        ("file-facts/acme/file_9.json", {}, "facts-without-file"),
        ("jobs/acme/job_B/request.json", {}, "submission-without-job"),
        ("index/acme/000-job_B.json", {}, "index-without-report"),
        (f"{JOB}/records/0/7.json", {"reservation": "r9"}, "record-of-no-item"),
        (f"{JOB}/records/0/2.json", {"reservation": "r2"}, "late-image"),
        ("webhooks/acme/events/evt_9.json", {}, "half-an-event"),
        ("webhooks/acme/log/000-evt_9", "", "half-an-event"),
        ("somewhere/else", "", "unknown-key"),
        (f"{JOB}/notes.txt", "", "unknown-key"),
    ],
)
def test_what_lies_in_control_without_a_reason_is_found(
    tmp_path: Path, key: str, content: Any, kind: str
) -> None:
    assert kinds(tmp_path, CONTROL | {key: content}, DELIVERY) == {key: kind}


def test_a_job_that_was_begun_and_has_no_end_is_found(tmp_path: Path) -> None:
    more: dict[str, Any] = {"jobs/acme/job_B/request.json": {}, "jobs/acme/job_B/claim.json": {}}

    assert set(kinds(tmp_path, CONTROL | more, DELIVERY).values()) == {"job-without-end"}


@pytest.mark.parametrize("record", ["idempotency/acme/4567", "idempotency/acme/recent/89ab/job_B"])
def test_a_submission_that_was_recorded_and_never_begun_is_found(tmp_path: Path, record: str) -> None:
    more = {"jobs/acme/job_B/request.json": {}, record: {"job": "job_B"}}

    assert set(kinds(tmp_path, CONTROL | more, DELIVERY).values()) == {"job-never-started"}


@pytest.mark.parametrize(
    ("key", "metadata", "kind"),
    [
        ("job_A/b/1.r2.jpg", {}, "set-that-lost"),
        ("job_A/c/1.jpg", {"imagemill-reservation": "r2"}, "late-image"),
        ("job_A/c/1.jpg", {"imagemill-reservation": "r9"}, "image-of-no-item"),
        ("job_A/c/1.jpg", {}, "image-of-no-item"),
        ("job_A/_thumbnails/c/1.jpg.webp", {}, "copy-without-image"),
        ("job_A/_renditions/small/c/1.jpg.png", {}, "copy-without-image"),
    ],
)
def test_images_that_no_result_names_are_found(
    tmp_path: Path, key: str, metadata: dict[str, str], kind: str
) -> None:
    assert kinds(tmp_path, CONTROL, DELIVERY | {key: metadata}) == {key: kind}


def test_copies_of_a_late_image_are_told_apart(tmp_path: Path) -> None:
    late = {"job_A/c/1.jpg": {"imagemill-reservation": "r2"}, "job_A/_thumbnails/c/1.jpg.webp": {}}

    found = kinds(tmp_path, CONTROL, DELIVERY | late)

    assert found == {"job_A/c/1.jpg": "late-image", "job_A/_thumbnails/c/1.jpg.webp": "copy-of-late-image"}


def test_only_what_the_documentation_does_not_name_is_objected_to(tmp_path: Path) -> None:
    delivery = DELIVERY | {"job_A/b/1.r2.jpg": {}, "job_A/x/1.jpg": {}}
    found = orphans.find(evidence(tmp_path, CONTROL, delivery))

    assert flat.judge_orphans(found) == ["image-of-no-item: job_A/x/1.jpg in delivery"]
    assert orphans.counts(found) == {"image-of-no-item": 1, "set-that-lost": 1}
