"""Where things lie in the two buckets, and which names an image may have."""

import hashlib
import re
import unicodedata
from urllib.parse import unquote

from imagemill.domain.request import EXTENSIONS

LONGEST_NAME = 700
"""Bytes; S3 allows 1,024 for a whole key, of which prefix, job and reservation need their part."""

CHUNK_ITEMS = 500


def file_key(tenant: str, file_id: str) -> str:
    """An uploaded file (control)."""
    return f"files/{tenant}/{file_id}"


def facts_prefix(tenant: str) -> str:
    """What is known of a tenant's uploaded files (control)."""
    return f"file-facts/{tenant}/"


def facts_key(tenant: str, file_id: str) -> str:
    """What is known of an uploaded file: written last, so what is listed is whole (control)."""
    return f"{facts_prefix(tenant)}{file_id}.json"


def uploads_prefix(tenant: str) -> str:
    """A tenant's files that come in parts, the oldest first (control)."""
    return f"uploads/{tenant}/"


def upload_key(tenant: str, upload: str) -> str:
    """A file that comes in parts (control)."""
    return f"{uploads_prefix(tenant)}{upload}.json"


def replaced_prefix(tenant: str, upload: str) -> str:
    """The parts of such a file that were sent more than once (control)."""
    return f"replaced-parts/{tenant}/{upload}/"


def replaced_key(tenant: str, upload: str, number: int) -> str:
    """Which of several parts with the same number counts (control)."""
    return f"{replaced_prefix(tenant, upload)}{number}.json"


def request_key(tenant: str, job: str) -> str:
    """The submission (control)."""
    return f"jobs/{tenant}/{job}/request.json"


def estimate_key(tenant: str, job: str) -> str:
    """A submission whose cost is asked for; gone once it is answered (control)."""
    return f"estimates/{tenant}/{job}.json"


def bad_rows_key(tenant: str, validation: str) -> str:
    """Every bad row of a submission whose cost was asked for, a line each (control)."""
    return f"validations/{tenant}/{validation}/errors.jsonl"


def claim_key(tenant: str, job: str) -> str:
    """Which run of the job's workflow is the one that runs it (control)."""
    return f"jobs/{tenant}/{job}/claim.json"


def plan_key(tenant: str, job: str, chunk: int) -> str:
    """A chunk's items, a line each (control)."""
    return f"jobs/{tenant}/{job}/plan/{chunk}.jsonl"


def plan_index_key(tenant: str, job: str) -> str:
    """What planning found: chunks, sizes, the first bad rows (control)."""
    return f"jobs/{tenant}/{job}/plan/index.json"


def record_key(tenant: str, job: str, chunk: int, index: int) -> str:
    """Which set of images counts for an item of several (control)."""
    return f"jobs/{tenant}/{job}/records/{chunk}/{index}.json"


def input_key(tenant: str, job: str, reference: str) -> str:
    """An input image as a job fetched it, by its reference's hash: an address may grant access (control)."""
    return f"jobs/{tenant}/{job}/inputs/{hashlib.sha256(reference.encode()).hexdigest()}"


def pinned_key(tenant: str, job: str) -> str:
    """Which bytes a manifest's source has given a job, for good (control)."""
    return f"jobs/{tenant}/{job}/manifest.json"


def manifest_copy_key(tenant: str, job: str, sha256: str) -> str:
    """The bytes of a manifest that was not uploaded, by their hash (control)."""
    return f"jobs/{tenant}/{job}/manifest/{sha256}"


def reuse_prefix(tenant: str, schedule: str | None = None) -> str:
    """What was bought by a tenant, or by the runs of one schedule, the newest job first (control)."""
    return f"reuse/{tenant}/schedules/{schedule}/" if schedule else f"reuse/{tenant}/all/"


def reuse_key(tenant: str, schedule: str | None, place: str, chunk: int) -> str:
    """What one chunk bought, by its requests' hashes; ``place`` is its job's `index_place` (control)."""
    return f"{reuse_prefix(tenant, schedule)}{place}-{chunk}.jsonl.gz"


def results_key(tenant: str, job: str, chunk: int) -> str:
    """What became of a chunk's items, a line each (control)."""
    return f"jobs/{tenant}/{job}/results/{chunk}.jsonl"


def report_key(tenant: str, job: str) -> str:
    """The receipt (control)."""
    return f"jobs/{tenant}/{job}/report.json"


def gallery_key(tenant: str, job: str) -> str:
    """The pictures of a job that has ended, as one HTML file (control)."""
    return f"jobs/{tenant}/{job}/gallery.html"


def contact_sheet_key(tenant: str, job: str) -> str:
    """The same as one image (control)."""
    return f"jobs/{tenant}/{job}/contact-sheet.webp"


def index_key(tenant: str, job: str, milliseconds: int) -> str:
    """The job in the list of ended ones, newest first in the order of keys (control)."""
    return f"{index_prefix(tenant)}{index_place(job, milliseconds)}.json"


def index_place(job: str, milliseconds: int) -> str:
    """Where a job stands among all jobs, the newest first: these sort as text."""
    return f"{10**14 - milliseconds:015d}-{job}"


def index_prefix(tenant: str) -> str:
    """The list of a tenant's ended jobs (control)."""
    return f"index/{tenant}/"


def idempotency_key(tenant: str, key: str) -> str:
    """The record of a submission under an idempotency key (control)."""
    return f"idempotency/{tenant}/{hashlib.sha256(key.encode()).hexdigest()}"


def image_key(prefix: str, job: str, name: str) -> str:
    """An image (delivery)."""
    return "/".join(part for part in (prefix.strip("/"), job, name) if part)


THUMBNAILS, RENDITIONS = "_thumbnails", "_renditions"
"""Folders of a job for the smaller copies of its images; no image's own name begins with one."""

_JOB = re.compile(r"(?:^|.*?/)job_[^/]+/")


def thumbnail_key(image: str) -> str:
    """The thumbnail of an image, by the image's whole key (delivery)."""
    return _beside(image, THUMBNAILS, "webp")


def rendition_key(image: str, name: str, format: str) -> str:  # noqa: A002
    """A rendition of an image, by the image's whole key (delivery)."""
    return _beside(image, f"{RENDITIONS}/{name}", format)


def _beside(image: str, folder: str, extension: str) -> str:
    """In a folder of the image's job. The image's own extension stays: ``a.png`` and ``a.webp`` are two."""
    found = _JOB.match(image)
    end = found.end() if found else image.rfind("/") + 1
    return f"{image[:end]}{folder}/{image[end:]}.{EXTENSIONS.get(extension, extension)}"


def name_in_set(name: str, reservation: str) -> str:
    """The name of an image of a set of several: it carries the reservation that paid for it."""
    stem, dot, extension = name.rpartition(".")
    return f"{stem}.{reservation}{dot}{extension}" if dot else f"{name}.{reservation}"


def recent_prefix(tenant: str, fingerprint: str) -> str:
    """The jobs that a submission of this content, without a key, was answered with (control)."""
    return f"idempotency/{tenant}/recent/{fingerprint}/"


USAGE_PREFIX = "usage/"
"""What is known of the money of all tenants (control)."""


def tenant_of_usage(key: str) -> str:
    """Whose money a key below that prefix tells of."""
    return key.removeprefix(USAGE_PREFIX).partition("/")[0]


def usage_prefix(tenant: str, schedule: str | None = None) -> str:
    """What is kept of an account: a tenant's, or one of its schedules' (control)."""
    return f"usage/{tenant}/schedules/{schedule}/" if schedule else f"usage/{tenant}/"


def caps_key(tenant: str, schedule: str | None = None) -> str:
    """The caps that an operator has set for a tenant, or its user for a schedule (control)."""
    return f"{usage_prefix(tenant, schedule)}caps.json"


def account_key(tenant: str, schedule: str | None = None) -> str:
    """An account, as it was last saved (control)."""
    return f"{usage_prefix(tenant, schedule)}account.json"


def month_key(tenant: str, month: str, schedule: str | None = None) -> str:
    """What was spent in a month, by day and model (control)."""
    return f"{usage_prefix(tenant, schedule)}{month}.json"


def webhook_key(tenant: str, job: str) -> str:
    """Where a job's events are sent to, and which of them (control)."""
    return f"jobs/{tenant}/{job}/webhook.json"


def event_key(tenant: str, event: str) -> str:
    """An event's body, as it is sent (control)."""
    return f"webhooks/{tenant}/events/{event}.json"


def delivery_key(tenant: str, event: str) -> str:
    """What became of an event's delivery (control)."""
    return f"webhooks/{tenant}/deliveries/{event}.json"


def webhook_log_prefix(tenant: str, job: str | None = None) -> str:
    """The list of a tenant's events, or of those of one job: names that sort the newest first (control)."""
    return f"webhooks/{tenant}/jobs/{job}/" if job else f"webhooks/{tenant}/log/"


def disabled_prefix(tenant: str) -> str:
    """The targets that said that they are gone, by hashes of their addresses (control)."""
    return f"webhooks/{tenant}/disabled/"


SIGNS_SESSIONS = "dashboard/session-secret"
"""What the dashboard's sessions are signed with, made once (control)."""


def webhook_secrets_prefix(tenant: str) -> str:
    """The secrets that a tenant's events are signed with, a file for each rotation (control)."""
    return f"webhooks/{tenant}/secrets/"


def schedules_prefix(tenant: str) -> str:
    """A tenant's schedules, the oldest first (control)."""
    return f"schedules/{tenant}/"


def schedule_key(tenant: str, schedule: str) -> str:
    """What a schedule submits, and when; what became of it is in the engine (control)."""
    return f"{schedules_prefix(tenant)}{schedule}.json"


def runs_prefix(tenant: str, schedule: str) -> str:
    """The runs of a schedule: names that sort the newest first (control)."""
    return f"schedule-runs/{tenant}/{schedule}/"


def run_key(tenant: str, schedule: str, job: str, milliseconds: int) -> str:
    """A run of a schedule, by the time that it is for (control)."""
    return f"{runs_prefix(tenant, schedule)}{index_place(job, milliseconds)}.json"


def run_numbers_prefix(tenant: str, schedule: str) -> str:
    """Which job has which number among the runs of a schedule, the last number first (control)."""
    return f"schedule-numbers/{tenant}/{schedule}/"


def run_number_key(tenant: str, schedule: str, number: int) -> str:
    """The job that is the so-manieth run of a schedule (control)."""
    return f"{run_numbers_prefix(tenant, schedule)}{10**9 - number:010d}"


_PLAIN = re.compile(r"[A-Za-z0-9_,+@=()\-][\w.,+@=()\-]{0,149}", re.ASCII)
_UNSAFE = re.compile(r"[^\w.,+@=()\- ]")


def safe_segment(text: str) -> str:
    """Text as one segment of a name. Where something had to give way, a short hash keeps it unique."""
    if _PLAIN.fullmatch(text):
        return text  # as almost all ids are
    plain = unicodedata.normalize("NFC", text)
    safe = _UNSAFE.sub("_", plain).strip(" ")
    if safe.strip(".") == "":
        safe = "_" + safe
    safe = safe.encode()[:150].decode(errors="ignore")
    return safe if safe == text else f"{safe}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def name_problem(name: str) -> str | None:
    """Why an image can't have this name, or None where it can."""
    if not name or name.endswith("/"):
        return "the output name is empty"
    if len(name.encode()) > LONGEST_NAME:
        return f"the output name has more than {LONGEST_NAME} bytes"
    if any(segment in ("", ".", "..") for segment in name.split("/")):
        return f"the output name {name!r} has an empty, '.' or '..' part"
    if "%" in name and any(unquote(segment) in (".", "..") for segment in name.split("/")):
        return f"the output name {name!r} has a '.' or '..' part, written with %2e"
    if name.partition("/")[0].casefold() in (THUMBNAILS, RENDITIONS):
        return f"the output name {name!r} begins with a folder that is kept for smaller copies of the images"
    return None if _is_plain(name) else f"the output name {name!r} has a control character or a backslash"


def _is_plain(name: str) -> bool:
    if "\\" in name:
        return False
    if name.isascii():
        return name.isprintable()
    return not any(unicodedata.category(character).startswith("C") for character in name)
