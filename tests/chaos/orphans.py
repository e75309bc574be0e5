"""Objects that nothing names: what is left in the buckets when nothing is under way any more.

Read from the evidence of a run, by the layout that docs/concepts/the-bucket.md states. Each kind that is
`NAMED` there is what a lost process may leave behind; of every other kind there must be none.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

Json = dict[str, Any]

NAMED = {
    "set-that-lost": "images of a set whose record was never written, or that came second",
    "late-image": "images of a call that was given up, and came after its item had ended",
    "copy-of-late-image": "copies of such an image",
    "submission-without-job": "the request of a submission whose caller was never answered",
    "file-without-facts": "the bytes of an upload that broke off after they were stored",
    "upload": "the record of a file that comes in parts, for a day",
    "estimate": "a submission whose cost was asked for, where the API died before it answered",
}
"""Kinds that the documentation names, with what they are."""

CONTROL = (
    r"\.imagemill-probe",
    r"(?:files|file-facts|uploads|estimates|index|idempotency|validations|schedules)/[^/]+/.+",
    r"(?:replaced-parts|reuse|usage|schedule-runs|schedule-numbers)/[^/]+/.+",
    r"jobs/[^/]+/[^/]+/(?:request|claim|report|webhook|manifest|plan/index)\.json",
    r"jobs/[^/]+/[^/]+/(?:plan|results)/\d+\.jsonl",
    r"jobs/[^/]+/[^/]+/records/\d+/\d+\.json",
    r"jobs/[^/]+/[^/]+/(?:manifest|inputs)/[0-9a-f]{64}",
    r"jobs/[^/]+/[^/]+/(?:gallery\.html|contact-sheet\.webp)",
    r"webhooks/[^/]+/(?:events|deliveries|log|jobs|disabled|secrets)/.+",
    r"dashboard/session-secret",
)
COPY = re.compile(r"(?P<job>.*job_[^/]+/)(?:_thumbnails|_renditions/[^/]+)/(?P<name>.+)\.[a-z]+")


@dataclass(frozen=True, slots=True)
class Orphan:
    """An object without an owner."""

    kind: str
    bucket: str
    key: str


def find(folder: Path) -> list[Orphan]:
    """All that the evidence in a folder shows, in the order of kinds."""
    buckets = Buckets(folder)
    found = [*_control(buckets), *_delivery(buckets)]
    return sorted(found, key=lambda orphan: (orphan.kind, orphan.key))


def counts(orphans: Iterable[Orphan]) -> dict[str, int]:
    """How many of each kind."""
    return dict(sorted(Counter(orphan.kind for orphan in orphans).items()))


class Buckets:
    """The objects of a run, and what the results among them name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "bucket"
        lines = (self._folder / "objects.jsonl").read_text().splitlines()
        self._found: dict[tuple[str, str], Json] = {
            (line["bucket"], line["key"]): line for line in map(json.loads, lines)
        }
        self.control = {key for bucket, key in self._found if bucket == "control"}
        self.delivery = {key for bucket, key in self._found if bucket == "delivery"}

    def reservation_of(self, image: str) -> str | None:
        """Which call an image says of itself that it is of."""
        said: str | None = self._found["delivery", image]["metadata"].get("imagemill-reservation")
        return said

    def text(self, key: str) -> str:
        """An object of control."""
        file: str = self._found["control", key]["file"]
        return (self._folder / file).read_text()

    def json(self, key: str) -> Json:
        """An object of control that is JSON."""
        read: Json = json.loads(self.text(key))
        return read

    @cached_property
    def results(self) -> dict[str, list[Json]]:
        """The lines of the results, by their job as `{tenant}/{job}`."""
        found: dict[str, list[Json]] = {}
        for key in sorted(self.control):
            if place := re.fullmatch(r"jobs/([^/]+/[^/]+)/results/\d+\.jsonl", key):
                found.setdefault(place[1], []).extend(map(json.loads, self.text(key).splitlines()))
        return found

    @cached_property
    def images(self) -> set[str]:
        """What the results name as delivered."""
        return {image["key"] for lines in self.results.values() for line in lines for image in line["images"]}

    @cached_property
    def reservations(self) -> set[str]:
        """All under which something may have been bought."""
        return {
            attempt["reservation"]
            for lines in self.results.values()
            for line in lines
            for attempt in line["attempts"]
        }

    @cached_property
    def recorded_jobs(self) -> set[str]:
        """Jobs that the record of an idempotency key names, or that came without a key."""
        found = set()
        for key in self.control:
            if recent := re.fullmatch(r"idempotency/([^/]+)/recent/[^/]+/([^/]+)", key):
                found.add(f"{recent[1]}/{recent[2]}")
            elif record := re.fullmatch(r"idempotency/([^/]+)/[^/]+", key):
                found.add(f"{record[1]}/{self.json(key)['job']}")
        return found


# --- control -------------------------------------------------------------------------------------


def _control(buckets: Buckets) -> Iterator[Orphan]:
    """Whatever lies in control without a reason."""
    known = re.compile("|".join(CONTROL))
    for key in sorted(buckets.control):
        kind = _kind(buckets, key) if known.fullmatch(key) else "unknown-key"
        if kind:
            yield Orphan(kind, "control", key)


def _kind(buckets: Buckets, key: str) -> str | None:
    """What is wrong with a key; None: nothing."""
    folder, _, rest = key.partition("/")
    if folder in TEMPORARY:
        return TEMPORARY[folder]
    judge = _JUDGES.get(folder)
    return judge(_Place(buckets, rest)) if judge else None


@dataclass(frozen=True, slots=True)
class _Place:
    """A key of control, without its first folder."""

    buckets: Buckets
    rest: str

    def is_there(self, key: str) -> bool:
        return key in self.buckets.control


def _of_part(place: _Place) -> str | None:
    tenant, upload, _ = place.rest.split("/")
    return None if place.is_there(f"uploads/{tenant}/{upload}.json") else "part-without-upload"


def _of_file(place: _Place) -> str | None:
    return None if place.is_there(f"file-facts/{place.rest}.json") else "file-without-facts"


def _of_facts(place: _Place) -> str | None:
    return None if place.is_there(f"files/{place.rest.removesuffix('.json')}") else "facts-without-file"


def _of_index(place: _Place) -> str | None:
    tenant, name = place.rest.split("/")
    job = name.removesuffix(".json").partition("-")[2]
    return None if place.is_there(f"jobs/{tenant}/{job}/report.json") else "index-without-report"


def _of_event(place: _Place) -> str | None:
    """The body of an event, the state of its delivery and its entries come together."""
    tenant, folder, name = place.rest.split("/", 2)
    if folder not in ("events", "deliveries", "log", "jobs"):
        return None
    event = name.rpartition("/")[2].removesuffix(".json")
    event = event if folder in ("events", "deliveries") else event.partition("-")[2]
    others = (f"webhooks/{tenant}/events/{event}.json", f"webhooks/{tenant}/deliveries/{event}.json")
    return None if all(map(place.is_there, others)) else "half-an-event"


def _of_job(place: _Place) -> str | None:
    """A job whose end is written owns all that lies below it, but records of what its items do not have."""
    tenant, job, name = place.rest.split("/", 2)
    owner = f"{tenant}/{job}"
    if record := re.fullmatch(r"records/(\d+)/(\d+)\.json", name):
        return _of_record(place.buckets, owner, f"jobs/{place.rest}", int(record[2]))
    if place.is_there(f"jobs/{owner}/report.json"):
        return None
    if place.is_there(f"jobs/{owner}/claim.json"):
        return "job-without-end"
    return "job-never-started" if owner in place.buckets.recorded_jobs else "submission-without-job"


def _of_record(buckets: Buckets, owner: str, key: str, index: int) -> str | None:
    """The set that a record names is the one that its item has."""
    reservation = buckets.json(key)["reservation"]
    named = (line for line in buckets.results.get(owner, []) if line["index"] == index)
    if any(reservation in image["key"] for line in named for image in line["images"]):
        return None
    return "late-image" if reservation in buckets.reservations else "record-of-no-item"


TEMPORARY = {"estimates": "estimate", "uploads": "upload"}
_JUDGES: dict[str, Callable[[_Place], str | None]] = {
    "replaced-parts": _of_part,
    "files": _of_file,
    "file-facts": _of_facts,
    "jobs": _of_job,
    "index": _of_index,
    "webhooks": _of_event,
}


# --- delivery ------------------------------------------------------------------------------------


def _delivery(buckets: Buckets) -> Iterator[Orphan]:
    """Images that no result names, and copies of what is not there."""
    for key in sorted(buckets.delivery - buckets.images - {".imagemill-probe"}):
        kind = _of_copy(buckets, key) if COPY.fullmatch(key) else _of_image(buckets, key)
        if kind:
            yield Orphan(kind, "delivery", key)


def _of_copy(buckets: Buckets, key: str) -> str | None:
    found = COPY.fullmatch(key)
    image = found["job"] + found["name"] if found else key
    if image in buckets.images:
        return None
    return "copy-of-late-image" if image in buckets.delivery else "copy-without-image"


def _of_image(buckets: Buckets, key: str) -> str:
    """An image of one is late where its item has none; of a set, where another one counts."""
    if any(reservation in key for reservation in buckets.reservations):
        return "set-that-lost"
    return "late-image" if buckets.reservation_of(key) in buckets.reservations else "image-of-no-item"
